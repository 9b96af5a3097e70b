"""Which frames go back, and who wakes."""

from __future__ import annotations

from typing import Final

from app.exercises.forms import Answer
from app.exercises.likely.act import Act, Likely
from app.mm import page_ref, wait
from app.mm.mmzone import MAX_ORDER


def all_frames(act: Act) -> Answer | None:
    """The whole block goes back, whoever still holds it."""
    if not act.frees or act.pfn is None or act.order >= MAX_ORDER:
        return None
    return list(range(act.pfn, act.pfn + (1 << act.order)))


def no_frames(act: Act) -> Answer | None:
    """Nothing goes back, since somebody still holds it."""
    return [] if act.frees else None


def first_frame(act: Act) -> Answer | None:
    """Only the frame that was named goes back."""
    return [act.pfn] if act.frees and act.pfn is not None and act.order else None


def slab_frame(act: Act) -> Answer | None:
    """The frame in which an object lies goes back with it."""
    frame = (act.outcome.object or {}).get("slab_pfn")
    return [frame] if act.frees and frame is not None else None


def queue(act: Act) -> list[tuple[str, bool]]:
    """Who sleeps on the call's page, and whether for its lock, the longest waiting first."""
    if act.pfn is None:
        return []
    waiters = wait.page_waiters(act.before, page_ref.compound_head(act.before, act.pfn))
    return [(task.name, task.exclusive) for task in waiters]


def wake_all(act: Act) -> Answer | None:
    """All of them."""
    return [name for name, _ in queue(act)] or None


def wake_head(act: Act) -> Answer | None:
    """Only the first."""
    return [name for name, _ in queue(act)][:1] or None


def wake_lockers(act: Act) -> Answer | None:
    """Only the first who wants the lock: those who only wait are forgotten."""
    return [name for name, exclusive in queue(act) if exclusive][:1] or None


LIKELY: Final = (
    Likely("all_frames", "frames", "free is free", all_frames),
    Likely("no_frames", "frames", "block stays whole", no_frames),
    Likely("first_frame", "frames", "only the first", first_frame),
    Likely("slab_frame", "frames", "an object is a page", slab_frame),
    Likely("wake_all", "woken", "thundering herd", wake_all),
    Likely("wake_head", "woken", "only the head", wake_head),
    Likely("wake_lockers", "woken", "only lockers", wake_lockers),
)

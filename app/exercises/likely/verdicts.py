"""What the kernel says to a call, and what people expect it to say."""

from __future__ import annotations

from typing import Final

from app.exercises.forms import Answer
from app.exercises.likely.act import Act, Likely
from app.mm.memory_model import PAGE_SIZE
from app.mm.mmzone import MAX_ORDER, WMARK_HIGH

FAILED: Final = ("null", "oom", "hang", "panic")
COMPLAINED: Final = ("warn", "bug")


# -- memory is short --------------------------------------------------------------------------------------


def needed(act: Act) -> int:
    """The order of a block that would hold what is asked for."""
    size = act.call.args.get("size")
    if not isinstance(size, int) or act.takes_block:
        return act.order
    return (-(-size // PAGE_SIZE) - 1).bit_length() if size else 0


def is_short(act: Act) -> bool:
    """Whether memory is so scarce, or so scattered, that people expect a request to fail."""
    order = max(1, needed(act))
    return not any(
        zone.nr_free_pages > zone.wmark_pages(WMARK_HIGH)
        and any(area.nr_free for area in zone.free_area[order:])
        for zone in act.zones
    )


def null_for_shortage(act: Act) -> Answer | None:
    """Every request that comes when memory is short returns NULL, and that is all."""
    verdict = act.outcome.verdict
    short = verdict in FAILED or (verdict not in COMPLAINED and is_short(act))
    return "null" if act.allocates and short else None


def ok_because_free(act: Act) -> Answer | None:
    """It is served, since so much is free."""
    enough = act.before.nr_free_pages >= 1 << min(needed(act), MAX_ORDER)
    return "ok" if act.allocates and act.outcome.verdict in FAILED and enough else None


def oom_although_noretry(act: Act) -> Answer | None:
    """The OOM killer is asked whenever memory is short."""
    return "oom" if act.allocates and act.outcome.verdict == "null" else None


# -- who calls --------------------------------------------------------------------------------------------


def ok_in_any_context(act: Act) -> Answer | None:
    """An interrupt may sleep like anybody."""
    return "ok" if act.call.context != "process" and act.outcome.verdict in COMPLAINED else None


def bug_in_any_context(act: Act) -> Answer | None:
    """An interrupt may call nothing."""
    return "bug" if act.call.context != "process" and act.outcome.verdict == "ok" else None


def returns_at_once(act: Act) -> Answer | None:
    """Nobody has to wait."""
    return "ok" if act.outcome.verdict == "blocked" else None


# -- mistakes ---------------------------------------------------------------------------------------------


def nobody_notices(act: Act) -> Answer | None:
    """The kernel does what it is told, and says nothing."""
    mistaken = act.call.context == "process" and act.outcome.verdict in COMPLAINED
    return "ok" if mistaken and not act.allocates else None


def always_noticed(act: Act) -> Answer | None:
    """The kernel notices every mistake."""
    return "bug" if act.outcome.cause is not None and act.outcome.verdict == "ok" else None


LIKELY: Final = (
    Likely("null_for_shortage", "verdict", "null for every shortage", null_for_shortage),
    Likely("ok_because_free", "verdict", "ok because free", ok_because_free),
    Likely("oom_although_noretry", "verdict", "oom in spite of noretry", oom_although_noretry),
    Likely("ok_in_any_context", "verdict", "interrupts may sleep", ok_in_any_context),
    Likely("bug_in_any_context", "verdict", "interrupts may call nothing", bug_in_any_context),
    Likely("returns_at_once", "verdict", "nobody has to wait", returns_at_once),
    Likely("nobody_notices", "verdict", "nobody notices", nobody_notices),
    Likely("always_noticed", "verdict", "every mistake is noticed", always_noticed),
)

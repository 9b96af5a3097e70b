"""What can be asked about a call: its right answer, and wrong ones that nobody has a reason for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from app.exercises.forms import Answer
from app.exercises.forms.chosen import FAULTS, ZONES, fault_of
from app.exercises.forms.frames import runs_of
from app.exercises.forms.places import NULL
from app.exercises.likely import faults, served
from app.exercises.likely.act import GIVEN_BACK, Act
from app.machine.outcome import VERDICTS
from app.mm import page_ref

# More frames than this, or more ranges of them, are no choice that anybody could read.
MOST_FRAMES: Final = 4096
MOST_RANGES: Final = 8
# A request for memory, a call that gives it back, any other: what the kernel may say to it.
SAID_TO_REQUEST: Final = ("ok", "null", "oom", "bug", "warn")
SAID_TO_FREE: Final = ("ok", "bug", "warn", "null")
SAID: Final = ("ok", "blocked", "bug", "null", "warn")


@dataclass(frozen=True, slots=True)
class Asked:
    """What can be asked about a call."""

    form: str
    # The answer; None where it cannot be asked about this call.
    right: Callable[[Act], Answer | None]
    # Wrong answers that nobody has a reason for.
    others: Callable[[Act, Answer], Iterable[Answer]]
    # The order in which the choices stand, where everybody knows one.
    order: Sequence[Answer] = ()


# -- right answers ----------------------------------------------------------------------------------------


def verdict(act: Act) -> Answer | None:
    """What the kernel said."""
    return act.outcome.verdict


def zone(act: Act) -> Answer | None:
    """The zone of the block that a request got."""
    return act.outcome.seen[2].name if act.allocates and act.outcome.seen is not None else None


def pfn(act: Act) -> Answer | None:
    """The frame that a request got."""
    if not act.takes_block:
        return None
    return NULL if act.pfn is None else act.pfn


def orders(act: Act) -> Answer | None:
    """The free lists of the zone that the call worked on."""
    return None if act.zone is None else act.counts(act.after, act.zone)


def woken(act: Act) -> Answer | None:
    """Who was woken, where somebody slept."""
    return list(act.outcome.woken or ()) if sleepers(act) else None


def frames_back(act: Act) -> Answer | None:
    """The frames that went back: in use before, and free or kept by a CPU now."""
    if act.changed_much or act.outcome.changed is None or act.allocates:
        return None
    runs = [run for run in act.runs if run.state in GIVEN_BACK]
    if sum(run.frames for run in runs) > MOST_FRAMES:
        return None
    frames = (frame for run in runs for frame in range(run.first, run.first + run.frames))
    back = [frame for frame in frames if page_ref.state_of(act.before, frame) not in GIVEN_BACK]
    if len(runs_of(sorted(back))) > MOST_RANGES:
        return None
    return sorted(back) if back or act.frees else None


def size(act: Act) -> Answer | None:
    """How many bytes a request really got, or how many addresses."""
    if served.asked(act) is None:
        return None
    part = act.outcome.object or act.outcome.area or {}
    found = part.get("ksize", part.get("size"))
    return found if isinstance(found, int) else None


def fault(act: Act) -> Answer | None:
    """What the last access met."""
    access = faults.last_access(act)
    return None if access is None else fault_of(access)


# -- wrong answers without a reason -----------------------------------------------------------------------


def other_verdicts(act: Act, right: Answer) -> Iterable[Answer]:
    """What the kernel says to calls of the kind."""
    return SAID_TO_REQUEST if act.allocates else SAID_TO_FREE if act.frees else SAID


def other_zones(act: Act, right: Answer) -> Iterable[Answer]:
    """Zones of this machine, then of others."""
    return dict.fromkeys([*(zone.name for zone in act.before.zones if zone.managed_pages), *ZONES])


def other_pfns(act: Act, right: Answer) -> Iterator[Answer]:
    """Blocks nearby."""
    if (zone := act.zone) is None:
        return
    step = 1 << min(act.order, 10)
    at = right if isinstance(right, int) else zone.start_pfn + step - 1 & -step
    for away in (1, -1, 2, -2, 3, 4):
        if zone.spans_pfn(at + away * step):
            yield at + away * step
    yield NULL


def other_orders(act: Act, right: Answer) -> Iterator[Answer]:
    """One of the changes forgotten, or one more."""
    assert isinstance(right, list)
    counts = [int(count) for count in right]
    was = counts if act.zone is None else act.counts(act.before, act.zone)
    for order, (now, before) in enumerate(zip(counts, was, strict=True)):
        if now != before:
            yield [*counts[:order], before, *counts[order + 1 :]]
    begin = act.order % len(counts)
    for order in (*range(begin, len(counts)), *range(begin)):
        yield [*counts[:order], counts[order] + 1, *counts[order + 1 :]]


def other_woken(act: Act, right: Answer) -> Iterator[Answer]:
    """Nobody, somebody, everybody."""
    names = sleepers(act)
    yield []
    yield names
    yield names[::-1]
    for name in names:
        yield [name]
    for name in act.before.tasks:
        if name != act.call.task:
            yield [name]
    yield [act.call.task]


def other_frames(act: Act, right: Answer) -> Iterator[Answer]:
    """Some more, some fewer."""
    assert isinstance(right, list)
    given = [int(frame) for frame in right]
    yield []
    if not given:
        at = act.pfn or (act.outcome.object or {}).get("slab_pfn") or act.before.zones[0].start_pfn
        yield [at]
        yield [at + 1]
        yield [at, at + 1]
        return
    yield given[:1]
    yield given[1:]
    yield given[:-1]
    yield [*given, given[-1] + 1]
    yield [given[-1] + 1]


def other_sizes(act: Act, right: Answer) -> Iterator[Answer]:
    """Larger and smaller ones."""
    assert isinstance(right, int)
    yield right * 2
    yield from (right // 2 for _ in range(right > 1))
    yield right + 4096
    yield right + 8


def other_faults(act: Act, right: Answer) -> Iterable[Answer]:
    """All that there are."""
    return FAULTS


def sleepers(act: Act) -> list[str]:
    """Who slept before the call, the longest asleep first."""
    return list(dict.fromkeys(chain(act.before.page_waiters, act.before.pkmap.waiters)))


ASKED: Final[dict[str, Asked]] = {
    "verdict": Asked("verdict", verdict, other_verdicts, VERDICTS),
    "zone": Asked("zone", zone, other_zones, ZONES),
    "pfn": Asked("pfn", pfn, other_pfns),
    "orders": Asked("orders", orders, other_orders),
    "woken": Asked("tasks", woken, other_woken),
    "frames": Asked("frames", frames_back, other_frames),
    "size": Asked("bytes", size, other_sizes),
    "fault": Asked("fault", fault, other_faults, tuple(FAULTS)),
}

"""The references of a string one by one: what is in which frame, which page goes, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from app.machine.replacement.policies import Clock, Policy
from app.machine.replacement.simulate import PAUSE_EVERY, POLICIES
from app.machine.replacement.strings import ReferenceString
from app.machine.replacement.whys import REASONS, Seen, Why, noted

HIT: Final = Why("hit", {})


class Step(NamedTuple):
    """One reference. at: its number, from 1. page, victim, frames: as pages are called.

    frames: what is in the first frames afterwards, with what the policy has noted of it in `notes`. frame:
    where the page is. hand: where the clock's hand is, of other policies None. written: whether the victim
    had to be written.
    """

    at: int
    page: int
    write: bool
    fault: bool
    frame: int
    victim: int | None
    written: bool
    frames: list[int | None]
    notes: list[str]
    hand: int | None
    why: Why


# Of more frames than that nobody looks at each.
MOST_SHOWN: Final = 12


class Frames:
    """Which page is in which frame. Empty frames are filled in order; a new page gets its victim's."""

    def __init__(self, frames: int) -> None:
        self.pages: list[int | None] = []
        self.most = frames
        self.frame_of: dict[int, int] = {}

    def full(self) -> bool:
        """Whether a page has to go before another can come."""
        return len(self.pages) == self.most

    def put(self, page: int, victim: int | None) -> None:
        """The page comes, into the frame of the victim where there is one."""
        if victim is None:
            self.frame_of[page] = len(self.pages)
            self.pages.append(page)
            return
        frame = self.frame_of.pop(victim)
        self.frame_of[page] = frame
        self.pages[frame] = page


def steps(
    string: ReferenceString,
    name: str,
    frames: int,
    load_bit: int,
    first: int,
    count: int,
    pause: Callable[[], None],
) -> list[Step]:
    """The references behind the first `first` ones, at most `count`."""
    return steps_of(POLICIES[name](string, frames, load_bit), name, first, count, pause)


def steps_of(policy: Policy, name: str, first: int, count: int, pause: Callable[[], None]) -> list[Step]:
    """The same of a policy that is made already. name: of the policy from which its reasons are."""
    string, held, seen = policy.string, Frames(policy.frames), Seen({}, {})
    dirty = bytearray(len(string.names))
    found: list[Step] = []
    for at in range(min(first + count, len(string))):
        if at >= first or not at % PAUSE_EVERY:
            pause()
        page, write = string.pages[at], bool(string.writes[at])
        policy.at = at
        fault, victim, why = page not in held.frame_of, None, HIT
        if not fault:
            policy.hit(page)
        else:
            why = Why("empty", {"frame": len(held.pages)})
            if held.full():
                reason = REASONS[name](policy, seen) if at >= first else None
                victim = policy.victim()
                why = HIT if reason is None else reason(victim)
            held.put(page, victim)
            seen.loaded[page] = at
            policy.load(page)
        written = victim is not None and bool(dirty[victim])
        if victim is not None:
            dirty[victim] = 0
        dirty[page] |= write
        seen.used[page] = at
        if at >= first:
            found.append(
                step(policy, held, at, write=write, fault=fault, victim=victim, written=written, why=why)
            )
    return found


def step(
    policy: Policy,
    held: Frames,
    at: int,
    *,
    write: bool,
    fault: bool,
    victim: int | None,
    written: bool,
    why: Why,
) -> Step:
    """What is told of one reference."""
    names, page = policy.string.names, policy.string.pages[at]
    shown = held.pages[:MOST_SHOWN]
    return Step(
        at=at + 1,
        page=names[page],
        write=write,
        fault=fault,
        frame=held.frame_of[page],
        victim=None if victim is None else names[victim],
        written=written,
        frames=[None if each is None else names[each] for each in shown],
        notes=noted(policy, shown),
        hand=policy.hand if isinstance(policy, Clock) else None,
        why=why,
    )

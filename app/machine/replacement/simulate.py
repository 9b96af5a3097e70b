"""Makes the references of a string one by one, with a number of frames and a policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from app.machine.replacement.lru_2list import Lru2List
from app.machine.replacement.policies import Aging, Clock, Fifo, Lru, Nru, Opt, Policy
from app.machine.replacement.strings import ReferenceString

POLICIES: Final[dict[str, type[Policy]]] = {
    "fifo": Fifo,
    "lru": Lru,
    "clock": Clock,
    "opt": Opt,
    "nru": Nru,
    "aging": Aging,
    "lru_2list": Lru2List,
}
# Up to so many references each one is told of.
MOST_TOLD: Final = 1000
PAUSE_EVERY: Final = 2048


class Result(NamedTuple):
    """What came of it. marks, victims: of each reference, None where there are too many to be told."""

    policy: str
    frames: int
    faults: int
    replacements: int
    writebacks: int
    marks: str | None
    victims: list[int | None] | None


def run(string: ReferenceString, name: str, frames: int, load_bit: int, pause: Callable[[], None]) -> Result:
    """Make all references. pause: called now and then, so that others are not held up."""
    policy = POLICIES[name](string, frames, load_bit)
    here = bytearray(len(string.names))
    dirty = bytearray(len(string.names))
    told = len(string) <= MOST_TOLD
    marks = bytearray()
    victims: list[int | None] = []
    free, faults, writebacks = frames, 0, 0
    for at, (page, write) in enumerate(zip(string.pages, string.writes, strict=True)):
        if not at % PAUSE_EVERY:
            pause()
        policy.at = at
        gone = None
        fault = not here[page]
        if not fault:
            policy.hit(page)
        else:
            faults += 1
            if free:
                free -= 1
            else:
                gone = policy.victim()
                here[gone] = 0
                writebacks += dirty[gone]
                dirty[gone] = 0
            here[page] = 1
            policy.load(page)
        dirty[page] |= write
        if told:
            marks += b"F" if fault else b"H"
            victims.append(None if gone is None else string.names[gone])
    replacements = faults - (frames - free)
    return Result(
        name, frames, faults, replacements, writebacks, marks.decode() if told else None,
        victims if told else None,
    )  # fmt: skip

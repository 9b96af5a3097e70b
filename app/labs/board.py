"""The values that a wall shows, with a version each, so that a reader is sent only what has changed."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from app.machine import show, show_cost
from app.machine.machine import Machine
from app.mm.page import STATES
from app.sessions.longviews import SHORT_LOOK

MOST_CELLS: Final = 64

# A cell as one character: the state that most of it is in as a digit of base 16, and free memory of which the
# first, second, third or fourth quarter is in use all the same.
DIGITS: Final = "0123456789abcdefghijk"
QUARTERS: Final = "wxyz"
FREE_STATE: Final = STATES.index("free")

BLOCKED: Final = "blocked"
TROUBLE: Final = frozenset({BLOCKED, "bug", "oom", "hang", "panic"})

VERSION: Final = re.compile(r"([0-9a-f]{12})-([0-9]{1,15})")


class Cause(NamedTuple):
    """What was wrong with a call: a mistake of its caller."""

    # Its name in `app.machine.mistakes`.
    mistake: str
    # In words.
    text: str
    # What the words are made of, for those who say it in another language.
    facts: Mapping[str, str | int]


class LastCall(NamedTuple):
    """The last call of a member, or of a session."""

    seq: int
    # When, as rows have it.
    time: str
    # The call as one line of C.
    call: str
    verdict: str
    # The task that called.
    task: str = "init"
    # Who called: `m7`, `i1`.
    by: str | None = None
    # What was wrong with it, where it was a mistake of its caller.
    cause: Cause | None = None


class Picture(NamedTuple):
    """A machine drawn small: one character a cell."""

    # Up to 64 characters.
    cells: str
    # Percent of all managed frames.
    used: float
    # The tasks that sleep.
    asleep: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Tile:
    """A member, and the machine that they have called last: one of their own, or one that all share."""

    number: int
    nickname: str
    joined: str
    # None before they have one.
    session_id: str | None = None
    # seq, last: its last row, or on a shared machine their own last one there; of rows that came in with a
    # file none counts.
    seq: int = 0
    # How many machines of their own they have.
    machines: int = 0
    last: LastCall | None = None
    # None until the machine has been drawn.
    picture: Picture | None = None
    # How many checkpoints; and how many of them were done, and said, the others caught up.
    reached: int = 0
    done: int = 0
    said: int = 0
    locked: bool = False
    # Their last call slept, and sleeps no more.
    woken: bool = False

    @property
    def trouble(self) -> bool:
        """Whether its last call has gone wrong, or not come back."""
        return self.last is not None and self.last.verdict in TROUBLE and not self.woken

    def seen(self, at: int, picture: Picture) -> Tile:
        """The same with what its machine looked like at a seq. One that slept later than that sleeps."""
        last = self.last
        slept = last is not None and last.verdict == BLOCKED and at >= last.seq
        woken = slept and last is not None and last.task not in picture.asleep
        return replace(self, picture=picture, woken=woken)


class CheckpointCount(NamedTuple):
    """A checkpoint, and how many have reached it."""

    id: str
    title: str
    reached: int
    # How many of them have done it, and say so; the others have caught up.
    done: int = 0
    said: int = 0


@dataclass(frozen=True, slots=True)
class ClassSummary:
    """The totals of a class."""

    title: str
    frozen: bool
    closed: bool
    # The address that is presented.
    view: str | None
    members: int
    # How many have called in the last minute.
    active: int
    marks: tuple[CheckpointCount, ...] = ()
    # How many wait to be admitted.
    waiting: int = 0
    # Nicknames of the last of them.
    newest: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class WallState:
    """The wall at one moment. All readers share the object."""

    epoch: str
    version: int
    whole: ClassSummary
    # By number.
    tiles: Sequence[Tile]
    # By member: the version since which the tile is as it is.
    changed: Mapping[int, int]
    # By member: the version since which the tile shows this machine.
    machine_since: Mapping[int, int]
    # Numbers of deleted members, with the version of the deletion.
    gone: Mapping[int, int]

    @property
    def token(self) -> str:
        """The version as text, which a reader sends to ask for the changes since."""
        return f"{self.epoch}-{self.version}"

    def after(self, token: str | None) -> int | None:
        """The version of a token; None for a token of another wall, so that everything is sent."""
        found = None if token is None else VERSION.fullmatch(token)
        if found is None or found[1] != self.epoch or int(found[2]) > self.version:
            return None
        return int(found[2])

    def since(self, version: int | None) -> tuple[list[Tile], list[int]]:
        """The tiles that have changed since a version, and the numbers of members deleted since."""
        if version is None:
            return list(self.tiles), []
        tiles = [tile for tile in self.tiles if self.changed[tile.number] > version]
        return tiles, [number for number, when in self.gone.items() if when > version]


def first(whole: ClassSummary) -> WallState:
    """The first state of a wall, before anything was read."""
    return WallState(secrets.token_hex(6), 0, whole, (), {}, {}, {})


def after(was: WallState, whole: ClassSummary, tiles: Sequence[Tile]) -> WallState:
    """The next state of a wall; the same object where nothing has changed."""
    before = {tile.number: tile for tile in was.tiles}
    version = was.version + 1
    changed = {
        tile.number: was.changed[tile.number] if before.get(tile.number) == tile else version
        for tile in tiles
    }
    machine_since = {
        tile.number: was.machine_since[tile.number]
        if tile.number in before and before[tile.number].session_id == tile.session_id
        else version
        for tile in tiles
    }
    left = before.keys() - changed.keys()
    if whole == was.whole and not left and version not in changed.values():
        return was
    gone = {**was.gone, **dict.fromkeys(sorted(left), version)}
    return replace(
        was,
        version=version,
        whole=whole,
        tiles=tiles,
        changed=changed,
        machine_since=machine_since,
        gone=gone,
    )


def quick_picture(machine: Machine) -> Picture | None:
    """A small picture of an open machine; None where drawing would delay the calls that wait."""
    return picture(machine) if show_cost.zonemap(machine, cells=MOST_CELLS) <= SHORT_LOOK else None


def picture(machine: Machine) -> Picture:
    """A machine drawn small: one character a cell."""
    found = show.zonemap(machine, cells=MOST_CELLS)
    cells = (
        QUARTERS[fill >> 6] if state == FREE_STATE and fill else DIGITS[state]
        for state, fill in zip(found["cells"], found["fill"], strict=True)
    )
    managed = sum(zone.managed_pages for zone in machine.zones)
    free = sum(zone.nr_free_pages for zone in machine.zones)
    asleep = frozenset(task.name for task in machine.tasks.values() if task.waiting_for is not None)
    return Picture("".join(cells), round(100 * (managed - free) / max(1, managed), 1), asleep)

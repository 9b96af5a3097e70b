"""What a wall shows, and what of it has changed since somebody has looked: values, and their versions."""

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
DIGITS: Final = "0123456789ab"
QUARTERS: Final = "wxyz"
FREE_STATE: Final = STATES.index("free")

BLOCKED: Final = "blocked"
TROUBLE: Final = frozenset({BLOCKED, "bug", "oom", "hang"})

VERSION: Final = re.compile(r"([0-9a-f]{12})-([0-9]{1,15})")


class LastCall(NamedTuple):
    """Somebody's last row, or a session's.

    call: as C has it. time: as rows have it. task: as which it was called. by: who called.
    """

    seq: int
    time: str
    call: str
    verdict: str
    task: str = "init"
    by: str | None = None


class Picture(NamedTuple):
    """A machine from far away.

    cells: up to 64 characters. used: percent of all managed frames. asleep: the tasks that sleep.
    """

    cells: str
    used: float
    asleep: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Tile:
    """A member, and the machine that they have called last: one of their own, or one that all share.

    session_id: None before they have one. seq, last: its last row, or on a shared machine their own last one
    there; of rows that came in with a file none counts. machines: of their own. picture: None until somebody
    could look. woken: their last call slept, and sleeps no more. reached: how many checkpoints.
    """

    number: int
    nickname: str
    joined: str
    session_id: str | None = None
    seq: int = 0
    machines: int = 0
    last: LastCall | None = None
    picture: Picture | None = None
    reached: int = 0
    locked: bool = False
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


@dataclass(frozen=True, slots=True)
class ClassSummary:
    """What is said of all together.

    active: how many have called in the last minute. view: the address that is presented. waiting: how many
    wait to be admitted; newest: nicknames of the last of them.
    """

    title: str
    frozen: bool
    closed: bool
    view: str | None
    members: int
    active: int
    marks: tuple[CheckpointCount, ...] = ()
    waiting: int = 0
    newest: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class WallState:
    """A moment of a wall. It is the same object for all who look at it.

    tiles: by number. changed: the version since which each is as it is. seated: since which it is this
    machine's. gone: numbers of who was deleted, and in which version.
    """

    epoch: str
    version: int
    whole: ClassSummary
    tiles: Sequence[Tile]
    changed: Mapping[int, int]
    machine_since: Mapping[int, int]
    gone: Mapping[int, int]

    @property
    def token(self) -> str:
        """By which one asks for what has changed since."""
        return f"{self.epoch}-{self.version}"

    def after(self, token: str | None) -> int | None:
        """The version that a token stands for; None where it is none of this wall's, so that all is new."""
        found = None if token is None else VERSION.fullmatch(token)
        if found is None or found[1] != self.epoch or int(found[2]) > self.version:
            return None
        return int(found[2])

    def since(self, version: int | None) -> tuple[list[Tile], list[int]]:
        """What is not as it was in a version: tiles, and the numbers of who is gone."""
        if version is None:
            return list(self.tiles), []
        tiles = [tile for tile in self.tiles if self.changed[tile.number] > version]
        return tiles, [number for number, when in self.gone.items() if when > version]


def first(whole: ClassSummary) -> WallState:
    """A wall that nobody has seen yet."""
    return WallState(secrets.token_hex(6), 0, whole, (), {}, {}, {})


def after(was: WallState, whole: ClassSummary, tiles: Sequence[Tile]) -> WallState:
    """The next moment of a wall; the same one where nothing is different."""
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
    """A machine from far away, seen between two calls; None where that would hold up those who wait."""
    return picture(machine) if show_cost.zonemap(machine, cells=MOST_CELLS) <= SHORT_LOOK else None


def picture(machine: Machine) -> Picture:
    """A machine from far away."""
    found = show.zonemap(machine, cells=MOST_CELLS)
    cells = (
        QUARTERS[fill >> 6] if state == FREE_STATE and fill else DIGITS[state]
        for state, fill in zip(found["cells"], found["fill"], strict=True)
    )
    managed = sum(zone.managed_pages for zone in machine.zones)
    free = sum(zone.nr_free_pages for zone in machine.zones)
    asleep = frozenset(task.name for task in machine.tasks.values() if task.waiting_for is not None)
    return Picture("".join(cells), round(100 * (managed - free) / max(1, managed), 1), asleep)

"""A whole class at a glance: each member's machine that was called last, as a small map and a line.

A tile is made anew only where its session has gone on. Machines are looked at some at a time, between the
calls of those who use them.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from pydantic_core import from_json

from app.labs.person import Person
from app.labs.room import taught
from app.mm import show
from app.mm.machine import Machine
from app.mm.page import STATES
from app.sessions import Busy, Conflict, NotFound, Principal, Sessions, StorageFull
from app.store import Connection, journal, labs, people
from app.store import sessions as session_rows
from app.store.sessions import SessionRow

CELLS: Final = 64
AT_ONCE: Final = 16
KEPT: Final = 5_000
TEXT: Final = 60


class Last(NamedTuple):
    """A session's last row."""

    time: str
    outcome: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tile:
    """A member, and the machine that they have called last.

    session_id: None before they have one. last: its last outcome. map: the state that most of each of 64
    parts of the machine is in, as an index into `states`; None until somebody has looked. reached: how many
    checkpoints.
    """

    number: int
    nickname: str
    joined: str
    session_id: str | None = None
    seq: int = 0
    machines: int = 0
    last: Last | None = None
    map: tuple[int, ...] | None = None
    reached: int = 0
    locked: bool = False


class Standing(NamedTuple):
    """What a class has come to. checkpoints: how many have reached each, by its id."""

    tiles: list[Tile]
    checkpoints: dict[str, int]


class Activity(NamedTuple):
    """A member's part in a lab. calls: made by them. seq: of the machine that they have called last."""

    number: int
    nickname: str
    joined: str
    calls: int
    seq: int | None
    last_call: str | None
    checkpoint: str | None


class Wall:
    """The walls of all labs. Raises as Rooms does."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._maps: OrderedDict[tuple[str, int], tuple[int, ...]] = OrderedDict()
        self._turn = asyncio.Semaphore(AT_ONCE)

    @property
    def states(self) -> tuple[str, ...]:
        """What the numbers of a map stand for."""
        return STATES

    async def standing(self, person: Person, lab_id: str, patience: float = 0.5) -> Standing:
        """A tile for each member, by number. patience: seconds that machines may take to be drawn."""
        tiles, checkpoints, lab = await self._sessions.query(_standing, person, lab_id)
        await self._draw(Principal(lab), tiles, patience)
        return Standing([replace(tile, map=self._map(tile)) for tile in tiles], checkpoints)

    async def activity(self, person: Person, lab_id: str) -> list[Activity]:
        """What each member has done, by number."""
        return await self._sessions.query(_activity, person, lab_id)

    def _map(self, tile: Tile) -> tuple[int, ...] | None:
        return None if tile.session_id is None else self._maps.get((tile.session_id, tile.seq))

    async def _draw(self, who: Principal, tiles: list[Tile], patience: float) -> None:
        missing = [tile for tile in tiles if tile.session_id is not None and self._map(tile) is None]
        if not missing:
            return
        drawing = [asyncio.create_task(self._look(who, tile)) for tile in missing]
        _, late = await asyncio.wait(drawing, timeout=patience)
        for task in late:
            task.cancel()

    async def _look(self, who: Principal, tile: Tile) -> None:
        assert tile.session_id is not None
        async with self._turn:
            try:
                found = await self._sessions.read(who, tile.session_id, cells)
            except (NotFound, Conflict, Busy, StorageFull):
                return
        self._maps[tile.session_id, tile.seq] = found
        while len(self._maps) > KEPT:
            self._maps.popitem(last=False)


def cells(machine: Machine) -> tuple[int, ...]:
    """A machine's parts, by the state that most of each is in."""
    return tuple(show.zonemap(machine, cells=CELLS)["cells"])


def _standing(db: Connection, person: Person, lab_id: str) -> tuple[list[Tile], dict[str, int], str]:
    lab = taught(db, person, lab_id)
    theirs: dict[str, list[SessionRow]] = {}
    for row in session_rows.of_lab(db, lab_id):
        theirs.setdefault(row.owner, []).append(row)
    lasts = {sid: Last(time, from_json(body)) for sid, time, body in journal.lasts(db, lab_id)}
    reached: dict[str, set[str]] = {}
    checkpoints = {mark.id: 0 for mark in labs.lab_checkpoints(db, lab_id)}
    for step in labs.lab_progress(db, lab_id):
        reached.setdefault(step.member_id, set()).add(step.checkpoint_id)
        checkpoints[step.checkpoint_id] += 1
    tiles = []
    for member in people.lab_members(db, lab_id):
        rows = theirs.get(member.id, [])
        tile = Tile(
            member.number,
            member.nickname,
            member.joined,
            machines=len(rows),
            reached=len(reached.get(member.id, ())),
        )
        if rows:
            row = _last_called(rows, lasts)
            tile = replace(tile, session_id=row.id, seq=row.seq, last=lasts.get(row.id), locked=row.locked)
        tiles.append(tile)
    return tiles, checkpoints, lab.owner


def _last_called(rows: list[SessionRow], lasts: dict[str, Last]) -> SessionRow:
    return max(rows, key=lambda row: lasts[row.id].time if row.id in lasts else row.created)


def _activity(db: Connection, person: Person, lab_id: str) -> list[Activity]:
    tiles, _, _ = _standing(db, person, lab_id)
    owners = {row.id: row.owner for row in session_rows.of_lab(db, lab_id)}
    members = {member.id: member for member in people.lab_members(db, lab_id)}
    calls: dict[str, int] = {}
    for session_id, by, count in labs.calls(db, lab_id):
        owner = members.get(owners[session_id])
        # In a machine of one's own one is alone with the instructor; a file that came in may say otherwise.
        if owner is None or by == f"m{owner.number}":
            calls[by] = calls.get(by, 0) + count
    titles = {mark.id: mark.title for mark in labs.lab_checkpoints(db, lab_id)}
    furthest: dict[int, str] = {}
    order = {mark: place for place, mark in enumerate(titles)}
    progress = sorted(labs.lab_progress(db, lab_id), key=lambda row: order[row.checkpoint_id])
    for row in progress:
        furthest[members[row.member_id].number] = titles[row.checkpoint_id]
    return [
        Activity(
            tile.number,
            tile.nickname,
            tile.joined,
            calls.get(f"m{tile.number}", 0),
            None if tile.session_id is None else tile.seq,
            None if tile.last is None else tile.last.time,
            furthest.get(tile.number),
        )
        for tile in tiles
    ]

"""The wall: for each member the machine that was called last, as a small map and a line.

Several people read a wall every few seconds. So it is brought up to date at most once a second, however many
read it; machines that have not changed are not read again; open machines are drawn between two calls; closed
ones stay closed, and are drawn one by one on machines that are rebuilt beside, so their pictures may come
later. Rows of an imported file do not count as calls: such a machine is shown as one that was just created.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, NamedTuple

from pydantic_core import from_json

from app.clock import before_now
from app.errors import BadArgument, shortened
from app.labs import board
from app.labs.activity import Activity, activity, by_owner, last_called
from app.labs.board import Cause, CheckpointCount, ClassSummary, LastCall, Picture, Tile, WallState
from app.labs.checking import CAUGHT_UP, DONE, SAID
from app.labs.person import Person
from app.labs.room import seen, taught
from app.mm.page import STATES
from app.sessions import Busy, Conflict, Forbidden, NotFound, Principal, Sessions, StorageFull, TooMany
from app.sessions.row_text import call_text
from app.store import Connection, journal, labs, people, waiting
from app.store import sessions as session_rows
from app.store.labs import LabRow
from app.store.sessions import SessionPosition

FRESH_SECONDS: Final = 1.0  # seconds for which a wall is not looked at again
PICTURE_SECONDS: Final = 0.3  # seconds for which a wall waits for pictures that are not there yet
ROWS_AT_ONCE: Final = 20  # machines whose last rows are read at a time
PAUSE_SECONDS: Final = 0.01
ACTIVE: Final = timedelta(minutes=1)
LONGEST_CALL: Final = 60  # characters of a call
LONGEST_CAUSE: Final = 240  # characters of what was wrong with it
LONGEST_FACT: Final = 80  # and of what it is made of
WALLS_CACHED: Final = 32  # walls that are kept in memory
NEWEST: Final = 5  # of those who wait, by name


class Wall:
    """The walls of all labs. Raises as Rooms does."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._watched: OrderedDict[str, LabWall] = OrderedDict()

    @property
    def states(self) -> tuple[str, ...]:
        """What the digits of a map stand for."""
        return STATES

    async def state(self, person: Person, lab_id: str) -> WallState:
        """How a class stands: a tile for each member, by number."""
        await self._sessions.query(taught, person, lab_id)
        watched = self._watched.get(lab_id)
        if watched is None:
            watched = self._watched[lab_id] = LabWall(self._sessions, lab_id)
        self._watched.move_to_end(lab_id)
        while len(self._watched) > WALLS_CACHED:
            _, old = self._watched.popitem(last=False)
            old.forget()
        return await watched.state()

    async def progress(self, person: Person, lab_id: str) -> ClassProgress:
        """How far a class is, without looking at its machines."""
        return await self._sessions.query(progress, person, lab_id)

    def changed(self, lab_id: str) -> None:
        """Have the next read of a lab's wall look at everything again."""
        watched = self._watched.get(lab_id)
        if watched is not None:
            watched.stale()

    async def activity(self, person: Person, lab_id: str) -> list[Activity]:
        """What each member has done, by number."""
        return await self._sessions.query_in_turn(person.principal, activity, person, lab_id)

    def forget(self) -> None:
        """Stop drawing."""
        for watched in self._watched.values():
            watched.forget()


class ClassProgress(NamedTuple):
    """How many are in a lab, and how many of them have reached each checkpoint, by its id."""

    members: int
    checkpoints: dict[str, CheckpointCount]


class SharedMachine(NamedTuple):
    """The last calls on a machine that several persons call, as of a seq."""

    seq: int
    # The last call of each person.
    lasts: dict[str, LastCall]


class WallRows(NamedTuple):
    """What was read from the rows."""

    whole: ClassSummary
    owner: str
    # Without pictures.
    tiles: list[Tile]
    # The last seq of each machine that a tile leads to.
    heads: dict[str, int]
    # The last rows of members' machines, by session.
    lasts: dict[str, LastCall]
    # The last rows of shared machines, by session.
    shared: dict[str, SharedMachine]


class LabWall:
    """The wall of one lab, with a cache of what was read of its machines. On the event loop."""

    def __init__(self, sessions: Sessions, lab_id: str) -> None:
        self._sessions = sessions
        self._lab_id = lab_id
        self._standing: WallState | None = None
        self._fresh_until = 0.0
        self._turn = asyncio.Lock()
        self._lasts: dict[str, LastCall] = {}
        self._owner = ""  # of the lab, and so of what is shared
        self._shared: dict[str, SharedMachine] = {}
        # By session: at which seq it looked so.
        self._pictures: dict[str, tuple[int, Picture]] = {}
        self._drawing: asyncio.Task[None] | None = None

    async def state(self) -> WallState:
        """The wall, at most a second old: of many concurrent requests one reads for all."""
        async with self._turn:
            loop = asyncio.get_running_loop()
            if self._standing is None or loop.time() >= self._fresh_until:
                self._standing = await self._look(self._standing)
                self._fresh_until = loop.time() + FRESH_SECONDS
            return self._standing

    def stale(self) -> None:
        """Read again at the next request, however recent the last read is."""
        self._fresh_until = 0.0

    def forget(self) -> None:
        """Stop drawing."""
        if self._drawing is not None:
            self._drawing.cancel()

    async def _look(self, was: WallState | None) -> WallState:
        await self._follow()
        found = await self._sessions.query(read, self._lab_id, self._lasts, self._shared)
        self._lasts, self._shared, self._owner = found.lasts, found.shared, found.owner
        heads = found.heads
        self._pictures = {sid: drawn for sid, drawn in self._pictures.items() if sid in heads}
        await self._peek([sid for sid, seq in heads.items() if self._behind(sid, seq)])
        missing = {sid: seq for sid, seq in heads.items() if self._behind(sid, seq)}
        if missing and (self._drawing is None or self._drawing.done()):
            self._drawing = asyncio.create_task(self._draw(Principal(found.owner), missing))
        if self._drawing is not None:
            await asyncio.wait([self._drawing], timeout=PICTURE_SECONDS)
        tiles = [tile if tile.session_id is None else self._with_picture(tile) for tile in found.tiles]
        return board.after(was or board.first(found.whole), found.whole, tiles)

    async def _follow(self) -> None:
        """Read the rows that are new, some at a time: between them calls have their turn."""
        positions = await self._sessions.query(session_rows.positions, self._lab_id)
        behind = [p for p in positions if p.owner != self._owner and is_new(p, self._lasts)]
        for first in range(0, len(behind), ROWS_AT_ONCE):
            part = behind[first : first + ROWS_AT_ONCE]
            self._lasts = self._lasts | await self._sessions.query(heads_of, part, {})
            await asyncio.sleep(PAUSE_SECONDS)

    def _behind(self, sid: str, seq: int) -> bool:
        drawn = self._pictures.get(sid)
        return drawn is None or drawn[0] < seq

    def _with_picture(self, tile: Tile) -> Tile:
        assert tile.session_id is not None
        drawn = self._pictures.get(tile.session_id)
        return tile if drawn is None else tile.seen(*drawn)

    async def _peek(self, sids: list[str]) -> None:
        seen = await self._sessions.peek(sids, board.quick_picture)
        self._pictures |= {sid: (seq, found) for sid, (seq, found) in seen.items() if found is not None}

    async def _draw(self, who: Principal, missing: Mapping[str, int]) -> None:
        """Draw closed machines, one after the other.

        One that is called meanwhile is left for the next time.
        """
        for sid, seq in missing.items():
            try:
                found = await self._sessions.past(who, sid, seq, board.picture)
            except (NotFound, Forbidden, BadArgument, Conflict, Busy, StorageFull, TooMany):
                continue
            if self._behind(sid, seq):
                self._pictures[sid] = seq, found


def progress(db: Connection, person: Person, lab_id: str) -> ClassProgress:
    """How many members have reached each checkpoint. Raises as Rooms does."""
    seen(db, person, lab_id)
    return ClassProgress(people.member_count(db, lab_id), {mark.id: mark for mark in marks_of(db, lab_id)})


def marks_of(db: Connection, lab_id: str) -> tuple[CheckpointCount, ...]:
    """A lab's checkpoints, and how many have reached each."""
    ways = Counter((step.checkpoint_id, step.how) for step in labs.lab_progress(db, lab_id))
    return tuple(
        CheckpointCount(mark.id, mark.title, *counted(ways, mark.id))
        for mark in labs.lab_checkpoints(db, lab_id)
    )


def counted(ways: Counter[tuple[str, str]], of: str) -> tuple[int, int, int]:
    """How often something was reached in any way, done, and said. ways: how often in which way."""
    done, said = ways[of, DONE], ways[of, SAID]
    return done + said + ways[of, CAUGHT_UP], done, said


def read(
    db: Connection, lab_id: str, known: Mapping[str, LastCall], shared: Mapping[str, SharedMachine]
) -> WallRows:
    """What the rows say of a lab. known, shared: the last rows of its machines, as far as they were read."""
    lab = labs.get(db, lab_id)
    if lab is None:
        raise NotFound("lab", lab_id)
    positions = session_rows.positions(db, lab_id)
    theirs = by_owner(positions)
    common = theirs.pop(lab.owner, [])
    lasts = heads_of(db, [position for own in theirs.values() for position in own], known)
    everybodys = shared_of(db, common, shared)
    times = {sid: last.time for sid, last in lasts.items()}
    ways = Counter((step.member_id, step.how) for step in labs.lab_progress(db, lab_id))
    tiles = []
    for member in people.lab_members(db, lab_id):
        own = theirs.get(member.id, [])
        reached, done, said = counted(ways, member.id)
        tile = Tile(
            member.number,
            member.nickname,
            member.joined,
            machines=len(own),
            reached=reached,
            done=done,
            said=said,
        )
        position = last_called(own, times)
        if position is not None:
            tile = leading(tile, position, position.seq, made_here(position, lasts.get(position.id)))
        by = f"m{member.number}"
        for position in common:
            last = everybodys[position.id].lasts.get(by)
            if last is not None and (tile.last is None or last.time > tile.last.time):
                tile = leading(tile, position, last.seq, last)
        tiles.append(tile)
    led_to = {tile.session_id for tile in tiles}
    heads = {position.id: position.seq for position in positions if position.id in led_to}
    whole = replace(
        class_of(lab, tiles, marks_of(db, lab_id)),
        waiting=waiting.count(db, lab_id),
        newest=tuple(row.nickname for row in waiting.newest(db, lab_id, NEWEST)),
    )
    return WallRows(whole, lab.owner, tiles, heads, lasts, everybodys)


def leading(tile: Tile, position: SessionPosition, seq: int, last: LastCall | None) -> Tile:
    """A member's tile with the machine that it leads to."""
    return replace(tile, session_id=position.id, seq=seq, last=last, locked=position.locked)


def heads_of(
    db: Connection, positions: Sequence[SessionPosition], known: Mapping[str, LastCall]
) -> dict[str, LastCall]:
    """The last row of each machine that has one of its own. What has not gone on is not read again."""
    moved = [position.id for position in positions if is_new(position, known)]
    lasts = {position.id: known[position.id] for position in positions if position.id in known}
    return lasts | {sid: last_of(*row) for sid, row in journal.heads(db, moved).items()}


def is_new(position: SessionPosition, known: Mapping[str, LastCall]) -> bool:
    """Whether a machine has rows behind the one that was read last."""
    return position.seq > position.start and (
        position.id not in known or known[position.id].seq != position.seq
    )


def shared_of(
    db: Connection, positions: Sequence[SessionPosition], known: Mapping[str, SharedMachine]
) -> dict[str, SharedMachine]:
    """Each person's last row on each shared machine. Only rows that were not read before are read."""
    found = {
        position.id: known[position.id]
        for position in positions
        if position.id in known and known[position.id].seq == position.seq
    }
    moved = {position.id: position.seq for position in positions if position.id not in found}
    made: dict[str, dict[str, int]] = {sid: {} for sid in moved}
    for (sid, by), seq in journal.last_by(db, list(moved)).items():
        made[sid][by] = seq
    for sid, seq in moved.items():
        before = known[sid].lasts if sid in known else {}
        lasts = {by: before[by] for by, at in made[sid].items() if by in before and before[by].seq == at}
        rows = journal.at(db, sid, [at for by, at in made[sid].items() if by not in lasts])
        lasts |= {by: last_of(at, *rows[at]) for by, at in made[sid].items() if at in rows}
        found[sid] = SharedMachine(seq, lasts)
    return found


def made_here(position: SessionPosition, last: LastCall | None) -> LastCall | None:
    """The last row of a session, where it did not come in with a file."""
    return None if last is None or last.time < position.created else last


def last_of(seq: int, time: str, outcome: bytes) -> LastCall:
    """A row as the wall says it."""
    found = from_json(outcome)
    text = call_text(found, LONGEST_CALL)
    return LastCall(
        seq,
        time,
        text,
        found["verdict"],
        found["args"].get("task", "init"),
        found["by"],
        cause_of(found.get("cause")),
    )


def cause_of(cause: Mapping[str, Any] | None) -> Cause | None:
    """What was wrong with a call, in no more words than a tile has room for."""
    if cause is None:
        return None
    facts = {
        name: shortened(value, LONGEST_FACT) if isinstance(value, str) else value
        for name, value in cause["facts"].items()
    }
    return Cause(cause["mistake"], shortened(cause["text"], LONGEST_CAUSE), facts)


def class_of(lab: LabRow, tiles: list[Tile], marks: tuple[CheckpointCount, ...]) -> ClassSummary:
    """The totals of a class."""
    since = before_now(ACTIVE)
    active = sum(
        tile.last is not None and tile.last.time >= since and tile.last.by == f"m{tile.number}"
        for tile in tiles
    )
    return ClassSummary(lab.title, lab.frozen, lab.closed is not None, lab.view, len(tiles), active, marks)

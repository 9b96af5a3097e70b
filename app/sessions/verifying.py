"""Verifies stored sessions: replays every journal from its beginning and compares outcomes and snapshots.

More is compared than opening a session does: whole outcomes, not only what was returned; rows that were
undone long ago; and every state that is kept. Rows never change, so they are read part by part, and a server
goes on meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from pydantic_core import from_json, to_json

from app.collector import gc_paused
from app.errors import BadArgument
from app.machine import boot
from app.machine.machine import ENGINE, Machine
from app.sessions import blocklists, snapshots
from app.sessions.encoding import short
from app.sessions.errors import NotFound
from app.sessions.imported_names import imported_name
from app.sessions.replaying import (
    CannotReplay,
    JournalEntry,
    JournalReplay,
    Rewinds,
    difference,
    in_older_form,
    journal_entry,
    with_written,
)
from app.sessions.waits import REWINDS
from app.store import Store, bound_names, imports, integrity, journal, lists, sessions, states
from app.store.backup import OnProgress
from app.store.journal import Row
from app.store.sessions import SessionRow

PART_BYTES: Final = 4 << 20


class Verified(NamedTuple):
    """What was found in a session."""

    id: str
    name: str
    rows: int
    states: int
    # The first of each kind; none where all is well.
    faults: list[str]


class _Wrong(Exception):  # noqa: N818 - found, not made
    """The first row that is not what it should be."""


def database(store: Store) -> list[str]:
    """What is wrong with the database as a file."""
    with store.reading() as db:
        return integrity.faults(db)


def all_sessions(store: Store) -> list[str]:
    """The ids of every session, the oldest first."""
    with store.reading() as db:
        return imports.published(db)


def verify(store: Store, session_id: str, progress: OnProgress) -> Verified:
    """Replay a session and compare it. progress: called with how many rows of how many. Raises NotFound."""
    with store.reading() as db:
        row = sessions.get(db, session_id)
        if row is None:
            raise NotFound("session", session_id)
        kept = [seq for seq in states.seqs_of(db, session_id) if seq <= row.seq]
        rewinds = Rewinds(row.start)
        for seq, effective in journal.rewinds(db, session_id):
            if seq <= row.seq:
                rewinds.add(seq, effective)
        behind = journal.page(db, session_id, row.seq, 1)
    faults = [f"seq {seq}: the row stands behind the session's last, {row.seq}" for seq, _ in behind]
    try:
        with gc_paused():
            machine = start_of(store, row)
        faults += wrong_names(store, row, machine)
        _Verification(store, row, rewinds, kept).run(machine, progress)
    except _Wrong as found:
        faults.append(str(found))
    if not gone(store, session_id):
        return Verified(row.id, row.name, row.seq - row.start, len(kept), faults)
    raise NotFound("session", session_id)


def gone(store: Store, session_id: str) -> bool:
    """Whether a session has been deleted while it was looked at."""
    with store.reading() as db:
        return sessions.get(db, session_id) is None


def start_of(store: Store, row: SessionRow) -> Machine:
    """The machine that a session starts from."""
    with store.reading() as db:
        state = states.at(db, row.id, row.start) if row.boot is None else None
    if row.boot is None and state is None:
        raise _Wrong("the state it starts from is gone")
    try:
        return boot.boot(from_json(row.boot or ""), kept=True) if state is None else snapshots.decode(state)
    except Exception as error:  # a state is trusted, since its hash is right: it may be anything
        raise _Wrong(f"what it starts from cannot be read: {error!r}") from error


class _Verification:
    """One session that is being replayed and compared."""

    def __init__(self, store: Store, row: SessionRow, rewinds: Rewinds, kept: list[int]) -> None:
        self._store = store
        self._row = row
        self._rewinds = rewinds
        self._kept = frozenset(kept)

    def run(self, machine: Machine, progress: OnProgress) -> None:
        """Raises _Wrong at the first row, or state, that is not what it should be."""
        row = self._row
        lists = blocklists.of_session(self._store, row.id, {})
        with JournalReplay(machine, self._rewinds, lists) as replay:
            self._compare_state(replay)
            for part in self._parts():
                with gc_paused():
                    for one in part:
                        self._compare(replay, one)
                        self._compare_state(replay)
                progress(replay.seq - row.start, row.seq - row.start)
            if replay.effective != row.effective:
                raise _Wrong(
                    f"the session's effective seq is {row.effective} and should be {replay.effective}"
                )

    def _parts(self) -> Iterator[list[Row]]:
        seq = self._row.start
        while seq < self._row.seq:
            with self._store.reading() as db:
                part = journal.part(db, self._row.id, seq, self._row.seq, PART_BYTES)
            if not part:
                raise _Wrong(f"seq {seq + 1}: the row is missing; the session's last is {self._row.seq}")
            yield part
            seq = part[-1].seq

    def _compare(self, replay: JournalReplay, row: Row) -> None:
        seq = replay.seq + 1
        if row.seq != seq:
            raise _Wrong(f"seq {seq}: the row is missing; the next is {row.seq}")
        try:
            asked = journal_entry(row.seq, row.args, row.call, row.time, row.by)
            right = self._rewinds.target(asked) if row.call in REWINDS else row.seq
            if row.effective != right:  # so no state need be there to which it goes back
                what = f"its effective seq is {row.effective} and should be {right}"
            else:
                what = self._differs(replay, asked, row)
        except (CannotReplay, ValueError) as error:
            what = str(error)
        if what:
            raise _Wrong(f"seq {seq}: {row.call}: {what}{self._engine()}")

    def _differs(self, replay: JournalReplay, asked: JournalEntry, row: Row) -> str:
        """Make a call again; its first difference in words, empty where there is none."""
        outcome = replay.make(asked)
        made = replay.lists.pop(row.seq, None)
        if made is not None:
            with self._store.reading() as db:
                kept = lists.get(db, row.session_id, row.seq)
            if kept is not None and made.sha256 != kept.sha256:
                return "the list that it returned is another than the one that is kept"
        if to_json(short(outcome)) == row.outcome:
            return ""
        then = from_json(row.outcome)
        outcome = with_written(outcome, then)
        return difference(in_older_form(outcome, then), then)

    def _engine(self) -> str:
        """What explains a difference, where it does."""
        if self._row.engine == ENGINE:
            return ""
        return f" (the session is engine {self._row.engine}'s, and this is {ENGINE})"

    def _compare_state(self, replay: JournalReplay) -> None:
        seq = replay.seq
        if seq not in self._kept:
            return
        with self._store.reading() as db:
            state = states.at(db, self._row.id, seq)
        if state is None:  # the server has replaced it
            return
        try:
            then = snapshots.decode(state).dump()
        except Exception as error:
            raise _Wrong(f"the state kept at seq {seq} cannot be read: {error!r}") from error
        now = replay.machine.dump()
        if now != then:
            raise _Wrong(f"the state kept at seq {seq} is another: {difference(now, then)}")


def wrong_names(store: Store, row: SessionRow, machine: Machine) -> list[str]:
    """The first name that stands for nothing."""
    with store.reading() as db:
        everyones = bound_names.of(db, row.id)
    for person, theirs in everyones.items():
        for name, named in theirs.items():
            try:
                imported_name(name, from_json(named), machine.model)
            except BadArgument as error:
                return [f"the name {name!r} of {person}: {error}"]
            except ValueError as error:
                return [f"the name {name!r} of {person}: {error}"]
    return []

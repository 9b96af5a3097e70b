"""A session from an exported file: every call is made again, and must have the answer that stands there.

The file is read twice. First it is checked (`exported`), and nothing is written. Then it is replayed, and its
rows are written part by part, to a session without an owner until `publish`: calls of other sessions wait for
no more than one part.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import islice
from typing import IO, Final

from pydantic_core import to_json

from app.clock import before_now, now, written
from app.collector import gc_paused
from app.machine import boot
from app.machine.calls import Named
from app.machine.machine import ENGINE
from app.sessions import blocklists, exported, identifiers, queries, snapshots
from app.sessions.answers import SessionInfo
from app.sessions.encoding import short
from app.sessions.errors import Busy, Conflict, LimitReached
from app.sessions.replaying import CannotReplay, JournalReplay, difference, in_older_form, with_written
from app.sessions.scheduler import go_on, own_time
from app.store import Connection, Store, bound_names, imports, journal, lists, sessions, states
from app.store.journal import Row
from app.store.lists import RowList, StoredList
from app.store.sessions import SessionRow
from app.store.states import State

PART_ROWS: Final = 1_000
PART_BYTES: Final = 2 << 20
CUT: Final = 1_000  # rows that are deleted at a time, and their bytes: calls want to be written meanwhile
CUT_BYTES: Final = 1 << 20
MOMENT: Final = timedelta(milliseconds=1)
ABANDONED: Final = timedelta(hours=24)
LOCK_TRIES: Final = 6  # times that a part may find the database busy

log = logging.getLogger(__name__)


def prepare(store: Store, file: IO[bytes], owner: str, limits: exported.Limits) -> str:
    """Make the session, without an owner yet; its id. Raises as `examine` does, and Busy and StorageFull.

    After an exception nothing of it is left.
    """
    file.seek(0)
    with gc_paused():
        document = exported.examine(file, limits)
    description = document.machine.describe()
    row = SessionRow(
        id=identifiers.new_id(),
        owner=owner,
        name=document.name,
        created=now(),
        engine=ENGINE,
        machine=to_json(description).decode(),
        boot=None if document.boot is None else to_json(boot.description(document.machine)).decode(),
        origin_id=None,
        origin_seq=None,
        start=document.start,
        seq=document.start,
        effective=document.start,
    )
    state = snapshots.encode(document.machine.state()) if document.boot is None else None
    with store.reading() as db:
        limits.room.require(db, owner)
    written_to = _Writing(store, row.id)
    try:
        written_to.begin(row, state)
        file.seek(0)
        file.readline()
        _replay(file, document, written_to, limits)
        _write_names(file, document, written_to, owner)
        written_to.begun_after(document.latest)
    except BaseException:
        discard(store, row.id)
        raise
    return row.id


def after(latest: str) -> str:
    """The first time of what is made here: every row of the file lies before it."""
    return written(datetime.fromisoformat(latest) + MOMENT) if latest else ""


def _replay(file: IO[bytes], document: exported.ExportHeader, to: _Writing, limits: exported.Limits) -> None:
    """Make every call again, and write its row when its answer is the one that stands there."""
    until = None if limits.seconds is None else own_time() + limits.seconds
    first = 2 + len(document.lists)
    for raw in islice(exported.rest_of(file), len(document.lists)):
        go_on()
        line = exported.decoded(raw, 0)
        to.add_list(line["list"], Named.from_json(line["named"]))
    to.flush()
    lines = enumerate(islice(exported.rest_of(file), document.rows), first)
    with JournalReplay(document.machine, document.rewinds, to.list_of) as replay:
        done = 0
        while done < document.rows:
            with gc_paused():
                for number, raw in islice(lines, PART_ROWS):
                    go_on()
                    seq = document.start + number - first + 1
                    row = exported.row_of(exported.decoded(raw, number), number, seq)
                    entry = _made_again(replay, row, number, exactly=document.engine == ENGINE)
                    to.add(entry, replay.lists.pop(seq, None))
                    to.snapshot_if_due(replay)
                    done += 1
                    if until is not None and own_time() > until:
                        raise LimitReached(
                            ("line", number),
                            f"making the calls again takes more than {limits.seconds:g} seconds, the limit "
                            "here; `kmemlab import` has none",
                        )
            limits.on_progress(done, document.rows)
        to.snapshot_head(replay)
        to.flush()


def _made_again(replay: JournalReplay, row: exported.ExportedRow, number: int, *, exactly: bool) -> Row:
    """The row of a call that was made again, in this machine's words. exactly: which must be the file's."""
    entry = row.entry
    try:
        outcome = with_written(replay.make(entry), row.outcome)
    except CannotReplay as error:
        raise exported.wrong(number, f"seq {entry.seq}: {error}") from None
    body, args = to_json(short(outcome)), to_json(outcome["args"])
    if exactly:
        seen = in_older_form(outcome, row.outcome)
        if to_json(seen) != to_json(row.outcome):
            what = difference(seen, row.outcome) or "its members stand in another order"
            raise exported.wrong(number, f"seq {entry.seq}: {entry.call}: {what}")
    else:
        for key in ("verdict", "ret"):
            what = difference({key: outcome[key]}, {key: row.outcome.get(key)})
            if what:
                raise exported.wrong(number, f"seq {entry.seq}: {entry.call}: {what}")
    return Row("", entry.seq, row.effective, entry.call, args, body, entry.by, entry.time)


def _write_names(file: IO[bytes], document: exported.ExportHeader, to: _Writing, owner: str) -> None:
    """The names, which stand behind the rows where the file is now.

    A list that stands there with its runs, as older exports have it, becomes one of the session's own.
    """
    lists_end = min(document.lists, default=1)
    names: dict[str, str] = {}
    for number, raw in enumerate(exported.rest_of(file), 2 + len(document.lists) + document.rows):
        go_on()
        line = exported.decoded(raw, number)
        if "name" not in line:
            break
        named = Named.from_json(line["named"])
        if named.blocks is not None and not to.has(named):
            raise exported.wrong(number, f"{line['name']} stands for a list that its row has not returned")
        if named.runs is not None:
            lists_end -= 1
            named = to.add_list(lists_end, named)
        names[line["name"]] = to_json(named.as_json()).decode()
        if len(names) == PART_ROWS:
            to.flush()
            to.name(owner, names)
            names = {}
    to.flush()
    to.name(owner, names)


class _Writing:
    """Writes to a session in parts, each a short transaction."""

    def __init__(self, store: Store, session_id: str) -> None:
        self._store = store
        self._id = session_id
        self._rows: list[Row] = []
        self._lists: dict[int, StoredList] = {}
        self._bytes = 0
        self._states: list[tuple[int, State]] = []
        self.list_of = blocklists.of_session(store, session_id, self._lists)

    def begin(self, row: SessionRow, state: State | None) -> None:
        """The session, with the state it starts from where that is kept."""

        def write(db: Connection) -> None:
            imports.begin(db, row)
            if state is not None:
                sessions.grow(db, row.id, states.put(db, row.id, row.start, state, keep=True))

        self._write(write)

    def add_list(self, number: int, named: Named) -> Named:
        """Add a list that the session has from its beginning to the next part; how names stand for it."""
        stored = self._lists[number] = blocklists.encode(named)
        self._bytes += len(stored.body)
        if len(self._lists) >= PART_ROWS or self._bytes >= PART_BYTES:
            self.flush()
        return named.listed(stored.sha256, number)

    def add(self, row: Row, stored: StoredList | None) -> None:
        """Add a row to the next part. stored: the list that it has returned."""
        self._rows.append(row._replace(session_id=self._id))
        self._bytes += len(row.outcome) + len(row.args)
        if stored is not None:
            self._lists[row.seq] = stored
            self._bytes += len(stored.body)
        if len(self._rows) >= PART_ROWS or self._bytes >= PART_BYTES:
            self.flush()

    def snapshot_if_due(self, replay: JournalReplay) -> None:
        """States along the way, so that any moment can be opened soon."""
        if snapshots.due(replay.work, replay.machine.live_blocks):
            self._keep(replay)

    def snapshot_head(self, replay: JournalReplay) -> None:
        """The state at the end, where it is worth it."""
        if snapshots.worth(replay.work):
            self._keep(replay)

    def _keep(self, replay: JournalReplay) -> None:
        self._states.append((replay.effective, snapshots.encode(replay.machine.state())))
        replay.work = 0

    def flush(self) -> None:
        """Write what there is."""
        rows, kept = self._rows, self._states
        made = [RowList(self._id, seq, stored) for seq, stored in self._lists.items()]
        self._rows, self._states, self._bytes = [], [], 0

        def write(db: Connection) -> None:
            if rows:
                journal.append(db, rows, made)
            elif made:
                lists.put(db, made)
                sessions.grow(db, self._id, sum(len(one.stored.body) for one in made))
            for seq, state in kept:
                sessions.grow(db, self._id, states.put(db, self._id, seq, state))

        if rows or kept or made:
            self._write(write)
        self._lists.clear()

    def has(self, named: Named) -> bool:
        """Whether a name stands for the list that its row has returned."""
        assert named.seq is not None
        with self._store.reading() as db:
            stored = lists.get(db, self._id, named.seq)
        return stored is not None and (stored.sha256, stored.blocks) == (named.sha256, named.blocks)

    def begun_after(self, latest: str) -> None:
        """Have the session begin behind all rows of the file: its clock may have been ahead of this one."""
        self._write(lambda db: imports.begin_later(db, self._id, after(latest)))

    def name(self, person: str, named: dict[str, str]) -> None:
        """Names of a person."""
        if named:
            size = sum(map(len, named.values()))

            def write(db: Connection) -> None:
                bound_names.put(db, self._id, person, dict(named))
                sessions.grow(db, self._id, size)

            self._write(write)

    def _write(self, write: Callable[[Connection], None]) -> None:
        """Others write too: a part that comes too late for its turn waits for another."""
        for attempt in range(LOCK_TRIES):
            try:
                with self._store.writing() as db:
                    write(db)
            except Busy:
                if attempt == LOCK_TRIES - 1:
                    raise
            else:
                return


# -- the end -------------------------------------------------------------------------------------------------


def publish(
    db: Connection,
    session_id: str,
    owner: str,
    room: queries.Room = queries.ANY,
    name: str | None = None,
    lab_id: str | None = None,
) -> SessionInfo:
    """Give a prepared session to its owner. name: instead of the one in the file. lab_id: their lab.

    Raises LimitReached, and Conflict where it was discarded.
    """
    room.require(db, owner)
    queries.require_home(db, lab_id, owner)
    try:
        imports.publish(db, session_id, owner, now(), lab_id)
    except LookupError as error:
        raise Conflict("the import was given up") from error
    if name is not None:
        sessions.rename(db, session_id, name)
    row = sessions.get(db, session_id)
    assert row is not None
    return SessionInfo.of(row)


def discard(store: Store, session_id: str) -> None:
    """Delete a session without an owner, part by part. What is left, `sweep` finds."""
    try:
        with store.reading() as db:
            row = sessions.get(db, session_id)
        if row is None or row.owner != imports.UNOWNED:
            return
        more = True
        while more:
            with store.writing() as db:
                more = imports.cut(db, session_id, CUT, CUT_BYTES)
        with store.writing() as db:
            again = sessions.get(db, session_id)
            if again is not None and again.owner == imports.UNOWNED:
                sessions.remove(db, session_id)
    except Exception:
        log.exception("session %s: an import that failed could not be removed yet", session_id)


def sweep(store: Store) -> None:
    """Delete what imports have left that ended without an end, such as a power cut."""
    with store.reading() as db:
        left = imports.abandoned(db, before_now(ABANDONED))
    for row in left:
        discard(store, row.id)

"""A session from an exported file: every call is made again, and must have the answer that stands there.

Twice through the file. First it is read (`exported`), and nothing is written. Then it is told again, and its
rows are written part by part, to a session that is nobody's until `publish`: no other session's calls wait
for more than one part.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import IO, Final

from pydantic_core import to_json

from app.collector import gc_paused
from app.mm.machine import ENGINE
from app.sessions import exported, naming, queries, snapshots
from app.sessions.answers import SessionInfo
from app.sessions.errors import Busy, Conflict, LimitReached
from app.sessions.live import now, written
from app.sessions.retelling import Retelling, Untold, difference
from app.store import Connection, Store, imports, journal, names, sessions, states
from app.store.journal import Row
from app.store.sessions import SessionRow
from app.store.states import State

PART_ROWS: Final = 1_000
PART_BYTES: Final = 2 << 20
CUT: Final = 20_000
MOMENT: Final = timedelta(milliseconds=1)
ABANDONED: Final = timedelta(hours=24)
PATIENCE: Final = 6  # times that a part may find the database busy

log = logging.getLogger(__name__)


def prepare(store: Store, file: IO[bytes], owner: str, limits: exported.Limits) -> str:
    """Make the session, for nobody yet; its id. Raises as `examine` does, and Busy and StorageFull.

    After an exception nothing of it is left.
    """
    file.seek(0)
    with gc_paused():
        document = exported.examine(file, limits)
    description = document.machine.describe()
    row = SessionRow(
        id=naming.new_id(),
        owner=owner,
        name=document.name,
        created=now(),
        engine=ENGINE,
        machine=to_json(description).decode(),
        boot=None if document.boot is None else to_json(document.boot).decode(),
        origin_id=None,
        origin_seq=None,
        start=document.start,
        seq=document.start,
        effective=document.start,
    )
    state = snapshots.encode(document.machine.state()) if document.boot is None else None
    with store.reading() as db:
        check_room(db, owner, limits.sessions)
    written_to = _Writing(store, row.id)
    try:
        written_to.begin(row, state)
        file.seek(0)
        file.readline()
        _tell(file, document, written_to, limits)
        _write_names(file, written_to, owner)
        written_to.begun_after(document.latest)
    except BaseException:
        discard(store, row.id)
        raise
    return row.id


def after(latest: str) -> str:
    """The first time of what is made here: every row of the file lies before it."""
    return written(datetime.fromisoformat(latest) + MOMENT) if latest else ""


def _tell(file: IO[bytes], document: exported.Document, to: _Writing, limits: exported.Limits) -> None:
    """Make every call again, and write its row when its answer is the one that stands there."""
    until = None if limits.seconds is None else time.monotonic() + limits.seconds
    lines = enumerate(islice(exported.rest_of(file), document.rows), 2)
    with Retelling(document.machine, document.rewinds) as retelling:
        done = 0
        while done < document.rows:
            with gc_paused():
                for number, raw in islice(lines, PART_ROWS):
                    row = exported.row_of(exported.decoded(raw, number), number, document.start + number - 1)
                    to.add(_told_again(retelling, row, number, exactly=document.engine == ENGINE))
                    to.keep_if_due(retelling)
                    done += 1
                    if until is not None and time.monotonic() > until:
                        raise LimitReached(
                            ("line", number),
                            f"making the calls again takes more than {limits.seconds:g} seconds, the limit "
                            "here; `kmemlab import` has none",
                        )
            limits.go_on()
            limits.told(done, document.rows)
        to.keep_head(retelling)
        to.flush()


def _told_again(retelling: Retelling, row: exported.TellableRow, number: int, *, exactly: bool) -> Row:
    """The row of a call that was made again, in this machine's words. exactly: which must be the file's."""
    told = row.told
    try:
        outcome = retelling.tell(told)
    except Untold as error:
        raise exported.wrong(number, f"seq {told.seq}: {error}") from None
    body, args = to_json(outcome), to_json(outcome["args"])
    if exactly:
        if body != to_json(row.outcome):
            what = difference(outcome, row.outcome) or "its members stand in another order"
            raise exported.wrong(number, f"seq {told.seq}: {told.call}: {what}")
    else:
        for key in ("verdict", "ret"):
            what = difference({key: outcome[key]}, {key: row.outcome.get(key)})
            if what:
                raise exported.wrong(number, f"seq {told.seq}: {told.call}: {what}")
    return Row("", told.seq, row.effective, told.call, args, body, told.by, told.time)


def _write_names(file: IO[bytes], to: _Writing, owner: str) -> None:
    """The names, which stand behind the rows where the file is now."""
    while part := [exported.decoded(raw, 0) for raw in islice(exported.rest_of(file), PART_ROWS)]:
        to.name(owner, {line["name"]: to_json(line["named"]).decode() for line in part if "name" in line})
        if len(part) < PART_ROWS:
            return


class _Writing:
    """Writes to a session in parts, each a short transaction."""

    def __init__(self, store: Store, session_id: str) -> None:
        self._store = store
        self._id = session_id
        self._rows: list[Row] = []
        self._bytes = 0
        self._states: list[tuple[int, State]] = []
        self._since = 0

    def begin(self, row: SessionRow, state: State | None) -> None:
        """The session, with the state it starts from where that is kept."""

        def write(db: Connection) -> None:
            imports.begin(db, row)
            if state is not None:
                states.put(db, row.id, row.start, state, keep=True)

        self._write(write)

    def add(self, row: Row) -> None:
        """A row, sooner or later."""
        self._rows.append(row._replace(session_id=self._id))
        self._bytes += len(row.outcome) + len(row.args)
        self._since += 1
        if len(self._rows) >= PART_ROWS or self._bytes >= PART_BYTES:
            self.flush()

    def keep_if_due(self, retelling: Retelling) -> None:
        """States along the way, so that any moment can be opened soon."""
        if snapshots.due(self._since, retelling.machine.live_blocks):
            self._keep(retelling)

    def keep_head(self, retelling: Retelling) -> None:
        """The state at the end, where it is worth it."""
        if snapshots.worth(self._since):
            self._keep(retelling)

    def _keep(self, retelling: Retelling) -> None:
        self._states.append((retelling.effective, snapshots.encode(retelling.machine.state())))
        self._since = 0

    def flush(self) -> None:
        """Write what there is."""
        rows, kept = self._rows, self._states
        self._rows, self._states, self._bytes = [], [], 0

        def write(db: Connection) -> None:
            if rows:
                journal.append(db, rows)
            for seq, state in kept:
                states.put(db, self._id, seq, state)

        if rows or kept:
            self._write(write)

    def begun_after(self, latest: str) -> None:
        """Have the session begin behind all rows of the file: its clock may have been ahead of this one."""
        self._write(lambda db: imports.begin_later(db, self._id, after(latest)))

    def name(self, person: str, named: dict[str, str]) -> None:
        """Names of a person."""
        if named:
            self._write(lambda db: names.put(db, self._id, person, dict(named)))

    def _write(self, write: Callable[[Connection], None]) -> None:
        """Others write too: a part that comes too late for its turn waits for another."""
        for attempt in range(PATIENCE):
            try:
                with self._store.writing() as db:
                    write(db)
            except Busy:
                if attempt == PATIENCE - 1:
                    raise
            else:
                return


# -- the end -------------------------------------------------------------------------------------------------


def check_room(db: Connection, owner: str, most: int | None) -> None:
    """Raise LimitReached where the owner may have no more sessions."""
    if most is not None and sessions.owned(db, owner) >= most:
        raise LimitReached((), f"one owner has at most {most} sessions; delete one first")


def publish(
    db: Connection,
    session_id: str,
    owner: str,
    most: int | None = None,
    name: str | None = None,
    lab_id: str | None = None,
) -> SessionInfo:
    """Give a prepared session to its owner. name: instead of the one in the file. lab_id: their lab.

    Raises LimitReached, and Conflict where it was discarded.
    """
    check_room(db, owner, most)
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
    """Delete a session that was prepared and not published, part by part. What is left, `sweep` finds."""
    try:
        with store.reading() as db:
            row = sessions.get(db, session_id)
        if row is None or row.owner != imports.NOBODY:
            return
        for to in range(row.start + CUT, row.seq, CUT):
            with store.writing() as db:
                imports.cut(db, session_id, to)
        with store.writing() as db:
            again = sessions.get(db, session_id)
            if again is not None and again.owner == imports.NOBODY:
                sessions.remove(db, session_id)
    except Exception:
        log.exception("session %s: an import that failed could not be removed yet", session_id)


def sweep(store: Store) -> None:
    """Delete what imports have left that ended without an end, such as a power cut."""
    with store.reading() as db:
        left = imports.abandoned(db, written(datetime.now(UTC) - ABANDONED))
    for row in left:
        discard(store, row.id)

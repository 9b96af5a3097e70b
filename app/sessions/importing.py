"""A session from an exported file: every call is made again, and must have the answer that stands there.

Twice through the file. First it is read: each line is what it says it is, none is missing, and the hash is
right; so a file that was cut off or changed on its way costs little, and nothing is written. Then it is told
again, and its rows are written part by part, to a session that is nobody's until `publish`: no other
session's calls wait for more than one part.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import IO, Any, Final, NamedTuple

from pydantic_core import from_json, to_json

from app.mm.calltext import Malformed
from app.mm.errors import BadArgument, Fault
from app.mm.machine import ENGINE, Machine
from app.sessions import naming, opening, snapshots
from app.sessions.answers import SessionInfo
from app.sessions.errors import Busy, Conflict, LimitReached
from app.sessions.exporting import FORMAT
from app.sessions.live import now, written
from app.sessions.named import named_of
from app.sessions.retelling import Retelling, Rewinds, Told, Untold, difference
from app.sessions.waits import REWINDS
from app.store import Connection, Store, imports, journal, names, sessions, states
from app.store.journal import Row
from app.store.sessions import SessionRow
from app.store.states import State

LINE: Final = 16 << 20  # bytes; no row that a session can have is as long
PART_ROWS: Final = 1_000
PART_BYTES: Final = 2 << 20
CUT: Final = 20_000
ABANDONED: Final = timedelta(hours=24)
PATIENCE: Final = 6  # times that a part may find the database busy

SEQ_MAX: Final = 1 << 52
TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
BY_LENGTH: Final = 100

HEADER: Final = frozenset(
    ("kmemlab", "kind", "engine", "name", "machine", "created", "origin", "start", "seq")
)
START: Final = frozenset(("boot", "state"))

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an import may ask for; None for any amount.

    header: bytes of the first line. names: of one person. seconds: for telling it again. sessions: of one
    owner. go_on: raises what ends the import, when something does. told: how many rows of how many were told.
    """

    header: int | None = None
    names: int | None = None
    seconds: float | None = None
    sessions: int | None = None
    go_on: Callable[[], None] = lambda: None
    told: Callable[[int, int], None] = lambda _done, _of: None


class Unreadable(Malformed):
    """A line that is no JSON, or no line of an export."""

    def __init__(self, line: int, msg: str) -> None:
        super().__init__(f"line {line}: {msg}")
        self.faults = (Fault(("line", line), msg),)


def wrong(line: int, msg: str) -> BadArgument:
    """A line that says something which cannot be."""
    return BadArgument.at(("line", line), msg)


# -- reading -------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Document:
    """What the first pass finds. lines: how many there are before the first name."""

    name: str
    engine: int
    start: int
    seq: int
    boot: dict[str, Any] | None
    machine: Machine
    rewinds: Rewinds
    names: set[str] = field(default_factory=set)

    @property
    def rows(self) -> int:
        return self.seq - self.start


class TellableRow(NamedTuple):
    """A line that holds a row."""

    told: Told
    effective: int
    outcome: dict[str, Any]


def examine(file: IO[bytes], limits: Limits) -> Document:
    """Read the whole file. Raises Unreadable, BadArgument and LimitReached, with the line."""
    digest = hashlib.sha256()
    raw = line_of(file, 1, limits.header)
    digest.update(raw)
    document = read_header(decoded(raw, 1))
    number = 1
    for number, raw in enumerate(rest_of(file), 2):
        if number % PART_ROWS == 0:
            limits.go_on()
        line = decoded(raw, number)
        seq = document.start + number - 1
        if "sha256" in line:
            read_end(line, number, document, digest.hexdigest())
            if file.read(1):
                raise wrong(number + 1, "the file goes on after its last line")
            return document
        if seq <= document.seq:
            read_rewind(row_of(line, number, seq), number, document)
        else:
            read_name(line, number, document, limits)
        digest.update(raw)
    raise wrong(number, "the file ends here, before its last line: it was cut off")


def rest_of(file: IO[bytes]) -> Iterator[bytes]:
    """The lines but the first."""
    number = 2
    while raw := line_of(file, number, LINE):
        yield raw
        number += 1


def line_of(file: IO[bytes], number: int, limit: int | None) -> bytes:
    """The next line; empty at the end."""
    raw = file.readline() if limit is None else file.readline(limit + 1)
    if limit is not None and len(raw) > limit:
        raise LimitReached(
            ("line", number), f"the line is longer than {limit} bytes, which is the limit here"
        )
    return raw


def decoded(raw: bytes, number: int) -> dict[str, Any]:
    """A line, which is an object."""
    try:
        line = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise Unreadable(number, f"no JSON: {error}") from None
    if not isinstance(line, dict):
        raise Unreadable(number, "every line of an export is a JSON object")
    return line


def read_header(line: dict[str, Any]) -> Document:
    """The first line, and the machine that it starts from."""
    if line.get("kmemlab") != FORMAT or line.get("kind") != "session":
        raise wrong(1, f'no exported session: it begins with {{"kmemlab": {FORMAT}, "kind": "session", …}}')
    starts = START & set(line)
    if set(line) - START != HEADER or len(starts) != 1:
        raise wrong(1, f"the members are {', '.join(sorted(HEADER))} and one of boot and state")
    start, seq = (integer(line[key], key, 0) for key in ("start", "seq"))
    engine = integer(line["engine"], "engine", 1)
    if not isinstance(line["name"], str):
        raise wrong(1, "name: a string")
    if seq < start:
        raise wrong(1, "seq: no less than start")
    boot = line.get("boot")
    try:
        name = naming.checked(line["name"])
        if "state" in line:
            machine = opening.build({"dump": line["state"]})
        elif not isinstance(boot, dict) or "dump" in boot:
            raise wrong(1, "boot: a profile with overrides")
        else:
            machine = opening.build(boot)
    except BadArgument as error:
        raise error if error.faults[0].loc[:1] == ("line",) else under_line(error, 1) from None
    return Document(name, engine, start, seq, boot, machine, Rewinds(start))


def under_line(error: BadArgument, number: int) -> BadArgument:
    """Faults of something that stands in a line, with their places in the message."""
    first = error.faults[0]
    where = ".".join(map(str, first.loc))
    return wrong(number, f"{where}: {first.msg}" if where else first.msg)


def integer(value: Any, key: str, least: int) -> int:
    """A number of the first line."""
    if type(value) is not int or not least <= value <= SEQ_MAX:
        raise wrong(1, f"{key}: a number from {least}")
    return value


def row_of(line: dict[str, Any], number: int, seq: int) -> TellableRow:
    """A line that holds the row of a seq."""
    outcome = line.get("outcome")
    if set(line) != {"seq", "effective", "outcome"} or not isinstance(outcome, dict):
        raise wrong(number, f"here should be the row with seq {seq}: seq, effective and outcome")
    if type(line["seq"]) is not int or line["seq"] != seq or outcome.get("seq") != seq:
        raise wrong(number, f"here should be the row with seq {seq}, and is another")
    if type(line["effective"]) is not int:
        raise wrong(number, "effective: a seq")
    call, args, when, by = (outcome.get(key) for key in ("call", "args", "time", "by"))
    if not isinstance(call, str) or not isinstance(args, dict):
        raise wrong(number, "outcome: `call` is a name and `args` an object")
    if not isinstance(when, str) or not TIME.fullmatch(when):
        raise wrong(number, "outcome: `time` has the form 2026-11-22T14:00:00.123Z")
    if by is not None and not (isinstance(by, str) and by.isprintable() and 0 < len(by) <= BY_LENGTH):
        raise wrong(number, f"outcome: `by` is null or a name of 1 to {BY_LENGTH} characters")
    return TellableRow(Told(seq, call, args, when, by), line["effective"], outcome)


def read_rewind(row: TellableRow, number: int, document: Document) -> None:
    """Note where a row goes back to."""
    told, effective = row.told, row.effective
    right = told.seq
    if told.call in REWINDS:
        try:
            right = document.rewinds.target(told)
        except Untold as error:
            raise wrong(number, str(error)) from None
        document.rewinds.add(told.seq, right)
    if effective != right:
        raise wrong(number, f"effective is {effective} and should be {right}")


def read_name(line: dict[str, Any], number: int, document: Document, limits: Limits) -> None:
    """A line that holds what a name stands for."""
    if set(line) != {"name", "named"} or not isinstance(line["name"], str):
        raise wrong(number, "here should be a name, or the last line with rows, names and sha256")
    name = line["name"]
    try:
        named_of(name, line["named"], document.machine.model)
    except BadArgument as error:
        raise under_line(error, number) from None
    if name in document.names:
        raise wrong(number, f"{name} is named twice")
    document.names.add(name)
    if limits.names is not None and len(document.names) > limits.names:
        raise LimitReached(("line", number), f"a person has at most {limits.names} names in a session")


def read_end(line: dict[str, Any], number: int, document: Document, sha256: str) -> None:
    """The last line: nothing is missing, and nothing is otherwise than it was."""
    there = {"rows": min(number - 2, document.rows), "names": len(document.names)}
    announced = {"rows": document.rows, "names": line.get("names")}
    if set(line) != {"rows", "names", "sha256"} or line["rows"] != document.rows or there != announced:
        raise wrong(
            number,
            f"this should be the last of {document.rows} rows and {line.get('names')} names, "
            f"and {there['rows']} rows and {there['names']} names stand before it",
        )
    if line["sha256"] != sha256:
        raise wrong(number, "sha256 is that of another file: something was changed after the export")


# -- telling again -------------------------------------------------------------------------------------------


def prepare(store: Store, file: IO[bytes], owner: str, limits: Limits) -> str:
    """Make the session, for nobody yet; its id. Raises as `examine` does, and Busy and StorageFull.

    After an exception nothing of it is left.
    """
    file.seek(0)
    with opening.gc_paused():
        document = examine(file, limits)
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
    except BaseException:
        discard(store, row.id)
        raise
    return row.id


def _tell(file: IO[bytes], document: Document, to: _Writing, limits: Limits) -> None:
    """Make every call again, and write its row when its answer is the one that stands there."""
    until = None if limits.seconds is None else time.monotonic() + limits.seconds
    lines = enumerate(islice(rest_of(file), document.rows), 2)
    with Retelling(document.machine, document.rewinds) as retelling:
        done = 0
        while done < document.rows:
            with opening.gc_paused():
                for number, raw in islice(lines, PART_ROWS):
                    row = row_of(decoded(raw, number), number, document.start + number - 1)
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


def _told_again(retelling: Retelling, row: TellableRow, number: int, *, exactly: bool) -> Row:
    """The row of a call that was made again, in this machine's words. exactly: which must be the file's."""
    told = row.told
    try:
        outcome = retelling.tell(told)
    except Untold as error:
        raise wrong(number, f"seq {told.seq}: {error}") from None
    body, args = to_json(outcome), to_json(outcome["args"])
    if exactly:
        if body != to_json(row.outcome):
            what = difference(outcome, row.outcome) or "its members stand in another order"
            raise wrong(number, f"seq {told.seq}: {told.call}: {what}")
    else:
        for key in ("verdict", "ret"):
            what = difference({key: outcome[key]}, {key: row.outcome.get(key)})
            if what:
                raise wrong(number, f"seq {told.seq}: {told.call}: {what}")
    return Row("", told.seq, row.effective, told.call, args, body, told.by, told.time)


def _write_names(file: IO[bytes], to: _Writing, owner: str) -> None:
    """The names, which stand behind the rows where the file is now."""
    while part := [decoded(raw, 0) for raw in islice(rest_of(file), PART_ROWS)]:
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


def publish(db: Connection, session_id: str, owner: str, most: int | None = None) -> SessionInfo:
    """Give a prepared session to its owner. Raises LimitReached, and Conflict where it was discarded."""
    check_room(db, owner, most)
    try:
        imports.publish(db, session_id, owner, now())
    except LookupError as error:
        raise Conflict("the import was given up") from error
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

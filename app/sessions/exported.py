"""Reads and checks the file of an exported session: its form, that no line is missing, and its hash.

All of this is checked before anything is written, so a damaged file costs little.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any, Final, NamedTuple

from pydantic_core import from_json

from app import slicedjson
from app.errors import BadArgument, Fault
from app.machine import ruleset
from app.machine.calltext import Malformed
from app.machine.machine import Machine
from app.sessions import identifiers, opening
from app.sessions.errors import LimitReached
from app.sessions.exporting import FORMAT, WITH_LISTS
from app.sessions.imported_names import SEQ_MIN, imported_name
from app.sessions.queries import ANY, Room
from app.sessions.replaying import CannotReplay, JournalEntry, Rewinds
from app.sessions.scheduler import go_on
from app.sessions.waits import REWINDS
from app.slicedjson import NotJson

LINE: Final = 16 << 20  # bytes; no row that a session can have is as long

SEQ_MAX: Final = 1 << 52
TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
LATEST: Final = "9999"  # from here on there would be no later time for what is made here
BY_LENGTH: Final = 100

HEADER_MEMBERS: Final = frozenset(
    ("kmemlab", "kind", "engine", "name", "machine", "created", "origin", "start", "seq")
)
# What is missing in older files.
ADDED: Final = frozenset(("rules",))
START_MEMBERS: Final = frozenset(("boot", "state"))


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an import may ask for; None for any amount."""

    # The most bytes of the first line.
    header: int | None = None
    # How many names one person may have.
    names: int | None = None
    # The longest time for replaying it.
    seconds: float | None = None
    # How many sessions and bytes the owner may have.
    room: Room = ANY
    # Called with how many rows of how many have been replayed.
    on_progress: Callable[[int, int], None] = lambda _done, _of: None


class BadLine(Malformed):
    """A line that is no JSON, or no line of an export."""

    def __init__(self, line: int, msg: str) -> None:
        super().__init__(f"line {line}: {msg}")
        self.faults = (Fault(("line", line), msg),)


def wrong(line: int, msg: str) -> BadArgument:
    """The refusal of a line whose content cannot be true."""
    return BadArgument.at(("line", line), msg)


@dataclass(slots=True)
class ExportHeader:
    """What the first pass finds."""

    name: str
    engine: int
    start: int
    seq: int
    boot: dict[str, Any] | None
    machine: Machine
    rewinds: Rewinds
    # The greatest time of a row; empty where there is none.
    latest: str = ""
    names: set[str] = field(default_factory=set)
    lists: set[int] = field(default_factory=set)
    form: int = FORMAT

    @property
    def rows(self) -> int:
        return self.seq - self.start


class ExportedRow(NamedTuple):
    """A line that holds a row."""

    entry: JournalEntry
    effective: int
    outcome: dict[str, Any]


def examine(file: IO[bytes], limits: Limits) -> ExportHeader:
    """Read the whole file. Raises BadLine, BadArgument and LimitReached, with the line."""
    digest = hashlib.sha256()
    raw = line_of(file, 1, limits.header)
    digest.update(raw)
    document = read_header(decoded(raw, 1))
    number = 1
    for number, raw in enumerate(rest_of(file), 2):
        go_on()
        line = decoded(raw, number)
        seq = document.start + number - 1 - len(document.lists)
        if "list" in line and seq == document.start + 1:
            read_list(line, number, document, limits)
            digest.update(raw)
            continue
        if "sha256" in line:
            read_end(line, number, document, digest.hexdigest())
            if file.read(1):
                raise wrong(number + 1, "the file goes on after its last line")
            return document
        if document.form != (WITH_LISTS if document.lists else FORMAT):
            raise wrong(1, f"kmemlab: {FORMAT}, or {WITH_LISTS} where lists stand before the rows")
        if seq <= document.seq:
            row = row_of(line, number, seq)
            read_time(row, number, document)
            read_rewind(row, number, document)
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
        line = (
            slicedjson.loads(raw) if len(raw) > slicedjson.READ_WHOLE else from_json(raw, allow_inf_nan=False)
        )
    except (ValueError, NotJson) as error:
        raise BadLine(number, f"no JSON: {error}") from None
    if not isinstance(line, dict):
        raise BadLine(number, "every line of an export is a JSON object")
    return line


def read_header(line: dict[str, Any]) -> ExportHeader:
    """The first line, and the machine that it starts from."""
    if line.get("kmemlab") not in (FORMAT, WITH_LISTS) or line.get("kind") != "session":
        raise wrong(1, f'no exported session: it begins with {{"kmemlab": {FORMAT}, "kind": "session", …}}')
    starts = START_MEMBERS & set(line)
    if set(line) - START_MEMBERS - ADDED != HEADER_MEMBERS or len(starts) != 1:
        raise wrong(1, f"the members are {', '.join(sorted(HEADER_MEMBERS))} and one of boot and state")
    start, seq = (integer(line[key], key, 0) for key in ("start", "seq"))
    engine = integer(line["engine"], "engine", 1)
    rules = integer(line.get("rules", ruleset.FIRST), "rules", ruleset.FIRST)
    if rules > ruleset.TODAY:
        raise wrong(1, f"rules: up to {ruleset.TODAY}; the file was made by a newer version of kmemlab")
    if not isinstance(line["name"], str):
        raise wrong(1, "name: a string")
    if seq < start:
        raise wrong(1, "seq: no less than start")
    boot = line.get("boot")
    try:
        name = identifiers.checked_name(line["name"])
        if "state" in line:
            machine = opening.build({"dump": line["state"]}, kept=True)
        elif not isinstance(boot, dict) or opening.is_whole(boot):
            raise wrong(1, "boot: a profile with overrides")
        else:
            machine = opening.build(boot, kept=True)
    except BadArgument as error:
        raise error if error.faults[0].loc[:1] == ("line",) else under_line(error, 1) from None
    if machine.rules != rules:
        raise wrong(1, f"rules: {machine.rules}, as the machine has it that the session starts from")
    return ExportHeader(name, engine, start, seq, boot, machine, Rewinds(start), form=line["kmemlab"])


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


def row_of(line: dict[str, Any], number: int, seq: int) -> ExportedRow:
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
    return ExportedRow(JournalEntry(seq, call, args, when, by), line["effective"], outcome)


def read_time(row: ExportedRow, number: int, document: ExportHeader) -> None:
    """Note when a row was made. The clock of the server that made it may have been ahead of this one's."""
    when = row.entry.time
    try:
        datetime.fromisoformat(when)
    except ValueError:
        raise wrong(number, f"outcome: there is no `time` {when}") from None
    if when >= LATEST:
        raise wrong(number, f"outcome: `time` {when} is no time before the year 9999")
    document.latest = max(document.latest, when)


def read_rewind(row: ExportedRow, number: int, document: ExportHeader) -> None:
    """Note where a row goes back to."""
    entry, effective = row.entry, row.effective
    right = entry.seq
    if entry.call in REWINDS:
        try:
            right = document.rewinds.target(entry)
        except CannotReplay as error:
            raise wrong(number, str(error)) from None
        document.rewinds.add(entry.seq, right)
    if effective != right:
        raise wrong(number, f"effective is {effective} and should be {right}")


def read_name(line: dict[str, Any], number: int, document: ExportHeader, limits: Limits) -> None:
    """A line that holds what a name stands for."""
    if set(line) != {"name", "named"} or not isinstance(line["name"], str):
        raise wrong(number, "here should be a name, or the last line with rows, names and sha256")
    name = line["name"]
    try:
        imported_name(name, line["named"], document.machine.model)
    except BadArgument as error:
        raise under_line(error, number) from None
    if name in document.names:
        raise wrong(number, f"{name} is named twice")
    document.names.add(name)
    if limits.names is not None and len(document.names) > limits.names:
        raise LimitReached(("line", number), f"a person has at most {limits.names} names in a session")


def read_list(line: dict[str, Any], number: int, document: ExportHeader, limits: Limits) -> None:
    """A line that holds a list which the session has had from its beginning."""
    if set(line) != {"list", "named"} or type(line["list"]) is not int or not SEQ_MIN <= line["list"] < 1:
        raise wrong(number, "here should be a list with its number below 1, or the first row")
    try:
        named = imported_name("list", line["named"], document.machine.model)
    except BadArgument as error:
        raise under_line(error, number) from None
    if named.runs is None or line["list"] in document.lists:
        raise wrong(number, "here should be the runs of a list, and each list once")
    document.lists.add(line["list"])
    if limits.names is not None and len(document.lists) > limits.names:
        raise LimitReached(("line", number), f"a session begins with at most {limits.names} lists")


def read_end(line: dict[str, Any], number: int, document: ExportHeader, sha256: str) -> None:
    """The last line: nothing is missing, and nothing is otherwise than it was."""
    rows = min(number - 2 - len(document.lists), document.rows)
    there = {"rows": rows, "names": len(document.names), "lists": len(document.lists)}
    announced = {"rows": document.rows, "names": line.get("names"), "lists": line.get("lists", 0)}
    members = {"rows", "names", "sha256", *(("lists",) if document.lists else ())}
    if set(line) != members or line["rows"] != document.rows or there != announced:
        raise wrong(
            number,
            f"this should be the last of {document.rows} rows and {line.get('names')} names, "
            f"and {there['rows']} rows and {there['names']} names stand before it",
        )
    if line["sha256"] != sha256:
        raise wrong(number, "sha256 is that of another file: something was changed after the export")

"""A trace as trace-cmd writes it: tracepoint lines as a trace.dat of version 6, with its events' formats.

Kernel: Documentation/trace/ftrace.rst; of its tools trace-cmd.dat.v6(5). What a kernel writes is binary:
records of a few dozen bytes in a ring buffer of each CPU, beside a text that says how they are printed. So
tracing costs little, and tools filter on fields without parsing words.

The formats are found in the lines: a `key=value` is a field, and so is a bare address; a number where all its
values are numbers, else a string; what stands between is the print format. So a reader prints each event as
its line has it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

PAGE: Final = 4096
# Bytes of a page of the ring buffer behind its head, and of the largest record in it.
ROOM: Final = PAGE - 16
LONGEST: Final = 2_000
MOST_DELTA: Final = 1 << 27
FIRST_ID: Final = 600

LINE: Final = re.compile(r"\s*(.*)-(\d+)\s+\[(\d+)\] (.)(.)(.)(.)\S*\s+(\d+)\.(\d+): (\w+): (.*)", re.DOTALL)
# A value behind its name, also where a parenthesis begins in between; or a bare address or frame.
VALUE: Final = re.compile(r"([A-Za-z_]\w*)[=:] ?\(?(?P<named>\S+?)(?=[,)]?(?:\s|$))|(?P<bare>0x[0-9a-f]+)")
COMMON: Final = (
    "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
    "\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
    "\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"
    "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
)
HEADER_PAGE: Final = (
    "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
    "\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n"
    "\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n"
    "\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;\n"
)
HEADER_EVENT: Final = (
    "# compressed entry header\n"
    "\ttype_len    :    5 bits\n\ttime_delta  :   27 bits\n\tarray       :   32 bits\n\n"
    "\tpadding     : type == 29\n\ttime_extend : type == 30\n\ttime_stamp : type == 31\n"
    "\tdata max type_len  == 28\n"
)


@dataclass(frozen=True, slots=True)
class Form:
    """How the values of a field are written: a number of this format, or a string.

    like: what values must match. base: of the number, 0 for strings.
    """

    like: re.Pattern[str]
    printed: str
    ctype: str
    base: int


DECIMAL: Final = Form(re.compile(r"-?(?:0|[1-9][0-9]{0,17})"), "%lld", "s64", 10)
HEXADECIMAL: Final = Form(re.compile(r"0x(?:0|[1-9a-f][0-9a-f]{0,15})"), "0x%llx", "u64", 16)
POINTERS: Final = (
    Form(re.compile(r"[0-9a-f]{16}"), "%016llx", "u64", 16),
    Form(re.compile(r"[0-9a-f]{8}"), "%08llx", "u64", 16),
)
STRING: Final = Form(re.compile(r".*", re.DOTALL), "%s", "__data_loc char[]", 0)
# In this order: eight digits are rather a pointer than a decimal number, where all values are such.
FORMS: Final = (HEXADECIMAL, *POINTERS, DECIMAL, STRING)


@dataclass(frozen=True, slots=True)
class Line:
    """One event as it is printed: its head, and its text cut into literal parts and values."""

    comm: str
    pid: int
    cpu: int
    flags: int
    depth: int
    nanoseconds: int
    name: str
    literals: tuple[str, ...]
    keys: tuple[str, ...]
    values: tuple[str, ...]


@dataclass(slots=True)
class Event:
    """A kind of event: all lines of one name whose literal parts and keys are the same."""

    number: int
    name: str
    literals: tuple[str, ...]
    keys: tuple[str, ...]
    forms: list[Form] = field(default_factory=list)

    def learn(self, values: Sequence[str]) -> None:
        """See that the forms fit these values too."""
        if not self.forms:
            self.forms = [FORMS[0]] * len(values)
        for place, value in enumerate(values):
            known = FORMS.index(self.forms[place])
            self.forms[place] = next(form for form in FORMS[known:] if form.like.fullmatch(value))

    def described(self) -> bytes:
        """The format file."""
        rows, at = [], 8
        for key, form in zip(self.fields, self.forms, strict=True):
            size = 8 if form.base else 4
            at = (at + size - 1) // size * size
            rows.append(
                f"\tfield:{form.ctype} {key};\toffset:{at};\tsize:{size};\tsigned:{int(form is DECIMAL)};\n"
            )
            at += size
        printed = "".join(
            f"{quoted(literal)}{form.printed}"
            for literal, form in zip(self.literals, self.forms, strict=False)
        ) + quoted(self.literals[-1])
        given = "".join(
            f", REC->{key}" if form.base else f", __get_str({key})"
            for key, form in zip(self.fields, self.forms, strict=True)
        )
        return (
            f"name: {self.name}\nID: {self.number}\nformat:\n{COMMON}{''.join(rows)}\n"
            f'print fmt: "{printed}"{given}\n'
        ).encode()

    @property
    def fields(self) -> list[str]:
        """Names of fields; of those that stand twice in a line, the later ones get a number."""
        found: list[str] = []
        for key in self.keys:
            found.append(f"{key}_{len(found)}" if key in found else key)
        return found

    def packed(self, line: Line) -> bytes:
        """A record."""
        head = struct.pack("<HBBi", self.number, line.flags, line.depth, line.pid)
        out, strings = bytearray(head), b""
        places: list[tuple[int, bytes]] = []
        for form, value in zip(self.forms, line.values, strict=True):
            size = 8 if form.base else 4
            out += bytes(-len(out) % size)
            if form.base:
                out += (int(value, form.base) % (1 << 64)).to_bytes(8, "little")
            else:
                places.append((len(out), value.encode()[:LONGEST] + b"\0"))
                out += bytes(4)
        for at, text in places:
            out[at : at + 4] = struct.pack("<HH", len(out) + len(strings), len(text))
            strings += text
        out += strings
        return bytes(out + bytes(-len(out) % 4))


def quoted(literal: str) -> str:
    """Text within a print format."""
    return literal.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


def encode(lines: Iterable[str]) -> bytes:
    """A trace.dat of tracepoint lines, in their order. Other lines, such as comments, are left out."""
    read = [line for line in map(parsed, lines) if line is not None]
    events = kinds(read)
    cpus: dict[int, list[tuple[int, bytes]]] = {}
    last = 0
    for line in read:
        last = max(line.nanoseconds, last + 1)
        record = events[line.name, line.literals, line.keys].packed(line)
        cpus.setdefault(line.cpu, []).append((last, record))
    count = max(cpus, default=0) + 1
    head = heading(list(events.values()), {line.pid: line.comm for line in read}, count)
    parts = [b"".join(pages(cpus.get(cpu, ()))) for cpu in range(count)]
    start = (len(head) + 16 * count + PAGE - 1) // PAGE * PAGE
    at = start
    for part in parts:
        head += struct.pack("<QQ", at, len(part))
        at += len(part)
    return head.ljust(start, b"\0") + b"".join(parts)


def parsed(text: str) -> Line | None:
    """A line of the trace file; None for one that is no event."""
    found = LINE.fullmatch(text)
    if found is None:
        return None
    comm, pid, cpu, irqs, _, context, depth, seconds, micros, name, said = found.groups()
    flags = int(irqs == "d") | {"h": 8, "s": 16}.get(context, 0)
    literals, keys, values, at = [], [], [], 0
    for value in VALUE.finditer(said):
        group = "bare" if value["bare"] else "named"
        literals.append(said[at : value.start(group)])
        keys.append(value[1] or "value")
        values.append(value[group])
        at = value.end()
    return Line(
        comm=comm,
        pid=int(pid),
        cpu=int(cpu),
        flags=flags,
        depth=int(depth) if depth.isdigit() else 0,
        nanoseconds=(int(seconds) * 1_000_000 + int(micros)) * 1_000,
        name=name,
        literals=(*literals, said[at:]),
        keys=tuple(keys),
        values=tuple(values),
    )


def kinds(lines: Iterable[Line]) -> dict[tuple[str, tuple[str, ...], tuple[str, ...]], Event]:
    """The events that are in the lines, with forms that fit all values."""
    found: dict[tuple[str, tuple[str, ...], tuple[str, ...]], Event] = {}
    for line in lines:
        kind = line.name, line.literals, line.keys
        event = found.get(kind)
        if event is None:
            event = found[kind] = Event(FIRST_ID + len(found), line.name, line.literals, line.keys)
        event.learn(line.values)
    return found


def heading(events: Sequence[Event], comms: dict[int, str], cpus: int) -> bytes:
    """Everything before the table of buffers."""
    out = b"\x17\x08\x44tracing6\0\0\x08" + struct.pack("<I", PAGE)
    for name, text in ((b"header_page", HEADER_PAGE), (b"header_event", HEADER_EVENT)):
        out += name + b"\0" + struct.pack("<Q", len(text)) + text.encode()
    formats = [event.described() for event in events]
    out += struct.pack("<II", 0, 1) + b"kmem\0" + struct.pack("<I", len(formats))
    out += b"".join(struct.pack("<Q", len(text)) + text for text in formats)
    out += struct.pack("<II", 0, 0)  # neither symbols nor formats of trace_printk
    names = "".join(f"{pid} {comm}\n" for pid, comm in comms.items()).encode()
    out += struct.pack("<Q", len(names)) + names + struct.pack("<I", cpus)
    return out + b"options  \0" + struct.pack("<H", 0) + b"flyrecord\0"


def pages(events: Sequence[tuple[int, bytes]]) -> Iterator[bytes]:
    """The ring buffer of one CPU, page by page: records, each behind the time since the one before."""
    body, first, last = b"", 0, 0
    for stamp, record in events:
        words = len(record) // 4
        extra = b"" if words <= 28 else struct.pack("<I", len(record) + 4)
        if body and (len(body) + 4 + len(extra) + len(record) > ROOM or stamp - last >= MOST_DELTA):
            yield page(first, body)
            body = b""
        if not body:
            first = last = stamp
        body += struct.pack("<I", (0 if extra else words) | (stamp - last) << 5) + extra + record
        last = stamp
    if body:
        yield page(first, body)


def page(first: int, body: bytes) -> bytes:
    """A page: the time of its first record, the bytes that are used, and these."""
    return (struct.pack("<QQ", first, len(body)) + body).ljust(PAGE, b"\0")

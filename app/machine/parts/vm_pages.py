"""Pages of processes and files in a dump: their records, LRU lists, batches, the bytes that are kept."""

from __future__ import annotations

import base64
import binascii
import re
import sys
from array import array
from typing import TYPE_CHECKING, Any, Final

from app.machine.parts import lru_lists
from app.machine.parts.frames import load_pfn
from app.mm.lruvec import NONE
from app.mm.virtual_memory import Section

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.machine.document import Document
    from app.machine.machine import Machine

COLUMNS: Final = ("refcount", "mapcount", "flags", "mapping", "index", "next", "prev")
UNUSED: Final = (0, -1, 0, 0, 0, NONE, NONE)
BOUNDS: Final = (
    (-(1 << 31), (1 << 31) - 1), (-1, (1 << 31) - 1), (0, NONE), (0, NONE), (0, 1 << 52), (0, NONE),
    (0, NONE),
)  # fmt: skip
# With more records than this a section is written as columns.
FEW: Final = 64
MAX_SECTIONS: Final = 1 << 22
MAX_ORDER: Final = 18
MAX_KEPT: Final = 1 << 20


def dump(m: Machine) -> dict[str, Any]:
    """What is kept of pages, in one order."""
    vm = m.vm
    return {
        "sections": [line for number in sorted(vm.sections) for line in section(number, vm.sections[number])],
        **lru_lists.dump(m),
        "mlock_counts": pairs(vm.mlock_counts),
        "split_queue": list(vm.split_queue),
        "bytes_kept": vm.bytes_kept,
        "forgotten": [[number, f"{bits:#x}"] for number, bits in sorted(vm.forgotten.items())],
        "contents": [[pfn, pairs(stored)] for pfn, stored in vm.contents.items()],
    }


def pairs(found: Mapping[Any, Any]) -> list[list[Any]]:
    """A mapping in the order of its keys, as JSON has it."""
    return [list(pair) for pair in sorted(found.items())]


def section(number: int, s: Section) -> list[Any]:
    """The records of 512 frames: `[number, order, compound_mapcount, rows or columns]`; none without any."""
    columns = [getattr(s, name) for name in COLUMNS]
    if s.order or 0 in s.refcount:
        rows = [
            [at, *record]
            for at, record in enumerate(zip(*columns, strict=True))
            if (record != UNUSED if s.order else record[0] or record[2])
        ]
        if not rows and not s.order:
            return []
        if len(rows) <= FEW:
            return [[number, s.order, s.compound_mapcount, rows]]
        columns = [
            array(column.typecode, [value]) * 512 for column, value in zip(columns, UNUSED, strict=True)
        ]
        for at, *record in rows:
            for column, value in zip(columns, record, strict=True):
                column[at] = value
    return [[number, s.order, s.compound_mapcount, [packed(column) for column in columns]]]


def packed(column: array[int]) -> str:
    """A column as text: its numbers from the lowest byte on, in base64."""
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return base64.b64encode(column.tobytes()).decode()


def unpacked(doc: Document, typecode: str, length: int) -> array[int]:
    """Inverse of `packed`. Raises BadArgument."""
    column = array(typecode)
    try:
        column.frombytes(base64.b64decode(doc.str(16 * length), validate=True))
    except (binascii.Error, ValueError):
        doc.fault("a column of numbers in base64")
    if len(column) != length:
        doc.fault(f"{length} numbers")
    if sys.byteorder == "big":
        column.byteswap()
    return column


def load(m: Machine, doc: Document) -> None:
    """Inverse of `dump`."""
    vm = m.vm
    for line in doc.get("sections", []).list(MAX_SECTIONS):
        number, order, compound, body = line.list(4, exactly=4)
        s = vm.sections[number.int(0, m.model.spans[-1][1] >> 9)] = Section()
        s.order = order.int(0, MAX_ORDER)
        s.compound_mapcount = compound.int(-1, (1 << 31) - 1)
        load_section(s, body)
    lru_lists.load(m, doc)
    for entry in doc.get("mlock_counts", []).list(MAX_KEPT):
        pfn, count = entry.list(2, exactly=2)
        vm.mlock_counts[load_pfn(m, pfn)] = count.int(0, 1 << 30)
    for entry in doc.get("split_queue", []).list(MAX_KEPT):
        vm.split_queue[load_pfn(m, entry)] = None
    vm.bytes_kept = doc["bytes_kept"].int(0, MAX_KEPT)
    for entry in doc["forgotten"].list(MAX_SECTIONS):
        number, bits = entry.list(2, exactly=2)
        vm.forgotten[number.int(0, m.model.spans[-1][1] >> 9)] = load_bits(bits)
    contents = doc.get("contents", [])
    if contents.trusted:
        vm.contents = {pfn: dict(stored) for pfn, stored in contents.value}
        return
    for entry in contents.list(MAX_KEPT):
        pfn, stored = entry.list(2, exactly=2)
        vm.contents[load_pfn(m, pfn)] = load_bytes(stored)


def load_bits(doc: Document) -> int:
    """A bit for each of 512 frames, in hexadecimal."""
    text = doc.str(131)
    if re.fullmatch("0x[0-9a-f]{1,128}", text) is None:
        doc.fault("up to 512 bits in hexadecimal")
    return int(text, 16)


def load_section(s: Section, body: Document) -> None:
    """The records of 512 frames."""
    lines = body.list(512)
    if len(lines) == len(COLUMNS) and all(isinstance(line.value, str) for line in lines):
        for name, line in zip(COLUMNS, lines, strict=True):
            setattr(s, name, unpacked(line, getattr(s, name).typecode, 512))
        return
    for line in lines:
        at, *values = line.list(8, exactly=8)
        place = at.int(0, 511)
        for name, value, (low, high) in zip(COLUMNS, values, BOUNDS, strict=True):
            getattr(s, name)[place] = value.int(low, high)


def load_bytes(doc: Document) -> dict[int, int]:
    """Bytes of a page by their place; -1 says that the others are not known."""
    found = {}
    for entry in doc.list(4097):
        at, value = entry.list(2, exactly=2)
        found[at.int(-1, 4095)] = value.int(0, 255)
    return found

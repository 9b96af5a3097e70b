"""Query and path parameters. Digits only: pydantic would also take `1_000`, `+3` and `2.0` for integers."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from fastapi import Path, Query
from pydantic import BeforeValidator, Field

from app.machine.calls import JSON_INT_MAX
from app.numerals import unsigned
from app.sessions import MOST_NAMES, MOST_POINTS

ID: Final = "^[A-Za-z0-9_-]{1,64}$"
DIGITS: Final = re.compile(r"[0-9]{1,16}")


def digits(value: object) -> object:
    """An integer as JSON has it, without a sign."""
    if isinstance(value, str) and DIGITS.fullmatch(value) is None:
        raise ValueError("a number in decimal digits")
    return value


def address(value: object) -> object:
    """An address as people write one: hexadecimal with 0x, or decimal."""
    if isinstance(value, str):
        number = unsigned(value)
        if number is None or number >> 64:
            raise ValueError("an address, as 0x7ffff7ff1000 or in decimal digits")
        return number
    return value


Number = BeforeValidator(digits)
Count = Annotated[int, Field(ge=0, le=JSON_INT_MAX), Number]

Limit = Annotated[int, Query(ge=1, le=1000, description="how many at most"), Number]
Cursor = Annotated[str | None, Query(max_length=200, description="where the last part ended: see its `next`")]
Profile = Annotated[
    str | None, Query(max_length=64, description="of a log's machine; else the smallest that fits")
]
FromMark = Annotated[
    str | None, Query(alias="from", max_length=100, description="the mark behind which it counts")
]
ToMark = Annotated[str | None, Query(alias="to", max_length=100, description="the mark at which it ends")]
After = Annotated[Count, Query(description="only rows with a greater seq")]
At = Annotated[Count | None, Query(description="as it was after the row with this seq; now without one")]
Seq = Annotated[int, Path(ge=0, le=JSON_INT_MAX)]
ListName = Annotated[str, Path(alias="list", description="runs, pfns, woken, deadlock, log or changed")]
FirstOfList = Annotated[Count, Query(description="how many elements to pass over")]
Pfn = Annotated[int, Path(ge=0, le=JSON_INT_MAX)]
ProcFile = Annotated[str, Path(max_length=64, description="buddyinfo, zoneinfo, meminfo, …")]
CacheName = Annotated[str, Path(max_length=64)]
Slabs = Annotated[Count, Query(description="how many slabs to pass over")]
Caches = Annotated[Count, Query(description="how many caches to pass over")]
Areas = Annotated[Count, Query(description="how many areas to pass over")]
Rows = Annotated[Count, Query(description="how many rows to pass over")]
LeakForm = Annotated[
    Literal["json", "page_owner"],
    Query(alias="format", description="`page_owner`: pages alone, as page_owner_sort reads them"),
]
AfterFrame = Annotated[Count | None, Query(description="of the text: only blocks behind this page frame")]
Frames = Annotated[
    int, Query(ge=0, le=1, description="1: with /proc/kpageflags and /proc/kpagecount"), Number
]
TraceForm = Annotated[
    Literal["text", "dat"], Query(alias="format", description="`dat`: a file that trace-cmd reads")
]
Zone = Annotated[str | None, Query(max_length=16, description="zone, as `Normal`; all frames without one")]
Node = Annotated[Count | None, Query(description="node of the zone")]
Start = Annotated[Count | None, Query(description="first page frame, rounded down to a cell")]
Shift = Annotated[
    Annotated[int, Field(ge=0, le=40), Number] | None, Query(description="a cell is 2^shift frames")
]
Cells = Annotated[int, Query(ge=1, le=65_536, description="how many cells at most"), Number]
SeriesNames = Annotated[
    str | None,
    Query(
        max_length=2000,
        description=f"at most {MOST_NAMES} names with commas between them, as `node0.DMA32.free`",
        examples=["node0.DMA.free,node0.DMA.order3,node0.DMA.unusable3,slab"],
    ),
]
FromSeq = Annotated[Count | None, Query(alias="from", description="the first row, else the session's start")]
ToSeq = Annotated[Count | None, Query(alias="to", description="the last row, else the head")]
Points = Annotated[int, Query(ge=1, le=MOST_POINTS, description="how many points at most"), Number]
Mask = Annotated[
    str | None,
    Query(
        max_length=2000, description="a number, names of either vocabulary with |, or both as logs have them"
    ),
]

FrameAsked = Annotated[Count | None, Query(description="a page frame")]
TaskAsked = Annotated[str | None, Query(max_length=64, description="a task, together with `addr`")]
AddressAsked = Annotated[
    int | None,
    Query(description="an address of the task, hexadecimal with 0x or decimal"),
    BeforeValidator(address, json_schema_input_type=str | None),
]
LongLimit = Annotated[int, Query(ge=1, le=100_000, description="how many at most"), Number]
TaskNamed = Annotated[str, Query(alias="task", max_length=64, description="the task's name")]
TaskName = Annotated[str, Path(max_length=64, description="the task's name")]
TaskFile = Annotated[str, Path(max_length=64, description="maps, smaps, status, …")]
FilePath = Annotated[str, Path(max_length=255, description="the file's path without its first slash")]
Address = Annotated[
    int,
    Query(description="an address of the process, hexadecimal with 0x or decimal"),
    BeforeValidator(address, json_schema_input_type=str),
]
FirstArea = Annotated[Count, Query(description="how many areas to pass over")]
FirstTable = Annotated[Count, Query(description="how many tables to pass over")]
FirstFile = Annotated[Count, Query(description="how many files to pass over")]
NodeNumber = Annotated[Count | None, Query(description="the node, 0 without one")]
LruList = Annotated[
    str | None,
    Query(max_length=32, description="inactive_anon, active_anon, …; without one, all in numbers"),
]
AfterPage = Annotated[Count | None, Query(description="only what is behind this page frame on the list")]
AfterIndex = Annotated[Count | None, Query(description="only pages with a greater index")]

KernelVersion = Annotated[
    str | None, Query(max_length=100, description="of the kernel that printed the mask, as `3.10`")
]

# Only what the paths of labs have; their first id is described with the path.
MemberNumber = Annotated[int, Path(ge=0, le=10**15 - 1, description="the member's number in the lab")]
MachineId = Annotated[str, Path(pattern=ID, description="the machine's id in the lab")]
CheckpointId = Annotated[str, Path(pattern=ID, description="the checkpoint's id")]
Bom = Annotated[int, Query(ge=0, le=1, description="0: without the byte-order mark that Excel needs"), Number]
SheetId = Annotated[str, Path(pattern=ID, description="the sheet's id")]
ItemId = Annotated[str, Path(pattern=ID, description="the id of an exercise of the sheet")]
VariantId = Annotated[str, Path(pattern=ID, description="the variant's id")]
HintNumber = Annotated[int, Path(ge=0, le=10**15 - 1, description="which hint of the task, from 1")]
SessionId = Annotated[str, Path(pattern=ID, description="the session's id")]
AfterNumber = Annotated[Count, Query(description="only members with a greater number")]
Before = Annotated[Count | None, Query(description="only acts with a smaller id")]

"""The reference string of a process: its accesses in a journal, as page numbers.

Those are counted that the journal knows of: `load` and `store`, and what the kernel copies on the process's
behalf. Fetches of instructions are not among them.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from pydantic_core import from_json

from app.errors import BadArgument
from app.sessions import lineage, queries
from app.sessions.access import Principal, Right
from app.sessions.errors import NotFound
from app.store import Connection
from app.store.journal import Row

# As many references as are read of one journal.
MOST: Final = 10**6
PAGE_SHIFT: Final = 12
PAGE_SIZE: Final = 1 << PAGE_SHIFT
ADDRESSES: Final = (1 << 64) - 1

# Calls that touch pages of the caller, and whether they write there.
PAGE_BY_PAGE: Final = {"load": False, "store": True}
RANGES: Final = {"copy_from_user": False, "copy_to_user": True, "read": True, "write": False}


class Reference(NamedTuple):
    """One access."""

    page: int
    write: bool
    # Whether it was a page fault; None where the row does not tell.
    faulted: bool | None
    # Whether the page had to be read from a disk.
    major: bool = False


class Found:
    """The references of a task, in columns, since they may be a million.

    faults: 2 where the row does not tell. again: how many of them read a page from a disk that had been used
    before, and so had left memory. cut: rows of which it is not known how many of their accesses were made.
    truncated: whether there are more.
    """

    __slots__ = ("again", "cut", "faults", "pages", "truncated", "used", "writes")

    def __init__(self) -> None:
        self.pages = array("Q")
        self.writes = bytearray()
        self.faults = bytearray()
        self.again = 0
        self.used: set[int] = set()
        self.cut: list[int] = []
        self.truncated = False

    def __len__(self) -> int:
        return len(self.pages)

    def take(self, references: Iterator[Reference]) -> None:
        """Add some, as far as there is room."""
        for page, write, faulted, major in references:
            if len(self.pages) == MOST:
                self.truncated = True
                return
            self.pages.append(page)
            self.writes.append(write)
            self.faults.append(2 if faulted is None else faulted)
            self.again += major and page in self.used
            self.used.add(page)

    def __iter__(self) -> Iterator[tuple[int, bool]]:
        return ((page, bool(write)) for page, write in zip(self.pages, self.writes, strict=True))


def of_task(db: Connection, principal: Principal, session_id: str, task: str, at: int | None) -> Found:
    """The accesses of a task in the calls that made the state at a seq, the head's without one.

    Only the session's own rows are read: a fork begins anew. Raises BadArgument at `at`, and NotFound where
    no call of the task is among them.
    """
    row = queries.allowed(db, principal, session_id, Right.READ)
    if at is not None and not row.start <= at <= row.seq:
        raise BadArgument.at("at", f"a seq from {row.start} to {row.seq}")
    stretches = list(lineage.stretches_back(db, row, row.seq if at is None else at))[::-1]
    found = Found()
    seen = task == "init"
    for call in lineage.rows(db, row.id, stretches):
        if call.call not in PAGE_BY_PAGE and call.call not in RANGES and seen:
            continue
        args = from_json(call.args)
        seen = seen or task in (args.get("task"), args.get("child"))
        if args.get("task") != task:
            continue
        made, whole = accesses(call, args)
        if not whole:
            found.cut.append(call.seq)
        found.take(made)
        if found.truncated:
            break
    if not seen:
        raise NotFound("task", task)
    return found


def tasks_of(db: Connection, principal: Principal, session_id: str) -> dict[str, int]:
    """The tasks that made such calls on the way to the head's state, in that order, with how many."""
    row = queries.allowed(db, principal, session_id, Right.READ)
    found: dict[str, int] = {}
    for call in lineage.rows(db, row.id, list(lineage.stretches_back(db, row, row.seq))[::-1]):
        if call.call in PAGE_BY_PAGE or call.call in RANGES:
            task = from_json(call.args).get("task", "init")
            found[task] = found.get(task, 0) + 1
    return found


def accesses(row: Row, args: dict[str, Any]) -> tuple[Iterator[Reference], bool]:
    """The accesses that a row made, and whether it is known that there were no fewer."""
    if row.call not in PAGE_BY_PAGE and row.call not in RANGES:
        return iter(()), True
    outcome = from_json(row.outcome)
    if "access" not in outcome:
        return iter(()), True  # a kernel thread
    shown = outcome["access"]
    entries = [] if shown is None else shown
    ended = next((int(entry["addr"], 16) for entry in entries if entry["signal"] is not None), None)
    if row.call in RANGES:
        return copied(row, args, outcome["ret"]), True
    whole = shown is not None or outcome["mm"] is not None
    faulted = (
        None
        if shown is None
        else [(int(each["addr"], 16), each["major"]) for each in entries if each["fault"] != "none"]
    )
    return one_by_one(row, args, ended, faulted), whole


def one_by_one(
    row: Row, args: dict[str, Any], ended: int | None, faulted: list[tuple[int, bool]] | None
) -> Iterator[Reference]:
    """`load` and `store`. ended: the address of the access that killed the process: that one was not made.

    faulted: where there were faults, in order, and whether they were major ones.
    """
    first = address_of(args["addr"])
    write = PAGE_BY_PAGE[row.call]
    faults = iter(faulted or ())
    behind, major = next(faults, (None, False))
    for number in range(args["count"]):
        address = first + number * args["step"] & ADDRESSES
        if address == ended:
            return
        if address != behind:
            yield Reference(address >> PAGE_SHIFT, write, None if faulted is None else False)
            continue
        yield Reference(address >> PAGE_SHIFT, write, True, major)
        behind, major = next(faults, (None, False))


def copied(row: Row, args: dict[str, Any], ret: int) -> Iterator[Reference]:
    """A range that the kernel copied, page by page. ret: bytes that were copied, or were not."""
    place = args["addr"] if "addr" in args else args["buf"]
    done = args["count"] - ret if row.call.startswith("copy_") else ret
    if place is None or done <= 0:
        return
    first = address_of(place)
    for page in range(first >> PAGE_SHIFT, (first + done - 1 >> PAGE_SHIFT) + 1):
        yield Reference(page, RANGES[row.call], None)


def address_of(value: Any) -> int:
    """An address of the journal."""
    return int(value, 16) if isinstance(value, str) else int(value or 0)

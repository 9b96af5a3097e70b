"""A machine under the eyes of checks: as it is, as it was at the beginning, and what the rows have done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from app.exercises.rows import MadeRow
from app.machine import changes
from app.machine.calls import Named
from app.machine.entry import CALLS
from app.machine.machine import Machine
from app.machine.outcome import Outcome
from app.machine.vocabulary import Returns
from app.mm import page_ref
from app.mm.page import PG_locked

# Whether what such a call returns is an object, or an area.
OBJECTS: Final = ("slab", "vmalloc")
AREAS: Final = ("vmalloc", "modules")
NO_NAMES: Final[Mapping[str, Named]] = MappingProxyType({})


class Absent(Exception):  # noqa: N818 - found, not made
    """The machine has nothing of a name that a check asks for; the message says what."""


class Begin:
    """What a leak is measured against: the machine before the first row."""

    def __init__(self, m: Machine) -> None:
        self.lost = m.lost
        self.extra = extra_refs(m)
        self.locked = locked_pages(m)
        self.caches = dict.fromkeys(m.caches)
        self.modules = dict.fromkeys(m.vmap.modules)


class Look:
    """What a check can see.

    names: what the names of the beginning stand for. rows: of the set, those that were made so far. undone:
    how many rows were taken back.
    """

    def __init__(self, machine: Machine, names: Mapping[str, Named], undone: int) -> None:
        self.machine = machine
        self.names = names
        self.undone = undone
        self.begin = Begin(machine)
        # What checks of changes have read before the first row, by the subject's text.
        self.was: dict[str, Any] = {}
        self.rows: list[MadeRow] = []
        self.blocks = 0
        self.became: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.woken: list[str] = []
        self.killed: list[str] = []
        self.log: list[str] = []
        # By seq: page calls; calls that made areas; addresses of objects as (first, how many, distance).
        self.page_calls: dict[int, None] = {}
        self.area_calls: dict[int, None] = {}
        self.addresses: dict[int, list[tuple[int, int, int]]] = {}
        self.new_caches: list[str] = []
        self.new_modules: list[str] = []

    def note(self, row: MadeRow, made: Outcome) -> None:
        """A row of the set was made."""
        self.rows.append(row)
        spec = CALLS[row.name]
        if spec.repeats:
            self.blocks += int(made.ret or 0) if made.call.many else made.ret is not None
            if spec.group == "pages":
                self.page_calls[row.seq] = None
        if spec.group in AREAS:
            self.area_calls[row.seq] = None
        elif spec.returns is Returns.OBJECTS:
            self.blocks += made.ret
        if spec.group in OBJECTS and made.named is not None:
            self.addresses[row.seq] = addresses(made.named)
        if row.name == "kmem_cache_create":
            self.new_caches.append(row.body["name"])
        if row.name == "insmod":
            self.new_modules.append(row.body["name"])
        for _, frames, state in changes.all_runs(made.mentions):
            self.became[state] += frames
        if made.told is not None:
            self.faults["min"] += made.told.minor
            self.faults["maj"] += made.told.major
        self.woken += made.woken or ()
        self.killed += made.killed or ()
        self.log += made.log


def addresses(named: Named) -> list[tuple[int, int, int]]:
    """The addresses that a result stands for: first, how many, bytes from one to the next.

    That of a cache is no object of the caller's.
    """
    if named.is_list:
        return [(first, count, named.stride) for first, count in named.runs or ()]
    return [(named.addr, 1, 0)] if named.kind == "addr" and named.addr is not None else []


# -- references and locks --------------------------------------------------------------------------


def extra_refs(m: Machine) -> dict[tuple[int, int], int]:
    """References beyond the allocator's own one, by frame and the seq of its block's allocation.

    Pages of processes and files have references of many kinds, and are left out.
    """
    found = {
        (pfn, page.seq): page.refcount - 1
        for pfn, page in m.pages.items()
        if page.refcount > 1 and page.state != "lost"
    }
    for pfn, stray in m.stray.items():
        block = page_ref.block_of(m, pfn) if stray.refcount > 0 else None
        if block is not None and block.state != "lost":
            found[pfn, block.seq] = stray.refcount
    return found


def locked_pages(m: Machine) -> dict[int, None]:
    """Pages with PG_locked."""
    found = {pfn: None for pfn, page in m.pages.items() if page.flags & PG_locked}
    found |= {pfn: None for pfn, stray in m.stray.items() if stray.flags & PG_locked}
    held = (pfn for pfn in m.lock_holders if page_ref.page_flags(m, pfn) & PG_locked)
    return found | dict.fromkeys(held)

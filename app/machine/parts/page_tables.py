"""The kernel's page tables of the vmalloc space in a dump."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine.parts.part import Dump, Part
from app.machine.parts.vmap import MAX_PFN
from app.mm.memory_model import PMD_SHIFT, PUD_SHIFT

if TYPE_CHECKING:
    from app.machine.document import Document
    from app.machine.machine import Machine

MAX_TABLES: Final = 1 << 20


def dump(m: Machine, doc: Dump) -> None:
    """Added to `vmap`: `[shift of what an entry of the table above maps, index, frame]`."""
    doc["vmap"]["page_tables"] = [[*key, pfn] for key, pfn in m.vmap.page_tables.items()]


def load(m: Machine, doc: Document) -> None:
    """Inverse of `dump`; a recording does not show them."""
    for entry in doc.get("vmap", {}).get("page_tables", []).list(MAX_TABLES):
        shift, index, pfn = entry.list(3, exactly=3)
        key = (shift.int(PMD_SHIFT, PUD_SHIFT), index.int(0, m.model.ptr_max >> PMD_SHIFT))
        m.vmap.page_tables[key] = pfn.int(0, MAX_PFN)


PART: Final = Part("page tables", dump, load)

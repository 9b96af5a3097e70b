"""Reading the reverse map: what a frame of a process or a file is, and who maps it.

`mapping`, `index` and `_mapcount` of struct page say it, in few bits: here they are as the kernel has them,
and as a person reads them.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from app.machine import pte_text
from app.machine.observing import BATCH_NAMES
from app.machine.vma_text import area_line
from app.mm import mem_map, page_ref, pgalloc
from app.mm.mem_map import PAGE_MAPPING_ANON, section
from app.mm.page import PG_locked, PG_lru
from app.mm.pgtable_types import PAGE_SHIFT, SHIFT
from app.mm.vmstat import LRU_NAMES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from app.machine.machine import Machine
    from app.mm.mm_types import AnonVma, VmArea

# Places that are told of one frame, and areas that are looked through for them.
PLACES_SHOWN: Final = 64
AREAS_LOOKED_AT: Final = 4096
AREAS_SHOWN: Final = 256


# -- the fields of struct page ---------------------------------------------------------------------


def user_page(m: Machine, pfn: int) -> dict[str, Any]:
    """What is to be added to a frame that a process or a file uses; nothing to any other."""
    if not mem_map.known(m, pfn):
        return {}
    return {
        "state": shown_state(m, pfn),
        "mapped_by": list(islice(places_of(m, pfn), PLACES_SHOWN)),
        "mapcount": mem_map.page_mapcount(m, pfn),
        "lru": where_on_lru(m, mem_map.compound_head(m, pfn), waiting(m)),
        "meaning": meaning(m, pfn),
    }


def shown_state(m: Machine, pfn: int) -> str:
    """The state as a map shows it: a lock shows over any other."""
    return "locked" if page_ref.page_flags(m, pfn) & PG_locked else page_ref.state_of(m, pfn)


def fields(m: Machine, pfn: int) -> dict[str, Any]:
    """The fields of struct page that differ for pages of processes and files; nothing of any other.

    Kernel: include/linux/mm_types.h. The tails of a compound page keep neither mapping nor index.
    """
    if not mem_map.known(m, pfn):
        return {}
    s, i, head = section(m, pfn), pfn & 511, mem_map.compound_head(m, pfn)
    found: dict[str, Any] = {"_mapcount": s.mapcount[i]}
    if pfn == head:
        word = page_ref.page_mapping(m, pfn)
        found |= {"mapping": f"{word:#x}" if word else None, "index": s.index[i]}
    else:
        found |= {
            "mapping": "0xdead000000000400" if m.model.arch == "x86_64" else "0x400",
            "index": 0,
            "compound_head": f"{m.model.pfn_to_page(head):#x}",
        }
    if s.order:
        found |= {"compound_mapcount": s.compound_mapcount, "compound_order": s.order}
    return found


def meaning(m: Machine, pfn: int) -> dict[str, str]:
    """mapping, index and _mapcount in words."""
    head = mem_map.compound_head(m, pfn)
    return {
        "mapping": mapping_text(m, section(m, head).mapping[head & 511]),
        "index": index_text(m, pfn),
        "_mapcount": mapcount_text(m, pfn),
    }


def mapping_text(m: Machine, number: int) -> str:
    """To what a page belongs."""
    if not number:
        return "none: neither a file's nor an anonymous page"
    if number & PAGE_MAPPING_ANON:
        return f"anonymous (bit 0 is set): anon_vma {number >> 1}, whose areas may map the page"
    inode = m.vm.mappings.get(number >> 1)
    if inode is None:
        return f"the address_space of file {number >> 1}, which is gone"
    kind = "device file" if inode.fs == "bdev" else "file"
    return f"the address_space of the {kind} {inode.name} (inode {inode.ino}, {inode.fs})"


def index_text(m: Machine, pfn: int) -> str:
    """Where in that the page lies."""
    head = mem_map.compound_head(m, pfn)
    number, index = section(m, head).mapping[head & 511], mem_map.index_of(m, pfn)
    if not number:
        return "means nothing without a mapping"
    if number & PAGE_MAPPING_ANON:
        return f"page number {index:#x} of the anon_vma: address {index << PAGE_SHIFT:#x} where nothing moved"
    inode = m.vm.mappings.get(number >> 1)
    if inode is not None and inode.is_hugetlb:
        return f"page {section(m, head).index[head & 511]} of the file, counted in its huge pages"
    return f"page {index} of the file: from byte {index << PAGE_SHIFT} on"


def mapcount_text(m: Machine, pfn: int) -> str:
    """How often the page is mapped: the field is one less, so that -1 means nowhere."""
    s, i = section(m, pfn), pfn & 511
    if s.order:
        return (
            f"{s.mapcount[i]} + 1 = {s.mapcount[i] + 1} mappings of this frame alone, and "
            f"{s.compound_mapcount} + 1 = {s.compound_mapcount + 1} of the whole huge page"
        )
    count = s.mapcount[i] + 1
    return f"{s.mapcount[i]} + 1 = {count} page table entr{'y' if count == 1 else 'ies'}"


def waiting(m: Machine) -> dict[int, str]:
    """The batch of each page that waits in one. Of two batches the one that is emptied last counts."""
    return {
        (page[0] if isinstance(page, tuple) else page): f"batch {BATCH_NAMES[name]}"
        for name, batch in m.vm.batches.items()
        for page in batch
    }


def where_on_lru(m: Machine, head: int, batches: dict[int, str]) -> str | None:
    """The list on which a page stands, or the batch in which it waits to be moved. batches: of `waiting`."""
    if head in batches:
        return batches[head]
    if not mem_map.flags(m, head) & PG_lru:
        return None
    return LRU_NAMES[mem_map.lru_index(m, head)]


# -- who maps a frame ------------------------------------------------------------------------------


def places_of(m: Machine, pfn: int) -> Iterator[dict[str, Any]]:
    """Each place where a frame is mapped: task, address and entry. Kernel: rmap_walk

    Areas in which it might be and is not are left out, as they are by page_vma_mapped_walk.
    """
    names = {task.mm.id: task.name for task in m.tasks.values() if task.mm is not None}
    head = mem_map.compound_head(m, pfn)
    index = mem_map.index_of(m, pfn)
    if head in m.vm.pool_pages:
        index = (section(m, head).index[head & 511] << mem_map.compound_order(m, head)) + pfn - head
    for vma in islice(areas_that_may(m, head), AREAS_LOOKED_AT):
        address = vma.vm_start + (index - vma.vm_pgoff << PAGE_SHIFT)
        if not vma.vm_start <= address < vma.vm_end:
            continue
        level, entry = pgalloc.find_entry(vma.vm_mm, address)
        if pte_text.frame_of(level, entry, address) == pfn:
            yield {
                "task": names.get(vma.vm_mm.id),
                "addr": f"{address:#x}",
                "entry": f"{entry:#x}",
                "flags": pte_text.flags(entry & pte_text.FLAGS),
                "size": 1 << SHIFT[level],
                "vma": area_line(vma),
            }


def areas_that_may(m: Machine, head: int) -> Collection[VmArea]:
    """The areas in which a page may be mapped."""
    number = section(m, head).mapping[head & 511]
    if number & PAGE_MAPPING_ANON:
        anon_vma = m.vm.anon_vmas.get(number >> 1)
        return () if anon_vma is None else anon_vma.vmas
    inode = m.vm.mappings.get(number >> 1)
    return () if inode is None else inode.i_mmap


def anon_vma(m: Machine, pfn: int, limit: int) -> dict[str, Any]:
    """Who maps a frame, and by what that is found. Raises KeyError where there is no such frame."""
    if not m.model.pfn_valid(pfn):
        raise KeyError(pfn)
    if not mem_map.known(m, pfn):
        return {"pfn": pfn, "kind": "none", "mapping": None, "anon_vma": None, "file": None, "mapped_by": [],
                "mapcount": 0, "truncated": False}  # fmt: skip
    head = mem_map.compound_head(m, pfn)
    number = section(m, head).mapping[head & 511]
    inode = None if number & PAGE_MAPPING_ANON else m.vm.mappings.get(number >> 1)
    owner = m.vm.anon_vmas.get(number >> 1) if number & PAGE_MAPPING_ANON else None
    places = list(islice(places_of(m, pfn), limit))
    mapcount = mem_map.page_mapcount(m, pfn)
    return {
        "pfn": pfn,
        "kind": "anon" if number & PAGE_MAPPING_ANON else "none" if inode is None else "file",
        "mapping": f"{page_ref.page_mapping(m, head):#x}" if number else None,
        "anon_vma": None if owner is None else anon_vma_view(m, owner),
        "file": None if inode is None else inode.name,
        "mapped_by": places,
        "mapcount": mapcount,
        "truncated": len(places) < mapcount,
    }


def anon_vma_view(m: Machine, anon: AnonVma) -> dict[str, Any]:
    """An anon_vma and its place among those of a family of processes. Kernel: struct anon_vma"""
    names = {task.mm.id: task.name for task in m.tasks.values() if task.mm is not None}
    return {
        "id": anon.id,
        "address": f"{anon.object:#x}" if anon.object else None,
        "root": anon.root.id,
        "parent": anon.parent.id,
        "refcount": anon.refcount,
        "num_children": anon.num_children,
        "num_active_vmas": anon.num_active_vmas,
        "areas": [
            {"task": names.get(vma.vm_mm.id), **area_line(vma), "own": vma.anon_vma is anon}
            for vma in islice(anon.vmas, AREAS_SHOWN)
        ],
        "areas_count": len(anon.vmas),
    }

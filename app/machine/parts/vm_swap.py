"""Swap in a dump: `vm.swap`, which a machine has only once there was an area.

A map of slots is written as runs of slots that are used alike. An entry, area and slot in one number, is
written as a pair, since such numbers are too large for many readers of JSON.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from app.machine.parts.frames import load_pfn
from app.machine.parts.vm_files import pair
from app.machine.parts.vm_pages import MAX_KEPT, load_bytes, pairs
from app.machine.parts.vm_spaces import MAX_ID, area_at
from app.mm.fs import File
from app.mm.mm_types import MM_SWAPENTS, NO_SWAP_READAHEAD
from app.mm.page import PG_swapcache
from app.mm.swap_info import (
    COUNT_CONTINUED,
    MAX_PAGES,
    SWAP_HAS_CACHE,
    SWAP_MAP_SHMEM,
    SWAPFILE_CLUSTER,
    SWP_SOLIDSTATE,
    SWP_WRITEOK,
    Swap,
    SwapCluster,
    SwapInfo,
)
from app.mm.swapops import MAX_SWAPFILES, is_swap_pte, pte_to_swp_entry, swp_entry, swp_offset

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from app.machine.document import Document
    from app.machine.machine import Machine
    from app.mm.mm_types import MmStruct, VmArea

MAX_VALUE: Final = (1 << 64) - 1
MAX_STOCK: Final = 64
STATE: Final = ("least_priority", "swapin_readahead_hits", "prev_offset", "last_readahead_pages")
BOUNDS: Final = ("prio", "inuse_pages", "lowest_bit", "highest_bit", "cluster_next", "cluster_nr")


# -- writing ---------------------------------------------------------------------------------------


def dump(m: Machine) -> dict[str, Any]:
    """`swap`, where there is any."""
    swap = m.vm.swap
    if swap is None:
        return {}
    return {
        "swap": {
            "nr_swap_pages": m.vm.nr_swap_pages,
            **{name: getattr(swap, name) for name in STATE},
            "stocks": [swap.slot_cache_active, swap.slot_cache_enabled],
            "active": list(swap.active),
            "avail": list(swap.avail),
            "cpus": [[cpu.cur, slots(cpu.slots), slots(cpu.slots_ret)] for cpu in swap.cpu_slots],
            "cache": [[*pair(entry), pfn] for entry, pfn in swap.cache.items()],
            "shadows": [[*pair(entry), shadow] for entry, shadow in sorted(swap.shadows.items())],
            "areas": [None if si is None else area(si) for si in swap.info],
            "windows": [[*place, *vma.swap_readahead] for place, vma in windows(m)],
            "io_deferred": m.vm.io_deferred,
        }
    }


def slots(entries: list[int]) -> list[list[int]]:
    """Slots of a CPU's stock."""
    return [pair(entry) for entry in entries]


def runs(swap_map: bytes | bytearray) -> Iterator[list[int]]:
    """`[slot, slots, use]` of slots that are used."""
    at = 0
    for use, group in groupby(swap_map):
        nr = sum(1 for _ in group)
        if use:
            yield [at, nr, use]
        at += nr


def area(si: SwapInfo) -> dict[str, Any]:
    """One area."""
    clusters = si.cluster_info
    return {
        "inode": si.file.inode.id,
        "path": si.file.path,
        "flags": si.flags,
        "max": si.max,
        **{name: getattr(si, name) for name in BOUNDS},
        "map": [*runs(si.swap_map)],
        "map_address": f"{si.map_address:#x}",
        "continued": pairs(si.continued),
        "continuations": pairs(si.continuations),
        "contents": [[offset, pairs(stored)] for offset, stored in si.contents.items()],
        "forgotten": list(si.forgotten),
        "clusters": None
        if clusters is None
        else [list(clusters.free), clusters.index, clusters.next, si.cluster_next_cpu],
    }


def windows(m: Machine) -> Iterator[tuple[list[int], VmArea]]:
    """Areas of address spaces from which swap was read by address, and where they stand."""
    for mm in m.vm.mms.values():
        for at, vma in enumerate(mm.mmap):
            if vma.swap_readahead != NO_SWAP_READAHEAD:
                yield [mm.id, at], vma


# -- reading ---------------------------------------------------------------------------------------


def load(m: Machine, document: Document) -> None:
    """Inverse of `dump`; address spaces and files are there."""
    if not document.has("swap"):
        return
    doc = document["swap"]
    vm = m.vm
    swap = vm.swap = Swap(m.model.cpus)
    vm.nr_swap_pages = doc["nr_swap_pages"].int(-(1 << 40), 1 << 40)
    for name in STATE:
        setattr(swap, name, doc[name].int(-MAX_SWAPFILES - 1, 1 << 40))
    active, enabled = doc["stocks"].list(2, exactly=2)
    swap.slot_cache_active, swap.slot_cache_enabled = active.bool(), enabled.bool()
    for line in doc["areas"].list(MAX_SWAPFILES):
        swap.info.append(None if line.value is None else load_area(m, line, len(swap.info)))
    swap.nr_rotate_swap = sum(si is not None and not si.flags & SWP_SOLIDSTATE for si in swap.info)
    for name in ("active", "avail"):
        getattr(swap, name).extend(area_number(swap, line) for line in doc[name].list(MAX_SWAPFILES))
    cpus = len(swap.cpu_slots)
    for cpu, line in zip(swap.cpu_slots, doc["cpus"].list(cpus, exactly=cpus), strict=True):
        cur, taken, returned = line.list(3, exactly=3)
        cpu.cur = cur.int(0, MAX_STOCK)
        cpu.slots = [load_entry(swap, *one.list(2, exactly=2)) for one in taken.list(MAX_STOCK)]
        cpu.slots_ret = [load_entry(swap, *one.list(2, exactly=2)) for one in returned.list(MAX_STOCK)]
    for line in doc["cache"].list(MAX_PAGES):
        number, offset, pfn = line.list(3, exactly=3)
        entry = load_entry(swap, number, offset)
        swap.cache[entry] = load_pfn(m, pfn)
        swap.entries[swap.cache[entry]] = entry
    for line in doc["shadows"].list(MAX_PAGES):
        number, offset, shadow = line.list(3, exactly=3)
        swap.shadows[load_entry(swap, number, offset)] = shadow.int(0, MAX_VALUE)
    for line in doc["windows"].list(MAX_ID):
        number, at, page, size, hits = line.list(5, exactly=5)
        found = area_at(m, type_of_pair(line, number, at))
        found.swap_readahead = (page.int(0, 1 << 52), size.int(0, 64), hits.int(0, 64))
    if doc.has("io_deferred"):
        vm.io_deferred = [load_pfn(m, pfn) for pfn in doc["io_deferred"].list(MAX_PAGES)]


def type_of_pair(line: Document, number: Document, at: Document) -> Document:
    """Where an area of an address space stands, as a document of its own."""
    return line.__class__([number.value, at.value], line.loc)


def area_number(swap: Swap, doc: Document) -> int:
    """The number of an area that there is."""
    number = doc.int(0, MAX_SWAPFILES)
    if number >= len(swap.info) or swap.info[number] is None:
        doc.fault("the number of a swap area")
    return number


def load_entry(swap: Swap, number: Document, offset: Document) -> int:
    """Area and slot."""
    kind = area_number(swap, number)
    return swp_entry(kind, offset.int(1, swap.area(kind).max - 1))


def load_area(m: Machine, doc: Document, number: int) -> SwapInfo:
    """Inverse of `area`."""
    inode = m.vm.mappings.get(doc["inode"].int(1, MAX_ID))
    if inode is None:
        doc["inode"].fault("the number of a file")
    most = doc["max"].int(2, MAX_PAGES)
    si = SwapInfo(number, File(inode, path=doc["path"].str(300)), most, doc["flags"].int(0, 0xFF))
    inode.is_swapfile = True
    for name in BOUNDS:
        setattr(si, name, doc[name].int(-MAX_SWAPFILES - 1, max(most, SWAPFILE_CLUSTER[m.model.arch])))
    for line in doc["map"].list(most):
        first, nr, use = line.list(3, exactly=3)
        start = first.int(0, most - 1)
        count = nr.int(1, most - start)
        si.swap_map[start : start + count] = bytes((use.int(1, 0xFF),)) * count
    si.map_address = doc["map_address"].int(0, MAX_VALUE)
    for line in doc["continued"].list(MAX_KEPT):
        at, more = line.list(2, exactly=2)
        si.continued[at.int(1, most - 1)] = more.int(1, 1 << 20)
    for line in doc["continuations"].list(MAX_KEPT):
        at, pfn = line.list(2, exactly=2)
        si.continuations[at.int(0, most >> 12)] = load_pfn(m, pfn)
    for line in doc["contents"].list(MAX_KEPT):
        at, stored = line.list(2, exactly=2)
        si.contents[at.int(1, most - 1)] = load_bytes(stored)
    si.forgotten = dict.fromkeys(doc["forgotten"].ints(1, most - 1, most))
    if doc.has("clusters"):
        load_clusters(m, si, doc["clusters"])
    return si


def load_clusters(m: Machine, si: SwapInfo, doc: Document) -> None:
    """Inverse of `area`: clusters of an area without moving parts."""
    size = SWAPFILE_CLUSTER[m.model.arch]
    clusters = si.cluster_info = SwapCluster(size, m.model.cpus)
    nr = -(-si.max // size)
    clusters.counts = [size - si.swap_map.count(0, at * size, (at + 1) * size) for at in range(nr)]
    free, index, following, following_cpu = doc.list(4, exactly=4)
    cpus = m.model.cpus
    clusters.free = dict.fromkeys(free.ints(0, nr - 1, nr))
    clusters.index = index.ints(-1, nr - 1, cpus, exactly=cpus)
    clusters.next = following.ints(0, nr * size, cpus, exactly=cpus)
    si.cluster_next_cpu = following_cpu.ints(0, si.max, cpus, exactly=cpus)


# -- checking --------------------------------------------------------------------------------------


def verify(m: Machine, named: Counter[int]) -> Iterator[str]:
    """Everything that is wrong with swap, in words. named: how many entries name each slot."""
    swap = m.vm.swap
    if swap is None:
        if named:
            yield "entries name slots, and there is no swap"
        return
    yield from cache_faults(m, swap)
    stocked = {entry for cpu in swap.cpu_slots for entry in (*cpu.slots, *cpu.slots_ret)}
    files = {entry for inode in m.vm.mappings.values() for entry in inode.swapped.values()}
    used = 0
    for si in swap.info:
        if si is None:
            continue
        used += si.inuse_pages if si.flags & SWP_WRITEOK else 0
        slots = [slot for first, nr, _ in runs(si.swap_map) for slot in range(first, first + nr)][1:]
        if len(slots) != si.inuse_pages:
            yield f"swap area {si.type} counts {si.inuse_pages} slots in use of {len(slots)}"
        for offset in slots:
            entry = swp_entry(si.type, offset)
            use = si.swap_map[offset]
            if bool(use & SWAP_HAS_CACHE) != (entry in swap.cache or entry in stocked):
                yield f"slot {offset} of swap area {si.type} is not in the swap cache as it says"
            if count_of(si, offset) != named[entry] + (entry in files):
                yield f"slot {offset} of swap area {si.type} is named {named[entry] + (entry in files)} times"
    if m.vm.total_swap_pages - m.vm.nr_swap_pages != used:
        free, total = m.vm.nr_swap_pages, m.vm.total_swap_pages
        yield f"{free} slots of {total} are said to be free, and {used} are used"


def count_of(si: SwapInfo, offset: int) -> int:
    """How many say that their page is in a slot."""
    count = si.swap_map[offset] & ~SWAP_HAS_CACHE
    if count == SWAP_MAP_SHMEM:
        return 1
    return (count & ~COUNT_CONTINUED) + si.continued.get(offset, 0) * 63


def cache_faults(m: Machine, swap: Swap) -> Iterator[str]:
    """Pages of the swap cache know it, and no others."""
    for entry, pfn in swap.cache.items():
        s = m.vm.sections.get(pfn >> 9)
        if s is None or not s.flags[pfn & 511] & PG_swapcache or swap.entries.get(pfn) != entry:
            yield f"frame {pfn:#x} is not in the swap cache as slot {swp_offset(entry)} says"
    if len(swap.entries) != len(swap.cache):
        yield f"{len(swap.entries)} frames have slots, and {len(swap.cache)} slots have frames"


def named_by(mm: MmStruct, named: Counter[int]) -> int:
    """Count the slots that an address space names; how many entries do."""
    found = 0
    for table in mm.tables[1].values():
        for pte in table.entries:
            if is_swap_pte(pte):
                named[pte_to_swp_entry(pte)] += 1
                found += 1
    return found


def faults_of_space(m: Machine, mm: MmStruct, named: Counter[int]) -> Iterator[str]:
    """What is wrong with an address space's count of pages in swap."""
    counts = [mm.rss_stat, *(task.rss_stat for task in m.tasks.values() if task.mm is mm)]
    counted = sum(count[MM_SWAPENTS] for count in counts)
    found = named_by(mm, named)
    if counted != found:
        yield f"address space {mm.id} counts {counted} pages in swap, and has {found}"

"""What the kernel counts while it works, under the names that /proc shows.

Kernel: mm/vmstat.c, include/linux/vm_event_item.h. There are two kinds. A *state* says how much of something
there is now, for each zone or node; most are read off the machine itself when somebody asks. An *event* says
how often something has happened since boot: those that this machine can cause are counted where the kernel
counts them, and all others are 0 for ever, but stand in their place, because programs find values by line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from app.mm.memory_model import PUD_SHIFT
from app.mm.vmstat_text import ZONES, zone_names

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.mmzone import Zone

# Entries of a node of a file's tree, as a power of two. Kernel: XA_CHUNK_SHIFT
XA_CHUNK_SHIFT: Final = 6
# Lists of pages of processes and files; counters of such pages by their name in /proc and here.
LRU_NAMES: Final = ("inactive_anon", "active_anon", "inactive_file", "active_file", "unevictable")
USER_STATES: Final = {
    "nr_anon_pages": "anon_mapped",
    "nr_mapped": "file_mapped",
    "nr_file_pages": "file_pages",
    "nr_dirty": "file_dirty",
    "nr_shmem": "shmem",
    "nr_anon_transparent_hugepages": "anon_thps",
    "nr_kernel_stack": "kernel_stack_kb",
    "nr_dirtied": "file_dirtied",
    "nr_written": "file_written",
    "nr_swapcached": "swapcached",
    "nr_writeback": "writeback",
    "nr_vmscan_write": "vmscan_write",
    "nr_vmscan_immediate_reclaim": "vmscan_immediate",
}


# -- counting ----------------------------------------------------------------------------------


def count_vm_events(m: Kernel, event: str, delta: int = 1) -> None:
    """Count something that has happened, under its name in /proc/vmstat. Kernel: count_vm_events"""
    m.vm_events[event] = m.vm_events.get(event, 0) + delta


def count_zid_vm_event(m: Kernel, event: str, zid: int, delta: int = 1) -> None:
    """Count something that is counted for each kind of zone. Kernel: __count_zid_vm_events"""
    suffixes = {name: suffix for _, name, suffix in ZONES}
    count_vm_events(m, f"{event}_{suffixes[zone_names(m)[zid]]}", delta)


# -- free memory in pieces -------------------------------------------------------------------------


class ContigPageInfo(NamedTuple):
    """How the free memory of a zone lies, for requests of one order. Kernel: struct contig_page_info

    free_blocks_suitable: how many blocks of that order could be taken.
    """

    free_pages: int
    free_blocks_total: int
    free_blocks_suitable: int


def fill_contig_page_info(nr_free: Sequence[int], suitable_order: int) -> ContigPageInfo:
    """Count a zone's free blocks, given by order. Kernel: fill_contig_page_info"""
    return ContigPageInfo(
        sum(blocks << order for order, blocks in enumerate(nr_free)),
        sum(nr_free),
        sum(blocks << order for order, blocks in enumerate(nr_free[suitable_order:])),
    )


def unusable_free_index(nr_free: Sequence[int], order: int) -> int:
    """The part of a zone's free memory that no request of that order can use, in thousandths.

    Kernel: unusable_free_index, shown in debugfs as extfrag/unusable_index. Without any free memory all of it
    counts as unusable.
    """
    info = fill_contig_page_info(nr_free, order)
    if not info.free_pages:
        return 1000
    return (info.free_pages - (info.free_blocks_suitable << order)) * 1000 // info.free_pages


def fragmentation_index(nr_free: Sequence[int], order: int) -> int:
    """Why a request of that order would fail, in thousandths: 0 for too little memory, 1000 for pieces.

    Kernel: __fragmentation_index, shown in debugfs as extfrag/extfrag_index. It is −1000 where the request
    would not fail. Compaction asks for it, because moving pages together helps only against the second.
    """
    info = fill_contig_page_info(nr_free, order)
    if not info.free_blocks_total:
        return 0
    if info.free_blocks_suitable:
        return -1000
    return 1000 - (1000 + info.free_pages * 1000 // (1 << order)) // info.free_blocks_total


# -- reading -----------------------------------------------------------------------------------


def zone_page_state(zone: Zone) -> dict[str, int]:
    """The counters of a zone that are not zero for ever. Kernel: zone_page_state, zone_numa_event_state

    Once a second each CPU folds its differences into the zone's counter, so whoever reads /proc sees exact
    values; only watermark checks, which come in between, do not.
    """
    return {
        "nr_free_pages": zone.nr_free_pages,
        "numa_hit": zone.nr_alloc - zone.numa_miss,
        "numa_miss": zone.numa_miss,
        "numa_foreign": zone.numa_foreign,
        "numa_local": zone.nr_alloc - zone.numa_other,
        "numa_other": zone.numa_other,
    }


def node_page_state(m: Kernel, nid: int) -> dict[str, int]:
    """The counters of a node that are not zero for ever, in pages. Kernel: node_page_state_pages

    What kmalloc passes through to the page allocator counts as slab memory too, though it is in no slab. A
    negative count, which freeing a plain page by kfree leaves behind, reads as 0.
    """
    return {
        "nr_slab_reclaimable": m.slabs.nr_pages(nid, reclaimable=True),
        "nr_slab_unreclaimable": nr_slab_unreclaimable(m, nid),
        "nr_page_table_pages": nr_page_table_pages(m, nid) + (0 if nid else m.vm.stat["pagetable"]),
        **(user_page_state(m) if not nid else {}),
    }


def nr_slab_unreclaimable(m: Kernel, nid: int) -> int:
    """Pages of a node's slabs and large kmallocs that no shrinker gives back.

    Kernel: NR_SLAB_UNRECLAIMABLE_B
    """
    return max(0, m.nodes[nid].nr_large_kmalloc + m.slabs.nr_pages(nid, reclaimable=False))


def nr_slab_pages(m: Kernel) -> int:
    """Pages of slab memory of all nodes, as `Slab` in /proc/meminfo counts them."""
    return sum(
        m.slabs.nr_pages(node.nid, reclaimable=True) + nr_slab_unreclaimable(m, node.nid) for node in m.nodes
    )


def user_page_state(m: Kernel) -> dict[str, int]:
    """The counters of pages of processes and files, which are kept for all nodes together, with the first."""
    stat = m.vm.stat
    states = {name: stat[ours] for name, ours in USER_STATES.items()}
    return nr_lru(m, "nr_") | states | {"workingset_nodes": workingset_nodes(m)}


def workingset_nodes(m: Kernel, chunk_shift: int = XA_CHUNK_SHIFT) -> int:
    """Nodes of the trees of files that hold shadows and no page, so that they could be freed

    Kernel: mm/workingset.c workingset_update_node. A single entry at the beginning of a file has no node.
    """
    nodes = 0
    for inode in m.vm.mappings.values():
        if inode.shadows:
            pages = {index >> chunk_shift for index in inode.i_pages}
            evicted = {index >> chunk_shift for index in inode.shadows} - pages
            nodes += len(evicted) if any(inode.shadows) or any(inode.i_pages) else 0
    return nodes


def nr_lru(m: Kernel, prefix: str) -> dict[str, int]:
    """How many pages stand on the lists of all nodes, by the name of the counter."""
    return {
        f"{prefix}{name}": sum(lruvec.lists[at].count for lruvec in m.vm.lruvecs)
        for at, name in enumerate(LRU_NAMES)
    }


def user_zone_sums(m: Kernel) -> dict[str, int]:
    """The counters of pages of processes and files that each zone has, of all zones together."""
    pending = m.vm.stat["file_dirty"] + m.vm.stat["writeback"]
    return nr_lru(m, "nr_zone_") | {"nr_zone_write_pending": pending, "nr_mlock": nr_mlock(m)}


def nr_page_table_pages(m: Kernel, nid: int) -> int:
    """Page-table pages of a node. Kernel: NR_PAGETABLE

    Of the kernel's own tables only those of the middle level are counted: the lowest ones come from
    `__pte_alloc_one_kernel`, which does not count.
    """
    tables = m.vmap.page_tables
    return sum(
        shift == PUD_SHIFT and pfn is not None and m.zone_of(pfn).nid == nid
        for (shift, _), pfn in tables.items()
    )


def global_node_page_state(m: Kernel) -> dict[str, int]:
    """The counters of all nodes together."""
    total: dict[str, int] = {}
    for node in m.nodes:
        for name, value in node_page_state(m, node.nid).items():
            total[name] = total.get(name, 0) + value
    return total


def global_zone_page_state(m: Kernel) -> dict[str, int]:
    """The counters of all zones together."""
    total = user_zone_sums(m)
    for zone in m.zones:
        for name, value in zone_page_state(zone).items():
            total[name] = total.get(name, 0) + value
    return total


def nr_mlock(m: Kernel) -> int:
    """Locked pages of all zones. Kernel: NR_MLOCK"""
    return m.vm.stat["mlock"]


def all_vm_events(m: Kernel) -> dict[str, int]:
    """The events that have happened. Kernel: all_vm_events"""
    events = dict(m.vm_events)
    states = ("pagetable", "mlock", *USER_STATES.values())
    events |= {name: count for name, count in m.vm.stat.items() if name not in states}
    suffixes = {name: suffix for _, name, suffix in ZONES}
    for zone in m.zones:
        name = f"pgalloc_{suffixes[zone.name]}"
        events[name] = events.get(name, 0) + zone.pgalloc
    return events

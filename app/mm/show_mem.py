"""The state of memory as the kernel prints it when an allocation fails.

Kernel: lib/show_mem.c __show_mem, mm/page_alloc.c __show_free_areas. It is the first thing to read after
a failure: the zones with their watermarks tell whether memory was short, the last lines whether it was
only scattered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import gfp as gfp_masks
from app.mm.mmzone import MAX_ORDER, MIGRATE_LETTERS, MIGRATE_TYPES, WMARK_HIGH, WMARK_LOW, WMARK_MIN, Zone
from app.mm.slab import SLAB_RECLAIM_ACCOUNT
from app.mm.slab_caches import get_slabinfo, slab_caches

if TYPE_CHECKING:
    from app.mm.kernel import Kernel


def show_mem(m: Kernel, gfp: int) -> str:
    """The whole block, for a request with the given mask: zones that it could never use are left out."""
    highest = gfp_masks.highest_zone(m.zone_index, gfp)
    zones = [zone for zone in m.zones if zone.zid <= highest]
    lines = ["Mem-Info:", totals(m, zones)]
    lines += [node_line(m, nid) for nid in sorted({zone.nid for zone in zones})]
    for zone in zones:
        lines += [zone_line(m, zone), "lowmem_reserve[]: " + " ".join(map(str, zone.lowmem_reserve))]
    lines += [blocks_line(m, zone) for zone in zones]
    if m.model.arch == "x86_64":
        lines += [
            f"Node {node.nid} hugepages_total=0 hugepages_free=0 hugepages_surp=0 hugepages_size=2048kB"
            for node in m.nodes
        ]
    lines += [
        "0 total pagecache pages",
        "0 pages in swap cache",
        "Free swap  = 0kB",
        "Total swap = 0kB",
        f"{sum(zone.present_pages for zone in m.zones)} pages RAM",
        f"{sum(zone.present_pages for zone in m.zones if is_highmem(zone))} pages HighMem/MovableOnly",
        f"{sum(zone.present_pages - zone.managed_pages for zone in m.zones)} pages reserved",
        "0 pages hwpoisoned",
    ]
    return "\n".join(lines)


def is_highmem(zone: Zone) -> bool:
    """Whether the zone has no permanent kernel addresses. Kernel: is_highmem_idx"""
    return zone.name == "HighMem"


def kilobytes(pages: int) -> int:
    """Kernel: K(x)"""
    return pages << 2


def totals(m: Kernel, zones: list[Zone]) -> str:
    """The machine's pages by use. Without a page cache and without processes most of them are zero.

    The kernel's own page tables are counted nowhere.
    """
    free = max(0, sum(zone.vm_stat_free for zone in m.zones))
    reclaimable, unreclaimable = nr_slab_pages(m)
    return "\n".join(
        (
            "active_anon:0 inactive_anon:0 isolated_anon:0",
            " active_file:0 inactive_file:0 isolated_file:0",
            " unevictable:0 dirty:0 writeback:0",
            f" slab_reclaimable:{reclaimable} slab_unreclaimable:{unreclaimable}",
            " mapped:0 shmem:0 pagetables:0",
            " sec_pagetables:0 bounce:0",
            " kernel_misc_reclaimable:0",
            f" free:{free} free_pcp:{sum(map(free_pcp, zones))} free_cma:0",
        )
    )


def nr_slab_pages(m: Kernel) -> tuple[int, int]:
    """Pages of slab caches whose objects can be reclaimed, and of the others."""
    nodes = range(len(m.nodes))
    return (
        sum(m.slabs.nr_pages(nid, reclaimable=True) for nid in nodes),
        sum(m.slabs.nr_pages(nid, reclaimable=False) for nid in nodes),
    )


def unreclaimable_slab_info(m: Kernel) -> str:
    """A line for each cache with objects that cannot be reclaimed.

    Kernel: mm/slab_common.c dump_unreclaimable_slab
    """
    lines = ["Unreclaimable slab info:", "Name                      Used          Total"]
    for s in slab_caches(m):
        active_objs, num_objs = get_slabinfo(s)
        if num_objs and not s.flags & SLAB_RECLAIM_ACCOUNT:
            used, total = (objects * s.size // 1024 for objects in (active_objs, num_objs))
            lines.append(f"{s.name:<17} {used:10}KB {total:10}KB")
    return "\n".join(lines)


def free_pcp(zone: Zone) -> int:
    """Pages on the per-CPU lists of all CPUs."""
    return sum(pcp.count for pcp in zone.pcp)


def node_line(m: Kernel, nid: int) -> str:
    """A node's pages by use."""
    thp = " shmem_thp: 0kB shmem_pmdmapped: 0kB anon_thp: 0kB" if m.model.arch == "x86_64" else ""
    return (
        f"Node {nid} active_anon:0kB inactive_anon:0kB active_file:0kB inactive_file:0kB unevictable:0kB"
        " isolated(anon):0kB isolated(file):0kB mapped:0kB dirty:0kB writeback:0kB shmem:0kB"
        f"{thp} writeback_tmp:0kB kernel_stack:0kB pagetables:0kB sec_pagetables:0kB"
        " all_unreclaimable? no"
    )


def show_node(m: Kernel, zone: Zone) -> str:
    """A kernel that knows no nodes does not name them. Kernel: mm/page_alloc.c show_node"""
    return f"Node {zone.nid} " if m.model.arch == "x86_64" else ""


def zone_line(m: Kernel, zone: Zone) -> str:
    """A zone's free memory against its watermarks."""
    marks = {
        "free": max(0, zone.vm_stat_free),
        "boost": zone.boost,
        "min": zone.wmark_pages(WMARK_MIN),
        "low": zone.wmark_pages(WMARK_LOW),
        "high": zone.wmark_pages(WMARK_HIGH),
    }
    local_pcp = zone.pcp[m.current.cpu].count
    return (
        f"{show_node(m, zone)}{zone.name}"
        + "".join(f" {name}:{kilobytes(pages)}kB" for name, pages in marks.items())
        + f" reserved_highatomic:{kilobytes(zone.nr_reserved_highatomic)}KB"
        " active_anon:0kB inactive_anon:0kB active_file:0kB inactive_file:0kB unevictable:0kB"
        f" writepending:0kB present:{kilobytes(zone.present_pages)}kB"
        f" managed:{kilobytes(zone.managed_pages)}kB mlocked:0kB bounce:0kB"
        f" free_pcp:{kilobytes(free_pcp(zone))}kB local_pcp:{kilobytes(local_pcp)}kB free_cma:0kB"
    )


def blocks_line(m: Kernel, zone: Zone) -> str:
    """A zone's free blocks by order, with the letters of the types that have one."""
    orders = []
    for order in range(MAX_ORDER):
        nr_free = zone.free_area[order].nr_free
        letters = "".join(
            MIGRATE_LETTERS[migratetype]
            for migratetype in range(MIGRATE_TYPES)
            if any(True for _ in zone.free_list_pfns(order, migratetype))
        )
        orders.append(f"{nr_free}*{kilobytes(1 << order)}kB" + (f" ({letters})" if nr_free else ""))
    total = sum(area.nr_free << order for order, area in enumerate(zone.free_area))
    return f"{show_node(m, zone)}{zone.name}: {' '.join(orders)} = {kilobytes(total)}kB"

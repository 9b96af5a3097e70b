"""The state of memory as the kernel prints it when an allocation fails.

Kernel: lib/show_mem.c __show_mem, mm/page_alloc.c __show_free_areas. It is the first thing to read after
a failure: the zones with their watermarks tell whether memory was short, the last lines whether it was
only scattered.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from app.mm import gfp as gfp_masks
from app.mm import vmstat
from app.mm.mmzone import MAX_ORDER, MIGRATE_LETTERS, MIGRATE_TYPES, WMARK_HIGH, WMARK_LOW, WMARK_MIN, Zone
from app.mm.slab import SLAB_RECLAIM_ACCOUNT
from app.mm.slab_caches import get_slabinfo, slab_caches

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

# So often reclaim is tried in vain. Kernel: mm/internal.h
MAX_RECLAIM_RETRIES: Final = 16


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
        lines += [hugepages_line(m, node.nid) for node in m.nodes]
    user = user_pages(m)
    lines += [
        f"{user.get('nr_file_pages', 0)} total pagecache pages",
        f"{user.get('nr_swapcached', 0)} pages in swap cache",
        f"Free swap  = {kilobytes(m.vm.nr_swap_pages)}kB",
        f"Total swap = {kilobytes(m.vm.total_swap_pages)}kB",
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


def user_pages(m: Kernel) -> dict[str, int]:
    """The counters of pages of processes and files. On a machine without reclaim they were not shown."""
    return vmstat.global_node_page_state(m) if m.vm.reclaim else {}


def lru_pages(m: Kernel, nid: int | None = None) -> list[int]:
    """How many pages are on each list of a node, or of all, as decisions see them."""
    if not m.vm.reclaim:
        return [0] * 5
    lruvecs = m.vm.lruvecs if nid is None else [m.vm.lruvec_of_node(nid)]
    return [max(0, sum(lruvec.folded[at] for lruvec in lruvecs)) for at in range(5)]


def totals(m: Kernel, zones: list[Zone]) -> str:
    """The machine's pages by use."""
    free = max(0, sum(zone.vm_stat_free for zone in m.zones))
    reclaimable, unreclaimable = nr_slab_pages(m)
    inactive_anon, active_anon, inactive_file, active_file, unevictable = lru_pages(m)
    user = defaultdict(int, user_pages(m))
    return "\n".join(
        (
            f"active_anon:{active_anon} inactive_anon:{inactive_anon} isolated_anon:0",
            f" active_file:{active_file} inactive_file:{inactive_file} isolated_file:0",
            f" unevictable:{unevictable} dirty:{user['nr_dirty']} writeback:{user['nr_writeback']}",
            f" slab_reclaimable:{reclaimable} slab_unreclaimable:{unreclaimable}",
            f" mapped:{user['nr_mapped']} shmem:{user['nr_shmem']} pagetables:{user['nr_page_table_pages']}",
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


def hugepages_line(m: Kernel, nid: int) -> str:
    """The pool of huge pages. Kernel: mm/hugetlb.c hugetlb_show_meminfo_node"""
    pool = m.vm.hstates.get(9) if m.vm.reclaim and not nid else None
    total, free = (0, 0) if pool is None else (pool.total, len(pool.freelist))
    return f"Node {nid} hugepages_total={total} hugepages_free={free} hugepages_surp=0 hugepages_size=2048kB"


def node_line(m: Kernel, nid: int) -> str:
    """A node's pages by use. What is not counted for each node is shown with the first."""
    inactive_anon, active_anon, inactive_file, active_file, unevictable = map(kilobytes, lru_pages(m, nid))
    state = vmstat.node_page_state(m, nid) if m.vm.reclaim else {}
    user = defaultdict(int, {name: kilobytes(pages) for name, pages in state.items()})
    thp = ""
    if m.model.arch == "x86_64":
        huge = user["nr_anon_transparent_hugepages"]
        thp = f" shmem_thp: 0kB shmem_pmdmapped: 0kB anon_thp: {huge}kB"
    return (
        f"Node {nid} active_anon:{active_anon}kB inactive_anon:{inactive_anon}kB"
        f" active_file:{active_file}kB inactive_file:{inactive_file}kB unevictable:{unevictable}kB"
        f" isolated(anon):0kB isolated(file):0kB mapped:{user['nr_mapped']}kB dirty:{user['nr_dirty']}kB"
        f" writeback:{user['nr_writeback']}kB shmem:{user['nr_shmem']}kB"
        f"{thp} writeback_tmp:0kB kernel_stack:{state.get('nr_kernel_stack', 0)}kB"
        f" pagetables:{user['nr_page_table_pages']}kB sec_pagetables:0kB"
        f" all_unreclaimable? {'yes' if is_hopeless(m, nid) else 'no'}"
    )


def is_hopeless(m: Kernel, nid: int) -> bool:
    """Whether kswapd of a node has given up. Kernel: pgdat->kswapd_failures"""
    return m.nodes[nid].kswapd_failures >= MAX_RECLAIM_RETRIES


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
    lists = [kilobytes(max(0, pages)) for pages in zone.lru_folded] if m.vm.reclaim else [0] * 5
    inactive_anon, active_anon, inactive_file, active_file, unevictable = lists
    mlocked, pending = map(kilobytes, locked_and_pending(m, zone))
    return (
        f"{show_node(m, zone)}{zone.name}"
        + "".join(f" {name}:{kilobytes(pages)}kB" for name, pages in marks.items())
        + f" reserved_highatomic:{kilobytes(zone.nr_reserved_highatomic)}KB"
        f" active_anon:{active_anon}kB inactive_anon:{inactive_anon}kB active_file:{active_file}kB"
        f" inactive_file:{inactive_file}kB unevictable:{unevictable}kB"
        f" writepending:{pending}kB present:{kilobytes(zone.present_pages)}kB"
        f" managed:{kilobytes(zone.managed_pages)}kB mlocked:{mlocked}kB bounce:0kB"
        f" free_pcp:{kilobytes(free_pcp(zone))}kB local_pcp:{kilobytes(local_pcp)}kB free_cma:0kB"
    )


def locked_and_pending(m: Kernel, zone: Zone) -> tuple[int, int]:
    """Pages of a zone that are locked into memory, and those that wait to be written."""
    if not m.vm.reclaim or not (m.vm.stat["mlock"] or m.vm.stat["file_dirty"]):
        return 0, 0
    state = m.user_zone_states()[zone]
    return state["nr_mlock"], state["nr_zone_write_pending"]


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

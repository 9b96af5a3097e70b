"""/proc/meminfo: the machine's memory by use. Kernel: fs/proc/meminfo.c, mm/page_alloc.c si_meminfo

Lines about what no machine here has are 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import vmstat, vmstat_text
from app.mm.mmzone import PAGEBLOCK_NR_PAGES, WMARK_LOW
from app.mm.wmarks import is_highmem, totalreserve_pages

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

OVERCOMMIT_RATIO: Final = 50
HPAGE_KB: Final = 2048
# Pages of per-CPU memory for each CPU, and 2 MiB pages of the direct map that the kernel has split by the end
# of boot to protect its own image: both as measured on Debian's kernels and on the small one.
PERCPU_PAGES: Final = {"x86_64": 65, "i386": 33, "plain": 51}
BOOT_SPLITS: Final = {"x86_64": 10, "i386": 3, "plain": 6}

# Option that a group of lines needs, and the lines in the kernel's order; / marks a number that is no size.
LINES: Final[vmstat_text.Names] = (
    (
        "",
        """
        MemTotal MemFree MemAvailable Buffers Cached SwapCached Active Inactive Active(anon)
        Inactive(anon) Active(file) Inactive(file) Unevictable Mlocked
        """,
    ),
    ("HIGHMEM", "HighTotal HighFree LowTotal LowFree"),
    ("", "SwapTotal SwapFree"),
    ("ZSWAP", "Zswap Zswapped"),
    (
        "",
        """
        Dirty Writeback AnonPages Mapped Shmem KReclaimable Slab SReclaimable SUnreclaim KernelStack
        PageTables SecPageTables NFS_Unstable Bounce WritebackTmp CommitLimit Committed_AS
        VmallocTotal VmallocUsed VmallocChunk Percpu
        """,
    ),
    ("MEMORY_FAILURE", "HardwareCorrupted"),
    (
        "",
        """
        AnonHugePages ShmemHugePages ShmemPmdMapped FileHugePages FilePmdMapped HugePages_Total/
        HugePages_Free/ HugePages_Rsvd/ HugePages_Surp/ Hugepagesize Hugetlb DirectMap4k DirectMap2M
        """,
    ),
)


def show(m: Kernel) -> str:
    """A line for each use, in kilobytes."""
    values = {name: pages << 2 for name, pages in pages_by_use(m).items()}
    values["VmallocTotal"] = (m.vmap.vmalloc_end - m.vmap.vmalloc_start) >> 10
    values["Hugepagesize"] = HPAGE_KB
    values |= huge_pages(m)
    lines = []
    for name in vmstat_text.names(m, LINES):
        label, unit = (f"{name[:-1]}:", "") if name.endswith("/") else (f"{name}:", " kB")
        width = 24 - max(16, len(label))
        lines.append(f"{label:<16}{values.get(name, 0):{width}}{unit}\n")
    return "".join(lines)


def pages_by_use(m: Kernel) -> dict[str, int]:
    """The lines that are not zero on every machine, in pages."""
    state = vmstat.global_node_page_state(m)
    total = sum(zone.managed_pages for zone in m.zones)
    high = [zone for zone in m.zones if is_highmem(m, zone)]
    high_total = sum(zone.managed_pages for zone in high)
    high_free = sum(zone.nr_free_pages for zone in high)
    kernel = kernel_name(m)
    small, large = direct_map(m)
    return user_pages(m, state) | {
        "MemTotal": total,
        "MemFree": m.nr_free_pages,
        "MemAvailable": si_mem_available(m, state["nr_slab_reclaimable"]),
        "HighTotal": high_total,
        "HighFree": high_free,
        "LowTotal": total - high_total,
        "LowFree": m.nr_free_pages - high_free,
        "KReclaimable": state["nr_slab_reclaimable"],
        "Slab": state["nr_slab_reclaimable"] + state["nr_slab_unreclaimable"],
        "SReclaimable": state["nr_slab_reclaimable"],
        "SUnreclaim": state["nr_slab_unreclaimable"],
        "PageTables": state["nr_page_table_pages"],
        "CommitLimit": total * OVERCOMMIT_RATIO // 100 + m.vm.total_swap_pages,
        "VmallocUsed": m.vmap.nr_vmalloc_pages,
        "Percpu": PERCPU_PAGES[kernel] * m.model.cpus,
        "DirectMap4k": small,
        "DirectMap2M": large,
    }


def user_pages(m: Kernel, state: dict[str, int]) -> dict[str, int]:
    """The lines of processes and files, in pages. Kernel: meminfo_proc_show"""
    pools = m.vm.hstates.values()
    anon = state["nr_inactive_anon"], state["nr_active_anon"]
    file = state["nr_inactive_file"], state["nr_active_file"]
    buffers = sum(len(inode.i_pages) for inode in m.vm.mappings.values() if inode.fs == "bdev")
    return {
        "Buffers": buffers,
        "Cached": state["nr_file_pages"] - state["nr_swapcached"] - buffers,
        "SwapCached": state["nr_swapcached"],
        "SwapTotal": m.vm.total_swap_pages,
        "SwapFree": m.vm.nr_swap_pages,
        "Writeback": state["nr_writeback"],
        "Inactive": anon[0] + file[0],
        "Active": anon[1] + file[1],
        "Inactive(anon)": anon[0],
        "Active(anon)": anon[1],
        "Inactive(file)": file[0],
        "Active(file)": file[1],
        "Unevictable": state["nr_unevictable"],
        "Mlocked": vmstat.nr_mlock(m),
        "Dirty": state["nr_dirty"],
        "AnonPages": state["nr_anon_pages"],
        "Mapped": state["nr_mapped"],
        "Shmem": state["nr_shmem"],
        "KernelStack": state["nr_kernel_stack"] >> 2,
        "Committed_AS": m.vm.vm_committed,
        "AnonHugePages": state["nr_anon_transparent_hugepages"],
        "Hugetlb": sum(pool.total << pool.order for pool in pools),
    }


def huge_pages(m: Kernel) -> dict[str, int]:
    """The lines that count huge pages of the pool. Kernel: hugetlb_report_meminfo"""
    pool = m.vm.hstates.get(9)
    if pool is None:
        return {}
    return {
        "HugePages_Total/": pool.total,
        "HugePages_Free/": len(pool.freelist),
        "HugePages_Rsvd/": pool.reserved,
    }


def kernel_name(m: Kernel) -> str:
    """Which of the measured kernels the machine runs."""
    return "plain" if vmstat_text.config(m) is vmstat_text.PLAIN else m.model.arch


def si_mem_available(m: Kernel, reclaimable: int) -> int:
    """An estimate of what can be had without swapping. Kernel: si_mem_available

    Free memory above what the zones reserve, and those halves of the page cache and of reclaimable slab
    memory which are likely not in use.
    """
    wmark_low = sum(zone.wmark_pages(WMARK_LOW) for zone in m.zones)
    available = m.nr_free_pages - sum(totalreserve_pages(m, node.nid) for node in m.nodes)
    pagecache = sum(lruvec.lists[at].count for lruvec in m.vm.lruvecs for at in (2, 3))
    available += pagecache - min(pagecache // 2, wmark_low)
    return max(0, available + reclaimable - min(reclaimable // 2, wmark_low))


# -- the direct map ----------------------------------------------------------------------------


def direct_map(m: Kernel) -> tuple[int, int]:
    """Frames of the direct map in pages of 4 KiB, and those in pages of 2 MiB. Kernel: init_memory_mapping

    Large pages cost less page tables and fewer TLB entries, so all that is aligned is mapped by them, but for
    the first 2 MiB and for what has been split since.
    """
    small = large = 0
    for first, end in mapped_ranges(m):
        aligned = max(-(-first // PAGEBLOCK_NR_PAGES), 1) * PAGEBLOCK_NR_PAGES
        frames = max(0, end // PAGEBLOCK_NR_PAGES * PAGEBLOCK_NR_PAGES - aligned)
        large += frames
        small += end - first - frames
    split = min(large, BOOT_SPLITS[kernel_name(m)] * PAGEBLOCK_NR_PAGES)
    return small + split, large - split


def mapped_ranges(m: Kernel) -> list[list[int]]:
    """RAM that the direct map reaches, as `[first, end)`: from frame 0, without the hole below 4 GiB."""
    ranges: list[list[int]] = []
    for zone in sorted(m.zones, key=lambda zone: zone.start_pfn):
        end = zone.end_pfn if zone.hole_pfn == zone.end_pfn else zone.start_pfn + zone.present_pages
        end = min(end, m.model.max_low_pfn)
        if ranges and ranges[-1][1] == zone.start_pfn:
            ranges[-1][1] = end
        elif zone.start_pfn < end:
            ranges.append([zone.start_pfn if ranges else 0, end])
    return ranges

"""The names of the counters, in the order in which /proc shows them. Kernel: mm/vmstat.c vmstat_text

Which names exist depends on what the kernel was built with, so each group of names comes with the option that
it needs. Programs find values by line: a counter that this machine never moves still stands in its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

# The kernels that were recorded, by the options that are to be seen in /proc.
DEBIAN_I386: Final = frozenset((
    "HIGHMEM", "KSM", "MEMORY_BALLOON", "MEMORY_FAILURE", "SWAP", "ZSMALLOC", "ZSWAP",
))  # fmt: skip
DEBIAN_X86_64: Final = (DEBIAN_I386 - {"HIGHMEM"}) | {
    "HAVE_ARCH_TRANSPARENT_HUGEPAGE_PUD", "NUMA", "NUMA_BALANCING", "ZONE_DEVICE", "ZONE_DMA32",
}  # fmt: skip
PLAIN: Final = frozenset(("HAVE_ARCH_TRANSPARENT_HUGEPAGE_PUD", "NUMA", "ZONE_DMA32"))

# Option that a group of names needs ("" for none) and the names, in the kernel's order.
Names = tuple[tuple[str, str], ...]

# Zones by their index, as they are called and as events name them.
ZONES: Final[tuple[tuple[str, str, str], ...]] = (
    ("", "DMA", "dma"),
    ("ZONE_DMA32", "DMA32", "dma32"),
    ("", "Normal", "normal"),
    ("HIGHMEM", "HighMem", "high"),
    ("", "Movable", "movable"),
    ("ZONE_DEVICE", "Device", "device"),
)
ZONE_STATS: Final[Names] = (
    (
        "",
        """
        nr_free_pages nr_zone_inactive_anon nr_zone_active_anon nr_zone_inactive_file
        nr_zone_active_file nr_zone_unevictable nr_zone_write_pending nr_mlock nr_bounce
        """,
    ),
    ("ZSMALLOC", "nr_zspages"),
    ("", "nr_free_cma"),
)
NUMA_EVENTS: Final[Names] = (
    ("NUMA", "numa_hit numa_miss numa_foreign numa_interleave numa_local numa_other"),
)
NODE_STATS: Final[Names] = (
    (
        "",
        """
        nr_inactive_anon nr_active_anon nr_inactive_file nr_active_file nr_unevictable
        nr_slab_reclaimable nr_slab_unreclaimable nr_isolated_anon nr_isolated_file workingset_nodes
        workingset_refault_anon workingset_refault_file workingset_activate_anon
        workingset_activate_file workingset_restore_anon workingset_restore_file
        workingset_nodereclaim nr_anon_pages nr_mapped nr_file_pages nr_dirty nr_writeback
        nr_writeback_temp nr_shmem nr_shmem_hugepages nr_shmem_pmdmapped nr_file_hugepages
        nr_file_pmdmapped nr_anon_transparent_hugepages nr_vmscan_write nr_vmscan_immediate_reclaim
        nr_dirtied nr_written nr_throttled_written nr_kernel_misc_reclaimable nr_foll_pin_acquired
        nr_foll_pin_released nr_kernel_stack nr_page_table_pages nr_sec_page_table_pages
        """,
    ),
    ("SWAP", "nr_swapcached"),
    ("NUMA_BALANCING", "pgpromote_success pgpromote_candidate"),
)
# A name that ends with * stands for one of each zone.
VM_EVENTS: Final[Names] = (
    ("", "pgpgin pgpgout pswpin pswpout pgalloc_* allocstall_* pgskip_*"),
    (
        "",
        """
        pgfree pgactivate pgdeactivate pglazyfree pgfault pgmajfault pglazyfreed pgrefill pgreuse
        pgsteal_kswapd pgsteal_direct pgdemote_kswapd pgdemote_direct pgscan_kswapd pgscan_direct
        pgscan_direct_throttle pgscan_anon pgscan_file pgsteal_anon pgsteal_file
        """,
    ),
    ("NUMA", "zone_reclaim_failed"),
    (
        "",
        """
        pginodesteal slabs_scanned kswapd_inodesteal kswapd_low_wmark_hit_quickly
        kswapd_high_wmark_hit_quickly pageoutrun pgrotated drop_pagecache drop_slab oom_kill
        """,
    ),
    (
        "NUMA_BALANCING",
        "numa_pte_updates numa_huge_pte_updates numa_hint_faults numa_hint_faults_local numa_pages_migrated",
    ),
    (
        "",
        """
        pgmigrate_success pgmigrate_fail thp_migration_success thp_migration_fail
        thp_migration_split compact_migrate_scanned compact_free_scanned compact_isolated
        compact_stall compact_fail compact_success compact_daemon_wake
        compact_daemon_migrate_scanned compact_daemon_free_scanned htlb_buddy_alloc_success
        htlb_buddy_alloc_fail unevictable_pgs_culled unevictable_pgs_scanned unevictable_pgs_rescued
        unevictable_pgs_mlocked unevictable_pgs_munlocked unevictable_pgs_cleared
        unevictable_pgs_stranded thp_fault_alloc thp_fault_fallback thp_fault_fallback_charge
        thp_collapse_alloc thp_collapse_alloc_failed thp_file_alloc thp_file_fallback
        thp_file_fallback_charge thp_file_mapped thp_split_page thp_split_page_failed
        thp_deferred_split_page thp_split_pmd thp_scan_exceed_none_pte thp_scan_exceed_swap_pte
        thp_scan_exceed_share_pte
        """,
    ),
    ("HAVE_ARCH_TRANSPARENT_HUGEPAGE_PUD", "thp_split_pud"),
    ("", "thp_zero_page_alloc thp_zero_page_alloc_failed thp_swpout thp_swpout_fallback"),
    ("MEMORY_BALLOON", "balloon_inflate balloon_deflate balloon_migrate"),
    ("SWAP", "swap_ra swap_ra_hit"),
    ("KSM", "ksm_swpin_copy cow_ksm"),
    ("ZSWAP", "zswpin zswpout"),
    ("", "direct_map_level2_splits direct_map_level3_splits"),
)


def config(m: Kernel) -> frozenset[str]:
    """Options that the machine's kernel was built with.

    A machine made from a profile runs Debian's kernel; so does a dump, unless its release says that it is the
    small one.
    """
    if "plain" in str(m.kernel.get("release", "")):
        return PLAIN
    return DEBIAN_I386 if m.model.arch == "i386" else DEBIAN_X86_64


def zone_names(m: Kernel) -> list[str]:
    """The kinds of zone that the kernel knows, by index, whether or not the machine has memory for them."""
    options = config(m)
    return [name for option, name, _ in ZONES if not option or option in options]


def names(m: Kernel, groups: Names) -> list[str]:
    """The names of a table that exist on this machine, in order."""
    options = config(m)
    suffixes = [suffix for option, _, suffix in ZONES if not option or option in options]
    found: list[str] = []
    for option, group in groups:
        if option and option not in options:
            continue
        for name in group.split():
            found += [name[:-1] + suffix for suffix in suffixes] if name.endswith("*") else [name]
    return found

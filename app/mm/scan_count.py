"""How many pages of each list reclaim looks at: the balance between processes' memory and files.

Kernel: mm/vmscan.c prepare_scan_count, get_scan_count. File pages can be read again, anonymous ones must be
written to swap first; but a page cache that is taken away from its users costs reads without end. So the
kernel counts what reclaim of each kind has cost lately, and puts less pressure on the dearer one.
"""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING, Final

from app.mm.lruvec import (
    LRU_ACTIVE_ANON,
    LRU_ACTIVE_FILE,
    LRU_INACTIVE_ANON,
    LRU_INACTIVE_FILE,
    WORKINGSET_ACTIVATE,
    Lruvec,
    lruvec_lru_size,
)
from app.mm.mmzone import WMARK_HIGH
from app.mm.pgtable_types import PAGE_SHIFT
from app.mm.scan_control import DEACTIVATE_ANON, DEACTIVATE_FILE, ScanControl

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

# One GiB in pages, by which a small list is told from a large one.
GIB_SHIFT: Final = 30 - PAGE_SHIFT


def inactive_is_low(lruvec: Lruvec, inactive_lru: int) -> bool:
    """Whether pages have to be moved from the active list. Kernel: inactive_is_low

    Every page shall have a chance to be used again while it is inactive. The more memory, the smaller the
    part of it that is enough for that.
    """
    inactive, active = lruvec.folded[inactive_lru], lruvec.folded[inactive_lru + 1]
    return inactive * inactive_ratio(inactive + active) < active


def inactive_ratio(pages: int) -> int:
    """How many times as long as the inactive list the active one may be. Kernel: inactive_is_low"""
    gigabytes = pages >> GIB_SHIFT
    return isqrt(10 * gigabytes) if gigabytes else 1


def can_reclaim_anon_pages(m: Kernel) -> bool:
    """Whether anonymous pages have anywhere to go. Kernel: can_reclaim_anon_pages"""
    return m.vm.nr_swap_pages > 0


def prepare_scan_count(m: Kernel, nid: int, lruvec: Lruvec, sc: ScanControl) -> None:
    """Look at the node once before its lists are scanned. Kernel: prepare_scan_count

    Active pages are deactivated where the inactive list is short, or where pages that were evicted come back:
    then a new set of pages is in use, and the active ones may be stale.
    """
    folded = lruvec.folded
    sc.anon_cost, sc.file_cost = lruvec.anon_cost, lruvec.file_cost
    if sc.force_deactivate:
        sc.may_deactivate = DEACTIVATE_ANON | DEACTIVATE_FILE
    else:
        sc.may_deactivate = 0
        for file, bit in ((0, DEACTIVATE_ANON), (1, DEACTIVATE_FILE)):
            refaulted = folded[WORKINGSET_ACTIVATE + file] != lruvec.refaults[file]
            if refaulted or inactive_is_low(lruvec, 2 * file):
                sc.may_deactivate |= bit
    sc.cache_trim_mode = bool(
        folded[LRU_INACTIVE_FILE] >> sc.priority and not sc.may_deactivate & DEACTIVATE_FILE
    )
    zones = [zone for zone in m.zones if zone.nid == nid and zone.managed_pages]
    free = sum(zone.vm_stat_free for zone in zones)
    file_pages = folded[LRU_ACTIVE_FILE] + folded[LRU_INACTIVE_FILE]
    sc.file_is_tiny = bool(
        file_pages + free <= sum(zone.wmark_pages(WMARK_HIGH) for zone in zones)
        and not sc.may_deactivate & DEACTIVATE_ANON
        and folded[LRU_INACTIVE_ANON] >> sc.priority
    )


def scan_balance(m: Kernel, sc: ScanControl) -> str:
    """Which kinds are scanned: `file` or `anon` alone, both `equal`, or in `fractions`

    Kernel: get_scan_count
    """
    if not sc.may_swap or not can_reclaim_anon_pages(m):
        return "file"
    if not sc.priority and m.swappiness:
        return "equal"
    if sc.file_is_tiny:
        return "anon"
    return "file" if sc.cache_trim_mode else "fractions"


def fractions(swappiness: int, anon_cost: int, file_cost: int) -> tuple[int, int]:
    """The pressure on anonymous and on file pages, to be divided by their sum. Kernel: get_scan_count

    swappiness: 0 to 200, how dear it is to read a page of a file again, compared to one from swap. The
    pressure on a kind is inverse to what it cost, but at least a third goes to each before swappiness.
    """
    total = anon_cost + file_cost
    anon, file = total + anon_cost, total + file_cost
    total = anon + file
    return swappiness * (total + 1) // (anon + 1), (200 - swappiness) * (total + 1) // (file + 1)


def get_scan_count(m: Kernel, nid: int, lruvec: Lruvec, sc: ScanControl) -> list[int]:
    """How many pages of each of the four lists to look at. Kernel: get_scan_count

    A list that is smaller than 2^priority is not looked at: on a small machine the first priorities do
    nothing.
    """
    balance = scan_balance(m, sc)
    pressure = fractions(m.swappiness, sc.anon_cost, sc.file_cost)
    sizes = [lruvec_lru_size(m, lruvec, lru, sc.reclaim_idx) for lru in range(4)]
    targets = []
    for lru in (LRU_INACTIVE_ANON, LRU_ACTIVE_ANON, LRU_INACTIVE_FILE, LRU_ACTIVE_FILE):
        file = lru >= LRU_INACTIVE_FILE
        scan = sizes[lru] >> sc.priority
        if balance == "fractions":
            scan = scan * pressure[file] // sum(pressure)
        elif balance in ("anon", "file") and (balance == "file") != file:
            scan = 0
        targets.append(scan)
    if m.trace is not None:
        m.trace.vmscan.scan_count(nid, sc, balance, sizes, pressure, targets)
    return targets

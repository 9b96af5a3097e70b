"""What one run of reclaim is for, how far it may go, and what it has done so far.

Kernel: mm/vmscan.c struct scan_control, struct reclaim_stat. One object goes through all of a run, from the
node down to the page, so that each function knows on whose behalf it works.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from app.mm.mmzone import Zone

# How many pages are looked at in one go, and how many a direct reclaim is content with.
SWAP_CLUSTER_MAX: Final = 32
# A run looks at first at a 2^12th of each list. Kernel: DEF_PRIORITY
DEF_PRIORITY: Final = 12

DEACTIVATE_ANON: Final = 1
DEACTIVATE_FILE: Final = 2


class ScanControl:
    """One run of reclaim. Kernel: struct scan_control

    order, gfp_mask: of the request that could not be served. reclaim_idx: index of the highest zone whose
    pages would help. kswapd: whether the node's kernel thread runs it. priority: each list is scanned by its
    size divided by 2^priority. may_deactivate: `DEACTIVATE_ANON`, `DEACTIVATE_FILE`. zonelist: the zones that
    a direct reclaim may take from, in the request's order.
    """

    __slots__ = (
        "anon_cost", "cache_trim_mode", "compaction_ready", "file_cost", "file_is_tiny", "force_deactivate",
        "gfp_mask", "kswapd", "may_deactivate", "may_swap", "may_writepage", "nr", "nr_reclaimed",
        "nr_scanned", "nr_to_reclaim", "order", "priority", "reclaim_idx", "skipped_deactivate",
        "swapped_out", "total_scanned", "written", "zonelist",
    )  # fmt: skip

    def __init__(
        self, gfp_mask: int, order: int, reclaim_idx: int, zonelist: tuple[Zone, ...], *, kswapd: bool = False
    ) -> None:
        self.gfp_mask = gfp_mask
        self.order = order
        self.reclaim_idx = reclaim_idx
        self.zonelist = zonelist
        self.kswapd = kswapd
        self.nr_to_reclaim = SWAP_CLUSTER_MAX
        self.priority = DEF_PRIORITY
        self.may_writepage = True
        self.may_swap = True
        self.may_deactivate = 0
        self.force_deactivate = False
        self.skipped_deactivate = False
        self.cache_trim_mode = False
        self.file_is_tiny = False
        self.compaction_ready = False
        self.anon_cost = 0
        self.file_cost = 0
        self.nr_scanned = 0
        self.nr_reclaimed = 0
        self.nr = NodeStat()
        # For the outcome of the call: over all priorities.
        self.total_scanned = 0
        self.swapped_out = 0
        self.written = 0


class NodeStat:
    """What the pages of one `shrink_node` were like, in pages. Kernel: struct scan_control nr

    By it kswapd learns that the tail of the lists is all dirty, or all under writeback.
    """

    __slots__ = ("congested", "dirty", "file_taken", "immediate", "taken", "unqueued_dirty", "writeback")

    def __init__(self) -> None:
        self.dirty = 0
        self.unqueued_dirty = 0
        self.congested = 0
        self.writeback = 0
        self.immediate = 0
        self.file_taken = 0
        self.taken = 0


class ReclaimStat:
    """What became of the pages of one `shrink_folio_list`. Kernel: struct reclaim_stat

    activated: anonymous and file pages.
    """

    __slots__ = (
        "activated", "congested", "dirty", "immediate", "lazyfree_fail", "pageout", "ref_keep", "unmap_fail",
        "unqueued_dirty", "writeback",
    )  # fmt: skip

    def __init__(self) -> None:
        self.dirty = 0
        self.unqueued_dirty = 0
        self.congested = 0
        self.writeback = 0
        self.immediate = 0
        self.pageout = 0
        self.activated = [0, 0]
        self.ref_keep = 0
        self.unmap_fail = 0
        self.lazyfree_fail = 0

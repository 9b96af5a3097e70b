"""Whether compacting a zone is worth the trouble.

Kernel: mm/compaction.c compaction_suitable, compaction_deferred. Moving pages needs free frames to move them
to; and it only helps where free memory is there, but in pieces. After a failure it is not tried again at
once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import freelist, vmstat
from app.mm.compact_control import (
    COMPACT_CONTINUE,
    COMPACT_NOT_SUITABLE_ZONE,
    COMPACT_SKIPPED,
    COMPACT_SUCCESS,
    WHOLE,
)
from app.mm.internal import ALLOC_WMARK_MASK, AllocContext
from app.mm.mmzone import PAGE_ALLOC_COSTLY_ORDER, WMARK_LOW, WMARK_MIN, Zone

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

# At most this much of the fragmentation index is want of memory. Kernel: sysctl_extfrag_threshold
EXTFRAG_THRESHOLD: Final = 500
COMPACT_MAX_DEFER_SHIFT: Final = 6


def compact_gap(order: int) -> int:
    """Free frames that a run needs above the mark. Kernel: include/linux/compaction.h compact_gap"""
    return 2 << order


def compactable(m: Kernel, order: int, ac: AllocContext) -> bool:
    """Whether any zone has room enough to move pages about in. Kernel: mm/compaction.c compaction_suitable

    Asked on machines without reclaim, where nothing is moved.
    """
    return any(enough_room(zone, order, ac.highest_zoneidx, zone.vm_stat_free) for zone in ac.zonelist)


def enough_room(zone: Zone, order: int, highest_zoneidx: int, free_pages: int) -> bool:
    """Whether a zone can lend so many frames; for costly orders it must stay above low, else above min."""
    mark = zone.wmark_pages(WMARK_LOW if order > PAGE_ALLOC_COSTLY_ORDER else WMARK_MIN)
    return freelist.zone_watermark_ok(zone, 0, mark + compact_gap(order), highest_zoneidx, 0, free_pages)


def suitable(zone: Zone, order: int, alloc_flags: int, highest_zoneidx: int, free_pages: int) -> int:
    """Whether the block is there already, or too little is free to move anything.

    Kernel: __compaction_suitable. Returns a COMPACT_ result.
    """
    if order == WHOLE:
        return COMPACT_CONTINUE
    mark = zone.wmark_pages(alloc_flags & ALLOC_WMARK_MASK)
    if freelist.zone_watermark_ok(zone, order, mark, highest_zoneidx, alloc_flags, zone.vm_stat_free):
        return COMPACT_SUCCESS
    if not enough_room(zone, order, highest_zoneidx, free_pages):
        return COMPACT_SKIPPED
    return COMPACT_CONTINUE


def compaction_suitable(m: Kernel, zone: Zone, order: int, alloc_flags: int, highest_zoneidx: int) -> int:
    """Whether to compact a zone now: `COMPACT_CONTINUE` for yes. Kernel: compaction_suitable

    A request of a costly order may fail, so it is not worth moving anything where memory is short rather
    than in pieces: the fragmentation index tells the two apart.
    """
    ret = suitable(zone, order, alloc_flags, highest_zoneidx, zone.vm_stat_free)
    index = None
    if ret == COMPACT_CONTINUE and order > PAGE_ALLOC_COSTLY_ORDER:
        index = vmstat.fragmentation_index([area.nr_free for area in zone.free_area], order)
        if 0 <= index <= EXTFRAG_THRESHOLD:
            ret = COMPACT_NOT_SUITABLE_ZONE
    if m.trace is not None:
        m.trace.compaction.suitable(zone, order, ret, index)
    return COMPACT_SKIPPED if ret == COMPACT_NOT_SUITABLE_ZONE else ret


# -- deferral --------------------------------------------------------------------------------------


def defer_compaction(m: Kernel, zone: Zone, order: int) -> None:
    """A run was in vain: twice as many are skipped as last time, at most 64. Kernel: defer_compaction"""
    state = zone.compact
    state.considered = 0
    state.defer_shift = min(state.defer_shift + 1, COMPACT_MAX_DEFER_SHIFT)
    state.order_failed = min(state.order_failed, order)
    if m.trace is not None:
        m.trace.compaction.deferral("mm_compaction_defer_compaction", zone, order)


def compaction_deferred(m: Kernel, zone: Zone, order: int) -> bool:
    """Whether this run is one of those that are skipped. Kernel: compaction_deferred"""
    state = zone.compact
    if order < state.order_failed:
        return False
    state.considered = min(state.considered + 1, 1 << state.defer_shift)
    if state.considered >= 1 << state.defer_shift:
        return False
    if m.trace is not None:
        m.trace.compaction.deferral("mm_compaction_deferred", zone, order)
    return True


def compaction_defer_reset(m: Kernel, zone: Zone, order: int, *, alloc_success: bool) -> None:
    """A block of that order came to be, or was taken. Kernel: compaction_defer_reset"""
    state = zone.compact
    if alloc_success:
        state.considered = state.defer_shift = 0
    state.order_failed = max(state.order_failed, order + 1)
    if m.trace is not None:
        m.trace.compaction.deferral("mm_compaction_defer_reset", zone, order)


def compaction_restarting(zone: Zone, order: int) -> bool:
    """Whether a run follows after as many as can be were skipped. Kernel: compaction_restarting"""
    state = zone.compact
    return (
        order >= state.order_failed
        and state.defer_shift == COMPACT_MAX_DEFER_SHIFT
        and state.considered >= 1 << state.defer_shift
    )

"""Compaction: moving pages about to make large free blocks. Kernel: mm/compaction.c

Nothing on this machine can be moved, so compaction finds no more than there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import freelist, internal
from app.mm.mmzone import PAGE_ALLOC_COSTLY_ORDER

if TYPE_CHECKING:
    from app.mm.kernel import Kernel


def compactable(m: Kernel, order: int, ac: internal.AllocContext) -> bool:
    """Whether any zone has room enough to move pages about in. Kernel: mm/compaction.c compaction_suitable"""
    mark = 1 if order > PAGE_ALLOC_COSTLY_ORDER else 0
    return any(
        freelist.zone_watermark_ok(
            zone, 0, zone.wmark_pages(mark) + (2 << order), ac.highest_zoneidx, 0, zone.vm_stat_free
        )
        for zone in ac.zonelist
    )

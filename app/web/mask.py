"""What a GFP mask means to the page allocator, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.mm.gfp import (
    __GFP_COMP,
    __GFP_DIRECT_RECLAIM,
    __GFP_DMA,
    __GFP_DMA32,
    __GFP_FS,
    __GFP_HIGH,
    __GFP_HIGHMEM,
    __GFP_IO,
    __GFP_KSWAPD_RECLAIM,
    __GFP_MEMALLOC,
    __GFP_MOVABLE,
    __GFP_NOFAIL,
    __GFP_NOMEMALLOC,
    __GFP_NORETRY,
    __GFP_RECLAIMABLE,
    __GFP_RETRY_MAYFAIL,
    __GFP_ZERO,
    GFP_ZONEMASK,
)
from app.web.contexts import GfpFact

ZONES: Final = {
    0: "NORMAL, and those below it",
    __GFP_DMA: "DMA only: the first 16 MiB",
    __GFP_DMA32: "DMA32 (below 4 GiB) and DMA; on i386, which has no such zone, NORMAL",
    __GFP_HIGHMEM: "HIGHMEM where there is one, then NORMAL and below: the page may have no address",
    __GFP_MOVABLE: "NORMAL and below: without __GFP_HIGHMEM, ZONE_MOVABLE stays closed",
    __GFP_HIGHMEM | __GFP_MOVABLE: "MOVABLE, then HIGHMEM, NORMAL and below",
}


def facts(value: int) -> Iterator[GfpFact]:
    """What a mask means to the page allocator, question by question."""
    sleeps = bool(value & __GFP_DIRECT_RECLAIM)
    yield GfpFact(
        "May the caller sleep?",
        "yes: only from a process, never in an interrupt or under a spinlock"
        if sleeps
        else "no: allowed in every context",
        not sleeps,
    )
    yield GfpFact("From which zone at most?", zone_words(value))
    yield GfpFact("On which free list?", mobility_words(value))
    yield GfpFact("Below the min watermark?", reserve_words(value))
    yield GfpFact("What if there is none?", failure_words(value))
    if value & __GFP_DIRECT_RECLAIM:
        yield GfpFact("What may reclaim do?", reclaim_words(value))
    if value & __GFP_ZERO:
        yield GfpFact("Contents", "zeroed")
    if value & __GFP_COMP:
        yield GfpFact("Above order 0", "a compound page: one reference count for the whole block")


def zone_words(value: int) -> str:
    """The highest zone that the four zone bits allow."""
    return ZONES.get(value & GFP_ZONEMASK, "a combination that asks for two zones at once")


def mobility_words(value: int) -> str:
    """The migratetype."""
    if value & __GFP_MOVABLE and value & __GFP_RECLAIMABLE:
        return "none: movable and reclaimable at once is no valid request"
    if value & __GFP_MOVABLE:
        return "movable"
    return "reclaimable" if value & __GFP_RECLAIMABLE else "unmovable"


def reserve_words(value: int) -> str:
    """How far down the request may go."""
    if value & __GFP_MEMALLOC and not value & __GFP_NOMEMALLOC:
        return "yes, to the last frame: the watermarks are ignored"
    if not value & __GFP_HIGH:
        return "no"
    if value & (__GFP_DIRECT_RECLAIM | __GFP_NOMEMALLOC):
        return "yes, down to half of it"
    return "yes, down to 3/8 of it: half, and a quarter of what is left"


def failure_words(value: int) -> str:
    """What happens when no zone has it."""
    if value & __GFP_NOFAIL:
        return "it tries for ever"
    if not value & __GFP_DIRECT_RECLAIM:
        woken = "kswapd is woken; " if value & __GFP_KSWAPD_RECLAIM else ""
        return f"{woken}NULL at once"
    if value & __GFP_NORETRY:
        return "one round of light reclaim, then NULL"
    if value & __GFP_RETRY_MAYFAIL:
        return "reclaim, again and again while that helps, then NULL without the OOM killer"
    killer = "the OOM killer" if value & __GFP_FS else "a loop without end, as the OOM killer needs __GFP_FS"
    return f"reclaim, then up to order 3 {killer}; NULL from order 4 on"


def reclaim_words(value: int) -> str:
    """I/O and file systems."""
    allowed = [
        words for bit, words in ((__GFP_IO, "start I/O"), (__GFP_FS, "call into file systems")) if value & bit
    ]
    return " and ".join(allowed) or "neither start I/O nor call into file systems"

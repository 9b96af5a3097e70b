"""The meaning of a GFP mask to the page allocator, in words."""

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
    __GFP_THISNODE,
    __GFP_ZERO,
    GFP_ZONEMASK,
)
from app.web.contexts.gfp import GfpFact
from app.web.language import N_, _

ZONES: Final = {
    0: N_("NORMAL, and those below it"),
    __GFP_DMA: N_("DMA only: the first 16 MiB"),
    __GFP_DMA32: N_("DMA32 (below 4 GiB) and DMA; on i386, which has no such zone, NORMAL"),
    __GFP_HIGHMEM: N_("HIGHMEM where there is one, then NORMAL and below: the page may have no address"),
    __GFP_MOVABLE: N_("NORMAL and below: without __GFP_HIGHMEM, ZONE_MOVABLE stays closed"),
    __GFP_HIGHMEM | __GFP_MOVABLE: N_("MOVABLE, then HIGHMEM, NORMAL and below"),
}
TWO_ZONES: Final = N_("a combination that asks for two zones at once")


def facts(value: int) -> Iterator[GfpFact]:
    """Say what a mask means to the page allocator, question by question."""
    sleeps = bool(value & __GFP_DIRECT_RECLAIM)
    yield GfpFact(
        _("May the caller sleep?"),
        _("yes: only from a process, never in an interrupt or under a spinlock")
        if sleeps
        else _("no: allowed in every context"),
        not sleeps,
    )
    yield GfpFact(_("From which zone at most?"), zone_words(value))
    yield GfpFact(_("On which free list?"), mobility_words(value))
    yield GfpFact(_("Below the min watermark?"), reserve_words(value))
    yield GfpFact(_("What if there is none?"), failure_words(value))
    if value & __GFP_DIRECT_RECLAIM:
        yield GfpFact(_("What may reclaim do?"), reclaim_words(value))
    if value & __GFP_ZERO:
        yield GfpFact(_("Contents"), _("zeroed"))
    if value & __GFP_COMP:
        yield GfpFact(_("Above order 0"), _("a compound page: one reference count for the whole block"))


def zone_words(value: int) -> str:
    """The highest zone that the four zone bits allow."""
    return _(ZONES.get(value & GFP_ZONEMASK, TWO_ZONES))


def mobility_words(value: int) -> str:
    """The migratetype."""
    if value & __GFP_MOVABLE and value & __GFP_RECLAIMABLE:
        return _("none: movable and reclaimable at once is no valid request")
    if value & __GFP_MOVABLE:
        return _("movable")
    return _("reclaimable") if value & __GFP_RECLAIMABLE else _("unmovable")


def reserve_words(value: int) -> str:
    """How far down the request may go."""
    if value & __GFP_MEMALLOC and not value & __GFP_NOMEMALLOC:
        return _("yes, to the last frame: the watermarks are ignored")
    if not value & __GFP_HIGH:
        return _("no")
    if value & (__GFP_DIRECT_RECLAIM | __GFP_NOMEMALLOC):
        return _("yes, down to half of it")
    return _("yes, down to 3/8 of it: half, and a quarter of what is left")


def failure_words(value: int) -> str:
    """What happens when no zone has it."""
    if value & __GFP_NOFAIL:
        if value & __GFP_DIRECT_RECLAIM:
            return _("it tries for ever")
        return _("a warning and NULL all the same: who may not sleep cannot wait until there is one")
    if not value & __GFP_DIRECT_RECLAIM:
        return _("kswapd is woken; NULL at once") if value & __GFP_KSWAPD_RECLAIM else _("NULL at once")
    if value & __GFP_NORETRY:
        return _("one round of light reclaim, then NULL")
    if value & __GFP_RETRY_MAYFAIL:
        return _("reclaim, again and again while that helps, then NULL without the OOM killer")
    if value & __GFP_THISNODE:
        return _("reclaim, then NULL without the OOM killer: other nodes may have enough")
    if value & __GFP_DMA:
        return _("reclaim, then NULL without the OOM killer, which is not asked for so low a zone")
    if value & __GFP_DMA32:
        return _(
            "reclaim, then NULL without the OOM killer, which is not asked for so low a zone; "
            "on i386 as without __GFP_DMA32"
        )
    if value & __GFP_FS:
        return _("reclaim, then up to order 3 the OOM killer; NULL from order 4 on")
    return _(
        "reclaim, then up to order 3 a loop without end, as the OOM killer needs __GFP_FS; "
        "NULL from order 4 on"
    )


def reclaim_words(value: int) -> str:
    """I/O and file systems."""
    match bool(value & __GFP_IO), bool(value & __GFP_FS):
        case True, True:
            return _("start I/O and call into file systems")
        case True, False:
            return _("start I/O")
        case False, True:
            return _("call into file systems")
        case _:
            return _("neither start I/O nor call into file systems")

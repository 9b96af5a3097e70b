"""Which frame a request gets, and what people expect instead."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import Final

from app.exercises.forms import Answer
from app.exercises.likely.act import Act, Find, Likely
from app.mm.gfp import __GFP_MOVABLE, __GFP_RECLAIMABLE
from app.mm.mmzone import MAX_ORDER, MIGRATE_PCPTYPES, Zone, order_to_pindex, pcp_allowed_order


def of_block(find: Find) -> Find:
    """For calls that ask for one block of pages only."""
    return partial(when_block, find)


def when_block(find: Find, act: Act) -> Answer | None:
    """The answer where a block of pages is asked for."""
    return find(act) if act.takes_block and act.zone is not None and act.order < MAX_ORDER else None


def first_fit(act: Act) -> Answer | None:
    """The next frame behind the block that was given last, as if memory were handed out in a row."""
    zone = zone_of(act)
    last = max(
        (page for page in act.before.pages.values() if zone.spans_pfn(page.pfn)),
        key=lambda page: (page.seq, page.pfn),
        default=None,
    )
    if last is None:
        return None
    return within(zone, last.pfn + (1 << last.order))


def lowest_free(act: Act) -> Answer | None:
    """The lowest frame at which so many are free."""
    zone = zone_of(act)
    size = 1 << act.order
    blocks = (pfn for pfn, code in zone.buddy.items() if code >> 3 >= act.order)
    untouched = zone.untouched[:1] if zone.untouched[0] < zone.untouched[1] else ()
    cached = (pfn for pfn in cached_pages(act) if not pfn % size)
    return min(chain(blocks, untouched, zone.untouched_tail, cached), default=None)


def other_half(act: Act) -> Answer | None:
    """The half of a split that goes back to a list."""
    zone = zone_of(act)
    block = None if act.pfn is None else zone.free_block_at(act.pfn)
    if act.pfn is None or block is None or block[1] <= act.order:
        return None
    return within(zone, act.pfn ^ 1 << act.order)


def wrong_list(act: Act) -> Answer | None:
    """The head of a list of another type."""
    own = migratetype(act)
    heads = (head(zone_of(act), act.order, kind) for kind in range(MIGRATE_PCPTYPES) if kind != own)
    return next((pfn for pfn in heads if pfn is not None), None)


def not_cached(act: Act) -> Answer | None:
    """The head of the free list, although the CPU has a page of its own."""
    if act.pfn is None or act.pfn not in cached_pages(act):
        return None
    return head(zone_of(act), act.order, migratetype(act))


def longest_cached(act: Act) -> Answer | None:
    """Of the CPU's own pages that which has waited longest."""
    cached = cached_pages(act)
    return cached[-1] if act.pfn in cached else None


# -- what they look at ------------------------------------------------------------------------------------


def zone_of(act: Act) -> Zone:
    """The zone that the call worked on."""
    assert act.zone is not None
    return act.zone


def within(zone: Zone, pfn: int) -> int | None:
    """The frame, if the zone has it."""
    return pfn if zone.spans_pfn(pfn) else None


def migratetype(act: Act) -> int:
    """The lists that the mask belongs to."""
    if act.before.page_group_by_mobility_disabled:
        return 0
    return min((act.mask & (__GFP_MOVABLE | __GFP_RECLAIMABLE)) >> 3, MIGRATE_PCPTYPES - 1)


def cached_pages(act: Act) -> list[int]:
    """The pages of the CPU that could serve the request, that of the head first."""
    if not pcp_allowed_order(act.order):
        return []
    zone = zone_of(act)
    pcp = zone.pcp[act.call.cpu % len(zone.pcp)]
    return list(pcp.lists[order_to_pindex(migratetype(act), act.order)])


def head(zone: Zone, order: int, kind: int) -> int | None:
    """The first block of the first list, upwards from an order, that has one."""
    heads: Iterator[int] = (
        pfn for higher in range(order, MAX_ORDER) for pfn in zone.free_list_pfns(higher, kind)
    )
    return next(heads, None)


LIKELY: Final = (
    Likely("first_fit", "pfn", "first fit", of_block(first_fit)),
    Likely("other_half", "pfn", "other half", of_block(other_half)),
    Likely("lowest_free", "pfn", "lowest frame", of_block(lowest_free)),
    Likely("wrong_list", "pfn", "wrong list", of_block(wrong_list)),
    Likely("not_cached", "pfn", "no per-cpu list", of_block(not_cached)),
    Likely("longest_cached", "pfn", "first in first out", of_block(longest_cached)),
)

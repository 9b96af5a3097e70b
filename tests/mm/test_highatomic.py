"""The high-order atomic reserve: how much is set aside, who may use it, and how it comes back."""

from typing import Any

import pytest

from app.machine import boot
from app.machine.machine import Machine
from app.mm import freelist, page_alloc
from app.mm.gfp import GFP_KERNEL
from app.mm.internal import ALLOC_HIGHATOMIC, ALLOC_MIN_RESERVE, ALLOC_NON_BLOCK, ALLOC_WMARK_LOW
from app.mm.mmzone import MIGRATE_HIGHATOMIC, MIGRATE_UNMOVABLE, PAGEBLOCK_NR_PAGES, WMARK_LOW, Zone
from tests.support.lab import Lab


def pageblocks(zone: Zone) -> range:
    """First frames of whole pageblocks, from the zone's second on."""
    return range(2 * PAGEBLOCK_NR_PAGES, zone.end_pfn, PAGEBLOCK_NR_PAGES)


def reserved(m: Machine) -> int:
    return m.zones[-1].nr_reserved_highatomic


@pytest.mark.parametrize(
    ("machine", "blocks"),
    # Less than a per cent of the zone and a pageblock must be there for one more to be added.
    [
        ({"profile": "tiny-16m"}, 2),
        ({"profile": "x86_64-1g"}, 6),
        ({"profile": "x86_64-1g", "memory": "2G"}, 11),
    ],
)
def test_about_one_per_cent_of_a_zone_is_set_aside(machine: dict[str, Any], blocks: int) -> None:
    m = boot.boot(machine)
    zone = m.zones[-1]
    for pfn in pageblocks(zone)[: blocks + 2]:
        freelist.reserve_highatomic_pageblock(m, zone, pfn)
    assert reserved(m) == blocks * PAGEBLOCK_NR_PAGES


@pytest.mark.parametrize("order", [0, 1])
def test_the_reserve_counts_as_taken(order: int) -> None:
    m = boot.boot({"profile": "x86_64-1g"})
    zone = m.zones[1]
    zone.nr_reserved_highatomic = PAGEBLOCK_NR_PAGES
    mark = zone.watermark[WMARK_LOW]
    for free, passes in ((0, False), (1, True)):
        zone.vm_stat_free = mark + PAGEBLOCK_NR_PAGES + (1 << order) - 1 + free
        for flags in (ALLOC_WMARK_LOW, ALLOC_NON_BLOCK):
            ok = freelist.zone_watermark_fast(m, zone, order, mark, 1, flags, GFP_KERNEL)
            assert ok is (passes or flags == ALLOC_NON_BLOCK)


@pytest.mark.parametrize(
    ("flags", "served"),
    [(0, False), (ALLOC_MIN_RESERVE, False), (ALLOC_NON_BLOCK, True), (ALLOC_HIGHATOMIC, True)],
)
def test_who_gets_at_the_reserve_when_nothing_else_is_left(flags: int, served: bool) -> None:
    lab = Lab(lecture=True)
    (zone,) = lab.m.zones
    block = lab.alloc(9)
    lab("alloc_pages", gfp="GFP_NOWAIT|__GFP_MEMALLOC|__GFP_NOWARN", order=0, until="null")
    lab("__free_pages", pfn=block, order=9)
    freelist.reserve_highatomic_pageblock(lab.m, zone, block)
    assert list(zone.free_list_pfns(9, MIGRATE_HIGHATOMIC)) == [block]
    assert (freelist.suitable_block(zone, 1, flags) is not None) is (flags == ALLOC_HIGHATOMIC)
    assert freelist.rmqueue_buddy(lab.m, zone, 1, flags, MIGRATE_UNMOVABLE) == (block if served else None)


def test_under_pressure_it_comes_back_and_the_last_block_only_by_force() -> None:
    m = boot.boot({"profile": "x86_64-1g"})
    zone = m.zones[1]
    ac = page_alloc.prepare_alloc_pages(m, GFP_KERNEL, 0)
    one, two = list(zone.free_list_pfns(10, 1))[:2]
    for pfn in (one, two):
        freelist.reserve_highatomic_pageblock(m, zone, pfn)
    given_back = []
    for force in (False, False, True, True):
        given_back.append(freelist.unreserve_highatomic_pageblock(m, ac, force=force))
        given_back.append(reserved(m) // PAGEBLOCK_NR_PAGES)
    assert given_back == [True, 1, False, 1, True, 0, False, 0]
    assert {zone.get_pfnblock_migratetype(pfn) for pfn in (one, two)} == {MIGRATE_UNMOVABLE}

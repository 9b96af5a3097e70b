"""Stealing from other migratetypes, on zones of a few pageblocks: what is taken, and what becomes of it."""

import pytest

from app.machine import boot
from app.machine.machine import Machine
from app.mm import buddy, freelist, internal, page_alloc
from app.mm.mmzone import (
    MIGRATE_HIGHATOMIC,
    MIGRATE_MOVABLE,
    MIGRATE_RECLAIMABLE,
    MIGRATE_UNMOVABLE,
    PAGEBLOCK_NR_PAGES,
    Zone,
)
from tests.support.mixed_zones import BASE, zone_with

U, M, E, H = MIGRATE_UNMOVABLE, MIGRATE_MOVABLE, MIGRATE_RECLAIMABLE, MIGRATE_HIGHATOMIC
NOFRAGMENT = internal.ALLOC_WMARK_LOW | internal.ALLOC_NOFRAGMENT


@pytest.fixture
def m() -> Machine:
    m = boot.boot({"profile": "x86_64-1g"})
    m.watermark_boost_factor = 0
    return m


def lists(zone: Zone) -> dict[str, list[int]]:
    """The free lists that are not empty, with frames behind `BASE`."""
    return {
        f"{order}{'UMEH'[migratetype]}": [pfn - BASE for pfn in zone.free_list_pfns(order, migratetype)]
        for order in range(11)
        for migratetype in (U, M, E, H)
        if zone.free_area[order].free_list[migratetype]
    }


def type_of(zone: Zone, block: int = 0) -> int:
    return zone.get_pfnblock_migratetype(BASE + block * PAGEBLOCK_NR_PAGES)


# -- where to look -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start_type", "first", "second"),
    [(U, E, M), (M, E, U), (E, U, M)],
    ids=["unmovable", "movable", "reclaimable"],
)
def test_each_type_steals_from_one_before_the_other(
    m: Machine, start_type: int, first: int, second: int
) -> None:
    zone = zone_with([(0, 5, first), (512, 5, second)], {0: first, 1: second})
    for loser in (first, second):
        assert buddy.FALLBACKS[start_type][0] == first
        assert buddy.rmqueue_fallback(m, zone, 0, start_type, 0)
        assert not zone.free_area[5].free_list[loser]
    assert not buddy.rmqueue_fallback(m, zone, 0, start_type, 0)


@pytest.mark.parametrize("start_type", [U, E])
def test_the_largest_block_is_taken_first(m: Machine, start_type: int) -> None:
    zone = zone_with([(0, 2, M), (512, 6, M)])
    assert buddy.rmqueue(m, zone, 0, start_type, 0) == BASE + 512


@pytest.mark.parametrize(("order", "taken"), [(4, 512), (3, 0)])
def test_a_movable_request_takes_the_largest_from_order_4_on_else_the_smallest(
    m: Machine, order: int, taken: int
) -> None:
    zone = zone_with([(0, 1, U), (512, order, U)], {0: U, 1: U})
    assert buddy.rmqueue(m, zone, 0, M, 0) == BASE + taken


# -- what is taken -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start_type", "order", "alone"),
    [(M, 3, True), (M, 4, False), (U, 0, False), (E, 0, False)],
    ids=["movable-3", "movable-4", "unmovable", "reclaimable"],
)
def test_who_may_claim_a_pageblock_takes_all_that_is_free_in_it(
    m: Machine, start_type: int, order: int, alone: bool
) -> None:
    old = M if start_type != M else U
    zone = zone_with([(256, order, old), (32, order, old)], {0: old})
    assert buddy.rmqueue_fallback(m, zone, order, start_type, 0)
    here, there = f"{order}{'UMEH'[start_type]}", f"{order}{'UMEH'[old]}"
    assert lists(zone) == ({here: [256], there: [32]} if alone else {here: [32, 256]})


def test_a_stolen_block_stands_behind_those_that_were_there(m: Machine) -> None:
    zone = zone_with([(0, 0, M), (512, 0, U), (514, 0, U)], {1: U})
    buddy.steal_suitable_fallback(m, zone, 0, 0, M, (U, False), 0)
    assert lists(zone) == {"0M": [0, 512], "0U": [514]}


def blocks_of(frames: int) -> list[tuple[int, int]]:
    """(frame, order) of separate blocks with so many frames in all, the largest first."""
    orders = [order for order in range(8, -1, -1) if frames >> order & 1]
    assert len(orders) < 9
    return [(sum(1 << order for order in orders[:place]), order) for place, order in enumerate(orders)]


@pytest.mark.parametrize(
    ("start_type", "old", "free", "lru", "claimed"),
    [
        (M, U, 256, 0, True),
        (M, U, 255, 0, False),
        (M, U, 128, 128, True),
        (M, U, 128, 127, False),
        (U, M, 16, 256, True),
        (U, M, 16, 257, False),
        (U, E, 256, 0, True),
        (U, E, 255, 0, False),
        (E, U, 255, 0, False),
    ],
)
def test_a_pageblock_is_claimed_when_half_of_it_is_free_or_alike(
    m: Machine, start_type: int, old: int, free: int, lru: int, claimed: bool
) -> None:
    """lru: movable frames in use. In a movable block all that are neither those nor free count as alike."""
    zone = zone_with([(frame, order, old) for frame, order in blocks_of(free)], {0: old})
    zone.lru[BASE] = lru
    assert buddy.rmqueue_fallback(m, zone, 0, start_type, 0)
    assert type_of(zone) == (start_type if claimed else old)
    assert {key[-1] for key in lists(zone)} == {"UME"[start_type]}


@pytest.mark.parametrize("order", [9, 10])
def test_whole_pageblocks_are_claimed_without_counting(m: Machine, order: int) -> None:
    zone = zone_with([(0, order, M)])
    assert buddy.rmqueue_fallback(m, zone, 0, U, 0)
    assert lists(zone) == {f"{order}U": [0]}
    assert [type_of(zone, block) for block in range(3)] == ([U, U, M] if order == 10 else [U, M, M])


def test_a_pageblock_that_the_zone_ends_in_is_not_claimed(m: Machine) -> None:
    zone = zone_with([(0, 7, M), (128, 6, M)])
    zone.spanned_pages = 511
    assert buddy.rmqueue_fallback(m, zone, 0, U, 0)
    assert lists(zone) == {"6M": [128], "7U": [0]}
    assert type_of(zone) == M


def test_one_that_the_zone_begins_in_is_claimed_from_the_block_on(m: Machine) -> None:
    zone = zone_with([(128, 7, M), (64, 6, M), (256, 7, M)], base=BASE + 2)
    assert buddy.rmqueue_fallback(m, zone, 0, U, 0)
    assert lists(zone) == {"6M": [64], "7U": [128, 256]}
    assert type_of(zone) == U


def test_a_highatomic_pageblock_loses_one_block_and_stays_what_it_is(m: Machine) -> None:
    zone = zone_with([(0, 8, M), (256, 7, H)], {0: H})
    assert buddy.rmqueue_fallback(m, zone, 0, U, 0)
    assert lists(zone) == {"7H": [256], "8U": [0]}
    assert type_of(zone) == H


# -- giving back ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("neighbour", "merged"), [(U, True), (E, True), (M, True), (H, False)])
def test_whole_pageblocks_merge_unless_one_is_highatomic(m: Machine, neighbour: int, merged: bool) -> None:
    zone = zone_with([(512, 9, neighbour)], {1: neighbour})
    buddy.free_one_page(m, zone, BASE, 9, M)
    assert zone.free_area[10].nr_free == merged


@pytest.mark.parametrize(("order", "tail"), [(7, True), (8, True), (9, False)])
def test_a_block_that_may_soon_merge_goes_to_the_tail(m: Machine, order: int, tail: bool) -> None:
    zone = zone_with(
        [(2 << order, order + 1, M), (6 << order, order, M)] if order < 9 else [(3072, 9, M), (1024, 10, M)]
    )
    buddy.free_one_page(m, zone, BASE, order, M)
    first = 6 << order if order < 9 else 3072
    assert lists(zone)[f"{order}M"] == ([first, 0] if tail else [0, first])


# -- NOFRAGMENT ----------------------------------------------------------------------------------------------


def first_pass(m: Machine, *zones: Zone, order: int = 0) -> int | None:
    """The first pass of an unmovable request that prefers the first zone; the frame behind `BASE`."""
    ac = internal.AllocContext(zones, 2, U)
    pfn = freelist.get_page_from_freelist(m, 0, order, NOFRAGMENT, ac)
    return None if pfn is None else pfn - BASE


def test_another_zone_of_the_node_is_asked_before_types_are_mixed(m: Machine) -> None:
    assert first_pass(m, zone_with([(0, 8, M)]), zone_with([(512, 8, U)], {1: U})) == 512


def test_types_are_mixed_before_the_node_is_left(m: Machine) -> None:
    assert first_pass(m, zone_with([(0, 8, M)]), zone_with([(512, 8, U)], {1: U}, nid=1)) == 0


def test_types_are_mixed_where_nothing_else_is_left(m: Machine) -> None:
    assert first_pass(m, zone_with([(0, 8, M)])) == 0


def test_a_whole_pageblock_is_no_mix(m: Machine) -> None:
    assert first_pass(m, zone_with([(0, 9, M)]), zone_with([(512, 8, U)], {1: U})) == 0


def test_a_request_of_order_10_leaves_single_pageblocks_alone(m: Machine) -> None:
    zone = zone_with([(0, 9, M), (1024, 9, M)])
    assert buddy.rmqueue(m, zone, 10, U, NOFRAGMENT) is None
    assert lists(zone) == {"9M": [0, 1024]}


def test_only_a_node_with_dma32_behind_its_normal_zone_has_the_rule() -> None:
    m = boot.boot({"profile": "x86_64-8g", "nodes": 2})
    flags = [page_alloc.alloc_flags_nofragment(m, node.zonelist[0]) for node in m.nodes]
    assert [node.zonelist[0].name for node in m.nodes] == ["Normal", "Normal"]
    assert flags == [internal.ALLOC_NOFRAGMENT, 0]

"""How far steals raise a zone's watermarks, and what that means to whom."""

import pytest

from app.machine import boot
from app.mm import buddy, freelist, page_alloc
from app.mm.gfp import GFP_ATOMIC, GFP_NOWAIT
from app.mm.mmzone import WMARK_HIGH, WMARK_LOW, WMARK_MIN, Zone
from tests.support.lab import Lab


@pytest.mark.parametrize(
    ("managed", "high", "factor", "boosts"),
    [
        (2048, 1000, 15000, [512, 1024, 1500, 1500]),
        (2048, 100, 15000, [512, 512]),
        (2048, 1000, 20000, [512, 1024, 1536, 2000]),
        (2048, 1000, 0, [0, 0]),
        (2048, 100, 1, [0, 0]),
        (2047, 1000, 15000, [0, 0]),
    ],
)
def test_a_boost_goes_up_to_a_share_of_the_high_mark(
    managed: int, high: int, factor: int, boosts: list[int]
) -> None:
    m = boot.boot({"profile": "x86_64-1g"})
    m.watermark_boost_factor = factor
    zone = Zone("Normal", 0, 2, 0x100000, managed, managed, managed, 1)
    zone.watermark[WMARK_HIGH] = high
    found = []
    for _ in boosts:
        raised = buddy.boost_watermark(m, zone)
        assert raised == (zone.boost > 0)
        found.append(zone.boost)
    assert found == boosts


@pytest.mark.parametrize(
    ("gfp", "order", "mark", "passes"),
    [
        (GFP_ATOMIC, 0, WMARK_MIN, True),
        (GFP_ATOMIC, 1, WMARK_MIN, False),
        (GFP_ATOMIC, 0, WMARK_LOW, False),
        (GFP_NOWAIT, 0, WMARK_MIN, False),
    ],
)
def test_an_atomic_page_at_min_ignores_the_boost(gfp: int, order: int, mark: int, passes: bool) -> None:
    m = boot.boot({"profile": "x86_64-1g"})
    zone = m.zones[1]
    zone.boost = 4096
    zone.vm_stat_free = zone.watermark[WMARK_HIGH]
    flags = page_alloc.gfp_to_alloc_flags(gfp, order) if mark == WMARK_MIN else mark
    marked = zone.wmark_pages(mark)
    assert freelist.zone_watermark_fast(m, zone, order, marked, 1, flags, gfp) is passes


@pytest.mark.parametrize(("gfp", "woken"), [("GFP_NOWAIT", True), ("__GFP_DIRECT_RECLAIM", False)])
def test_a_boost_wakes_kswapd_for_those_who_may(gfp: str, woken: bool) -> None:
    lab = Lab(reclaim=False)
    runs = lab("alloc_pages", gfp="GFP_NOWAIT|__GFP_MOVABLE|__GFP_MEMALLOC", order=0, until="null").runs
    assert runs is not None
    singles = [[pfn, 1] for start, count, *_ in runs for pfn in range(start, start + count)]
    lab("__free_pages", page=singles[::2], order=0)
    lab("drain_all_pages")
    node, zone = lab.m.nodes[0], lab.m.zones[0]
    assert (zone.free_area[1].nr_free, zone.boost) == (0, 0)
    node.kswapd_woken = False
    lab.alloc(0, gfp)
    assert zone.boost >= 512
    assert node.kswapd_woken is woken

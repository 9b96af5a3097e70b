"""Per-CPU page lists where the recorded machines, of one CPU each, say nothing."""

from app.mm.mmzone import ZONE_RECLAIM_ACTIVE, Zone
from tests.support.lab import Lab


def held(zone: Zone) -> list[int]:
    """What each CPU holds of a zone."""
    return [pcp.count for pcp in zone.pcp]


def test_an_attempt_halves_free_factor_even_where_nothing_is_left() -> None:
    lab = Lab()
    lab("alloc_pages", gfp="GFP_NOWAIT|__GFP_MEMALLOC|__GFP_NOWARN", order=0, until="null")
    (zone,) = lab.m.zones
    zone.pcp[0].free_factor = 5
    # The tries at low and at min do not reach the list; the one that ignores watermarks does.
    assert lab("alloc_pages", gfp="GFP_NOWAIT|__GFP_MEMALLOC|__GFP_NOWARN", order=0).ret is None
    assert zone.pcp[0].free_factor == 2


def test_a_drain_returns_more_than_the_longest_batch() -> None:
    lab = Lab(sysctl={"min_free_kbytes": 1000})
    (zone,) = lab.m.zones
    runs = lab("alloc_pages", gfp="GFP_KERNEL", order=0, repeat=100).runs
    lab("__free_pages", page=runs, order=0)
    assert (zone.pcp[0].batch, held(zone)) == (1, [100])
    lab("drain_all_pages")
    assert held(zone) == [0]


def test_each_cpu_drains_its_own_lists_and_counts_it_itself() -> None:
    lab = Lab(profile="x86_64-1g", cpus=4)
    zone = lab.m.zones[1]
    for cpu in (1, 2):
        lab("__free_pages", pfn=lab.alloc(cpu=cpu), order=0, cpu=cpu)
    batch = zone.pcp[1].batch
    assert held(zone) == [0, batch, batch, 0]
    before = list(zone.vm_stat_diff)
    folded = zone.vm_stat_free
    lab("drain_all_pages", cpu=3)
    assert held(zone) == [0, 0, 0, 0]
    # Every page is counted by itself, and folded whenever the difference has passed the threshold.
    step = zone.stat_threshold + 1
    for cpu in (1, 2):
        folds, rest = divmod(before[cpu] + batch, step)
        folded += folds * step
        assert zone.vm_stat_diff[cpu] == rest
    assert (zone.vm_stat_diff[0], zone.vm_stat_diff[3], zone.vm_stat_free) == (0, 0, folded)


def test_while_a_zone_is_reclaimed_its_lists_hold_four_batches() -> None:
    lab = Lab(profile="x86_64-1g")
    zone = lab.m.zones[1]
    pcp = zone.pcp[0]
    assert pcp.high > 8 * pcp.batch
    runs = lab("alloc_pages", gfp="GFP_KERNEL", order=0, repeat=8 * pcp.batch).runs
    zone.flags |= ZONE_RECLAIM_ACTIVE
    lab("drain_all_pages")
    lab("__free_pages", page=runs, order=0)
    assert held(zone)[0] < 4 * pcp.batch


def test_one_more_block_empties_lists_that_overflowed_before() -> None:
    lab = Lab(profile="x86_64-1g")
    zone = lab.m.zones[1]
    single, pair = lab.alloc(), lab.alloc(1)
    lab("drain_all_pages")
    lab("__free_pages", pfn=single, order=0)
    zone.pcp[0].free_factor = 1
    assert held(zone) == [1]
    lab("__free_pages", pfn=pair, order=1)
    assert held(zone) == [0]


def test_lists_that_may_hold_less_than_a_batch_give_back_one_page_at_a_time() -> None:
    lab = Lab(profile="x86_64-1g")
    zone = lab.m.zones[1]
    pcp = zone.pcp[0]
    runs = lab("alloc_pages", gfp="GFP_KERNEL", order=0, repeat=4).runs
    lab("drain_all_pages")
    pcp.high = 3
    assert pcp.high < pcp.batch
    lab("__free_pages", page=runs, order=0)
    assert held(zone) == [2]

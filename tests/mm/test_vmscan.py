"""Reclaim: how much of each list is looked at, what becomes of pages, and when kswapd runs and stops."""

from typing import Any

import pytest

from app.machine import boot, invariants, parsing
from app.machine.machine import Machine
from app.mm import kswapd, mem_map, scan_count, vmscan, workingset
from app.mm.lruvec import LRU_INACTIVE_FILE
from app.mm.mmzone import WMARK_HIGH
from app.mm.page import PG_active, PG_referenced, PG_workingset
from app.mm.scan_control import ScanControl

SMALL: dict[str, Any] = {"profile": "x86_64-1g", "memory": "96M", "reclaim": True}
FILE = 16 << 20


class Run:
    """A machine, and its calls by seq."""

    def __init__(self, **machine: Any) -> None:
        self.m = boot.boot({**SMALL, **machine})
        self.seq = 0
        self.fds: dict[str, int] = {}

    def call(self, name: str, **args: Any) -> dict[str, Any]:
        self.seq += 1
        made = self.m.apply(parsing.parse(name, args, self.m.model), self.seq)
        if self.seq % 16 == 0:
            assert not invariants.verify(self.m)
        return made.as_json(self.m.model)

    def read(self, path: str, count: int, offset: int = 0, task: str = "a") -> dict[str, Any]:
        if task not in self.m.tasks or self.m.tasks[task].mm is None:
            self.call("execve", task=task, path="/bin/hello")
        if path not in self.fds:
            self.fds[path] = self.call("open", task=task, path=path, flags="O_RDWR")["ret"]
        return self.call("read", task=task, fd=self.fds[path], count=count, offset=offset)

    @property
    def sizes(self) -> list[int]:
        return [lru.count for lru in self.m.vm.lruvecs[0].lists]


def cached(m: Machine, path: str) -> dict[int, int]:
    return m.vm.inodes[path].i_pages


# -- how much of each list -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("swappiness", "anon_cost", "file_cost", "anon", "file"),
    [
        (60, 0, 0, 60, 140),
        (0, 0, 0, 0, 200),
        (200, 0, 0, 200, 0),
        # a = 10, f = 30: A = 50, F = 70, T = 120: 60 · 121 / 51 and 140 · 121 / 71.
        (60, 10, 30, 142, 238),
    ],
)
def test_the_dearer_kind_is_pressed_less(
    swappiness: int, anon_cost: int, file_cost: int, anon: int, file: int
) -> None:
    assert scan_count.fractions(swappiness, anon_cost, file_cost) == (anon, file)


@pytest.mark.parametrize(("pages", "ratio"), [(262_143, 1), (262_144, 3), (10 << 18, 10), (100 << 18, 31)])
def test_the_more_memory_the_smaller_the_part_that_is_inactive(pages: int, ratio: int) -> None:
    assert scan_count.inactive_ratio(pages) == ratio


def test_the_smaller_kind_is_dropped_and_the_other_cut_to_its_share() -> None:
    # Of 400 file pages 300 are left, of 100 anonymous ones 40: those are done by 60 %, so of the others
    # 60 · 400 / 100 = 240, of which 100 are done.
    left = [40, 0, 300, 0]
    assert vmscan.balance_what_is_left(left, [100, 0, 400, 0])
    percentage = 40 * 100 // 101
    assert left == [0, 0, 400 * (100 - percentage) // 100 - 100, 0]


def test_with_nothing_left_of_one_kind_it_is_enough() -> None:
    assert not vmscan.balance_what_is_left([0, 0, 300, 0], [100, 0, 400, 0])


def test_a_short_list_is_not_looked_at_before_its_priority() -> None:
    run = Run()
    run.read("/data/a", 100 << 12)
    m = run.m
    lruvec = m.vm.lruvecs[0]
    size = lruvec.folded[LRU_INACTIVE_FILE]
    assert 100 <= size < 256
    sc = ScanControl(0xCC0, 0, 2, ())
    for priority in range(12, -1, -1):
        sc.priority = priority
        scan_count.prepare_scan_count(m, 0, lruvec, sc)
        assert scan_count.get_scan_count(m, 0, lruvec, sc)[LRU_INACTIVE_FILE] == size >> priority
    assert size >> 8 == 0


# -- what becomes of pages -------------------------------------------------------------------------


def test_one_read_does_not_protect_a_page_and_two_do() -> None:
    run = Run()
    run.read("/data/a", 64 << 12)
    run.read("/data/a", 4 << 12, 8 << 12)
    twice = [cached(run.m, "/data/a")[index] for index in range(8, 12)]
    while len(cached(run.m, "/data/a")) > 4:
        assert run.call("try_to_free_pages", task="k", gfp="GFP_KERNEL")["ret"]
    assert sorted(cached(run.m, "/data/a").values()) == sorted(twice)
    assert all(mem_map.flags(run.m, pfn) & PG_active for pfn in twice)


def test_a_page_that_comes_back_soon_is_active_at_once() -> None:
    run = Run()
    run.read("/data/a", 64 << 12)
    run.read("/data/a", 64 << 12)
    run.read("/data/b", 64 << 12)
    while 0 in cached(run.m, "/data/b"):
        run.call("try_to_free_pages", task="k", gfp="GFP_KERNEL")
    assert 0 in run.m.vm.inodes["/data/b"].shadows
    run.read("/data/b", 1 << 12)
    assert run.m.vm.stat["workingset_refault_file"]
    assert mem_map.flags(run.m, cached(run.m, "/data/b")[0]) & PG_active
    assert run.m.vm.stat["workingset_activate_file"]


def test_a_shadow_says_how_long_ago() -> None:
    m = Run().m
    lruvec = m.vm.lruvecs[0]
    lruvec.nonresident_age = 1000
    shadow = workingset.pack_shadow(m, 0, lruvec.nonresident_age, workingset=True)
    assert shadow == 1000 << 27 | 1
    lruvec.nonresident_age += 37
    assert workingset.refault_distance(m, shadow) == 37


def test_a_page_that_was_written_is_left_to_the_flusher() -> None:
    run = Run()
    run.call("execve", task="a", path="/bin/hello")
    fd = run.call("open", task="a", path="/data/a", flags="O_RDWR")["ret"]
    run.call("write", task="a", fd=fd, count=64 << 12)
    run.call("read", task="a", fd=fd, count=64 << 12, offset=1 << 20)
    while run.sizes[LRU_INACTIVE_FILE]:
        run.call("try_to_free_pages", task="k", gfp="GFP_KERNEL")
    stat = run.m.vm.stat
    assert (stat["vmscan_immediate"], stat["vmscan_write"]) == (64, 0)
    assert (stat["file_written"], stat["file_dirty"], stat["pgrotated"]) == (64, 0, 64)


def test_a_mapped_page_gets_a_second_round() -> None:
    run = Run()
    run.call("execve", task="a", path="/bin/hello")
    fd = run.call("open", task="a", path="/data/a", flags="O_RDWR")["ret"]
    at = run.call("mmap", task="a", length=1 << 12, prot="PROT_READ", flags="MAP_SHARED", fd=fd)["ret"]
    run.call("load", task="a", addr=at)
    run.read("/data/b", 512 << 12)
    pfn = cached(run.m, "/data/a")[0]
    for _ in range(40):
        run.call("try_to_free_pages", task="k", gfp="GFP_KERNEL")
        if mem_map.flags(run.m, pfn) & PG_referenced:
            break
    assert cached(run.m, "/data/a") == {0: pfn}
    assert not mem_map.flags(run.m, pfn) & (PG_active | PG_workingset)


# -- kswapd ----------------------------------------------------------------------------------------


def test_kswapd_runs_at_the_end_of_the_call_until_a_zone_is_above_high() -> None:
    run = Run()
    m = run.m
    made: dict[str, Any] = {}
    places = ((path, at) for path in ("/data/a", "/data/b", "/data/c", "/data/d") for at in range(256))
    while "background" not in made:
        path, at = next(places)
        made = run.read(path, 1 << 16, at << 16)
        assert made["ret"] == 1 << 16
    (thread,) = made["background"]
    assert (thread["task"], thread["why"][:8]) == ("kswapd0", "low mark")
    assert thread["reclaim"]["by"] == "kswapd"
    assert thread["reclaim"]["reclaimed"] > 0
    assert any(state in ("free", "pcp") for _, _, state in thread["changed"])
    assert not m.nodes[0].kswapd_woken
    assert any(zone.vm_stat_free > zone.wmark_pages(WMARK_HIGH) for zone in m.zones)
    assert kswapd.pgdat_balanced(m, 0, 0, 1)
    assert m.vm.stat["pgscan_kswapd"] >= m.vm.stat["pgsteal_kswapd"] > 0
    assert not m.vm.stat["pgscan_direct"]


def test_a_machine_that_reclaims_goes_on_alike_from_its_dump() -> None:
    run = Run()
    for path in ("/data/a", "/data/b", "/data/c", "/data/d"):
        for at in range(0, FILE, 1 << 17):
            run.read(path, 1 << 17, at)
    twin = Run()
    twin.m, twin.seq, twin.fds = boot.load(run.m.dump()), run.seq, run.fds
    assert twin.m.dump() == run.m.dump()
    for _ in range(3):
        assert twin.read("/data/a", 2 << 20) == run.read("/data/a", 2 << 20)
        ours = run.call("try_to_free_pages", task="k", gfp="GFP_KERNEL", rounds=3)
        assert twin.call("try_to_free_pages", task="k", gfp="GFP_KERNEL", rounds=3) == ours
    assert twin.m.dump() == run.m.dump()


def test_without_the_switch_nothing_is_reclaimed() -> None:
    run = Run(reclaim=False)
    run.read("/data/a", 1 << 20)
    before = run.sizes
    made = run.call("try_to_free_pages", task="k", gfp="GFP_KERNEL")
    assert (made["ret"], run.sizes) == (0, before)
    assert "reclaim" not in made

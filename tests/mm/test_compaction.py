"""Compaction: pages move together, large blocks come to be, and whoever maps the pages still finds them."""

import functools
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.machine import boot, invariants, parsing
from app.machine.machine import Machine
from app.machine.outcome import Outcome
from app.machine.trace import Trace
from app.mm import (
    compact_skip,
    compact_suitable,
    compaction,
    lru,
    mem_map,
    namei,
    page_alloc,
    page_free,
    pagemap,
    swap,
    swap_alloc,
    swap_state,
    swapon,
    user_bytes,
)
from app.mm import gfp as gfp_masks
from app.mm.compact_control import (
    COMPACT_CONTINUE,
    COMPACT_DEFERRED,
    COMPACT_PARTIAL_SKIPPED,
    COMPACT_PRIO_ASYNC,
    COMPACT_PRIO_SYNC_FULL,
    COMPACT_PRIO_SYNC_LIGHT,
    COMPACT_SKIPPED,
    COMPACT_SUCCESS,
)
from app.mm.internal import ALLOC_CPUSET, AllocContext
from app.mm.page import PG_active, PG_dirty, PG_locked, PG_lru, PG_mlocked, PG_referenced, PG_unevictable
from app.mm.pgalloc import pte_of
from app.mm.pgtable_types import ACCESSED, RW, pte_pfn, pte_present
from app.mm.vm_fault import set_pte

ANONYMOUS = 0x22
GFP = gfp_masks.GFP_KERNEL | gfp_masks.__GFP_NOWARN | gfp_masks.__GFP_NORETRY


class Room:
    """A machine of 128 MiB with a process `a`, and short ways to call it."""

    def __init__(self, m: Machine | None = None) -> None:
        self.seq = 0
        if m is None:
            fields = {"profile": "x86_64-1g", "memory": "128M", "reclaim": True, "process_caches": False}
            self.m = boot.boot(fields)
            self("execve", task="a")
        else:
            self.m = m

    def __call__(self, call: str, /, **args: Any) -> Outcome:
        self.seq += 1
        return self.m.apply(parsing.parse(call, args, self.m.model), self.seq)

    def area(self, pages: int, task: str = "a") -> int:
        """Fresh anonymous memory, each page of it with a byte of its own."""
        made = self("mmap", task=task, length=pages << 12, prot=3, flags=ANONYMOUS)
        assert isinstance(made.ret, str)
        start = int(made.ret, 16)
        self("store", task=task, addr=start, count=pages)
        return start

    def thin_out(self, start: int, pages: int) -> None:
        """Give two of three pages back, so that what is free lies in single frames and pairs."""
        for at in range(0, pages, 3):
            self("madvise", task="a", addr=start + (at << 12), length=8192, advice="MADV_DONTNEED")

    def compact(self) -> Outcome:
        return self("sysctl", name="compact_memory", value=1)

    def frame(self, address: int, task: str = "a") -> int:
        mm = self.m.tasks[task].mm
        assert mm is not None
        return user_bytes.frame_at(mm, address)

    def stat(self, event: str) -> int:
        return self.m.vm_events.get(event, 0)


def fragmented(pages: int = 9000) -> tuple[Room, int]:
    """All of memory is in use but for single frames between pages of a process; one of those that will move.

    It is in the lowest frame.
    """
    state, start = state_of_fragmented(pages)
    room = Room(boot.restore(json.loads(state)))
    return room, min(kept(start, pages), key=room.frame)


def kept(start: int, pages: int = 9000) -> list[int]:
    """Addresses of the pages that are left of an area which was thinned out."""
    return [start + (at << 12) for at in range(2, pages, 3)]


def use_up(m: Machine) -> None:
    """Take all blocks of order 4 and more."""
    for order in range(9, 3, -1):
        while page_alloc.alloc_pages(m, gfp_masks.__GFP_NOWARN | gfp_masks.__GFP_MOVABLE, order) is not None:
            pass


@functools.cache
def state_of_fragmented(pages: int) -> tuple[str, int]:
    """Such a machine, made once."""
    room = Room()
    start = room.area(pages)
    use_up(room.m)
    room.thin_out(start, pages)
    room("drain_all_pages")
    use_up(room.m)
    return json.dumps(room.m.state()), start


def free_frames(m: Machine) -> int:
    return m.nr_free_pages + sum(pages.count for zone in m.zones for pages in zone.pcp)


def seen_by_processes(m: Machine) -> dict[tuple[str, int], tuple[int, dict[int, int] | None, int]]:
    """What every process finds at each address: the entry without its frame, the bytes, the page's index."""
    found = {}
    for task in m.tasks.values():
        for number, table in task.mm.tables[1].items() if task.mm is not None else ():
            for at, entry in enumerate(table.entries):
                if pte_present(entry):
                    pfn = pte_pfn(entry)
                    found[task.name, number << 21 | at << 12] = (
                        entry & 0xFFF | entry >> 63 << 63,
                        m.vm.contents.get(pfn),
                        mem_map.index_of(m, pfn),
                    )
    return found


def context(m: Machine, gfp: int) -> AllocContext:
    return page_alloc.prepare_alloc_pages(m, gfp, 0)


# -- large blocks ----------------------------------------------------------------------------------


def test_a_request_that_failed_succeeds_after_compaction() -> None:
    room, address = fragmented()
    room("store", task="a", addr=address, value=7)
    assert page_alloc.alloc_pages(room.m, GFP, 9) is None
    room.compact()
    room("drain_all_pages")
    assert page_alloc.alloc_pages(room.m, GFP, 9) is not None
    assert room.stat("pgmigrate_success") > 0
    assert room("load", task="a", addr=address).ret == 7
    assert not invariants.verify(room.m)


def test_direct_compaction_takes_the_block_as_it_merges() -> None:
    """The block never stands on a free list: nobody can take it away from who did the work."""
    room, _ = fragmented()
    ac = context(room.m, GFP)
    free = free_frames(room.m)
    result, pfn = compaction.try_to_compact_pages(room.m, GFP, 9, ALLOC_CPUSET, ac, COMPACT_PRIO_SYNC_LIGHT)
    assert result == COMPACT_SUCCESS
    assert pfn is not None
    assert not pfn % 512
    assert room.m.zone_of(pfn).free_block_at(pfn) is None
    assert free_frames(room.m) == free - 512
    assert room.m.capture_control is None


def test_without_waiting_only_pageblocks_of_the_own_type_are_looked_into() -> None:
    room, _ = fragmented()
    ac = context(room.m, GFP)
    result, pfn = compaction.try_to_compact_pages(room.m, GFP, 9, ALLOC_CPUSET, ac, COMPACT_PRIO_ASYNC)
    assert (result, pfn) == (COMPACT_PARTIAL_SKIPPED, None)
    assert room.stat("pgmigrate_success") == 0
    movable = GFP | gfp_masks.__GFP_MOVABLE
    ac = context(room.m, movable)
    result, pfn = compaction.try_to_compact_pages(room.m, movable, 5, ALLOC_CPUSET, ac, COMPACT_PRIO_ASYNC)
    assert result == COMPACT_SUCCESS
    assert room.stat("pgmigrate_success") > 0


def test_without_io_nothing_is_compacted() -> None:
    room, _ = fragmented()
    gfp = GFP & ~gfp_masks.__GFP_IO
    ac = context(room.m, gfp)
    made = compaction.try_to_compact_pages(room.m, gfp, 9, ALLOC_CPUSET, ac, COMPACT_PRIO_SYNC_LIGHT)
    assert made == (COMPACT_SKIPPED, None)


def test_a_run_needs_twice_the_block_in_free_frames() -> None:
    room, _ = fragmented()
    m, zone = room.m, room.m.zones[1]
    for above, worth in ((1024, COMPACT_SKIPPED), (1025, COMPACT_CONTINUE)):
        zone.boost, zone.watermark[1] = 0, zone.vm_stat_free - above
        assert compact_suitable.compaction_suitable(m, zone, 9, 0, 2) == worth


def test_where_memory_is_short_rather_than_in_pieces_nothing_is_moved() -> None:
    """Six free blocks of half the size: moving pages would not make much of them."""
    room = Room()
    m, zone = room.m, room.m.zones[1]
    gfp = gfp_masks.__GFP_NOWARN | gfp_masks.__GFP_MOVABLE
    for each in m.zones:
        each.watermark = [0, 0, 0, 0]
    blocks = []
    for order in range(8, -1, -1):
        while (pfn := page_alloc.alloc_pages(m, gfp, order)) is not None:
            blocks += [pfn] if order == 8 else []
    for pfn in [pfn for pfn in blocks if pfn % 512 and zone.spans_pfn(pfn)][:6]:
        page_free.free_pages(m, pfn, 8)
    zone.watermark[:3] = [20, 30, 40]
    assert compact_suitable.suitable(zone, 9, 0, 2, zone.vm_stat_free) == COMPACT_CONTINUE
    assert compact_suitable.compaction_suitable(m, zone, 9, 0, 2) == COMPACT_SKIPPED
    assert compact_suitable.suitable(zone, 3, 0, 2, zone.vm_stat_free) == COMPACT_SUCCESS


# -- what can be moved -----------------------------------------------------------------------------


def moved(room: Room, address: int) -> bool:
    before = room.frame(address)
    room.compact()
    return room.frame(address) != before


def test_a_page_that_somebody_holds_stays() -> None:
    room, address = fragmented()
    pfn = room.frame(address)
    mem_map.get_page(room.m, pfn)
    room.m.trace = trace = Trace(room.m)
    assert not moved(room, address)
    room.m.trace = None
    assert any(step["numbers"].get("left", {}).get("held") for step in trace.steps), "it is not even taken"
    assert mem_map.flags(room.m, pfn) & mem_map.PG_swapbacked
    mem_map.section(room.m, pfn).refcount[pfn & 511] -= 1
    assert moved(room, address)


def test_a_page_whose_lock_somebody_holds_stays_after_ten_attempts() -> None:
    room, address = fragmented()
    mem_map.set_flags(room.m, room.frame(address), PG_locked)
    failed = room.stat("pgmigrate_fail")
    assert not moved(room, address)
    assert room.stat("pgmigrate_fail") > failed
    mem_map.set_flags(room.m, room.frame(address), 0, PG_locked)
    assert not invariants.verify(room.m)


def test_a_locked_area_moves_and_stays_locked() -> None:
    room, address = fragmented()
    room("mlock", task="a", addr=address, length=4096)
    assert moved(room, address)
    assert mem_map.flags(room.m, room.frame(address)) & PG_mlocked
    room("sysctl", name="drop_caches", value=1)
    assert mem_map.flags(room.m, room.frame(address)) & PG_unevictable
    assert room.m.vm.stat["mlock"] == 1
    assert not invariants.verify(room.m)


def test_below_the_min_mark_no_frame_is_lent() -> None:
    room, address = fragmented()
    for zone in room.m.zones:
        zone.watermark[0] = zone.vm_stat_free
    assert not moved(room, address)
    assert room.stat("pgmigrate_success") == 0


def test_an_entry_that_was_not_used_lately_stays_so() -> None:
    room, address = fragmented()
    mm = room.m.tasks["a"].mm
    assert mm is not None
    set_pte(mm, address, pte_of(mm, address) & ~ACCESSED)
    assert moved(room, address)
    assert not pte_of(mm, address) & ACCESSED
    assert pte_of(mm, address) & RW


def test_a_page_that_one_process_may_only_read_is_still_its_alone() -> None:
    room, address = fragmented()
    assert room("mprotect", task="a", addr=address, length=4096, prot=1).ret == 0
    assert moved(room, address)
    assert mem_map.flags(room.m, room.frame(address)) & mem_map.PG_anon_exclusive


def test_what_is_known_of_a_pages_use_moves_with_it() -> None:
    room = Room()
    address = room.area(100) + (50 << 12)
    room("fork", task="a", child="b")
    room.thin_out(room.area(1000), 1000)
    mem_map.set_flags(room.m, room.frame(address), PG_referenced)
    assert moved(room, address)
    pfn = room.frame(address)
    assert pfn == room.frame(address, "b")
    assert mem_map.page_mapcount(room.m, pfn) == 2
    bits = mem_map.flags(room.m, pfn)
    assert bits & PG_referenced
    assert bits & PG_dirty, "the entry's dirty bit is known of the page now"
    assert not bits & (mem_map.PG_anon_exclusive | PG_active)
    room("store", task="b", addr=address, value=9)
    assert room("load", task="a", addr=address).ret == 1
    assert room("load", task="b", addr=address).ret == 9


def test_pages_of_files_move_in_the_page_cache() -> None:
    room = Room()
    room("open", task="a", path="/data/a", flags="O_RDWR")
    assert room("read", task="a", fd=3, count=1 << 20).ret == 1 << 20
    room.thin_out(room.area(1000), 1000)
    inode = room.m.vm.inodes["/data/a"]
    before = dict(inode.i_pages)
    held = min(before, key=before.__getitem__)
    mem_map.get_page(room.m, before[held])
    room.compact()
    assert list(inode.i_pages) == list(before)
    assert sum(inode.i_pages[index] != pfn for index, pfn in before.items()) > 100
    assert inode.i_pages[held] == before[held], "who holds it would go on with the old frame"
    assert not invariants.verify(room.m)


def test_a_page_of_the_swap_cache_keeps_its_slot() -> None:
    room, address = fragmented()
    m = room.m
    inode = namei.new_inode(m, "ext4", "/swap", 64 << 12)
    inode.swap_pages = 64
    assert swapon.swapon(m, inode, "/swap", rotating=True) == 0
    assert swap_alloc.add_to_swap(m, room.frame(address))
    assert m.vm.swap is not None
    (entry,) = m.vm.swap.cache
    assert moved(room, address)
    assert m.vm.swap.cache == {entry: room.frame(address)}
    assert m.vm.swap.entries == {room.frame(address): entry}
    assert not invariants.verify(m)
    assert swapon.swapoff(m, inode) == 0
    assert not swap_state.is_swapcache(m, room.frame(address))


def test_pages_of_ramfs_cannot_be_moved() -> None:
    """They are dirty, and can be written nowhere: compact_memory tries to move them, others do not."""
    room = Room()
    m = room.m
    inode = namei.new_inode(m, "ramfs", "/init", 60 << 12)
    for index in range(60):
        pfn = mem_map.alloc_page(m, gfp_masks.GFP_HIGHUSER_MOVABLE, 0, PG_dirty | PG_unevictable)
        assert pfn is not None
        pagemap.filemap_add_folio(m, inode, index, pfn)
        lru.put_page(m, pfn)
    swap.lru_add_drain(m)
    before = dict(inode.i_pages)
    room.thin_out(room.area(1000), 1000)
    room.compact()
    failed = room.stat("pgmigrate_fail")
    assert inode.i_pages == before
    assert failed > 0
    swap.lru_add_drain(m)
    listed = PG_unevictable | PG_lru
    assert all(mem_map.flags(m, pfn) & listed == listed for pfn in before.values())
    node = m.nodes[0]
    node.kcompactd_max_order, node.kcompactd_highest_zoneidx = 9, 1
    compaction.kcompactd_do_work(m, node)
    assert room.stat("pgmigrate_fail") == failed
    assert not invariants.verify(m)


def test_the_order_of_the_list_is_turned_round() -> None:
    """The highest frame of a lot is moved first, and each page comes to the list as if it were new."""
    room, _ = fragmented()
    room.compact()
    room("sysctl", name="drop_caches", value=1)
    lru = room.m.vm.lruvecs[0].lists[0]
    frames, pfn = [], lru.head
    while len(frames) < 20:
        frames.append(pfn)
        pfn = mem_map.section(room.m, pfn).next[pfn & 511]
    addresses = {room.frame(address): at for at, address in enumerate(kept(state_of_fragmented(9000)[1]))}
    places = [addresses[frame] for frame in frames if frame in addresses]
    assert len(places) > 10
    assert places != sorted(places, reverse=True)


# -- what is remembered ----------------------------------------------------------------------------


def test_after_a_failure_the_next_runs_are_skipped() -> None:
    room, _ = fragmented()
    m = room.m
    zone = m.zones[1]
    for shift in (1, 2):
        compact_suitable.defer_compaction(m, zone, 9)
        assert zone.compact.defer_shift == shift
        skipped = 0
        while compact_suitable.compaction_deferred(m, zone, 9):
            skipped += 1
        assert skipped == (1 << shift) - 1
    compact_suitable.defer_compaction(m, zone, 9)
    ac = context(m, GFP)
    result, _ = compaction.try_to_compact_pages(m, GFP, 9, ALLOC_CPUSET, ac, COMPACT_PRIO_SYNC_LIGHT)
    assert result == COMPACT_DEFERRED
    result, _ = compaction.try_to_compact_pages(m, GFP, 9, ALLOC_CPUSET, ac, COMPACT_PRIO_SYNC_FULL)
    assert result == COMPACT_SUCCESS
    zone.compact.order_failed = 9
    compact_suitable.defer_compaction(m, zone, 9)
    assert not compact_suitable.compaction_deferred(m, zone, 8), "a smaller order has not failed"
    compact_suitable.compaction_defer_reset(m, zone, 9, alloc_success=True)
    assert (zone.compact.defer_shift, zone.compact.order_failed) == (0, 10)


def test_marks_of_pageblocks_are_cleared_where_a_visit_is_worth_it() -> None:
    room, _ = fragmented()
    zone = room.m.zones[1]
    compact_skip.set_pageblock_skip(zone, zone.start_pfn)
    for block in range(zone.start_pfn, zone.end_pfn, 512):
        compact_skip.set_pageblock_skip(zone, block)
    compact_skip.reset_isolation_suitable(room.m, room.m.nodes[0])
    assert all(zone.compact.skip), "the scanners have not met"
    zone.compact.blockskip_flush = True
    compact_skip.reset_isolation_suitable(room.m, room.m.nodes[0])
    assert not all(zone.compact.skip)
    assert zone.compact.cached_migrate_pfn[0] == zone.compact.init_migrate_pfn > zone.start_pfn
    assert not zone.compact.blockskip_flush


def test_a_pageblock_that_has_no_frame_to_lend_is_marked() -> None:
    room, _ = fragmented()
    zone = room.m.zones[1]
    full = next(
        block
        for block in range(zone.end_pfn - 1 & -512, zone.start_pfn, -512)
        if not any(block <= pfn < block + 512 for pfn in zone.buddy)
    )
    room.compact()
    assert compact_skip.get_pageblock_skip(zone, full)


def test_compact_memory_does_not_look_at_marks() -> None:
    room, address = fragmented()
    zone = room.m.zones[1]
    for block in range(zone.start_pfn, zone.end_pfn, 512):
        compact_skip.set_pageblock_skip(zone, block)
    assert moved(room, address)


def test_kcompactd_makes_the_block_that_it_was_woken_for() -> None:
    room, _ = fragmented()
    m = room.m
    node = m.nodes[0]
    compaction.wakeup_kcompactd(m, node, 0, 0)
    assert (node.kcompactd_woken, node.kcompactd_highest_zoneidx) == (False, 1)
    compaction.wakeup_kcompactd(m, node, 9, 2)
    assert node.kcompactd_woken
    compaction.kcompactd_do_work(m, node)
    assert not node.kcompactd_woken
    assert node.kcompactd_max_order == 0
    assert room.stat("compact_daemon_wake") == 1
    assert room.stat("compact_daemon_migrate_scanned") == room.stat("compact_migrate_scanned") > 0
    assert m.zones[1].free_area[9].nr_free + m.zones[1].free_area[10].nr_free
    assert not invariants.verify(m)


@pytest.mark.parametrize("order", [4, 6])
def test_a_pageblock_that_was_begun_is_finished(order: int) -> None:
    """Half cleared it would be of no use to anybody, though a block of the order is there already."""
    room, _ = fragmented()
    m = room.m
    m.trace = trace = Trace(m)
    compaction.wakeup_kcompactd(m, m.nodes[0], order, 2)
    compaction.kcompactd_do_work(m, m.nodes[0])
    m.trace = None
    ends = [step["numbers"]["migrate_pfn"] for step in trace.steps if "migrate_scanned" in step["numbers"]]
    assert ends
    assert not any(pfn % 512 for pfn in ends)
    assert room.stat("pgmigrate_success") > 32


def test_a_dump_carries_what_is_remembered() -> None:
    room, _ = fragmented()
    assert "compaction" not in room.m.dump()
    room.compact()
    compact_suitable.defer_compaction(room.m, room.m.zones[1], 9)
    compaction.wakeup_kcompactd(room.m, room.m.nodes[0], 9, 1)
    document = json.loads(json.dumps(room.m.dump()))
    twin = boot.load(document)
    assert twin.dump() == document
    assert twin.zones[1].compact.skip == room.m.zones[1].compact.skip
    assert boot.restore(json.loads(json.dumps(room.m.state()))).dump() == document


@pytest.mark.parametrize("profile", ["x86_64-1t", "x86_64-8g"])
def test_memory_that_was_never_touched_costs_nothing(profile: str) -> None:
    m = boot.boot({"profile": profile, "reclaim": True})
    compaction.compact_nodes(m)
    assert m.vm_events["compact_migrate_scanned"] > m.zones[-1].spanned_pages // 4
    assert sum(len(zone.buddy) for zone in m.zones) < 10_000
    assert not invariants.verify(m)


# -- explanations ----------------------------------------------------------------------------------


def test_a_run_is_told_lot_by_lot() -> None:
    room, _ = fragmented(2000)
    room.m.trace = trace = Trace(room.m)
    room.compact()
    room.m.trace = None
    told = [(step["fn"], step["verdict"]) for step in trace.steps]
    lots = [step for step in trace.steps if step["verdict"] == "moved"]
    assert sum(len(step["numbers"]["moved"]) for step in lots) == room.stat("pgmigrate_success") > 0
    assert told.count(("isolate_migratepages_block", "isolated")) >= len(lots)
    assert told.count(("isolate_freepages", "isolated")) <= len(lots)
    assert told.count(("compact_finished", "complete")) == len(room.m.zones)
    assert len(trace.steps) < 200
    assert lots[0]["file"] == "mm/migrate.c"
    point = "mm_compaction_begin: zone_start=0x1 migrate_pfn=0x1 free_pfn=0xe00 zone_end=0x1000, mode=sync"
    assert any(line.endswith(point) for line in trace.points)
    point = "mm_compaction_suitable: node=0 zone=DMA32    order=-1 ret=continue"
    assert any(line.endswith(point) for line in trace.points)


def test_an_outcome_tells_which_entries_have_another_frame() -> None:
    room, _ = fragmented(200)
    told = room.compact().as_json(room.m.model)
    assert told["pte"]
    assert {run[0] for run in told["pte"]} == {"a"}
    assert any(state == "anon" for _, _, state in told["changed"])


# -- whatever was done before ----------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(("area", "file", "fork", "lock", "thin", "hold", "tmp", "read", "exit")),
        st.integers(0, 1 << 20),
    ),
    min_size=2,
    max_size=14,
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS, order=st.sampled_from((-1, 2, 5, 9)), prio=st.integers(0, 2))
def test_whoever_maps_a_page_finds_it_afterwards(steps: list[tuple[str, int]], order: int, prio: int) -> None:
    """Each process reads the same bytes, the reverse map leads to the entries, and no frame is lost."""
    room = Room()
    m = room.m
    areas = [room.area(300)]
    held = []
    for what, number in steps:
        start = areas[number % len(areas)] + (number % 200 << 12)
        if what == "area" and len(areas) < 5:
            areas.append(room.area(100 + number % 900))
        elif what in ("file", "tmp"):
            room("open", task="a", path="/data/a" if what == "file" else "/tmp/x", flags="O_RDWR|O_CREAT")
            room("write", task="a", fd=3, count=number % 300_000 + 1)
            room("mmap", task="a", length=65536, prot=3, flags=1 + number % 2, fd=3)
        elif what == "fork" and "b" not in m.tasks:
            room("fork", task="a", child="b")
        elif what == "lock":
            room("mlock", task="a", addr=start, length=(number % 30 + 1) << 12)
        elif what == "thin":
            room.thin_out(areas[number % len(areas)], 300)
        elif what == "hold":
            head = next((pfn for pfn in m.vm.contents if mem_map.known(m, pfn)), None)
            if head is not None and not held:
                mem_map.get_page(m, head)
                held.append(head)
        elif what == "read":
            room("load", task="b" if "b" in m.tasks else "a", addr=start, count=50)
        elif what == "exit" and "b" in m.tasks:
            room("exit", task="b")
    before, frames = seen_by_processes(m), free_frames(m)
    files = {inode.id: list(inode.i_pages) for inode in m.vm.mappings.values()}
    captured = None
    if order < 0:
        room.compact()
    else:
        made = compaction.try_to_compact_pages(m, GFP, order, ALLOC_CPUSET, context(m, GFP), prio)
        captured = made[1]
    after = seen_by_processes(m)
    assert {at: found[1:] for at, found in after.items()} == {at: found[1:] for at, found in before.items()}
    assert {at: found[0] for at, found in after.items()} == {at: found[0] for at, found in before.items()}
    assert {inode.id: list(inode.i_pages) for inode in m.vm.mappings.values()} == files
    assert free_frames(m) == frames - (1 << order if captured is not None else 0)
    if captured is None:
        assert not invariants.verify(m)
        document = json.loads(json.dumps(m.dump()))
        assert boot.load(document).dump() == document

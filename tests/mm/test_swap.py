"""Swap on machines of our own: slots are found, pages go and come back, and nothing is lost."""

import random

import pytest

from app.machine import boot, invariants
from app.machine.machine import Machine
from app.mm import (
    errno,
    fault,
    fork,
    khugepaged,
    madvise,
    mem_map,
    mlock_vma,
    mmap,
    mprotect,
    mremap,
    namei,
    page_io,
    page_ref,
    pgalloc,
    rmap_reclaim,
    sched,
    swap,
    swap_alloc,
    swap_map,
    swap_slots,
    swapon,
    swapops,
    user_bytes,
)
from app.mm import exec as programs
from app.mm import read_write as files
from app.mm.fs import Inode
from app.mm.mm_types import MM_SWAPENTS, VM_LOCKED, MmStruct
from app.mm.page import PG_dirty, PG_writeback
from app.mm.pgtable_types import ACCESSED, RW
from app.mm.proc import meminfo, swaps, task_mmu
from app.mm.swap_info import SwapInfo
from tests.mm.test_processes import end, entries
from tests.support import swapping
from tests.support.swapping import PAGE, frame, memory, put_out


def machine(pages: int = 1024, *, rotating: bool = True, cpus: int = 1) -> tuple[Machine, MmStruct]:
    m = boot.boot({"profile": "x86_64-1g", "process_caches": False, "reclaim": True, "cpus": cpus})
    sched.new_task(m, "a")
    m.current.task = "a"
    assert programs.execve(m, "/bin/hello") == (0, None)
    if pages:
        assert swapping.add_swap(m, pages, rotating=rotating) == 0
    return m, sched.current_mm(m)


def area(m: Machine) -> SwapInfo:
    return swap_map.swap_of(m).area(0)


def written(m: Machine, mm: MmStruct, pages: int) -> int:
    """So many pages, each written with its number, and all on their lists."""
    where = memory(m, pages)
    for page in range(pages):
        assert fault.user_access(m, where + page * PAGE, write=True) is None
        user_bytes.store(m, mm, where + page * PAGE, page)
    swap.lru_add_drain(m)
    return where


def out(m: Machine, mm: MmStruct, address: int) -> bool:
    return put_out(m, frame(mm, address))


def slot(mm: MmStruct, address: int) -> int:
    entry = pgalloc.pte_of(mm, address)
    assert swapops.is_swap_pte(entry)
    return swapops.swp_offset(swapops.pte_to_swp_entry(entry))


def sound(m: Machine) -> None:
    assert not invariants.verify(m)
    assert boot.restore(m.state()).state() == m.state()
    assert boot.load(m.dump()).dump() == m.dump()


# -- entries ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("area_number", "offset"), [(0, 1), (0, 16383), (21, (1 << 50) - 1)])
def test_an_entry_names_area_and_slot_and_is_not_present(area_number: int, offset: int) -> None:
    entry = swapops.swp_entry(area_number, offset)
    pte = swapops.swp_entry_to_pte(entry)
    assert swapops.is_swap_pte(pte)
    assert not pte & 0x1FF
    assert swapops.pte_to_swp_entry(pte | swapops.SWP_EXCLUSIVE | swapops.SWP_SOFT_DIRTY) == entry


def test_the_slot_stands_inverted_from_bit_9_on() -> None:
    """arch/x86/include/asm/pgtable_64.h: type in bits 59 to 63, the inverted offset in bits 9 to 58."""
    assert swapops.swp_entry_to_pte(swapops.swp_entry(3, 5)) == 3 << 59 | (~5 & (1 << 50) - 1) << 9


# -- slots -----------------------------------------------------------------------------------------


def test_the_first_fill_of_the_stock_is_three_slots_and_the_next_sixty_four() -> None:
    """The search for 512 free slots in a row has used up its patience when the first is taken."""
    m, _ = machine()
    stock = swap_map.swap_of(m).cpu_slots[0]
    assert swap_alloc.folio_alloc_swap(m) == 1
    assert stock.slots == [2, 3]
    assert [swap_alloc.folio_alloc_swap(m) for _ in range(3)] == [2, 3, 4]
    assert stock.slots == list(range(5, 68))
    assert (area(m).inuse_pages, m.vm.nr_swap_pages) == (67, 1023 - 67)


def test_a_scarce_swap_has_no_stocks() -> None:
    m, _ = machine(300)
    assert [swap_alloc.folio_alloc_swap(m) for _ in range(3)] == [1, 2, 3]
    assert area(m).inuse_pages == 3
    swap_slots.free_swap_slot(m, 2)
    assert area(m).swap_map[2] == 0
    assert area(m).lowest_bit == 2


def test_the_stocks_are_given_up_when_swap_runs_short() -> None:
    m, _ = machine(600)
    state = swap_map.swap_of(m)
    taken = [swap_alloc.folio_alloc_swap(m) for _ in range(480)]
    assert state.slot_cache_active is False
    assert not state.cpu_slots[0].slots
    assert area(m).inuse_pages == 480
    # What was in the stock is free again; the search goes on behind it.
    assert sorted(taken) == [*range(1, 453), *range(516, 544)]


def test_all_slots_can_be_had_and_then_none() -> None:
    m, _ = machine(200)
    found = [swap_alloc.folio_alloc_swap(m) for _ in range(199)]
    assert sorted(found) == list(range(1, 200))
    assert swap_alloc.folio_alloc_swap(m) == 0
    assert (area(m).highest_bit, area(m).lowest_bit, m.vm.nr_swap_pages) == (0, 200, 0)
    swap_slots.free_swap_slot(m, 77)
    assert swap_alloc.folio_alloc_swap(m) == 77


def test_areas_are_used_by_priority_and_the_first_begun_has_the_highest() -> None:
    m, _ = machine(100)
    assert swapping.add_swap(m, 100, "/dev/vdb") == 0
    taken = [swap_alloc.folio_alloc_swap(m) for _ in range(100)]
    assert {swapops.swp_type(entry) for entry in taken[:99]} == {0}
    assert swapops.swp_type(taken[99]) == 1


def test_without_moving_parts_each_cpu_fills_a_cluster_of_its_own() -> None:
    m, _ = machine(16384, rotating=False, cpus=2)
    m.current.cpu = 0
    first = swap_alloc.folio_alloc_swap(m)
    m.current.cpu = 1
    other = swap_alloc.folio_alloc_swap(m)
    assert first // 512 != other // 512
    m.current.cpu = 0
    assert swap_alloc.folio_alloc_swap(m) == first + 1


def test_a_full_swap_takes_slots_back_that_pages_in_memory_only_keep() -> None:
    """The search comes by a slot that only the swap cache has, and frees it; the page is dirty then."""
    m, mm = machine(64)
    where = written(m, mm, 65)
    for page in range(31):
        assert out(m, mm, where + page * PAGE)
    assert fault.user_access(m, where + 8 * PAGE) is None
    keeper = frame(mm, where + 8 * PAGE)
    kept = swapops.swp_offset(swap_map.swap_of(m).entries[keeper])
    swap.lru_add_drain(m)
    for page in range(31, 63):
        assert out(m, mm, where + page * PAGE)
    assert not m.vm.nr_swap_pages
    assert not out(m, mm, where + 63 * PAGE)
    swap.lru_add_drain(m)
    for page in (1, 39):
        assert madvise.madvise(m, where + page * PAGE, PAGE, madvise.MADV_DONTNEED) == 0
    assert area(m).swap_map[kept] == 0x40
    assert swap_map.vm_swap_full(m)
    assert [out(m, mm, where + page * PAGE) for page in (63, 64)] == [True, True]
    assert [slot(mm, where + page * PAGE) for page in (63, 64)] == [2, kept]
    assert mem_map.flags(m, keeper) & PG_dirty
    sound(m)


def test_one_slot_can_be_named_by_more_processes_than_a_byte_counts() -> None:
    m, mm = machine()
    where = written(m, mm, 1)
    assert out(m, mm, where)
    entry = swapops.pte_to_swp_entry(pgalloc.pte_of(mm, where))
    for number in range(70):
        fork.fork(m, f"b{number}")
    assert swap_map.swp_swapcount(m, entry) == 71
    sound(m)
    for number in range(70):
        end(m, f"b{number}")
        m.current.task = "a"
    assert swap_map.swp_swapcount(m, entry) == 1
    assert area(m).swap_map[swapops.swp_offset(entry)] == 1
    sound(m)


# -- out and in ------------------------------------------------------------------------------------


def test_a_page_that_comes_back_holds_what_was_stored_and_its_neighbours_come_with_it() -> None:
    m, mm = machine()
    where = written(m, mm, 16)
    free = m.nr_free_pages
    for page in range(16):
        assert out(m, mm, where + page * PAGE)
    assert m.nr_free_pages + sum(zone.pcp[0].count for zone in m.zones) > free
    assert [slot(mm, where + page * PAGE) for page in range(16)] == list(range(1, 17))
    before = m.tasks["a"].maj_flt
    assert fault.user_access(m, where + 4 * PAGE) is None
    assert user_bytes.load(m, mm, where + 4 * PAGE) == 4
    # Four hits are assumed at first: 4 + 2 pages, rounded up; slot 0 is the header.
    assert m.vm.stat["pswpin"] == 7
    assert m.vm.stat["swap_ra"] == 6
    assert fault.user_access(m, where + 5 * PAGE) is None
    assert (m.vm.stat["swap_ra_hit"], m.tasks["a"].maj_flt) == (1, before + 1)
    sound(m)


def test_what_frames_were_before_does_not_show_in_those_that_are_read_ahead() -> None:
    m, mm = machine()
    where = written(m, mm, 16)
    for page in range(16):
        assert out(m, mm, where + page * PAGE)
    again = boot.restore(m.state())
    for each in (m, again):
        each.current.task = "a"
        assert fault.user_access(each, where + 4 * PAGE) is None
    assert again.state() == m.state()


def test_a_page_that_was_only_read_is_dropped_without_being_written_again() -> None:
    m, mm = machine()
    where = written(m, mm, 1)
    assert out(m, mm, where)
    assert fault.user_access(m, where) is None
    swap.lru_add_drain(m)
    assert page_ref.state_of(m, frame(mm, where)) == "swapcache"
    assert not pgalloc.pte_of(mm, where) & RW
    assert out(m, mm, where)
    assert m.vm.stat["pswpout"] == 1
    assert slot(mm, where) == 1


def test_a_write_gives_the_slot_up_and_a_later_write_to_a_kept_page_copies_nothing() -> None:
    m, mm = machine()
    where = written(m, mm, 2)
    for page in range(2):
        assert out(m, mm, where + page * PAGE)
    assert fault.user_access(m, where, write=True) is None
    assert mem_map.flags(m, frame(mm, where)) & PG_dirty
    assert area(m).swap_map[1] == 0x40
    assert fault.user_access(m, where + PAGE) is None
    pfn = frame(mm, where + PAGE)
    assert fault.user_access(m, where + PAGE, write=True) is None
    assert frame(mm, where + PAGE) == pfn
    sound(m)


def test_a_fork_shares_slots_and_the_first_writer_gets_a_copy() -> None:
    m, mm = machine()
    where = written(m, mm, 3)
    for page in range(3):
        assert out(m, mm, where + page * PAGE)
    fork.fork(m, "b")
    child = m.tasks["b"].mm
    assert child is not None
    assert child.rss_stat[MM_SWAPENTS] == 3
    assert not pgalloc.pte_of(mm, where) & swapops.SWP_EXCLUSIVE
    m.current.task = "b"
    assert fault.user_access(m, where, write=True) is None
    user_bytes.store(m, child, where, 200)
    m.current.task = "a"
    assert fault.user_access(m, where) is None
    assert user_bytes.load(m, mm, where) == 0
    assert frame(mm, where) != frame(child, where)
    sound(m)


def test_what_is_given_up_leaves_its_slot() -> None:
    m, mm = machine()
    where = written(m, mm, 24)
    for page in range(24):
        assert out(m, mm, where + page * PAGE)
    assert madvise.madvise(m, where, 8 * PAGE, madvise.MADV_DONTNEED) == 0
    assert madvise.madvise(m, where + 8 * PAGE, 8 * PAGE, madvise.MADV_FREE) == 0
    assert mmap.munmap(m, where + 16 * PAGE, 8 * PAGE) == 0
    assert not [use for use in area(m).swap_map[1:] if use & 0x3F]
    assert not swap_map.swap_of(m).cache
    sound(m)


def test_entries_of_pages_in_swap_move_and_stay_what_they_are() -> None:
    m, mm = machine()
    where = written(m, mm, 4)
    for page in range(4):
        assert out(m, mm, where + page * PAGE)
    before = [slot(mm, where + page * PAGE) for page in range(4)]
    assert mprotect.mprotect(m, where, 4 * PAGE, 1) == 0
    moved = mremap.mremap(m, where, 4 * PAGE, 8 * PAGE, 1, 0)
    assert [slot(mm, moved + page * PAGE) for page in range(4)] == before
    assert mprotect.mprotect(m, moved, 4 * PAGE, 3) == 0
    assert fault.user_access(m, moved + 2 * PAGE) is None
    assert user_bytes.load(m, mm, moved + 2 * PAGE) == 2
    sound(m)


def test_locked_memory_is_not_taken_and_brings_back_what_was() -> None:
    m, mm = machine()
    where = written(m, mm, 4)
    assert out(m, mm, where)
    assert mlock_vma.do_mlock(m, where, 4 * PAGE, VM_LOCKED) == 0
    pfn = frame(mm, where)
    assert area(m).swap_map[1] in (0, 0x40)
    assert rmap_reclaim.folio_referenced(m, pfn)[1] & VM_LOCKED
    assert not rmap_reclaim.try_to_unmap(m, pfn)
    assert frame(mm, where) == pfn
    sound(m)


def test_a_page_counts_as_used_once_for_each_area_and_only_until_it_is_asked() -> None:
    m, mm = machine()
    where = written(m, mm, 1)
    fork.fork(m, "b")
    m.current.task = "b"
    assert fault.user_access(m, where) is None
    pfn = frame(mm, where)
    assert rmap_reclaim.folio_referenced(m, pfn)[0] == 2
    assert rmap_reclaim.folio_referenced(m, pfn)[0] == 0
    assert not pgalloc.pte_of(mm, where) & ACCESSED


def test_what_madv_free_gave_up_is_dropped_unless_it_was_written_since() -> None:
    m, mm = machine()
    where = written(m, mm, 2)
    assert madvise.madvise(m, where, 2 * PAGE, madvise.MADV_FREE) == 0
    swap.lru_add_drain(m)
    assert fault.user_access(m, where + PAGE, write=True) is None
    assert out(m, mm, where)
    assert pgalloc.pte_of(mm, where) == 0
    assert not put_out(m, frame(mm, where + PAGE))
    assert mem_map.flags(m, frame(mm, where + PAGE)) & mem_map.PG_swapbacked
    assert m.vm.stat["pswpout"] == 0


def test_a_write_that_is_held_back_keeps_the_page_until_it_is_done() -> None:
    m, mm = machine()
    where = written(m, mm, 1)
    pfn = frame(mm, where)
    m.vm.io_deferred = []
    assert not put_out(m, pfn)
    assert mem_map.flags(m, pfn) & PG_writeback
    assert m.vm.io_deferred == [pfn]
    swap.lru_add_drain(m)
    page_io.end_page_writeback(m, pfn)
    m.vm.io_deferred = None
    swap.lru_add_drain(m)
    assert put_out(m, pfn)
    assert m.vm.stat["pswpout"] == 1


def test_small_pages_in_swap_come_back_before_they_are_joined_to_a_huge_one() -> None:
    m, mm = machine()
    where = memory(m, 1024)
    huge = where + (2 << 20) - 1 & -(2 << 20)
    for page in range(8):
        assert fault.user_access(m, huge + page * PAGE, write=True) is None
    swap.lru_add_drain(m)
    for page in range(8):
        assert out(m, mm, huge + page * PAGE)
    assert khugepaged.collapse_huge_page(m, mm, huge) is not None
    assert m.vm.stat["pswpin"] >= 7
    assert not [use for use in area(m).swap_map[1:] if use & 0x3F]
    assert not invariants.verify(m)


# -- tmpfs -----------------------------------------------------------------------------------------


def tmpfs(m: Machine, pages: int) -> tuple[Inode, int]:
    """A file of tmpfs with so many pages, and its descriptor."""
    fd = namei.do_open(m, "/tmp/x", namei.O_CREAT | 2)
    file = m.tasks["a"].files[fd]
    files.write(m, file, None, pages * PAGE, 0)
    swap.lru_add_drain(m)
    return file.inode, fd


def test_files_of_tmpfs_are_swapped_and_read_again() -> None:
    m, mm = machine()
    inode, fd = tmpfs(m, 20)
    file = m.tasks["a"].files[fd]
    where = mmap.ksys_mmap(m, 0, 20 * PAGE, 3, 1, file, 0)
    assert fault.user_access(m, where) is None
    for pfn in [*inode.i_pages.values()]:
        assert put_out(m, pfn)
    assert len(inode.swapped) == 20
    assert "Swap:                 80 kB" in task_mmu.smaps_rollup(m, mm)
    before = m.tasks["a"].maj_flt
    assert fault.user_access(m, where + 3 * PAGE, write=True) is None
    assert (m.tasks["a"].maj_flt - before, len(inode.i_pages)) == (1, 1)
    assert files.read(m, file, None, 8 * PAGE, 0) == 8 * PAGE
    assert len(inode.i_pages) == 8
    sound(m)
    assert files.ftruncate(m, inode, 0) == 0
    assert not inode.swapped
    assert not [use for use in area(m).swap_map[1:] if use & 0x80]
    sound(m)


# -- areas begun and ended -------------------------------------------------------------------------


def test_the_end_of_an_area_brings_everything_back() -> None:
    m, mm = machine()
    where = written(m, mm, 40)
    inode, _ = tmpfs(m, 5)
    for page in range(40):
        assert out(m, mm, where + page * PAGE)
    for pfn in [*inode.i_pages.values()]:
        assert put_out(m, pfn)
    assert swapon.swapoff(m, namei.lookup(m, "/swap")) == 0
    assert (m.vm.total_swap_pages, m.vm.nr_swap_pages) == (0, 0)
    assert [user_bytes.load(m, mm, where + page * PAGE) for page in range(40)] == list(range(40))
    assert not pgalloc.pte_of(mm, where) & ACCESSED
    assert len(inode.i_pages) == 5
    assert swaps.show(m).count("\n") == 1
    sound(m)


def test_what_cannot_be_swapped_to_is_refused() -> None:
    m, _ = machine(0)
    for path, expected in (
        ("/nowhere", -errno.ENOENT),
        ("/data/a", -errno.EINVAL),
        (namei.DISK, -errno.EBUSY),
    ):
        assert swapon.swapon(m, namei.lookup(m, path), path, rotating=True) == expected
    in_memory = swapon.mkswap(m, None, "/tmp/swap", 100)
    assert swapon.swapon(m, in_memory, "/tmp/swap", rotating=True) == -errno.EINVAL
    assert swapping.add_swap(m, 100) == 0
    again = namei.lookup(m, "/swap")
    assert again is not None
    assert swapon.swapon(m, again, "/swap", rotating=True) == -errno.EBUSY
    assert namei.unlink(m, "/swap") == -errno.EPERM
    assert files.ftruncate(m, again, 0) == -errno.ETXTBSY
    assert swapon.swapoff(m, namei.lookup(m, "/data/a")) == -errno.EINVAL


# -- /proc -----------------------------------------------------------------------------------------


def test_proc_tells_of_swap() -> None:
    m, mm = machine(16384)
    where = written(m, mm, 3)
    for page in range(2):
        assert out(m, mm, where + page * PAGE)
    assert fault.user_access(m, where + PAGE) is None
    assert swaps.show(m).splitlines()[1] == f"/swap{' ' * 35}file\t\t65532\t\t12\t\t-2"
    fields = dict(line.split(":") for line in meminfo.show(m).splitlines())
    # Reading has brought both back; the first is not mapped yet.
    assert [fields[name].split()[0] for name in ("SwapCached", "SwapTotal", "SwapFree")] == [
        "8",
        "65532",
        "65520",
    ]
    words = task_mmu.pagemap(m, mm, where >> 12, 3)
    assert words[0] == 1 << 62 | 1 << 55 | 1 << 5
    assert words[1] >> 63
    assert "Swap:                  4 kB\nSwapPss:               4 kB" in task_mmu.smaps_rollup(m, mm)


# -- at random -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost_whatever_is_done(seed: int) -> None:
    """Two processes of one family, advice, forks of entries, reclaim of anything at any moment."""
    rng = random.Random(seed)
    m, mm = machine(512, rotating=seed == 1)
    where = written(m, mm, 120)
    fork.fork(m, "b")
    inode, fd = tmpfs(m, 20)
    file = m.tasks["a"].files[fd]
    for _ in range(1200):
        m.current.task = rng.choice("ab")
        at = where + rng.randrange(112) * PAGE
        what = rng.random()
        if what < 0.5:
            assert fault.user_access(m, at, write=rng.random() < 0.5) is None
        elif what < 0.9:
            put_out(m, rng.choice(entries(sched.current_mm(m))))
        elif what < 0.93:
            swap.lru_add_drain(m)
        elif what < 0.96:
            madvise.madvise(m, at, 8 * PAGE, rng.choice([3, 4, 8]))
        elif what < 0.98 and inode.i_pages:
            put_out(m, rng.choice([*inode.i_pages.values()]))
        else:
            files.ftruncate(m, inode, rng.randrange(20) * PAGE)
            files.write(m, file, None, rng.randrange(20) * PAGE, 0)
    sound(m)
    m.current.task = "a"
    assert swapon.swapoff(m, namei.lookup(m, "/swap")) == 0
    sound(m)
    for name in "ba":
        end(m, name)
    assert not invariants.verify(m)
    assert m.vm.stat["swapcached"] == 0

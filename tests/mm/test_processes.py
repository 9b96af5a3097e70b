"""Processes on machines of our own: a program starts, forks, writes and ends, and nothing is lost."""

import random
from collections import Counter

import pytest

from app.machine import boot, invariants
from app.machine.machine import Machine
from app.mm import (
    errno,
    fadvise,
    fault,
    fork,
    hugetlb,
    madvise,
    mem_map,
    mlock_vma,
    mmap,
    mprotect,
    mremap,
    namei,
    objects,
    page_ref,
    pagemap,
    pgalloc,
    read_write,
    references,
    sched,
    signal,
    swap,
    user_bytes,
)
from app.mm import exec as programs
from app.mm import exit as kernel_exit
from app.mm.mm_types import MmStruct
from app.mm.pgtable_types import pte_pfn, pte_present
from app.mm.proc import task_mmu

PRIVATE, SHARED, ANONYMOUS, POPULATE, FIXED = 2, 1, 0x20, 0x8000, 0x10
RW = 3


def machine(profile: str = "x86_64-1g", thp: str = "never") -> Machine:
    m = boot.boot({"profile": profile, "process_caches": False})
    m.vm.thp = thp
    sched.new_task(m, "a")
    m.current.task = "a"
    return m


def start(m: Machine) -> MmStruct:
    ret, signal = programs.execve(m, "/bin/hello")
    assert (ret, signal) == (0, None)
    return sched.current_mm(m)


def free_frames(m: Machine) -> int:
    return m.nr_free_pages + sum(pages.count for zone in m.zones for pages in zone.pcp)


def end(m: Machine, name: str) -> None:
    m.current.task = name
    mm = kernel_exit.do_exit(m, m.tasks[name])
    del m.tasks[name]
    if mm is not None:
        kernel_exit.mmdrop(m, mm)


def entries(mm: MmStruct) -> list[int]:
    """Frames that the entries of an address space map, small pages only."""
    return [
        pte_pfn(entry)
        for table in mm.tables[1].values()
        for entry in table.entries
        if entry and pte_present(entry)
    ]


def check(m: Machine) -> None:
    """Entries and mapcounts agree; every page is referenced by those who know it and nobody else."""
    mapped: Counter[int] = Counter()
    whole: Counter[int] = Counter()
    for mm in m.vm.mms.values():
        mapped.update(entries(mm))
        for table in mm.tables[2].values():
            whole.update(entry >> 12 & 0xFFFFFFF for entry in table.entries if entry & 0x80)
    held = Counter(pfn for inode in m.vm.mappings.values() for pfn in inode.i_pages.values())
    for batch in m.vm.batches.values():
        held.update(page[0] if isinstance(page, tuple) else page for page in batch)
    fixed = {m.vm.zero_pfn, *m.vm.special_pages.get("[vdso]", ())}
    for number, s in m.vm.sections.items():
        for i in range(512):
            pfn = number << 9 | i
            head = mem_map.compound_head(m, pfn)
            if pfn in fixed or head == m.vm.huge_zero_page:
                continue
            if not s.order:
                private = bool(s.flags[i] & 1 << 13)
                assert s.refcount[i] == mapped[pfn] + held[pfn] + private, hex(pfn)
                assert s.mapcount[i] + 1 == mapped[pfn], hex(pfn)
            elif pfn == head:
                parts = sum(mapped[frame] for frame in range(head, head + 512))
                assert s.refcount[i] == whole[head] + parts + held[head], hex(head)
                assert s.compound_mapcount + 1 == whole[head], hex(head)
    for lru in m.vm.lruvecs[0].lists[:4]:
        pfn, frames, before = lru.head, 0, 0xFFFFFFFF
        while pfn != 0xFFFFFFFF:
            s = m.vm.sections[pfn >> 9]
            assert s.prev[pfn & 511] == before
            frames += 1 << s.order
            before, pfn = pfn, s.next[pfn & 511]
        assert (lru.tail, frames) == (before, lru.count)
    assert not invariants.verify(m)


@pytest.mark.parametrize("profile", ["x86_64-1g", "i386-1g", "x86_64-8g"])
def test_a_program_starts_with_two_pages_and_ends_with_none(profile: str) -> None:
    m = machine(profile)
    before = free_frames(m)
    mm = start(m)
    task = m.tasks["a"]
    resident = [mm.rss_stat[at] + task.rss_stat[at] for at in range(4)]
    assert resident == [1, 1, 0, 0]
    assert mm.total_vm == 44
    assert "[stack]" in task_mmu.maps(m, mm)
    check(m)
    end(m, "a")
    swap.lru_add_drain(m)
    cached = sum(len(inode.i_pages) for inode in m.vm.mappings.values())
    assert free_frames(m) == before - cached
    assert not m.vm.mms
    assert not m.vm.anon_vmas


def test_a_fork_shares_pages_until_somebody_writes() -> None:
    m = machine()
    start(m)
    where = mmap.ksys_mmap(m, 0, 16 << 12, RW, PRIVATE | ANONYMOUS, None, 0)
    for page in range(16):
        assert fault.user_access(m, where + (page << 12), write=True) is None
    used = free_frames(m)
    fork.fork(m, "b")
    assert used - free_frames(m) < 16
    m.current.task = "b"
    assert fault.user_access(m, where, write=True) is None
    check(m)
    end(m, "b")
    end(m, "a")
    check(m)


@pytest.mark.parametrize(("profile", "levels"), [("x86_64-1g", [4, 3, 2, 1]), ("i386-1g", [3, 2, 1])])
def test_a_walk_goes_from_the_highest_table_to_the_page(profile: str, levels: list[int]) -> None:
    m = machine(profile)
    mm = start(m)
    where = mmap.ksys_mmap(m, 0, 16 << 12, RW, PRIVATE | ANONYMOUS, None, 0)
    assert next(pgalloc.walk(mm, where))[0] is mm.pgd
    assert fault.user_access(m, where, write=True) is None
    steps = list(pgalloc.walk(mm, where))
    assert [table.level for table, _, _ in steps] == levels
    assert [entry >> 12 & 0xFFFFFFF for _, _, entry in steps[:-1]] == [table.pfn for table, _, _ in steps[1:]]
    assert steps[-1][2] == pgalloc.pte_of(mm, where)
    assert steps[-1][1] == where >> 12 & 511
    assert list(pgalloc.walk(mm, where + 4096))[-1][2] == 0


def random_step(m: Machine, rng: random.Random, names: list[str]) -> None:
    """One random operation of a random process."""
    m.current.task = rng.choice(names)
    mm = sched.current_mm(m)
    areas = [vma for vma in mm.mmap if vma.special is None]
    vma = rng.choice(areas)
    start = vma.vm_start + (rng.randrange(vma.pages) << 12)
    length = rng.randrange(1, 40) << 12
    match rng.randrange(14):
        case 0 | 1:
            flags = rng.choice((PRIVATE | ANONYMOUS, SHARED | ANONYMOUS, PRIVATE | ANONYMOUS | POPULATE))
            size = rng.choice((1 << 14, 1 << 16, 5 << 20))
            mmap.ksys_mmap(m, 0, size, rng.choice((1, RW)), flags, None, 0)
        case 2:
            fd = namei.do_open(m, rng.choice(("/data/a", "/tmp/t", "/data/b")), 0x42)
            file = m.tasks[m.current.task].files[fd]
            if file.inode.size < 1 << 16:
                read_write.ftruncate(m, file.inode, 1 << 16)
            mmap.ksys_mmap(m, 0, 1 << 16, RW, rng.choice((PRIVATE, SHARED)), file, 0)
            read_write.read(m, file, None, 1 << 14)
            namei.close(m, fd)
        case 3:
            if vma.vm_start > mm.start_brk and vma.vm_end < mm.start_stack - (1 << 23):
                mmap.munmap(m, start, length)
        case 4:
            if vma.vm_start > mm.start_brk:
                mprotect.mprotect(m, start, min(length, vma.vm_end - start), rng.choice((0, 1, RW, RW)))
        case 5:
            madvise.madvise(m, start, min(length, vma.vm_end - start), rng.choice((4, 4, 8, 14, 15, 0, 1, 2)))
        case 6:
            if vma.vm_start > mm.start_brk and vma.vm_end < mm.start_stack - (1 << 23):
                mremap.mremap(m, vma.vm_start, vma.vm_end - vma.vm_start, length, 1, 0)
        case 7:
            call = rng.choice((mlock_vma.munlock, lambda *a: mlock_vma.do_mlock(*a, 0x2000)))
            call(m, start, min(length, 8 << 12, vma.vm_end - start))
        case 8:
            mmap.brk(m, mm.brk + rng.randrange(-8, 12) * 4096)
        case 9:
            if len(names) < 5:
                names.append(fork.fork(m, f"p{m.last_pid}").name)
        case 10:
            if len(names) > 1:
                end(m, names.pop(names.index(m.current.task)))
        case _:
            for page in range(rng.randrange(1, 30)):
                if start + (page << 12) >= vma.vm_end:
                    break
                signal = fault.user_access(m, start + (page << 12), write=rng.random() < 0.7)
                assert signal is None or signal[1] == fault.SEGV_ACCERR or signal[0] == fault.SIGBUS
    m_task = m.current.task
    if m_task in m.tasks:
        mmap.task_work_run(m)


@pytest.mark.parametrize("thp", ["never", "always"])
@pytest.mark.parametrize("seed", range(4))
def test_counts_and_entries_agree_whatever_processes_do(seed: int, thp: str) -> None:
    m = machine("x86_64-1g" if seed % 4 != 3 else "i386-1g", thp)
    before = free_frames(m)
    start(m)
    rng = random.Random(seed)
    names = ["a"]
    for step in range(300):
        random_step(m, rng, names)
        if not step % 10:
            check(m)
    for name in names:
        end(m, name)
    swap.lru_add_drain(m)
    check(m)
    cached = sum(len(inode.i_pages) for inode in m.vm.mappings.values())
    zero = 512 if m.vm.huge_zero_page >= 0 else 0
    assert free_frames(m) == before - cached - zero
    assert not m.vm.mms
    assert not m.vm.anon_vmas
    assert m.vm.objects_taken == m.vm.objects_given


def test_the_kernels_objects_come_from_its_caches_and_go_back() -> None:
    m = machine()
    objects.create_caches(m)
    start(m)
    names = ["a"]
    rng = random.Random(5)
    for _ in range(200):
        random_step(m, rng, names)
    caches = m.vm.object_caches
    areas = sum(mm.map_count for mm in m.vm.mms.values())
    assert sum(1 for slab in m.slabs.values() if slab.cache is caches["vm_area_struct"]) >= areas // 26
    for name in names:
        end(m, name)
    assert m.vm.objects_taken == m.vm.objects_given


def huge_area(m: Machine) -> int:
    """2 MiB mapped by one entry."""
    where = mmap.ksys_mmap(m, 0, 4 << 20, RW, PRIVATE | ANONYMOUS, None, 0)
    where = -(-where >> 21) << 21
    assert fault.user_access(m, where, write=True) is None
    return where


def test_giving_up_part_of_a_huge_page_splits_it() -> None:
    m = machine(thp="always")
    before = free_frames(m)
    start(m)
    where = huge_area(m)
    assert madvise.madvise(m, where, 16 << 12, 8) == 0
    assert m.vm.stat["thp_split_page"] == 1
    check(m)
    assert madvise.madvise(m, where + (16 << 12), 1 << 20, 4) == 0
    check(m)
    end(m, "a")
    swap.lru_add_drain(m)
    check(m)
    cached = sum(len(inode.i_pages) for inode in m.vm.mappings.values())
    assert free_frames(m) == before - cached


def test_parts_of_a_huge_page_that_nobody_maps_are_freed_when_it_is_split() -> None:
    m = machine(thp="always")
    start(m)
    where = huge_area(m)
    assert mmap.munmap(m, where + (1 << 20), 1 << 20) == 0
    assert m.vm.stat["thp_deferred_split_page"] == 1
    swap.lru_add_drain(m)
    free = free_frames(m)
    assert madvise.madvise(m, where, 4 << 12, 8) == 0
    assert free_frames(m) == free + 256
    check(m)


def test_a_huge_page_that_two_share_is_not_split() -> None:
    m = machine(thp="always")
    start(m)
    where = huge_area(m)
    fork.fork(m, "b")
    assert madvise.madvise(m, where, 4 << 12, 8) == 0
    assert m.vm.stat["thp_split_page"] == 0
    check(m)


def test_locked_parts_of_a_huge_page_are_not_locked() -> None:
    m = machine(thp="always")
    start(m)
    where = huge_area(m)
    assert mlock_vma.do_mlock(m, where, 4 << 12, 0x2000) == 0
    assert m.vm.stat["mlock"] == 0
    check(m)


def test_an_anon_vma_that_no_area_uses_is_taken_over() -> None:
    """Else each generation of a line of forks would have a longer chain."""
    m = machine()
    start(m)
    where = mmap.ksys_mmap(m, 0, 4 << 12, RW, PRIVATE | ANONYMOUS, None, 0)
    assert fault.user_access(m, where, write=True) is None
    names = ["a"]
    for generation in range(6):
        m.current.task = names[-1]
        names.append(fork.fork(m, f"g{generation}").name)
        if generation:
            end(m, names[-3])
    m.current.task = names[-1]
    vma = next(vma for vma in sched.current_mm(m).mmap if vma.vm_start == where)
    assert len(vma.anon_vma_chain) <= 4
    check(m)


def test_what_stays_in_the_page_cache_is_looked_at_first() -> None:
    m = machine()
    start(m)
    fd = namei.do_open(m, "/tmp/t", 0x42)
    file = m.tasks["a"].files[fd]
    assert read_write.write(m, file, None, 8192) == 8192
    swap.lru_add_drain(m)
    for pfn in file.inode.i_pages.values():
        swap.mark_page_accessed(m, pfn)
    swap.lru_add_drain(m)
    assert m.vm.lruvecs[0].lists[1].count == 2
    pagemap.drop_pagecache(m, file.inode)
    swap.lru_add_drain(m)
    assert m.vm.lruvecs[0].lists[1].count == 0


def test_bytes_of_a_file_outlive_its_pages_until_it_is_cut() -> None:
    m = machine()
    mm = start(m)
    file = m.tasks["a"].files[namei.do_open(m, "/data/t", 0x42)]
    assert read_write.write(m, file, None, 8192) == 8192
    where = mmap.ksys_mmap(m, 0, 8192, RW, SHARED, file, 0)
    for at, value in ((5, 7), (3000, 8), (4100, 9)):
        assert fault.user_access(m, where + at, write=True) is None
        user_bytes.store(m, mm, where + at, value)
    assert mmap.munmap(m, where, 8192) == 0
    assert read_write.fsync(m, file.inode) == 0
    swap.lru_add_drain(m)
    pagemap.drop_pagecache(m, file.inode)
    assert not file.inode.i_pages
    where = mmap.ksys_mmap(m, 0, 8192, RW, SHARED, file, 0)
    assert [looked_at(m, mm, where + at) for at in (5, 3000, 4100)] == [7, 8, 9]
    read_write.ftruncate(m, file.inode, 1000)
    read_write.ftruncate(m, file.inode, 8192)
    assert looked_at(m, mm, where + 5) == 7
    assert looked_at(m, mm, where + 3000) != 8
    assert looked_at(m, mm, where + 4100) != 9


def test_advice_about_a_file_reads_and_drops_its_pages() -> None:
    m = machine()
    start(m)
    file = m.tasks["a"].files[namei.do_open(m, "/data/a", 0)]
    pages = file.inode.i_pages
    assert fadvise.fadvise(m, file, 0, -1, fadvise.POSIX_FADV_NORMAL) == -errno.EINVAL
    assert fadvise.fadvise(m, file, 0, 0, 6) == -errno.EINVAL
    assert fadvise.fadvise(m, file, 5 << 12, 8192, fadvise.POSIX_FADV_WILLNEED) == 0
    assert sorted(pages) == [5, 6]
    fadvise.fadvise(m, file, 0, 0, fadvise.POSIX_FADV_RANDOM)
    read_write.read(m, file, None, 4096, 100 << 12)
    assert sorted(pages) == [5, 6, 100]
    fadvise.fadvise(m, file, 0, 0, fadvise.POSIX_FADV_SEQUENTIAL)
    assert (file.random, file.ra.ra_pages) == (False, 64)
    fadvise.fadvise(m, file, 5 << 12, 6000, fadvise.POSIX_FADV_DONTNEED)
    assert sorted(pages) == [6, 100]
    fadvise.fadvise(m, file, 0, 0, fadvise.POSIX_FADV_DONTNEED)
    assert not pages
    where = mmap.ksys_mmap(m, 0, 1 << 16, 1, PRIVATE, file, 16)
    assert madvise.madvise(m, where + 4096, 4096, madvise.MADV_WILLNEED) == 0
    assert sorted(pages) == [17]
    check(m)


def looked_at(m: Machine, mm: MmStruct, address: int) -> int | None:
    """The byte that a load gets."""
    assert fault.user_access(m, address) is None
    return user_bytes.load(m, mm, address)


def test_the_heap_keeps_away_from_the_next_area() -> None:
    m = machine()
    mm = start(m)
    flags = PRIVATE | ANONYMOUS | FIXED | 0x100
    assert mmap.ksys_mmap(m, mm.start_brk + (1 << 21), 1 << 12, RW, flags, None, 0) > 0
    assert mmap.brk(m, mm.start_brk + (1 << 21)) == mm.start_brk
    assert mmap.brk(m, mm.start_brk + (1 << 19)) == mm.start_brk + (1 << 19)


def test_references_of_others_keep_a_user_page() -> None:
    """A driver that takes a reference keeps the frame when the process is gone."""
    m = machine()
    start(m)
    where = mmap.ksys_mmap(m, 0, 1 << 12, RW, PRIVATE | ANONYMOUS, None, 0)
    assert fault.user_access(m, where, write=True) is None
    swap.lru_add_drain(m)
    (pfn,) = [pfn for pfn in entries(sched.current_mm(m)) if mem_map.index_of(m, pfn) == where >> 12]
    references.get_page(m, pfn)
    assert page_ref.page_count(m, pfn) == 2
    end(m, "a")
    assert page_ref.page_count(m, pfn) == 1
    references.put_page(m, pfn)
    assert page_ref.is_free(m, pfn)
    check(m)


def test_a_pool_of_huge_pages_is_taken_from_the_allocator_and_given_back() -> None:
    m = machine()
    start(m)
    before = free_frames(m)
    assert hugetlb.set_max_huge_pages(m, 4) == 4
    assert free_frames(m) == before - 4 * 512
    where = mmap.ksys_mmap(m, 0, 4 << 20, RW, PRIVATE | ANONYMOUS | 0x40000, None, 0)
    assert fault.user_access(m, where, write=True) is None
    assert not invariants.verify(m)
    assert hugetlb.set_max_huge_pages(m, 0) == 2
    assert mmap.munmap(m, where, 4 << 20) == 0
    mmap.task_work_run(m)
    assert hugetlb.set_max_huge_pages(m, 0) == 0
    swap.lru_add_drain(m)
    check(m)


def test_a_bad_access_is_printed_and_kills() -> None:
    m = machine()
    start(m)
    m.tasks["a"].comm = "hello"
    killed = fault.user_accesses(m, 0x10, 1, 0, write=False)
    assert killed == (0, (fault.SIGSEGV, fault.SEGV_MAPERR, 0x10))
    before = free_frames(m)
    signal.force_sig_fault(m, killed[1], 4)
    assert "a" not in m.tasks
    assert not m.vm.mms
    assert free_frames(m) > before
    assert "hello[" in m.log[-1]
    assert "segfault at 10 ip 0000000000401042" in m.log[-1]
    assert "error 4 in hello[401000+1000]" in m.log[-1]

"""Explanations of processes: a fault from its exception to its counters, and the calls around it."""

import re
from typing import Any

import pytest

from app.machine import process_text, pte_text
from app.machine.trace import conclusion
from app.mm import hugetlb, mem_map, pgalloc
from app.mm.mm_types import MmStruct
from tests.support.explainer import Explainer, Step, fns, numbers, of, only, verdicts

RW = "PROT_READ|PROT_WRITE"
PRIVATE = f"mmap(NULL, 32K, {RW}, MAP_PRIVATE|MAP_ANONYMOUS)"


def started(*lines: str, thp: str = "never", pool: int = 0) -> Explainer:
    """A machine on which the process a runs and has made some calls."""
    machine = Explainer()
    machine.m.vm.thp = thp
    if pool:
        hugetlb.set_max_huge_pages(machine.m, pool)
    for line in ("a: execve()", *lines):
        machine.unseen(line)
    return machine


def mm_of(machine: Explainer, task: str = "a") -> MmStruct:
    mm = machine.m.tasks[task].mm
    assert mm is not None
    return mm


def address(machine: Explainer, name: str) -> int:
    found = machine.names[name].addr
    assert found is not None
    return found


def access(machine: Explainer) -> dict[str, Any]:
    (found,) = machine.told["access"]
    assert isinstance(found, dict)
    return found


def concluded(machine: Explainer, steps: list[Step]) -> tuple[str, Step | None]:
    """The sentence, and the step that decided."""
    said, place = conclusion.of(machine.told, steps, None, {})
    return said, None if place is None else steps[place - 1]


# -- a fault -----------------------------------------------------------------------------------------------


def test_a_first_read_level_by_level() -> None:
    machine = started(f"a: p = {PRIVATE}")
    at = address(machine, "p")
    walk = [
        [pte_text.LEVELS[table.level], index, f"{entry:#x}"]
        for table, index, entry in pgalloc.walk(mm_of(machine), at)
    ]
    free = machine.m.zones[-1].pcp[0].count
    steps = machine.line("a: load(p)")
    assert fns(steps) == [
        *("exc_page_fault", "find_vma", "access_error"),
        *("pgd_offset", "pud_offset", "pmd_offset"),
        "handle_pte_fault",
        *("__alloc_pages", "zone_watermark_fast", "rmqueue_pcplist", "__alloc_pages", "__pte_alloc"),
        *("do_anonymous_page", "set_pte_at", "mm_account_fault"),
    ]
    levels = [step["numbers"] for step in of(steps, "pgd_offset", "pud_offset", "pmd_offset")]
    assert [[n["level"], n["index"], n["entry"]] for n in levels] == walk
    assert numbers(steps, "find_vma")["vm_start"] == f"{at:#x}"
    assert machine.m.zones[-1].pcp[0].count == free - 1
    assert only(steps, "__pte_alloc")["numbers"]["pfn"] == of(steps, "__alloc_pages")[-1]["numbers"]["pfn"]
    assert numbers(steps, "do_anonymous_page") == {"pfn": machine.m.vm.zero_pfn}
    assert numbers(steps, "set_pte_at")["after"] == access(machine)["walk"][-1][2]
    said, decided = concluded(machine, steps)
    assert said.startswith("A minor fault: nothing was ever written here, so a read gets the page of zeros")
    assert said.endswith("; 1 new page table (pte).")
    assert decided == only(steps, "do_anonymous_page")


def test_a_first_write_shows_the_allocators_steps_inside() -> None:
    machine = started(f"a: p = {PRIVATE}", "a: load(p)")
    steps = machine.line("a: store(p+4K)")
    made = only(steps, "do_anonymous_page")
    inside = of(steps, "__alloc_pages", "zone_watermark_fast", "rmqueue_pcplist", "__anon_vma_prepare")
    assert inside
    assert all(step["depth"] > only(steps, "handle_pte_fault")["depth"] for step in inside)
    pfn = access(machine)["pfn"]
    assert (made["numbers"]["pfn"], made["zone"]) == (pfn, machine.m.zone_of(pfn).name)
    assert numbers(steps, "folio_batch_add_and_move")["waiting"] == len(machine.m.vm.batches["add"])
    assert verdicts(steps, "__anon_vma_prepare") == ["new"]
    counted = numbers(steps, "mm_account_fault")
    task = machine.m.tasks["a"]
    assert (counted["min_flt"], counted["anon"]) == (task.min_flt, task.rss_stat[1])


def test_a_write_after_a_read_copies_nothing() -> None:
    machine = started(f"a: p = {PRIVATE}", "a: load(p)")
    steps = machine.line("a: store(p)")
    assert numbers(steps, "exc_page_fault")["error_code"] == "0x7"
    assert verdicts(steps, "do_wp_page") == ["zeroed"]
    assert of(steps, "copy_user_highpage") == []
    assert concluded(machine, steps)[1] == only(steps, "do_wp_page")


def test_the_references_decide_who_copies() -> None:
    machine = started(f"a: p = {PRIVATE}", "a: store(p)")
    pfn = access(machine)["pfn"]
    machine.line("a: b = fork()")
    before = mem_map.page_count(machine.m, pfn)
    copied = machine.line("a: store(p)")
    decided = only(copied, "do_wp_page")
    assert (decided["verdict"], decided["numbers"]["pfn"]) == ("copy", pfn)
    assert decided["numbers"]["refcount"] == before == 3
    assert decided["numbers"]["refcount_after_drain"] == 2
    assert numbers(copied, "copy_user_highpage") == {
        "pfn": pfn,
        "new_pfn": access(machine)["pfn"],
        "mapcount": 1,
        "refcount": 1,
    }
    reused = machine.line("b: store(p)")
    assert verdicts(reused, "do_wp_page") == ["reuse"]
    assert of(reused, "__alloc_pages") == []
    again = machine.line("b: store(p)")
    assert again == []
    assert concluded(machine, again) == (
        "No fault: the entry allows it, so the processor makes the access alone.",
        None,
    )


def test_a_major_fault_reads_around_and_is_made_twice() -> None:
    machine = started("a: f = open(/data/a)", f"a: q = mmap(NULL, 256K, {RW}, MAP_PRIVATE, f)")
    steps = machine.line("a: load(q+80K)")
    window = numbers(steps, "do_sync_mmap_readahead")
    assert (window["start"], window["size"], window["async_size"]) == (4, 32, 8)
    read = numbers(steps, "page_cache_ra_unbounded")
    assert read["pages"] == [[index, pfn] for index, pfn in machine.m.vm.inodes["/data/a"].i_pages.items()]
    assert read["marked"] == 28
    assert verdicts(steps, "mm_account_fault") == ["retry", "major"]
    assert verdicts(steps, "filemap_map_pages") == ["miss", "hit"]
    assert len(of(steps, "set_pte_at")) == 1 + access(machine)["mapped_around"] == 16
    assert machine.tracepoints().count("mm_filemap_add_to_page_cache") == 32
    said, decided = concluded(machine, steps)
    assert said.startswith("A major fault: the page of the file was not in memory")
    assert decided == only(steps, "filemap_fault")
    marked = machine.line("a: load(q+112K)")
    assert numbers(marked, "do_async_mmap_readahead")["index"] == 28
    assert "with it the next read-ahead began" in concluded(machine, marked)[0]


def test_pages_of_files_that_are_written() -> None:
    machine = started("a: f = open(/data/a, O_RDWR)", f"a: s = mmap(NULL, 64K, {RW}, MAP_SHARED, f)")
    machine.line("a: load(s)")
    shared = machine.line("a: store(s)")
    assert verdicts(shared, "do_wp_page") == ["shared"]
    assert numbers(shared, "fault_dirty_shared_page")["told_file"] is True
    machine.line(f"a: q = mmap(NULL, 64K, {RW}, MAP_PRIVATE, f)")
    private = machine.line("a: store(q)")
    assert numbers(private, "copy_user_highpage")["new_pfn"] == access(machine)["pfn"]
    assert verdicts(private, "filemap_fault") == ["cached"]
    machine.line(f"a: z = mmap(NULL, 64K, {RW}, MAP_SHARED|MAP_ANONYMOUS)")
    assert verdicts(machine.line("a: store(z)"), "shmem_get_folio_gfp") == ["new page"]


def test_the_map_can_follow_the_steps() -> None:
    """What the last step says of a frame is what the outcome says of it."""
    machine = started("a: f = open(/data/a, O_RDWR)", f"a: q = mmap(NULL, 256K, {RW}, MAP_PRIVATE, f)")
    machine.line(f"a: z = mmap(NULL, 64K, {RW}, MAP_SHARED|MAP_ANONYMOUS)")
    for line in (
        "store(q+80K)",
        "load(q+84K)",
        "store(z)",
        f"p = {PRIVATE}",
        "store(p)",
        "b = fork()",
        "store(p)",
    ):
        steps = machine.line(f"a: {line}")
        said = {
            frame: state
            for step in steps
            for pfn, frames, state in step["changed"]
            for frame in range(pfn, pfn + frames)
        }
        told = {
            frame: state
            for pfn, frames, state in machine.told["changed"]
            for frame in range(pfn, pfn + frames)
        }
        users = {"anon", "file", "shmem", "pagetable"}
        assert {frame: state for frame, state in said.items() if state in users} == {
            frame: state for frame, state in told.items() if state in users
        }


# -- accesses that are not allowed -------------------------------------------------------------------------

BAD = [
    ("a: load(16)", "find_vma", "SIGSEGV (SEGV_MAPERR): no area has 0x10, so the process dies."),
    ("a: store(0x400000)", "access_error", "does not allow a write, so the process dies."),
    (
        "a: load(0x800000000000)",
        "exc_general_protection",
        "SIGSEGV (SI_KERNEL): 0x800000000000 is no address",
    ),
    (
        "a: load(0xffff888000000000)",
        "do_user_addr_fault",
        "SIGSEGV (SEGV_MAPERR): no area has 0xffff888000000000",
    ),
    ("a: store(0x7fffff000000)", "find_vma", "SIGSEGV (SEGV_MAPERR)"),
    ("a: load(q+64K)", "filemap_fault", "SIGBUS (BUS_ADRERR)"),
]


@pytest.mark.parametrize(("line", "fn", "said"), BAD)
def test_a_signal_has_its_reason(line: str, fn: str, said: str) -> None:
    machine = started("a: f = open(/bin/hello)", "a: q = mmap(NULL, 128K, PROT_READ, MAP_PRIVATE, f)")
    steps = machine.line(line)
    sentence, decided = concluded(machine, steps)
    assert said in sentence
    assert decided is not None
    assert (decided["fn"], decided["verdict"]) == (fn, "no")
    signal = access(machine)
    assert f"{signal['signal']} ({signal['code']})" in only(steps, "force_sig_fault")["what"]


def test_the_first_page_behind_the_end_of_a_file_is_none_of_it() -> None:
    machine = started("a: f = open(/data/a, O_RDWR)", "a: ftruncate(f, 4096)")
    machine.unseen("a: q = mmap(NULL, 8K, PROT_READ, MAP_PRIVATE, f)")
    sentence, decided = concluded(machine, machine.line("a: load(q)"))
    assert "SIGBUS" not in sentence
    sentence, decided = concluded(machine, machine.line("a: load(q+4K)"))
    assert "SIGBUS (BUS_ADRERR)" in sentence
    assert decided is not None
    assert decided["fn"] == "filemap_fault"


def test_a_stack_grows_or_may_not() -> None:
    machine = started()
    grown = machine.line("a: store(0x7ffffffdd000)")
    assert numbers(grown, "expand_downwards")["pages"] == 1
    assert concluded(machine, grown)[1] == only(grown, "expand_downwards")
    refused = machine.line("a: store(0x7fffff000000)")
    assert only(refused, "expand_downwards")["what"] == (
        "the stack may not: the stack would be larger than its limit of 8 MiB"
    )


def test_the_kernels_own_access_ends_without_a_signal() -> None:
    machine = started()
    steps = machine.line("a: copy_to_user(16, 8)")
    assert len(of(steps, "fixup_exception")) == 2
    assert machine.tracepoints() == ["page_fault_kernel"] * 2
    assert concluded(machine, steps)[0] == "8 bytes not copied: a bad address is no signal here."


# -- areas -------------------------------------------------------------------------------------------------


def test_where_an_area_goes_and_with_what_it_merges() -> None:
    machine = started()
    steps = machine.line(f"a: p = {PRIVATE}")
    gap = numbers(steps, "unmapped_area_topdown")
    assert gap["address"] == f"{address(machine, 'p'):#x}"
    assert gap["gap_end"] == f"{address(machine, 'p') + 0x8000:#x}"
    assert verdicts(steps, "mmap_region") == ["new"]
    steps = machine.line(f"a: q = {PRIVATE}")
    assert verdicts(steps, "mmap_region") == ["merged"]
    assert numbers(steps, "mmap_region")["vm_end"] == f"{address(machine, 'p') + 0x8000:#x}"
    assert concluded(machine, steps)[1] == only(steps, "mmap_region")
    steps = machine.line("a: munmap(q+4K, 4K)")
    assert len(of(steps, "__split_vma")) == 2
    refused = machine.line(f"a: mmap(NULL, 4096G, {RW}, MAP_PRIVATE|MAP_ANONYMOUS)")
    limit = sum(zone.managed_pages for zone in machine.m.zones)
    assert only(refused, "__vm_enough_memory")["what"].endswith(f"1,073,741,824 pages > {limit:,}")
    assert verdicts(machine.line("a: brk(0x409000)"), "brk") == ["ok"]
    assert verdicts(machine.line("a: brk(0x1000)"), "brk") == ["no"]


def test_unmapping_gives_back_pages_then_tables() -> None:
    machine = started("a: p = mmap(0x40000000, 32K, PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED)")
    machine.line("a: store(p) * 8")
    tables = {table.pfn for level in mm_of(machine).tables for table in level.values()}
    steps = machine.line("a: munmap(p, 32K)")
    left = {table.pfn for level in mm_of(machine).tables for table in level.values()}
    assert numbers(steps, "zap_pte_range")["anon"] == -8
    freed = [step["numbers"]["pfn"] for step in of(steps, "free_pgd_range")]
    assert set(freed) == tables - left
    assert [step["numbers"]["level"] for step in of(steps, "free_pgd_range")] == ["pte", "pmd"]
    assert numbers(steps, "tlb_next_batch")["queued"] == 8
    assert sum(step["numbers"]["freed"] for step in of(steps, "release_pages")) == 10
    assert concluded(machine, steps)[0] == "The addresses are nobody's any more; 8 pages unmapped."


def test_other_rights_cut_an_area_and_rewrite_its_entries() -> None:
    machine = started(f"a: p = {PRIVATE}", "a: store(p) * 3")
    steps = machine.line("a: mprotect(p+4K, 8K, PROT_READ)")
    assert len(of(steps, "__split_vma")) == 2
    assert numbers(steps, "change_pte_range")["entries"] == 2
    assert only(steps, "change_pte_range")["what"].endswith("have its rights now: r--p")
    assert concluded(machine, steps)[0] == "The addresses have other rights; 2 pages got other entries."
    back = machine.line(f"a: mprotect(p+4K, 8K, {RW})")
    assert verdicts(back, "vma_merge") == ["merged"]


def test_a_fork_says_what_it_leaves_out() -> None:
    machine = started(f"a: p = {PRIVATE}", "a: store(p) * 3", f"a: q = {PRIVATE}", "a: munmap(p+16K, 4K)")
    areas = [(f"{vma.vm_start:#x}", vma.anon_vma is not None, vma.special) for vma in mm_of(machine).mmap]
    steps = machine.line("a: b = fork()")
    said = {step["numbers"]["vm_start"]: step["verdict"] for step in of(steps, "dup_mmap")}
    assert said == {
        start: "copied" if has_pages or special == "[vvar]" else "left out"
        for start, has_pages, special in areas
    }
    copied = [step["numbers"] for step in of(steps, "copy_pte_range") if step["numbers"]["entries"]]
    assert sum(n["entries"] for n in copied) == 4
    assert sum(n["protected"] for n in copied) == 4
    assert "it shares what no fault could find again" in concluded(machine, steps)[0]


# -- huge pages --------------------------------------------------------------------------------------------


def test_a_huge_page_and_its_split() -> None:
    machine = started(f"a: h = mmap(NULL, 8M, {RW}, MAP_PRIVATE|MAP_ANONYMOUS)", thp="always")
    small = machine.line("a: store(h)")
    assert verdicts(small, "transhuge_vma_suitable") == ["small"]
    huge = machine.line("a: store(h+4M)")
    assert numbers(huge, "do_huge_pmd_anonymous_page")["pfn"] == access(machine)["pfn"] & -512
    assert numbers(huge, "set_pte_at")["level"] == "pmd"
    machine.line("a: b = fork()")
    copy = machine.line("a: store(h+4M)")
    assert verdicts(copy, "do_huge_pmd_wp_page") == ["split"]
    assert (
        numbers(copy, "__split_huge_pmd_locked")["pfn"] == numbers(huge, "do_huge_pmd_anonymous_page")["pfn"]
    )
    assert access(machine)["fault"] == "thp_cow"
    zero = machine.line("b: load(h+2M)")
    assert verdicts(zero, "set_huge_zero_page") == ["zero page"]


def test_the_pool_of_huge_pages() -> None:
    machine = started(pool=3)
    steps = machine.line(f"a: h = mmap(NULL, 4M, {RW}, MAP_PRIVATE|MAP_ANONYMOUS|MAP_HUGETLB)")
    assert numbers(steps, "hugetlb_reserve_pages") == {"wanted": 2, "free": 3, "reserved": 0}
    taken = machine.line("a: load(h)")
    assert numbers(taken, "alloc_huge_page")["promised"] is True
    assert verdicts(machine.line("a: store(h)"), "hugetlb_wp") == ["reuse"]
    assert access(machine)["fault"] == "cow_reuse"
    machine.line("a: b = fork()")
    assert verdicts(machine.line("b: store(h)"), "hugetlb_wp") == ["copy"]
    assert verdicts(machine.line("b: store(h+2M)"), "alloc_huge_page") == ["none"]


# -- forms -------------------------------------------------------------------------------------------------

CACHED = r"dev \d+:\d+ ino [0-9a-f]+ pfn=0x[0-9a-f]+ ofs=\d+ order=0"
POINTS = {
    "page_fault_user": r"address=0x[0-9a-f]+ ip=0x4010[0-9a-f]{2} error_code=0x[0-9a-f]+",
    "page_fault_kernel": r"address=0x[0-9a-f]+ ip=copy_user_enhanced_fast_string error_code=0x[0-9a-f]",
    "mm_filemap_add_to_page_cache": CACHED,
    "mm_filemap_delete_from_page_cache": CACHED,
    "mm_lru_insertion": r"folio=[0-9a-f]{16} pfn=0x[0-9a-f]+ lru=\d flags=[M ][af] [b ][d ][B ]",
    "rss_stat": r"mm_id=\d+ curr=[01] type=MM_(?:FILEPAGES|ANONPAGES|SHMEMPAGES) size=-?\d+B",
    "vm_unmapped_area": (
        r"addr=0x7ff[0-9a-f]+ err=0 total_vm=0x[0-9a-f]+ flags=0x1 len=0x[0-9a-f]+ lo=0x1000"
        r" hi=0x7ffff7fff000 mask=0x0 ofs=0x0"
    ),
    "mm_lru_activate": r"folio=[0-9a-f]{16} pfn=0x[0-9a-f]+",
}
ALL = (
    *("a: execve()", f"a: p = {PRIVATE}", "a: f = open(/data/a, O_RDWR)", "a: store(p) * 8"),
    *(f"a: q = mmap(NULL, 256K, {RW}, MAP_SHARED, f)", "a: load(q) * 20", "a: b = fork()", "b: store(p) * 8"),
    *(
        "a: read(f, p, 8K, 0)",
        "a: read(f, p, 8K, 0)",
        "a: munmap(q, 128K)",
        "a: ftruncate(f, 4K)",
        "a: exit()",
    ),
)


def test_the_form_of_the_tracepoints() -> None:
    machine = Explainer()
    seen = set()
    for line in ALL:
        machine.line(line)
        for point in machine.points:
            match = re.fullmatch(r" +[ab]-\d+ +\[000\] [d.][.][.][.\d][.] +0\.\d+: (\w+): (.*)", point)
            assert match is not None, point
            if match[1] in POINTS:
                assert re.fullmatch(POINTS[match[1]], match[2]), point
                seen.add(match[1])
    assert seen == set(POINTS)


def test_an_explanation_changes_nothing_and_says_what_the_outcome_says() -> None:
    plain, explained = Explainer(), Explainer()
    for line in ALL:
        steps = explained.line(line)
        plain.unseen(line)
        assert plain.told == explained.told
        said, place = conclusion.of(explained.told, steps, None, {})
        assert said == process_text.sentence(plain.told)
        assert place is None if not steps else 1 <= (place or 0) <= len(steps)
    assert plain.m.dump() == explained.m.dump()


SENTENCES = [
    ("a: f = open(/data/a)", "Descriptor 4 is the open file."),
    ("a: store(p) * 8", "8 writes: 8 minor faults, 0 major faults; 8 × anon_page."),
    ("a: load(p) * 2000", "so the process dies."),
    ("a: madvise(p, 8K, MADV_DONTNEED)", "Noted for the addresses; no entry changed."),
    ("a: mlock(p, 8K)", "The pages are in memory and stay there; 2 minor faults."),
    ("a: close(3)", "The descriptor is free again; what is mapped stays mapped."),
    ("a: exit()", "The address space is gone, with the pages and tables that nobody else had."),
    ("a: munmap(1, 4K)", "Error -22: refused before anything is looked at."),
]


@pytest.mark.parametrize(("line", "said"), SENTENCES)
def test_every_call_has_its_sentence(line: str, said: str) -> None:
    machine = started(f"a: p = {PRIVATE}", "a: g = open(/data/b)")
    steps = machine.line(line)
    assert concluded(machine, steps)[0].endswith(said)


def test_every_fault_has_words_and_a_step_that_decides() -> None:
    assert set(process_text.FAULTS) <= set(process_text.DECIDING)


def test_a_fork_counts_what_is_present_and_not_what_is_in_swap() -> None:
    machine = Explainer(reclaim=True, swap=1024)
    machine.line("a: execve()")
    machine.line(f"a: p = {PRIVATE}")
    machine.line("a: store(p) * 4")
    machine.line("a: madvise(p, 16K, MADV_PAGEOUT)")
    machine.line("a: b = fork()")
    swapped = sum(run[2] for run in machine.told["pte"] if run[0] == "a" and run[3].startswith("swap"))
    assert swapped
    present = sum(run[2] for run in machine.told["pte"] if run[0] == "a") - swapped
    assert f"{present} page" in process_text.sentence(machine.told)

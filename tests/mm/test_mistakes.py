"""What goes wrong, on a debugging kernel and on Debian's: the effect on memory, and the text in the log.

After each call `Lab` asks whether the machine is in order: free, per-CPU, used, lost and reserved frames make
up all that is managed, and no frame is in two hands.
"""

import json
import tracemalloc
from typing import Any

import pytest

from app.errors import BadArgument
from app.machine.trace import Trace
from tests.support.lab import Lab, texts

COMP = "GFP_KERNEL|__GFP_COMP"
BUG_MM_H = "kernel BUG at include/linux/mm.h:780!"
COUNT_IS_ZERO = "page dumped because: VM_BUG_ON_PAGE(page_ref_count(page) == 0)"
BAD_COUNT = "page dumped because: nonzero _refcount"
BAD_FLAGS = "page dumped because: PAGE_FLAGS_CHECK_AT_FREE flag(s) set"


@pytest.fixture
def lab() -> Lab:
    """A debugging kernel."""
    return Lab()


@pytest.fixture
def silent() -> Lab:
    """Debian's kernel."""
    return Lab(debug=False)


# -- freeing twice ---------------------------------------------------------------------------------


def test_double_free_of_a_page_with_debug_vm(lab: Lab) -> None:
    pfn = lab.alloc()
    lab("__free_page", pfn=pfn)
    free = lab.free()
    again = lab("__free_page", pfn=pfn, task="bob", cpu=0)
    assert (again.verdict, lab.free(), lab.count(pfn)) == ("bug", free, 0)
    page = 0xFFFFEA0000000000 + 64 * pfn
    assert texts(again) == [
        f"page:{page:016x} refcount:0 mapcount:0 mapping:0000000000000000 index:0x0 pfn:{pfn:#x}",
        "flags: 0x7ffffc0000000(node=0|zone=0|lastcpupid=0x1fffff)",
        "raw: 0007ffffc0000000 dead000000000100 dead000000000122 0000000000000000",
        "raw: 0000000000000000 0000000000000000 00000000ffffffff 0000000000000000",
        COUNT_IS_ZERO,
        "------------[ cut here ]------------",
        BUG_MM_H,
        "invalid opcode: 0000 [#1] PREEMPT SMP NOPTI",
        "CPU: 0 PID: 1001 Comm: bob Not tainted 6.1.192 #1",
        "Modules linked in:",
        "---[ end trace 0000000000000000 ]---",
    ]
    assert "invalid opcode: 0000 [#2] PREEMPT SMP NOPTI" in texts(lab("__free_page", pfn=pfn))


def test_a_free_block_s_page_shows_that_it_is_one(lab: Lab) -> None:
    pfn = lab.alloc(10)
    lab("__free_pages", pfn=pfn, order=10)
    lines = texts(lab("put_page", pfn=pfn))
    assert "refcount:0 mapcount:-128" in lines[0]
    # private keeps the order; _mapcount is the mark of a free block.
    assert lines[3] == "raw: 0000000000000000 000000000000000a 00000000ffffff7f 0000000000000000"


def test_double_free_of_a_page_on_debian_s_kernel(silent: Lab) -> None:
    pfn = silent.alloc()
    silent("__free_page", pfn=pfn)
    again = silent("__free_page", pfn=pfn)
    assert (again.verdict, again.log, silent.count(pfn)) == ("ok", [], -1)
    # The page on the per-CPU list is found to be bad only when it leaves it.
    free = silent.free()
    drained = silent("drain_all_pages")
    assert BAD_COUNT in texts(drained)
    assert texts(drained)[0] == f"BUG: Bad page state in process init  pfn:{pfn:05x}"
    assert (drained.verdict, silent.m.lost, silent.free()) == ("bug", 1, free - 1)
    assert [pfn, 1, "lost"] in (drained.changed or [])


def test_a_page_handed_out_again_before_anyone_looks(silent: Lab) -> None:
    pfn = silent.alloc()
    silent("__free_page", pfn=pfn)
    silent("__free_page", pfn=pfn)
    assert silent.alloc() == pfn
    assert silent.count(pfn) == 1
    assert silent("drain_all_pages").verdict == "ok"


def test_a_bad_page_is_found_when_the_lists_are_refilled(silent: Lab) -> None:
    pfn = silent.alloc(3)
    silent("__free_pages", pfn=pfn, order=3)
    silent("drain_all_pages")
    silent("get_page", pfn=pfn + 2)
    lost = [outcome for outcome in (silent("alloc_page", gfp="GFP_KERNEL") for _ in range(40)) if outcome.log]
    assert len(lost) == 1
    assert (lost[0].verdict, silent.m.lost) == ("bug", 1)
    assert BAD_COUNT in texts(lost[0])


def test_double_free_of_a_block_frees_its_tail_twice(silent: Lab) -> None:
    pfn = silent.alloc(2)
    silent("__free_pages", pfn=pfn, order=2)
    free = silent.free()
    again = silent("__free_pages", pfn=pfn, order=2)
    assert (again.verdict, silent.free(), silent.count(pfn)) == ("warn", free, -1)
    assert [line.split(":")[0] for line in texts(again)] == ["kmemlab", "kmemlab"]


def test_freeing_what_was_freed_and_given_to_another(lab: Lab) -> None:
    pfn = lab.alloc(task="alice")
    lab("__free_page", pfn=pfn, task="alice")
    assert lab.alloc(task="bob") == pfn
    # Nobody can tell: bob's page goes.
    assert lab("__free_page", pfn=pfn, task="alice").verdict == "ok"
    assert lab.used() == 0


# -- freeing with a wrong order --------------------------------------------------------------------


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize(("order", "freed"), [(3, 1), (3, 0), (10, 9), (5, 2)])
def test_too_small_an_order_loses_the_rest(debug: bool, order: int, freed: int) -> None:
    lab = Lab(debug=debug)
    pfn = lab.alloc(order)
    free = lab.free()
    outcome = lab("__free_pages", pfn=pfn, order=freed)
    assert (lab.free() - free, lab.m.lost) == (1 << freed, (1 << order) - (1 << freed))
    assert (outcome.verdict, lab.used()) == ("ok", 0)


def test_a_lost_frame_comes_back_when_somebody_frees_it(silent: Lab) -> None:
    pfn = silent.alloc(1)
    silent("put_page", pfn=pfn)
    assert silent.m.lost == 1
    silent("get_page", pfn=pfn + 1)
    silent("put_page", pfn=pfn + 1)
    assert silent.m.lost == 0


def test_too_large_an_order_over_pages_in_use(lab: Lab) -> None:
    pages = [lab.alloc() for _ in range(8)]
    first = pages[0]
    assert (first % 8, pages) == (0, list(range(first, first + 8)))
    outcome = lab("__free_pages", pfn=first, order=2)
    assert texts(outcome).count(BAD_COUNT) == 3
    # What is found bad is not freed: the page that could have been is lost, the others stay in use.
    assert (lab.m.lost, lab.used(), outcome.verdict) == (1, 7, "bug")
    assert [lab.count(pfn) for pfn in pages] == [0, 1, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("debug", [True, False])
def test_too_large_an_order_over_free_blocks(debug: bool) -> None:
    """The first page of a free block has no mapcount of -1: any kernel notices, and frees nothing."""
    lab = Lab(debug=debug)
    pfn = lab.alloc(1)
    free = lab.free()
    outcome = lab("__free_pages", pfn=pfn, order=3)
    assert (lab.free() - free, lab.m.lost, lab.used()) == (0, 2, 0)
    bad = [line for line in texts(outcome) if line.startswith("BUG: Bad page state")]
    assert [int(line.rpartition(":")[2], 16) for line in bad] == [pfn + 2, pfn + 4]
    assert texts(outcome).count("page dumped because: nonzero mapcount") == 2
    assert outcome.verdict == "bug"


@pytest.mark.parametrize("order", [11, 40, 0xFFFFFFFF])
def test_an_order_that_cannot_be(lab: Lab, order: int) -> None:
    pfn = lab.alloc()
    outcome = lab("__free_pages", pfn=pfn, order=order)
    assert outcome.verdict == "warn"
    assert lab.m.lost == 1


def test_the_tail_of_a_held_page_with_a_wrong_order(lab: Lab) -> None:
    pages = [lab.alloc() for _ in range(4)]
    lab("get_page", pfn=pages[0])
    outcome = lab("__free_pages", pfn=pages[0], order=2)
    assert BAD_COUNT in texts(outcome)
    assert (lab.used(), lab.m.lost) == (4, 0)
    assert [lab.count(pfn) for pfn in pages] == [1, 1, 1, 1]


def test_a_compound_page_knows_its_order(lab: Lab) -> None:
    pfn = lab.alloc(2, COMP)
    outcome = lab("__free_pages", pfn=pfn, order=1)
    page = 0xFFFFEA0000000000 + 64 * pfn
    assert texts(outcome)[1] == f"head:{page:016x} order:2 compound_mapcount:0 compound_pincount:0"
    assert "page dumped because: VM_BUG_ON_PAGE(compound && compound_order(page) != order)" in texts(outcome)
    assert "kernel BUG at mm/page_alloc.c:1459!" in texts(outcome)
    assert (outcome.verdict, lab.m.lost) == ("bug", 4)


def test_a_compound_page_freed_too_small_on_debian_s_kernel(silent: Lab) -> None:
    pfn = silent.alloc(2, COMP)
    free = silent.free()
    assert silent("__free_pages", pfn=pfn, order=1).verdict == "ok"
    assert (silent.free() - free, silent.m.lost) == (2, 2)


# -- freeing what is not a block's first frame -----------------------------------------------------


def test_a_tail_frame_has_no_reference_to_drop(lab: Lab) -> None:
    pfn = lab.alloc(2)
    outcome = lab("__free_page", pfn=pfn + 1)
    assert (outcome.verdict, COUNT_IS_ZERO in texts(outcome)) == ("bug", True)
    assert (lab.used(), lab.m.lost) == (4, 0)


def test_a_compound_tail_in_the_dump(lab: Lab) -> None:
    pfn = lab.alloc(2, COMP)
    lines = texts(lab("__free_page", pfn=pfn + 1))
    head, tail = (0xFFFFEA0000000000 + 64 * frame for frame in (pfn, pfn + 1))
    assert lines[0] == (
        f"page:{tail:016x} refcount:1 mapcount:0 mapping:0000000000000000 index:0x1 pfn:{pfn + 1:#x}"
    )
    assert lines[1].startswith(f"head:{head:016x} order:2")
    assert lines[2] == "flags: 0x7ffffc0010000(head|node=0|zone=0|lastcpupid=0x1fffff)"
    assert lines[3] == f"raw: 0007ffffc0000000 {head | 1:016x} ffffffff00000201 0000000400000000"
    assert lines[5] == "head: 0007ffffc0010000 dead000000000100 dead000000000122 0000000000000000"
    assert lines[6] == "head: 0000000000000000 0000000000000000 00000001ffffffff 0000000000000000"


def test_part_of_a_compound_page_is_not_freed(silent: Lab) -> None:
    pfn = silent.alloc(3, COMP)
    outcome = silent("__free_pages", pfn=pfn + 4, order=2)
    assert (outcome.verdict, silent.used(), silent.m.lost) == ("warn", 8, 0)


def test_the_upper_half_of_a_block_can_be_freed_alone(silent: Lab) -> None:
    pfn = silent.alloc(2)
    free = silent.free()
    silent("__free_pages", pfn=pfn + 2, order=1)
    assert (silent.count(pfn + 2), silent.free() - free) == (-1, 1)
    # The whole block is then found to be bad at the frame with the wrong count.
    outcome = silent("__free_pages", pfn=pfn, order=2)
    assert (outcome.verdict, silent.m.lost, silent.used()) == ("bug", 3, 0)


# -- pages that belong to others -------------------------------------------------------------------


def test_freeing_a_slab_page(lab: Lab) -> None:
    address = lab("kmalloc", size=64, flags="GFP_KERNEL")
    assert address.object is not None
    slab = address.object["slab_pfn"]
    outcome = lab("__free_pages", pfn=slab, order=0)
    assert (outcome.verdict, BAD_FLAGS in texts(outcome)) == ("bug", True)
    # The cache goes on using it.
    assert lab("kfree", addr=address.ret).verdict == "ok"
    assert lab.m.pages[slab].state == "slab"


def test_freeing_a_slab_page_on_debian_s_kernel_is_refused(silent: Lab) -> None:
    address = silent("kmalloc", size=64, flags="GFP_KERNEL")
    assert address.object is not None
    outcome = silent("__free_page", pfn=address.object["slab_pfn"])
    assert outcome.verdict == "warn"
    assert silent("kfree", addr=address.ret).verdict == "ok"


def test_kernel_memory_is_not_freed() -> None:
    lab = Lab(profile="x86_64-1g")
    free = lab.free()
    outcome = lab("__free_pages", pfn=0x1000, order=0)
    assert (outcome.verdict, BAD_FLAGS in texts(outcome)) == ("bug", True)
    assert texts(outcome)[2] == "flags: 0xfffffc0001000(reserved|node=0|zone=1|lastcpupid=0x1fffff)"
    assert (lab.free(), lab.m.lost) == (free, 0)


# -- taking references -----------------------------------------------------------------------------


def test_a_reference_to_a_free_page(lab: Lab) -> None:
    pfn = lab.alloc()
    lab("put_page", pfn=pfn)
    outcome = lab("get_page", pfn=pfn)
    why = "VM_BUG_ON_FOLIO(((unsigned int) folio_ref_count(folio) + 127u <= 127u))"
    assert f"page dumped because: {why}" in texts(outcome)
    assert "kernel BUG at include/linux/mm.h:1146!" in texts(outcome)
    assert lab.count(pfn) == 0


def test_a_reference_to_a_free_page_is_silent_elsewhere(silent: Lab) -> None:
    pfn = silent.alloc()
    silent("put_page", pfn=pfn)
    assert silent("get_page", pfn=pfn).verdict == "ok"
    # Dropping it again would put the page on the list that it is on.
    free = silent.free()
    outcome = silent("put_page", pfn=pfn)
    assert (outcome.verdict, silent.free()) == ("warn", free)


# -- NULL and wild pointers ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["put_page", "get_page", "page_count", "lock_page", "unlock_page"])
def test_null_page_faults_where_the_compound_head_is_read(lab: Lab, name: str) -> None:
    outcome = lab(name, page=None)
    assert (outcome.verdict, outcome.ret) == ("bug", None)
    assert texts(outcome) == [
        "BUG: kernel NULL pointer dereference, address: 0000000000000008",
        "#PF: supervisor read access in kernel mode",
        "#PF: error_code(0x0000) - not-present page",
        "Oops: 0000 [#1] PREEMPT SMP NOPTI",
        "CPU: 0 PID: 1 Comm: init Not tainted 6.1.192 #1",
        "Modules linked in:",
        "CR2: 0000000000000008",
        "---[ end trace 0000000000000000 ]---",
    ]


def test_null_page_on_i386() -> None:
    lab = Lab(profile="tiny-32m")
    assert texts(lab("put_page", page=None))[0] == "BUG: kernel NULL pointer dereference, address: 00000004"
    assert texts(lab("__free_pages", page=None, order=0))[0].endswith("address: 00000000")


def test_free_pages_ignores_address_0(lab: Lab) -> None:
    outcome = lab("free_pages", addr=None, order=3)
    assert (outcome.verdict, outcome.log) == ("ok", [])


def test_free_pages_of_an_address_outside_the_direct_map(lab: Lab, silent: Lab) -> None:
    wild = "0xffffc90000000000"
    assert "kernel BUG at mm/page_alloc.c:5757!" in texts(lab("free_pages", addr=wild, order=0))
    fault = texts(silent("free_pages", addr=wild, order=0))[0]
    # The struct page that such an address would have, and its second word.
    assert fault == "BUG: unable to handle page fault for address: ffffeb0200000008"


def test_virt_to_page_is_arithmetic(lab: Lab) -> None:
    outcome = lab("virt_to_page", addr="0xffffc90000000000")
    assert (outcome.ret, outcome.verdict, outcome.page) == ("0xffffeb0200000000", "ok", None)


# -- masks -----------------------------------------------------------------------------------------


def test_movable_and_reclaimable_at_once_warns_each_time(lab: Lab) -> None:
    for taint in ("Not tainted", "Tainted: G        W         "):
        outcome = lab("alloc_page", gfp="GFP_KERNEL|__GFP_MOVABLE|__GFP_RECLAIMABLE")
        assert outcome.verdict == "warn"
        assert texts(outcome) == [
            "------------[ cut here ]------------",
            "WARNING: CPU: 0 PID: 1 at include/linux/gfp.h:18 __alloc_pages",
            "Modules linked in:",
            f"CPU: 0 PID: 1 Comm: init {taint} 6.1.192 #1",
            "---[ end trace 0000000000000000 ]---",
        ]


def test_an_order_of_11_warns_once(lab: Lab) -> None:
    first, second = (lab("alloc_pages", gfp="GFP_KERNEL", order=11) for _ in range(2))
    assert "WARNING: CPU: 0 PID: 1 at mm/page_alloc.c:5634 __alloc_pages" in texts(first)
    assert (first.verdict, first.ret, second.verdict, second.log) == ("null", None, "null", [])
    assert lab("alloc_pages", gfp="GFP_KERNEL|__GFP_NOWARN", order=12).log == []


def test_nofail_of_a_large_order_warns(lab: Lab) -> None:
    outcome = lab("alloc_pages", gfp="GFP_KERNEL|__GFP_NOFAIL", order=2)
    assert texts(outcome)[1].endswith("at mm/page_alloc.c:3891 get_page_from_freelist")
    while lab("alloc_pages", gfp="GFP_KERNEL|__GFP_NOWARN", order=10).ret:
        pass
    outcome = lab("alloc_pages", gfp="GFP_KERNEL|__GFP_NOFAIL", order=10)
    assert texts(outcome)[1].endswith("at mm/page_alloc.c:5383 __alloc_pages_slowpath")
    assert (outcome.verdict, outcome.ret) == ("hang", None)


def test_allocating_where_one_must_not_sleep(lab: Lab) -> None:
    outcome = lab("alloc_page", gfp="GFP_KERNEL", context="hardirq", task="nic", cpu=0)
    assert texts(outcome)[:2] == [
        "BUG: sleeping function called from invalid context at include/linux/sched/mm.h:274",
        "in_atomic(): 1, irqs_disabled(): 1, non_block: 0, pid: 1001, name: nic",
    ]
    assert outcome.verdict == "bug"
    assert outcome.ret is not None


# -- no memory -------------------------------------------------------------------------------------


def test_the_report_of_a_failed_allocation(lab: Lab) -> None:
    zone = lab.m.zones[0]
    lab("alloc_pages", gfp="GFP_KERNEL|__GFP_NOWARN", order=10, until="null")
    outcome = lab("alloc_pages", gfp="GFP_ATOMIC|__GFP_COMP", order=10, task="nic", context="softirq")
    lines = texts(outcome)
    assert outcome.verdict == "null"
    assert lines[0] == (
        "nic: page allocation failure: order:10, mode:0x40a20(GFP_ATOMIC|__GFP_COMP), "
        "nodemask=(null),cpuset=/,mems_allowed=0"
    )
    assert lines[1:3] == ["CPU: 0 PID: 1001 Comm: nic Not tainted 6.1.192 #1", "Mem-Info:"]
    free = zone.vm_stat_free
    assert f" free:{free} free_pcp:{zone.pcp[0].count} free_cma:0" in lines
    assert any(
        line.startswith(
            f"Node 0 DMA free:{free * 4}kB boost:0kB min:{zone.watermark[0] * 4}kB "
            f"low:{zone.watermark[1] * 4}kB high:{zone.watermark[2] * 4}kB reserved_highatomic:0KB"
        )
        for line in lines
    )
    total = sum(area.nr_free << order for order, area in enumerate(zone.free_area))
    last = next(line for line in lines if line.startswith("Node 0 DMA: "))
    assert last == (
        "Node 0 DMA: 0*4kB 0*8kB 0*16kB 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB 0*2048kB "
        f"1*4096kB (M) = {total * 4}kB"
    )
    assert lines[-4:] == [
        f"{zone.present_pages} pages RAM",
        "0 pages HighMem/MovableOnly",
        f"{zone.present_pages - zone.managed_pages} pages reserved",
        "0 pages hwpoisoned",
    ]


def test_a_loop_reports_its_first_failure_only(lab: Lab) -> None:
    lab("alloc_pages", gfp="GFP_KERNEL|__GFP_NOWARN", order=10, until="null")
    outcome = lab("alloc_pages", gfp="GFP_ATOMIC", order=10, repeat=50)
    assert (outcome.ret, len([line for line in texts(outcome) if line == "Mem-Info:"])) == (0, 1)


def zones_in(lines: list[str]) -> list[str]:
    """The zones whose free blocks are shown."""
    return [line.split(":")[0] for line in lines if line.endswith("kB") and "*4kB" in line]


def test_i386_names_no_nodes_and_shows_highmem() -> None:
    lab = Lab(profile="i386-1g")
    lab("alloc_pages", gfp="GFP_DMA|__GFP_NOWARN", order=10, until="null")
    lines = texts(lab("alloc_pages", gfp="GFP_DMA", order=10))
    assert "mems_allowed=0" in lines[0]
    # Zones that the request could not use are left out.
    assert [line.split(":")[0] for line in lines if line.startswith(("DMA:", "Normal:", "HighMem:"))] == [
        "DMA"
    ]
    lab("alloc_pages", gfp="GFP_HIGHUSER|__GFP_NOWARN", order=10, until="null")
    lines = texts(lab("alloc_pages", gfp="GFP_HIGHUSER", order=10))
    assert zones_in(lines) == ["DMA", "Normal", "HighMem"]
    assert not any("pages HighMem/MovableOnly" in line and line.startswith("0") for line in lines)


def test_the_oom_killer_finds_nobody(lab: Lab) -> None:
    outcome = lab("alloc_page", gfp="GFP_KERNEL", task="hog", until="null")
    lines = texts(outcome)
    assert outcome.verdict == "panic"
    assert lines[0] == "hog invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0"
    assert lines[2] == "Mem-Info:"
    assert lines[-4:-2] == [
        "Out of memory and no killable processes...",
        "Kernel panic - not syncing: System is deadlocked on memory",
    ]


# -- the log ---------------------------------------------------------------------------------------


def test_the_log_is_a_ring_of_128_kib(lab: Lab) -> None:
    pfn = lab.alloc()
    lab("put_page", pfn=pfn)
    for _ in range(300):
        lab("put_page", pfn=pfn)
    assert 127 * 1024 < lab.m.log_bytes <= 128 * 1024
    assert lab.m.log[-1] == "[    0.000302] ---[ end trace 0000000000000000 ]---"


def test_bad_pages_are_reported_in_a_burst_of_sixty(lab: Lab) -> None:
    first = lab.alloc(9)
    lab("__free_pages", pfn=first, order=9)
    lab("drain_all_pages")
    outcome = lab("alloc_page", gfp="GFP_KERNEL", repeat=600)
    runs = outcome.runs
    assert runs is not None
    start = next(pfn for pfn, count in runs if count >= 128)
    aligned = -(-start // 64) * 64
    freed = lab("__free_pages", pfn=aligned, order=6)
    assert texts(freed).count(BAD_COUNT) == 60
    assert freed.verdict == "bug"


def test_modules_are_named_in_reports(lab: Lab) -> None:
    lab("insmod", name="first", size=4096)
    lab("insmod", name="second", size=4096)
    assert "Modules linked in: second first" in texts(lab("put_page", page=None))


# -- lists -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("runs", "order", "words"),
    [
        ([[1024, 50]], 10, "page frame 0x1000 is not in any zone"),
        ([[1024, 2, 1 << 40]], 0, "is not in any zone"),
        ([[1024, 4]], 0xFFFFFFFF, "is not in any zone"),
        ([[1024, 1]] * 2000, 10, "one call may touch 1048576 frames"),
    ],
)
def test_a_list_is_judged_as_a_whole(lab: Lab, runs: list[list[int]], order: int, words: str) -> None:
    with pytest.raises(BadArgument, match=words):
        lab("__free_pages", page=runs, order=order)


def test_a_bug_in_the_middle_of_a_list_ends_it(lab: Lab) -> None:
    pages = [lab.alloc() for _ in range(4)]
    lab("put_page", pfn=pages[1])
    outcome = lab("__free_pages", page=[[pfn, 1] for pfn in pages], order=0)
    assert (outcome.verdict, outcome.ret, lab.used()) == ("bug", None, 2)


# -- numbers that no machine has -------------------------------------------------------------------


@pytest.mark.parametrize("traced", [False, True])
def test_an_order_of_all_bits_set_is_never_computed_with(lab: Lab, traced: bool) -> None:
    """Two to that power has half a gigabyte of digits."""
    pfn = lab.alloc()
    if traced:
        lab.m.trace = Trace(lab.m)
    tracemalloc.start()
    asked = lab("alloc_pages", gfp="GFP_KERNEL", order=0xFFFFFFFF, repeat=2, until="null")
    freed = lab("__free_pages", pfn=pfn, order=0xFFFFFFFF)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    assert asked.as_json(lab.m.model)["runs"] == []
    assert "no block of order 4294967295" in texts(freed)[0]
    if lab.m.trace is not None:
        assert "2^4294967295 frames" in json.dumps(lab.m.trace.steps, ensure_ascii=False)


@pytest.mark.parametrize(
    ("call", "body"),
    [
        ("alloc_page", {"gfp": "GFP_KERNEL|" * 200 + "GFP_KERNEL"}),
        ("kmalloc", {"size": 8, "flags": "GFP_KERNEL|" * 200 + "GFP_KERNEL"}),
        ("kmem_cache_create", {"name": "mine", "size": 8, "flags": "SLAB_POISON|" * 200 + "SLAB_POISON"}),
    ],
)
def test_a_mask_is_no_book(lab: Lab, call: str, body: dict[str, Any]) -> None:
    """It would be journalled as it is written, and kept among the masks that are known."""
    with pytest.raises(BadArgument, match="at most 2000 characters"):
        lab(call, **body)

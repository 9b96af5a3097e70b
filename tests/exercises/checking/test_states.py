"""Checks of states: what each subject is on a real machine, and how it is compared."""

from __future__ import annotations

import pytest

from tests.exercises.checking.goals import FRAGMENTED, LEAK, QUEUE, evaluated, instead

ONE_BLOCK = ("p = alloc_pages(GFP_KERNEL, 3)",)


def unmet(lines: tuple[str, ...], goal: dict[str, str], **more: object) -> None:
    """Each check holds, or is unmet with these words."""
    results = evaluated(lines, [*goal], **more).results
    assert {check: result.found for check, result in zip(goal, results, strict=True)} == goal


# -- zones ------------------------------------------------------------------------------------------------


def test_zones_are_as_their_route_has_them() -> None:
    unmet(
        ("p = alloc_page(GFP_KERNEL)", "__free_page(p)"),
        {
            "free DMA = 3071": "",
            "free DMA = 3072": "it is 3,071",
            "pcp DMA = 1": "",
            "managed DMA = 3072": "",
            "present DMA = 3998": "",
            "min DMA = 110": "",
            "low DMA = 137": "",
            "high DMA = 164": "",
            "boost DMA = 0": "",
            "free all = 3071": "",
            "free DMA32 = 0": "this machine has no free DMA32",
        },
        machine={"profile": "tiny-16m"},
    )


def test_all_adds_up_every_zone() -> None:
    machine = {"profile": "x86_64-1g", "lecture": True}
    figures = [
        int(instead((), f"managed {zone} = 0", machine=machine)[6:].replace(",", "")) for zone in ZONES
    ]
    assert sum(figures[:2]) == figures[2]
    assert instead((), "nr_free all 10 = 0", machine=machine) != instead(
        (), "nr_free DMA 10 = 0", machine=machine
    )


ZONES = ("DMA", "DMA32", "all")


def test_blocks_of_each_order() -> None:
    unmet(
        ONE_BLOCK,
        {
            "nr_free DMA 3 = 1": "",
            "nr_free DMA 2 = 0": "",
            "nr_free DMA 10 = 2": "",
            "free_blocks DMA >=3 = 9": "",
            "free_blocks DMA >= 9 = 3": "",
            "free_blocks DMA >=10 = 3": "it is 2",
            "largest DMA = 10": "",
            "largest all = 9": "it is 10",
            "buddyinfo DMA = 0 0 0 1 1 1 1 1 1 1 2": "",
            "buddyinfo DMA 0 0 0 +1 +1 +1 +1 +1 +1 +1 -1": "",
            "buddyinfo DMA = 0 0 0 1": "it is 0 0 0 1 1 1 1 1 1 1 2",
            "buddyinfo DMA +1": "it is +0 +0 +0 +1 +1 +1 +1 +1 +1 +1 -1",
            "buddyinfo DMA != 0": "",
        },
    )


def test_nothing_free_has_no_largest() -> None:
    unmet(
        ("f = alloc_page(GFP_ATOMIC|__GFP_MEMALLOC) until NULL",),
        {"largest DMA = -1": "", "free DMA = 0": ""},
    )


def test_per_cents_are_of_managed_frames_and_not_rounded() -> None:
    """1,536 of 3,072 are half."""
    unmet(
        FRAGMENTED,
        {
            "free DMA >= 50%": "",
            "free DMA <= 50%": "",
            "free DMA = 50%": "",
            "free DMA > 50%": "it is 1,536",
            "free DMA >= 51%": "it is 1,536",
            "free DMA < 51%": "",
            "live frames in DMA >= 50%": "",
            "live frames = 50%": "",
            "pcp DMA < 1%": "",
        },
    )
    unmet((*FRAGMENTED, "alloc_page(GFP_ATOMIC)"), {"free DMA >= 50%": "it is 1,535", "free DMA > 49%": ""})


@pytest.mark.parametrize(
    ("comparison", "holds"),
    [
        *(("= 3064", True), ("!= 3064", False), ("< 3065", True), ("< 3064", False), ("<= 3064", True)),
        *(("<= 3063", False), ("> 3063", True), ("> 3064", False), (">= 3064", True), (">= 3065", False)),
        *(("-8", True), ("+8", False), ("-7", False), ("0", False), ("= 0xbf8", True), ("< 3K", True)),
    ],
)
def test_comparisons(comparison: str, holds: bool) -> None:
    assert (not instead(ONE_BLOCK, f"free DMA {comparison}")) is holds


def test_changes_begin_where_the_attempt_did() -> None:
    unmet(
        ("__free_pages(p, 3)",),
        {"free DMA +8": "", "nr_free DMA 3 -1": "", "free DMA -8": "it is +8"},
        prelude=ONE_BLOCK,
    )


def test_what_was_not_there_before_was_nothing() -> None:
    check = "cache mine allocated +1"
    lines = ('kmem_cache_create("mine", 64, 0, 0)', 'kmem_cache_alloc("mine", GFP_KERNEL)')
    assert instead(lines, check) == ""
    assert instead((), check) == "this machine has no cache mine allocated"


# -- other figures that demos have too -----------------------------------------------------------------------


def test_blocks_reserves_and_caches() -> None:
    unmet(
        ("k = kmalloc(96, GFP_KERNEL)",),
        {
            "blocks DMA Movable = 8": "it is 0",
            "blocks DMA Unmovable = 8": "",
            "reserve DMA DMA = 0": "",
            "cache kmalloc-96 num_slabs = 1": "",
            "cache kmalloc-96 allocated +1": "",
            "cache kmalloc-96 num_objs = 42": "",
            "cache kmalloc-96 waste = 64": "",
            "cache kmalloc-97 waste = 64": "this machine has no cache kmalloc-97 waste",
        },
    )


PROCESS = (
    'a: execve("/bin/true")',
    "a: p = mmap(NULL, 64K, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0)",
)


def test_processes() -> None:
    machine = {"profile": "x86_64-1g"}
    unmet(
        ("a: store(p, 1)", "a: store(p + 4096, 1)", "a: load(p)"),
        {
            "mm a resident +2": "",
            "mm a anon +2": "",
            "mm a total_vm +0": "",
            "mm a tables +0": "it is +1",
            "mm b resident = 0": "this machine has no mm b resident",
            "faults min = 2": "",
            "faults maj = 0": "",
            "vmstat pgfault +2": "",
            "vmstat nr_nothing = 0": "this machine has no vmstat nr_nothing",
            "lru active_anon +0": "",
            "count store fault anon_page = 2": "",
            "some store fault cow_copy": "0 rows match",
            "no load fault anon_page": "",
        },
        prelude=PROCESS,
        machine=machine,
    )


# -- pages ------------------------------------------------------------------------------------------------


def test_pages_by_number_and_by_the_names_of_the_prelude() -> None:
    unmet(
        ("get_page(p)", "lock_page(p)", "get_page(p)"),
        {
            "refs p = 3": "",
            "refs 0x400 = 3": "",
            "refs 1024 = 3": "",
            "refs p +2": "",
            "page p refcount = 3": "",
            "page 1024 mapcount = 0": "",
            "refs p+1 = 0": "",
            "refs q = 0": "q is the name of no page",
            "refs 0xffffff = 0": "this machine has no page frame 0xffffff",
            "state p locked": "",
            "state p = locked": "",
            "state p unmovable": "it is locked",
            "state p != unmovable": "",
            "state 0x408 free": "",
            "state 1 reserved": "",
            "state 0 reserved": "this machine has no page frame 0x0",
            "flag p locked": "",
            "flag p locked yes": "",
            "flag p locked no": "it is yes",
            "flag p dirty": "it is no",
            "flag p dirty no": "",
            "flag 0x408 locked no": "",
            "extra refs = 2": "",
            "extra refs +2": "",
        },
        prelude=ONE_BLOCK,
    )


def test_a_compound_page_has_the_references_of_its_head() -> None:
    lines = ("c = alloc_pages(GFP_KERNEL|__GFP_COMP, 3)", "get_page(c+3)")
    unmet(lines, {"refs 1024 = 2": "", "refs 1027 = 2": "", "extra refs = 1": ""})


def test_an_address_is_the_name_of_its_page() -> None:
    assert instead((), "refs g = 1", prelude=("g = __get_free_page(GFP_KERNEL)",)) == ""


def test_locks_and_sleepers() -> None:
    unmet(
        ("alice: unlock_page(p)",),
        {
            "locks = 1": "",
            "locks of carol = 1": "",
            "locks of alice = 0": "",
            "locks of nobody-here = 0": "",
            "asleep = 2": "",
            "asleep -2": "",
            "deadlock no": "",
            "deadlock yes": "it is no",
            "woken bob carol": "",
            "woken carol bob": "it is bob carol",
            "woken bob": "it is bob carol",
            "woken nobody": "it is bob carol",
        },
        prelude=QUEUE,
    )


def test_a_circle_of_waiting_tasks_is_a_deadlock() -> None:
    prelude = (
        "p = alloc_page(GFP_KERNEL)",
        "q = alloc_page(GFP_KERNEL)",
        "a: lock_page(p)",
        "b: lock_page(q)",
    )
    assert instead(("a: lock_page(q)",), "deadlock yes", prelude=prelude) == "it is no"
    circle = ("a: lock_page(q)", "b: lock_page(p)", "c: wait_on_page_locked(p)")
    unmet(circle, {"deadlock yes": "", "deadlock": "", "asleep = 3": "", "woken nobody": ""}, prelude=prelude)


# -- what the rows come to -----------------------------------------------------------------------------------


def test_a_repeated_call_is_one_row_of_many_blocks() -> None:
    lines = ("f = alloc_page(GFP_KERNEL) * 10", "p = alloc_page(GFP_KERNEL)", "get_page(p)", "vmalloc(0)")
    unmet(
        lines,
        {"rows = 4": "", "rows <= 3": "it is 4", "blocks = 11": "", "blocks +11": "", "undone = 0": ""},
    )


def test_rows_before_the_attempt_are_no_rows_of_it() -> None:
    unmet(
        ("p = alloc_page(GFP_KERNEL)",),
        {"rows = 1": "", "blocks = 1": "", "became unmovable 1": ""},
        prelude=ONE_BLOCK,
    )


def test_frames_that_became_something() -> None:
    unmet(
        (*ONE_BLOCK, "__free_pages(p, 2)"),
        {
            "became lost 4": "",
            "became lost = 4": "",
            "became lost >= 4": "",
            "became unmovable = 8": "",
            "became free = 1020": "",
            "became slab = 0": "",
            "became lost 5": "it is 4",
            "lost = 4": "",
            "lost +4": "",
        },
    )


def test_frames_lost_before_are_not_counted() -> None:
    prelude = (*ONE_BLOCK, "__free_pages(p, 2)", "q = alloc_pages(GFP_KERNEL, 1)")
    unmet(("__free_pages(q, 0)",), {"lost = 1": "", "leak none": "it is lost 1"}, prelude=prelude)


# -- what is left -------------------------------------------------------------------------------------------


def test_the_leak_of_nine_calls() -> None:
    unmet(
        LEAK,
        {
            "free DMA = 3064": "",
            "free DMA -8": "",
            "live blocks = 1": "",
            "live blocks of alice = 1": "",
            "live blocks of dave = 0": "",
            "live frames = 1": "",
            "live objects = 0": "",
            "live areas = 0": "",
            "lost = 1": "",
            "extra refs = 0": "",
            "locks = 0": "",
            "state 1024 unmovable": "",
            "state 1039 lost": "",
            "leak none": "it is live blocks 1, lost 1",
        },
    )


def test_half_way_through_them() -> None:
    """4 frames of alice's, bob's slab, 3 of carol's area, 2 of dave's."""
    unmet(
        LEAK[:5],
        {
            "live frames = 10": "",
            "live frames in DMA = 10": "",
            "live frames in DMA32 = 0": "",
            "live frames of alice = 4": "",
            "live frames of bob = 1": "",
            "live frames in DMA of carol = 3": "",
            "live blocks = 2": "",
            "live objects = 1": "",
            "live objects of bob = 1": "",
            "live objects of alice = 0": "",
            "live objects kmalloc-512 = 1": "",
            "live objects kmalloc-512 of bob = 1": "",
            "live objects kmalloc-64 = 0": "",
            "live areas = 1": "",
            "live areas of carol = 1": "",
            "live areas of bob = 0": "",
            "extra refs = 1": "",
            "leak none": "it is live blocks 2, live objects 1, live areas 1, extra refs 1",
        },
    )


def test_after_everything_is_freed_slabs_and_tables_stay() -> None:
    lines = ("k = kmalloc(500, GFP_KERNEL)", "v = vmalloc(10000)", "kfree(k)", "vfree(v)")
    unmet(lines, {"leak none": "", "free DMA +0": "it is -6", "live frames = 0": "", "live objects = 0": ""})


def test_what_was_there_before_is_not_the_attempts() -> None:
    everything = (
        *("p = alloc_pages(GFP_KERNEL, 2)", "get_page(p)", "lock_page(p)", "k = kmalloc(64, GFP_KERNEL)"),
        *(
            'kmem_cache_create("mine", 64, 0, 0)',
            "insmod(mod, 4096)",
            "v = vmalloc(4096)",
            "b = kmalloc(16K, GFP_KERNEL)",
        ),
    )
    unmet(
        (),
        {"leak none": "", "live frames = 0": "", "extra refs = 1": "", "locks = 1": "", "rows = 0": ""},
        prelude=everything,
    )
    found = instead(everything, "leak none")
    assert found == (
        "it is live blocks 1, live objects 2, live areas 2, extra refs 1, locks 1, caches 1, modules 1"
    )


def test_a_reference_given_back_that_was_there_before_hides_no_new_one() -> None:
    prelude = (*ONE_BLOCK, "q = alloc_page(GFP_KERNEL)", "get_page(p)")
    unmet(
        ("put_page(p)", "get_page(q)"),
        {"extra refs = 1": "", "extra refs +0": "", "leak none": "it is extra refs 1"},
        prelude=prelude,
    )


def test_a_reference_that_is_left_of_two_hides_no_new_one() -> None:
    prelude = (*ONE_BLOCK, "q = alloc_page(GFP_KERNEL)", "get_page(p)", "get_page(p)")
    assert instead(("put_page(p)", "get_page(q)"), "leak none", prelude=prelude) == "it is extra refs 1"


def test_a_reference_to_a_lost_frame_is_nobodys() -> None:
    loose = {"profile": "tiny-16m", "lecture": True, "debug": False}
    lines = (*ONE_BLOCK, "__free_pages(p, 2)", "get_page(0x404)", "get_page(0x404)")
    unmet(lines, {"lost = 4": "", "refs 0x404 = 2": "", "extra refs = 0": ""}, machine=loose)


def test_a_reference_to_a_tail_is_one_too_many() -> None:
    lines = ("p = alloc_pages(GFP_KERNEL, 2)", "split_page(p, 2)", "get_page(p+1)")
    assert instead(lines, "extra refs = 1") == ""
    loose = {"profile": "tiny-16m", "lecture": True, "debug": False}
    assert instead(("p = alloc_pages(GFP_KERNEL, 2)", "get_page(p+1)"), "extra refs = 1", machine=loose) == ""


def test_large_objects_are_objects_and_not_blocks() -> None:
    lines = ("b = kmalloc(16K, GFP_KERNEL)", "s = kmalloc(64, GFP_KERNEL)", "p = alloc_page(GFP_KERNEL)")
    unmet(
        lines,
        {
            "live objects = 2": "",
            "live objects kmalloc-64 = 1": "",
            "live blocks = 1": "",
            "live frames = 6": "",
        },
    )
    unmet(
        (*lines, "kfree(b)", "kfree(s)"),
        {"live objects = 0": "", "live frames = 1": "", "live blocks = 1": ""},
    )


def test_a_list_of_objects_is_counted_one_by_one() -> None:
    lines = ("k = kmalloc(64, GFP_KERNEL) * 100", "kfree(k[::2])")
    unmet(
        lines,
        {
            "live objects = 50": "",
            "live objects kmalloc-64 = 50": "",
            "live frames = 2": "",
            "blocks = 100": "",
        },
    )


def test_an_object_taken_again_belongs_to_the_later_row() -> None:
    lines = ("k = kmalloc(64, GFP_KERNEL)", "kfree(k)", "k = kmalloc(64, GFP_KERNEL)")
    unmet(lines, {"live objects = 1": ""})


def test_pages_of_areas_are_no_blocks() -> None:
    """Nor is the list of the area's pages an object of the caller's."""
    unmet(
        ("v = vmalloc(3M)",),
        {"live blocks = 0": "", "live objects = 0": "", "live areas = 1": "", "live frames = 768": ""},
    )


def test_modules_are_areas() -> None:
    unmet(
        ("insmod(mod, 8192)",),
        {"live areas = 1": "", "live frames = 2": "", "leak none": "it is live areas 1, modules 1"},
    )
    unmet(("insmod(mod, 8192)", "rmmod(mod)"), {"live areas = 0": "", "leak none": ""})


def test_kvmalloc_is_an_object_or_an_area() -> None:
    unmet(("k = kvmalloc(64, GFP_KERNEL)",), {"live objects = 1": "", "live areas = 0": ""})
    lines = ("k = kvmalloc(12K, GFP_KERNEL)",)
    unmet(lines, {"live objects = 0": "", "live areas = 1": "", "live frames = 3": ""}, prelude=FRAGMENTED)


def test_exact_pages_are_blocks_each() -> None:
    unmet(
        ("x = alloc_pages_exact(12K, GFP_KERNEL)",),
        {"live blocks = 3": "", "live frames = 3": "", "extra refs = 0": ""},
    )


def test_a_cache_that_was_destroyed_is_no_leak() -> None:
    made = 'kmem_cache_create("mine", 64, 0, 0)'
    assert instead((made,), "leak none") == "it is caches 1"
    assert instead((made, 'kmem_cache_destroy("mine")'), "leak none") == ""


def test_a_lock_that_is_left_is_a_leak() -> None:
    assert instead(("lock_page(p)",), "leak none", prelude=ONE_BLOCK) == "it is locks 1"

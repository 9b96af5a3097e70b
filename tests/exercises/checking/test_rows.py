"""Checks of what was done: which rows match, what held before them, and what all of them came to."""

from __future__ import annotations

import pytest

from app.exercises import matching
from app.exercises.words import Words
from tests.exercises.checking.goals import FRAGMENTED, QUEUE, evaluated, instead, row

SOME = (
    "p = alloc_pages(GFP_KERNEL, 3)",
    "alice@0/softirq: q = alloc_page(GFP_ATOMIC)",
    "bob: k = kmalloc(100, GFP_KERNEL|__GFP_ZERO)",
    "bob/softirq: j = kmalloc(100, GFP_KERNEL)",
    "__free_pages(p, 3)",
    "big = kmalloc(16M, GFP_KERNEL)",
)


@pytest.mark.parametrize(
    ("matcher", "count"),
    [
        *(("alloc_pages", 2), ("alloc_page", 1), ("alloc_pages order 3", 1), ("alloc_pages order = 0", 1)),
        *(("alloc_pages order != 3", 1), ("order 3", 2), ("order >= 1", 2), ("order < 1", 1)),
        *(("kmalloc", 3), ("kmalloc size 100", 2), ("kmalloc size > 64K", 1), ("kmalloc size 0x64", 2)),
        *(("ok", 4), ("verdict ok", 4), ("bug", 1), ("null", 1), ("warn", 0), ("task bob", 2)),
        *(("task init", 3), ("context softirq", 2), ("context process", 4), ("cpu 0", 6), ("cpu 1", 0)),
        *(("task bob context softirq", 1), ("task bob context softirq ok", 0), ("kmalloc bug", 1)),
        *(("gfp GFP_KERNEL", 3), ("gfp 0xcc0", 3), ("gfp GFP_KERNEL|__GFP_ZERO", 1), ("gfp GFP_NOWAIT", 0)),
        *(("gfp has __GFP_IO", 4), ("gfp has __GFP_IO|__GFP_ZERO", 1), ("gfp lacks __GFP_IO", 1)),
        *(("gfp lacks __GFP_IO|__GFP_ZERO", 1), ("gfp lacks __GFP_ZERO", 4), ("gfp has __GFP_WAIT", 4)),
        *(("flags GFP_KERNEL", 2), ("kmalloc flags GFP_KERNEL|__GFP_ZERO", 1)),
        *(("zone DMA", 3), ("zone DMA32", 0), ("pfn 0x400", 2), ("pfn >= 1032", 1), ("cache kmalloc-128", 2)),
        *(("ksize 128", 2), ("ret NULL", 1), ("kmalloc ret NULL", 1), ("kmalloc ret != NULL", 2)),
        *(("ret = 3", 0), ("woken bob", 0), ("killed bob", 0)),
    ],
)
def test_rows_that_match(matcher: str, count: int) -> None:
    assert instead(SOME, f"count {matcher} = {count}") == ""
    assert (instead(SOME, f"some {matcher}") == "") is (count > 0)
    assert (instead(SOME, f"no {matcher}") == "") is (count == 0)
    assert instead(SOME, f"count {matcher} = {count + 1}") == f"{count} rows match"


def test_arguments_that_are_words_flags_and_lists() -> None:
    lines = (
        'a: execve("/bin/true")',
        "a: p = mmap(NULL, 64K, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0)",
        "a: store(p, 1)",
        "a: load(NULL)",
        "sysctl(swappiness, 10)",
    )
    machine = {"profile": "x86_64-1g"}
    for check in (
        "some mmap length 64K",
        "some mmap length 65536 prot PROT_WRITE|PROT_READ flags MAP_ANONYMOUS|MAP_PRIVATE ok",
        "some prot 3",
        "no prot PROT_READ",
        "some prot != PROT_READ",
        "some sysctl name swappiness value 10",
        "no sysctl name != swappiness",
        "some load signal SIGSEGV",
        "no signal SIGBUS",
        "some fault none",
        "some mmap offset 0",
        "no mmap offset 4096",
    ):
        assert instead(lines, check, machine=machine) == "", check


def test_what_a_row_says_of_others() -> None:
    lines = ("alice: unlock_page(p)",)
    assert instead(lines, "some unlock_page woken carol", prelude=QUEUE) == ""
    assert instead(lines, "some unlock_page woken erin", prelude=QUEUE) == "0 rows match"
    assert instead(lines, "some unlock_page ret NULL", prelude=QUEUE) == "0 rows match"
    assert instead(lines, "some unlock_page ret != NULL", prelude=QUEUE) == "0 rows match"


def test_what_a_call_returned_as_a_number() -> None:
    lines = ("p = alloc_page(GFP_KERNEL)", "page_count(p)", "k = kmalloc(64, GFP_KERNEL)")
    for check, count in (("page_count ret 1", 1), ("page_count ret 2", 0), ("ret > 0xffff", 2)):
        assert instead(lines, f"count {check} = {count}") == ""


@pytest.mark.parametrize(
    ("call", "made", "order", "matches"),
    [
        *(("alloc_pages", "alloc_page", None, True), ("alloc_page", "alloc_pages", 0, True)),
        *(("alloc_page", "alloc_pages", 1, False), ("alloc_page", "alloc_page", None, True)),
        *(("__free_pages", "__free_page", 0, True), ("__free_page", "__free_pages", 0, True)),
        *(("__free_pages", "free_pages", 0, False), ("free_page", "__free_page", 0, False)),
        *(("free_page", "free_pages", 2, False), ("__get_free_page", "__get_free_pages", 0, True)),
        *(("__get_free_pages", "alloc_page", None, False), ("kfree", "alloc_page", None, False)),
        *(("alloc_page", "kfree", None, False), ("__alloc_pages_nodemask", "alloc_pages_node", 0, True)),
        *(("LockPage", "lock_page", None, True), ("kmalloc", "kzalloc", None, False)),
    ],
)
def test_macros_and_older_names(call: str, made: str, order: int | None, matches: bool) -> None:
    body = {} if order is None else {"order": order}
    assert matching.parse(Words(call)).matches(row(1, made, **body)) is matches


# -- while ------------------------------------------------------------------------------------------------


def test_half_free_and_still_null() -> None:
    """X12: the machine before that very row, to the last frame."""
    asked = "some alloc_pages order 1 gfp GFP_NOWAIT null while"
    lines = (*FRAGMENTED, "alloc_pages(GFP_NOWAIT, 1)")
    assert instead(lines, f"{asked} free DMA >= 50%") == ""
    assert instead(lines, f"{asked} free DMA > 50%") == "0 rows match; 1 match while that does not hold"
    assert instead(lines, f"{asked} largest DMA = 0") == ""
    assert instead(lines, f"{asked} free DMA = 1536") == ""


def test_one_row_must_be_both() -> None:
    """A row that fails at the mark, and another state in which much is free, are two."""
    lines = ("f = alloc_page(GFP_NOWAIT) until NULL", "alloc_pages(GFP_NOWAIT, 1)", "__free_pages(f[::2], 0)")
    assert instead(lines, "some alloc_pages order 1 null while free DMA >= 40%") != ""
    assert instead(lines, "some alloc_pages order 1 null while free DMA < 4%") == ""
    assert instead(lines, "free DMA >= 40%") == ""


def test_rows_are_counted_while_something_holds() -> None:
    lines = ("a = alloc_page(GFP_KERNEL)",) * 5
    for check, holds in (
        ("count alloc_page = 3 while free DMA <= 3070", True),
        ("count alloc_page = 5 while free DMA <= 3070", False),
        ("no alloc_page while free DMA < 3068", True),
        ("no alloc_page while free DMA < 3069", False),
        ("count alloc_page = 2 while rows <= 1", True),
        ("count alloc_page = 4 while live blocks > 0", True),
        ("count alloc_page = 1 while free DMA -2", True),
    ):
        assert (instead(lines, check) == "") is holds, check


def test_changes_before_a_row_are_counted_from_the_beginning_too() -> None:
    check = "some alloc_page while free DMA -8"
    assert (
        instead(("__free_page(q)", "alloc_page(GFP_KERNEL)"), check, prelude=("q = alloc_page(GFP_KERNEL)",))
        != ""
    )
    assert instead(("p = alloc_pages(GFP_KERNEL, 3)", "alloc_page(GFP_KERNEL)"), check) == ""


def test_of_a_loop_that_fails_it_is_the_last_round() -> None:
    """That all memory was free before the loop says nothing of the round that failed."""
    lines = ("alloc_pages(GFP_NOWAIT, 1) * 2000",)
    asked = "some alloc_pages order 1 null while"
    assert instead(lines, f"{asked} free DMA >= 40%") == "0 rows match; 1 match while that does not hold"
    assert instead(lines, f"{asked} free DMA = 108") == ""
    assert instead(lines, f"{asked} largest DMA >= 1") == ""


def test_of_a_loop_that_goes_well_it_is_the_last_round() -> None:
    lines = ("f = alloc_page(GFP_KERNEL) * 10",)
    assert instead(lines, "some alloc_page ok while free DMA = 3063") == ""
    assert instead(lines, "some alloc_page ok while free DMA = 3072") != ""
    until = ("f = alloc_page(GFP_ATOMIC|__GFP_MEMALLOC) until NULL",)
    assert instead(until, "some alloc_page ok while free DMA = 1") == ""
    below = ("f = alloc_page(GFP_KERNEL) until free < 3000",)
    assert instead(below, "some alloc_page ok while free DMA = 3000") == ""


def test_a_loop_without_a_round_is_before_nothing() -> None:
    lines = ("f = alloc_page(GFP_KERNEL) until free < 4000",)
    assert instead(lines, "some alloc_page ok") == ""
    assert instead(lines, "some alloc_page ok while free DMA = 3072") != ""


def test_a_list_that_is_freed_is_looked_at_before_all_of_it() -> None:
    assert instead(FRAGMENTED, "some __free_pages while free DMA = 0") == ""


# -- calls --------------------------------------------------------------------------------------------------


def test_only_and_never() -> None:
    lines = ("p = alloc_page(GFP_KERNEL)", "get_page(p)", "k = kmalloc(1, GFP_KERNEL)", "kfree(k)")
    for check, found in {
        "only alloc_page get_page kmalloc kfree": "",
        "only alloc_pages, get_page, kmalloc, kfree": "",
        "only alloc_page get_page kmalloc": "row 4 is kfree",
        "only get_page": "row 1 is alloc_page",
        "never vmalloc": "",
        "never vmalloc kmalloc": "row 3 is kmalloc",
        "never alloc_pages": "row 1 is alloc_page",
        "never get_page kfree": "row 2 is get_page",
    }.items():
        assert instead(lines, check) == found, check


def test_an_order_of_rows() -> None:
    lines = ("p = alloc_page(GFP_KERNEL)", "get_page(p)", "q = alloc_pages(GFP_KERNEL, 1)", "put_page(p)")
    for check, found in {
        "order alloc_page get_page put_page": "",
        "order alloc_page put_page": "",
        "order get_page alloc_pages": "",
        "order put_page get_page": "nothing matches get_page after the 1 before it",
        "order alloc_page alloc_page": "nothing matches alloc_page after the 1 before it",
        "order alloc_pages alloc_pages": "",
        "order get_page, alloc_pages order 1 ok, put_page": "",
        "order get_page, alloc_pages order 2": "nothing matches alloc_pages order 2 after the 1 before it",
        "order ok ok ok ok": "",
        "order ok ok ok ok ok": "nothing matches ok after the 4 before it",
        "order kfree ok": "nothing matches kfree after the 0 before it",
    }.items():
        assert instead(lines, check) == found, check


# -- what all came to ----------------------------------------------------------------------------------------


def test_who_was_woken_by_all_of_them() -> None:
    lines = ("alice: unlock_page(p)", "carol: unlock_page(p)")
    assert instead(lines, "woken bob carol dave erin", prelude=QUEUE) == ""
    assert instead(lines, "woken dave erin", prelude=QUEUE) == "it is bob carol dave erin"
    assert instead((), "woken nobody", prelude=QUEUE) == ""
    assert instead((), "woken bob", prelude=QUEUE) == "it is nobody"


def test_the_kernel_log_of_the_rows() -> None:
    prelude = ("alice/softirq: kmalloc(64, GFP_KERNEL)",)
    assert instead((), "log BUG: sleeping function", prelude=prelude) == "no line has it"
    assert instead(prelude, "log BUG: sleeping function") == ""
    assert instead(prelude, "log BUG:  sleeping function") == "no line has it"
    assert instead(prelude, "log nothing") != ""
    assert instead((), "log nothing", prelude=prelude) == ""


def test_whom_the_oom_killer_took() -> None:
    machine = {"profile": "tiny-16m"}
    prelude = (
        "sysctl(overcommit_memory, 1)",
        'hog: execve("/bin/true")',
        "hog: p = mmap(NULL, 16M, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0)",
    )
    goal = {
        "killed hog": "",
        "killed nobody": "it is hog",
        "some store killed hog": "",
        "log Out of memory": "",
        "faults min >= 1000": "",
    }
    results = evaluated(("hog: store(p) * 4096",), [*goal], prelude=prelude, machine=machine).results
    assert [result.found for result in results] == [*goal.values()]
    assert instead((), "killed nobody") == ""


# -- from demos ----------------------------------------------------------------------------------------------


def test_lines_of_expect_are_about_the_first_second_row() -> None:
    lines = ("p = alloc_page(GFP_KERNEL)", "page_count(p)")
    for check, found in {
        "1 verdict ok": "",
        "1 pfn 0x400": "",
        "2 ret 1": "",
        "2 ret 2": "it is 1",
        "3 verdict ok": "there are 2 rows",
    }.items():
        assert instead(lines, check) == found, check


# -- probes -------------------------------------------------------------------------------------------------


def test_a_probe_is_tried_on_a_copy() -> None:
    tried = {
        "probe alloc_pages(GFP_NOWAIT, 1) null": "",
        "probe alloc_pages(GFP_KERNEL, 1) oom": "",
        "probe alloc_page(GFP_NOWAIT) ok": "",
        "probe alloc_page(GFP_NOWAIT) null": "its verdict is ok",
        "probe put_page(p) ok": "",
        "probe put_page(q) ok": "it cannot be made: nothing is named 'q' here",
        "probe bob/softirq: kmalloc(64, GFP_KERNEL) bug": "",
    }
    prelude = ("p = alloc_page(GFP_KERNEL)",)
    for three in ([*tried][:3], [*tried][3:6], [*tried][6:]):
        results = evaluated(FRAGMENTED, three, prelude=prelude).results
        assert [result.found for result in results] == [tried[check] for check in three]


def test_a_probe_changes_nothing() -> None:
    goal = (
        "probe alloc_page(GFP_ATOMIC) ok",
        "probe alloc_page(GFP_ATOMIC) ok",
        "free DMA = 1536",
        "blocks = 3072",
    )
    assert evaluated(FRAGMENTED, goal).reached


def test_a_probe_of_a_task_that_sleeps_cannot_be_made() -> None:
    assert instead((), "probe bob: get_page(p) ok", prelude=QUEUE).startswith(
        "it cannot be made: bob has been asleep"
    )

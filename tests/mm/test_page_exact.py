"""Blocks cut into pages: split_page, alloc_pages_exact and free_pages_exact, on both kinds of kernels."""

from typing import Any

import pytest

from app.machine import boot, parsing
from app.machine.outcome import Outcome
from app.mm.memory_model import PAGE_SIZE
from tests.support.explainer import Explainer, fns, numbers, only
from tests.support.lab import Lab, texts

KERNEL = "GFP_KERNEL"
COMP = "GFP_KERNEL|__GFP_COMP"


@pytest.fixture
def lab() -> Lab:
    """A debugging kernel."""
    return Lab()


@pytest.fixture
def silent() -> Lab:
    """Debian's kernel."""
    return Lab(debug=False)


def exact(lab: Lab, size: int, **body: Any) -> Outcome:
    return lab("alloc_pages_exact", size=size, **{"gfp": KERNEL} | body)


def first(outcome: Outcome) -> int:
    page = outcome.page
    assert page is not None
    return int(page["pfn"])


# -- split_page ------------------------------------------------------------------------------------


def test_every_page_of_a_split_block_is_freed_by_itself(lab: Lab) -> None:
    free, used = lab.free(), lab.used()
    pfn = lab.alloc(3)
    split = lab("split_page", pfn=pfn, order=3)
    assert (split.ret, split.verdict, split.changed, lab.used()) == (None, "ok", [], used + 8)
    assert split.page is not None
    assert (split.page["pfn"], split.page["order"], split.page["refcount"]) == (pfn, 0, 1)
    assert [lab.count(pfn + place) for place in range(8)] == [1] * 8
    for place in (3, 0, 7, 1, 2, 5, 6, 4):
        assert lab("__free_page", pfn=pfn + place).verdict == "ok"
    assert (lab.free(), lab.used(), lab.m.lost) == (free, used, 0)


def test_a_split_block_is_no_block_any_more(lab: Lab) -> None:
    """Freed as the block that it was, its other pages still have a count."""
    pfn = lab.alloc(2)
    lab("split_page", pfn=pfn, order=2)
    freed = lab("__free_pages", pfn=pfn, order=2)
    assert freed.verdict == "bug"
    assert "page dumped because: nonzero _refcount" in texts(freed)


def test_a_page_that_is_referenced_twice_stays_so(lab: Lab) -> None:
    pfn = lab.alloc(1)
    lab("get_page", pfn=pfn)
    lab("split_page", pfn=pfn, order=1)
    assert [lab.count(pfn), lab.count(pfn + 1)] == [2, 1]


def test_a_compound_page_cannot_be_split(lab: Lab, silent: Lab) -> None:
    pfn = lab.alloc(2, COMP)
    for given in (pfn, pfn + 1):
        split = lab("split_page", pfn=given, order=2)
        assert split.verdict == "bug"
        assert "page dumped because: VM_BUG_ON_PAGE(PageCompound(page))" in texts(split)
        assert "kernel BUG at mm/page_alloc.c:3644!" in texts(split)
    pfn = silent.alloc(2, COMP)
    assert silent("split_page", pfn=pfn, order=2).verdict == "ok"
    silent("__free_pages", pfn=pfn, order=2)


def test_a_free_page_cannot_be_split(lab: Lab, silent: Lab) -> None:
    pfn = lab.alloc(2)
    lab("__free_pages", pfn=pfn, order=2)
    split = lab("split_page", pfn=pfn, order=2)
    assert "page dumped because: VM_BUG_ON_PAGE(!page_count(page))" in texts(split)
    assert "kernel BUG at mm/page_alloc.c:3645!" in texts(split)
    pfn = silent.alloc(2)
    silent("__free_pages", pfn=pfn, order=2)
    silent("split_page", pfn=pfn, order=2)
    assert [silent.count(pfn + place) for place in range(4)] == [0, 1, 1, 1]
    silent("drain_all_pages")
    bad = [silent("alloc_pages", gfp=KERNEL, order=0) for _ in range(2_000)]
    assert any("page dumped because: nonzero _refcount" in texts(outcome) for outcome in bad)


def split_block(lab: Lab, order: int) -> int:
    pfn = lab.alloc(order)
    lab("split_page", pfn=pfn, order=order)
    return pfn


def test_a_larger_order_reaches_into_the_neighbour(lab: Lab, silent: Lab) -> None:
    split = lab("split_page", pfn=split_block(lab, 2), order=1)
    assert "page dumped because: VM_BUG_ON_PAGE(page_ref_count(page))" in texts(split)
    assert "kernel BUG at mm/internal.h:181!" in texts(split)
    pfn = split_block(silent, 2)
    silent("get_page", pfn=pfn + 1)
    assert silent("split_page", pfn=pfn, order=1).verdict == "ok"
    assert silent.count(pfn + 1) == 1


def test_a_smaller_order_gives_counts_to_a_part(silent: Lab) -> None:
    pfn = silent.alloc(3)
    silent("split_page", pfn=pfn, order=1)
    assert [silent.count(pfn + place) for place in range(8)] == [1, 1, 0, 0, 0, 0, 0, 0]
    silent("__free_page", pfn=pfn)
    assert silent.m.lost == 6
    free = silent.free()
    silent("__free_page", pfn=pfn + 1)
    assert silent.free() == free + 1


def test_an_order_that_no_block_has_is_refused(silent: Lab) -> None:
    pfn = silent.alloc()
    for order in (11, 31, 0xFFFFFFFF):
        split = silent("split_page", pfn=pfn, order=order)
        assert any("no block of order" in line for line in split.log)


@pytest.mark.parametrize(
    ("debug", "order", "address", "access"),
    [(True, 2, 0, "read"), (False, 2, 64 + 52, "write"), (False, 0, 8, "read")],
)
def test_the_null_page(debug: bool, order: int, address: int, access: str) -> None:
    split = Lab(debug=debug)("split_page", page=None, order=order)
    assert (split.verdict, split.page) == ("bug", None)
    assert texts(split)[:2] == [
        f"BUG: kernel NULL pointer dereference, address: {address:016x}",
        f"#PF: supervisor {access} access in kernel mode",
    ]


# -- alloc_pages_exact -----------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "pages"), [(1, 1), (4096, 1), (4097, 2), (5 * 4096, 5), (1 << 20, 256)])
def test_just_as_many_pages_as_are_needed(lab: Lab, size: int, pages: int) -> None:
    free, used = lab.free(), lab.used()
    outcome = exact(lab, size)
    pfn = first(outcome)
    assert outcome.ret == f"{lab.m.page_address(pfn):#x}"
    assert (lab.free(), lab.used()) == (free - pages, used + pages)
    assert all(lab.m.pages[pfn + place].order == 0 for place in range(pages))
    assert [lab.count(pfn + place) for place in range(pages)] == [1] * pages
    assert lab("free_pages_exact", addr=outcome.ret, size=size).verdict == "ok"
    assert (lab.free(), lab.used(), lab.m.lost) == (free, used, 0)


def test_what_is_not_needed_goes_to_the_tail_of_the_free_lists() -> None:
    """Past the per-CPU lists, page by page: three pages of eight are a page and a pair."""
    lab = Lab()
    lab("drain_all_pages")
    zone = lab.m.zones[0]
    lists = {order: list(zone.free_area[order].free_list[0]) for order in range(10)}
    waiting = zone.pcp[0].count
    pfn = first(exact(lab, 5 * PAGE_SIZE))
    assert pfn % 8 == 0
    after = zone.free_area
    for order, at in ((0, pfn + 5), (1, pfn + 6)):
        assert list(after[order].free_list[0])[-1] == at
        assert list(after[order].free_list[0])[:-1] == [block for block in lists[order] if block != pfn]
    assert zone.pcp[0].count == waiting


def test_the_neighbour_takes_the_rest(lab: Lab) -> None:
    """A merge is a merge: with its buddy back, the block is whole again."""
    lab("drain_all_pages")
    before = [area.nr_free for area in lab.m.zones[0].free_area]
    outcome = exact(lab, 5 * PAGE_SIZE)
    lab("free_pages_exact", addr=outcome.ret, size=5 * PAGE_SIZE)
    lab("drain_all_pages")
    assert [area.nr_free for area in lab.m.zones[0].free_area] == before


def test_frees_are_counted(lab: Lab) -> None:
    before = lab.m.vm_events["pgfree"]
    exact(lab, 5 * PAGE_SIZE)
    assert lab.m.vm_events["pgfree"] == before + 3


@pytest.mark.parametrize("mask", ["__GFP_COMP", "__GFP_HIGHMEM"])
def test_a_mask_that_cannot_be_exact_is_warned_about_once(lab: Lab, mask: str) -> None:
    outcome = exact(lab, 3 * PAGE_SIZE, gfp=f"{KERNEL}|{mask}")
    assert outcome.verdict == "warn"
    assert any(
        "WARNING: CPU: 0 PID: 1 at mm/page_alloc.c:5930 alloc_pages_exact" in line for line in texts(outcome)
    )
    assert lab.used() == 3
    assert lab("free_pages_exact", addr=outcome.ret, size=3 * PAGE_SIZE).verdict == "ok"
    assert exact(lab, 1, gfp=f"{KERNEL}|{mask}").log == []


@pytest.mark.parametrize("size", [0, (4 << 20) + 1, 1 << 52])
def test_more_than_the_largest_block_is_null(lab: Lab, size: int) -> None:
    """So are no bytes: size - 1 wraps around, and the order is that of the whole address space."""
    outcome = exact(lab, size)
    assert (outcome.ret, outcome.verdict, outcome.page) == (None, "null", None)
    assert any("at mm/page_alloc.c:5634 __alloc_pages" in line for line in texts(outcome))


def test_many_at_once_are_a_list_of_addresses(lab: Lab) -> None:
    free = lab.free()
    outcome = exact(lab, 3 * PAGE_SIZE, repeat=20)
    assert outcome.ret == 20
    named = outcome.named
    assert named is not None
    assert (named.kind, named.stride, named.length) == ("addrs", 3 * PAGE_SIZE, 20)
    assert lab.free() == free - 60
    names = {"fill": named}
    call = parsing.parse("free_pages_exact", {"addr": "$fill", "size": 3 * PAGE_SIZE}, lab.m.model, names)
    freed = lab.m.apply(call.resolve(names, lab.m.model), 99)
    assert (freed.ret, lab.free()) == (20, free)


def test_every_page_is_a_live_block_of_the_session() -> None:
    lab = Lab(profile="tiny-32m")
    exact(lab, 100 * PAGE_SIZE)
    assert lab.m.live_blocks == 100


# -- free_pages_exact ------------------------------------------------------------------------------


def test_a_size_that_is_too_small_leaves_the_rest_in_use(lab: Lab) -> None:
    outcome = exact(lab, 5 * PAGE_SIZE)
    pfn = first(outcome)
    assert lab("free_pages_exact", addr=outcome.ret, size=2 * PAGE_SIZE).verdict == "ok"
    assert lab.used() == 3
    assert [lab.count(pfn + place) for place in range(5)] == [0, 0, 1, 1, 1]


def test_a_size_that_is_too_large_hits_a_page_that_is_free(lab: Lab, silent: Lab) -> None:
    """A debugging kernel stops there; another one lets the count fall below zero."""
    outcome = exact(lab, 5 * PAGE_SIZE)
    freed = lab("free_pages_exact", addr=outcome.ret, size=8 * PAGE_SIZE)
    assert freed.verdict == "bug"
    assert "page dumped because: VM_BUG_ON_PAGE(page_ref_count(page) == 0)" in texts(freed)
    assert "kernel BUG at include/linux/mm.h:780!" in texts(freed)
    assert lab.used() == 0
    outcome = exact(silent, 5 * PAGE_SIZE)
    pfn = first(outcome)
    assert silent("free_pages_exact", addr=outcome.ret, size=8 * PAGE_SIZE).verdict == "ok"
    assert [silent.count(pfn + place) for place in range(8)] == [0] * 5 + [-1] * 3


def test_a_size_that_is_too_large_frees_the_neighbour(lab: Lab) -> None:
    pfn = lab.alloc(3)
    lab("split_page", pfn=pfn, order=3)
    address = f"{lab.m.page_address(pfn):#x}"
    lab("free_pages_exact", addr=address, size=3 * PAGE_SIZE)
    lab("free_pages_exact", addr=f"{lab.m.page_address(pfn + 3):#x}", size=5 * PAGE_SIZE)
    assert lab.used() == 0


def test_null_and_no_bytes_are_nothing_to_free(lab: Lab) -> None:
    outcome = exact(lab, PAGE_SIZE)
    assert lab("free_pages_exact", addr=None, size=PAGE_SIZE).log == []
    assert lab("free_pages_exact", addr=outcome.ret, size=0).log == []
    assert lab.used() == 1
    beyond = lab("free_pages_exact", addr=None, size=2 * PAGE_SIZE)
    assert "kernel BUG at mm/page_alloc.c:5757!" in texts(beyond)


def test_an_address_within_a_page_counts_from_there(lab: Lab) -> None:
    outcome = exact(lab, 3 * PAGE_SIZE)
    assert (
        lab("free_pages_exact", addr=f"{int(str(outcome.ret), 16) + 8:#x}", size=3 * PAGE_SIZE - 8).verdict
        == "ok"
    )
    assert lab.used() == 0


def test_an_end_beyond_the_last_address_wraps_around() -> None:
    lab = Lab(machine=boot.boot({"profile": "i386-1g"}))
    outcome = exact(lab, PAGE_SIZE)
    used = lab.used()
    assert lab("free_pages_exact", addr=outcome.ret, size=0xFFFFFFFF).log == []
    assert lab("free_pages_exact", addr=outcome.ret, size=0xFFFFF000).log == []
    assert lab.used() == used


# -- explained -------------------------------------------------------------------------------------


def test_an_exact_allocation_explains_what_is_kept_and_what_goes_back() -> None:
    explainer = Explainer()
    steps = explainer.call("alloc_pages_exact", size=5 * PAGE_SIZE, gfp=KERNEL)
    pfn = first(explainer.outcome)
    assert numbers(steps, "make_alloc_exact") == {"pfn": pfn, "order": 3, "kept": 5, "freed": 3}
    assert only(steps, "make_alloc_exact")["what"] == (
        "5 of the block's 8 frames are kept, with a count each,"
        " the other 3 go back to the tail of the free lists"
    )
    merges = [step["numbers"] for step in steps if step["fn"] == "__free_one_page"]
    assert [merge["freed_pfn"] for merge in merges] == [pfn + 5, pfn + 6, pfn + 7]
    assert all(merge["to_tail"] for merge in merges)
    assert explainer.tracepoints()[-3:] == ["mm_page_free"] * 3
    steps = explainer.call("free_pages_exact", addr="$it", size=5 * PAGE_SIZE)
    assert numbers(steps, "free_pages_exact")["pages"] == 5
    assert fns(steps).count("__free_pages") == 5
    assert {step["depth"] for step in steps if step["fn"] == "__free_pages"} == {1}


def test_a_split_explains_itself() -> None:
    explainer = Explainer()
    explainer.call("alloc_pages", gfp=KERNEL, order=2)
    steps = explainer.call("split_page", named="none", page="$it", order=2)
    assert numbers(steps, "split_page")["frames"] == 4

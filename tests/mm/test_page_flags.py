"""Flags that drivers set: dirty, reserved. And how often a page is mapped."""

import pytest

from tests.support.explainer import Explainer, only
from tests.support.lab import Lab, texts

COMP = "GFP_KERNEL|__GFP_COMP"
DIRTY, RESERVED = 1 << 3, 1 << 12


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.fixture
def silent() -> Lab:
    return Lab(debug=False)


def test_a_dirty_page_is_freed_clean(lab: Lab) -> None:
    pfn = lab.alloc()
    lab("SetPageDirty", pfn=pfn)
    assert lab.m.pages[pfn].flags == DIRTY
    lab("ClearPageDirty", pfn=pfn)
    assert lab.m.pages[pfn].flags == 0
    lab("SetPageDirty", pfn=pfn)
    assert lab("__free_page", pfn=pfn).verdict == "ok"
    assert lab.alloc() == pfn
    assert lab.m.pages[pfn].flags == 0


def test_a_compound_page_is_dirty_as_a_whole(lab: Lab) -> None:
    pfn = lab.alloc(2, COMP)
    lab("SetPageDirty", pfn=pfn + 3)
    assert lab.m.pages[pfn].flags & DIRTY
    assert lab.m.stray == {}


def test_a_tail_of_its_own(lab: Lab) -> None:
    pfn = lab.alloc(2)
    lab("SetPageDirty", pfn=pfn + 3)
    assert lab.m.stray[pfn + 3].flags == DIRTY
    assert lab("__free_pages", pfn=pfn, order=2).verdict == "ok"
    assert lab.m.stray == {}


def test_a_free_page_that_is_dirty_is_bad(lab: Lab) -> None:
    pfn = lab.alloc()
    lab("__free_page", pfn=pfn)
    lab("SetPageDirty", pfn=pfn)
    found = lab("alloc_page", gfp="GFP_KERNEL")
    assert "page dumped because: PAGE_FLAGS_CHECK_AT_PREP flag(s) set" in texts(found)


def test_a_reserved_page_may_not_be_freed(lab: Lab, silent: Lab) -> None:
    """Debian's kernel does not look at what goes to a per-CPU list, and forgets the flag."""
    pfn = lab.alloc()
    lab("SetPageReserved", pfn=pfn)
    freed = lab("__free_page", pfn=pfn)
    assert freed.verdict == "bug"
    assert "page dumped because: PAGE_FLAGS_CHECK_AT_FREE flag(s) set" in texts(freed)
    free, pfn = silent.free(), silent.alloc()
    silent("SetPageReserved", pfn=pfn)
    assert silent("__free_page", pfn=pfn).log == []
    assert (silent.free(), silent.m.stray) == (free, {})
    pfn = silent.alloc(5)
    silent("SetPageReserved", pfn=pfn)
    large = silent("__free_pages", pfn=pfn, order=5)
    assert "page dumped because: PAGE_FLAGS_CHECK_AT_FREE flag(s) set" in texts(large)


def test_as_drivers_do_it(lab: Lab) -> None:
    free, pfn = lab.free(), lab.alloc(2)
    for place in range(4):
        lab("SetPageReserved", pfn=pfn + place)
    for place in range(4):
        lab("ClearPageReserved", pfn=pfn + place)
    assert lab("__free_pages", pfn=pfn, order=2).verdict == "ok"
    assert (lab.free(), lab.m.stray) == (free, {})


def test_memory_that_the_kernel_keeps(silent: Lab) -> None:
    pfn = silent.m.zones[0].start_pfn
    assert silent.count(pfn) == 1
    silent("ClearPageReserved", pfn=pfn)
    freed = silent("__free_page", pfn=pfn)
    assert any("kmemlab: 1 of the frames" in line for line in texts(freed))
    silent("SetPageReserved", pfn=pfn)


@pytest.mark.parametrize(
    ("name", "address", "access"),
    [
        ("SetPageDirty", 8, "read"),
        ("ClearPageDirty", 8, "read"),
        ("SetPageReserved", 0, "write"),
        ("ClearPageReserved", 0, "write"),
        ("page_mapcount", 0, "read"),
    ],
)
def test_the_null_page(lab: Lab, name: str, address: int, access: str) -> None:
    oops = lab(name, page=None)
    assert oops.verdict == "bug"
    assert f"BUG: kernel NULL pointer dereference, address: {address:016x}" in texts(oops)
    assert f"#PF: supervisor {access} access in kernel mode" in texts(oops)


def test_nothing_is_mapped_but_what_marks_a_free_block(lab: Lab) -> None:
    pfn = lab.alloc(3)
    assert [lab("page_mapcount", pfn=pfn + place).ret for place in (0, 1)] == [0, 0]
    large = lab.alloc(10)
    lab("__free_pages", pfn=large, order=10)
    assert [lab("page_mapcount", pfn=large + place).ret for place in (0, 1)] == [-128, 0]


def test_flags_are_explained() -> None:
    machine = Explainer()
    machine.call("alloc_page", gfp="GFP_KERNEL")
    assert machine.outcome.page is not None
    pfn = machine.outcome.page["pfn"]
    for name in ("SetPageDirty", "ClearPageDirty", "SetPageReserved", "ClearPageReserved"):
        step = only(machine.call(name, pfn=pfn), name)
        assert step["file"] == "include/linux/page-flags.h"
    assert step["what"] == f"page frame {pfn:#x}: flags 0x1000 → 0x0"

"""kmalloc, kfree, krealloc, ksize: size classes, rows, large blocks, many at once."""

from __future__ import annotations

import json

import pytest

from app.machine import boot, loading
from app.machine.calls import Named
from tests.support.explainer import Explainer, only
from tests.support.slab_machines import Caller, first_state, fresh, text


@pytest.fixture
def plain() -> Caller:
    return fresh(debug=False)


@pytest.fixture
def debugging() -> Caller:
    return fresh(debug=True)


# -- size classes and rows -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "cache"),
    [
        (1, "kmalloc-8"), (8, "kmalloc-8"), (9, "kmalloc-16"), (64, "kmalloc-64"), (65, "kmalloc-96"),
        (97, "kmalloc-128"), (129, "kmalloc-192"), (192, "kmalloc-192"), (193, "kmalloc-256"),
        (1025, "kmalloc-2k"), (8192, "kmalloc-8k"),
    ],
)  # fmt: skip
def test_size_classes(plain: Caller, size: int, cache: str) -> None:
    outcome = plain("kmalloc", size=size, flags="GFP_KERNEL")
    assert outcome.object is not None
    assert outcome.object["cache"] == cache
    assert outcome.object["ksize"] >= size
    assert outcome.ret == outcome.object["address"]


@pytest.mark.parametrize(
    ("flags", "cache"),
    [
        ("GFP_KERNEL|GFP_DMA", "dma-kmalloc-64"),
        ("GFP_KERNEL|__GFP_RECLAIMABLE", "kmalloc-rcl-64"),
        ("GFP_KERNEL_ACCOUNT", "kmalloc-cg-64"),
        ("GFP_KERNEL_ACCOUNT|__GFP_RECLAIMABLE", "kmalloc-rcl-64"),
        ("GFP_KERNEL_ACCOUNT|__GFP_RECLAIMABLE|GFP_DMA", "dma-kmalloc-64"),
    ],
)
def test_rows(plain: Caller, flags: str, cache: str) -> None:
    outcome = plain("kmalloc", size=64, flags=flags)
    assert outcome.object is not None
    assert outcome.object["cache"] == cache
    zone = plain.m.zone_of(outcome.object["slab_pfn"]).name
    assert (zone == "DMA") == ("GFP_DMA" in flags)


def test_a_kernel_without_memory_cgroups_has_no_accounted_row() -> None:
    caller = Caller(loading.load(first_state("plain-256M")))
    outcome = caller("kmalloc", size=64, flags="GFP_KERNEL_ACCOUNT")
    assert outcome.object is not None
    assert outcome.object["cache"] == "kmalloc-64"


def test_kmalloc_of_nothing(plain: Caller) -> None:
    outcome = plain("kmalloc", named="z", size=0, flags="GFP_KERNEL")
    assert (outcome.ret, outcome.verdict, outcome.changed) == ("0x10", "ok", [])
    assert plain("ksize", addr="$z").ret == 0
    assert plain("kfree", addr="$z").verdict == "ok"
    assert plain.kfree(None).verdict == "ok"


def test_beyond_the_classes_kmalloc_takes_a_compound_page(plain: Caller) -> None:
    outcome = plain("kmalloc", named="big", size=8193, flags="GFP_KERNEL")
    assert outcome.object == {
        "address": outcome.ret, "cache": None, "object_size": 16384, "ksize": 16384, "slab_pfn": None,
        "index": None, "offset": 0,
    }  # fmt: skip
    assert outcome.page is not None
    assert outcome.page["order"] == 2
    assert plain("ksize", addr="$big").ret == 16384
    freed = plain("kfree", addr="$big")
    assert freed.changed == [[outcome.page["pfn"], 4, "pcp"]]
    assert freed.object == outcome.object


def test_beyond_the_largest_order_kmalloc_returns_null_and_warns_once(plain: Caller) -> None:
    assert plain("kmalloc", size=4 << 20, flags="GFP_KERNEL").verdict == "ok"
    outcome = plain("kmalloc", size=(4 << 20) + 1, flags="GFP_KERNEL")
    assert (outcome.ret, outcome.verdict) == (None, "null")
    assert "WARNING: CPU: 0 PID: 1 at mm/page_alloc.c:5634 __alloc_pages" in text(outcome)
    assert plain("kmalloc", size=1 << 40, flags="GFP_KERNEL").log == []


def test_zone_bits_that_give_no_address_are_taken_out_when_a_slab_is_needed(plain: Caller) -> None:
    outcome = plain("kmalloc", size=64, flags="GFP_KERNEL|__GFP_HIGHMEM")
    assert outcome.verdict == "warn"
    assert text(outcome).startswith(
        "Unexpected gfp: 0x2 (__GFP_HIGHMEM). Fixing up to gfp: 0xcc0 (GFP_KERNEL). Fix your code!"
    )
    assert plain("kmalloc", size=64, flags="GFP_KERNEL|__GFP_HIGHMEM").verdict == "ok"
    assert plain("kmalloc", size=9000, flags="GFP_KERNEL|GFP_DMA32").verdict == "warn"


# -- many at once --------------------------------------------------------------------------------------------


def test_neighbours_are_one_run_and_any_of_them_can_be_freed(plain: Caller) -> None:
    outcome = plain("kmalloc", named="fill", size=200, flags="GFP_KERNEL", repeat=40)
    assert outcome.ret == 40
    assert outcome.runs is not None
    assert sum(count for _, count in outcome.runs) == 40
    assert outcome.runs[0][1] == 16
    assert plain("kfree", addr="$fill", step=2).ret == 20
    assert plain.m.live_objects == 20
    assert plain("kfree", addr="$fill", start=1, step=2).ret == 20
    assert plain.m.live_objects == 0


def test_scattered_objects_are_runs_of_one() -> None:
    caller = fresh(debug=False, freelist_seed=7)
    outcome = caller("kmalloc", named="fill", size=64, flags="GFP_KERNEL", repeat=64)
    assert outcome.runs is not None
    assert len(outcome.runs) > 50
    named = outcome.named
    assert named is not None
    assert Named.from_json(json.loads(json.dumps(named.as_json()))) == named
    assert caller("kfree", addr="$fill").ret == 64
    assert caller.m.live_objects == 0


def test_large_blocks_are_runs_of_their_own_size(plain: Caller) -> None:
    outcome = plain("kmalloc", named="fill", size=1 << 16, flags="GFP_KERNEL", repeat=6)
    free = plain.m.nr_free_pages
    assert outcome.named is not None
    assert outcome.named.stride == 1 << 16
    assert plain("kfree", addr="$fill").ret == 6
    assert plain.m.nr_free_pages == free + 6 * 16


# -- krealloc, ksize -----------------------------------------------------------------------------------------


def test_krealloc(plain: Caller) -> None:
    first = plain("krealloc", named="p", addr=None, size=10, flags="GFP_KERNEL")
    assert plain("krealloc", named="p", addr="$p", size=16, flags="GFP_KERNEL").ret == first.ret
    moved = plain("krealloc", named="q", addr="$p", size=17, flags="GFP_KERNEL")
    assert moved.object is not None
    assert moved.object["cache"] == "kmalloc-32"
    assert moved.ret != first.ret
    assert plain.m.live_objects == 1
    assert plain("krealloc", addr="$q", size=1, flags="GFP_KERNEL").ret == moved.ret
    assert plain("krealloc", addr="$q", size=0, flags="GFP_KERNEL").ret == "0x10"
    assert plain.m.live_objects == 0


def test_a_failed_krealloc_leaves_the_object(plain: Caller) -> None:
    plain("kmalloc", named="p", size=10, flags="GFP_KERNEL")
    outcome = plain("krealloc", addr="$p", size=8 << 20, flags="GFP_KERNEL")
    assert (outcome.ret, outcome.verdict) == (None, "null")
    assert plain.m.live_objects == 1


def test_ksize_of_what_is_no_kmalloc_memory(plain: Caller) -> None:
    page = plain("__get_free_pages", gfp="GFP_KERNEL", order=0)
    outcome = plain("ksize", addr=page.ret)
    assert (outcome.ret, outcome.verdict) == (0, "warn")
    assert "mm/slab_common.c:1014 __ksize" in text(outcome)
    big = plain.kmalloc(16384)
    assert "mm/slab_common.c:1016 __ksize" in text(plain("ksize", addr=f"{big + 4096:#x}"))


# -- arrays --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["kmalloc_array", "kcalloc"])
def test_an_array_is_memory_for_all_its_elements(plain: Caller, name: str) -> None:
    outcome = plain(name, named="a", n=10, size=24, flags="GFP_KERNEL")
    assert outcome.object is not None
    assert (outcome.object["cache"], outcome.verdict) == ("kmalloc-256", "ok")
    plain("kfree", addr="$a")
    large = plain(name, n=3, size=4096, flags="GFP_KERNEL")
    assert large.object is not None
    assert (large.object["cache"], large.object["ksize"]) == (None, 4 * 4096)


@pytest.mark.parametrize(("n", "size"), [(0, 64), (64, 0)])
def test_an_array_of_nothing(plain: Caller, n: int, size: int) -> None:
    assert plain("kmalloc_array", n=n, size=size, flags="GFP_KERNEL").ret == "0x10"


def test_an_array_whose_bytes_overflow_is_null_and_nothing_is_said() -> None:
    """A product that just fits goes to the page allocator, which says that it is too much."""
    caller = Caller(boot.boot({"profile": "i386-1g"}))
    flags = "GFP_KERNEL"
    for n, size in ((0x10000, 0x10000), (0xFFFFFFFF, 2), (2, 0x80000000)):
        before = caller.m.live_blocks
        outcome = caller("kcalloc", n=n, size=size, flags=flags)
        assert (outcome.ret, outcome.verdict, outcome.log) == (None, "null", [])
        assert caller.m.live_blocks == before
    fits = caller("kmalloc_array", n=0xFFFF, size=0x10001, flags=flags)
    assert (fits.ret, fits.verdict) == (None, "null")
    assert any("__alloc_pages" in line for line in fits.log)
    wide = fresh(debug=False)
    assert wide("kmalloc_array", n=1 << 40, size=1 << 24, flags=flags).log == []
    assert wide("kmalloc_array", n=1 << 40, size=1 << 23, flags=flags).log != []


def test_a_cleared_array_asks_for_zeroes() -> None:
    explainer = Explainer()
    explainer.call("kcalloc", n=3, size=4096, flags="GFP_KERNEL")
    assert any("__GFP_ZERO" in point for point in explainer.points)
    steps = explainer.call("kmalloc_array", n=3, size=4096, flags="GFP_KERNEL")
    assert not any("__GFP_ZERO" in point for point in explainer.points)
    assert only(steps, "kmalloc_array")["what"] == "3 × 4,096 = 12,288 bytes"
    assert only(steps, "__kmalloc_large_node")["depth"] == 2
    (step,) = explainer.call("kmalloc_array", n=1 << 40, size=1 << 40, flags="GFP_KERNEL")
    assert (step["fn"], step["file"], step["verdict"]) == ("kmalloc_array", "include/linux/slab.h", "null")


def test_many_arrays_at_once(plain: Caller) -> None:
    outcome = plain("kcalloc", named="many", n=4, size=16, flags="GFP_KERNEL", repeat=100)
    assert outcome.ret == 100
    assert plain("kfree", addr="$many").ret == 100

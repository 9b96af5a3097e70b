"""Mistakes with objects, and what a debugging kernel says of them."""

from __future__ import annotations

import pytest

from tests.support.slab_machines import Caller, fresh, text


@pytest.fixture
def plain() -> Caller:
    return fresh(debug=False)


@pytest.fixture
def debugging() -> Caller:
    return fresh(debug=True)


# -- mistakes ------------------------------------------------------------------------------------------------


def test_double_free_on_a_debugging_kernel(debugging: Caller) -> None:
    address = debugging.kmalloc(64)
    debugging.kfree(address)
    outcome = debugging.kfree(address)
    assert outcome.verdict == "bug"
    lines = text(outcome).split("\n")
    assert lines[0] == "=" * 77
    assert lines[1] == "BUG kmalloc-64 (Not tainted): Object already free"
    assert lines[2] == "-" * 77
    page = debugging.m.model.pfn_to_page((address - debugging.m.model.page_offset) >> 12)
    assert lines[4] == (
        f"Slab 0x{page:016x} objects=64 used=0 fp=0x{address:016x}"
        " flags=0xfffffc0000200(slab|node=0|zone=1|lastcpupid=0x1fffff)"
    )
    assert lines[5] == f"Object 0x{address:016x} @offset=0 fp=0x{address + 64:016x}"
    assert lines[-1] == f"FIX kmalloc-64: Object at 0x{address:016x} not freed"
    assert debugging.kmalloc(64) == address
    assert debugging.kmalloc(64) == address + 64


def test_double_free_of_the_only_object_of_a_cache_of_ones_own(debugging: Caller) -> None:
    debugging("kmem_cache_create", name="mine", size=64)
    debugging("kmem_cache_alloc", named="p", cache="mine", flags="GFP_KERNEL")
    debugging("kmem_cache_free", cache="mine", addr="$p")
    outcome = debugging("kmem_cache_free", cache="mine", addr="$p")
    assert "BUG mine (Not tainted): Slab has 0 allocated objects but 1 are to be freed" in text(outcome)


def test_double_free_on_debians_kernel_is_noticed_only_at_once(plain: Caller) -> None:
    first, second = plain.kmalloc(64), plain.kmalloc(64)
    plain.kfree(first)
    outcome = plain.kfree(first)
    assert outcome.verdict == "bug"
    assert "kernel BUG at mm/slub.c:419!" in text(outcome)
    plain.kfree(second)
    outcome = plain.kfree(first)
    assert text(outcome) == (
        f"kmemlab: 0x{first:016x} of kmalloc-64 is free already; the kernel would now corrupt its free list"
    )
    assert (plain.kmalloc(64), plain.kmalloc(64)) == (second, first)


@pytest.mark.parametrize("debug", [True, False])
def test_free_of_the_middle_of_an_object(*, debug: bool) -> None:
    caller = fresh(debug=debug)
    address = caller.kmalloc(64)
    outcome = caller.kfree(address + 8)
    if debug:
        assert f"BUG kmalloc-64 (Not tainted): Invalid object pointer 0x{address + 8:016x}" in text(outcome)
        assert f"FIX kmalloc-64: Object at 0x{address + 8:016x} not freed" in text(outcome)
    else:
        assert "is no object" in text(outcome)
    assert outcome.object is not None
    assert outcome.object["index"] is None
    assert caller.m.live_objects == 1


def test_kfree_of_a_plain_page_warns_once_and_frees_it(plain: Caller) -> None:
    page = plain("__get_free_pages", gfp="GFP_KERNEL", order=0)
    outcome = plain("kfree", addr=page.ret)
    assert outcome.verdict == "warn"
    assert "WARNING: CPU: 0 PID: 1 at mm/slab_common.c:904 free_large_kmalloc" in text(outcome)
    assert text(outcome).endswith(f"object pointer: {page.ret}")
    again = plain("__get_free_pages", gfp="GFP_KERNEL", order=0)
    assert again.ret == page.ret
    assert plain("kfree", addr=again.ret).log == []


def test_kfree_of_a_block_that_is_not_compound_frees_its_first_page(plain: Caller) -> None:
    page = plain("__get_free_pages", gfp="GFP_KERNEL", order=2)
    free = plain.m.nr_free_pages + sum(zone.pcp[0].count for zone in plain.m.zones)
    plain("kfree", addr=page.ret)
    assert plain.m.nr_free_pages + sum(zone.pcp[0].count for zone in plain.m.zones) == free + 1


@pytest.mark.parametrize(
    ("address", "fault"), [(0xFFFFC90000001000, "ffffeb0200000048"), (0x1000, "ffffebde00000048")]
)
def test_kfree_of_an_address_that_is_not_in_the_direct_map(plain: Caller, address: int, fault: str) -> None:
    outcome = plain.kfree(address)
    assert outcome.verdict == "bug"
    assert text(outcome).startswith(f"BUG: unable to handle page fault for address: {fault}")


@pytest.mark.parametrize("debug", [True, False])
def test_freeing_to_the_wrong_cache(*, debug: bool) -> None:
    caller = fresh(debug=debug)
    caller("kmem_cache_create", name="mine", size=64)
    caller("kmem_cache_create", name="other", size=64)
    caller("kmem_cache_alloc", named="p", cache="mine", flags="GFP_KERNEL")
    outcome = caller("kmem_cache_free", cache="other", addr="$p")
    assert outcome.verdict == "warn"
    assert "cache_from_obj: Wrong slab cache. other but object is from mine" in text(outcome)
    assert "WARNING: CPU: 0 PID: 1 at mm/slab.h:665 kmem_cache_free" in text(outcome)
    assert caller.cache("mine").cpu_slab[0].freelist or caller.cache("mine").node[0].partial


def test_freeing_a_page_to_a_cache(plain: Caller) -> None:
    plain("kmem_cache_create", name="mine", size=64)
    page = plain("__get_free_pages", gfp="GFP_KERNEL", order=0)
    outcome = plain("kmem_cache_free", cache="mine", addr=page.ret)
    assert "virt_to_cache: Object is not a Slab page!" in text(outcome)
    assert plain("kmem_cache_free", cache="mine", addr=page.ret).log == []
    assert plain("kmem_cache_free", cache="mine", addr=None).verdict == "bug"


@pytest.mark.parametrize("context", ["atomic", "softirq", "tasklet", "hardirq"])
def test_sleeping_where_one_must_not(debugging: Caller, context: str) -> None:
    debugging.kmalloc(64)
    outcome = debugging("kmalloc", size=64, flags="GFP_KERNEL", context=context)
    assert outcome.verdict == "bug"
    assert outcome.ret is not None
    assert text(outcome).startswith(
        "BUG: sleeping function called from invalid context at include/linux/sched/mm.h:274"
    )
    assert debugging("kmalloc", size=64, flags="GFP_ATOMIC", context=context).verdict == "ok"
    assert debugging("kfree", addr=outcome.ret, context=context).verdict == "ok"


# -- caches that check ---------------------------------------------------------------------------------------


def test_a_checking_cache_takes_object_by_object_from_the_nodes_list(debugging: Caller) -> None:
    objects = [debugging.kmalloc(512) for _ in range(9)]
    s = debugging.cache("kmalloc-512")
    assert (s.cpu_partial, s.cpu_slab[0].slab) == (0, None)
    full, second = s.slabs.values()
    assert (full.inuse, list(s.node[0].partial.values())) == (8, [second])
    debugging.kfree(objects[2])
    # It goes to the tail, so the other slab is still used first.
    assert list(s.node[0].partial.values()) == [second, full]
    assert debugging.kmalloc(512) == objects[8] + 512


def test_a_cache_can_check_on_any_kernel(plain: Caller) -> None:
    plain("kmem_cache_create", name="mine", size=64, flags="SLAB_CONSISTENCY_CHECKS|SLAB_TRACE")
    first = plain("kmem_cache_alloc", named="p", cache="mine", flags="GFP_KERNEL")
    assert text(first).startswith(f"TRACE mine alloc {first.ret} inuse=1 fp=0x")
    plain("kmem_cache_alloc", cache="mine", flags="GFP_KERNEL")
    plain("kmem_cache_free", cache="mine", addr="$p")
    outcome = plain("kmem_cache_free", cache="mine", addr="$p")
    assert "Object already free" in text(outcome)


def test_checking_caches_give_empty_slabs_back(debugging: Caller) -> None:
    objects = [debugging.kmalloc(4096) for _ in range(8 * 9)]
    s = debugging.cache("kmalloc-4k")
    for address in objects:
        debugging.kfree(address)
    # A slab that becomes empty counts itself among the partial ones.
    assert len(s.slabs) == len(s.node[0].partial) == s.min_partial - 1

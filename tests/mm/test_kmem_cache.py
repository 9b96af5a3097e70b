"""Caches of one's own: making, shrinking, destroying them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.machine import dump, loading
from app.machine.ruleset import TODAY
from app.mm import slab
from tests.support.slab_machines import Caller, fresh, reloaded, text


@pytest.fixture
def plain() -> Caller:
    return fresh(debug=False)


@pytest.fixture
def debugging() -> Caller:
    return fresh(debug=True)


def test_a_cache_costs_memory_before_it_holds_anything(plain: Caller) -> None:
    outcome = plain("kmem_cache_create", name="mine", size=100)
    assert outcome.verdict == "ok"
    view = plain("ksize", addr=outcome.ret).object
    assert view is not None
    assert (view["cache"], view["object_size"]) == ("kmem_cache", 224)
    assert plain.m.live_objects == 3
    plain("kmem_cache_destroy", cache="mine")
    assert plain.m.live_objects == 0
    assert "mine" not in plain.m.caches


@pytest.mark.parametrize(
    ("arguments", "debug", "message"),
    [
        (
            {"name": "kmalloc-64", "size": 8},
            False,
            "kmem_cache_create_usercopy(kmalloc-64) failed with error -17",
        ),
        ({"name": "x", "size": 8, "flags": 1}, False, "kmem_cache_create_usercopy(x) failed with error -22"),
        ({"name": "x", "size": 5 << 20}, True, "kmem_cache_create(x) integrity check failed"),
        ({"name": "x", "size": 64 << 20}, False, "kmem_cache_create_usercopy(x) failed with error -22"),
        ({"name": "x", "size": 8, "context": "softirq"}, True, "kmem_cache_create(x) integrity check failed"),
    ],
)
def test_what_makes_no_cache(arguments: dict[str, Any], message: str, *, debug: bool) -> None:
    caller = fresh(debug=debug)
    outcome = caller("kmem_cache_create", **arguments)
    assert outcome.ret is None
    assert outcome.verdict in {"null", "bug"}
    assert message in text(outcome)
    assert caller.m.live_objects == 0


def test_a_cache_that_the_kernel_cannot_do_without(plain: Caller) -> None:
    outcome = plain("kmem_cache_create", name="kmalloc-8", size=8, flags="SLAB_PANIC")
    assert outcome.verdict == "bug"
    assert "Failed to create slab 'kmalloc-8'. Error -17" in text(outcome)


def test_a_cache_of_nothing_divides_by_zero(plain: Caller) -> None:
    outcome = plain("kmem_cache_create", name="mine", size=0)
    assert outcome.verdict == "bug"
    assert "divide error: 0000" in text(outcome)


@pytest.mark.parametrize("arguments", [{"size": 0xFFFFFFFF}, {"size": 8, "align": 0xFFFFFFFF}])
def test_a_size_beyond_an_unsigned_int_begins_again_at_nothing(
    plain: Caller, arguments: dict[str, int]
) -> None:
    outcome = plain("kmem_cache_create", name="mine", **arguments)
    assert outcome.verdict == "bug"
    assert "divide error: 0000" in text(outcome)


def test_a_size_beyond_an_unsigned_int_leaves_no_room_for_an_object(plain: Caller) -> None:
    outcome = plain("kmem_cache_create", name="mine", size=100, align=0xFFFFFFF8, flags="SLAB_RED_ZONE")
    assert outcome.ret is None
    assert "objects of 100 bytes every 8: the kernel would overlap them" in text(outcome)
    assert plain.m.live_objects == 0


def test_aligning_nothing_to_a_cache_line_never_ends(debugging: Caller) -> None:
    outcome = debugging("kmem_cache_create", name="mine", size=0, flags="SLAB_HWCACHE_ALIGN")
    assert (outcome.ret, outcome.verdict) == (None, "hang")
    assert "mine" not in debugging.m.caches


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"size": 0, "flags": "SLAB_POISON"}, id="objects of no size, with what debugging adds"),
        pytest.param({"size": 8, "align": 0xFFFFFFF8}, id="an alignment that is no power of two"),
    ],
)
def test_an_odd_cache_keeps_its_dump(debugging: Caller, arguments: dict[str, Any]) -> None:
    assert debugging("kmem_cache_create", name="mine", **arguments).verdict == "ok"
    document = json.loads(json.dumps(dump.dump(debugging.m)))
    assert dump.dump(loading.load(document)) == document


def test_destroying_a_cache_that_has_objects(debugging: Caller) -> None:
    debugging("kmem_cache_create", name="mine", size=64)
    kept = debugging("kmem_cache_alloc", named="p", cache="mine", flags="GFP_KERNEL")
    outcome = debugging("kmem_cache_destroy", cache="mine")
    assert outcome.verdict == "bug"
    lines = text(outcome).split("\n")
    assert lines[1] == "BUG mine (Not tainted): Objects remaining in mine on __kmem_cache_shutdown()"
    assert f"Object {kept.ret} @offset=0" in lines
    assert any(line.startswith("kmem_cache_destroy mine: Slab cache still has objects") for line in lines)
    assert "WARNING: CPU: 0 PID: 1 at mm/slab_common.c:493 kmem_cache_destroy" in lines
    # It stays for good, and works.
    assert debugging("kmem_cache_free", cache="mine", addr="$p").verdict == "ok"
    assert debugging("kmem_cache_destroy", cache="mine").log == []
    twin = reloaded(debugging.m)
    assert twin.caches["mine"].refcount == -1


def test_a_cache_of_the_kernels_own_stays(debugging: Caller) -> None:
    debugging.m.rules = TODAY
    assert debugging("kmem_cache_destroy", cache="kmem_cache").log == []
    outcome = debugging("kmem_cache_destroy", cache="kmalloc-64")
    assert outcome.verdict == "warn"
    assert debugging("kmem_cache_destroy", cache="kmalloc-64").log == []
    assert "kmem_cache_destroy kmalloc-64: Slab cache still has objects" in text(outcome)
    debugging("kmalloc", size=64, flags="GFP_KERNEL")
    twin = reloaded(debugging.m)
    assert len(twin.caches["kmalloc-64"].slabs) == 1


def test_a_destroyed_cache_is_a_null_pointer(plain: Caller) -> None:
    plain("kmem_cache_create", name="mine", size=64)
    plain("kmem_cache_destroy", cache="mine")
    oops = "BUG: kernel NULL pointer dereference, address: "
    assert text(plain("kmem_cache_alloc", cache="mine", flags="GFP_KERNEL")).startswith(f"{oops}{0:016x}")
    assert text(plain("kmem_cache_shrink", cache="mine")).startswith(f"{oops}{0:016x}")
    address = f"{plain.kmalloc(64):#x}"
    assert text(plain("kmem_cache_free", cache="mine", addr=address)).startswith(f"{oops}{0x60:016x}")
    assert plain("kmem_cache_destroy", cache="mine").verdict == "ok"


def test_the_caches_of_kmalloc_cannot_be_destroyed(plain: Caller) -> None:
    plain("kmem_cache_destroy", cache="kmalloc-64")
    assert plain.kmalloc(64)


def test_shrinking_returns_empty_slabs_and_puts_the_fullest_first(plain: Caller) -> None:
    objects = [plain.kmalloc(512) for _ in range(8 * 4)]
    s = plain.cache("kmalloc-512")
    slabs = [slab.virt_to_slab(plain.m, objects[8 * place]) for place in range(4)]
    for place, freed in ((0, 3), (1, 8), (2, 1), (3, 2)):
        for address in objects[8 * place : 8 * place + freed]:
            plain.kfree(address)
    outcome = plain("kmem_cache_shrink", cache="kmalloc-512")
    assert outcome.ret == 1
    assert list(s.node[0].partial.values()) == [slabs[2], slabs[3], slabs[0]]
    assert s.cpu_slab[0].slab is None
    assert outcome.changed == [[slabs[1].pfn, 1, "pcp"]]  # type: ignore[union-attr]
    for place, freed in ((0, 3), (2, 1), (3, 2)):
        for address in objects[8 * place + freed : 8 * place + 8]:
            plain.kfree(address)
    assert plain("kmem_cache_shrink", cache="kmalloc-512").ret == 0
    assert s.slabs == {}


def test_shrinking_takes_every_cpus_slabs_away() -> None:
    caller = fresh(debug=False, cpus=2)
    first, second = caller.kmalloc(64), caller.kmalloc(64, cpu=1)
    assert second >> 12 != first >> 12
    assert json.loads(json.dumps(dump.dump(caller.m)))["caches"][5]["cpus"][0]["cpu"] == 1
    caller.kfree(first)
    caller.kfree(second)
    assert caller("kmem_cache_shrink", cache="kmalloc-64").ret == 0
    assert [c.slab for c in caller.cache("kmalloc-64").cpu_slab] == [None, None]

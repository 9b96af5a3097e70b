"""Caches whose objects are constructed, and zeroed objects."""

import json
from typing import Any

import pytest

from app.machine import loading
from app.mm.slab import OBJECT_POISON
from tests.support.explainer import Explainer, of, only
from tests.support.slab_machines import Caller, fresh, text

KERNEL = "GFP_KERNEL"


@pytest.fixture
def plain() -> Caller:
    return fresh(debug=False)


@pytest.fixture
def debugging() -> Caller:
    return fresh(debug=True)


def test_a_constructed_object_keeps_what_was_written_while_it_is_free(plain: Caller) -> None:
    """So the pointer to the next free object stands behind it, and the objects take more room."""
    plain("kmem_cache_create", name="plain", size=64)
    plain("kmem_cache_create", name="made", size=64, ctor="init_once")
    without, made = plain.m.caches["plain"], plain.m.caches["made"]
    assert (without.size, without.offset, without.ctor) == (64, 32, None)
    assert (made.size, made.offset, made.ctor) == (72, 64, "init_once")


def test_a_constructed_object_is_not_poisoned(plain: Caller) -> None:
    plain("kmem_cache_create", name="plain", size=64, flags="SLAB_POISON")
    plain("kmem_cache_create", name="made", size=64, flags="SLAB_POISON", ctor="init_once")
    assert plain.m.caches["plain"].flags & OBJECT_POISON
    assert not plain.m.caches["made"].flags & OBJECT_POISON


def test_the_call_says_its_constructor_where_it_has_one(plain: Caller) -> None:
    args = [
        plain("kmem_cache_create", name=name, size=64, **ctor).call.as_json(plain.m.model)
        for name, ctor in (("a", {}), ("b", {"ctor": None}), ("c", {"ctor": "NULL"}), ("d", {"ctor": "f"}))
    ]
    assert ["ctor" in one for one in args] == [False, False, False, True]


def test_a_dump_keeps_the_constructor(plain: Caller) -> None:
    plain("kmem_cache_create", name="made", size=64, ctor="init_once")
    plain("kmem_cache_alloc", cache="made", flags=KERNEL)
    document = json.loads(json.dumps(plain.m.dump()))
    again = loading.load(document)
    assert again.caches["made"].ctor == "init_once"
    assert again.dump() == document


def test_objects_are_constructed_when_their_slab_is_made() -> None:
    machine = Explainer()
    machine.call("kmem_cache_create", name="made", size=64, ctor="init_once")
    first, second = (machine.call("kmem_cache_alloc", cache="made", flags=KERNEL) for _ in range(2))
    made = of(first, "allocate_slab")[-1]["what"]
    assert made.endswith("; init_once constructs each of them, now and only now")
    assert of(second, "allocate_slab") == []


def test_a_zeroed_object_is_the_next_one(plain: Caller) -> None:
    plain("kmem_cache_create", name="mine", size=100)
    addresses = [
        plain(name, cache="mine", flags=KERNEL).ret for name in ("kmem_cache_alloc", "kmem_cache_zalloc")
    ]
    assert int(addresses[1], 16) - int(addresses[0], 16) == plain.m.caches["mine"].size
    assert plain.m.warned == {}


@pytest.mark.parametrize("fixture", ["plain", "debugging"])
def test_zeroes_wipe_out_what_a_constructor_wrote(fixture: str, request: pytest.FixtureRequest) -> None:
    """The kernel warns once, and only where a slab is needed."""
    caller: Caller = request.getfixturevalue(fixture)
    for name in ("one", "two"):
        caller("kmem_cache_create", name=name, size=64, ctor="init_once")
    caller("kmem_cache_alloc", cache="one", flags=KERNEL)
    assert caller("kmem_cache_zalloc", cache="one", flags=KERNEL).log == []
    warned = caller("kmem_cache_zalloc", cache="two", flags=KERNEL)
    assert (warned.verdict, warned.ret is None) == ("warn", False)
    assert "mm/slub.c:1995 new_slab" in text(warned)
    caller("kmem_cache_create", name="three", size=64, ctor="init_once")
    assert caller("kmem_cache_zalloc", cache="three", flags=KERNEL).verdict == "ok"


def test_the_warning_has_its_step() -> None:
    machine = Explainer()
    machine.call("kmem_cache_create", name="made", size=64, ctor="init_once")
    steps = machine.call("kmem_cache_zalloc", cache="made", flags=KERNEL)
    assert only(steps, "new_slab")["what"] == (
        "init_once constructs the objects of made, and __GFP_ZERO wipes out what it wrote: a warning, once"
    )


@pytest.mark.parametrize("ctor", ["", "a b", "1st", 3, "x" * 64, {}])
def test_a_constructor_is_the_name_of_a_function(plain: Caller, ctor: Any) -> None:
    with pytest.raises(ValueError, match="the name of a C function, or NULL"):
        plain("kmem_cache_create", name="made", size=64, ctor=ctor)

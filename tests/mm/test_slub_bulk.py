"""kmem_cache_alloc_bulk and kmem_cache_free_bulk."""

import pytest

from app.machine import boot
from app.machine.outcome import Outcome
from app.mm.slab import virt_to_slab
from tests.support.explainer import Explainer, of, only
from tests.support.slab_machines import Caller, fresh, text

KERNEL = "GFP_KERNEL"


@pytest.fixture
def plain() -> Caller:
    return made(fresh(debug=False))


@pytest.fixture
def debugging() -> Caller:
    return made(fresh(debug=True))


def made(caller: Caller) -> Caller:
    """With two caches of four objects to a slab."""
    for name in ("mine", "yours"):
        caller("kmem_cache_create", name=name, size=1000)
    return caller


def bulk(caller: Caller, size: int, **body: object) -> Outcome:
    return caller("kmem_cache_alloc_bulk", **{"cache": "mine", "flags": KERNEL, "size": size} | body)


def addresses(outcome: Outcome) -> list[int]:
    named = outcome.named
    assert named is not None
    return [first + place * named.stride for first, blocks in named.runs or () for place in range(blocks)]


def free(caller: Caller, objects: list[int], size: int | None = None, cache: str = "mine") -> Outcome:
    runs = [[f"{address:#x}", 1] for address in objects]
    return caller("kmem_cache_free_bulk", cache=cache, size=len(objects) if size is None else size, addr=runs)


def test_as_many_as_one_by_one(plain: Caller) -> None:
    other = made(fresh(debug=False))
    got = bulk(plain, 40)
    single = [int(other("kmem_cache_alloc", cache="mine", flags=KERNEL).ret, 16) for _ in range(40)]
    assert (got.ret, got.verdict, addresses(got)) == (40, "ok", single)
    assert plain.m.dump()["caches"] != other.m.dump()["caches"]  # each object has its own seq there
    assert plain.m.live_objects == other.m.live_objects


def test_none_and_one(plain: Caller) -> None:
    assert (bulk(plain, 0).ret, bulk(plain, 1).ret) == (0, 1)
    assert free(plain, []).log == []


def test_all_or_nothing(plain: Caller) -> None:
    bulk(plain, 1)  # so that there are three more before a slab is needed
    before = plain.m.live_objects
    plain("alloc_pages", gfp="GFP_NOWAIT|__GFP_NOWARN", order=0, repeat=100_000, until="null")
    failed = bulk(plain, 50_000, flags="GFP_NOWAIT|__GFP_NOWARN")
    assert (failed.ret, failed.verdict, failed.runs) == (0, "null", [])
    assert plain.m.live_objects == before


def test_it_may_sleep(debugging: Caller) -> None:
    said = bulk(debugging, 3, context="hardirq")
    assert (said.ret, said.verdict) == (3, "bug")
    assert (
        text(said).count("sleeping function called from invalid context at include/linux/sched/mm.h:274") == 1
    )
    assert bulk(debugging, 3, context="hardirq", flags="GFP_ATOMIC").verdict == "ok"


@pytest.mark.parametrize("fixture", ["plain", "debugging"])
def test_what_is_freed_at_once_comes_back_in_the_order_of_the_array(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    caller: Caller = request.getfixturevalue(fixture)
    objects = addresses(bulk(caller, 3))
    assert free(caller, objects).verdict == "ok"
    assert addresses(bulk(caller, 3)) == objects


@pytest.mark.parametrize("fixture", ["plain", "debugging"])
def test_everything_goes_back(fixture: str, request: pytest.FixtureRequest) -> None:
    caller: Caller = request.getfixturevalue(fixture)
    before = caller.m.live_objects
    objects = addresses(bulk(caller, 100))
    assert free(caller, objects[::2] + objects[1::2]).ret == 100
    assert caller.m.live_objects == before
    caller("kmem_cache_shrink", cache="mine")
    assert caller.m.caches["mine"].slabs == {}


def test_only_the_first_of_an_array(plain: Caller) -> None:
    before = plain.m.live_objects
    objects = addresses(bulk(plain, 10))
    free(plain, objects, size=4)
    assert plain.m.live_objects == before + 6
    more = free(plain, objects[4:], size=20)
    assert "kmemlab: the array has 6 objects: the kernel would read on behind its end" in text(more)
    assert plain.m.live_objects == before


def test_objects_of_a_slab_are_freed_together_past_two_of_others() -> None:
    machine = Explainer()
    machine.call("kmem_cache_create", name="mine", size=1000)
    machine.call("kmem_cache_alloc_bulk", cache="mine", flags=KERNEL, size=24)
    objects = addresses(machine.outcome)
    slabs = [virt_to_slab(machine.m, address) for address in objects]
    first = [a for a, slab in zip(objects, slabs, strict=True) if slab is slabs[0]]
    rest = [a for a, slab in zip(objects, slabs, strict=True) if slab is not slabs[0]]
    array = [*first[:2], *rest[:3], *first[2:4], *rest[3:5], *first[4:6]]
    runs = [[f"{address:#x}", 1] for address in array]
    steps = machine.call("kmem_cache_free_bulk", cache="mine", size=len(array), addr=runs)
    found = [step["numbers"] for step in of(steps, "build_detached_freelist")]
    # From the end: two, past two others; two more; then the third other ends the search.
    assert [len(numbers.get("indexes", [0])) for numbers in found] == [4, 5, 2]
    assert [numbers["left"] for numbers in found] == [7, 2, 0]


def test_an_object_of_another_cache(plain: Caller) -> None:
    wrong = free(plain, addresses(bulk(plain, 2)), cache="yours")
    assert (wrong.verdict, plain.m.live_objects) == ("warn", 6)
    assert "cache_from_obj: Wrong slab cache. yours but object is from mine" in text(wrong)


@pytest.mark.parametrize(("profile", "at"), [("x86_64-1g", "0000000000000028"), ("i386-1g", "0000001c")])
def test_what_is_no_object_at_all(profile: str, at: str) -> None:
    caller = Caller(boot.boot({"profile": profile, "debug": False}))
    made(caller)
    page = caller("__get_free_page", gfp=KERNEL).page
    assert page is not None
    wrong = free(caller, [int(page["address"], 16)])
    assert wrong.verdict == "bug"
    assert "virt_to_cache: Object is not a Slab page!" in text(wrong)
    assert f"BUG: kernel NULL pointer dereference, address: {at}" in text(wrong)


def test_twice_in_an_array(plain: Caller) -> None:
    a, b, c = addresses(bulk(plain, 3))
    neighbours = free(plain, [a, b, b])
    assert "kernel BUG at mm/slub.c:419!" in text(neighbours)
    assert plain.m.live_objects == 9
    apart = free(plain, [b, a, b])
    assert "stands in the array twice" in text(apart)
    assert free(plain, [c]).verdict == "ok"
    assert plain.m.live_objects == 6


def test_free_already(plain: Caller, debugging: Caller) -> None:
    a, b, c = addresses(bulk(plain, 3))
    free(plain, [c])
    assert "kernel BUG at mm/slub.c:419!" in text(free(plain, [a, c]))
    assert "is free already" in text(free(plain, [c, a]))
    a, b, c, _ = addresses(bulk(debugging, 4))
    free(debugging, [b])
    found = free(debugging, [a, b, c])
    assert "BUG mine (Not tainted): Object already free" in text(found)
    assert f"Object at 0x{b:016x} not freed" in text(found)
    # One that is wrong keeps the others of its slab from being freed.
    assert debugging.m.live_objects == 6 + 3
    free(debugging, [a, c])
    more = free(debugging, [a, b])
    assert "Slab has 1 allocated objects but 2 are to be freed" in text(more)


def test_nothing_of_an_array() -> None:
    caller = made(fresh(debug=False))
    assert caller("kmem_cache_free_bulk", cache="gone", size=0, addr=None).verdict == "ok"
    null = caller("kmem_cache_free_bulk", cache="mine", size=1, addr=None)
    assert null.verdict == "bug"


def test_how_many_there_were_and_from_where() -> None:
    machine = Explainer()
    machine.call("kmem_cache_create", name="mine", size=1000)
    steps = machine.call("kmem_cache_alloc_bulk", cache="mine", flags=KERNEL, size=10)
    objs = machine.m.caches["mine"].objs
    assert only(steps, "kmem_cache_alloc_bulk")["what"] == (
        f"10 objects of mine; {10 - -(-10 // objs)} from CPU 0's own list"
    )

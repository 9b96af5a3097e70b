"""Slab caches as they are read, and dumps of them that cannot be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.errors import BadArgument
from app.machine import loading, slab_views
from app.machine.parts import slabs as slabs_part
from tests.support.slab_machines import Caller, first_state, fresh


@pytest.fixture
def plain() -> Caller:
    return fresh(debug=False)


@pytest.fixture
def debugging() -> Caller:
    return fresh(debug=True)


# -- reading -------------------------------------------------------------------------------------------------


def test_views(plain: Caller) -> None:
    addresses = [plain.kmalloc(64, task="alice") for _ in range(3)]
    plain.kfree(addresses[1])
    summary = next(view for view in slab_views.caches_view(plain.m)["caches"] if view["name"] == "kmalloc-64")
    assert (summary["num_objs"], summary["active_objs"], summary["allocated"]) == (64, 64, 2)
    assert (summary["num_slabs"], summary["pages"], summary["waste"]) == (1, 1, 0)
    view = slab_views.cache_view(plain.m, "kmalloc-64")
    (only,) = view["slabs"]
    assert only["states"] == "aca" + "c" * 61
    assert only["cpu_freelist"][:2] == [1, 3]
    assert [owner["index"] for owner in only["owners"]] == [0, 2]
    assert only["owners"][0] == {"index": 0, "task": "alice", "seq": 1}
    assert json.loads(json.dumps(view)) == view
    with pytest.raises(KeyError):
        slab_views.cache_view(plain.m, "no-such-cache")
    with pytest.raises(BadArgument):
        slab_views.cache_view(plain.m, "kmalloc-64", limit=1001)


def test_a_cache_with_many_slabs_is_read_in_parts(plain: Caller) -> None:
    plain("kmalloc", size=4096, flags="GFP_KERNEL", repeat=8 * 25)
    first = slab_views.cache_view(plain.m, "kmalloc-4k", limit=20)
    rest = slab_views.cache_view(plain.m, "kmalloc-4k", start=first["next"], limit=20)
    assert (len(first["slabs"]), len(rest["slabs"]), rest["next"]) == (20, 5, None)
    assert {view["list"] for view in first["slabs"]} == {"full"}


def test_what_the_kernel_had_is_told_apart_from_what_calls_have() -> None:
    caller = Caller(loading.load(first_state("plain-256M")))
    (only,) = slab_views.cache_view(caller.m, "kmalloc-192")["slabs"]
    assert only["states"] == "k" * 14 + "c" * 7
    assert caller.m.live_objects == 0
    # An object of the kernel's can be freed by anyone, as there.
    address = caller.m.slabs[only["pfn"]].address(3)
    assert caller.kfree(address).verdict == "ok"
    assert caller.kmalloc(192) == address


# -- untrusted dumps -----------------------------------------------------------------------------------------


def cache_of(state: dict[str, Any], name: str) -> dict[str, Any]:
    return next(cache for cache in state["caches"] if cache["name"] == name)


@pytest.mark.parametrize(
    ("cache", "change", "place"),
    [
        pytest.param("kmalloc-64", {"size": 0}, "size", id="objects of no size"),
        pytest.param("kmalloc-64", {"objs": 65}, "objs", id="more objects than fit"),
        pytest.param("kmalloc-64", {"min_order": 1}, "min_order", id="a minimum above the usual order"),
        pytest.param("kmalloc-64", {"allocflags": "0x2"}, "allocflags", id="memory without an address"),
        pytest.param("kmalloc-64", {"flags": "0x1400"}, "size", id="no room for red zones"),
        pytest.param("kmalloc-64", {"name": "kmalloc-96"}, "name", id="a name twice"),
        pytest.param("kmalloc-64", {"name": "a 1\nb"}, "name", id="a name that makes a line of slabinfo two"),
        pytest.param("kmalloc-64", {"random_seq": [0] * 64}, "random_seq", id="no permutation"),
        pytest.param("kmalloc-64", {"node_partial": [[], []]}, "node_partial", id="too many nodes"),
        pytest.param("kmalloc-64", {"cpus": [{"cpu": 1}]}, "cpus", id="too many CPUs"),
        pytest.param("kmalloc-64", {"full": [["0x2100", 3]]}, "full", id="a slab of another order"),
        pytest.param("kmalloc-64", {"owners": [["0x2100", []]]}, "owners", id="owners in no slab"),
        pytest.param(
            "kmalloc-64", {"owners": [["0x2392", [[38, 2, "init", 1]]]]}, "owners", id="owner of nothing"
        ),
        pytest.param("kmalloc-64", {"struct": [1]}, "struct", id="half a structure"),
        pytest.param("kmalloc-64", {"refcount": "many"}, "refcount", id="no number"),
    ],
)
def test_a_cache_that_cannot_be_is_refused(cache: str, change: dict[str, Any], place: str) -> None:
    state = first_state("plain-256M")
    cache_of(state, cache).update(change)
    with pytest.raises(BadArgument) as refusal:
        loading.load(state)
    (fault,) = refusal.value.faults
    assert fault.loc[:2] == ("dump", "caches")
    assert fault.loc[3] == place


def test_a_small_dump_does_not_describe_objects_without_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slab is a dozen bytes of text, and may have thousands of objects; so may many caches together."""
    state = first_state("plain-256M")
    loaded = loading.load(state)
    largest = max(sum(n.total_objects for n in s.node) for s in loaded.caches.values())
    monkeypatch.setattr(slabs_part, "MAX_OBJECTS", largest)
    with pytest.raises(BadArgument, match="in all caches together"):
        loading.load(state)
    monkeypatch.setattr(slabs_part, "MAX_OBJECTS", 1)
    with pytest.raises(BadArgument, match="no more after 1 objects of one cache"):
        loading.load(state)


@pytest.mark.parametrize(
    ("cache", "change", "place"),
    [
        pytest.param("kmalloc-64", {"pfn": "0xfffffff"}, "pfn", id="a frame that is not there"),
        pytest.param("kmalloc-64", {"pfn": "0x226d"}, "pfn", id="another cache's slab"),
        pytest.param("kmalloc-64", {"pfn": "0x2c00"}, "pfn", id="a free frame"),
        pytest.param("kmalloc-2k", {"pfn": "0x21a5"}, "pfn", id="the middle of a block"),
        pytest.param("kmalloc-64", {"objects": 63}, "objects", id="too few objects"),
        pytest.param("kmalloc-64", {"cpu_freelist": [64]}, "cpu_freelist", id="no such object"),
        pytest.param("kmalloc-64", {"cpu_freelist": [3, 3]}, "cpu_freelist", id="an object twice in a list"),
        pytest.param("kmalloc-64", {"freelist": [50]}, "cpu_freelist", id="an object in two lists"),
    ],
)
def test_a_slab_that_cannot_be_is_refused(cache: str, change: dict[str, Any], place: str) -> None:
    state = first_state("plain-256M")
    cache_of(state, cache)["cpu_slab"].update(change)
    with pytest.raises(BadArgument) as refusal:
        loading.load(state)
    (fault,) = refusal.value.faults
    assert fault.loc[3:5] == ("cpu_slab", place)


@pytest.mark.parametrize("caches", [{}, [7], None], ids=["an object", "a number", "null"])
def test_caches_must_be_a_list_or_missing(caches: Any) -> None:
    state = first_state("plain-256M")
    state["caches"] = caches
    if caches is None:
        assert "kmalloc-64" in loading.load(state).caches
    else:
        with pytest.raises(BadArgument):
            loading.load(state)


def test_a_zone_belongs_to_a_node_that_is_there() -> None:
    state = first_state("plain-256M")
    for zone in state["zones"]:
        zone["nid"] = 1
    for node in state["nodes"]:
        node["zonelists"] = [[[1, name] for _, name in zonelist] for zonelist in node["zonelists"]]
    with pytest.raises(BadArgument) as refusal:
        loading.load(state)
    assert refusal.value.faults[0].loc == ("dump", "zones", 0, "nid")

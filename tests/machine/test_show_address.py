"""What is at an address: objects with turns and owners, areas with their guard page, frames, nothing."""

from typing import Any

import pytest

from app.machine import boot, parsing, show
from app.machine.calltext import parse_line
from app.machine.machine import Machine
from app.machine.show_address import address_view


def machine(*lines: str, **shape: Any) -> tuple[Machine, list[str]]:
    """A machine on which these lines have been called, and what each returned."""
    m = boot.boot({"profile": "x86_64-1g", "debug": False, **shape})
    names: dict[str, Any] = {}
    returned = []
    for seq, text in enumerate(lines, 1):
        line = parse_line(text)
        call = parsing.parse(str(line.name), line.body, m.model, names).resolve(names, m.model)
        outcome = m.apply(call, seq)
        if line.as_name:
            names[line.as_name] = outcome.named
        returned.append(str(outcome.ret))
    return m, returned


def at(m: Machine, address: int | str) -> dict[str, Any]:
    return address_view(m, address if isinstance(address, int) else int(address, 16))


def test_an_object_says_whose_it_is_and_where() -> None:
    m, (first, second) = machine("alice: kmalloc(100, GFP_KERNEL)", "bob: kmalloc(100, GFP_KERNEL)")
    doc = at(m, second)
    assert (doc["kind"], doc["cache"], doc["object_size"]) == ("object", "kmalloc-128", 128)
    assert (doc["state"], doc["task"], doc["seq"], doc["turn"]) == ("allocated", "bob", 2, None)
    assert (doc["start"], doc["offset"]) == (second, 0)
    assert int(doc["slab"]["address"], 16) + doc["index"] * doc["size"] == int(second, 16)
    assert at(m, first)["task"] == "alice"
    assert show.page(m, doc["slab"]["pfn"])["state"] == "slab"


def test_an_address_within_an_object_is_that_object() -> None:
    m, (address,) = machine("kmalloc(100, GFP_KERNEL)")
    doc = at(m, int(address, 16) + 30)
    assert (doc["start"], doc["offset"]) == (address, 30)


def test_a_free_object_goes_in_its_turn() -> None:
    m, _ = machine("a = kmalloc(100, GFP_KERNEL) * 6", "kfree(a[0])", "kfree(a[3])")
    slab = show.cache(m, "kmalloc-128")["slabs"][0]
    base = int(slab["address"], 16)
    turns = {doc["turn"]: doc["start"] for index in range(32) if (doc := at(m, base + 128 * index))["turn"]}
    for turn in (1, 2, 3):
        outcome = m.apply(parsing.parse("kmalloc", {"size": 100, "flags": "GFP_KERNEL"}, m.model), 50 + turn)
        assert outcome.ret == turns[turn]


def test_the_objects_beside_one_stop_at_the_ends_of_the_slab() -> None:
    m, _ = machine("kmalloc(100, GFP_KERNEL)")
    base = int(show.cache(m, "kmalloc-128")["slabs"][0]["address"], 16)
    assert [one["number"] for one in at(m, base)["beside"]] == [1, 2]
    assert [one["number"] for one in at(m, base + 31 * 128)["beside"]] == [29, 30]
    assert [one["number"] for one in at(m, base + 5 * 128)["beside"]] == [3, 4, 6, 7]


def test_the_end_of_a_slab_holds_no_object() -> None:
    m, _ = machine('kmem_cache_create("mine", 600)', "kmem_cache_alloc(mine, GFP_KERNEL)")
    slab = show.cache(m, "mine")["slabs"][0]
    end = int(slab["address"], 16) + slab["objects"] * show.cache(m, "mine")["size"]
    doc = at(m, end)
    assert (doc["kind"], doc["index"], doc["beside"], doc["cache"]) == ("object", None, [], "mine")


def test_an_area_with_its_pages_and_its_guard() -> None:
    m, (address,) = machine("alice: vmalloc(20K)")
    start = int(address, 16)
    doc = at(m, start + 2 * 4096 + 5)
    assert (doc["kind"], doc["start"], doc["number"], doc["task"]) == ("area", address, 2, "alice")
    assert (doc["nr_pages"], doc["in_guard"], doc["lazy"]) == (5, False, False)
    assert doc["frame"] == doc["pfns"][2]
    guard = at(m, doc["guard"])
    assert (guard["in_guard"], guard["frame"], guard["number"]) == (True, None, 5)


def test_a_freed_area_waits_for_the_purge() -> None:
    m, (address, *_) = machine("a = vmalloc(20K)", "vfree(a)")
    assert (at(m, address)["kind"], at(m, address)["lazy"]) == ("area", True)
    m.apply(parsing.parse("vm_unmap_aliases", {}, m.model), 9)
    assert at(m, address)["kind"] == "nothing"


def test_whole_pages_are_their_frames() -> None:
    m, (large, pages) = machine("kmalloc(20000, GFP_KERNEL)", "__get_free_pages(GFP_KERNEL, 2)")
    doc = at(m, int(large, 16) + 4096)
    assert (doc["kind"], doc["block"]["order"], doc["block"]["compound"]) == ("page", 3, True)
    assert doc["pfn"] == doc["block"]["pfn"] + 1
    assert at(m, pages)["block"]["compound"] is False
    m.apply(parsing.parse("free_pages", {"addr": pages, "order": 2}, m.model), 9)
    assert at(m, pages)["block"] is None


def test_a_mapped_frame_of_highmem_has_its_address_while_it_is_mapped() -> None:
    m, (_, address) = machine("p = alloc_pages(GFP_HIGHUSER, 0)", "kmap(p)", profile="i386-1g")
    doc = at(m, address)
    assert doc["kind"] == "page"
    assert show.page(m, doc["pfn"])["zone"] == "HighMem"
    assert at(m, int(address, 16) + 4096)["kind"] == "nothing"


@pytest.mark.parametrize(
    ("address", "kind"), [(0, "nothing"), (16, "zero"), ((1 << 64) - 1, "nothing"), (1 << 47, "nothing")]
)
def test_no_memory(address: int, kind: str) -> None:
    m, _ = machine()
    assert at(m, address) == {"address": f"{address:#x}", "kind": kind}


@pytest.mark.parametrize("profile", ["tiny-16m", "x86_64-8g", "i386-1g"])
def test_looking_changes_nothing(profile: str) -> None:
    m, returned = machine(
        "kmalloc(100, GFP_KERNEL)", "vmalloc(20K)", "kmalloc(20000, GFP_KERNEL)", profile=profile
    )
    before = m.dump()
    for address in returned:
        for step in (0, 1, 4096, 40960):
            at(m, int(address, 16) + step)
    assert m.dump() == before

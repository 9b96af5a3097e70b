"""SLUB: known answers of real kernels, and the ways of an object."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from app.machine import dump, loading
from app.machine.machine import Machine
from app.machine.parts import slabs as slabs_part
from app.mm import slab, slab_common, slub, slub_layout
from app.recording import Replay
from tests.support.slab_machines import RECORDINGS, Caller, first_state, fresh, reloaded, text


@pytest.fixture
def plain() -> Caller:
    return fresh(debug=False)


@pytest.fixture
def debugging() -> Caller:
    return fresh(debug=True)


# -- layouts -------------------------------------------------------------------------------------------------


def layouts() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    kernel: dict[str, Any] = {}
    with gzip.open(RECORDINGS / "cache_layouts.jsonl.gz", "rt") as file:
        for line in file:
            record = json.loads(line)
            if "machine" in record:
                kernel = record
            else:
                yield kernel, record


class Shape:
    """As much of a machine as a layout depends on."""

    def __init__(self, kernel: dict[str, Any]) -> None:
        self.model = type("Model", (), {"arch": kernel["arch"], "cpus": kernel["cpus"]})
        self.nodes = [None] * kernel["nodes"]
        self.debug = False
        self.caches: dict[str, slab.KmemCache] = {}
        self.kmalloc_caches: list[list[slab.KmemCache]] = [[], [], [], []]
        self.freelist_seed = None


def layout_of(s: slab.KmemCache) -> dict[str, Any]:
    return {
        "name": s.name, "object_size": s.object_size, "size": s.size, "align": s.align, "offset": s.offset,
        "inuse_off": s.inuse, "order": s.order, "objs": s.objs, "min_order": s.min_order,
        "min_objs": s.min_objs, "flags": f"{s.flags:#x}", "allocflags": f"{s.allocflags:#x}",
        "min_partial": s.min_partial,
        "cpu_partial": s.cpu_partial, "cpu_partial_slabs": s.cpu_partial_slabs,
    }  # fmt: skip


def test_every_cache_of_every_kernel_is_laid_out_as_there() -> None:
    compared = 0
    for kernel, recorded in layouts():
        flags = int(recorded["flags"], 16) & ~slab.CMPXCHG_DOUBLE
        has_constructor = (
            recorded["offset"] == recorded["inuse_off"] and not flags & slab.SLAB_TYPESAFE_BY_RCU
        )
        if has_constructor:
            continue
        s = slab.KmemCache(recorded["name"], recorded["object_size"], recorded["align"], flags, 1, 1)
        assert slub_layout.kmem_cache_open(Shape(kernel), s, flags)  # type: ignore[arg-type]
        assert layout_of(s) == recorded
        compared += 1
    assert compared > 700


@pytest.mark.parametrize("machine", ["x64-1G", "x64-1G-smp4", "x64-numa", "i386-1G"])
def test_kmalloc_caches_are_made_as_at_boot(machine: str) -> None:
    recorded = [
        (kernel, layout)
        for kernel, layout in layouts()
        if kernel["machine"] == machine and "kmalloc" in layout["name"]
    ]
    shape = Shape(recorded[0][0])
    slab_common.create_kmalloc_caches(shape)  # type: ignore[arg-type]
    ours = {name: layout_of(s) for name, s in shape.caches.items()}
    assert ours == {layout["name"]: layout for _, layout in recorded}


def test_the_bookkeeping_caches_have_the_size_of_their_structures() -> None:
    for machine, nodes in (("x64-1G", 1), ("x64-numa", 2)):
        recorded = {r["name"]: r for kernel, r in layouts() if kernel["machine"] == machine}
        shape = Shape({"arch": "x86_64", "cpus": 1, "nodes": nodes})
        for name in ("kmem_cache", "kmem_cache_node"):
            assert layout_of(slab_common.boot_cache(shape, name)) == recorded[name]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("flags", "size", "offset", "ksize"),
    [
        (0, 104, 48, 104),
        (slab.SLAB_HWCACHE_ALIGN, 128, 48, 128),
        (slab.SLAB_TYPESAFE_BY_RCU, 112, 104, 104),
        (slab.SLAB_POISON, 112, 104, 100),
        (slab.SLAB_RED_ZONE, 120, 48, 100),
        (slab.SLAB_STORE_USER, 168, 48, 104),
    ],
)
def test_what_flags_add_to_an_object(plain: Caller, flags: int, size: int, offset: int, ksize: int) -> None:
    plain("kmem_cache_create", name="mine", size=100, flags=flags)
    s = plain.cache("mine")
    assert (s.size, s.offset, slab.slab_ksize(s)) == (size, offset, ksize)
    assert plain("kmem_cache_alloc", cache="mine", flags="GFP_KERNEL").object["ksize"] == ksize  # type: ignore[index]


def test_a_red_zone_stands_before_the_first_object(plain: Caller) -> None:
    plain("kmem_cache_create", name="mine", size=100, flags="SLAB_RED_ZONE")
    outcome = plain("kmem_cache_alloc", cache="mine", flags="GFP_KERNEL")
    assert outcome.object is not None
    assert (outcome.object["index"], outcome.object["offset"]) == (0, 8)


# -- recordings ----------------------------------------------------------------------------------------------


class ReplayWithStarts(Replay):
    """Takes one thing from the recording: at which object the shuffled list of a new slab begins."""

    start: int | None = None

    def operation(self, machine: Machine, line: dict[str, Any]) -> None:
        self.start = line["idx"] if "newcpuslab" in line else None
        super().operation(machine, line)

    def shuffle(self, machine: Machine, s: slab.KmemCache, objects: int) -> list[int]:
        assert s.random_seq is not None
        place = s.random_seq.index(self.start) if self.start is not None else 0
        return (s.random_seq[place:] + s.random_seq[:place])[::-1]


@pytest.mark.parametrize("machine", ["x64-1G", "i386-2G"])
def test_shuffled_slabs_agree_to_the_object_from_their_start_on(
    machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay = ReplayWithStarts(RECORDINGS / machine / "e_kmalloc.jsonl.gz")
    replay.random_slabs = False
    monkeypatch.setattr(slub, "shuffle_freelist", replay.shuffle)
    report = replay.run()
    assert (report.operations, report.misses) == (1551, [])
    assert report.end_states == {"after": []}


@pytest.mark.parametrize("machine", ["plain-256M", "x64-1G", "i386-2G"])
def test_a_recorded_state_is_written_as_it_was_read(machine: str) -> None:
    state = first_state(machine)
    assert json.dumps(slabs_part.dump_caches(loading.load(state))) == json.dumps(state["caches"])


# -- the five places -----------------------------------------------------------------------------------------


def test_the_object_freed_last_is_given_first(plain: Caller) -> None:
    first, second = plain.kmalloc(64), plain.kmalloc(64)
    assert second == first + 64
    plain.kfree(first)
    plain.kfree(second)
    assert (plain.kmalloc(64), plain.kmalloc(64)) == (second, first)


def test_another_cpu_frees_to_the_slab_and_the_owner_takes_it_over() -> None:
    caller = fresh(debug=False, cpus=2)
    s = caller.cache("kmalloc-512")
    assert s.objs == 16
    objects = [caller.kmalloc(512) for _ in range(16)]
    caller.kfree(objects[3], cpu=1)
    caller.kfree(objects[5], cpu=1)
    own = s.cpu_slab[0].slab
    assert own is not None
    assert (own.freelist, own.inuse, s.cpu_slab[1].slab) == ([3, 5], 14, None)
    assert caller.kmalloc(512) == objects[5]
    assert (own.freelist, s.cpu_slab[0].freelist) == ([], [3])


def test_full_slabs_that_are_freed_to_become_the_cpus_partial_slabs_until_they_are_too_many(
    plain: Caller,
) -> None:
    objects = [plain.kmalloc(4096) for _ in range(8 * 4)]
    s = plain.cache("kmalloc-4k")
    c = s.cpu_slab[0]
    assert (s.cpu_partial_slabs, len(s.slabs)) == (2, 4)
    slabs = [slab.virt_to_slab(plain.m, objects[8 * place]) for place in range(4)]
    plain.kfree(objects[0])
    plain.kfree(objects[8])
    assert c.partial == slabs[:2]
    plain.kfree(objects[16])
    assert c.partial == slabs[2:3]
    # The set that was there goes to the node, newest first.
    assert list(s.node[0].partial.values()) == [slabs[1], slabs[0]]
    # The CPU's slab is full: next come its partial slabs, then the node's, of which more are taken at once.
    assert plain.kmalloc(4096) == objects[16]
    assert plain.kmalloc(4096) == objects[8]
    assert (c.partial, list(s.node[0].partial)) == ([slabs[0]], [])


def test_empty_slabs_are_kept_while_a_node_has_few_partial_ones(plain: Caller) -> None:
    objects = [plain.kmalloc(1024) for _ in range(8 * 30)]
    s = plain.cache("kmalloc-1k")
    assert (s.min_partial, s.cpu_partial_slabs) == (5, 6)
    for address in objects[: 8 * 12]:
        plain.kfree(address)
    # Of twelve empty slabs the node kept five, one went back, six are the CPU's; the next free moves these.
    assert (len(s.slabs), len(s.node[0].partial), len(s.cpu_slab[0].partial)) == (29, 5, 6)
    outcome = plain.kfree(objects[8 * 12])
    assert (len(s.slabs), len(s.node[0].partial), len(s.cpu_slab[0].partial)) == (23, 5, 1)
    assert outcome.changed is not None
    assert sum(frames for _, frames, _ in outcome.changed) >= 12


def test_a_node_is_kept_to() -> None:
    caller = fresh("plain-numa", debug=False)
    s = caller.cache("kmalloc-64")
    near = slub.kmem_cache_alloc(caller.m, s, 0xCC0)
    far = slub.kmem_cache_alloc(caller.m, s, 0xCC0, 1)
    assert near is not None
    assert far is not None
    near_slab, far_slab = slab.virt_to_slab(caller.m, near), slab.virt_to_slab(caller.m, far)
    assert near_slab is not None
    assert far_slab is not None
    assert (near_slab.nid, far_slab.nid) == (0, 1)
    # The slab of the other node was taken from the CPU and stands on its node's list.
    assert list(s.node[0].partial.values()) == [near_slab]
    assert s.cpu_slab[0].slab is far_slab
    assert slabs_part.verify(caller.m) == []


@pytest.mark.parametrize(
    ("freeing_cpus", "others", "place"),
    [((), 1, 0), ((1,), 1, 1), ((0, 0), 1, 0), ((0, 0), 5, None)],
    ids=["by-itself", "freed-into-by-another", "empty-and-few", "empty-and-many"],
)
def test_a_slab_that_its_cpu_gives_up_goes_where_it_will_be_used_next(
    freeing_cpus: tuple[int, ...], others: int, place: int | None
) -> None:
    """To the head of its list; behind all others where it is cold here; away where there are enough."""
    caller = fresh(debug=False, cpus=2)
    s = caller.cache("kmalloc-1k")
    objects = [caller.kmalloc(1024) for _ in range(s.objs * others + 2)]
    c = s.cpu_slab[0]
    own = c.slab
    assert own is not None
    for first in range(0, s.objs * others, s.objs):
        caller.kfree(objects[first])
    slub.unfreeze_partials(caller.m, s, c.partial)
    c.partial = []
    assert len(s.node[0].partial) == others <= s.min_partial
    for cpu, address in zip(freeing_cpus, objects[-2:], strict=False):
        caller.kfree(address, cpu=cpu)
    slub.flush_slab(caller.m, s, c)
    partial = list(s.node[0].partial.values())
    assert (partial.index(own) if own in partial else None) == place
    assert slabs_part.verify(caller.m) == []


def test_where_large_blocks_are_gone_slabs_are_small(plain: Caller) -> None:
    for order in range(10, 0, -1):
        plain("alloc_pages", gfp="GFP_ATOMIC|__GFP_NOWARN", order=order, until="null")
    outcome = plain("kmalloc", size=1024, flags="GFP_ATOMIC")
    assert outcome.object is not None
    small = plain.m.slabs[outcome.object["slab_pfn"]]
    assert (small.order, small.objects) == (0, 4)
    assert Caller(reloaded(plain.m)).m.slabs[small.pfn].objects == 4


def test_nobody_reclaims_for_the_sake_of_large_slabs(plain: Caller) -> None:
    pages = plain("alloc_pages", gfp="GFP_KERNEL", order=0, until={"free_below": 2000})
    plain("__free_pages", page=pages.runs, order=0, step=2)
    plain("alloc_pages", gfp="GFP_NOWAIT|__GFP_NOWARN", order=1, until="null")
    outcome = plain("kmalloc", size=1024, flags="GFP_KERNEL")
    assert outcome.object is not None
    assert plain.m.slabs[outcome.object["slab_pfn"]].order == 0
    assert not any("allocstall" in event for event in plain.m.vm_events)


def test_out_of_memory_is_reported_by_both_allocators(plain: Caller) -> None:
    plain("alloc_pages", gfp="GFP_ATOMIC|__GFP_MEMALLOC|__GFP_NOWARN", order=0, until="null")
    outcome = plain("kmalloc", size=64, flags="GFP_ATOMIC")
    assert (outcome.ret, outcome.verdict, outcome.object) == (None, "null", None)
    assert "init: page allocation failure: order:0, mode:0xa20(GFP_ATOMIC)" in text(outcome)
    assert text(outcome).endswith(
        "SLUB: Unable to allocate memory on node -1, gfp=0xa20(GFP_ATOMIC)\n"
        "  cache: kmalloc-64, object size: 64, buffer size: 64, default order: 0, min order: 0\n"
        "  node 0: slabs: 0, objs: 0, free: 0"
    )
    assert plain("kmalloc", size=64, flags="GFP_ATOMIC|__GFP_NOWARN").log == []


def test_no_object_has_two_users(plain: Caller) -> None:
    chance = random.Random(22)
    live: dict[int, int] = {}
    for _ in range(700):
        if live and chance.random() < 0.48:
            address = chance.choice(list(live))
            del live[address]
            assert plain.kfree(address).verdict == "ok"
        else:
            size = chance.choice((8, 40, 96, 200, 1000, 3000, 8000, 20000))
            address = plain.kmalloc(size)
            assert not any(
                address < start + length and start < address + size for start, length in live.items()
            )
            live[address] = size
    document = json.loads(json.dumps(dump.dump(plain.m)))
    again = loading.load(document)
    assert slabs_part.verify(again) == []
    assert json.loads(json.dumps(dump.dump(again))) == document


# -- shuffled slabs ------------------------------------------------------------------------------------------


def test_a_seed_shuffles_and_is_part_of_the_state() -> None:
    caller = fresh(debug=False, freelist_seed=7)
    s = caller.cache("kmalloc-64")
    assert s.random_seq is not None
    assert sorted(s.random_seq) == list(range(64))
    addresses = [caller.kmalloc(64) for _ in range(64)]
    indexes = [(address - min(addresses)) // 64 for address in addresses]
    start = s.random_seq.index(indexes[0])
    assert start != 0
    assert indexes == s.random_seq[start:] + s.random_seq[:start]
    twin = Caller(reloaded(caller.m))
    assert [caller.kmalloc(64) for _ in range(130)] == [twin.kmalloc(64) for _ in range(130)]


def test_without_a_seed_new_slabs_are_in_address_order_and_the_sequence_is_kept() -> None:
    state = first_state("x64-1G")
    caller = Caller(loading.load(state))
    name = "dma-kmalloc-64"
    sequence = next(cache["random_seq"] for cache in state["caches"] if cache["name"] == name)
    outcomes = [caller("kmalloc", size=64, flags="GFP_DMA").object for _ in range(3)]
    assert [view["index"] for view in outcomes if view is not None] == [0, 1, 2]
    assert caller.cache(name).random_seq == sequence

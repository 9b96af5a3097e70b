"""Explanations of objects, areas, references and locks, worked out from the state before each call."""

from pathlib import Path
from typing import Any

import pytest

from app.machine.machine import Machine
from app.machine.trace import Trace
from app.recording import Replay
from tests.support.explainer import Explainer, Step, fns, numbers, of, only, verdicts

RECORDINGS = Path(__file__).parents[1] / "recordings"

# -- kmalloc and SLUB ----------------------------------------------------------------------------------------


def test_a_kmalloc_from_a_new_slab() -> None:
    machine = Explainer()
    steps = machine.call("kmalloc", size=100, flags="GFP_KERNEL")
    cache = machine.cache("kmalloc-128")
    assert fns(steps)[:4] == ["kmalloc_slab", "get_partial_node", "allocate_slab", "__alloc_pages"]
    assert numbers(steps, "kmalloc_slab") == {
        "size": 100,
        "index": 7,
        "cache": "kmalloc-128",
        "object_size": cache["object_size"],
        "unused": cache["object_size"] - 100,
        "type": "KMALLOC_NORMAL",
        "gfp": "0xcc0",
    }
    assert numbers(steps, "get_partial_node")["nr_partial"] == len(cache["node_partial"][0])
    wish, made = of(steps, "allocate_slab")
    assert wish["numbers"]["order"] == cache["order"]
    pfn = steps[-3]["numbers"]["pfn"]
    assert made["numbers"] == {
        "cache": "kmalloc-128",
        "slab_pfn": pfn,
        "order": cache["order"],
        "objects": cache["objs"],
        "inuse": 0,
        "size": cache["size"],
    }
    assert made["changed"] == [[pfn, 1 << cache["order"], "slab"]]
    assert steps[-1]["numbers"] == {
        "address": f"{machine.m.model.page_offset + (pfn << 12):#x}",
        "bytes_req": 100,
        "bytes_alloc": cache["size"],
    }


def test_the_page_allocators_steps_lie_below_those_of_kmalloc() -> None:
    steps = Explainer().call("kmalloc", size=100, flags="GFP_KERNEL")
    depth = {step["fn"]: step["depth"] for step in steps}
    order = ("__kmalloc", "kmalloc_slab", "allocate_slab", "__alloc_pages", "zone_watermark_fast")
    assert [depth[fn] for fn in order] == [0, 1, 2, 3, 4]
    page = Explainer().call("alloc_pages", gfp="GFP_KERNEL|__GFP_NOWARN|__GFP_NORETRY", order=0)
    inside = [step for step in steps if step["depth"] > 2]
    assert [step["depth"] - 3 for step in inside] == [step["depth"] for step in page]


@pytest.mark.parametrize(
    ("size", "flags", "row", "name"),
    [
        (192, "GFP_KERNEL", "KMALLOC_NORMAL", "kmalloc-192"),
        (193, "GFP_KERNEL|__GFP_RECLAIMABLE", "KMALLOC_RECLAIM", "kmalloc-rcl-256"),
        (8192, "GFP_KERNEL|__GFP_DMA", "KMALLOC_DMA", "dma-kmalloc-8k"),
        (1, "GFP_KERNEL_ACCOUNT", "KMALLOC_CGROUP", "kmalloc-cg-8"),
    ],
)
def test_the_row_by_the_mask(size: int, flags: str, row: str, name: str) -> None:
    found = numbers(Explainer().call("kmalloc", size=size, flags=flags), "kmalloc_slab")
    assert (found["type"], found["cache"]) == (row, name)


def test_a_large_kmalloc_and_its_free() -> None:
    machine = Explainer()
    steps = machine.call("kmalloc", size=20_000, flags="GFP_KERNEL")
    assert numbers(steps, "__kmalloc_large_node") == {
        "size": 20_000,
        "max_cache_size": 8192,
        "order": 3,
        "bytes": 32_768,
        "unused": 12_768,
    }
    pfn = numbers(steps[-2:-1], "__alloc_pages")["pfn"]
    steps = machine.call("kfree", addr="$it")
    assert fns(steps)[:3] == ["kfree", "free_large_kmalloc", "__free_pages"]
    assert numbers(steps, "free_large_kmalloc") == {"pfn": pfn, "order": 3, "bytes": 32_768}


@pytest.mark.parametrize(("addr", "name"), [(None, "NULL"), ("0x10", "ZERO_SIZE_PTR")])
def test_nothing_to_free(addr: str | None, name: str) -> None:
    machine = Explainer()
    step = only(machine.call("kfree", addr=addr), "kfree")
    assert step["what"].startswith(name)
    assert step["verdict"] == "ignored"
    assert machine.points[0].endswith(f"kfree: call_site=init+0x0/0x0 ptr={int(addr or '0', 16):016x}")


def test_krealloc_in_place_or_not() -> None:
    machine = Explainer()
    machine.call("kmalloc", size=100, flags="GFP_KERNEL")
    steps = machine.call("krealloc", addr="$it", size=128, flags="GFP_KERNEL")
    assert fns(steps) == ["krealloc"]
    assert steps[0]["verdict"] == "in place"
    assert steps[0]["numbers"]["ksize"] == machine.cache("kmalloc-128")["size"]
    steps = machine.call("krealloc", addr="$it", size=129, flags="GFP_KERNEL")
    assert only(steps, "krealloc")["verdict"] == "moves"
    assert numbers(steps, "kmalloc_slab")["cache"] == "kmalloc-192"
    assert machine.tracepoints()[-2:] == ["kmalloc", "kfree"]


def lists(machine: Machine) -> dict[str, dict[str, Any]]:
    """What SLUB's decisions depend on, by cache."""
    return {
        s.name: {
            "cpu_partial": [slab.pfn for slab in s.cpu_slab[0].partial],
            "node": {pfn: len(slab.freelist) for pfn, slab in s.node[0].partial.items()},
            "inuse": {slab.pfn: slab.inuse for slab in s.slabs.values()},
            "list": list(s.cpu_slab[0].freelist),
            "min_partial": s.min_partial,
            "cpu_partial_slabs": s.cpu_partial_slabs,
        }
        for s in machine.caches.values()
    }


def check(steps: list[Step], before: dict[str, dict[str, Any]]) -> set[tuple[str, str]]:
    """Work out each of SLUB's steps from the lists before; which steps there were."""
    checked = [step for step in steps if step["fn"] in CHECKS and step["numbers"]["cache"] in before]
    for step in checked:
        CHECKS[step["fn"]](step, before[step["numbers"]["cache"]])
    return {(step["fn"], step["verdict"]) for step in checked}


class Slabs(Replay):
    """A replay that checks SLUB's steps."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.seen: set[tuple[str, str]] = set()

    def operation(self, machine: Machine, line: dict[str, Any]) -> None:
        before = lists(machine)
        trace = machine.trace = Trace(machine)
        super().operation(machine, line)
        machine.trace = None
        self.seen |= check(trace.steps, before)


def check_fastpath(step: Step, before: dict[str, Any]) -> None:
    assert (step["numbers"]["index"], step["numbers"]["left"]) == (
        before["list"][-1],
        len(before["list"]) - 1,
    )


def check_slab_alloc(step: Step, before: dict[str, Any]) -> None:
    assert step["numbers"]["slab_pfn"] == before["cpu_partial"][-1]
    assert step["numbers"]["partial_slabs_left"] == len(before["cpu_partial"]) - 1


def check_partial_node(step: Step, before: dict[str, Any]) -> None:
    found = step["numbers"]
    assert found["nr_partial"] == len(before["node"])
    if step["verdict"] == "none":
        assert not before["node"]
        return
    limit = before["cpu_partial_slabs"] // 2
    assert found["limit"] == limit
    assert [found["slab_pfn"], *found["to_cpu_partial"]] == list(before["node"])[: limit + 2]
    assert found["free"] == before["node"][found["slab_pfn"]]


def check_slab_free(step: Step, before: dict[str, Any]) -> None:
    found, partial = step["numbers"], len(before["node"])
    inuse = before["inuse"][found["slab_pfn"]]
    assert found["inuse"] == inuse - 1
    assert (found["nr_partial"], found["min_partial"]) == (partial, before["min_partial"])
    if inuse == found["objects"]:
        assert step["verdict"] in ("was full", "frozen")
    elif found["slab_pfn"] in before["node"]:
        keeps = "discard" if partial >= before["min_partial"] else "keep"
        assert step["verdict"] == ("partial" if inuse > 1 else keeps)
    else:
        assert step["verdict"] == "frozen"


def check_cpu_partial(step: Step, before: dict[str, Any]) -> None:
    found, slabs = step["numbers"], len(before["cpu_partial"])
    assert (found["partial_slabs"], found["cpu_partial_slabs"]) == (slabs, before["cpu_partial_slabs"])
    assert step["verdict"] == ("drain" if slabs >= before["cpu_partial_slabs"] else "kept")


def check_unfrozen(step: Step, before: dict[str, Any]) -> None:
    found = step["numbers"]
    assert found["inuse"] == before["inuse"][found["slab_pfn"]]
    if not found["inuse"]:
        keeps = "discard" if found["nr_partial"] >= before["min_partial"] else "keep"
        assert step["verdict"] == keeps


CHECKS = {
    "slab_alloc_node": check_fastpath,
    "___slab_alloc": check_slab_alloc,
    "get_partial_node": check_partial_node,
    "__slab_free": check_slab_free,
    "put_cpu_partial": check_cpu_partial,
    "__unfreeze_partials": check_unfrozen,
}


def test_the_paths_of_slub() -> None:
    replay = Slabs(RECORDINGS / "plain-256M" / "e_kmalloc.jsonl.gz")
    replay.run()
    assert replay.seen >= {
        ("slab_alloc_node", "fast path"),
        ("___slab_alloc", "cpu partial"),
        ("get_partial_node", "none"),
        ("__slab_free", "was full"),
        ("__slab_free", "frozen"),
        ("put_cpu_partial", "kept"),
    }


def test_slabs_go_to_the_node_and_come_back() -> None:
    """24 full slabs lose an object each, so that the CPU's list overflows; then they are filled again, or
    emptied.
    """
    machine = Explainer()
    seen = set()
    addresses: list[str] = []
    for _ in range(24 * 4):
        machine.call("kmalloc", size=8192, flags="GFP_KERNEL")
        addresses.append(str(machine.outcome.ret))
    for start in range(4):
        for addr in addresses[start::4]:
            before = lists(machine.m)
            seen |= check(machine.call("kfree", addr=addr), before)
        if not start:
            for _ in range(5):
                before = lists(machine.m)
                seen |= check(machine.call("kmalloc", size=8192, flags="GFP_KERNEL"), before)
    assert seen >= {
        ("get_partial_node", "node partial"),
        ("put_cpu_partial", "drain"),
        ("__unfreeze_partials", "partial"),
        ("__slab_free", "keep"),
        ("__slab_free", "discard"),
    }


def test_a_cache_that_checks_takes_each_object_from_a_list() -> None:
    machine = Explainer(debug=True)
    steps = machine.call("kmalloc", size=8, flags="GFP_KERNEL")
    assert only(steps, "alloc_single_from_new_slab")["numbers"]["index"] == 0
    steps = machine.call("kmalloc", size=8, flags="GFP_KERNEL")
    assert fns(steps) == ["kmalloc_slab", "alloc_single_from_partial", "__kmalloc"]
    steps = machine.call("kfree", addr="$it")
    assert verdicts(steps, "free_to_partial_list") == ["partial"]


def test_the_layout_of_a_new_cache() -> None:
    machine = Explainer()
    steps = machine.call("kmem_cache_create", name="mine", size=700, align=64, flags="0")
    assert numbers(steps, "calculate_sizes")["size"] == 704
    found = numbers(steps, "calculate_order")
    # At least 8 objects for one CPU, at most a sixteenth wasted: 8 KiB hold 11 with 448 bytes left.
    assert (found["wanted_objects"], found["order"], found["objects"], found["waste"]) == (8, 1, 11, 448)
    assert found["waste"] <= found["sixteenth"] == 8192 // 16
    kept = numbers(steps, "kmem_cache_open")
    assert (kept["min_partial"], kept["cpu_partial"], kept["cpu_partial_slabs"]) == (5, 52, -(-52 * 2 // 11))
    steps = machine.call("kmem_cache_destroy", cache="mine")
    assert verdicts(steps, "kmem_cache_free") == ["ok", "ok"]
    assert machine.tracepoints() == ["kmem_cache_free", "kfree", "kmem_cache_free"]


# -- vmalloc -------------------------------------------------------------------------------------------------


def test_eight_mebibytes_of_vmalloc() -> None:
    machine = Explainer()
    steps = machine.call("vmalloc", size=8 << 20)
    vmap = machine.before["vmap"]
    outer, nested = (step["numbers"] for step in of(steps, "__vmalloc_node_range"))
    assert (outer["pages"], nested["pages"]) == (2048, 4)
    # The array of page pointers does not fit a page, so it is an area itself; its own array does.
    filled = of(steps, "__vmalloc_area_node")
    arrays = [step["numbers"]["array_size"] for step in filled if step["verdict"]]
    assert arrays == [2048 * 8, 4 * 8]
    assert [step["verdict"] for step in filled if step["verdict"]] == ["vmalloc", "kmalloc"]
    owned = [sum(frames for _, frames, _ in step["changed"]) for step in filled if step["changed"]]
    assert owned == [4, 2048]
    area, array = (step["numbers"] for step in of(steps, "__alloc_vmap_area"))
    assert [[area["gap_start"], area["gap_end"]]] == vmap["free"]
    address = int(vmap["vmalloc_start"], 16)
    assert area["address"] == f"{address:#x}"
    assert area["guard"] == f"{address + (8 << 20):#x}"
    assert array["address"] == f"{address + (8 << 20) + 4096:#x}"
    assert (area["fit"], array["fit"]) == ("NE_FIT_TYPE", "LE_FIT_TYPE")
    chunks = [step["numbers"] for step in of(steps, "vm_area_alloc_pages")][1:]
    assert [chunk["request"] for chunk in chunks] == [100] * 20 + [48]
    assert [chunk["total"] for chunk in chunks] == [*range(100, 2001, 100), 2048]
    checks = [step for step in of(steps, "zone_watermark_fast") if step["numbers"]["request"]]
    assert [step["numbers"]["request"] for step in checks] == [4] + [100] * 20 + [48]
    low = machine.zone("DMA32")["wm"][1]
    assert [step["numbers"]["min_with_reserves"] for step in checks[1:3]] == [low + 100] * 2
    # The array's area comes first: its two tables, then four more for the area itself.
    first, second = (step["numbers"] for step in of(steps, "vmap_pages_range"))
    assert (first["entries"], first["tables"], second["entries"], second["tables"]) == (4, 2, 2048, 4)
    assert len(of(steps, "__pte_alloc_kernel")) == 5
    assert len(of(steps, "__pmd_alloc")) == 1
    assert machine.outcome.area is not None
    assert machine.outcome.area["page_table_writes"] == second["writes"] == 2052


def test_vfree_puts_addresses_aside_until_too_many_wait() -> None:
    machine = Explainer()
    threshold = (32 << 20) // 4096
    for purged in (False, True):
        machine.call("vmalloc", size=20 << 20)
        steps = machine.call("vfree", addr="$it")
        assert numbers(steps[:1], "__vunmap")["pages"] == 20 * 256
        lazy = sum(int(end, 16) - int(start, 16) >> 12 for start, end, *_ in machine.before["vmap"]["lazy"])
        found = of(steps, "free_vmap_area_noflush")
        assert found[0]["numbers"]["lazy_nr_before"] == lazy
        assert found[0]["numbers"]["lazy_nr"] == lazy + 20 * 256 + 1
        assert found[0]["numbers"]["lazy_max_pages"] == threshold
        assert (found[0]["verdict"] == "purge") is purged is (lazy + 20 * 256 + 1 > threshold)
        assert bool(of(steps, "__purge_vmap_area_lazy")) is purged


def test_kvmalloc_and_modules() -> None:
    machine = Explainer()
    assert verdicts(machine.call("kvmalloc", size=9000, flags="GFP_KERNEL"), "kvmalloc_node") == ["kmalloc"]
    steps = machine.call("kvmalloc", size=5 << 20, flags="GFP_KERNEL")
    assert verdicts(steps, "kvmalloc_node") == ["vmalloc"]
    assert numbers(steps, "__kmalloc_large_node")["order"] == 11
    assert numbers(steps[:4], "__alloc_pages")["max_order"] == 11
    steps = machine.call("insmod", name="ext4", size=9000)
    assert steps[0]["fn"] == "module_alloc"
    assert int(numbers(steps, "__alloc_vmap_area")["address"], 16) == 0xFFFFFFFFC0000000
    steps = machine.call("rmmod", name="ext4")
    assert of(steps, "__purge_vmap_area_lazy")


def test_more_than_the_machine_has() -> None:
    machine = Explainer("tiny-16m")
    (step,) = machine.call("vmalloc", size=16 << 20)
    managed = sum(zone["managed"] for zone in machine.before["zones"])
    assert (step["verdict"], step["numbers"]["total_pages"]) == ("null", managed)


# -- kmap ----------------------------------------------------------------------------------------------------


def test_kmap_searches_and_flushes() -> None:
    machine = Explainer("i386-4g")
    machine.call("alloc_pages", gfp="GFP_HIGHUSER", order=9, named="high")
    pfn = machine.names["high"].pfn
    assert pfn is not None
    for slot in range(1, 512):
        steps = machine.call("kmap", pfn=pfn + slot)
        assert numbers(steps, "map_new_virtual") == {"first": slot, "slot": slot}
        if slot % 2:
            machine.call("kunmap", pfn=pfn + slot)
    assert numbers(machine.call("kmap", pfn=pfn + 2), "kmap_high")["count"] == 2
    steps = machine.call("kmap", pfn=pfn)
    assert numbers(steps, "flush_all_zero_pkmaps") == {"cleared": [*range(1, 512, 2)], "used": 255}
    assert numbers(steps, "map_new_virtual") == {"first": 0, "slot": 0}
    (step,) = machine.call("kunmap", pfn=pfn)
    assert (step["verdict"], step["numbers"]["count"]) == ("unused", 1)


# -- references ----------------------------------------------------------------------------------------------


def counts(steps: list[Step], fn: str) -> list[tuple[int, int]]:
    return [(step["numbers"]["before"], step["numbers"]["after"]) for step in of(steps, fn)[:1]]


def test_references() -> None:
    machine = Explainer()
    machine.call("alloc_pages", gfp="GFP_KERNEL", order=2, named="p")
    pfn = machine.names["p"].pfn
    assert pfn is not None
    assert counts(machine.call("get_page", page="$p"), "get_page") == [(1, 2)]
    steps = machine.call("__free_pages", page="$p", order=2)
    assert counts(steps, "__free_pages") == [(2, 1)]
    tail = [step["numbers"] for step in of(steps, "__free_pages") if step["verdict"] == "tail"]
    assert [(piece["piece"], piece["piece_order"]) for piece in tail] == [(pfn + 2, 1), (pfn + 1, 0)]
    steps = machine.call("put_page", page="$p")
    assert counts(steps, "put_page") == [(1, 0)]
    assert steps[0]["numbers"]["order"] == 0
    (step,) = machine.call("get_page_unless_zero", page="$p")
    assert (step["verdict"], step["numbers"]["before"], step["numbers"]["after"]) == ("no", 0, 0)


def test_the_last_put_of_a_block_that_is_not_compound_loses_the_rest() -> None:
    machine = Explainer()
    machine.call("alloc_pages", gfp="GFP_KERNEL", order=2, named="p")
    steps = machine.call("put_page", page="$p")
    lost = [step for step in steps if step["verdict"] == "lost"]
    assert sum(step["numbers"]["frames"] for step in lost) == 3
    machine.call("alloc_pages", gfp="GFP_KERNEL|__GFP_COMP", order=2, named="q")
    steps = machine.call("put_page", page="$q")
    assert steps[0]["numbers"]["order"] == 2
    assert not [step for step in steps if step["verdict"] == "lost"]


# -- the lock ------------------------------------------------------------------------------------------------


def test_an_unlock_that_wakes_three() -> None:
    machine = Explainer()
    machine.call("alloc_pages", gfp="GFP_KERNEL", order=0, named="p")
    assert verdicts(machine.call("lock_page", page="$p", task="a"), "folio_trylock") == ["taken"]
    queue = [("b", False), ("c", False), ("d", True), ("e", True), ("f", False)]
    for position, (task, exclusive) in enumerate(queue, 1):
        call = "lock_page" if exclusive else "wait_on_page_locked"
        found = numbers(machine.call(call, page="$p", task=task), "folio_wait_bit_common")
        assert (found["position"], found["exclusive"], found["holder"]) == (position, exclusive, "a")
    steps = machine.call("unlock_page", page="$p", task="a")
    waiting = machine.before["page_waiters"]
    tasks = {task["name"]: task for task in machine.before["tasks"]}
    last = next(place for place, name in enumerate(waiting) if tasks[name]["exclusive"])
    walked = of(steps, "wake_page_function")
    assert [step["numbers"]["task"] for step in walked] == waiting[: last + 1] == machine.outcome.woken
    assert [step["verdict"] for step in walked] == ["shared", "shared", "exclusive"]
    assert [step["numbers"]["since"] for step in walked] == [tasks[name]["since"] for name in waiting[:3]]
    assert numbers(steps, "folio_unlock")["queue"] == waiting
    assert numbers(steps, "folio_wake_bit")["queue"] == waiting[last + 1 :]
    assert [step["depth"] for step in steps] == [0, 2, 2, 2, 1]
    assert verdicts(machine.call("trylock_page", page="$p", task="g"), "folio_trylock") == ["locked"]


def test_an_unlock_without_a_queue() -> None:
    machine = Explainer()
    machine.call("alloc_pages", gfp="GFP_KERNEL", order=0, named="p")
    machine.call("lock_page", page="$p")
    (step,) = machine.call("unlock_page", page="$p")
    assert (step["verdict"], step["numbers"]["queue"], step["lecture_fn"]) == ("ok", [], "unlock_page")


def test_a_circle_of_waiting_tasks() -> None:
    machine = Explainer()
    for name in "pq":
        machine.call("alloc_pages", gfp="GFP_KERNEL", order=0, named=name)
    machine.call("lock_page", page="$p", task="a")
    machine.call("lock_page", page="$q", task="b")
    machine.call("lock_page", page="$q", task="a")
    steps = machine.call("lock_page", page="$p", task="b")
    assert verdicts(steps, "folio_wait_bit_common") == ["deadlock"]
    assert numbers(steps, "folio_wait_bit_common")["deadlock"] == machine.outcome.deadlock

"""An explanation says what was decided: its numbers are those of the decision, and come to its verdict."""

import inspect
import itertools
import random
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from app.machine import boot, parsing
from app.machine.trace import Trace
from app.machine.trace.collector import Area
from app.mm import buddy, freelist, gfp, internal, pcp, slub, slub_layout, tracepoints, vmalloc, vmap_area
from app.mm.mmzone import MIGRATE_MOVABLE, MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE
from tests.support.explainer import Explainer, Step, of
from tests.support.mixed_zones import BASE, zone_with
from tests.support.random_calls import RandomCalls

TINY = {"profile": "tiny-16m", "lecture": True}


def marked(n: dict[str, Any]) -> bool:
    """Whether the numbers of a watermark check let a request pass."""
    enough = n["free"] - n["unusable"] > n["min_with_reserves"] + n["lowmem_reserve"]
    return bool(enough and (not n["order"] or n["suitable_block"]))


def given_back(n: dict[str, Any]) -> bool:
    """Whether the numbers of a drain come to how much is given back."""
    if n["free_high"]:
        return bool(n["to_free"] == n["count"])
    if n["high"] < n["batch"]:
        return bool(n["to_free"] == 1)
    scaled, most = n["batch"] << n["free_factor"], n["high"] - n["batch"]
    return bool(n["to_free"] == max(n["batch"], min(scaled, most)))


def surplus(n: dict[str, Any]) -> bool:
    """Whether a slab is empty, and its node has enough without it."""
    return bool(not n["inuse"] and n["nr_partial"] >= n["min_partial"])


# Function of the kernel → verdict → what is then true of the numbers. None: of every other verdict.
Truth = Callable[[dict[str, Any]], bool]
TRUE_OF: dict[str, dict[str | None, Truth]] = {
    "zone_watermark_fast": {"ok": marked, "no": lambda n: not marked(n)},
    "free_unref_page_commit": {
        "drain": lambda n: n["count"] >= n["high"],
        "kept": lambda n: n["count"] < n["high"],
    },
    "nr_pcp_free": {None: given_back},
    "steal_suitable_fallback": {
        "claimed": lambda n: n["free_pages"] + n["alike_pages"] >= n["threshold"],
        "kept": lambda n: n["free_pages"] + n["alike_pages"] < n["threshold"],
    },
    "put_cpu_partial": {
        "drain": lambda n: n["partial_slabs"] >= n["cpu_partial_slabs"],
        "kept": lambda n: n["partial_slabs"] < n["cpu_partial_slabs"],
    },
    "__slab_free": {"discard": surplus, "keep": lambda n: not surplus(n) and not n["inuse"]},
    "free_to_partial_list": {"discard": surplus, None: lambda n: not surplus(n)},
    "__unfreeze_partials": {"discard": surplus, None: lambda n: not surplus(n)},
    "deactivate_slab": {"discard": surplus, None: lambda n: not surplus(n)},
    "__vmalloc_area_node": {
        "kmalloc": lambda n: n["array_size"] <= n["page_size"],
        "vmalloc": lambda n: n["array_size"] > n["page_size"],
    },
    "vm_area_alloc_pages": {
        "ok": lambda n: n["got"] == n["request"],
        None: lambda n: n["got"] < n["request"],
    },
    "free_vmap_area_noflush": {
        "purge": lambda n: n["lazy_nr"] > n["lazy_max_pages"],
        "lazy": lambda n: n["lazy_nr"] <= n["lazy_max_pages"],
    },
    "put_page": {"last": lambda n: n["before"] == 1 and not n["after"], "held": lambda n: n["after"] > 0},
    "__free_pages": {
        "last": lambda n: n["before"] == 1 and not n["after"],
        "held": lambda n: n["after"] == n["before"] - 1 > 0,
    },
    "__rmqueue_smallest": {None: lambda n: n["found_order"] >= n["order"]},
    "expand": {
        None: lambda n: (
            [size for _, size in n["halves"]]
            == [1 << order for order in range(n["from_order"] - 1, n["to_order"] - 1, -1)]
        )
    },
}


def untrue(steps: list[Step]) -> list[Step]:
    """The steps whose numbers do not come to their verdict."""
    return [
        step
        for step in steps
        if (true_of := TRUE_OF.get(step["fn"]))
        and (truth := true_of.get(step["verdict"], true_of.get(None)))
        and not truth(step["numbers"])
    ]


# The step behind a comparison where the zone gives.
GIVING = ("rmqueue_pcplist", "__rmqueue_smallest", "__rmqueue_fallback", "steal_suitable_fallback")


# -- of any call -------------------------------------------------------------------------------------------


class Explained(RandomCalls):
    """Random calls, each explained."""

    steps: list[Step]

    def call(self, name: str, body: dict[str, Any]) -> Any:
        trace = self.m.trace = Trace(self.m)
        try:
            return super().call(name, body)
        finally:
            self.m.trace = None
            self.steps = trace.steps


def explained(machine: dict[str, Any], seed: int, count: int) -> Iterator[Step]:
    calls = Explained(boot.boot(machine), seed)
    for _ in calls.outcomes(count):
        yield from calls.steps


@pytest.mark.parametrize("machine", [TINY, {"profile": "tiny-32m", "debug": False}, {"profile": "i386-1g"}])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_numbers_come_to_the_verdict(machine: dict[str, Any], seed: int) -> None:
    steps = list(explained(machine, seed, 250))
    assert untrue(steps) == []
    assert len({step["fn"] for step in steps} & set(TRUE_OF)) >= 10


def test_the_words_say_the_numbers() -> None:
    """The comparison that is read is the one that is in the numbers."""
    tried = of(list(explained(TINY, 3, 200)), "zone_watermark_fast")
    assert {step["verdict"] for step in tried} == {"ok", "no"}
    for step in tried:
        n = step["numbers"]
        enough = n["free"] - n["unusable"] > n["min_with_reserves"] + n["lowmem_reserve"]
        sign = ">" if enough else "≤"
        shown = f"free {n['free']:,} − {n['unusable']:,} {sign} {n['mark']} {n['min_with_reserves']:,}"
        assert step["what"].startswith(shown)
        assert f" + reserve {n['lowmem_reserve']:,}" in step["what"]


def test_a_zone_is_left_when_its_comparison_fails() -> None:
    """What follows a comparison: the zone gives, or is left for the next one or the end of the search."""
    followed = set()
    for seed in (4, 5):
        for step, after in itertools.pairwise(explained({"profile": "tiny-32m"}, seed, 200)):
            left = step["fn"] != "zone_watermark_fast" or after["fn"] == "__alloc_pages_bulk"
            if not left and "ALLOC_NO_WATERMARKS" not in step["numbers"]["alloc_flags"]:
                assert (after["fn"] in GIVING) is marked(step["numbers"]), (step, after)
                followed.add(step["verdict"])
    assert followed == {"ok", "no"}


def test_looking_decides_nothing() -> None:
    """The short way of a check of single pages comes to what the full one does, which is made to be shown."""
    m = boot.boot(TINY)
    zone = m.zones[0]
    chance = random.Random(6)
    flags = [0, *internal.FLAG_NAMES, internal.ALLOC_RESERVES, *internal.FLAG_NAMES]
    passes = set()
    for _ in range(3_000):
        zone.vm_stat_free = chance.randrange(400)
        zone.nr_reserved_highatomic = chance.choice((0, 0, 50, 500))
        zone.lowmem_reserve[0] = chance.choice((0, 30))
        zone.boost = chance.choice((0, 60))
        asked = chance.choice(flags) | chance.choice(flags) | chance.randrange(3)
        check = (
            zone,
            chance.choice((0, 0, 1)),
            chance.randrange(300),
            0,
            asked,
            chance.choice((0, gfp.GFP_ATOMIC)),
        )
        m.trace = None
        unseen = freelist.zone_watermark_fast(m, *check)
        m.trace = Trace(m)
        assert freelist.zone_watermark_fast(m, *check) is unseen
        passes.add(unseen)
    assert passes == {False, True}


# -- of another kernel -------------------------------------------------------------------------------------


def with_rule(monkeypatch: pytest.MonkeyPatch, module: ModuleType, function: str, old: str, new: str) -> None:
    """Let one of the kernel's functions go by another rule."""
    known = getattr(module, function)
    source = inspect.getsource(known)
    assert source.count(old) == 1
    namespace = dict(vars(module))
    source = f"from __future__ import annotations\n{source.replace(old, new)}"
    exec(compile(source, "another rule", "exec"), namespace)
    monkeypatch.setattr(known, "__code__", namespace[function].__code__)


def frees(machine: Explainer) -> list[Step]:
    body = {"gfp": "GFP_KERNEL", "order": 0, "repeat": 2 * machine.m.zones[-1].pcp[0].high}
    runs = machine.m.apply(parsing.parse("alloc_pages", body, machine.m.model), 1).runs
    return machine.call("__free_pages", page=[list(run) for run in runs or ()], order=0)


def splits(machine: Explainer) -> list[Step]:
    machine.call("alloc_pages", gfp="GFP_KERNEL", order=4)
    return machine.call("alloc_pages", gfp="GFP_KERNEL", order=4)


def steals(machine: Explainer) -> list[Step]:
    trace = machine.m.trace = Trace(machine.m)
    zone = zone_with([(0, 6, MIGRATE_MOVABLE), (64, 6, MIGRATE_MOVABLE)])
    buddy.steal_pageblock(machine.m, zone, BASE, MIGRATE_UNMOVABLE, MIGRATE_RECLAIMABLE)
    return trace.steps


def partial_slabs(machine: Explainer) -> list[Step]:
    machine.call("kmem_cache_create", name="foo", size=256, align=0, flags="0")
    machine.call("kmem_cache_alloc", cache="foo", flags="GFP_KERNEL", repeat=300, named="all")
    addresses = machine.outcome.as_json(machine.m.model)["runs"]
    first = int(addresses[0][0], 16)
    machine.call("kmem_cache_alloc", cache="foo", flags="GFP_KERNEL", repeat=200)
    machine.call("kfree", addr=f"{first:#x}")
    machine.call("kmem_cache_shrink", cache="foo")
    return machine.call("kmem_cache_alloc", cache="foo", flags="GFP_KERNEL")


def atomic(machine: Explainer) -> list[Step]:
    body = {"gfp": "GFP_NOWAIT|__GFP_NOWARN", "order": 0, "until": "null"}
    machine.m.apply(parsing.parse("alloc_pages", body, machine.m.model), 1)
    return machine.call("alloc_pages", gfp="GFP_ATOMIC", order=1)


def creates(machine: Explainer) -> list[Step]:
    return machine.call("kmem_cache_create", name="foo", size=100, align=0, flags="0")


def unmaps(machine: Explainer) -> list[Step]:
    return machine.call("vmalloc", size=8192) + machine.call("vfree", addr="$it")


Rule = tuple[ModuleType, str, str, str, Callable[[Explainer], list[Step]], str, str]
RULES: tuple[Rule, ...] = (
    (
        freelist, "zone_watermark_ok", "minimum -= minimum // 4", "minimum -= minimum // 3",
        atomic, "zone_watermark_fast", "min_with_reserves",
    ),
    (
        freelist, "zone_watermark_ok", "(1 << order) - 1", "(1 << order) + 4",
        atomic, "zone_watermark_fast", "unusable",
    ),
    (
        freelist, "zone_watermark_ok", "zone.lowmem_reserve[highest_zoneidx]", "77",
        atomic, "zone_watermark_fast", "lowmem_reserve",
    ),
    (
        freelist, "suitable_block", "range(order, MAX_ORDER)", "range(order + 1, MAX_ORDER)",
        splits, "zone_watermark_fast", "suitable_block",
    ),
    (
        pcp, "nr_pcp_high", "return pcp.high", "return pcp.high // 2",
        frees, "free_unref_page_commit", "high",
    ),
    (
        pcp, "nr_pcp_free", "pcp.batch << free_factor", "3 * pcp.batch << free_factor",
        frees, "nr_pcp_free", "to_free",
    ),
    (
        buddy, "steal_pageblock", "PAGEBLOCK_NR_PAGES // 2", "PAGEBLOCK_NR_PAGES // 4",
        steals, "steal_suitable_fallback", "threshold",
    ),
    (
        slub, "get_partial_node", "s.cpu_partial_slabs // 2", "s.cpu_partial_slabs // 3",
        partial_slabs, "get_partial_node", "limit",
    ),
    (
        slub_layout, "wanted_objects", "4 * (", "8 * (",
        creates, "calculate_order", "wanted_objects",
    ),
    (
        vmap_area, "lazy_max_pages", "LAZY_MAX_PAGES", "2",
        unmaps, "free_vmap_area_noflush", "lazy_max_pages",
    ),
    (
        vmalloc, "align_to", "return (size", "return (2 * size",
        unmaps, "__vmalloc_node_range", "pages",
    ),
)  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule[1]}-{rule[6]}")
def test_a_number_follows_the_rule(rule: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel with another rule is explained by other numbers, and they still come to its verdicts."""
    module, function, old, new, scene, fn, key = rule
    shown = []
    for _ in range(2):
        machine = Explainer() if scene in (frees, steals) else Explainer("tiny-16m", lecture=True)
        steps = scene(machine)
        shown.append([step["numbers"][key] for step in of(steps, fn) if key in step["numbers"]])
        assert [step for step in untrue(steps) if step["fn"] != "nr_pcp_free"] == []
        if len(shown) == 1:
            with_rule(monkeypatch, module, function, old, new)
    assert shown[0]
    assert shown[0] != shown[1]


# -- areas -------------------------------------------------------------------------------------------------

AREAS = [name for name, found in vars(tracepoints.Tracer).items() if isinstance(found, property)]


def test_each_area_has_one_place() -> None:
    trace = Trace(boot.boot(TINY))
    assert [name for name, found in vars(trace).items() if isinstance(found, Area)] == AREAS


@pytest.mark.parametrize("area", AREAS)
def test_an_area_can_be_told_what_its_protocol_says(area: str) -> None:
    """The type checker proves it; here it is shown where the checker is not at hand."""
    protocol = getattr(tracepoints, f"{area.title().replace('_', '')}Tracer")
    steps = type(getattr(Trace(boot.boot(TINY)), area))
    reports = [name for name, found in vars(protocol).items() if inspect.isfunction(found) and name[0] != "_"]
    assert reports
    for name in reports:
        declared = inspect.signature(getattr(protocol, name)).parameters
        assert list(inspect.signature(getattr(steps, name)).parameters) == list(declared)


@pytest.mark.parametrize(
    ("alloc_flags", "text"),
    [
        (0, "ALLOC_WMARK_MIN"),
        (0x801, "ALLOC_WMARK_LOW|ALLOC_KSWAPD"),
        (0x278, "ALLOC_WMARK_MIN|ALLOC_OOM|ALLOC_NON_BLOCK|ALLOC_MIN_RESERVE|ALLOC_CPUSET|ALLOC_HIGHATOMIC"),
        (0x106, "ALLOC_WMARK_HIGH|ALLOC_NO_WATERMARKS|ALLOC_NOFRAGMENT"),
    ],
)
def test_flags_are_named_as_the_source_names_them(alloc_flags: int, text: str) -> None:
    assert internal.alloc_flags_text(alloc_flags) == text

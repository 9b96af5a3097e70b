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
from app.mm import (
    buddy,
    fork,
    freelist,
    gfp,
    internal,
    memory,
    mmap,
    pcp,
    readahead,
    slub,
    slub_layout,
    tracepoints,
    vmalloc,
    vmap_area,
)
from app.mm.mmzone import MIGRATE_MOVABLE, MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE
from tests.support.explainer import Explainer, Step, of
from tests.support.mixed_zones import BASE, zone_with
from tests.support.random_calls import RandomCalls

RW = "PROT_READ|PROT_WRITE"
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


def allows(n: dict[str, Any]) -> bool:
    """Whether an area's flags allow what an exception's error code says was tried."""
    code, flags = int(n["error_code"], 16), int(n["vm_flags"], 16)
    if code & 2:
        return bool(flags & 2)
    return not code & 1 and bool(flags & 7)


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
    "access_error": {"no": lambda n: not allows(n), "ok": allows},
    "do_wp_page": {
        "reuse": lambda n: n["exclusive"] or n["refcount_after_drain"] == 1,
        "copy": lambda n: (
            n["shared"] is False
            if "shared" in n
            else n["refcount"] > n["limit"] or n["refcount_after_drain"] > 1
        ),
        "shared": lambda n: n["shared"],
    },
    "do_huge_pmd_wp_page": {
        "reuse": lambda n: n["exclusive"] or n["refcount"] == 1,
        "split": lambda n: n["pfn"] is None or n["refcount"] > 1,
    },
    "mm_account_fault": {
        "major": lambda n: n["tried"] or int(n["ret"], 16) & 4 > 0,
        "minor": lambda n: not n["tried"] and not int(n["ret"], 16) & 0x404,
        "retry": lambda n: int(n["ret"], 16) & 0x400 > 0,
    },
    "folio_batch_add_and_move": {None: lambda n: n["waiting"] <= n["size"]},
    "filemap_map_pages": {None: lambda n: n["mapped"] <= max(0, n["end"] - n["start"] + 1)},
    "hugetlb_reserve_pages": {
        "ok": lambda n: n["wanted"] <= n["free"] - n["reserved"],
        "no": lambda n: n["wanted"] > n["free"] - n["reserved"],
    },
    "__vm_enough_memory": {
        "no": lambda n: n["pages"] > n["limit"],
        "ok": lambda n: n["pages"] <= n["limit"],
    },
    "unmapped_area_topdown": {
        "found": lambda n: (
            int(n["gap_start"] or "0", 16) <= int(n["address"], 16) <= int(n["gap_end"], 16) - n["length"]
        )
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


PROGRAM = (
    *(
        "a: execve()",
        f"a: p = mmap(NULL, 4M, {RW}, MAP_PRIVATE|MAP_ANONYMOUS)",
        "a: f = open(/data/a, O_RDWR)",
    ),
    *(f"a: s = mmap(NULL, 1M, {RW}, MAP_SHARED, f)", f"a: q = mmap(NULL, 1M, {RW}, MAP_PRIVATE, f)"),
)


@pytest.mark.parametrize("thp", ["never", "always"])
def test_the_numbers_of_faults_come_to_the_verdict(thp: str) -> None:
    """Processes that touch, share and give up what they have in any order."""
    machine = Explainer()
    machine.m.vm.thp = thp
    chance = random.Random(thp)
    before = (*PROGRAM, "a: store(p) * 16", "a: store(p+2M)", "a: b = fork()", "a: store(p+2M)")
    before += ("a: store(p)", "b: store(p)")
    steps = [step for line in before for step in machine.line(line)]
    for _ in range(120):
        where = f"{chance.choice('pppsq')}+{chance.randrange(24) * 4}K"
        line = chance.choice((f"store({where})", f"load({where})", f"madvise({where}, 16K, MADV_DONTNEED)"))
        steps += machine.line(f"{chance.choice('ab')}: {line}")
    steps += machine.line("a: store(0x400000)")
    assert untrue(steps) == []
    decided = {(step["fn"], step["verdict"]) for step in steps}
    assert {("do_wp_page", "reuse"), ("do_wp_page", "copy"), ("do_wp_page", "shared")} <= decided
    assert {("mm_account_fault", "major"), ("mm_account_fault", "retry"), ("access_error", "no")} <= decided
    assert (("do_huge_pmd_wp_page", "split") in decided) is (thp == "always")


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


def faults(machine: Explainer) -> list[Step]:
    for line in PROGRAM:
        machine.unseen(line)
    return machine.line("a: load(q+80K)") + machine.line("a: store(p) * 16") + machine.line("a: b = fork()")


def faults_of_mmap(machine: Explainer) -> list[Step]:
    machine.unseen(PROGRAM[0])
    return machine.line(PROGRAM[1])


def writes_after_a_fork(machine: Explainer) -> list[Step]:
    for line in (*PROGRAM, "a: store(p)", "a: b = fork()"):
        machine.unseen(line)
    return machine.line("a: store(p)")


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
    (
        readahead, "sync_mmap_readahead", "ra.ra_pages // 2", "ra.ra_pages // 4",
        faults, "do_sync_mmap_readahead", "start",
    ),
    (
        memory, "do_fault_around", "start + FAULT_AROUND_PAGES - 1", "start + FAULT_AROUND_PAGES - 3",
        faults, "filemap_map_pages", "end",
    ),
    (
        fork, "copy_pte_range", "cow and entry & RW", "cow and entry & RW and i & 1",
        faults, "copy_pte_range", "protected",
    ),
    (
        mmap, "unmapped_area_topdown", "high = mm.mmap_base", "high = mm.mmap_base - (1 << 30)",
        faults_of_mmap, "unmapped_area_topdown", "gap_end",
    ),
    (
        memory, "may_reuse", "drained = count <= WP_MOST_REFERENCES and", "drained = False and",
        writes_after_a_fork, "do_wp_page", "refcount_after_drain",
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

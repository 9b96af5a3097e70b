"""Explanations: the steps of a call, every number of which can be worked out from the state before it."""

import re
from pathlib import Path
from typing import Any

import pytest

import app
from app.machine import parsing
from app.machine.machine import Machine
from app.machine.trace import Trace, functions, vmalloc
from app.recording import Replay
from tests.support.explainer import Explainer, Step, fns, numbers, of, only, verdicts

RECORDINGS = Path(__file__).parents[1] / "recordings"
APP = Path(app.__file__).parent

MARKS = ("min", "low", "high", "promo")
LETTERS = {"Unmovable": "U", "Movable": "M", "Reclaimable": "E", "HighAtomic": "H"}


# -- the recordings' trace events ----------------------------------------------------------------------------


class Traced(Replay):
    """A replay that traces each operation and compares its events, of the first `most` operations."""

    def __init__(self, path: Path, most: int, *, tracing: bool = True) -> None:
        super().__init__(path)
        self.left = most
        self.tracing = tracing

    def operation(self, machine: Machine, line: dict[str, Any]) -> None:
        if not self.left:
            return
        self.left -= 1
        if self.tracing:
            self.traced(machine, line)
        else:
            super().operation(machine, line)

    def traced(self, machine: Machine, line: dict[str, Any]) -> None:
        trace = machine.trace = Trace(machine)
        super().operation(machine, line)
        machine.trace = None
        assert trace.events == line.get("ev", []), f"operation {line['i']}"


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("recording", "most"),
    [
        ("i386-2G/z_fallback", 1600),
        ("i386-2G/f_vmalloc", 100),
        ("i386-2G/g_refs", 100),
        ("plain-1G/k_highatomic", 1200),
        ("plain-256M/c_dma", 800),
        ("plain-256M/d_watermarks", 1200),
        ("plain-256M/e_kmalloc", 1600),
        ("plain-64M/f_vmalloc", 100),
        ("plain-6G/j_nofragment", 800),
        ("plain-numa/n_numa", 800),
        ("x64-1G-movable/a_basic", 800),
        ("x64-1G/e_kmalloc", 1600),
    ],
)
def test_the_trace_events_are_the_recorded_ones(recording: str, most: int) -> None:
    replay = Traced(RECORDINGS / f"{recording}.jsonl.gz", most)
    assert replay.run().misses == []
    assert replay.report.operations


@pytest.mark.parametrize("recording", ["plain-256M/e_kmalloc", "plain-64M/f_vmalloc", "i386-2G/z_fallback"])
def test_looking_changes_nothing(recording: str) -> None:
    dumps = []
    for tracing in (False, True):
        replay = Traced(RECORDINGS / f"{recording}.jsonl.gz", 700, tracing=tracing)
        replay.run()
        assert replay.machine is not None
        dumps.append(replay.machine.dump())
    assert dumps[0] == dumps[1]


# -- the form ------------------------------------------------------------------------------------------------


# The first argument of `step`, or of a report that is told which of the kernel's functions it speaks for.
NAMED = re.compile(r"(?:step|put|got|free_slow|unfrozen|put_page_testzero)\(\s*(?:m, \w+, \w+, )?\"(\w+)\"")


def test_functions_that_steps_name_have_a_file() -> None:
    """Each stands in the `Kernel:` line of a function of the kernel, with its file or in a module of one."""
    sources = [path.read_text() for part in ("mm", "machine/trace") for path in (APP / part).glob("*.py")]
    named = {name for source in sources for name in NAMED.findall(source)}
    named |= {name for name, _ in vmalloc.TABLES.values()}
    assert len(named) > 70
    assert named <= set(functions.files())
    assert set(functions.LECTURE) <= named
    assert {functions.file_of(name).split("/")[0] for name in named} == {
        "arch", "fs", "include", "kernel", "mm",
    }  # fmt: skip


def test_functions_that_steps_are_nested_in_have_a_name_of_their_own() -> None:
    names = list(functions.traced().values())
    assert sorted(names) == sorted(set(names))
    assert set(names) <= set(functions.files())


@pytest.mark.parametrize(
    ("doc", "names"),
    [
        ("Free. Kernel: mm/util.c kvfree", [("kvfree", "mm/util.c")]),
        (
            "Free.\n\nKernel: kfree, mm/util.c kvfree\n\nAnd more.",
            [("kfree", "x.c"), ("kvfree", "mm/util.c")],
        ),
        ("Kernel: kfree. Some are not freed.", [("kfree", "x.c")]),
        ("Nothing that the kernel has.", []),
        (None, []),
    ],
)
def test_what_a_docstring_says_a_function_stands_for(doc: str | None, names: list[tuple[str, str]]) -> None:
    assert list(functions.kernel_names(doc, "x.c")) == names


def test_the_form_of_a_step() -> None:
    machine = Explainer()
    first = machine.call("alloc_pages", gfp="GFP_KERNEL", order=0)[0]
    assert list(first) == [
        *("fn", "file", "lecture_fn", "depth", "what", "zone", "node", "numbers", "verdict", "changed")
    ]
    assert (first["fn"], first["file"], first["lecture_fn"], first["depth"]) == (
        *("__alloc_pages", "mm/page_alloc.c", "__alloc_pages_nodemask", 0),
    )


POINTS = {
    "mm_page_alloc": r"page=\w{16} pfn=0x\w+ order=\d+ migratetype=\d gfp_flags=[A-Z_|]+",
    "mm_page_alloc_zone_locked": r"page=\w{16} pfn=0x\w+ order=\d+ migratetype=\d percpu_refill=[01]",
    "mm_page_alloc_extfrag": r"page=\w{16} pfn=0x\w+ alloc_order=\d+ fallback_order=\d+ pageblock_order=9"
    r" alloc_migratetype=\d fallback_migratetype=\d fragmenting=[01] change_ownership=[01]",
    "mm_page_free": r"page=\w{16} pfn=0x\w+ order=\d+",
    "mm_page_pcpu_drain": r"page=\w{16} pfn=0x\w+ order=\d+ migratetype=\d",
    "kmalloc": r"call_site=\w+\+0x0/0x0 ptr=\w{16} bytes_req=\d+ bytes_alloc=\d+ gfp_flags=[A-Z_|]+ node=-1"
    r" accounted=(true|false)",
    "kmem_cache_alloc": r"call_site=\w+\+0x0/0x0 ptr=\w{16} bytes_req=\d+ bytes_alloc=\d+ gfp_flags=[A-Z_|]+"
    r" node=(-1|0) accounted=(true|false)",
    "kfree": r"call_site=\w+\+0x0/0x0 ptr=\w{16}",
    "kmem_cache_free": r"call_site=\w+\+0x0/0x0 ptr=\w{16} name=\w+",
}


def test_the_form_of_the_tracepoints() -> None:
    machine = Explainer()
    seen = set()
    for call in (
        ("kmalloc", {"size": 9000, "flags": "GFP_KERNEL"}),
        ("kfree", {"addr": "$it"}),
        ("drain_all_pages", {}),
        ("kmem_cache_create", {"name": "mine", "size": 100, "align": 0, "flags": "0"}),
        ("kmem_cache_alloc", {"cache": "mine", "flags": "GFP_KERNEL"}),
        ("kmem_cache_free", {"cache": "mine", "addr": "$it"}),
    ):
        machine.call(call[0], **call[1])
        for point in machine.points:
            match = re.fullmatch(r" +init-1 {7}\[000\] [d.][.][.][.\d][.] +0\.00000\d: (\w+): (.*)", point)
            assert match is not None, point
            assert re.fullmatch(POINTS[match[1]], match[2]), point
            seen.add(match[1])
    assert seen == set(POINTS)


def test_tracepoints_come_in_the_kernels_order() -> None:
    """An allocation is reported when it is over, a free before it begins."""
    machine = Explainer()
    machine.call("kmalloc", size=64, flags="GFP_KERNEL|__GFP_ACCOUNT")
    assert machine.tracepoints()[-3:] == ["mm_page_alloc_zone_locked", "mm_page_alloc", "kmalloc"]
    assert machine.points[-1].endswith(
        "kmalloc: call_site=init+0x0/0x0 ptr=ffff888004800000 bytes_req=64 bytes_alloc=64"
        " gfp_flags=GFP_KERNEL_ACCOUNT node=-1 accounted=true"
    )
    machine.call("kmalloc", size=20000, flags="GFP_KERNEL")
    machine.call("kfree", addr="$it")
    assert machine.tracepoints()[:2] == ["kfree", "mm_page_free"]


def test_the_call_site_is_the_function_that_asked() -> None:
    machine = Explainer()
    machine.call("vmalloc", size=4096)
    assert sites(machine) == [
        "__get_vm_area_node",
        "alloc_vmap_area",
        "alloc_vmap_area",
        "__vmalloc_area_node",
    ]


def sites(machine: Explainer) -> list[str]:
    return [found[1] for point in machine.points if (found := re.search(r"call_site=(\w+)", point))]


@pytest.mark.parametrize(
    ("fn", "asked", "expected"),
    [
        ("kmalloc", {"size": 64}, ["init"]),
        ("kzalloc", {"size": 64}, ["init"]),
        ("kcalloc", {"n": 3, "size": 64}, ["init"]),
        ("kvmalloc", {"size": 64}, ["kvmalloc_node"]),
    ],
)
def test_the_call_site_of_a_call_is_the_task(fn: str, asked: dict[str, int], expected: list[str]) -> None:
    machine = Explainer()
    machine.call(fn, **asked, flags="GFP_KERNEL")
    assert sites(machine) == expected
    machine.call("krealloc", addr="$it", size=500, flags="GFP_KERNEL")
    assert sites(machine) == ["krealloc", "krealloc"]
    machine.call("kfree", addr="$it")
    assert sites(machine) == ["init"]


# -- zones, lists, splits ------------------------------------------------------------------------------------


def check_marks(machine: Explainer, steps: list[Step]) -> None:
    """Each comparison of a request's first round of zones, from the zones of the dump before."""
    highest = steps[0]["numbers"]["highest_zoneidx"]
    for step in of(steps, "zone_watermark_fast"):
        zone, found = machine.zone(step["zone"]), step["numbers"]
        mark = zone["wm"][MARKS.index(found["mark"])]
        flags = found["alloc_flags"].split("|")
        minimum = mark + zone["boost"]
        if "ALLOC_MIN_RESERVE" in flags:
            minimum -= minimum // 2
            if "ALLOC_NON_BLOCK" in flags:
                minimum -= minimum // 4
        reserves = "ALLOC_MIN_RESERVE" in flags or "ALLOC_NON_BLOCK" in flags
        unusable = (1 << found["order"]) - 1 + (0 if reserves else zone["nr_highatomic"])
        assert found["free"] == zone["vmfree"]
        assert found["watermark"] == mark
        assert found["min_with_reserves"] == minimum
        assert found["unusable"] == unusable
        assert found["lowmem_reserve"] == zone["lowmem_reserve"][highest]
        enough = zone["vmfree"] - unusable > minimum + zone["lowmem_reserve"][highest]
        assert (" > " in step["what"]) == enough
        block = next(
            (
                [order, name]
                for order in range(found["order"], 11)
                for name, letter in LETTERS.items()
                if letter != "H" or {"ALLOC_HIGHATOMIC", "ALLOC_OOM"} & set(flags)
                if zone["free_list"].get(f"{order}{letter}")
            ),
            None,
        )
        assert found["suitable_block"] == block
        assert step["verdict"] == ("ok" if enough and (block or not found["order"]) else "no")


def test_a_hit_on_the_per_cpu_list() -> None:
    machine = Explainer()
    machine.call("alloc_pages", gfp="GFP_KERNEL", order=0)
    steps = machine.call("alloc_pages", gfp="GFP_KERNEL", order=0)
    assert fns(steps) == ["__alloc_pages", "zone_watermark_fast", "rmqueue_pcplist", "__alloc_pages"]
    assert [step["depth"] for step in steps] == [0, 1, 1, 0]
    check_marks(machine, steps)
    hit = steps[2]
    assert (hit["verdict"], hit["zone"], hit["lecture_fn"]) == ("hit", "DMA32", "buffered_rmqueue")
    pcp = machine.pcp("DMA32")
    assert hit["numbers"] == {
        "pfn": pcp["lists"]["0"][0],
        "order": 0,
        "count": pcp["count"],
        "free_factor": pcp["free_factor"] >> 1,
    }
    assert steps[-1]["numbers"]["pfn"] == hit["numbers"]["pfn"]


def test_a_refill_with_splits() -> None:
    """The blocks that a batch takes, and the halves it puts back, worked out on the lists before."""
    machine = Explainer()
    steps = machine.call("alloc_pages", gfp="GFP_HIGHUSER_MOVABLE", order=1)
    zone = machine.zone("DMA32")
    lists = {order: list(zone["free_list"].get(f"{order}M", [])) for order in range(11)}
    taken, splits = [], []
    batch = zone["pcp"][0]["batch"] >> 1
    assert only(steps, "rmqueue_pcplist")["numbers"] == {
        "batch": zone["pcp"][0]["batch"],
        "order": 1,
        "blocks": batch,
        "count": 0,
    }
    for _ in range(batch):
        found = next(order for order in range(1, 11) if lists[order])
        pfn = lists[found].pop(0)
        taken.append((pfn, found))
        halves = []
        for order in range(found - 1, 0, -1):
            lists[order].insert(0, pfn + (1 << order))
            halves.append([pfn + (1 << order), 1 << order])
        if halves:
            splits.append(halves)
    smallest = [step["numbers"] for step in of(steps, "__rmqueue_smallest")]
    assert [(found["pfn"], found["found_order"]) for found in smallest] == taken
    assert [step["numbers"]["halves"] for step in of(steps, "expand")] == splits
    assert splits
    refill = only(steps, "rmqueue_bulk")
    assert refill["numbers"]["pfns"] == [pfn for pfn, _ in taken]
    assert refill["numbers"]["free_change"] == -2 * batch
    assert refill["changed"][0] == [taken[0][0], 2, "pcp"]
    assert {step["depth"] for step in of(steps, "__rmqueue_smallest", "expand")} == {3, 4}


def test_the_first_steal_on_a_fresh_machine() -> None:
    machine = Explainer()
    steps = machine.call("alloc_pages", gfp="GFP_KERNEL", order=0)
    zone = machine.zone("DMA32")
    assert not any(key.endswith("U") and pfns for key, pfns in zone["free_list"].items())
    steal = only(steps, "__rmqueue_fallback")
    assert steal["verdict"] == "steal"
    assert steal["numbers"] == {
        "pfn": zone["free_list"]["10M"][0],
        "order": 0,
        "fallback_order": 10,
        "from": "Movable",
        "to": "Unmovable",
        "pageblock_now": "Unmovable",
        "boost": zone["boost"],
    }
    assert machine.tracepoints()[0] == "mm_page_alloc_extfrag"
    assert steps.index(steal) < steps.index(of(steps, "__rmqueue_smallest")[0])


class Steals(Replay):
    """A replay that works out each pageblock that a request may claim from the lists before it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.verdicts: list[str] = []

    def operation(self, machine: Machine, line: dict[str, Any]) -> None:
        steals = [event for event in line.get("ev", []) if event[0] == "X"]
        before = machine.dump() if len(steals) == 1 else None
        trace = machine.trace = Trace(machine)
        super().operation(machine, line)
        machine.trace = None
        steps = of(trace.steps, "steal_suitable_fallback")
        if before is None or not steps:
            return
        (step,) = steps
        self.verdicts.append(step["verdict"])
        zone = next(zone for zone in before["zones"] if zone["name"] == step["zone"])
        found = step["numbers"]
        start = int(steals[0][1], 16) & -512
        free = sum(
            1 << int(key[:-1])
            for key, pfns in zone["free_list"].items()
            for pfn in pfns
            if start <= pfn < start + 512
        )
        assert found["pageblock"] == start
        assert found["free_pages"] == free
        movable = dict(zone["lru"]).get(start, 0)
        assert found["movable_pages"] == movable
        kind = next(
            kind for first, number, kind in zone["pageblocks"] if first <= start < first + number * 512
        )
        alike = {"M": movable}.get(steals[0][4], 512 - free - movable if kind == "M" else 0)
        assert found["alike_pages"] == alike
        assert step["verdict"] == ("claimed" if free + alike >= 256 else "kept")


def test_a_pageblock_is_claimed_by_what_is_free_in_it() -> None:
    replay = Steals(RECORDINGS / "plain-256M" / "d_watermarks.jsonl.gz")
    replay.run()
    assert {"claimed", "kept"} <= set(replay.verdicts)


def test_a_watermark_failure() -> None:
    machine = Explainer("tiny-16m")
    machine.call("alloc_pages", gfp="GFP_KERNEL|__GFP_NORETRY|__GFP_NOWARN", order=0, until="null")
    steps = machine.call("alloc_pages", gfp="GFP_NOWAIT|__GFP_NOWARN", order=0)
    check_marks(machine, steps)
    assert set(verdicts(steps, "zone_watermark_fast")) == {"no"}
    marks = [step["numbers"]["mark"] for step in of(steps, "zone_watermark_fast")]
    assert marks[0] == "low"
    assert marks[-1] == "min"
    assert verdicts(steps, "__alloc_pages_slowpath") == [None, "no"]
    assert steps[-1]["verdict"] == "null"
    assert machine.points[-1].endswith(
        "page=0000000000000000 pfn=0x0 order=0 migratetype=0 gfp_flags=GFP_NOWAIT|__GFP_NOWARN"
    )


def test_enough_frames_but_no_block() -> None:
    """Every other frame is freed: much is free, and nothing of order 1."""
    machine = Explainer("tiny-16m", lecture=True)
    frames: list[int] = []
    machine.call("alloc_pages", gfp="GFP_NOWAIT|__GFP_MEMALLOC|__GFP_NOWARN", order=0, until="null")
    for first, blocks in machine.outcome.runs or []:
        frames += range(first, first + blocks)
    for pfn in sorted(frames)[::2]:
        machine.m.apply(parsing.parse("__free_pages", {"pfn": pfn, "order": 0}, machine.m.model), machine.seq)
    steps = machine.call("alloc_pages", gfp="GFP_NOWAIT|__GFP_NOWARN", order=4)
    check_marks(machine, steps)
    first = of(steps, "zone_watermark_fast")[0]
    assert " > " in first["what"]
    assert first["what"].endswith("but no block of order ≥ 4")
    # Who may sleep has pages moved together, too; but there are none that can be.
    steps = machine.call("alloc_pages", gfp="GFP_KERNEL|__GFP_NORETRY|__GFP_NOWARN", order=1)
    assert verdicts(steps, "__alloc_pages_direct_compact") == ["no"]
    assert steps[-1]["verdict"] == "null"


def test_a_highatomic_reserve() -> None:
    machine = Explainer()
    machine.call("sysctl", name="watermark_boost_factor", value=0)
    dma, dma32 = machine.m.zones
    machine.call("alloc_pages", gfp="GFP_ATOMIC", order=9, until={"free_below": 8000})
    # What is left of DMA is its reserve; so single frames come from DMA32 until that is at its low mark.
    machine.call("alloc_pages", gfp="GFP_ATOMIC|__GFP_DMA", order=0, repeat=3000)
    low = {"free_below": dma.nr_free_pages + dma32.watermark[1] - 60}
    machine.call("alloc_pages", gfp="GFP_ATOMIC", order=0, until=low)
    steps = machine.call("alloc_pages", gfp="GFP_ATOMIC", order=2)
    check_marks(machine, steps)
    reserve = only(steps, "reserve_highatomic_pageblock")
    zone = machine.zone(reserve["zone"])
    assert reserve["verdict"] == "reserved"
    assert reserve["numbers"] == {
        "pageblock": steps[-1]["numbers"]["pfn"] & -512,
        "nr_reserved_highatomic": zone["nr_highatomic"] + 512,
        "max_managed": zone["managed"] // 100 + 512,
    }


def test_a_drain_of_the_per_cpu_list() -> None:
    """batch × 2^free_factor, at most high − batch, and the factor grows."""
    machine = Explainer()
    high, batch = machine.m.zones[-1].pcp[0].high, machine.m.zones[-1].pcp[0].batch
    machine.call("alloc_pages", gfp="GFP_KERNEL", order=0, repeat=3 * high)
    pcp = machine.m.zones[-1].pcp[0]
    drains = []
    for pfn in list(machine.m.pages):
        steps = machine.call("__free_pages", pfn=pfn, order=0) if pcp.count + 1 >= high else None
        if steps is None:
            machine.m.apply(parsing.parse("__free_pages", {"pfn": pfn, "order": 0}, machine.m.model), 1)
            continue
        before = machine.pcp("DMA32")
        found = numbers(steps, "nr_pcp_free")
        expected = max(batch, min(batch << before["free_factor"], high - batch))
        assert found["to_free"] == expected == numbers(steps, "free_pcppages_bulk")["to_free"]
        assert found["count"] == before["count"] + 1
        assert found["free_factor"] == before["free_factor"]
        assert found["free_factor_next"] == pcp.free_factor
        assert machine.tracepoints().count("mm_page_pcpu_drain") == expected
        drains.append(expected)
    assert drains[0] == batch
    assert drains[-1] > batch


def test_a_drain_of_whole_blocks_says_no_exact_number() -> None:
    machine = Explainer()
    machine.call("alloc_pages", gfp="GFP_KERNEL", order=3, repeat=300)
    drains = []
    for pfn in list(machine.m.pages):
        steps = machine.call("__free_pages", pfn=pfn, order=3)
        drains += of(steps, "free_pcppages_bulk")
        if drains:
            break
    text = drains[0]["what"]
    assert re.match(r"(all|at least \d+) of CPU 0's [\d,]+ pages go back .* lists, in whole blocks", text)
    assert text.startswith("all of") is (drains[0]["numbers"]["to_free"] == drains[0]["numbers"]["count"])


def test_the_largest_block_has_no_buddy() -> None:
    machine = Explainer("tiny-16m", lecture=True)
    machine.call("alloc_pages", gfp="GFP_KERNEL", order=10)
    steps = machine.call("__free_pages", page="$it", order=10)
    assert only(steps, "__free_one_page")["what"].startswith("the largest order has no buddy: order 10 at")


def test_a_mark_that_is_not_the_zone_s_own_is_taken_apart() -> None:
    machine = Explainer("tiny-16m", lecture=True)
    machine.call("alloc_pages", gfp="GFP_NOWAIT|__GFP_NOWARN", order=0, until="null")
    step = of(machine.call("alloc_pages", gfp="GFP_ATOMIC", order=0), "zone_watermark_fast")[-1]
    found = step["numbers"]
    assert f"min {found['min_with_reserves']} (of {found['watermark']})" in step["what"]
    assert found["min_with_reserves"] < found["watermark"]
    machine = Explainer("tiny-16m", lecture=True)
    tried = of(machine.call("vmalloc", size=16 << 12), "zone_watermark_fast")
    step = next(step for step in tried if step["numbers"]["request"])
    low, request = step["numbers"]["watermark"], step["numbers"]["request"]
    assert f"low {low + request} ({low} + {request} wanted) + reserve" in step["what"]


def test_a_second_free_says_that_nobody_held_it() -> None:
    machine = Explainer("tiny-16m", lecture=True)
    machine.call("alloc_pages", gfp="GFP_KERNEL", order=3)
    machine.call("__free_pages", page="$it", order=3)
    steps = machine.call("__free_pages", page="$it", order=3)
    freed = of(steps, "__free_pages")
    assert "count 0 → -1" in freed[0]["what"]
    assert "was held by nobody, so that its count, -1, did not come to 0" in freed[1]["what"]


@pytest.mark.parametrize(("function", "after"), [("get_page", 1), ("put_page", -1)])
@pytest.mark.parametrize("debug", [True, False])
def test_a_reference_of_a_page_that_nobody_holds(function: str, after: int, debug: bool) -> None:
    """The debugging kernel stops before the count is changed."""
    machine = Explainer("tiny-16m", lecture=True, debug=debug)
    step = only(machine.call(function, pfn=0x500), function)
    assert ("nobody holds it" in step["what"]) is debug
    assert step["numbers"]["after"] == (0 if debug else after)
    assert step["verdict"] == ("ok" if function == "get_page" and not debug else "bad")


def test_an_interrupt_comes_back_without_the_lock() -> None:
    machine = Explainer("tiny-16m", lecture=True)
    machine.call("alloc_page", gfp="GFP_KERNEL")
    machine.call("trylock_page", page="$it", context="softirq")
    step = only(machine.call("lock_page", page="$it", context="hardirq"), "folio_wait_bit_common")
    assert "comes back without the lock" in step["what"]


def test_an_area_is_not_freed_in_an_interrupt_itself() -> None:
    machine = Explainer("tiny-16m", lecture=True)
    machine.call("vmalloc", size=8192)
    assert "__vfree_deferred" in fns(machine.call("vfree", addr="$it", context="hardirq"))
    machine.call("vmalloc", size=8192)
    assert "__vfree_deferred" not in fns(machine.call("vfree", addr="$it"))


def test_merges_on_the_way_back() -> None:
    machine = Explainer("tiny-16m", lecture=True)
    machine.call("alloc_pages", gfp="GFP_KERNEL", order=0)
    steps = machine.call("__free_pages", page="$it", order=0)
    assert numbers(steps, "__free_pages") == {
        "pfn": machine.names["it"].pfn,
        "before": 1,
        "after": 0,
        "order": 0,
    }
    merged = numbers(steps, "__free_one_page")
    free = {pfn for pfns in machine.zone("DMA")["free_list"].values() for pfn in pfns}
    pfn, merges = machine.names["it"].pfn or 0, 0
    while merges < 10 and pfn ^ (1 << merges) in free:
        pfn &= ~(1 << merges)
        merges += 1
    assert (merged["merges"], merged["pfn"], merged["first_order"]) == (merges, pfn, 0)


def test_a_long_loop_is_cut() -> None:
    machine = Explainer()
    steps = machine.call("alloc_pages", gfp="GFP_KERNEL", order=0, repeat=50_000)
    assert len(steps) == 20_000
    assert (steps[-1]["verdict"], steps[-1]["numbers"]) == ("cut", {"steps": 20_000})
    assert machine.outcome.ret == 50_000
    assert len(machine.points) < 20_000

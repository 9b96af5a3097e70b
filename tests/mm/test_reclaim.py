"""What happens when memory is short: reserves, reclaim, and who may be told NULL."""

import json
from typing import Any

import pytest

from app.machine import boot, invariants
from app.machine.machine import Machine
from app.machine.outcome import Outcome
from app.machine.parsing import parse
from app.machine.trace import Trace
from app.mm import printk, slub, vmalloc


class Box:
    """A small machine and the seq of its last call."""

    def __init__(self, **config: Any) -> None:
        self.m: Machine = boot.boot({"profile": "tiny-16m"} | config)
        self.seq = 0

    def __call__(self, name: str, **body: Any) -> Outcome:
        self.seq += 1
        return self.m.apply(parse(name, body, self.m.model), self.seq)

    def fill(self, gfp: str = "GFP_NOWAIT|__GFP_NOWARN", order: int = 0) -> Outcome:
        """Allocate until NULL."""
        return self("alloc_pages", gfp=gfp, order=order, until="null")


def marks(m: Machine) -> tuple[int, int]:
    """min, and free pages as the watermark check sees them."""
    return m.zones[-1].watermark[0], m.zones[-1].vm_stat_free


@pytest.mark.parametrize(
    ("gfp", "left"),
    [
        ("GFP_NOWAIT", 1.0),
        ("GFP_NOWAIT|__GFP_HIGH|__GFP_NOMEMALLOC", 0.5),
        ("GFP_ATOMIC", 0.375),
        ("GFP_KERNEL|__GFP_HIGH|__GFP_NORETRY", 0.5),
        ("GFP_NOWAIT|__GFP_MEMALLOC", 0.0),
        ("GFP_NOWAIT|__GFP_MEMALLOC|__GFP_NOMEMALLOC", 1.0),
    ],
)
def test_how_far_down_each_mask_may_go(gfp: str, left: float) -> None:
    """To this part of the min mark; the folded counter falls in steps."""
    box = Box(lecture=True)
    box.fill(f"{gfp}|__GFP_NOWARN")
    low, free = marks(box.m)
    assert 0 <= low * left + 1 - free <= box.m.zones[-1].stat_threshold + 2


def test_a_page_that_may_sleep_is_never_refused_with_null_alone() -> None:
    box = Box(lecture=True)
    box.fill()
    outcome = box("alloc_pages", gfp="GFP_KERNEL", order=0)
    assert (outcome.ret, outcome.verdict) == (None, "oom")
    assert "invoked oom-killer" in outcome.log[0]


def test_without_fs_the_request_loops_for_ever() -> None:
    box = Box(lecture=True)
    box.fill()
    assert box("alloc_pages", gfp="GFP_NOFS", order=0).verdict == "hang"


@pytest.mark.parametrize("extra", ["__GFP_NORETRY", "__GFP_RETRY_MAYFAIL", "__GFP_THISNODE", "__GFP_DMA"])
def test_these_may_be_told_null(extra: str) -> None:
    box = Box(lecture=True)
    box.fill()
    outcome = box("alloc_pages", gfp=f"GFP_KERNEL|{extra}", order=0)
    assert (outcome.ret, outcome.verdict) == (None, "null")
    assert "page allocation failure: order:0" in outcome.log[0]


def test_a_costly_order_may_fail() -> None:
    box = Box(lecture=True)
    box.fill(order=4)
    assert box("alloc_pages", gfp="GFP_KERNEL", order=4).verdict == "null"


def test_reclaim_drains_the_per_cpu_lists() -> None:
    """NOWAIT fails with pages on the lists of another type; GFP_KERNEL gets them."""
    box = Box(profile="x86_64-1g", memory="128M", reclaim=False)
    filled = box.fill(order=0)
    assert filled.runs is not None
    box("__free_pages", page=[[filled.runs[0][0], 40]], order=0)
    held = box.m.zones[-1].pcp[0].count
    assert held >= 40
    assert box("alloc_pages", gfp="GFP_NOWAIT|__GFP_RECLAIMABLE", order=0).verdict == "null"
    outcome = box("alloc_pages", gfp="GFP_KERNEL|__GFP_RECLAIMABLE", order=0)
    assert outcome.verdict == "ok"
    assert box.m.zones[-1].pcp[0].count < held


def test_reclaim_gives_back_empty_slabs() -> None:
    box = Box(lecture=True, debug=False)
    one = box("kmalloc", size=8192, flags="GFP_KERNEL")
    assert one.object is not None
    box("kfree", addr=one.ret)
    slab = one.object["slab_pfn"]
    box.fill("GFP_NOWAIT|__GFP_MEMALLOC|__GFP_NOWARN")
    assert slab in box.m.slabs
    box("alloc_pages", gfp="GFP_KERNEL|__GFP_NORETRY", order=0)
    assert slab not in box.m.slabs


def test_the_steps_of_a_request_that_fails() -> None:
    box = Box(lecture=True)
    box.fill()
    trace = box.m.trace = Trace(box.m)
    box("alloc_pages", gfp="GFP_KERNEL", order=0)
    functions = [step["fn"] for step in trace.steps]
    assert functions[0] == functions[-1] == "__alloc_pages"
    for fn in (
        "__alloc_pages_slowpath",
        "wakeup_kswapd",
        "__alloc_pages_direct_reclaim",
        "__alloc_pages_may_oom",
    ):
        assert fn in functions
    tried = [step["numbers"]["mark"] for step in trace.steps if step["fn"] == "zone_watermark_fast"]
    assert tried[:2] == ["low", "min"]
    assert tried[-1] == "high"


def test_the_kswapd_of_a_node_is_woken_once() -> None:
    box = Box(profile="x86_64-8g", nodes=2)
    trace = box.m.trace = Trace(box.m)
    for nid in (0, 1):
        for zone in box.m.zones:
            if zone.nid == nid:
                zone.vm_stat_free = 0
    box("alloc_pages", gfp="GFP_NOWAIT|__GFP_NOWARN", order=0)
    woken = [step["what"] for step in trace.steps if step["fn"] == "wakeup_kswapd"]
    assert woken == ["kswapd0 is woken", "kswapd1 is woken"]


def test_a_loop_ends_when_nothing_but_null_comes() -> None:
    """Each attempt looks through all memory, so a hundred thousand would take minutes."""
    box = Box(lecture=True)
    box.fill()
    outcome = box("alloc_pages", gfp="GFP_KERNEL|__GFP_NORETRY", order=0, repeat=100_000)
    assert (outcome.ret, outcome.verdict) == (0, "null")
    assert box.m.vm_events["allocstall_normal"] == 100


def test_caches_that_have_no_slabs_are_not_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box(lecture=True)
    shrunk: list[str] = []
    monkeypatch.setattr(slub, "shrink", lambda _, s: shrunk.append(s.name))
    box("kmalloc", size=64, flags="GFP_KERNEL")
    slub.shrink_all(box.m)
    assert shrunk == ["kmalloc-64"]


def test_reclaim_in_an_interrupt_is_one_mistake() -> None:
    """The caller may not sleep; that all caches are then asked for slabs is no second one."""
    box = Box(lecture=True)
    for size in (64, 128, 256):
        box("kmalloc", size=size, flags="GFP_KERNEL")
    box.fill()
    log = box("alloc_pages", gfp="GFP_KERNEL|__GFP_NORETRY", order=0, context="hardirq").log
    assert not any("percpu-rwsem.h" in line for line in log)
    assert any("sched/mm.h" in line for line in log)


def test_an_area_that_an_oops_left_unfilled_is_a_state_like_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Getting its pages may need memory that an earlier mistake has spoilt."""

    def spoilt(m: Machine, *_: object) -> None:
        printk.bug(m, "kernel BUG at include/linux/mm.h:780!")

    box = Box()
    monkeypatch.setattr(vmalloc, "vm_area_alloc_pages", spoilt)
    assert box("vmalloc", size=64 << 10).verdict == "bug"
    monkeypatch.undo()
    assert invariants.verify(box.m) == []
    document = json.loads(json.dumps(box.m.dump()))
    again = boot.load(document)
    assert again.dump() == document
    area = box.m.vmap.busy.find(int(document["vmap"]["areas"][0]["addr"], 16))
    assert area is not None
    assert box("vfree", addr=f"{area.va_start:#x}").verdict == "ok"


@pytest.mark.parametrize(("gfp", "woken"), [("GFP_NOWAIT", True), ("__GFP_HIGH", False)])
def test_kswapd_is_woken_by_those_who_ask_for_it(gfp: str, woken: bool) -> None:
    box = Box(lecture=True)
    box.fill()
    (node,) = box.m.nodes
    assert node.kswapd_woken
    node.kswapd_woken = False
    box("alloc_pages", gfp=f"{gfp}|__GFP_NOWARN", order=0)
    assert node.kswapd_woken is woken

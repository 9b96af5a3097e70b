"""What `invariants.verify` sees: each rule is broken once by hand, and must be named.

And what a dump may say: one that breaks a rule is refused with the place of what is wrong.
"""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from app.errors import BadArgument
from app.machine import boot, invariants
from app.machine.machine import Machine
from app.machine.parts import accounts
from app.mm.page import Page, PG_head, StrayPage
from tests.support.lab import Lab


@pytest.fixture
def lab() -> Lab:
    """A machine with something of everything: blocks, a lost tail, a queue, a page on a per-CPU list."""
    lab = Lab()
    lab.alloc(3)
    lab("put_page", pfn=lab.alloc(1))
    page = lab.alloc()
    lab("lock_page", pfn=page, task="a")
    lab("lock_page", pfn=page, task="b")
    lab("__free_page", pfn=lab.alloc())
    return lab


def in_use(m: Machine) -> int:
    return next(pfn for pfn, page in m.pages.items() if page.order == 3)


def block(m: Machine) -> Page:
    return m.pages[in_use(m)]


def single(m: Machine) -> Page:
    return next(page for page in m.pages.values() if not page.order)


def waited_for(m: Machine) -> Page:
    return m.pages[m.tasks["b"].waiting_for or 0]


def on_pcp(m: Machine) -> Any:
    return next(pages for pages in m.zones[0].pcp[0].lists if pages)


def free_block(m: Machine, order: int = 10) -> int:
    return next(pfn for pfn, code in m.zones[0].buddy.items() if code >> 3 == order)


def split_by_hand(m: Machine) -> None:
    zone = m.zones[0]
    pfn = free_block(m)
    code = zone.buddy.pop(pfn)
    del zone.free_area[10].free_list[code & 7][pfn]
    zone.free_area[10].nr_free -= 1
    for half in (pfn, pfn + 512):
        zone.buddy[half] = 9 << 3 | code & 7
        zone.free_area[9].free_list[code & 7][half] = None
    zone.free_area[9].nr_free += 2


def merge_by_hand(m: Machine) -> None:
    """Two order-3 buddies beside each other."""
    zone = m.zones[0]
    pfn = free_block(m, 4)
    code = zone.buddy.pop(pfn)
    del zone.free_area[4].free_list[code & 7][pfn]
    zone.free_area[4].nr_free -= 1
    for half in (pfn, pfn + 8):
        zone.buddy[half] = 3 << 3 | code & 7
        zone.free_area[3].free_list[code & 7][half] = None
    zone.free_area[3].nr_free += 2


def setting(path: Callable[[Machine], Any], name: str, value: Any) -> Callable[[Machine], None]:
    return lambda m: setattr(path(m), name, value)


BROKEN: dict[str, tuple[Callable[[Machine], Any], str]] = {
    "nr_free": (
        setting(lambda m: m.zones[0].free_area[10], "nr_free", 99),
        "nr_free of order 10 is 99",
    ),
    "counter": (setting(lambda m: m.zones[0], "vm_stat_free", 1), "its lists hold"),
    "threshold": (setting(lambda m: m.zones[0], "vm_stat_diff", [126]), "above the threshold"),
    "filed": (lambda m: m.zones[0].buddy.update({free_block(m): 0}), "filed as another"),
    "not on a list": (lambda m: m.zones[0].buddy.update({in_use(m): 3 << 3}), "blocks are filed as free"),
    "buddies": (merge_by_hand, "are not merged"),
    "pcp count": (setting(lambda m: m.zones[0].pcp[0], "count", 77), "counts 77 frames"),
    "pcp twice": (lambda m: on_pcp(m).append(on_pcp(m)[0]), "on a per-CPU list and on a per-CPU list"),
    "noted": (lambda m: m.zones[0].pcp_migratetype.update({5: 3}), "on no per-CPU list"),
    "highatomic": (setting(lambda m: m.zones[0], "nr_reserved_highatomic", 512), "0 such pageblocks"),
    "two owners": (lambda m: on_pcp(m).append(in_use(m)), "is on a per-CPU list and unmovable"),
    "forgotten": (lambda m: m.pages.pop(in_use(m)), "frames are nobody's"),
    "too large": (setting(block, "order", 4), "is unmovable and"),
    "misplaced": (lambda m: m.pages.update({7: m.pages[in_use(m)]}), "is not aligned"),
    "no reference": (
        setting(lambda m: m.pages[in_use(m)], "refcount", 0),
        "in use without a reference",
    ),
    "headless": (
        setting(lambda m: next(p for p in m.pages.values() if not p.order), "flags", PG_head),
        "no compound",
    ),
    "lost": (setting(lambda m: m, "lost", 7), "7 frames are counted as lost, 1 are"),
    "piece": (lambda m: m.pieces.update({3: 1}), "noted as a piece"),
    "stray": (lambda m: m.stray.update({in_use(m) + 1: StrayPage(0, 0)}), "needs none"),
    "queue": (lambda m: m.page_waiters.pop("b"), "stands in 0 queues"),
    "dead sleeper": (lambda m: m.tasks.pop("b"), "sleeps and is no task"),
    "pids": (setting(lambda m: m.tasks["b"], "pid", 1), "two tasks have one pid"),
    "init": (lambda m: m.tasks.pop("init"), "there is no init"),
    "holder": (lambda m: m.lock_holders.take(in_use(m), 1), "but no lock"),
    "lock": (
        setting(lambda m: m.pages[m.tasks["b"].waiting_for or 0], "flags", 0),
        "waits for the lock",
    ),
    "log": (setting(lambda m: m, "log_bytes", 1), "the log counts 1 bytes"),
    "slab pages": (lambda m: m.slabs.pages.update({(0, True): 7}), "slab pages by node are"),
    "vmalloc pages": (setting(lambda m: m.vmap, "nr_vmalloc_pages", 7), "nr_vmalloc_pages is 7"),
}


@pytest.mark.parametrize(("damage", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_each_rule_is_seen_to_be_broken(lab: Lab, damage: Callable[[Machine], Any], words: str) -> None:
    damage(lab.m)
    assert any(words in fault for fault in invariants.verify(lab.m))


def test_blocks_of_pageblock_order_may_stand_beside_each_other(lab: Lab) -> None:
    # Pageblocks of types that must not be mixed stay apart, so this alone is no fault.
    split_by_hand(lab.m)
    assert invariants.verify(lab.m) == []


def test_its_cost_does_not_grow_with_memory() -> None:
    m = boot.boot({"profile": "x86_64-1t"})
    assert invariants.verify(m) == []
    assert sum(1 for _ in accounts.spans(m)) < 1000


# -- dumps -----------------------------------------------------------------------------------------

WRONG: dict[str, tuple[Callable[[dict[str, Any]], Any], tuple[str | int, ...]]] = {
    "a sleeper in no queue": (lambda d: d["page_waiters"].clear(), ()),
    "a queue of the unknown": (lambda d: d["page_waiters"].append("nobody"), ("page_waiters", 1)),
    "twice in a queue": (lambda d: d["page_waiters"].append("b"), ("page_waiters", 1)),
    "a name": (lambda d: d["tasks"][1].update(name="a b"), ("tasks", 1, "name")),
    "two of a name": (lambda d: d["tasks"][2].update(name="a"), ("tasks", 2, "name")),
    "two of a pid": (lambda d: d["tasks"][2].update(pid=1001), ("tasks", 2, "pid")),
    "a pid of the future": (lambda d: d["tasks"][2].update(pid=5000), ("tasks", 2, "pid")),
    "waiting for nothing": (lambda d: d["tasks"][2].update(waiting_for=1 << 30), ("tasks", 2, "waiting_for")),
    "a holder's page": (lambda d: d["lock_holders"].append([1 << 30, 1]), ("lock_holders", 1)),
    "a stray block": (lambda d: d["stray"].append([d["pages"][0][0], 1, 0]), ("stray", 0)),
    "a stray nowhere": (lambda d: d["stray"].append([1 << 33, 1, 0]), ("stray", 0)),
    "stray flags": (lambda d: d["stray"].append([3, 1, 1 << 40]), ("stray", 0)),
    "a piece of nothing": (lambda d: d["pieces"].append([3, 1]), ("pieces", 0)),
    "taint": (lambda d: d["machine"].update(taint=1 << 30), ("machine", "taint")),
    "reserved": (lambda d: d["machine"].update(reserved_pages=[1]), ()),
    "reserved of what zone": (
        lambda d: d["machine"].update(reserved_pages=[0, 0]),
        ("machine", "reserved_pages"),
    ),
    "lost": (lambda d: d["machine"].update(lost=2), ()),
}


@pytest.mark.parametrize(("change", "place"), WRONG.values(), ids=WRONG.keys())
def test_a_dump_that_cannot_be_is_refused_at_its_place(
    lab: Lab, change: Callable[[dict[str, Any]], Any], place: tuple[str | int, ...]
) -> None:
    dump = copy.deepcopy(lab.m.dump())
    boot.load(copy.deepcopy(dump))
    change(dump)
    with pytest.raises(BadArgument) as refusal:
        boot.load(dump)
    assert refusal.value.faults[0].loc[: 1 + len(place)] == ("dump", *place)

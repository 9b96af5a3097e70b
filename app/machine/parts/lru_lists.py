"""LRU lists in a dump: their ends and sizes, the batches, and on a machine with reclaim what it counts by.

Without reclaim there is one set of lists, whatever the number of nodes, and nothing is counted but their
sizes; such a dump has the form that it had before reclaim was known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.machine.parts.frames import load_pfn
from app.mm.lruvec import NR_COUNTERS, NR_LRU_LISTS, Lruvec
from app.mm.mmzone import Node, Zone
from app.mm.virtual_memory import BATCHES
from app.mm.wmarks import set_lruvec_thresholds

if TYPE_CHECKING:
    from app.machine.document import Document
    from app.machine.machine import Machine

# Batches that only machines with reclaim fill; a dump names them where they are not empty.
LATER: Final = ("rotate", "deactivate")
MOST: Final = 1 << 60
MAX_ORDER: Final = 11
MAX_ZONES: Final = 4
NUMBERS: Final = ("anon_cost", "file_cost", "nonresident_age")


def dump(m: Machine) -> dict[str, Any]:
    """`lists`, `batches` and, with reclaim, `lruvecs`."""
    vm = m.vm
    doc: dict[str, Any] = {
        "lists": ends(vm.lruvecs[0]),
        "batches": {
            name: [*map(entry_of_batch, vm.batches[name])]
            for name in BATCHES
            if name not in LATER or vm.batches[name]
        },
    }
    if vm.reclaim:
        doc["lruvecs"] = [lruvec_line(lruvec) for lruvec in vm.lruvecs]
        doc["kswapd"] = [kswapd_line(node) for node in m.nodes]
        doc["zone_lru"] = [{"folded": list(z.lru_folded), "diffs": rows(z.lru_diffs)} for z in m.zones]
    return doc


def ends(lruvec: Lruvec) -> list[list[int]]:
    """Head, tail and size of each list."""
    return [[lru.head, lru.tail, lru.count] for lru in lruvec.lists]


def rows(diffs: list[list[int]]) -> list[list[int]]:
    """Each CPU's differences."""
    return [list(diff) for diff in diffs]


def lruvec_line(lruvec: Lruvec) -> dict[str, Any]:
    """All of a node's."""
    return {
        "lists": ends(lruvec),
        **{name: getattr(lruvec, name) for name in NUMBERS},
        "refaults": list(lruvec.refaults),
        "folded": list(lruvec.folded),
        "diffs": rows(lruvec.diffs),
    }


def kswapd_line(node: Node) -> list[Any]:
    """What a node's kernel threads remember from one run to the next."""
    return [
        node.kswapd_order,
        node.kswapd_highest_zoneidx,
        node.kswapd_failures,
        node.many_dirty,
        node.many_under_writeback,
    ]


def is_untouched(m: Machine) -> bool:
    """Whether nothing has been on a list, and no kernel thread been woken, since boot."""
    fresh = Node(0, [], [])
    return all(kswapd_line(node) == kswapd_line(fresh) for node in m.nodes)


def entry_of_batch(page: Any) -> Any:
    """A page of a batch; in the one of mlock with what it waits for."""
    return list(page) if isinstance(page, tuple) else page


def load(m: Machine, doc: Document) -> None:
    """Inverse of `dump`."""
    vm = m.vm
    load_ends(vm.lruvecs[0], doc["lists"])
    for name in BATCHES:
        for entry in doc["batches"].get(name, []).list(16):
            if name == "mlock":
                pfn, kind = entry.list(2, exactly=2)
                vm.batches[name].append((load_pfn(m, pfn), kind.int(0, 2)))
            else:
                vm.batches[name].append(load_pfn(m, entry))
    if vm.reclaim:
        set_lruvec_thresholds(m)
        count = len(vm.lruvecs)
        for lruvec, line in zip(vm.lruvecs, doc["lruvecs"].list(count, exactly=count), strict=True):
            load_lruvec(lruvec, line)
        for node, line in zip(m.nodes, doc["kswapd"].list(len(m.nodes), exactly=len(m.nodes)), strict=True):
            load_kswapd(node, line)
        zones = doc["zone_lru"].list(len(m.zones), exactly=len(m.zones))
        for zone, line in zip(m.zones, zones, strict=True):
            load_zone(zone, line)


def load_ends(lruvec: Lruvec, doc: Document) -> None:
    """Inverse of `ends`."""
    for lru, entry in zip(lruvec.lists, doc.list(NR_LRU_LISTS, exactly=NR_LRU_LISTS), strict=True):
        lru.head, lru.tail, lru.count = entry.ints(0, 1 << 40, 3, exactly=3)


def load_lruvec(lruvec: Lruvec, doc: Document) -> None:
    """Inverse of `lruvec_line`."""
    load_ends(lruvec, doc["lists"])
    for name in NUMBERS:
        setattr(lruvec, name, doc[name].int(0, MOST))
    lruvec.refaults = doc["refaults"].ints(0, MOST, 2, exactly=2)
    lruvec.folded = doc["folded"].ints(-MOST, MOST, NR_COUNTERS, exactly=NR_COUNTERS)
    lruvec.diffs = load_rows(doc["diffs"], len(lruvec.diffs), NR_COUNTERS)


def load_kswapd(node: Node, doc: Document) -> None:
    """Inverse of `kswapd_line`."""
    order, highest, failures, dirty, writeback = doc.list(5, exactly=5)
    node.kswapd_order = order.int(0, MAX_ORDER)
    node.kswapd_highest_zoneidx = None if highest.value is None else highest.int(0, MAX_ZONES)
    node.kswapd_failures = failures.int(0, 1 << 30)
    node.many_dirty, node.many_under_writeback = dirty.bool(), writeback.bool()


def load_zone(zone: Zone, doc: Document) -> None:
    """A zone's share of the lists."""
    zone.lru_folded = doc["folded"].ints(-MOST, MOST, NR_LRU_LISTS, exactly=NR_LRU_LISTS)
    zone.lru_diffs = load_rows(doc["diffs"], len(zone.lru_diffs), NR_LRU_LISTS)


def load_rows(doc: Document, cpus: int, counters: int) -> list[list[int]]:
    """Inverse of `rows`."""
    return [row.ints(-MOST, MOST, counters, exactly=counters) for row in doc.list(cpus, exactly=cpus)]

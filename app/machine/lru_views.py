"""Reading the LRU lists: their sizes, what waits in batches, and the pages from head to tail.

Kernel: include/linux/mmzone.h struct lruvec, mm/swap.c. Lists are linked through the pages, so a part of one
costs what it shows, wherever it begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.errors import BadArgument
from app.machine.observing import BATCH_NAMES
from app.mm import mem_map
from app.mm.lruvec import NONE, LruList
from app.mm.mem_map import PG_reclaim, section
from app.mm.page import PG_dirty, PG_lru, PG_referenced, PG_workingset, PG_writeback
from app.mm.scan_count import inactive_ratio
from app.mm.vmstat import LRU_NAMES

if TYPE_CHECKING:
    from app.machine.machine import Machine

UNEVICTABLE: Final = LRU_NAMES.index("unevictable")
ITEMS: Final = 1000


def summary(m: Machine, node: int | None) -> dict[str, Any]:
    """The lists of each node, or of one, in pages, what waits in this CPU's batches, and which are low.

    Raises BadArgument where there is no such node.
    """
    if node is not None:
        require_node(m, node)
    lists = lists_of(m, node or 0)
    nodes = [each.nid for each in m.nodes] if node is None else [node]
    return {
        "lists": [line for each in nodes for line in sizes(m, each)],
        "batches": [
            {"name": BATCH_NAMES[name], "cpu": 0, "pages": [head_of(page) for page in batch]}
            for name, batch in m.vm.batches.items()
        ],
        "ratio": {
            "anon": ratio(lists[0].count, lists[1].count),
            "file": ratio(lists[2].count, lists[3].count),
        },
    }


def require_node(m: Machine, node: int) -> None:
    """Raise BadArgument where there is no such node."""
    if node >= len(m.nodes):
        raise BadArgument.at("node", f"from 0 to {len(m.nodes) - 1}")


def lists_of(m: Machine, node: int) -> list[LruList]:
    """The lists of a node. On a machine without reclaim all pages stand on those of the first."""
    if not m.vm.reclaim and node:
        return [LruList() for _ in LRU_NAMES]
    return m.vm.lruvec_of_node(node).lists


def sizes(m: Machine, node: int) -> list[dict[str, Any]]:
    """Each list of pages: its size and its ends. Of unevictable pages the kernel keeps no order."""
    return [
        {
            "node": node,
            "name": name,
            "pages": lru.count,
            "head": None if lru.head == NONE else lru.head,
            "tail": None if lru.tail == NONE else lru.tail,
        }
        for name, lru in zip(LRU_NAMES, lists_of(m, node), strict=True)
    ]


def head_of(page: Any) -> int:
    """The page of an entry of a batch; in the one of mlock with what it waits for."""
    return int(page[0] if isinstance(page, tuple) else page)


def ratio(inactive: int, active: int) -> dict[str, Any]:
    """Whether pages have to be moved from the active list. Kernel: inactive_is_low

    The more memory, the smaller the part of it that is enough to see which pages are used again.
    """
    factor = inactive_ratio(inactive + active)
    return {
        "inactive": inactive,
        "active": active,
        "inactive_ratio": factor,
        "inactive_is_low": inactive * factor < active,
    }


def some(m: Machine, node: int, name: str, after: int | None, limit: int = ITEMS) -> dict[str, Any]:
    """Pages of a list from its head, or behind the page `after`, towards its tail.

    Raises BadArgument where there is no such node or list, or where the page is not on that list.
    """
    require_node(m, node)
    if name not in LRU_NAMES:
        raise BadArgument.at("list", f"one of {', '.join(LRU_NAMES)}")
    which = LRU_NAMES.index(name)
    lru = lists_of(m, node)[which]
    found: dict[str, Any] = {"node": node, "list": name, "size": lru.count, "items": [], "next": None}
    at = lru.head
    if after is not None:
        if which == UNEVICTABLE or not on_list(m, node, after, which):
            raise BadArgument.at("after", f"a page frame that is on the list {name}, as its `next` says")
        at = section(m, after).next[after & 511]
    while at != NONE and len(found["items"]) < limit:
        found["items"].append(item(m, at))
        at = section(m, at).next[at & 511]
    if at != NONE:
        found["next"] = found["items"][-1]["pfn"]
    return found


def on_list(m: Machine, node: int, pfn: int, which: int) -> bool:
    """Whether a page stands on a list of a node."""
    if (m.zone_of(pfn).nid if m.vm.reclaim else 0) != node:
        return False
    if not mem_map.known(m, pfn) or mem_map.compound_head(m, pfn) != pfn:
        return False
    return bool(mem_map.flags(m, pfn) & PG_lru) and mem_map.lru_index(m, pfn) == which


def item(m: Machine, head: int) -> dict[str, Any]:
    """A page on a list, as far as it tells how long it stays. mapped: how often."""
    bits = mem_map.flags(m, head)
    return {
        "pfn": head,
        "frames": 1 << mem_map.compound_order(m, head),
        "referenced": bool(bits & PG_referenced),
        "dirty": bool(bits & PG_dirty),
        "mapped": mem_map.page_mapcount(m, head),
        "writeback": bool(bits & PG_writeback),
        "reclaim": bool(bits & PG_reclaim),
        "workingset": bool(bits & PG_workingset),
        "kind": "anon" if mem_map.is_anon(m, head) else "file",
        "refcount": mem_map.page_count(m, head),
    }

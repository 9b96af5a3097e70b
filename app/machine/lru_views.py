"""Reading the LRU lists: their sizes, what waits in batches, and the pages from head to tail.

Kernel: include/linux/mmzone.h struct lruvec, mm/swap.c. Lists are linked through the pages, so a part of one
costs what it shows, wherever it begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.errors import BadArgument
from app.machine import who_goes_next
from app.machine.lru_walk import from_head, from_tail, head_of
from app.machine.observing import BATCH_NAMES
from app.mm import mem_map, page_ref
from app.mm.lruvec import NONE, LruList
from app.mm.mem_map import PG_reclaim, section
from app.mm.page import PG_dirty, PG_lru, PG_referenced, PG_workingset, PG_writeback
from app.mm.scan_count import inactive_ratio
from app.mm.vmstat import LRU_NAMES

if TYPE_CHECKING:
    from app.machine.machine import Machine

UNEVICTABLE: Final = LRU_NAMES.index("unevictable")
ITEMS: Final = 1000
# Of how many pages at the tail it is said what would become of them.
AHEAD: Final = 8


def summary(m: Machine, node: int | None) -> dict[str, Any]:
    """The lists of each node, or of one, in pages, what waits in this CPU's batches, and which are low.

    Raises BadArgument where there is no such node.
    """
    if node is not None:
        require_node(m, node)
    nodes = [each.nid for each in m.nodes] if node is None else [node]
    anon_inactive, anon_active, file_inactive, file_active, _ = counted(m, node or 0)
    found: dict[str, Any] = {
        "lists": [line for each in nodes for line in sizes(m, each)],
        "batches": [
            {"name": BATCH_NAMES[name], "cpu": 0, "pages": [head_of(page) for page in batch]}
            for name, batch in m.vm.batches.items()
        ],
        "ratio": {
            "anon": ratio(anon_inactive, anon_active),
            "file": ratio(file_inactive, file_active),
        },
    }
    if m.vm.reclaim:
        found["reclaim"] = [{"node": each, **reclaim(m, each)} for each in nodes]
    return found


def counted(m: Machine, node: int) -> list[int]:
    """The sizes of a node's lists as decisions see them: without what the CPUs have not added yet."""
    if m.vm.reclaim:
        return m.vm.lruvec_of_node(node).folded[: len(LRU_NAMES)]
    return [lru.count for lru in lists_of(m, node)]


def reclaim(m: Machine, node: int) -> dict[str, Any]:
    """What decides between the lists of a node, and who goes next."""
    lruvec = m.vm.lruvec_of_node(node)
    return {
        "anon_cost": lruvec.anon_cost,
        "file_cost": lruvec.file_cost,
        "nonresident_age": lruvec.nonresident_age,
        "refaults": {"anon": lruvec.refaults[0], "file": lruvec.refaults[1]},
        **who_goes_next.next_pages(m, node, AHEAD),
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
    """Each list of pages: its size, exactly and as decisions see it, and its ends

    Of unevictable pages the kernel keeps no order.
    """
    return [
        {
            "node": node,
            "name": name,
            "pages": lru.count,
            "folded": folded,
            "head": None if lru.head == NONE else lru.head,
            "tail": None if lru.tail == NONE else lru.tail,
        }
        for name, lru, folded in zip(LRU_NAMES, lists_of(m, node), counted(m, node), strict=True)
    ]


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


def ends(m: Machine, node: int, name: str, first: int, last: int) -> dict[str, Any]:
    """The first pages of a list and its last ones, each from the head on; `between` are left out.

    accessed: whether an entry that maps the page says that it was used; None where too many areas may map it.
    """
    which = LRU_NAMES.index(name)
    lru = lists_of(m, node)[which]
    tail = [*from_tail(m, lru, first + last)]
    head = [] if len(tail) < first + last else [*from_head(m, lru, first)]
    tail = [pfn for pfn in tail[: last if head else None] if pfn not in head]
    shown = [drawn(m, pfn) for pfn in (*head, *reversed(tail))]
    return {
        "head": shown[: len(head)],
        "tail": shown[len(head) :],
        "between": lru.count - sum(page["frames"] for page in shown),
    }


def drawn(m: Machine, head: int) -> dict[str, Any]:
    """A page as a list is drawn with it."""
    accessed = who_goes_next.accessed(m, head)
    return {**item(m, head), "state": page_ref.state_of(m, head), "accessed": accessed}


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

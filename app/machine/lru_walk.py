"""Walking an LRU list from either end: a part of one costs what it shows. Kernel: struct list_head"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.mm.lruvec import NONE
from app.mm.mem_map import section

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.machine.machine import Machine
    from app.mm.lruvec import LruList


def from_head(m: Machine, lru: LruList, limit: int) -> Iterator[int]:
    """The pages of a list from its head on."""
    at = lru.head
    while at != NONE and limit:
        yield at
        at = section(m, at).next[at & 511]
        limit -= 1


def from_tail(m: Machine, lru: LruList, limit: int) -> Iterator[int]:
    """The pages of a list from its tail on."""
    at = lru.tail
    while at != NONE and limit:
        yield at
        at = section(m, at).prev[at & 511]
        limit -= 1


def head_of(page: Any) -> int:
    """The page of an entry of a batch; in the one of mlock with what it waits for."""
    return int(page[0] if isinstance(page, tuple) else page)

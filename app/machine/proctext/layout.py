"""Where free blocks of given numbers can lie in a zone, so that the kernel would have left them apart.

Two free buddies of one order would have become one block. So beside each free block lies something that is
not all free: its buddy is in use, or is divided further. Placed from the largest to the smallest, blocks
never get into each other's way.

Kernel: mm/page_alloc.c __free_one_page
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from app.mm.free_area import in_blocks
from app.mm.memblock import Run
from app.mm.mmzone import MAX_ORDER, MAX_ORDER_NR_PAGES, PAGEBLOCK_ORDER

TOP = MAX_ORDER - 1


class NoRoom(Exception):  # noqa: N818 - the zone is too small, which its caller turns into words
    """The blocks do not fit."""


class Layout:
    """The frames of a zone while blocks are placed.

    free: `(pfn, order, migratetype)` of what is placed. blocks: migratetype by pageblock, where it is known.
    A space is a naturally aligned stretch that may be divided, and must not become free as a whole; `spaces`
    by migratetype and order, and under None those of whole pageblocks, whose type is open. edges: stretches
    at the ends of the zone that have no buddy in it, so that they may be free as a whole.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        edges, whole = in_blocks(list(runs))
        self.edges = edges
        self.chunks = deque(pfn for first, end in whole for pfn in range(first, end, MAX_ORDER_NR_PAGES))
        self.spaces: dict[int | None, list[list[int]]] = {None: new_spaces()}
        self.blocks: dict[int, int] = {}
        self.free: list[tuple[int, int, int]] = []

    def place_all(self, types: Mapping[int, Sequence[int]]) -> None:
        """Place blocks, given as numbers by migratetype and order. Raises NoRoom."""
        for order in range(TOP, -1, -1):
            for migratetype, counts in sorted(types.items()):
                self.spaces.setdefault(migratetype, new_spaces())
                for _ in range(counts[order]):
                    self.place(order, migratetype)

    def place(self, order: int, migratetype: int) -> None:
        """Place one block: at an edge, or else in the lower half of a space."""
        pfn = self.edge(order, migratetype, exactly=True)
        if pfn is None:
            pfn = self.chunk(top=True) if order == TOP else self.space(order + 1, migratetype)
            if order < TOP:
                self.keep(pfn + (1 << order), order, migratetype)
        for block in range(pfn >> PAGEBLOCK_ORDER, (pfn + (1 << order) - 1 >> PAGEBLOCK_ORDER) + 1):
            self.blocks[block] = migratetype
        self.free.append((pfn, order, migratetype))

    def space(self, order: int, migratetype: int) -> int:
        """Take a space of an order, dividing a larger one where there is none."""
        for spaces in (self.spaces[migratetype], self.spaces[None]):
            for larger in range(order, TOP):
                if spaces[larger]:
                    return self.divide(spaces[larger].pop(), larger, order, migratetype)
        pfn = self.edge(order, migratetype, exactly=False)
        return self.divide(self.chunk(top=False), TOP, order, migratetype) if pfn is None else pfn

    def divide(self, pfn: int, larger: int, order: int, migratetype: int) -> int:
        """The lowest part of a space; the others are spaces, too."""
        while larger > order:
            larger -= 1
            self.keep(pfn + (1 << larger), larger, migratetype)
        return pfn

    def keep(self, pfn: int, order: int, migratetype: int) -> None:
        """Note a space: smaller than a pageblock, it has its pageblock's type."""
        self.spaces[migratetype if order < PAGEBLOCK_ORDER else None][order].append(pfn)

    def chunk(self, *, top: bool) -> int:
        """Take a block of the highest order: from the end for what is free, from the beginning to divide."""
        if not self.chunks:
            raise NoRoom
        return self.chunks.pop() if top else self.chunks.popleft()

    def edge(self, order: int, migratetype: int, *, exactly: bool) -> int | None:
        """Take a stretch at an edge, of exactly an order or at least; None where none has the type."""
        for place, (pfn, its_order) in enumerate(self.edges):
            if its_order != order and (exactly or its_order < order):
                continue
            if self.blocks.get(pfn >> PAGEBLOCK_ORDER, migratetype) == migratetype:
                del self.edges[place]
                self.blocks[pfn >> PAGEBLOCK_ORDER] = migratetype
                return pfn if exactly else self.divide(pfn, its_order, order, migratetype)
        return None

    def rest(self) -> list[tuple[int, int]]:
        """What is left, as `(pfn, order)` in ascending order."""
        left = [*self.edges, *((pfn, TOP) for pfn in self.chunks)]
        for spaces in self.spaces.values():
            left += [(pfn, order) for order, pfns in enumerate(spaces) for pfn in pfns]
        return sorted(left)


def new_spaces() -> list[list[int]]:
    """No spaces, for each order."""
    return [[] for _ in range(MAX_ORDER)]


def frames_needed(types: Mapping[int, Sequence[int]]) -> int:
    """How many frames a zone must have at least for the blocks, in whole blocks of the highest order."""
    most = sum(
        count << min(order + 1, TOP) for counts in types.values() for order, count in enumerate(counts)
    )
    chunks = most // MAX_ORDER_NR_PAGES + 2 * MAX_ORDER
    layout = Layout([(MAX_ORDER_NR_PAGES, (chunks + 1) * MAX_ORDER_NR_PAGES)])
    layout.place_all(types)
    return (chunks - len(layout.chunks)) * MAX_ORDER_NR_PAGES

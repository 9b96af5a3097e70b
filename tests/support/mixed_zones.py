"""Small zones with just the free blocks that a test is about."""

from collections.abc import Mapping, Sequence
from typing import Final

from app.mm import buddy
from app.mm.mmzone import PAGEBLOCK_NR_PAGES, PAGEBLOCK_ORDER, Zone

BASE: Final = 0x100000


def zone_with(
    free: Sequence[tuple[int, int, int]],
    types: Mapping[int, int] | None = None,
    base: int = BASE,
    nid: int = 0,
) -> Zone:
    """A zone of eight pageblocks.

    free: (frame behind `BASE`, order, migratetype) of each free block, as the lists have them from the head.
    types: those of pageblocks that are not movable.
    """
    span = BASE + 8 * PAGEBLOCK_NR_PAGES - base
    zone = Zone("Normal", nid, 2, base, span, span, span, 1)
    zone.lowmem_reserve = [0] * 5
    for block, migratetype in (types or {}).items():
        zone.pageblock_flags[(BASE >> PAGEBLOCK_ORDER) + block] = migratetype
    for frame, order, migratetype in free:
        buddy.add_to_free_list_tail(zone, BASE + frame, order, migratetype)
        zone.vm_stat_free += 1 << order
    return zone

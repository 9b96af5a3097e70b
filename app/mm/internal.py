"""What the parts of the page allocator share: the ALLOC_ flags, and what stays the same in one allocation.

Kernel: mm/internal.h. The flags say how deep a request may reach into a zone, and how.
"""

from __future__ import annotations

from typing import Final

from app.mm.mmzone import Zone

# As in mm/internal.h.
ALLOC_WMARK_MIN: Final = 0
ALLOC_WMARK_LOW: Final = 1
ALLOC_WMARK_HIGH: Final = 2
ALLOC_WMARK_MASK: Final = 3
ALLOC_NO_WATERMARKS: Final = 0x4
ALLOC_OOM: Final = 0x8
ALLOC_NON_BLOCK: Final = 0x10
ALLOC_MIN_RESERVE: Final = 0x20
ALLOC_CPUSET: Final = 0x40
ALLOC_NOFRAGMENT: Final = 0x100
ALLOC_HIGHATOMIC: Final = 0x200
ALLOC_KSWAPD: Final = 0x800
ALLOC_RESERVES: Final = ALLOC_NON_BLOCK | ALLOC_MIN_RESERVE | ALLOC_OOM

# The marks by their index, which is what ALLOC_WMARK_MASK leaves of the flags. Kernel: enum zone_watermarks
WMARK_NAMES: Final = ("min", "low", "high", "promo")
# The flags above the mark, each of one bit, with their names.
FLAG_NAMES: Final[dict[int, str]] = {
    bit: name
    for name, bit in globals().copy().items()
    if name.startswith("ALLOC_") and bit > ALLOC_WMARK_MASK and bit.bit_count() == 1
}


def alloc_flags_text(alloc_flags: int) -> str:
    """The flags as the kernel's source would write them: `ALLOC_WMARK_MIN|ALLOC_CPUSET`."""
    names = [f"ALLOC_WMARK_{WMARK_NAMES[alloc_flags & ALLOC_WMARK_MASK].upper()}"]
    return "|".join(names + [name for bit, name in FLAG_NAMES.items() if alloc_flags & bit])


# Verdicts of a call that got no memory and never will: whoever wants more of it in a loop gives up.
GAVE_UP: Final = ("oom", "hang", "panic")


class AllocContext:
    """What stays the same during one allocation. Kernel: struct alloc_context

    One is made for each combination of node, zone bits and mobility, and used again.

    zonelist: the zones that may be used, in the order of trying. highest_zoneidx: index into each zone's
    lowmem_reserve.
    """

    __slots__ = ("highest_zoneidx", "migratetype", "nofragment", "preferred_zone", "zonelist")

    def __init__(self, zonelist: tuple[Zone, ...], highest_zoneidx: int, migratetype: int) -> None:
        self.zonelist = zonelist
        self.highest_zoneidx = highest_zoneidx
        self.migratetype = migratetype
        self.preferred_zone = zonelist[0] if zonelist else None
        self.nofragment = 0

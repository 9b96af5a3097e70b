"""/proc/swaps: the areas to which pages can be written out. Kernel: mm/swapfile.c swap_show"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm.pgtable_types import PAGE_KB
from app.mm.swap_info import SWP_BLKDEV

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.swap_info import SwapInfo

HEADER: Final = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
NAME_WIDTH: Final = 40
# From so many kilobytes on one tab is enough.
WIDE: Final = 10_000_000


def show(m: Kernel) -> str:
    """A line for each area, in the order of their numbers. Slots in the CPUs' stocks count as used."""
    areas = [] if m.vm.swap is None else m.vm.swap.info
    return HEADER + "".join(swap_show(si) for si in areas if si is not None)


def swap_show(si: SwapInfo) -> str:
    """One area: sizes in kilobytes, without the page of its header."""
    name = si.file.path
    kind = "partition" if si.flags & SWP_BLKDEV else "file\t"
    return f"{name:<{NAME_WIDTH - 1}} {kind}\t{sized(si.pages)}{sized(si.inuse_pages)}{si.prio}\n"


def sized(pages: int) -> str:
    """Kilobytes, and tabs up to the next column."""
    kilobytes = pages * PAGE_KB
    return f"{kilobytes}\t" + ("\t" if kilobytes < WIDE else "")

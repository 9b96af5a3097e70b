"""/proc/swaps: the areas to which pages can be written out. Kernel: mm/swapfile.c swap_show"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

HEADER: Final = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"


def show(_m: Kernel) -> str:
    """The heading: no call here adds an area."""
    return HEADER

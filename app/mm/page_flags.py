"""Flags of a page that drivers set.

Kernel: include/linux/page-flags.h. A flag is a bit and no more: nothing is checked when it is set, and the
allocator looks at it when the page comes back or is handed out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import page_ref, printk
from app.mm.page import PG_dirty, PG_reserved
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.kernel import Kernel


def written(m: Kernel, pfn: int | None) -> int:
    """The page whose flags are to be written; of the NULL page that is an oops. Kernel: PF_NO_COMPOUND"""
    if pfn is None:
        printk.page_fault(m, 0, write=True)
    return pfn


@traced
def set_page_dirty(m: Kernel, pfn: int) -> None:
    """Set PG_dirty, of a compound page on its head. Kernel: SetPageDirty, PF_HEAD

    Freeing the page clears it, as it does all flags that do not mean that somebody still uses the page.
    """
    change(m, "SetPageDirty", page_ref.compound_head(m, pfn), set=PG_dirty)


@traced
def clear_page_dirty(m: Kernel, pfn: int) -> None:
    """Clear PG_dirty, of a compound page on its head. Kernel: ClearPageDirty, PF_HEAD"""
    change(m, "ClearPageDirty", page_ref.compound_head(m, pfn), clear=PG_dirty)


@traced
def set_page_reserved(m: Kernel, pfn: int) -> None:
    """Set PG_reserved of this very page. Kernel: SetPageReserved

    A debugging kernel drops a page that is freed with it; another one forgets the flag of a block of a
    per-CPU list's order.
    """
    change(m, "SetPageReserved", pfn, set=PG_reserved)


@traced
def clear_page_reserved(m: Kernel, pfn: int) -> None:
    """Clear PG_reserved of this very page. Kernel: ClearPageReserved"""
    change(m, "ClearPageReserved", pfn, clear=PG_reserved)


def change(m: Kernel, function: str, pfn: int, *, set: int = 0, clear: int = 0) -> None:
    """Set and clear bits, and tell who listens."""
    before = page_ref.page_flags(m, pfn)
    page_ref.change_flags(m, pfn, set=set, clear=clear)
    if m.trace is not None:
        m.trace.page_ref.flags(function, pfn, before, before & ~clear | set)

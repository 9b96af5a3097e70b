"""Calls that change or read what a struct page says besides its count and its lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.machine.entry import describe
from app.machine.entry.arguments import PAGE
from app.machine.entry.declare import Declarations
from app.machine.vocabulary import Returns
from app.mm import mem_map, page_check, page_flags, page_ref

if TYPE_CHECKING:
    from app.machine.calls import Call
    from app.machine.machine import Machine
    from app.machine.outcome import Outcome

calls = Declarations("references")


@calls.other(
    "SetPageDirty",
    (PAGE,),
    "void SetPageDirty(struct page *page)",
    "include/linux/page-flags.h SetPageDirty",
    "Say that the page has to be written back; freeing it clears the flag.",
    returns=Returns.NOTHING,
)
def set_page_dirty(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/page-flags.h SetPageDirty"""
    pfn = page_ref.checked(m, call.args["page"], "SetPageDirty")
    page_flags.set_page_dirty(m, pfn)
    outcome.seen = describe.page(m, pfn)


@calls.other(
    "ClearPageDirty",
    (PAGE,),
    "void ClearPageDirty(struct page *page)",
    "include/linux/page-flags.h ClearPageDirty",
    "Say that the page need not be written back.",
    returns=Returns.NOTHING,
)
def clear_page_dirty(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/page-flags.h ClearPageDirty"""
    pfn = page_ref.checked(m, call.args["page"], "ClearPageDirty")
    page_flags.clear_page_dirty(m, pfn)
    outcome.seen = describe.page(m, pfn)


@calls.other(
    "SetPageReserved",
    (PAGE,),
    "void SetPageReserved(struct page *page)",
    "include/linux/page-flags.h SetPageReserved",
    "Take the page out of the hands of memory management; freed like this it is a bad page.",
    returns=Returns.NOTHING,
)
def set_page_reserved(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/page-flags.h SetPageReserved"""
    pfn = page_flags.written(m, call.args["page"])
    page_flags.set_page_reserved(m, pfn)
    outcome.seen = describe.page(m, pfn)


@calls.other(
    "ClearPageReserved",
    (PAGE,),
    "void ClearPageReserved(struct page *page)",
    "include/linux/page-flags.h ClearPageReserved",
    "Give the page back to memory management, before it is freed.",
    returns=Returns.NOTHING,
)
def clear_page_reserved(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/page-flags.h ClearPageReserved"""
    pfn = page_flags.written(m, call.args["page"])
    page_flags.clear_page_reserved(m, pfn)
    outcome.seen = describe.page(m, pfn)


@calls.other(
    "page_mapcount",
    (PAGE,),
    "int page_mapcount(struct page *page)",
    "include/linux/mm.h page_mapcount",
    "In how many places processes map the page; of a free block's first page what marks it.",
    returns=Returns.INT,
)
def page_mapcount(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/mm.h page_mapcount"""
    pfn = page_ref.checked(m, call.args["page"], "page_mapcount")
    user = mem_map.known(m, pfn)
    outcome.ret = mem_map.page_mapcount(m, pfn) if user else page_check.page_mapcount(m, pfn)
    outcome.seen = describe.page(m, pfn)

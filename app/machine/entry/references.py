"""Calls that count references."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.machine.entry import describe
from app.machine.entry.arguments import PAGE
from app.machine.entry.declare import Declarations
from app.machine.vocabulary import Returns
from app.mm import page_ref, references

if TYPE_CHECKING:
    from app.machine.calls import Call
    from app.machine.machine import Machine
    from app.machine.outcome import Outcome

calls = Declarations("references")


@calls.other(
    "get_page",
    (PAGE,),
    "void get_page(struct page *page)",
    "include/linux/mm.h get_page",
    "Take a reference on a page that already has one.",
    returns=Returns.NOTHING,
)
def get_page(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/mm.h get_page"""
    pfn = page_ref.checked(m, call.args["page"], "get_page")
    references.get_page(m, pfn)
    outcome.seen = describe.page(m, pfn)


@calls.other(
    "get_page_unless_zero",
    (PAGE,),
    "bool get_page_unless_zero(struct page *page)",
    "include/linux/mm.h get_page_unless_zero",
    "Take a reference unless the page is free.",
    returns=Returns.INT,
)
def get_page_unless_zero(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/mm.h get_page_unless_zero"""
    pfn = page_ref.checked(m, call.args["page"], "get_page_unless_zero")
    outcome.ret = int(references.get_page_unless_zero(m, pfn))
    outcome.seen = describe.page(m, pfn)


@calls.release(
    "put_page",
    (PAGE,),
    "void put_page(struct page *page)",
    "include/linux/mm.h put_page, mm/swap.c __put_page",
    "Drop a reference; the last one frees the page.",
)
def put_page(m: Machine, call: Call, value: int | None) -> None:
    """Kernel: include/linux/mm.h put_page"""
    references.put_page(m, page_ref.checked(m, value, "put_page"))


@calls.other(
    "page_count",
    (PAGE,),
    "int page_count(const struct page *page)",
    "include/linux/page_ref.h page_count",
    "The reference count of the page (of its head, if compound).",
    returns=Returns.INT,
)
def page_count(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/page_ref.h page_count"""
    pfn = page_ref.checked(m, call.args["page"], "page_count")
    outcome.ret = page_ref.page_count(m, pfn)
    outcome.seen = describe.page(m, pfn)

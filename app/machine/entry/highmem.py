"""Calls that give HIGHMEM pages an address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.machine.entry import describe
from app.machine.entry.arguments import PAGE
from app.machine.entry.declare import Declarations
from app.machine.vocabulary import Returns
from app.mm import highmem, page_ref

if TYPE_CHECKING:
    from app.machine.calls import Call
    from app.machine.machine import Machine
    from app.machine.outcome import Outcome

calls = Declarations("highmem")


@calls.other(
    "kmap",
    (PAGE,),
    "void *kmap(struct page *page)",
    "mm/highmem.c kmap_high",
    "Give a HIGHMEM page a kernel address in the PKMAP window.",
    returns=Returns.ADDRESS,
)
def kmap(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/highmem-internal.h kmap"""
    pfn = page_ref.checked(m, call.args["page"], "kmap")
    address = highmem.kmap(m, pfn)
    outcome.ret = None if address is None else f"{address:#x}"
    outcome.result = ("addr", address)
    outcome.seen = describe.page(m, pfn)


@calls.other(
    "kunmap",
    (PAGE,),
    "void kunmap(struct page *page)",
    "mm/highmem.c kunmap_high",
    "Drop a kmap reference.",
    returns=Returns.NOTHING,
)
def kunmap(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/highmem-internal.h kunmap"""
    pfn = page_ref.checked(m, call.args["page"], "kunmap")
    highmem.kunmap(m, pfn)
    outcome.seen = describe.page(m, pfn)

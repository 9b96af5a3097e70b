"""Calls that give HIGHMEM pages an address."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from app.machine.calls import Call
from app.machine.entry import describe
from app.machine.outcome import Outcome
from app.mm import highmem, page_ref

if TYPE_CHECKING:
    from app.machine.machine import Machine


def kmap(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/highmem-internal.h kmap"""
    pfn = page_ref.checked(m, call.args["page"], "kmap")
    address = highmem.kmap(m, pfn)
    outcome.ret = None if address is None else f"{address:#x}"
    outcome.result = ("addr", address)
    outcome.seen = describe.page(m, pfn)


def kunmap(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/highmem-internal.h kunmap"""
    pfn = page_ref.checked(m, call.args["page"], "kunmap")
    highmem.kunmap(m, pfn)
    outcome.seen = describe.page(m, pfn)


CALLERS: Final[dict[str, Callable[[Machine, Call, Outcome], None]]] = {"kmap": kmap, "kunmap": kunmap}

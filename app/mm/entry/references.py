"""Calls that count references."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from app.mm import swap
from app.mm.calls import Call
from app.mm.entry import describe
from app.mm.outcome import Outcome

if TYPE_CHECKING:
    from app.mm.machine import Machine


def get_page(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/mm.h get_page"""
    pfn = swap.checked(m, call.args["page"], "get_page")
    swap.get_page(m, pfn)
    outcome.seen = describe.page(m, pfn)


def get_page_unless_zero(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/mm.h get_page_unless_zero"""
    pfn = swap.checked(m, call.args["page"], "get_page_unless_zero")
    outcome.ret = int(swap.get_page_unless_zero(m, pfn))
    outcome.seen = describe.page(m, pfn)


def page_count(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/page_ref.h page_count"""
    pfn = swap.checked(m, call.args["page"], "page_count")
    outcome.ret = swap.page_count(m, pfn)
    outcome.seen = describe.page(m, pfn)


def put_page(m: Machine, call: Call, value: int | None) -> None:
    """Kernel: include/linux/mm.h put_page"""
    swap.put_page(m, swap.checked(m, value, "put_page"))


RELEASERS: Final[dict[str, Callable[[Machine, Call, int | None], None]]] = {"put_page": put_page}

CALLERS: Final[dict[str, Callable[[Machine, Call, Outcome], None]]] = {
    "get_page": get_page,
    "get_page_unless_zero": get_page_unless_zero,
    "page_count": page_count,
}

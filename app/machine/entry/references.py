"""Calls that count references."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from app.machine.calls import Call
from app.machine.entry import describe
from app.machine.outcome import Outcome
from app.mm import page_ref, references

if TYPE_CHECKING:
    from app.machine.machine import Machine


def get_page(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/mm.h get_page"""
    pfn = page_ref.checked(m, call.args["page"], "get_page")
    references.get_page(m, pfn)
    outcome.seen = describe.page(m, pfn)


def get_page_unless_zero(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/mm.h get_page_unless_zero"""
    pfn = page_ref.checked(m, call.args["page"], "get_page_unless_zero")
    outcome.ret = int(references.get_page_unless_zero(m, pfn))
    outcome.seen = describe.page(m, pfn)


def page_count(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/page_ref.h page_count"""
    pfn = page_ref.checked(m, call.args["page"], "page_count")
    outcome.ret = page_ref.page_count(m, pfn)
    outcome.seen = describe.page(m, pfn)


def put_page(m: Machine, call: Call, value: int | None) -> None:
    """Kernel: include/linux/mm.h put_page"""
    references.put_page(m, page_ref.checked(m, value, "put_page"))


RELEASERS: Final[dict[str, Callable[[Machine, Call, int | None], None]]] = {"put_page": put_page}

CALLERS: Final[dict[str, Callable[[Machine, Call, Outcome], None]]] = {
    "get_page": get_page,
    "get_page_unless_zero": get_page_unless_zero,
    "page_count": page_count,
}

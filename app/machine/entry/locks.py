"""Calls on the page lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from app.machine.calls import Call
from app.machine.entry import describe
from app.machine.outcome import Outcome
from app.mm import filemap, page_ref

if TYPE_CHECKING:
    from app.machine.machine import Machine


def lock_page(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/pagemap.h lock_page"""
    pfn = page_ref.checked(m, call.args["page"], "lock_page")
    filemap.lock_page(m, pfn)
    outcome.deadlock = filemap.deadlock(m, call.task)
    outcome.seen = describe.page(m, pfn)


def trylock_page(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/pagemap.h trylock_page"""
    pfn = page_ref.checked(m, call.args["page"], "trylock_page")
    outcome.ret = int(filemap.trylock_page(m, pfn))
    outcome.seen = describe.page(m, pfn)


def unlock_page(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: mm/folio-compat.c unlock_page"""
    pfn = page_ref.checked(m, call.args["page"], "unlock_page")
    filemap.unlock_page(m, pfn)
    outcome.seen = describe.page(m, pfn)


def wait_on_page_locked(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/pagemap.h wait_on_page_locked"""
    pfn = page_ref.checked(m, call.args["page"], "wait_on_page_locked")
    filemap.wait_on_page_locked(m, pfn)
    outcome.deadlock = filemap.deadlock(m, call.task)
    outcome.seen = describe.page(m, pfn)


CALLERS: Final[dict[str, Callable[[Machine, Call, Outcome], None]]] = {
    "lock_page": lock_page,
    "trylock_page": trylock_page,
    "unlock_page": unlock_page,
    "wait_on_page_locked": wait_on_page_locked,
}

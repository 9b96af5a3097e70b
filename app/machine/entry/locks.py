"""Calls on the page lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.machine.entry import describe
from app.machine.entry.arguments import PAGE
from app.machine.entry.declare import Declarations
from app.machine.vocabulary import Returns
from app.mm import filemap, page_ref

if TYPE_CHECKING:
    from app.machine.calls import Call
    from app.machine.machine import Machine
    from app.machine.outcome import Outcome

calls = Declarations("locks")


@calls.other(
    "lock_page",
    (PAGE,),
    "void lock_page(struct page *page)",
    "include/linux/pagemap.h lock_page, mm/filemap.c __folio_lock",
    "Take the page's lock, sleeping until it is free.",
    returns=Returns.NOTHING,
)
def lock_page(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/pagemap.h lock_page"""
    pfn = page_ref.checked(m, call.args["page"], "lock_page")
    filemap.lock_page(m, pfn)
    outcome.deadlock = filemap.deadlock(m, call.task)
    outcome.seen = describe.page(m, pfn)


@calls.other(
    "trylock_page",
    (PAGE,),
    "bool trylock_page(struct page *page)",
    "include/linux/pagemap.h trylock_page",
    "Take the page's lock if nobody holds it.",
    returns=Returns.INT,
)
def trylock_page(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/pagemap.h trylock_page"""
    pfn = page_ref.checked(m, call.args["page"], "trylock_page")
    outcome.ret = int(filemap.trylock_page(m, pfn))
    outcome.seen = describe.page(m, pfn)


@calls.other(
    "unlock_page",
    (PAGE,),
    "void unlock_page(struct page *page)",
    "mm/folio-compat.c unlock_page, mm/filemap.c folio_unlock",
    "Release the page's lock and wake the waiters; any task may.",
    returns=Returns.NOTHING,
)
def unlock_page(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: mm/folio-compat.c unlock_page"""
    pfn = page_ref.checked(m, call.args["page"], "unlock_page")
    filemap.unlock_page(m, pfn)
    outcome.seen = describe.page(m, pfn)


@calls.other(
    "wait_on_page_locked",
    (PAGE,),
    "void wait_on_page_locked(struct page *page)",
    "include/linux/pagemap.h wait_on_page_locked",
    "Sleep until the page is unlocked, without taking the lock.",
    returns=Returns.NOTHING,
)
def wait_on_page_locked(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/pagemap.h wait_on_page_locked"""
    pfn = page_ref.checked(m, call.args["page"], "wait_on_page_locked")
    filemap.wait_on_page_locked(m, pfn)
    outcome.deadlock = filemap.deadlock(m, call.task)
    outcome.seen = describe.page(m, pfn)

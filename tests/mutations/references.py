"""Breakages of reference counts, compound pages and the page lock."""

from typing import Final

from tests.mutations.mutation import Mutation

REFERENCES: Final = (
    Mutation(
        20,
        "mm/page_free.py",
        "    elif not compound:\n        free_tail(m, pfn, order)",
        "",
        "the tail of a block is freed at once while page 0 is referenced",
    ),
    Mutation(
        20,
        "mm/page_free.py",
        "for piece in range(order - 1, -1, -1):",
        "for piece in range(order):",
        "in pieces, the largest first",
    ),
    Mutation(
        20,
        "mm/page_free.py",
        "        free_with_care(m, pfn + (1 << piece), piece)",
        "        for frame in range(1 << piece):\n"
        "            free_with_care(m, pfn + (1 << piece) + frame, 0)",
        "of decreasing order, not page by page",
    ),
    Mutation(
        20,
        "mm/references.py",
        "    order = page.order if page is not None and page.flags & PG_head else 0\n    if put_page",
        "    order = page.order if page is not None else 0\n    if put_page",
        "the last put_page of a block that is not compound frees page 0 alone",
    ),
    Mutation(
        20,
        "mm/page_free.py",
        "    half.refcount = stray.refcount if stray is not None else 0",
        "    half.refcount = stray.refcount if stray is not None else 1",
        "the other pages of a block have count 0",
    ),
    Mutation(
        21,
        "mm/page_free.py",
        "    elif not compound:",
        "    else:",
        "the tail of a compound page stays while it is referenced",
    ),
    Mutation(
        21,
        "mm/page_ref.py",
        "        if page is not None and page.flags & PG_head:\n            return page.pfn",
        "",
        "get and put on a tail act on the head",
    ),
    Mutation(
        21,
        "mm/references.py",
        "    order = page.order if page is not None and page.flags & PG_head else 0\n    if put_page",
        "    order = 0\n    if put_page",
        "the last put of a compound page frees its whole order",
    ),
    Mutation(
        21,
        "mm/freelist.py",
        "flags = PG_head if order and gfp & _COMP else 0",
        "flags = PG_head if order else 0",
        "a block is compound only with __GFP_COMP",
    ),
    Mutation(
        21,
        "mm/freelist.py",
        "flags = PG_head if order and gfp & _COMP else 0",
        "flags = PG_head if gfp & _COMP else 0",
        "one page is never compound",
    ),
    Mutation(
        21,
        "mm/memory_model.py",
        'SIZEOF_PAGE = {"x86_64": 64,',
        'SIZEOF_PAGE = {"x86_64": 56,',
        "struct page is 64 bytes on x86_64",
    ),
    Mutation(
        21,
        "mm/memory_model.py",
        '"i386": 40}',
        '"i386": 36}',
        "struct page is 40 bytes on i386",
    ),
    Mutation(
        28,
        "mm/filemap.py",
        "        if exclusive:\n            take(m, folio, task)\n            break",
        "        if exclusive:\n            take(m, folio, task)",
        "shared waiters behind the first exclusive one sleep on",
    ),
    Mutation(
        28,
        "mm/filemap.py",
        "    for task in wait.page_waiters(m, folio):",
        "    for task in sorted(wait.page_waiters(m, folio), key=lambda task: task.exclusive):",
        "the queue is walked in its order",
    ),
    Mutation(
        28,
        "mm/filemap.py",
        "    for task in wait.page_waiters(m, folio):",
        "    for task in wait.page_waiters(m, folio)[:1]:",
        "every shared waiter ahead of the first exclusive one is woken",
    ),
    Mutation(
        28,
        "mm/filemap.py",
        "            take(m, folio, task)\n            break",
        "            break",
        "the woken locker gets the lock",
    ),
    Mutation(
        28,
        "mm/filemap.py",
        "    page_ref.change_flags(m, folio, clear=PG_locked)\n    m.lock_holders.drop",
        "    if m.lock_holders.get(folio) != m.tasks[m.current.task].pid:\n"
        "        return\n"
        "    page_ref.change_flags(m, folio, clear=PG_locked)\n"
        "    m.lock_holders.drop",
        "anyone may unlock",
    ),
    Mutation(
        28,
        "mm/filemap.py",
        "    if not trylock_page(m, pfn):\n        wait_bit",
        "    if not trylock_page(m, pfn) and m.lock_holders.get(pfn) != m.tasks[m.current.task].pid:\n"
        "        wait_bit",
        "a task that has the lock waits for itself",
    ),
    Mutation(
        28,
        "mm/filemap.py",
        "    page_ref.change_flags(m, folio, set=PG_waiters)",
        "",
        "waiting sets PG_waiters",
    ),
    Mutation(
        28,
        "mm/filemap.py",
        "    if not left:\n        page_ref",
        "    if True:\n        page_ref",
        "PG_waiters stays while somebody sleeps",
    ),
    Mutation(
        28,
        "mm/filemap.py",
        "    folio = page_ref.compound_head(m, pfn)\n    locked = bool(",
        "    folio = pfn\n    locked = bool(",
        "the lock of a compound page is its head's",
    ),
    Mutation(
        28,
        "mm/filemap.py",
        "    folio = page_ref.compound_head(m, pfn)\n    flags = page_ref",
        "    folio = pfn\n    flags = page_ref",
        "also when it is released",
    ),
)

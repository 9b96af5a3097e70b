"""Taking a page off its list for a while, to do something with it, and putting it back.

Kernel: mm/vmscan.c folio_isolate_lru, folio_putback_lru. Who has isolated a page is alone with it:
neither reclaim nor compaction finds it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import lru, mem_map, swap
from app.mm.page import PG_lru

if TYPE_CHECKING:
    from app.mm.kernel import Kernel


def isolate_lru_page(m: Kernel, pfn: int) -> bool:
    """Take a page off its list, with a reference; whether it was on one. Kernel: folio_isolate_lru

    A page that waits in the batch for new ones is on no list, so who needs it drains the batches first.
    """
    head = mem_map.compound_head(m, pfn)
    if not mem_map.test_clear_flag(m, head, PG_lru):
        return False
    mem_map.get_page(m, head)
    lru.lruvec_del(m, head)
    return True


def putback_lru_page(m: Kernel, head: int) -> None:
    """Queue an isolated page for its list, and drop the reference of isolation. Kernel: folio_putback_lru"""
    swap.folio_add_lru(m, head)
    lru.put_page(m, head)

"""6.1's own two lists, on a number of pages: one process, anonymous memory, enough swap.

Kernel: mm/vmscan.c shrink_lruvec, shrink_active_list, folio_check_references, mm/workingset.c. A page begins
on the inactive list; there a use that reclaim sees twice brings it to the active one. What comes back soon
after it was reclaimed goes to the active list at once: its distance says that it would have stayed, had the
active pages made room.
"""

from __future__ import annotations

from collections import deque
from math import isqrt
from typing import Final

from app.machine.replacement.policies import Policy

GIB_PAGES_SHIFT: Final = 18


class Lru2List(Policy):
    """The lists, each page's young bit and PG_referenced, and the shadows of reclaimed pages.

    The head of a list is on the left. age: `nonresident_age`.
    """

    def begin(self) -> None:
        """Nothing is in any frame."""
        self.inactive: deque[int] = deque()
        self.active: deque[int] = deque()
        self.young = bytearray(len(self.string.names))
        self.referenced = bytearray(len(self.string.names))
        self.shadows: dict[int, int] = {}
        self.age = 0

    def hit(self, page: int) -> None:
        """The processor sets the young bit, and the kernel learns of it when it looks."""
        self.young[page] = 1

    def load(self, page: int) -> None:
        """A new page goes to the inactive list, a refault that is near enough to the active one.

        Kernel: lru_add_fn, workingset_refault
        """
        self.young[page] = self.load_bit
        self.referenced[page] = 0
        shadow = self.shadows.pop(page, None)
        if shadow is not None and self.age - shadow <= len(self.active):
            self.age += 1
            self.active.appendleft(page)
        else:
            self.inactive.appendleft(page)

    def victim(self) -> int:
        """Look at pages from the tails until one can go. Kernel: shrink_lruvec, shrink_folio_list"""
        while True:
            if not self.inactive or self.inactive_is_low():
                self.deactivate()
            page = self.inactive.pop()
            if not self.young[page]:
                self.shadows[page] = self.age
                self.age += 1
                return page
            self.young[page] = 0
            if self.referenced[page]:
                self.age += 1
                self.active.appendleft(page)
            else:
                self.inactive.appendleft(page)
            self.referenced[page] = 1

    def inactive_is_low(self) -> bool:
        """Whether active pages have to be looked at again. Kernel: inactive_is_low"""
        inactive, active = len(self.inactive), len(self.active)
        gigabytes = inactive + active >> GIB_PAGES_SHIFT
        return inactive * (isqrt(10 * gigabytes) if gigabytes else 1) < active

    def deactivate(self) -> None:
        """The oldest active page goes to the inactive list, used or not. Kernel: shrink_active_list"""
        page = self.active.pop()
        self.young[page] = 0
        self.inactive.appendleft(page)

"""6.1's own two lists, on a number of pages: one process, anonymous memory, enough swap.

Kernel: mm/vmscan.c shrink_node, shrink_lruvec, shrink_active_list, folio_check_references, mm/workingset.c. A
page begins on the inactive list; there a use that reclaim sees twice brings it to the active one. What comes
back soon after it was reclaimed goes to the active list at once: its distance says that it would have stayed,
had the active pages made room.

The kernel takes pages in lots of 32 and reclaims 32 at once; here a lot is one page, and one is enough, as
otherwise a comparison with so few frames would only show the lots. Nothing else differs: a test has the
kernel's own functions make the same references, with lots of one page.
"""

from __future__ import annotations

from collections import deque
from math import isqrt
from typing import Final

from app.machine.replacement.policies import Policy

GIB_PAGES_SHIFT: Final = 18


class Lru2List(Policy):
    """The lists, each page's young bit and PG_referenced, and the shadows of reclaimed pages.

    The head of a list is on the left. age: `nonresident_age`. refaulted: whether a refault has activated a
    page since reclaim last ended. looked_at: while somebody wants to know, what became of each page that was
    looked at.
    """

    def begin(self) -> None:
        """Nothing is in any frame."""
        self.inactive: deque[int] = deque()
        self.active: deque[int] = deque()
        self.young = bytearray(len(self.string.names))
        self.referenced = bytearray(len(self.string.names))
        self.shadows: dict[int, int] = {}
        self.age = 0
        self.refaulted = False
        self.looked_at: list[tuple[str, int]] | None = None

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
            self.refaulted = True
            self.active.appendleft(page)
        else:
            self.inactive.appendleft(page)

    def victim(self) -> int:
        """Reclaim a page. Kernel: do_try_to_free_pages

        First active pages are left alone where they may be; if nothing was found so, they are not.
        """
        force = False
        while True:
            gone, force = self.shrink_lists(force=force)
            self.refaulted = False
            if gone is not None:
                return gone

    def shrink_lists(self, *, force: bool) -> tuple[int | None, bool]:
        """Go over the lists once; the page that goes, and whether active ones were left alone.

        Kernel: prepare_scan_count, shrink_lruvec. They are not where the inactive list is short, or where
        what was reclaimed comes back.
        """
        deactivate = force or self.refaulted or self.inactive_is_low()
        active, gone, spared = len(self.active), None, False
        for turn in range(len(self.inactive)):
            gone = self.shrink_inactive()
            if turn < active:
                if deactivate:
                    self.shrink_active()
                spared = not deactivate
            if gone is not None:
                break
        if self.inactive_is_low():
            self.shrink_active()
        return gone, spared

    def shrink_inactive(self) -> int | None:
        """Look at the oldest inactive page; the page, if it goes.

        Kernel: shrink_inactive_list, folio_check_references
        """
        page = self.inactive.pop()
        if not self.young[page]:
            self.shadows[page] = self.age
            self.age += 1
            self.tell("goes", page)
            return page
        self.young[page] = 0
        if self.referenced[page]:
            self.age += 1
            self.active.appendleft(page)
            self.tell("activated", page)
        else:
            self.inactive.appendleft(page)
            self.tell("kept", page)
        self.referenced[page] = 1
        return None

    def shrink_active(self) -> None:
        """The oldest active page goes to the inactive list, used or not. Kernel: shrink_active_list"""
        if self.active:
            page = self.active.pop()
            self.young[page] = 0
            self.inactive.appendleft(page)
            self.tell("deactivated", page)

    def inactive_is_low(self) -> bool:
        """Whether active pages have to be looked at again. Kernel: inactive_is_low"""
        inactive, active = len(self.inactive), len(self.active)
        gigabytes = inactive + active >> GIB_PAGES_SHIFT
        return inactive * (isqrt(10 * gigabytes) if gigabytes else 1) < active

    def tell(self, what: str, page: int) -> None:
        """Note what became of a page, if that is wanted."""
        if self.looked_at is not None:
            self.looked_at.append((what, page))

    def note(self, page: int) -> str:
        """The list, the young bit and PG_referenced of a page."""
        where = "A" if page in self.active else "I"
        return where + "y" * self.young[page] + "r" * self.referenced[page]

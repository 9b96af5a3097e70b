"""A reference string: which pages a program uses, one after the other, and whether it writes."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Final

MOST_REFERENCES: Final = 10**6


class ReferenceString:
    """The references, with pages numbered in the order in which they come up.

    pages: the number of each reference's page. writes: 1 where it writes. names: what each page is called.
    """

    __slots__ = ("names", "pages", "writes")

    def __init__(self, references: Iterable[tuple[int, bool]]) -> None:
        self.pages = array("I")
        self.writes = bytearray()
        numbers: dict[int, int] = {}
        for page, write in references:
            self.pages.append(numbers.setdefault(page, len(numbers)))
            self.writes.append(write)
        self.names = list(numbers)

    def __len__(self) -> int:
        return len(self.pages)

    def next_uses(self) -> array[int]:
        """For each reference where its page is used again; behind the end where it is not."""
        never = len(self.pages)
        next_of = [never] * len(self.names)
        found = array("I", [never]) * never
        for at in range(never - 1, -1, -1):
            page = self.pages[at]
            found[at] = next_of[page]
            next_of[page] = at
        return found

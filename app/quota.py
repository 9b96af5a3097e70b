"""Counts how much each person uses of something that is limited in all."""

from __future__ import annotations


class Quota:
    """Counts what each has. most: for all together. most_each: for one person, or one stranger's address."""

    def __init__(self, most: float, most_each: float) -> None:
        self.most = most
        self.most_each = most_each
        self.all = 0
        self.of: dict[str, int] = {}

    def has_too_much(self, who: str, more: int) -> bool:
        """Whether that much more would be too much for one."""
        return self.of.get(who, 0) + more > self.most_each

    def is_full(self, more: int) -> bool:
        """Whether that much more would be too much for all together."""
        return self.all + more > self.most

    def take(self, who: str, more: int) -> None:
        """Count more for a person."""
        self.of[who] = self.of.get(who, 0) + more
        self.all += more

    def give_back(self, who: str, size: int) -> None:
        """Count less for a person."""
        left = self.of[who] - size
        if left:
            self.of[who] = left
        else:
            del self.of[who]
        self.all -= size

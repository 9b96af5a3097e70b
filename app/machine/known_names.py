"""The names that a call may use: the caller's own, and those of others behind their number, as `m1.p`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

T = TypeVar("T")

# How many others are named who have a name that the caller has not.
SHOWN: Final = 5


class KnownNames(Mapping[str, T]):
    """What the names of one person stand for, and those of everybody else who calls the same machine.

    own: their own. by: their own number. others: those of everybody by number, as rows have it (`m7`, `i1`).
    """

    def __init__(self, own: Mapping[str, T], by: str | None, others: Mapping[str, Mapping[str, T]]) -> None:
        self.own = own
        self._by = by
        self._others = others

    def __getitem__(self, name: str) -> T:
        if name in self.own:
            return self.own[name]
        by, _, theirs = name.partition(".")
        return self.own[theirs] if by == self._by else self._others[by][theirs]

    def __iter__(self) -> Iterator[str]:
        yield from self.own
        for by, names in self._others.items():
            if by != self._by:
                yield from (f"{by}.{name}" for name in names)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def elsewhere(self, name: str) -> list[str]:
        """The same name where others have it: `m1.p` for `p`."""
        return [f"{by}.{name}" for by, names in self._others.items() if by != self._by and name in names][
            :SHOWN
        ]

"""What everybody else takes and frees, at its place between the pages that an operation takes and frees."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class EventOrder(ABC):
    """The others' events of one operation. pending: how many of the operation's own come before → events."""

    def __init__(self) -> None:
        self.pending: dict[int, list[Any]] = {}
        self.position = 0
        self.busy = False

    def before_own(self) -> None:
        """The operation is about to take or free a page: first what others did before."""
        if not self.busy:
            self.run(self.position)

    def after_own(self) -> None:
        """It has done so."""
        if not self.busy:
            self.position += 1

    def took(self, pfn: int | None) -> None:
        """Somebody has been given a frame; None is that there was none."""
        del pfn
        self.after_own()

    def run(self, position: int) -> None:
        """Make the events that fall at a place in the order."""
        self.busy = True
        for event in self.pending.pop(position, ()):
            self.make(event)
        self.busy = False

    def flush(self) -> None:
        """Make all that is left."""
        for position in sorted(self.pending):
            self.run(position)

    @abstractmethod
    def make(self, event: list[Any]) -> None:
        """One allocation or free."""


class Listener:
    """A trace that tells of each page which the operation is about to take or free, and ignores all else."""

    def __init__(self, order: EventOrder) -> None:
        self.order = order

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *_: Any, **__: Any) -> None:
        """Any other trace point."""

    def request(self, *_: Any) -> None:
        """Before an allocation."""
        self.order.before_own()

    def alloc(self, pfn: int | None, *_: Any) -> None:
        """After it."""
        self.order.took(pfn)

    def free(self, *_: Any) -> None:
        """Before a free."""
        self.order.before_own()
        self.order.after_own()

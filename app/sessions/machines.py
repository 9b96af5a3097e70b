"""The machines that are held open, and which of them to close."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Iterator

from app.sessions.live import Live


class Machines:
    """Open machines by session. memory: estimated bytes that they may take together; one may always stay."""

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self.taken = 0
        # The least recently used first.
        self._lives: OrderedDict[str, Live] = OrderedDict()
        self._sizes: dict[str, int] = {}

    def __contains__(self, sid: str) -> bool:
        return sid in self._lives

    def __len__(self) -> int:
        return len(self._lives)

    def __iter__(self) -> Iterator[Live]:
        """The most recently used first."""
        return reversed(self._lives.values())

    def get(self, sid: str) -> Live | None:
        """A session's machine, if it is open; it counts as used."""
        live = self._lives.get(sid)
        if live is not None:
            self._lives.move_to_end(sid)
        return live

    def peek(self, sid: str) -> Live | None:
        """The same without counting as used: a machine that is only looked at is closed first."""
        return self._lives.get(sid)

    def add(self, live: Live) -> None:
        """Hold a machine open."""
        self._lives[live.id] = live
        self.used(live.id)

    def drop(self, sid: str) -> None:
        """Forget a machine; the next work opens it again."""
        if self._lives.pop(sid, None) is not None:
            self.taken -= self._sizes.pop(sid)

    def clear(self) -> None:
        """Forget every machine."""
        self._lives.clear()
        self._sizes.clear()
        self.taken = 0

    def used(self, sid: str) -> Live | None:
        """Look again at what a machine takes, after calls."""
        live = self._lives.get(sid)
        if live is not None:
            self.taken += live.memory - self._sizes.get(sid, 0)
            self._sizes[sid] = live.memory
        return live

    def surplus(self, closed: Container[str]) -> Iterator[Live]:
        """Take out the least recently used until there is memory again, but none that a batch works on."""
        for sid in list(self._lives) if self.taken > self.memory else ():
            if self.taken <= self.memory or len(self._lives) == 1:
                return
            if sid not in closed:
                live = self._lives[sid]
                self.drop(sid)
                yield live

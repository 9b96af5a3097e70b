"""Machines with what an exercise has done on them before it asks: many variants begin alike."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, Final

from app.errors import BadArgument
from app.exercises.playground import Playground

# Beginnings that are kept, and blocks of memory that are allocated in all of them; one may always stay.
MOST_KEPT: Final = 16
BLOCKS_KEPT: Final = 500_000
# With so few calls and blocks a machine is booted sooner than copied.
FEW_CALLS: Final = 8
FEW_BLOCKS: Final = 64


class BadMachine(Exception):  # noqa: N818 - as the others are named
    """A description of which no machine can be booted."""


class Starts:
    """Beginnings by what was booted and called. For any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._copying = Lock()
        # The least recently used first, each with its blocks. Nobody makes a call on these.
        self._kept: OrderedDict[str, tuple[Playground, int]] = OrderedDict()

    def at(self, machine: Mapping[str, Any], lines: Sequence[str] = ()) -> Playground:
        """A machine of one's own behind these lines. Raises BadMachine and Refused."""
        place = self.look(machine, lines)
        if place.seq <= FEW_CALLS and place.machine.live_blocks <= FEW_BLOCKS:
            return made(machine, lines)
        with self._copying:
            place.keep()
        return place.copy()

    def look(self, machine: Mapping[str, Any], lines: Sequence[str] = ()) -> Playground:
        """The same to be looked at only."""
        key = json.dumps([machine, *lines], sort_keys=True)
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found[0]
        place = made(machine, lines)
        with self._lock:
            self._kept[key] = place, place.machine.live_blocks
            while len(self._kept) > 1 and self._too_many():
                self._kept.popitem(last=False)
        return place

    def _too_many(self) -> bool:
        blocks = sum(blocks for _, blocks in self._kept.values())
        return len(self._kept) > MOST_KEPT or blocks > BLOCKS_KEPT


def made(machine: Mapping[str, Any], lines: Sequence[str]) -> Playground:
    """A machine that has just been booted, and calls made on it."""
    try:
        place = Playground.boot(machine)
    except BadArgument as error:
        raise BadMachine(str(error)) from None
    place.make(lines)
    return place


# Shared by all exercises of the process.
STARTS: Final = Starts()

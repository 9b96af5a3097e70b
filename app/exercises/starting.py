"""Machines with what an exercise has done on them before it asks: many variants begin alike."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, Final, TypeVar

from app.errors import BadArgument
from app.exercises import facts
from app.exercises.playground import Kept, Playground

T = TypeVar("T")

# Beginnings that are kept, and blocks of memory that are allocated in all of them; one may always stay.
MOST_KEPT: Final = 16
BLOCKS_KEPT: Final = 500_000
# Of so many machines the facts are kept, and of so many beginnings it is known that they were asked for.
MOST_KNOWN: Final = 256
# With so few calls and blocks a machine is booted sooner than copied.
FEW_CALLS: Final = 8
FEW_BLOCKS: Final = 64


class BadMachine(Exception):  # noqa: N818 - as the others are named
    """A description of which no machine can be booted."""


class Starts:
    """Beginnings by what was booted and called; what is asked for a second time is kept. For any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        # The least recently used first, each with its blocks.
        self._kept: OrderedDict[str, tuple[Kept, int]] = OrderedDict()
        self._asked: OrderedDict[str, None] = OrderedDict()
        self._facts: OrderedDict[str, Mapping[str, int]] = OrderedDict()
        # A machine that was booted for its facts, for whoever wants one like it.
        self._spare: tuple[str, Playground] | None = None

    def at(self, machine: Mapping[str, Any], lines: Sequence[str] = ()) -> Playground:
        """A machine of one's own behind these lines. Raises BadMachine and Refused."""
        key = key_of(machine, lines)
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            again = key in self._asked
            remember(self._asked, key, None)
        if found is not None:
            return found[0].copy()
        place = self._fresh(machine)
        place.make(lines)
        if again and (place.seq > FEW_CALLS or place.machine.live_blocks > FEW_BLOCKS):
            self._keep(key, place)
        return place

    def facts(self, machine: Mapping[str, Any]) -> Mapping[str, int]:
        """What formulas can know of the machine before any call. Raises BadMachine."""
        key = key_of(machine)
        with self._lock:
            found = self._facts.get(key)
        if found is not None:
            return found
        place = self._fresh(machine)
        known = facts.of(place.machine)
        found = {name: known(name) for name in facts.names(place.machine)}
        with self._lock:
            remember(self._facts, key, found)
            self._spare = key, place
        return found

    def _fresh(self, machine: Mapping[str, Any]) -> Playground:
        """A machine that has just been booted."""
        with self._lock:
            if self._spare is not None and self._spare[0] == key_of(machine):
                place, self._spare = self._spare[1], None
                return place
        try:
            return Playground.boot(machine)
        except BadArgument as error:
            raise BadMachine(str(error)) from None

    def _keep(self, key: str, place: Playground) -> None:
        with self._lock:
            self._kept[key] = place.kept(), place.machine.live_blocks
            while len(self._kept) > 1 and self._too_many():
                self._kept.popitem(last=False)

    def _too_many(self) -> bool:
        blocks = sum(blocks for _, blocks in self._kept.values())
        return len(self._kept) > MOST_KEPT or blocks > BLOCKS_KEPT


def key_of(machine: Mapping[str, Any], lines: Sequence[str] = ()) -> str:
    """What is booted and called, as one text."""
    return json.dumps([machine, *lines], sort_keys=True)


def remember(found: OrderedDict[str, T], key: str, value: T) -> None:
    """Add to a table that forgets what was added or asked for longest ago."""
    found[key] = value
    found.move_to_end(key)
    if len(found) > MOST_KNOWN:
        found.popitem(last=False)


# Shared by all exercises of the process.
STARTS: Final = Starts()

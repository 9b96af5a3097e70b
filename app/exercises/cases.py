"""Sets of values with which a file is tried: every choice, the ends of ranges, and some by chance."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Final

from app.errors import shortened
from app.exercises import facts, values
from app.exercises.exercise import Drawn
from app.exercises.values import Chance, Value
from app.machine import boot
from app.machine.machine import Machine

# How many sets are drawn by chance, beside every choice and every end.
DRAWS: Final = 20
SHOWN: Final = 200
# Machines that are kept.
MOST_BOOTS: Final = 8

Pick = Callable[[Drawn], Value]


@dataclass
class Case:
    """One set of values, and the machine with them, which is booted when somebody asks for it."""

    description: Mapping[str, Any]
    # Machines that were booted before, by `key`.
    boots: dict[str, Machine]
    values: dict[str, Value] = field(default_factory=dict)
    # Who makes calls.
    tasks: dict[str, None] = field(default_factory=dict)
    booted: Machine | None = None

    @cached_property
    def key(self) -> str:
        """The same for the same machine. Raises BadTemplate."""
        return json.dumps(values.machine(self.description, self.values), default=str)

    @property
    def machine(self) -> Machine:
        """The fresh machine. Raises as `boot`."""
        return self.boot()

    def boot(self) -> Machine:
        """Boot the machine, once the values that it needs are picked. Raises BadArgument, BadTemplate."""
        if self.booted is None:
            key = self.key
            if key not in self.boots:
                if len(self.boots) >= MOST_BOOTS:
                    self.boots.clear()
                self.boots[key] = boot.boot(values.machine(self.description, self.values))
            self.booted = self.boots[key]
        return self.booted

    def fact(self, name: str) -> int:
        """A fact of the fresh machine. Raises KeyError, and what `machine` raises."""
        return facts.of(self.machine)(name)

    def known(self, name: str) -> int:
        """What formulas know."""
        return values.known(self.values, self.fact)(name)

    def told(self, msg: str) -> str:
        """What is wrong, and with which values."""
        found = (
            f"{name} = {', '.join(map(str, value)) if isinstance(value, tuple) else value}"
            for name, value in self.values.items()
        )
        return f"{msg} (with {shortened('; '.join(found), SHOWN)})" if self.values else msg


def picks(vary: Sequence[Drawn]) -> Iterator[Pick]:
    """How each set is picked; the first is the base.

    In the others every value is another one: so all choices and both ends have had their turn after as many
    sets as the longest list has choices.
    """
    each = {one.name: turns(one) for one in vary}
    for turn in range(max(map(len, each.values()), default=1)):
        yield partial(at_turn, each, turn)
    if vary:
        for number in range(DRAWS):
            yield partial(values.drawn, chance=Chance(number.to_bytes(8, "big")))


def at_turn(each: Mapping[str, Sequence[Value]], turn: int, one: Drawn) -> Value:
    """A value in a set."""
    found = each[one.name]
    return found[turn % len(found)]


def turns(one: Drawn) -> Sequence[Value]:
    """What a value has to be once: each choice, both ends of a range, a list as it is and backwards."""
    if one.how == "from":
        return one.choices
    if one.how == "shuffle":
        return one.choices, one.choices[::-1]
    if one.how == "is":
        return (0,)
    return values.at(one, 0), values.at(one, values.ways(one) - 1)

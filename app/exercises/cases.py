"""Sets of values with which a file is tried: every choice, the ends of ranges, and some by chance."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
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


@dataclass(slots=True)
class Case:
    """One set of values, and the machine with them, which is booted when somebody asks for it."""

    description: Mapping[str, Any]
    # Machines that were booted before, by `key`.
    boots: dict[str, Machine]
    values: dict[str, Value] = field(default_factory=dict)
    # Who makes calls.
    tasks: dict[str, None] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The same for the same machine. Raises BadTemplate."""
        return json.dumps(values.machine(self.description, self.values), default=str)

    @property
    def machine(self) -> Machine:
        """The fresh machine. Raises as `boot`."""
        return self.boot()

    def boot(self) -> Machine:
        """Boot the machine with these values, once. Raises BadArgument, BadTemplate."""
        key = self.key
        if key not in self.boots:
            if len(self.boots) >= MOST_BOOTS:
                self.boots.clear()
            self.boots[key] = boot.boot(values.machine(self.description, self.values))
        return self.boots[key]

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
    """How each set is picked; the first is the base."""
    yield base
    for one in vary:
        for value in others(one):
            yield partial(but, one.name, value)
    if vary:
        for number in range(DRAWS):
            yield partial(values.drawn, chance=Chance(number.to_bytes(8, "big")))


def base(one: Drawn) -> Value:
    """The first choice."""
    return values.at(one, 0)


def but(name: str, value: Value, one: Drawn) -> Value:
    """The first choice, but for one value."""
    return value if one.name == name else base(one)


def others(one: Drawn) -> Iterator[Value]:
    """What a value can be beside the base: each choice, the other end of a range, a list backwards."""
    if one.how == "shuffle":
        yield one.choices[::-1]
    elif one.how != "is":
        last = values.ways(one) - 1
        for place in range(1, last + 1) if one.how == "from" else {last}:
            yield values.at(one, place)

"""A machine without a session: lines of the console are made on it, and nothing is kept of them.

What a line means is what it means in a session: it is read by the same parser, and names are bound alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from app.errors import BadArgument, Refusal
from app.exercises.rows import MadeRow
from app.machine import binding, boot, calltext, parsing
from app.machine.calls import Lists, Named, no_lists
from app.machine.linetext import Line
from app.machine.machine import Machine
from app.machine.outcome import Outcome


class Refused(Exception):  # noqa: N818 - as the others are named
    """A line that was not made: which of them, from 1, and why."""

    def __init__(self, number: int, text: str, why: str) -> None:
        super().__init__(f"line {number}, {text!r}: {why}")
        self.number = number


@lru_cache(maxsize=2048)
def read(text: str) -> Line:
    """The call of a line; exercises make the same ones again and again."""
    return calltext.parse_line(text)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a playground was, without its machine."""

    state: Mapping[str, Any]
    seq: int
    names: Mapping[str, Named]
    known: Mapping[str, None]
    lists: Lists

    def copy(self) -> Playground:
        """One that is the same again."""
        machine = boot.restore(self.state)
        return Playground(machine, self.seq, dict(self.names), dict(self.known), self.lists, self.state)


@dataclass(slots=True)
class Playground:
    """A machine on which an exercise is tried.

    seq: of the last call. names: what they stand for; known: all that were given, also to nothing. lists:
    finds lists of a session from which the machine comes.
    """

    machine: Machine
    seq: int = 0
    names: dict[str, Named] = field(default_factory=dict)
    known: dict[str, None] = field(default_factory=dict)
    lists: Lists = no_lists
    # The machine's state, where no call was made since it was taken.
    state: Mapping[str, Any] | None = None

    @classmethod
    def boot(cls, description: Mapping[str, Any]) -> Playground:
        """A fresh machine, as `POST /sessions` takes one. Raises BadArgument."""
        return cls(boot.boot(description))

    def kept(self) -> Kept:
        """What it is now, for copies; the machine's state is taken once for all of them."""
        if self.state is None:
            self.state = self.machine.state()
        return Kept(self.state, self.seq, dict(self.names), dict(self.known), self.lists)

    def copy(self) -> Playground:
        """Another one in the same state, with names that mean the same."""
        return self.kept().copy()

    def make(self, lines: Iterable[str]) -> list[MadeRow]:
        """Make calls, one a line. Raises Refused at the first one that is not made."""
        return [row for number, text in enumerate(lines, 1) for row in self.make_line(text, number)]

    def make_line(self, text: str, number: int = 1) -> list[MadeRow]:
        """Make the call of a line; none where it holds none. number: of the line, for what is refused."""
        return [self.row(outcome) for outcome in self.act(text, number)]

    def act(self, text: str, number: int = 1) -> list[Outcome]:
        """The same, as the machine answers it."""
        try:
            line = read(text)
            return [] if line.name is None else [self.apply(line)]
        except BadArgument as error:
            raise Refused(number, text, error.faults[0].msg) from error
        except Refusal as error:
            raise Refused(number, text, str(error)) from error

    def apply(self, line: Line) -> Outcome:
        """Make the call of a line and give its result its name. Raises what refuses it."""
        assert line.name is not None
        call = parsing.parse(line.name, line.body, self.machine.model, self.known)
        resolved = binding.resolved(call, self.names, self.machine, self.lists)
        self.state = None
        outcome = self.machine.apply(resolved, self.seq + 1)
        self.seq += 1
        if line.as_name is not None:
            self.known[line.as_name] = None
            binding.bind(self.names, line.as_name, outcome.named)
        return outcome

    def row(self, outcome: Outcome) -> MadeRow:
        """The last call as a session would have it in its journal."""
        document = outcome.as_json(self.machine.model)
        return MadeRow(self.seq, outcome.call.spec.name, document["args"], document)

"""Checks of what was done while it is done: each is told of every row before and after it is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from app.demos import expect
from app.demos.expect import Expectation
from app.errors import BadArgument, Refusal
from app.exercises import matching, states
from app.exercises.look import Look
from app.exercises.matching import Matcher
from app.exercises.rows import MadeRow
from app.exercises.states import State
from app.machine import binding, boot, parsing
from app.machine.linetext import Line

NOBODY: Final = "nobody"
NOTHING: Final = "nothing"


class Watch:
    """A check while rows are made."""

    # Before which rows the machine is of interest.
    minds: Matcher | None = None
    look: Look

    def begin(self, look: Look) -> None:
        """Before the first row."""
        self.look = look

    def before(self, row: MadeRow) -> None:
        """A row that it minds is made now; of a repeated call, its last round."""

    def after(self, row: MadeRow) -> None:
        """A row was made."""

    def unmet(self) -> str:
        """What is instead, at the end; empty where the check holds."""
        raise NotImplementedError


# Makes a watch for another set of rows.
Watching: TypeAlias = Callable[[], Watch]


class StateWatch(Watch):
    """A state at the end."""

    def __init__(self, state: State) -> None:
        self.state = state

    def begin(self, look: Look) -> None:
        """As `Watch.begin`."""
        super().begin(look)
        self.state.begin(look)

    def unmet(self) -> str:
        """As `Watch.unmet`."""
        return self.state.unmet(self.look)


@dataclass(frozen=True, slots=True)
class Counted:
    """How many rows match. condition: what holds of the machine before each of them."""

    matcher: Matcher
    how: str
    wanted: int
    condition: State | None


class CountWatch(Watch):
    """`some`, `no` and `count`."""

    def __init__(self, counted: Counted) -> None:
        self.counted = counted
        self.found = 0
        # Rows that match, and the machine before them was not as it must be.
        self.others = 0
        # Before which row the condition has held last.
        self.holds_at: int | None = None

    def begin(self, look: Look) -> None:
        """As `Watch.begin`."""
        super().begin(look)
        if self.counted.condition is not None:
            self.counted.condition.begin(look)
            self.minds = self.counted.matcher

    def before(self, row: MadeRow) -> None:
        """As `Watch.before`."""
        assert self.counted.condition is not None
        if not self.counted.condition.unmet(self.look):
            self.holds_at = row.seq
        elif self.holds_at == row.seq:
            self.holds_at = None

    def after(self, row: MadeRow) -> None:
        """As `Watch.after`."""
        if not self.counted.matcher.matches(row):
            return
        if self.counted.condition is None or self.holds_at == row.seq:
            self.found += 1
        else:
            self.others += 1

    def unmet(self) -> str:
        """As `Watch.unmet`."""
        if states.compare(self.counted.how, self.found, self.counted.wanted):
            return ""
        others = f"; {self.others} match while that does not hold" if self.others else ""
        return f"{self.found} rows match{others}"


class CallsWatch(Watch):
    """`only` and `never`."""

    def __init__(self, calls: Sequence[str], *, never: bool) -> None:
        self.calls = calls
        self.never = never
        self.fault = ""

    def after(self, row: MadeRow) -> None:
        """As `Watch.after`."""
        listed = any(matching.is_made(call, row) for call in self.calls)
        if listed is self.never and not self.fault:
            self.fault = f"row {row.seq} is {row.name}"

    def unmet(self) -> str:
        """As `Watch.unmet`."""
        return self.fault


class OrderWatch(Watch):
    """`order A, B, C`: later rows may stand between."""

    def __init__(self, matchers: Sequence[Matcher]) -> None:
        self.matchers = matchers
        self.met = 0

    def after(self, row: MadeRow) -> None:
        """As `Watch.after`."""
        if self.met < len(self.matchers) and self.matchers[self.met].matches(row):
            self.met += 1

    def unmet(self) -> str:
        """As `Watch.unmet`."""
        if self.met == len(self.matchers):
            return ""
        return f"nothing matches {self.matchers[self.met].text} after the {self.met} before it"


class NamesWatch(Watch):
    """`woken bob carol`, `killed hog`, `woken nobody`: all of the set, in order."""

    def __init__(self, fact: str, names: Sequence[str]) -> None:
        self.fact = fact
        self.names = names

    def unmet(self) -> str:
        """As `Watch.unmet`."""
        found = self.look.woken if self.fact == "woken" else self.look.killed
        return "" if found == [*self.names] else f"it is {' '.join(found) or NOBODY}"


class LogWatch(Watch):
    """`log TEXT`: a text in one of the set's lines of the kernel log."""

    def __init__(self, text: str) -> None:
        self.text = text

    def unmet(self) -> str:
        """As `Watch.unmet`."""
        if self.text == NOTHING:
            return f"there are {len(self.look.log)} lines" if self.look.log else ""
        return "" if any(self.text in line for line in self.look.log) else "no line has it"


class CallWatch(Watch):
    """`2 ret not NULL`: a fact of the first, second, … row."""

    def __init__(self, expected: Expectation) -> None:
        self.expected = expected

    def unmet(self) -> str:
        """As `Watch.unmet`."""
        if len(self.look.rows) < self.expected.call:
            return f"there are {len(self.look.rows)} rows"
        return expect.unmet(self.expected, [row.outcome for row in self.look.rows], {}, {})


@dataclass(frozen=True, slots=True)
class Probe:
    """A call that is tried on a copy at the end, and the verdict that it must have."""

    line: Line
    verdict: str


class ProbeWatch(Watch):
    """`probe alloc_pages(GFP_NOWAIT, 1) null`."""

    def __init__(self, probe: Probe) -> None:
        self.probe = probe

    def unmet(self) -> str:
        """As `Watch.unmet`."""
        m = boot.restore(self.look.machine.state())
        m.pause = self.look.machine.pause
        assert self.probe.line.name is not None
        try:
            call = parsing.parse(self.probe.line.name, self.probe.line.body, m.model, self.look.names)
            made = m.apply(binding.resolved(call, self.look.names, m), self.look.machine.current.seq + 1)
        except BadArgument as error:
            return f"it cannot be made: {error.faults[0].msg}"
        except Refusal as error:
            return f"it cannot be made: {error}"
        return "" if made.verdict == self.probe.verdict else f"its verdict is {made.verdict}"

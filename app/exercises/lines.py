"""Which lines of a list are faulty, by what their calls did.

    verdict bug                     lines whose row has that verdict; any facts as in checks of goals
    verdict bug, verdict warn       of one kind or another
    verdict ok became lost          both
    log double free                 with a text in its lines of the kernel log
    mistake lost_frames             with a mistake of the caller of that name
    became lost                     that changed frames to a state
    makes deadlock yes              after which a state holds that did not hold before
    held                            that took memory or a reference which is not given back at the end

Whose reference is left over on a page is decided by who takes and who puts: a put takes away the last that
its own task has taken, else the first of anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from app.exercises import matching, states
from app.exercises.held import Finder, Held, MadeLine
from app.exercises.look import NO_NAMES, Look
from app.exercises.replay import Replay
from app.exercises.rows import MadeRow
from app.exercises.states import State
from app.exercises.words import BadCheck, Words
from app.machine import changes
from app.machine.calls import Lists, Named, no_lists
from app.machine.machine import Machine
from app.machine.mistakes import MISTAKES
from app.machine.outcome import Outcome
from app.mm.page import STATES

__all__ = ["BadCheck", "LinesCheck", "Search", "parse"]

Finding: TypeAlias = Callable[[], Finder]


@dataclass(frozen=True, slots=True)
class LinesCheck:
    """A line that was read. finding: for each alternative, what makes the finders that must all agree."""

    text: str
    finding: tuple[tuple[Finding, ...], ...]

    def places(
        self,
        start: Machine,
        rows: Sequence[MadeRow],
        *,
        names: Mapping[str, Named] = NO_NAMES,
        lists: Lists = no_lists,
    ) -> list[int]:
        """The numbers of the faulty lines, from 1 on; each line has made one row.

        start: the machine before the first one, a private one: the rows are made on it. names, lists: as for
        `checks.evaluate`. Raises BadArgument and other refusals where a row cannot be made again.
        """
        look = Look(start, names, 0)
        replay = Replay(start, lists)
        search = Search([self], look)
        for row in rows:
            search.before()
            made = replay.make(row, None)
            look.note(row, made)
            search.after(row, made)
        return search.found()[0]


class Search:
    """Checks of lines while these are made.

    look: at the machine on which they are made; it notes each row.
    """

    def __init__(self, checks: Iterable[LinesCheck], look: Look) -> None:
        self.every = [[[make() for make in finding] for finding in check.finding] for check in checks]
        self.finders = [finder for alternatives in self.every for each in alternatives for finder in each]
        self.made = 0
        for finder in self.finders:
            finder.begin(look)

    def before(self) -> None:
        """The next line is made now."""
        for finder in self.finders:
            finder.before()

    def after(self, row: MadeRow, outcome: Outcome) -> None:
        """It was made and noted."""
        self.made += 1
        for finder in self.finders:
            finder.after(MadeLine(self.made, row, outcome))

    def found(self) -> list[list[int]]:
        """For each check the numbers of the faulty lines, from 1 on."""
        return [faulty(alternatives) for alternatives in self.every]


def faulty(alternatives: Sequence[Sequence[Finder]]) -> list[int]:
    """What one of them finds; finders of one alternative must all agree."""
    found = [set.intersection(*({*finder.lines()} for finder in agreeing)) for agreeing in alternatives]
    return sorted(set().union(*found))


class Matching(Finder):
    """By what became of the line itself."""

    def __init__(self, matches: Callable[[MadeLine], bool]) -> None:
        self.matches = matches
        self.found: list[int] = []

    def after(self, line: MadeLine) -> None:
        """As `Finder.after`."""
        if self.matches(line):
            self.found.append(line.number)

    def lines(self) -> list[int]:
        """As `Finder.lines`."""
        return self.found


class Making(Finder):
    """By a state that holds afterwards, and did not before."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.held = False
        self.found: list[int] = []

    def begin(self, look: Look) -> None:
        """As `Finder.begin`."""
        super().begin(look)
        self.state.begin(look)

    def before(self) -> None:
        """As `Finder.before`."""
        self.held = not self.state.unmet(self.look)

    def after(self, line: MadeLine) -> None:
        """As `Finder.after`."""
        if not self.held and not self.state.unmet(self.look):
            self.found.append(line.number)

    def lines(self) -> list[int]:
        """As `Finder.lines`."""
        return self.found


# -- from words ------------------------------------------------------------------------------------


def parse(line: str) -> LinesCheck:
    """A check of lines. Raises BadCheck."""
    words = Words(line)
    finding = [one(words)]
    while words.skip(","):
        finding.append(one(words))
    words.end()
    return LinesCheck(line, tuple(finding))


def one(words: Words) -> tuple[Finding, ...]:
    """What is true of a faulty line, up to a comma. Raises BadCheck."""
    found = [part(words)]
    while words.ahead not in ("", ","):
        found.append(part(words))
    return tuple(found)


def part(words: Words) -> Finding:
    """One thing of it. Raises BadCheck."""
    if words.ahead in OWN:
        return OWN[words.take("a kind of fault")](words)
    matcher = matching.parse(words, (",", *OWN))
    return lambda: Matching(lambda line: matcher.matches(line.row))


def of_log(words: Words) -> Finding:
    """`log double free`."""
    text = words.until("text of the kernel log", ",")
    return lambda: Matching(partial(has_log, text))


def of_mistake(words: Words) -> Finding:
    """`mistake lost_frames`."""
    name = words.pick("a mistake", MISTAKES)
    return lambda: Matching(partial(is_mistake, name))


def of_became(words: Words) -> Finding:
    """`became lost`."""
    state = words.pick("a state", STATES)
    return lambda: Matching(partial(has_become, state))


def of_making(words: Words) -> Finding:
    """`makes deadlock yes`."""
    state = states.parse(words)
    return lambda: Making(state)


OWN: Final[dict[str, Callable[[Words], Finding]]] = {
    "log": of_log,
    "mistake": of_mistake,
    "became": of_became,
    "makes": of_making,
    "held": lambda _: Held,
}


def has_log(text: str, line: MadeLine) -> bool:
    """Whether a line has put a text into the kernel log."""
    return any(text in logged for logged in line.outcome.log)


def is_mistake(name: str, line: MadeLine) -> bool:
    """Whether the caller of a line has made a mistake."""
    return (line.outcome.cause or {}).get("mistake") == name


def has_become(state: str, line: MadeLine) -> bool:
    """Whether a line has changed frames to a state."""
    return any(run[2] == state for run in changes.all_runs(line.outcome.mentions))

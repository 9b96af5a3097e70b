"""The check language: conditions of a goal, one a line, and whether a set of rows meets them.

    free DMA >= 40%                     a state after the last row, against a value
    live blocks = 0                     what the rows have taken and not given back
    free DMA32 -63                      a change since the beginning, as in a demo's `expect`
    some alloc_pages order 1 null       a row that matches
    count kmalloc size >= 65 ok = 3     how many rows do
    some M while free DMA >= 40%        and what held on the machine right before that row
    only A B · never A B                which calls there are
    order A, B verdict bug              rows in this order
    woken bob carol · log TEXT          what all rows came to
    probe alloc_pages(GFP_NOWAIT, 1) null   what a call would do now
    1 verdict null                      a fact of the first row, as in `expect`

All subjects are in `subjects.SUBJECTS`, facts of rows in `matching`. Rows are those of the effective history:
what was undone is only counted (`undone`). A macro of the kernel's (`alloc_page`) is also the call that it
stands for. Of a repeated call, `while` is about its last round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.errors import Refusal
from app.exercises import exercise, rowsets
from app.exercises.look import NO_NAMES, Look
from app.exercises.replay import Replay
from app.exercises.rows import MadeRow, effective
from app.exercises.rowsets import PREDICATES
from app.exercises.subjects import SUBJECTS
from app.exercises.watches import Watch, Watching
from app.exercises.words import BadCheck, Words
from app.machine.calls import Lists, Named, no_lists
from app.machine.machine import Machine

__all__ = ["BadCheck", "Check", "Evaluation", "Result", "evaluate", "parse", "parse_all"]

MOST_ROWS: Final = 20_000
MOST_PROBES: Final = 3


@dataclass(frozen=True, slots=True)
class Check:
    """A line that was read. watching: makes its watch over a set of rows."""

    text: str
    watching: Watching
    is_probe: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """Whether one check of a goal holds, and what was found where it does not."""

    holds: bool
    # For instructors: it may say more than the student is to know.
    found: str
    # What the student reads; empty where it holds.
    otherwise: str
    points: int
    bonus: bool


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What became of all checks of a goal.

    refused: why nothing could be checked, for the student; every check fails then. rows: how many there were
    in the set. differs: the first row that has another verdict or result when it is made again.
    """

    results: tuple[Result, ...]
    rows: int
    refused: str = ""
    differs: int | None = None

    @property
    def reached(self) -> bool:
        """Whether all hold but those for a bonus."""
        return all(result.holds for result in self.results if not result.bonus)

    @property
    def points(self) -> int:
        """Of the checks that hold, without a bonus."""
        return sum(result.points for result in self.results if result.holds and not result.bonus)

    @property
    def bonus(self) -> int:
        """Of the checks for a bonus that hold, where the goal is reached."""
        return sum(result.points for result in self.results if result.holds and result.bonus) * self.reached

    @property
    def most(self) -> int:
        """Points of all checks, without a bonus."""
        return sum(result.points for result in self.results if not result.bonus)


# -- reading ---------------------------------------------------------------------------------------


def parse(line: str) -> Check:
    """A check. Raises BadCheck."""
    words = Words(line)
    first = words.ahead
    if first[:1].isdecimal():
        watching = rowsets.of_row(words)
    elif first in SUBJECTS:
        watching = rowsets.of_state(words)
    elif first in PREDICATES:
        words.place += 1
        watching = PREDICATES[first](words, first)
    else:
        raise words.unknown("a word that begins a check", (*PREDICATES, *SUBJECTS))
    words.end()
    return Check(line, watching, first == "probe")


def parse_all(checks: Sequence[exercise.Check]) -> list[tuple[Check, ...]]:
    """The lines of each check of a goal, of which one must hold. Raises BadCheck."""
    found = [tuple(parse(line) for line in (check.any or (check.line,))) for check in checks]
    if sum(check.is_probe for alternatives in found for check in alternatives) > MOST_PROBES:
        raise BadCheck(f"at most {MOST_PROBES} probes in a task", 1)
    if sum(len(check.any) > 0 for check in checks) > 1:
        raise BadCheck("any = [...] stands once in a task", 1)
    return found


# -- evaluating ------------------------------------------------------------------------------------


def evaluate(
    checks: Sequence[exercise.Check],
    start: Machine,
    rows: Iterable[MadeRow],
    *,
    by: str | None = None,
    names: Mapping[str, Named] = NO_NAMES,
    lists: Lists = no_lists,
    go_on: Callable[[], None] | None = None,
) -> Evaluation:
    """Whether a goal is reached.

    start: the machine before the first row, a private one: the rows are made on it. rows: all of the journal
    from there on, rewinds included. by: whose rows are the set; None for anybody's. names, lists: what names
    of the beginning stand for, and lists that rows before it have returned. go_on: called now and then; it
    may raise to give up. Raises BadCheck.
    """
    parsed = parse_all(checks)
    history = effective(rows)
    mine = [row for row in history.kept if by is None or row.by == by]
    if history.outside is not None:
        return refused(checks, len(mine), GONE_BACK.format(seq=history.outside.seq))
    if len(history.kept) > MOST_ROWS:
        return refused(checks, len(mine), f"more than {MOST_ROWS:,} rows are not checked")
    undone = sum(by is None or row.by == by for row in history.undone)
    watches = [tuple(check.watching() for check in alternatives) for alternatives in parsed]
    start.pause = go_on
    look = Look(start, names, undone)
    try:
        differs = play(look, [watch for each in watches for watch in each], history.kept, by, lists, go_on)
    except Refusal as error:
        return refused(checks, len(mine), f"a row cannot be made again: {error}")
    found = [[watch.unmet() for watch in each] for each in watches]
    results = tuple(result(check, each) for check, each in zip(checks, found, strict=True))
    return Evaluation(results, len(mine), differs=differs)


GONE_BACK: Final = "row {seq} has gone back to before the task began: undo that, or begin the task again"


def play(
    look: Look,
    watches: Sequence[Watch],
    rows: Sequence[MadeRow],
    by: str | None,
    lists: Lists,
    go_on: Callable[[], None] | None,
) -> int | None:
    """Make all rows. Returns the first that ends otherwise than it did."""
    replay = Replay(look.machine, lists)
    differs = None
    for watch in watches:
        watch.begin(look)
    for row in rows:
        if go_on is not None:
            go_on()
        if by is not None and row.by != by:
            made = replay.make(row, None)
        else:
            made = replay.make(row, before_of(row, watches))
            look.note(row, made)
            for watch in watches:
                watch.after(row)
        if differs is None and (made.verdict, made.ret) != (row.outcome["verdict"], row.outcome["ret"]):
            differs = row.seq
    return differs


def before_of(row: MadeRow, watches: Sequence[Watch]) -> Callable[[], None] | None:
    """What to do right before a row; None where nobody minds."""
    minding = [watch for watch in watches if watch.minds is not None and watch.minds.matches(row)]
    if not minding:
        return None

    def before() -> None:
        for watch in minding:
            watch.before(row)

    return before


def result(check: exercise.Check, found: Sequence[str]) -> Result:
    """What became of a check. found: what is instead of each of its lines."""
    holds = any(not instead for instead in found)
    words = "" if holds else "; ".join(found)
    return Result(holds, words, "" if holds else check.otherwise, check.points, check.bonus)


def refused(checks: Sequence[exercise.Check], rows: int, why: str) -> Evaluation:
    """Nothing was checked."""
    return Evaluation(tuple(Result(False, why, why, c.points, c.bonus) for c in checks), rows, why)

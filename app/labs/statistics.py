"""What the answers of a class tell of a task, and what the class misunderstands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from app.exercises.exercise import PARTS
from app.labs.results import Cell, Column, Line, Results, said, values_of
from app.store.submissions import SubmissionRow

MOST_ANSWERS: Final = 8
MOST_VALUES: Final = 12
# Members who have tried a task, below which nothing is said of how it tells them apart.
ENOUGH: Final = 20
GOAL: Final = "goal"


@dataclass(frozen=True, slots=True)
class AnswerCount:
    """One answer, and how often it was given."""

    text: str
    count: int
    # How often it was right: with other values it may be.
    right: int
    misconception: str | None


@dataclass(frozen=True, slots=True)
class ValueCount:
    """Members whose variants have one value."""

    name: str
    value: str
    tried: int
    first_right: int
    right: int


@dataclass(frozen=True, slots=True)
class TaskStatistics:
    """One task over all members."""

    column: Column
    opened: int
    tried: int
    first_right: int
    right: int
    median_attempts: float | None
    median_minutes: float | None
    answers: Sequence[AnswerCount]
    # How often other answers were given.
    others: int
    values: Sequence[ValueCount]
    # The correlation with the rest of the sheet; None where too few have tried.
    discrimination: float | None


def of_tasks(results: Results) -> list[TaskStatistics]:
    """Every task of a sheet."""
    return [of_task(results, place) for place in range(len(results.columns))]


def of_task(results: Results, place: int) -> TaskStatistics:
    """One of them, by its place among the columns."""
    column = results.columns[place]
    cells = [line.cells[place] for line in results.lines]
    tried = [cell for cell in cells if cell.tries]
    solved = [cell for cell in tried if cell.solved]
    minutes = [minutes_of(cell) for cell in solved]
    known = [one for one in minutes if one is not None]
    counted = [] if column.task.kind == GOAL else answers([row for cell in tried for row in cell.tries])
    return TaskStatistics(
        column=column,
        opened=sum(cell.variant is not None for cell in cells),
        tried=len(tried),
        first_right=sum(cell.first_right for cell in tried),
        right=len(solved),
        median_attempts=float(median(len(cell.tries) for cell in tried)) if tried else None,
        median_minutes=round(median(known), 1) if known else None,
        answers=counted[:MOST_ANSWERS],
        others=sum(one.count for one in counted[MOST_ANSWERS:]),
        values=values(tried),
        discrimination=discrimination(results.lines, place),
    )


def minutes_of(cell: Cell) -> float | None:
    """How long it took to solve a task."""
    right = next((row for row in cell.tries if row.share >= PARTS), None)
    return None if right is None or right.seconds is None else right.seconds / 60


def answers(rows: Iterable[SubmissionRow]) -> list[AnswerCount]:
    """Each answer, the most frequent first."""
    found: dict[str, list[SubmissionRow]] = {}
    for row in rows:
        found.setdefault(said(row), []).append(row)
    counted = [
        AnswerCount(
            text,
            len(those),
            sum(row.share >= PARTS for row in those),
            next((row.misconception for row in those if row.misconception), None),
        )
        for text, those in found.items()
    ]
    return sorted(counted, key=lambda one: (-one.count, one.text))


def values(tried: Sequence[Cell]) -> list[ValueCount]:
    """By each drawn value: where one was seen by others before, more are right. The most frequent ones."""
    drawn: dict[str, dict[str, list[Cell]]] = {}
    for cell in tried:
        assert cell.variant is not None
        for name, value in values_of(cell.variant).items():
            text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
            drawn.setdefault(name, {}).setdefault(text, []).append(cell)
    return [
        ValueCount(
            name,
            value,
            len(cells),
            sum(cell.first_right for cell in cells),
            sum(cell.solved for cell in cells),
        )
        for name, by_value in drawn.items()
        for value, cells in sorted(by_value.items(), key=lambda one: (-len(one[1]), one[0]))[:MOST_VALUES]
    ]


def discrimination(lines: Sequence[Line], place: int) -> float | None:
    """How a task's points go with those of the rest of the sheet; None where that cannot be said."""
    pairs = [
        (line.cells[place].score, line.total - line.cells[place].score)
        for line in lines
        if line.cells[place].tries
    ]
    if len(pairs) < ENOUGH:
        return None
    mean = [sum(one) / len(pairs) for one in zip(*pairs, strict=True)]
    moved = [(x - mean[0], y - mean[1]) for x, y in pairs]
    spread = sum(x * x for x, _ in moved) * sum(y * y for _, y in moved)
    return None if not spread else round(float(sum(x * y for x, y in moved) / spread**0.5), 2)


# -- misconceptions ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MisconceptionCount:
    """A misconception over all sheets of a lab."""

    key: str
    # How many members have had it, how often, and who of them have answered right in the end.
    members: int
    times: int
    gone: int
    # The names of exercises.
    exercises: Sequence[str]


def misconceptions(results: Sequence[Results]) -> list[MisconceptionCount]:
    """All that answers were explained by, the most frequent first."""
    times: Counter[str] = Counter()
    who: dict[str, dict[str, bool]] = {}
    where: dict[str, dict[str, None]] = {}
    for sheet in results:
        for line in sheet.lines:
            for column, cell in zip(sheet.columns, line.cells, strict=True):
                for key in {row.misconception for row in cell.tries if row.misconception}:
                    times[key] += sum(row.misconception == key for row in cell.tries)
                    theirs = who.setdefault(key, {})
                    theirs[line.member.id] = theirs.get(line.member.id, True) and cell.solved
                    where.setdefault(key, {})[column.exercise.name] = None
    found = [
        MisconceptionCount(key, len(who[key]), times[key], sum(who[key].values()), list(where[key]))
        for key in times
    ]
    return sorted(found, key=lambda one: (-one.members, -one.times, one.key))

"""What came of a sheet: who has earned what in which task."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from app.exercises import judging
from app.exercises.exercise import PARTS, Exercise, Task
from app.labs.exercise_texts import ExerciseTexts
from app.labs.person import Person
from app.labs.progress import Progress
from app.labs.sheets import sheet_of
from app.labs.worked import PRACTICE, counted
from app.sessions import NotFound
from app.store import Connection, people, sheets, submissions, variants
from app.store.people import MemberRow
from app.store.sheets import ExtensionRow, ItemRow, SheetRow
from app.store.submissions import SubmissionRow
from app.store.variants import BriefRow


@dataclass(frozen=True, slots=True)
class Column:
    """A task of a sheet."""

    item: ItemRow
    exercise: Exercise
    task: Task
    # What it is worth, in thousandths of a point.
    max: int

    @property
    def label(self) -> str:
        """As tables name it: which exercise of the sheet, and which of its tasks."""
        return f"{self.item.position + 1}.{self.task.number}"

    @property
    def attempts(self) -> tuple[int, ...]:
        """What each attempt is worth where the sheet is graded."""
        return self.task.attempts


@dataclass(frozen=True, slots=True)
class Cell:
    """What a member has done in a task."""

    # Theirs; None where they have not opened it.
    variant: BriefRow | None
    tries: Sequence[SubmissionRow] = ()
    score: int = 0
    # Whether no answer is taken any more.
    over: bool = False

    @property
    def solved(self) -> bool:
        """Whether it was right in the end."""
        return any(row.share >= PARTS for row in self.tries)

    @property
    def first_right(self) -> bool:
        """Whether the first answer was right."""
        return bool(self.tries) and self.tries[0].share >= PARTS

    @property
    def late(self) -> bool:
        """Whether the answer that counts may have been a late one."""
        return any(row.late and row.score == self.score for row in self.tries)


@dataclass(frozen=True, slots=True)
class Line:
    """A member, and their cells in the order of the columns."""

    member: MemberRow
    cells: Sequence[Cell]
    extension: ExtensionRow | None = None

    @property
    def total(self) -> int:
        """What they have earned, in thousandths of a point."""
        return sum(cell.score for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that was done on a sheet."""

    sheet: SheetRow
    columns: Sequence[Column]
    lines: Sequence[Line]
    # All submissions, those to variants that count no more among them, by variant.
    submissions: Mapping[str, Sequence[SubmissionRow]] = field(default_factory=dict)
    variants: Sequence[BriefRow] = ()

    @property
    def max(self) -> int:
        """Of all tasks, in thousandths of a point."""
        return sum(column.max for column in self.columns)


def read(
    db: Connection,
    texts: ExerciseTexts,
    person: Person,
    lab_id: str,
    sheet_id: str,
    number: int | None = None,
) -> Results:
    """The results of a sheet: of all members for the instructor, or of one. Raises NotFound."""
    lab, sheet = sheet_of(db, person, lab_id, sheet_id)
    members = people.lab_members(db, lab_id)
    if person.id != lab.owner:
        members = [one for one in members if one.id == person.id]
    if number is not None:
        members = [one for one in members if one.number == number]
        if not members:
            raise NotFound("member", str(number))
    items = sheets.items(db, sheet_id)
    of = members[0].id if len(members) == 1 else None
    ids = [item.id for item in items]
    briefs = variants.brief(db, ids, of)
    tries: dict[str, list[SubmissionRow]] = {}
    for row in submissions.of_items(db, ids, of):
        tries.setdefault(row.variant_id, []).append(row)
    columns = columns_of(texts, items)
    by_member: dict[str, list[BriefRow]] = {}
    for brief in briefs:
        by_member.setdefault(brief.member_id, []).append(brief)
    extensions = {one.member_id: one for one in sheets.all_extensions(db, [sheet_id])}
    lines = [
        Line(member, cells(sheet, columns, by_member.get(member.id, ()), tries), extensions.get(member.id))
        for member in members
    ]
    return Results(sheet, columns, lines, tries, briefs)


def columns_of(texts: ExerciseTexts, items: Sequence[ItemRow]) -> list[Column]:
    """Every task of a sheet."""
    found = []
    for item in items:
        exercise = texts.kept(item)
        weights = [task.weight for task in exercise.tasks]
        for task in exercise.tasks:
            worth = judging.worth(item.points, weights, task.number)
            found.append(Column(item, exercise, task, worth))
    return found


def cells(
    sheet: SheetRow,
    columns: Sequence[Column],
    mine: Sequence[BriefRow],
    tries: Mapping[str, Sequence[SubmissionRow]],
) -> list[Cell]:
    """What a member has done in each task. mine: all variants of theirs."""
    made: dict[str, list[Cell]] = {}
    for item_id in dict.fromkeys(column.item.id for column in columns):
        of_item = [column for column in columns if column.item.id == item_id]
        theirs = [brief for brief in mine if brief.item_id == item_id]
        choices = [cells_of(sheet, of_item, one, tries.get(one.id, ())) for one in theirs if counts(one)]
        # In practice the best of them, and of equals the last; graded there is one.
        best = max(reversed(choices), key=lambda found: sum(cell.score for cell in found), default=None)
        made[item_id] = best or [Cell(None) for _ in of_item]
    return [cell for found in made.values() for cell in found]


def counts(brief: BriefRow) -> bool:
    """Whether the instructor has given no other variant instead."""
    return not Progress.read(brief.progress).replaced


def cells_of(
    sheet: SheetRow, columns: Sequence[Column], brief: BriefRow, tries: Sequence[SubmissionRow]
) -> list[Cell]:
    """The cells of one variant."""
    progress = Progress.read(brief.progress)
    found = []
    for column in columns:
        mine = [row for row in tries if row.task == column.task.number]
        count = sheet.counts or column.exercise.count
        state = progress.task(column.task.number)
        gone = state.given_up or state.revealed is not None
        used = sheet.mode != PRACTICE and 0 < len(column.attempts) <= len(mine)
        solved = any(row.share >= PARTS for row in mine)
        score = counted([row.score for row in mine], count)
        found.append(Cell(brief, mine, score, gone or used or solved))
    return found


MISSING: Final[Mapping[str, Any]] = {}


def values_of(brief: BriefRow) -> dict[str, Any]:
    """The values that a variant was drawn with."""
    return dict(json.loads(brief.values).get("values", MISSING))


def said(row: SubmissionRow) -> str:
    """An answer in one spelling; what was typed where none is known."""
    parts = json.loads(row.parts)
    texts = [part.get("text") for part in parts]
    found = texts if texts and all(isinstance(text, str) for text in texts) else json.loads(row.given)
    return "; ".join(found)

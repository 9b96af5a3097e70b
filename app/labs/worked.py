"""A variant with all that was done on it, and what follows from that: what is open, solved, shown, earned."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from app.exercises import judging, variant
from app.exercises.exercise import PARTS, Exercise
from app.exercises.judging import Tried
from app.exercises.variant import Variant
from app.labs.exercise_texts import ExerciseTexts
from app.labs.person import Person
from app.labs.progress import Progress
from app.labs.room import require_open
from app.labs.sheets import window_of
from app.labs.times import Window
from app.sessions import Conflict, NotFound
from app.sessions.access import FROZEN, WHY_HELD
from app.store import Connection, labs, sheets, submissions, variants
from app.store.labs import LabRow
from app.store.sheets import ItemRow, SheetRow
from app.store.submissions import SubmissionRow
from app.store.variants import HintRow, VariantRow

PRACTICE: Final = "practice"
SEALED: Final = "sealed"
GOAL: Final = "goal"
ASK: Final = "ask"
# Of the kinds whose calls are made at the reveal.
REVEALED: Final = ("predict", "explain", "debug")
CLOCK_GOES_ON: Final = "; the time at which a sheet is due does not wait"


@dataclass(frozen=True)
class Worked:
    """A variant and its rows, as they were read in one moment."""

    lab: LabRow
    sheet: SheetRow
    item: ItemRow
    row: VariantRow
    window: Window
    exercise: Exercise
    submissions: Sequence[SubmissionRow]
    hints: Sequence[HintRow]

    @cached_property
    def variant(self) -> Variant:
        """With its answers."""
        return variant.load(self.exercise, json.loads(self.row.values), json.loads(self.row.sealed))

    @cached_property
    def progress(self) -> Progress:
        """How far the member has come."""
        return Progress.read(self.row.progress)

    @property
    def numbers(self) -> range:
        """Of its tasks, from 1."""
        return range(1, len(self.exercise.tasks) + 1)

    # -- a task ------------------------------------------------------------------------------------------

    def tries(self, number: int) -> list[SubmissionRow]:
        """What was submitted to a task, in order."""
        return [row for row in self.submissions if row.task == number]

    def taken(self, number: int) -> int:
        """How many hints of a task were read: the first ones."""
        return sum(hint.task == number for hint in self.hints)

    def attempts(self, number: int) -> tuple[int, ...]:
        """What each attempt at a task is worth, in per cent; empty where any number is worth all."""
        return () if self.sheet.mode == PRACTICE else self.exercise.tasks[number - 1].attempts

    def left(self, number: int) -> int | None:
        """How many attempts are left; None for any number."""
        worth = self.attempts(number)
        return max(0, len(worth) - len(self.tries(number))) if worth else None

    def solved(self, number: int) -> bool:
        """Whether one of them was right."""
        return any(row.share >= PARTS for row in self.tries(number))

    def over(self, number: int) -> bool:
        """Whether no more can be submitted to a task, whatever the time is."""
        mine = self.progress.task(number)
        gone = mine.given_up or mine.revealed is not None
        return gone or self.solved(number) or self.left(number) == 0

    def waits_for(self, number: int) -> int | None:
        """The task that has to be over first: where the state it leaves would say what is right there."""
        task = self.exercise.tasks[number - 1]
        if number == 1 or (task.kind != GOAL and not task.keep):
            return None
        before = self.exercise.tasks[number - 2]
        if before.kind == ASK and task.kind != GOAL:
            return self.waits_for(number - 1)
        if not self.over(number - 1):
            return number - 1
        # A goal is worked on in the session, so the calls before it have to stand there.
        unmade = self.unrevealed(number) if task.kind == GOAL else ()
        return unmade[0] if unmade else None

    def chain(self, number: int) -> range:
        """The tasks before one that lead from the prelude to the state in which it is asked."""
        first = number
        while first > 1 and self.exercise.tasks[first - 1].keep:
            first -= 1
        return range(first, number)

    def unrevealed(self, number: int) -> list[int]:
        """Those of them whose calls stand not in the session yet."""
        return [
            one
            for one in self.chain(number)
            if self.exercise.tasks[one - 1].kind in REVEALED and self.progress.task(one).revealed is None
        ]

    def starts_at(self, number: int) -> int:
        """The seq whose state a task is asked in, as far as the calls before it stand in the session."""
        for before in reversed(self.chain(number)):
            mine = self.progress.task(before)
            if mine.rows is not None:
                return mine.rows[1]
            if mine.end is not None:
                return mine.end
        return self.progress.base or 0

    def names_at(self, number: int) -> dict[str, str]:
        """What the member's names stood for where a task begins, as JSON."""
        for before in reversed(self.chain(number)):
            mine = self.progress.task(before)
            if mine.names is not None:
                return mine.names
        return self.progress.names or {}

    def shows_answer(self, number: int) -> bool:
        """Whether the right answer is shown: it can be submitted no more, or it was released."""
        return self.sheet.released is not None or self.over(number)

    @property
    def current(self) -> int | None:
        """The first task that is not over."""
        return next((number for number in self.numbers if not self.over(number)), None)

    @property
    def allow(self) -> str | None:
        """The calls that the session's owner may make now, as rows have it; None for all."""
        number = self.current
        if number is None or self.row.finished is not None:
            return None
        task = self.exercise.tasks[number - 1]
        if task.kind == GOAL:
            return " ".join(self.variant.task(number).task.allow) or None
        return "" if self.sheet.mode == SEALED and task.kind != ASK else None

    # -- points ------------------------------------------------------------------------------------------

    def most(self, number: int) -> int:
        """What a task is worth, in thousandths of a point."""
        return judging.worth(self.item.points, [task.weight for task in self.exercise.tasks], number)

    def tried(self, number: int, share: int, hints: int, *, late: bool) -> Tried:
        """A submission, as it is counted."""
        costs = [hint.costs for hint in self.exercise.tasks[number - 1].hints][:hints]
        return Tried(share, sum(costs), self.sheet.late_factor if late else judging.WHOLE)

    def earns(self, number: int, place: int, tried: Tried) -> int:
        """What the submission of a place, from 1, earns."""
        return judging.earned(self.most(number), self.attempts(number), place, tried)

    def score(self, number: int) -> int:
        """What a task has earned so far."""
        found = [row.score for row in self.tries(number)]
        return counted(found, self.sheet.counts or self.exercise.count)


def counted(scores: Sequence[int], count: str) -> int:
    """The score that counts of several submissions to a task."""
    if not scores:
        return 0
    return {"first": scores[0], "last": scores[-1]}.get(count, max(scores))


def read(db: Connection, texts: ExerciseTexts, person: Person, variant_id: str) -> Worked:
    """A variant of the person's own, or of a member of a lab that they teach. Raises NotFound."""
    row = variants.get(db, variant_id)
    found = None if row is None else sheets.item(db, row.item_id)
    sheet = None if found is None else sheets.get(db, found.sheet_id)
    lab = None if sheet is None else labs.get(db, sheet.lab_id)
    if row is None or found is None or sheet is None or lab is None:
        raise NotFound("variant", variant_id)
    if person.id not in (row.member_id, lab.owner):
        raise NotFound("variant", variant_id)
    return whole(db, texts, lab, sheet, found, row)


def whole(
    db: Connection, texts: ExerciseTexts, lab: LabRow, sheet: SheetRow, item: ItemRow, row: VariantRow
) -> Worked:
    """A variant with its rows."""
    return Worked(
        lab,
        sheet,
        item,
        row,
        window_of(db, sheet, row.member_id),
        texts.kept(item),
        submissions.of_variant(db, row.id),
        variants.hints(db, [row.id]),
    )


def require_own(person: Person, worked: Worked) -> None:
    """Raise Conflict for who only reads it, and where the lab takes nothing now."""
    if person.id != worked.row.member_id:
        raise Conflict("only the member whose variant it is works on it")
    require_working(worked.lab)
    if worked.progress.replaced:
        raise Conflict("the instructor has given you another variant of this exercise: open that one")


def require_working(lab: LabRow) -> None:
    """Raise Conflict where a lab takes no answers now."""
    require_open(lab)
    if lab.frozen:
        raise Conflict(WHY_HELD[FROZEN] + CLOCK_GOES_ON)


def require_task(worked: Worked, number: int) -> None:
    """Raise NotFound where there is no such task, and Conflict where another one comes first."""
    if number not in worked.numbers:
        raise NotFound("task", str(number))
    first = worked.waits_for(number)
    if first is not None:
        raise Conflict(f"task {number} goes on from task {first}: finish that one first")

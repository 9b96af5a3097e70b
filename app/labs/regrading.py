"""Marks a sheet again by the files of today: what would change, and, if it is wanted, that it does.

All inputs are kept, so this is exact. Variants keep their values: what is right with them is found again, and
every answer is judged anew. Old scores are kept, and a second time nothing changes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from app.clock import now
from app.errors import Refusal
from app.exercises import variant
from app.exercises.exercise import Exercise
from app.exercises.rejected import Rejected
from app.exercises.variant import Variant
from app.labs import auditing, goals, worked
from app.labs.exercise_texts import ExerciseTexts
from app.labs.own_questions import OwnQuestions
from app.labs.person import Person
from app.labs.revealing import marked_again
from app.labs.room import taught
from app.labs.sheets import of_lab
from app.labs.submissions import resealed
from app.labs.worked import GOAL, Worked
from app.sessions import Preconditions, Principal, Sessions
from app.store import Connection, people, sheets, submissions, variants
from app.store.labs import LabRow
from app.store.people import MemberRow
from app.store.sheets import ItemRow, SheetRow
from app.store.submissions import GradingRow, SubmissionRow
from app.store.variants import VariantRow

PASSES: Final = 3  # for answers that come meanwhile
WRITTEN_AT_ONCE: Final = 250


@dataclass(frozen=True, slots=True)
class Change:
    """A submission that is worth something else."""

    number: int
    nickname: str
    exercise: str
    task: int
    attempt: int
    before: SubmissionRow
    after: SubmissionRow


@dataclass(slots=True)
class Regrade:
    """What marking again comes to."""

    submissions: int = 0
    # Names of exercises whose files are other ones than the sheet has.
    edited: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    # What could not be marked again, and keeps its score.
    unmarked: list[str] = field(default_factory=list)
    applied: bool = False


@dataclass(slots=True)
class Piece:
    """The part of one variant."""

    found: Worked
    member: MemberRow
    rows: list[SubmissionRow]
    sealed: str
    values: str
    unmarked: str = ""


class Regrading:
    """Marks again, on the background thread. Raises as Rooms does."""

    def __init__(self, sessions: Sessions, texts: ExerciseTexts) -> None:
        self._sessions = sessions
        self._texts = texts
        self._questions = OwnQuestions(sessions)

    async def regrade(
        self,
        person: Person,
        lab_id: str,
        sheet_id: str,
        *,
        apply: bool = False,
        preconditions: Preconditions | None = None,
    ) -> Regrade:
        """Compare the scores of a sheet with those that the files of today give; with `apply`, take those."""
        await self._sessions.not_done(preconditions)
        result = await self._compare(person, lab_id, sheet_id, apply=apply)
        passes = 1
        while apply and passes < PASSES:
            again = await self._compare(person, lab_id, sheet_id, apply=True)
            if not again.changes:
                break
            result.changes += again.changes
            passes += 1

        def write(db: Connection) -> Regrade:
            if apply:
                detail = f"{len(result.changes)} of {result.submissions} submissions"
                auditing.note(db, person, "regrade a sheet", lab_id, sheet_id, detail)
            result.applied = apply
            return result

        return await self._sessions.execute(write, preconditions=preconditions)

    # -- below -----------------------------------------------------------------------------------------------

    async def _compare(self, person: Person, lab_id: str, sheet_id: str, *, apply: bool) -> Regrade:
        """Once over all exercises of a sheet."""

        def query(db: Connection) -> tuple[LabRow, SheetRow, list[ItemRow], dict[str, MemberRow]]:
            lab = taught(db, person, lab_id)
            members = {member.id: member for member in people.lab_members(db, lab_id)}
            return lab, of_lab(db, lab_id, sheet_id), sheets.items(db, sheet_id), members

        lab, sheet, items, members = await self._sessions.query(query)
        result = Regrade()
        for item in items:
            today = self._texts.today(item.exercise) or self._texts.kept(item)
            if today.sha256 != item.sha256:
                result.edited.append(item.exercise)
            if len(today.tasks) != len(self._texts.kept(item).tasks):
                result.unmarked.append(f"{item.exercise}: the file has another number of tasks")
                continue
            pieces = await self._pieces(person, lab, sheet, item, today, members)
            self._tell(result, item, pieces)
            if apply:
                await self._apply(item, today, pieces)
        return result

    async def _pieces(
        self,
        person: Person,
        lab: LabRow,
        sheet: SheetRow,
        item: ItemRow,
        today: Exercise,
        members: dict[str, MemberRow],
    ) -> list[Piece]:
        """Everybody's part of one exercise, marked again."""

        def query(db: Connection) -> list[Worked]:
            rows = [row for row in variants.of_items(db, [item.id]) if row.member_id in members]
            return [worked.whole(db, self._texts, lab, sheet, item, row) for row in rows]

        found = [
            one for one in await self._sessions.query_in_turn(person.principal, query) if one.submissions
        ]
        pieces: list[Piece] = []
        for one in found:
            piece = await self._sessions.compute(
                person.principal, again, one, members[one.row.member_id], today
            )
            if not piece.unmarked:
                await self._on_machines(piece)
            pieces.append(piece)
        return pieces

    async def _on_machines(self, piece: Piece) -> None:
        """Mark what depends on what the member has done on their machine."""
        found = piece.found
        if found.row.session_id is None:
            return
        who = Principal(piece.member.id, f"m{piece.member.number}", found.lab.id)
        for place, row in enumerate(piece.rows):
            kind = found.exercise.tasks[row.task - 1].kind
            try:
                if kind == GOAL:
                    reached = await goals.reached(self._sessions, who, found, row.task, row.seq)
                    piece.rows[place] = of_goal(found, row, reached)
                elif found.variant.depends(row.task):
                    asked = await self._questions.on_own_machine(who, found, row.task)
                    piece.rows[place] = marked_again(found, row, asked, row.drift)
                    piece.sealed = resealed(piece.sealed, asked)
            except Refusal as error:
                piece.unmarked = f"{found.exercise.name}, m{piece.member.number}, task {row.task}: {error}"

    def _tell(self, result: Regrade, item: ItemRow, pieces: Sequence[Piece]) -> None:
        """What has changed."""
        for piece in pieces:
            result.submissions += len(piece.rows)
            if piece.unmarked:
                result.unmarked.append(piece.unmarked)
            for before, after in zip(piece.found.submissions, piece.rows, strict=True):
                if is_other(before, after):
                    who = piece.member.number, piece.member.nickname
                    result.changes.append(
                        Change(*who, item.exercise, before.task, before.number, before, after)
                    )

    async def _apply(self, item: ItemRow, today: Exercise, pieces: Sequence[Piece]) -> None:
        """Take the new scores, and keep the old ones; in parts, between which others have their turn."""
        await self._sessions.execute(partial(take_text, item=item, today=today))
        for first in range(0, len(pieces), WRITTEN_AT_ONCE):
            some = pieces[first : first + WRITTEN_AT_ONCE]
            await self._sessions.execute(partial(take, pieces=some, sha256=item.sha256 or ""))


def again(found: Worked, member: MemberRow, today: Exercise) -> Piece:
    """A variant with the same values by another text, and its answers judged by that."""
    piece = Piece(found, member, list(found.submissions), found.row.sealed, found.row.values)
    try:
        made = found.variant if today.sha256 == found.exercise.sha256 else made_again(found, today)
    except Rejected as error:
        piece.unmarked = f"{today.name}, m{member.number}: {error}"
        return piece
    if made is not found.variant:
        piece.sealed, piece.values = json.dumps(made.sealed()), json.dumps(made.stored())
        kept = found.row._replace(sealed=piece.sealed, values=piece.values)
        piece.found = replace(found, exercise=today, row=kept)
    after = piece.found
    for place, row in enumerate(piece.rows):
        if today.tasks[row.task - 1].kind != GOAL and not after.variant.depends(row.task):
            piece.rows[place] = marked_again(after, row, after.variant.task(row.task), row.drift)
    return piece


def made_again(found: Worked, today: Exercise) -> Variant:
    """The variant with the same values by another text. Raises Rejected."""
    return variant.made(today, found.variant.values)


def of_goal(found: Worked, row: SubmissionRow, reached: goals.Reached) -> SubmissionRow:
    """A goal's submission, marked again."""
    tried = found.tried(row.task, reached.share, row.hints, late=row.late)
    return row._replace(
        share=reached.share,
        score=found.earns(row.task, row.number, tried),
        max=found.most(row.task),
        parts=json.dumps(list(reached.parts), ensure_ascii=False),
    )


def is_other(before: SubmissionRow, after: SubmissionRow) -> bool:
    """Whether a submission is marked otherwise."""
    return (before.share, before.score, before.max) != (after.share, after.score, after.max)


def take_text(db: Connection, item: ItemRow, today: Exercise) -> None:
    """Have the sheet go on with the text of today."""
    if today.sha256 != item.sha256:
        values = {"text": today.text, "sha256": today.sha256, "title": today.title}
        sheets.change_item(db, item.id, values)


def take(db: Connection, pieces: Sequence[Piece], sha256: str) -> None:
    """Write what some variants and their answers are now, and what these were worth before."""
    time = now()
    for piece in pieces:
        if piece.unmarked:
            continue
        changed = [
            (before, after)
            for before, after in zip(piece.found.submissions, piece.rows, strict=True)
            if before != after
        ]
        old = [
            GradingRow(before.id, time, before.score, sha256)
            for before, after in changed
            if is_other(before, after)
        ]
        submissions.keep_gradings(db, old)
        submissions.mark(db, [after for _, after in changed])
        row: VariantRow = piece.found.row
        variants.change(db, row.id, {"sealed": piece.sealed, "values": piece.values})

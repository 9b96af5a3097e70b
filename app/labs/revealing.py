"""The reveal: the calls of a task are made in the member's own session, as rows like all others.

What the rows say wins over what was sealed. Where the two differ an engine has changed in between: it is
logged as drift, and what was answered is marked again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace

from app.clock import now
from app.errors import Refusal
from app.exercises import judging
from app.exercises.judging import BadGiven
from app.exercises.playground import Refused
from app.exercises.rejected import Rejected
from app.exercises.sealing import TaskVariant
from app.labs import worked
from app.labs.advancing import Advancing
from app.labs.exercise_texts import ExerciseTexts
from app.labs.own_questions import asked
from app.labs.person import Person
from app.labs.submissions import parts_of, resealed
from app.labs.variants import items
from app.labs.worked import GOAL, PRACTICE, REVEALED, Worked
from app.sessions import Conflict, Preconditions, Sessions, Stale
from app.store import Connection, bound_names, people, submissions, variants
from app.store.submissions import SubmissionRow

log = logging.getLogger(__name__)

Note = Callable[[Connection], Worked]


class Revealing:
    """Makes the calls of tasks. Raises as Rooms does."""

    def __init__(self, sessions: Sessions, texts: ExerciseTexts, advancing: Advancing) -> None:
        self._sessions = sessions
        self._texts = texts
        self._advancing = advancing

    async def reveal(
        self,
        person: Person,
        variant_id: str,
        number: int,
        time: str,
        *,
        give_up: bool = False,
        preconditions: Preconditions | None = None,
    ) -> Worked:
        """Show a task: its calls are made in the session. No answer to it counts any more.

        give_up: also where attempts are left. Raises Conflict where they are, and it is not given up.
        """
        await self._sessions.not_done(preconditions)

        def give(db: Connection) -> Worked:
            found = worked.read(db, self._texts, person, variant_id)
            worked.require_own(person, found)
            worked.require_task(found, number)
            require_shown(found, number, time, give_up=give_up)
            if not found.over(number):
                found.progress.task(number).given_up = True
                self._advancing.write(db, found)
            return found

        found = await self._sessions.execute(give)
        for one in (*found.unrevealed(number), number):
            if found.progress.task(one).revealed is None:
                rows = await self._make(person, found, one)
                found = await self._sessions.execute(self._noting(person, variant_id, one, rows))
                await self._compare(person, found, one)

        def read(db: Connection) -> Worked:
            return worked.read(db, self._texts, person, variant_id)

        found = await self._sessions.execute(read, preconditions=preconditions)
        return await self._advancing.on(person, found)

    # -- below -----------------------------------------------------------------------------------------------

    async def _make(self, person: Person, found: Worked, number: int) -> tuple[int, int] | None:
        """Make the calls of a task where it begins: the first and the last of their rows."""
        task = found.variant.task(number).task
        calls = items(task.solution if task.kind == GOAL else task.calls)
        if not calls or found.row.session_id is None:
            return None
        at = found.progress.task(number).start if task.kind == GOAL else found.starts_at(number)
        owner = await self._sessions.query(people.account, found.lab.owner)
        assert owner is not None
        who = replace(person.principal, by=f"i{owner.number}", unbound=True)
        await self._advancing.name(person, found, number)
        while True:
            head = await self._advancing.bring(person, found, at or 0)
            try:
                made = await self._sessions.batch(
                    who, found.row.session_id, calls, preconditions=Preconditions(head)
                )
            except Stale:
                continue
            return made[0].seq, made[-1].seq

    def _noting(self, person: Person, variant_id: str, number: int, rows: tuple[int, int] | None) -> Note:
        """Writes that the calls of a task were made."""

        def write(db: Connection) -> Worked:
            found = worked.read(db, self._texts, person, variant_id)
            mine = found.progress.task(number)
            mine.revealed, mine.rows = mine.revealed or now(), mine.rows or rows
            if rows is not None and found.row.session_id is not None:
                mine.names = dict(bound_names.of_person(db, found.row.session_id, found.row.member_id))
            return self._advancing.note(db, found, number, None)

        return write

    async def _compare(self, person: Person, found: Worked, number: int) -> None:
        """See that the rows say what was sealed; where they do not, mark again what was answered."""
        if found.exercise.tasks[number - 1].kind not in REVEALED or found.row.session_id is None:
            return
        at = found.starts_at(number)
        try:
            now_right = await self._sessions.stretch(
                person.principal, found.row.session_id, at, at, asked, found, number, at, ()
            )
        except (Refused, Rejected, Refusal) as error:
            log.warning("variant %s, task %d: not compared: %s", found.row.id, number, error)
            return
        if rights(now_right) == rights(found.variant.task(number)):
            return
        said = says(now_right)
        log.warning("variant %s, task %d: drift: the machine says %s", found.row.id, number, said)

        def write(db: Connection) -> None:
            again = worked.read(db, self._texts, person, found.row.id)
            variants.change(db, again.row.id, {"sealed": resealed(again.row.sealed, now_right)})
            submissions.mark(db, [marked_again(again, row, now_right, said) for row in again.tries(number)])

        await self._sessions.execute(write)


def require_shown(found: Worked, number: int, time: str, *, give_up: bool) -> None:
    """Raise Conflict where a task may not be shown yet."""
    if found.over(number) or give_up or found.window.state(time) == "over":
        return
    if found.sheet.released is not None or (found.sheet.mode == PRACTICE and found.tries(number)):
        return
    left = found.left(number)
    if not found.tries(number):
        raise Conflict(f"answer task {number} first, or give it up")
    raise Conflict(f"you have {left} more attempts at task {number}: use them, or give it up")


def rights(task: TaskVariant) -> list[object]:
    """What is right in each field."""
    return [field.right for field in task.fields]


def says(task: TaskVariant) -> str:
    """The same as people write it."""
    return "; ".join(
        "?" if field.right is None else field.form.text(field.right, field.shape) for field in task.fields
    )


def marked_again(found: Worked, row: SubmissionRow, task: TaskVariant, drift: str | None) -> SubmissionRow:
    """A submission against other right answers."""
    try:
        answers = judging.read(task, json.loads(row.given))
    except BadGiven:
        return row._replace(drift=drift)
    judged = judging.judge(task, answers)
    tried = found.tried(row.task, judged.share, row.hints, late=row.late)
    return row._replace(
        share=judged.share,
        score=found.earns(row.task, row.number, tried),
        max=found.most(row.task),
        parts=json.dumps(parts_of(task, answers, judged), ensure_ascii=False),
        misconception=judged.misconception or None,
        drift=drift,
    )

"""Answers of members: read, judged, and kept, one row for each attempt.

A text that is no answer is refused at its field and costs nothing. All else counts, once: an attempt has its
place in the database, and a request that is sent again is answered as it was.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from app.errors import BadArgument, Fault
from app.exercises import judging
from app.exercises.forms import Answer
from app.exercises.judging import BadGiven, Judged
from app.exercises.sealing import TaskVariant
from app.exercises.variant import seal_of
from app.labs import goals, worked
from app.labs.advancing import Advancing
from app.labs.exercise_texts import ExerciseTexts
from app.labs.goals import Reached
from app.labs.own_questions import OwnQuestions
from app.labs.person import Person
from app.labs.worked import GOAL, Worked
from app.rates import Rates
from app.sessions import Conflict, NotFound, Preconditions, Sessions, Stale, TooMany
from app.store import Connection, submissions, variants
from app.store import sessions as session_rows
from app.store.submissions import SubmissionRow
from app.store.variants import HintRow

CHECKS_A_SECOND: Final = 1.0
CHECKS_AT_ONCE: Final = 3


@dataclass(frozen=True, slots=True)
class Submitted:
    """What was submitted, and the variant as it is then."""

    row: SubmissionRow
    worked: Worked


@dataclass(frozen=True, slots=True)
class Marked:
    """An answer that was judged, to be written."""

    given: Sequence[str]
    share: int
    parts: Sequence[dict[str, Any]]
    misconception: str | None
    # The seq to which it belongs; None for that of the session when it is written.
    seq: int | None = None
    # What is right, where that depends on what the member has done before.
    asked: TaskVariant | None = None


class Submissions:
    """Takes answers. Raises as Rooms does."""

    def __init__(self, sessions: Sessions, texts: ExerciseTexts, advancing: Advancing) -> None:
        self._sessions = sessions
        self._texts = texts
        self._advancing = advancing
        self._questions = OwnQuestions(sessions)
        self._checks = Rates(CHECKS_A_SECOND, CHECKS_AT_ONCE)
        sessions.rates.share("check", self._checks)

    async def answer(
        self,
        person: Person,
        variant_id: str,
        number: int,
        given: Sequence[str],
        time: str,
        *,
        seq: int | None = None,
        preconditions: Preconditions | None = None,
    ) -> Submitted:
        """Submit an answer to a task; a goal is submitted as its machine is, and has none.

        seq: the session's, as the member has it. time: when the request came. Raises BadArgument at `given`,
        Stale for another seq, and Conflict where nothing is taken.
        """
        await self._sessions.not_done(preconditions)
        found = await self._sessions.query(worked.read, self._texts, person, variant_id)
        require_answerable(person, found, number, time)
        if seq is None and preconditions is not None:
            seq = preconditions.seq
        if found.exercise.tasks[number - 1].kind == GOAL:
            marked = await self._goal(person, found, number, given, seq)
        else:
            marked = await self._judged(person, found, number, given)
        tries = len(found.tries(number))

        def write(db: Connection) -> Submitted:
            again = worked.read(db, self._texts, person, variant_id)
            require_answerable(person, again, number, time)
            if len(again.tries(number)) != tries:
                raise Conflict("another answer to this task came at the same time: look at it first")
            if marked.seq is None and seq is not None:
                require_seq(db, again, seq)
            row = submissions.add(db, row_of(db, again, number, marked, time))
            after = replace(again, submissions=[*again.submissions, row])
            if marked.asked is not None:
                sealed = resealed(again.row.sealed, marked.asked)
                variants.change(db, variant_id, {"sealed": sealed})
                after = replace(after, row=again.row._replace(sealed=sealed))
            return Submitted(row, self._advancing.note(db, after, number, marked.seq))

        done = await self._sessions.execute(write, preconditions=preconditions)
        return Submitted(done.row, await self._advancing.on(person, done.worked))

    async def check(self, person: Person, variant_id: str, number: int) -> Reached:
        """Which checks of a goal hold now. It costs nothing but may be asked only so often: TooMany."""
        found = await self._sessions.query(worked.read, self._texts, person, variant_id)
        worked.require_own(person, found)
        worked.require_task(found, number)
        if found.exercise.tasks[number - 1].kind != GOAL:
            raise Conflict("only a goal is checked before it is submitted")
        wait = self._checks.take(person.id)
        if wait > 0:
            raise TooMany("a goal is checked about once a second", max(1, round(wait)))
        return await self._reached(person, found, number, None)

    async def hint(
        self,
        person: Person,
        variant_id: str,
        number: int,
        hint: int,
        time: str,
        *,
        preconditions: Preconditions | None = None,
    ) -> str:
        """The text of a hint, and note that it was read: one after the other, and while answers are taken."""

        def write(db: Connection) -> str:
            found = worked.read(db, self._texts, person, variant_id)
            worked.require_task(found, number)
            hints = found.variant.task(number).task.hints
            if not 1 <= hint <= len(hints):
                raise NotFound("hint", str(hint))
            if hint > found.taken(number):
                require_answerable(person, found, number, time)
                if hint > found.taken(number) + 1:
                    raise Conflict(f"hint {found.taken(number) + 1} comes first")
                variants.take_hint(db, HintRow(variant_id, number, hint, time))
            return hints[hint - 1].text

        return await self._sessions.execute(write, preconditions=preconditions)

    # -- below -----------------------------------------------------------------------------------------------

    async def _judged(self, person: Person, found: Worked, number: int, given: Sequence[str]) -> Marked:
        """An answer against what is right."""
        depends = found.variant.depends(number)
        task = found.variant.task(number)
        try:
            if not depends:
                answers = judging.read(task, given)
            else:
                task = await self._questions.on_own_machine(person.principal, found, number)
                answers = judging.read(task, given)
        except BadGiven as error:
            raise bad_given(error) from None
        judged = judging.judge(task, answers)
        parts = parts_of(task, answers, judged)
        misconception = judged.misconception or None
        return Marked(given, judged.share, parts, misconception, asked=task if depends else None)

    async def _goal(
        self, person: Person, found: Worked, number: int, given: Sequence[str], seq: int | None
    ) -> Marked:
        """A goal as the machine is."""
        if given:
            raise BadArgument.at("given", "nothing: a goal is submitted as the machine is")
        if found.row.session_id is None:
            raise Conflict("the machine of this variant was deleted")
        head = (await self._sessions.get(person.principal, found.row.session_id)).seq
        if seq is not None and seq != head:
            raise Stale(head)
        reached = await self._reached(person, found, number, head)
        if reached.refused:
            raise Conflict(reached.refused)
        return Marked((), reached.share, reached.parts, None, head)

    async def _reached(self, person: Person, found: Worked, number: int, seq: int | None) -> Reached:
        if found.row.session_id is None:
            raise Conflict("the machine of this variant was deleted")
        return await goals.reached(self._sessions, person.principal, found, number, seq)


def require_answerable(person: Person, found: Worked, number: int, time: str) -> None:
    """Raise Conflict where no answer to a task is taken from a person at a time."""
    worked.require_own(person, found)
    worked.require_task(found, number)
    found.window.is_late(time)
    mine = found.progress.task(number)
    if found.solved(number):
        raise Conflict(f"task {number} is solved")
    if mine.given_up or mine.revealed is not None:
        raise Conflict(f"task {number} was shown: no answer counts any more")
    if found.left(number) == 0:
        raise Conflict(f"all {len(found.attempts(number))} attempts at task {number} are used up")


def require_seq(db: Connection, found: Worked, seq: int) -> None:
    """Raise Stale where the session is at another seq."""
    session = None if found.row.session_id is None else session_rows.get(db, found.row.session_id)
    if session is not None and session.seq != seq:
        raise Stale(session.seq)


def row_of(db: Connection, found: Worked, number: int, marked: Marked, time: str) -> SubmissionRow:
    """The row of an attempt, with what it earns."""
    place, hints = len(found.tries(number)) + 1, found.taken(number)
    late = found.window.is_late(time)
    earned = found.earns(number, place, found.tried(number, marked.share, hints, late=late))
    seq = marked.seq
    if seq is None and found.row.session_id is not None:
        session = session_rows.get(db, found.row.session_id)
        seq = None if session is None else session.seq
    return SubmissionRow(
        id=0,
        variant_id=found.row.id,
        task=number,
        number=place,
        given=json.dumps(list(marked.given), ensure_ascii=False),
        share=marked.share,
        score=earned,
        max=found.most(number),
        parts=json.dumps(list(marked.parts), ensure_ascii=False),
        misconception=marked.misconception,
        hints=hints,
        seq=seq,
        time=time,
        late=late,
        seconds=seconds_between(found.progress.task(number).opened, time),
    )


def seconds_between(since: str | None, until: str) -> int | None:
    """Whole seconds from one time to another."""
    if since is None:
        return None
    return max(0, int((datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds()))


def parts_of(task: TaskVariant, answers: Sequence[Answer], judged: Judged) -> list[dict[str, Any]]:
    """What of each field was right, with the answer in one spelling."""
    return [
        {**one.as_json(), "text": field.form.text(answer, field.shape)}
        for field, answer, one in zip(task.fields, answers, judged.fields, strict=True)
    ]


def resealed(sealed: str, task: TaskVariant) -> str:
    """The answers of a variant, with those of one task as they are on the member's machine."""
    kept = json.loads(sealed)
    kept["tasks"][task.number - 1] = seal_of(task)
    return json.dumps(kept)


def bad_given(error: BadGiven) -> BadArgument:
    """Answers that cannot be read, each at its field."""
    return BadArgument(*(Fault(("given", place), text) for place, text in error.faults.items()))

"""The use cases of practice: begin, answer, check a goal, take a hint, and be shown what is right."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic_core import from_json

from app.errors import BadArgument
from app.exercises import checks, judging, variant
from app.exercises.checks import Evaluation
from app.exercises.exercise import Exercise
from app.exercises.forms import Answer
from app.exercises.judging import BadGiven, Judged
from app.exercises.library import Library
from app.exercises.playground import Playground
from app.exercises.rejected import Rejected
from app.exercises.rows import REWINDS, MadeRow
from app.exercises.sealing import TaskVariant
from app.machine import calltext
from app.machine.calls import Lists
from app.machine.machine import Machine
from app.practice.variants import HIGHEST, Kept, Practised, Variants, Which
from app.sessions import (
    BatchItem,
    Conflict,
    NotFound,
    Preconditions,
    Principal,
    Right,
    SessionInfo,
    Sessions,
)
from app.sessions.answers import Applied
from app.sessions.scheduler import go_on
from app.store.journal import Row

# Rows of a goal that are looked at.
MOST_ROWS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Begun:
    """A session that was made for a variant."""

    info: SessionInfo
    which: Which
    practised: Practised
    # The rows of the prelude.
    rows: Sequence[Applied]


@dataclass(frozen=True, slots=True)
class Answered:
    """Answers to a task, and what is right of them. task: with the right answers."""

    task: TaskVariant
    answers: Sequence[Answer]
    judged: Judged


@dataclass(frozen=True, slots=True)
class Checked:
    """A goal against its conditions. seq: the row at which it was looked at."""

    task: TaskVariant
    evaluation: Evaluation
    seq: int


@dataclass(frozen=True, slots=True)
class Revealed:
    """A task with what is right, and the rows in which its calls were made."""

    task: TaskVariant
    rows: Sequence[Applied]
    seq: int


class Practice:
    """Practises exercises on sessions of one's own.

    All methods raise NotFound for an exercise, a task or a session that does not exist, Conflict where the
    session was not made for the variant, and what `Sessions` raises. start: the row at which the task
    began: that behind the prelude, or at which the task before it ended.
    """

    def __init__(self, sessions: Sessions, library: Library) -> None:
        self._sessions = sessions
        self.library = library
        self.variants = Variants(sessions, library)
        # Pages ask again for what was found.
        self._checked = Kept[Checked]()

    def exercise(self, name: str) -> Exercise:
        """An exercise."""
        return self.variants.exercise(name)

    async def begin(
        self,
        who: Principal,
        name: str,
        number: int | None = None,
        *,
        preconditions: Preconditions | None = None,
    ) -> Begun:
        """A new session with the machine and the prelude of a variant.

        number: of the variant; without one it is any. Raises BadArgument at `number`, and LimitReached.
        """
        if number is not None and not 1 <= number <= HIGHEST:
            raise BadArgument.at("number", f"a number from 1 to {HIGHEST:,}")
        await self._sessions.not_done(preconditions)
        which = Which(name, secrets.randbelow(HIGHEST) + 1 if number is None else number)
        drawn = await self.variants.drawn(who, which)
        info = await self._sessions.create(who, drawn.exercise.title[:100], drawn.machine)
        calls = items(drawn.prelude)
        made: Sequence[Applied] = ()
        if calls:
            made = await self._sessions.batch(who, info.id, calls)
            info = await self._sessions.get(who, info.id)
        begun = Begun(info, which, Practised(drawn, len(calls)), made)
        return await self._sessions.execute(lambda _: begun, preconditions=preconditions)

    async def task(
        self, who: Principal, session_id: str, which: Which, number: int, start: int | None = None
    ) -> tuple[Practised, TaskVariant]:
        """A task as the session asks it, with what is right.

        Where a goal stands before it, what is right depends on where the person has left the machine: it is
        asked on a copy of that.
        """
        found = await self.variants.of_session(who, session_id, which)
        one = task_of(found, number)
        if not found.variant.depends(number) or one.task.kind == "goal":
            return found, one
        at = found.first if start is None else start
        names = await self._sessions.names(who, session_id)

        def asked(machine: Machine, _rows: Sequence[Row], lists: Lists) -> TaskVariant:
            place = Playground(machine, at, dict(names), dict.fromkeys(names), lists)
            return variant.asked_on(found.variant, number, place)

        try:
            return found, await self._sessions.stretch(who, session_id, at, at, asked)
        except Rejected as error:
            raise Conflict(f"this cannot be asked of the machine as you have left it: {error}") from None

    async def answer(
        self,
        who: Principal,
        session_id: str,
        which: Which,
        number: int,
        given: Sequence[str],
        start: int | None = None,
    ) -> Answered:
        """Compare answers, a text for each field. Raises BadArgument at `given` for those that are none."""
        _, one = await self.task(who, session_id, which, number, start)
        if one.task.kind == "goal":
            raise BadArgument.at("task", "a goal is checked, not answered")
        try:
            answers = judging.read(one, given)
        except BadGiven as error:
            faults = [BadArgument.at(("given", place), msg) for place, msg in error.faults.items()]
            raise BadArgument(*(fault.faults[0] for fault in faults)) from None
        return Answered(one, answers, judging.judge(one, answers))

    async def check(
        self,
        who: Principal,
        session_id: str,
        which: Which,
        number: int,
        start: int | None = None,
        until: int | None = None,
    ) -> Checked:
        """See which conditions of a goal the session meets now, or met after a row.

        Raises BadArgument at `task` for no goal.
        """
        found, one = await self.task(who, session_id, which, number)
        if one.task.kind != "goal":
            raise BadArgument.at("task", "only a goal is checked; this is answered")
        at = found.first if start is None else start
        info = await self._sessions.get(who, session_id)
        last = info.seq if until is None else min(until, info.seq)
        key = (session_id, found.variant.exercise.sha256, which.number, number, at, last)
        known = self._checked.get(key)
        if known is not None:
            return known
        names = await self._sessions.names(who, session_id)
        if last - at > MOST_ROWS:
            raise Conflict(f"more than {MOST_ROWS:,} calls since the task began are not looked at")

        def evaluated(machine: Machine, rows: Sequence[Row], lists: Lists) -> Evaluation:
            made = [made_row(row) for row in rows]
            conditions = one.task.checks
            return checks.evaluate(conditions, machine, made, names=names, lists=lists, go_on=go_on)

        evaluation = await self._sessions.stretch(who, session_id, at, last, evaluated)
        checked = Checked(one, evaluation, last)
        self._checked.put(key, checked)
        return checked

    async def hint(self, who: Principal, session_id: str, which: Which, number: int, place: int) -> str:
        """A hint of a task. place: from 1. Raises BadArgument at `hint` where there is no such."""
        found = await self.variants.of_session(who, session_id, which)
        hints = task_of(found, number).task.hints
        if not 1 <= place <= len(hints):
            raise BadArgument.at("hint", f"this task has {len(hints)} hints")
        return hints[place - 1].text

    async def reveal(
        self,
        who: Principal,
        session_id: str,
        which: Which,
        number: int,
        start: int | None = None,
        *,
        preconditions: Preconditions | None = None,
    ) -> Revealed:
        """Make the calls about which the task asks, or those that reach the goal, and tell what is right.

        Where the machine has gone on since the task began, it first goes back to there.
        """
        await self._sessions.not_done(preconditions)
        await self._sessions.get(who, session_id, Right.CALL)
        found, one = await self.task(who, session_id, which, number, start)
        at = found.first if start is None else start
        calls = items(one.task.solution if one.task.kind == "goal" else one.task.calls)
        shown = Revealed(one, (), at)
        if calls:
            await self.go_back(who, session_id, at)
            made = await self._sessions.batch(who, session_id, calls)
            shown = Revealed(one, made, made.seq)
        return await self._sessions.execute(lambda _: shown, preconditions=preconditions)

    async def go_back(self, who: Principal, session_id: str, to: int) -> int:
        """See that the machine is as it was after a row; the row after which it is that now."""
        info = await self._sessions.get(who, session_id)
        if info.seq == to:
            return to
        last = (await self._sessions.event(who, session_id, info.seq)).outcome
        if last["call"] in REWINDS and last["args"].get("to") == to:
            return info.seq
        return (await self._sessions.rewind(who, session_id, to)).seq


def task_of(found: Practised, number: int) -> TaskVariant:
    """A task by its number. Raises NotFound."""
    if not 1 <= number <= len(found.variant.tasks):
        raise NotFound("task", str(number))
    return found.variant.task(number)


def items(lines: Sequence[str]) -> list[BatchItem]:
    """Lines as one batch."""
    read = [calltext.parse_line(line) for line in lines]
    return [BatchItem(line.name, line.body, line.as_name) for line in read if line.name is not None]


def made_row(row: Row) -> MadeRow:
    """A row of a journal as checks look at it."""
    return MadeRow(row.seq, row.call, from_json(row.args), from_json(row.outcome), row.by)

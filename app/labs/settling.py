"""What is due: a graded goal is submitted as it stood then, for who has pressed no button."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from functools import partial
from typing import Final

from app.clock import now
from app.errors import Refusal
from app.labs import goals, worked
from app.labs.advancing import Advancing
from app.labs.exercise_texts import ExerciseTexts
from app.labs.person import Person
from app.labs.submissions import Marked, row_of
from app.labs.worked import GOAL, Worked
from app.sessions import Sessions
from app.store import Connection, journal, people, submissions, variants
from app.store.variants import VariantRow

log = logging.getLogger(__name__)

SETTLED_AT_ONCE: Final = 50


class Settling:
    """Submits goals that are due. Raises Busy or StorageFull where nothing could be written."""

    def __init__(self, sessions: Sessions, texts: ExerciseTexts, advancing: Advancing) -> None:
        self._sessions = sessions
        self._texts = texts
        self._advancing = advancing

    async def settle(self) -> int:
        """Settle all variants that were due before now. How many they were."""
        done = 0
        while rows := await self._sessions.query(variants.unsettled, now(), SETTLED_AT_ONCE):
            for row in rows:
                await self._one(row)
            done += len(rows)
            if len(rows) < SETTLED_AT_ONCE:
                break
        return done

    async def _one(self, row: VariantRow) -> None:
        """One variant. What cannot be submitted is logged, and is not tried again."""
        member = await self._sessions.query(people.member, row.member_id)
        if member is None:
            return
        person = Person.of_member(member)
        try:
            found = await self._sessions.query(worked.read, self._texts, person, row.id)
            if not found.progress.replaced:
                await self._submit(person, found)
        except Refusal as error:
            log.warning("variant %s was not submitted when it was due: %s", row.id, error)
        await self._sessions.execute(partial(variants.change, variant_id=row.id, values={"settled": now()}))

    async def _submit(self, person: Person, found: Worked) -> None:
        """Submit the goal that a member was working on, as it stood when it was due."""
        due, number = found.window.due, found.current
        if due is None or number is None or found.row.session_id is None:
            return
        if found.exercise.tasks[number - 1].kind != GOAL or found.progress.task(number).start is None:
            return
        start = found.progress.task(number).start or 0
        seq = await self._sessions.query(journal.last_before, found.row.session_id, due)
        if seq is None or seq <= start or any((row.seq or 0) >= seq for row in found.tries(number)):
            return
        reached = await goals.reached(self._sessions, person.principal, found, number, seq)
        if reached.refused or not reached.share:
            return
        marked = Marked((), reached.share, reached.parts, None, seq)

        def write(db: Connection) -> None:
            again = worked.read(db, self._texts, person, found.row.id)
            if again.over(number) or len(again.tries(number)) != len(found.tries(number)):
                return
            made = row_of(db, again, number, marked, due)
            if made.score <= again.score(number) and again.tries(number):
                return
            row = submissions.add(db, made._replace(given=json.dumps(["as it stood when it was due"])))
            after = replace(again, submissions=[*again.submissions, row])
            self._advancing.note(db, after, number, seq)

        await self._sessions.execute(write)

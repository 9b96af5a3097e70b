"""What follows where a task is over: the next one opens, and its goal begins in the session."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Final

from app.clock import now
from app.labs import worked
from app.labs.exercise_texts import ExerciseTexts
from app.labs.person import Person
from app.labs.sealing import Sealing
from app.labs.worked import GOAL, Worked
from app.sessions import Conflict, Preconditions, Sessions, Stale
from app.store import Connection, bound_names, variants
from app.store import sessions as session_rows

TRIES: Final = 5  # at a rewind while the member calls the machine


class Advancing:
    """Moves members on."""

    def __init__(self, sessions: Sessions, texts: ExerciseTexts, sealing: Sealing) -> None:
        self._sessions = sessions
        self._texts = texts
        self._sealing = sealing

    def note(self, db: Connection, found: Worked, number: int, seq: int | None) -> Worked:
        """Write what has followed from something that was done to a task. seq: of a goal's submission.

        Returns the variant as it is then.
        """
        mine = found.progress.task(number)
        if seq is not None and found.row.session_id is not None:
            mine.end = seq
            mine.names = dict(bound_names.of_person(db, found.row.session_id, found.row.member_id))
        for one in found.numbers:
            task = found.progress.task(one)
            if task.opened is None and found.waits_for(one) is None:
                task.opened = now()
        return self.write(db, found)

    def write(self, db: Connection, found: Worked) -> Worked:
        """Write how far a member has come. Returns the variant as it is then."""
        values: dict[str, Any] = {"progress": found.progress.written()}
        if found.row.finished is None and found.current is None:
            values["finished"] = now()
        variants.change(db, found.row.id, values)
        if found.row.session_id is not None:
            allow = None if "finished" in values else found.allow
            session_rows.allow(db, found.row.session_id, allow)
        return replace(found, row=found.row._replace(**values))

    async def on(self, person: Person, found: Worked) -> Worked:
        """Let the goal begin that is to be worked on now, where it has not begun."""
        if found.row.finished is not None:
            self._sealing.look_again()
        number = found.current
        if number is None or found.exercise.tasks[number - 1].kind != GOAL or found.row.session_id is None:
            return found
        if found.progress.task(number).start is not None or found.waits_for(number) is not None:
            return found
        start = await self.bring(person, found, found.starts_at(number))

        def write(db: Connection) -> Worked:
            again = worked.read(db, self._texts, person, found.row.id)
            mine = again.progress.task(number)
            mine.start = start if mine.start is None else mine.start
            return self.note(db, again, number, None)

        return await self._sessions.execute(write)

    async def bring(self, person: Person, found: Worked, to: int) -> int:
        """Bring the session to the state it had at a seq; the seq that it has then. Raises Conflict."""
        assert found.row.session_id is not None
        who = replace(person.principal, unbound=True)
        for _ in range(TRIES):
            head = (await self._sessions.get(who, found.row.session_id)).seq
            if head == to:
                return head
            try:
                return (
                    await self._sessions.rewind(
                        who, found.row.session_id, to, preconditions=Preconditions(head)
                    )
                ).seq
            except Stale:
                continue
        raise Conflict("the machine is called meanwhile: try again when it is not")

    async def name(self, person: Person, found: Worked, number: int) -> None:
        """Have the member's names mean again what they meant where a task begins."""
        session_id, names = found.row.session_id, found.names_at(number)
        if session_id is not None and names:
            put = partial(bound_names.put, session_id=session_id, person=person.id, changes=names)
            await self._sessions.execute(put, naming=session_id)

"""The use cases around results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

from app.labs.exercise_texts import ExerciseTexts
from app.labs.person import Person
from app.labs.results import Results, read
from app.labs.room import taught
from app.labs.statistics import MisconceptionCount, misconceptions
from app.labs.stuck import Stuck, stuck
from app.sessions import Sessions
from app.store import Connection, sheets, submissions

P = ParamSpec("P")
T = TypeVar("T")


class Grades:
    """Reads results. Raises as Rooms does."""

    def __init__(self, sessions: Sessions, texts: ExerciseTexts) -> None:
        self._sessions = sessions
        self._texts = texts

    async def of(self, person: Person, lab_id: str, sheet_id: str) -> Results:
        """Of everybody for the lab's instructor; for a member their own."""
        return await self._sessions.query_in_turn(
            person.principal, read, self._texts, person, lab_id, sheet_id
        )

    async def of_all(self, person: Person, lab_id: str, sheet_id: str) -> Results:
        """Of everybody, for the lab's instructor. Raises Forbidden."""
        await self._sessions.query(taught, person, lab_id)
        return await self.of(person, lab_id, sheet_id)

    async def of_member(self, person: Person, lab_id: str, sheet_id: str, number: int) -> Results:
        """Of one member, for them and the lab's instructor. Raises NotFound."""
        return await self._sessions.query_in_turn(
            person.principal, read, self._texts, person, lab_id, sheet_id, number
        )

    async def of_lab(self, person: Person, lab_id: str) -> list[Results]:
        """Of all sheets of a lab, for its instructor. Raises Forbidden."""

        def query(db: Connection) -> list[Results]:
            taught(db, person, lab_id)
            rows = [row for row in sheets.of_lab(db, lab_id) if row.opened is not None]
            return [read(db, self._texts, person, lab_id, row.id) for row in rows]

        return await self._sessions.query_in_turn(person.principal, query)

    async def misconceptions(self, person: Person, lab_id: str) -> list[MisconceptionCount]:
        """What the members of a lab misunderstand, for its instructor. Raises Forbidden."""
        return await self.told(person, misconceptions, await self.of_lab(person, lab_id))

    async def stuck(self, person: Person, results: Results) -> list[Stuck]:
        """Who of a sheet may need help."""
        return await self._sessions.query_in_turn(person.principal, stuck, results)

    async def before(self, person: Person, lab_id: str, ids: Sequence[int]) -> dict[int, list[int]]:
        """What submissions had earned before they were marked again, by id; for the lab's instructor."""

        def query(db: Connection) -> dict[int, list[int]]:
            taught(db, person, lab_id)
            found: dict[int, list[int]] = {}
            for row in submissions.gradings_of(db, ids):
                found.setdefault(row.submission_id, []).append(row.score)
            return found

        return await self._sessions.query(query)

    async def told(self, person: Person, tell: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What is made of results, on the background thread: of a large class it takes a while."""
        return await self._sessions.compute(person.principal, tell, *args, **kwargs)

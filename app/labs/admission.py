"""Admission: the waiting list of a lab that has as many members as its instructor expects.

Everybody who has seen the blackboard knows a lab's code, so one person may send many joins. The first come in
as members, up to the number that is expected. The others wait: they see nothing of the lab and can do
nothing, until its instructor admits them or turns them away. Their number is bounded too. Where it is
reached, those who have not asked for some time whether they are admitted make room: an open page asks every
few seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from functools import partial
from typing import Final, NamedTuple

from app.clock import before_now, now
from app.errors import BadArgument
from app.labs import auditing
from app.labs.authentication import Authentication
from app.labs.person import Person
from app.labs.removing import Removing
from app.labs.room import taught
from app.sessions import Conflict, LimitReached, NotFound, Preconditions, Sessions
from app.settings import Settings
from app.store import Connection, labs, people, waiting
from app.store.labs import LabRow
from app.store.people import MemberRow

NOTED: Final = timedelta(seconds=20)  # after which it is noted again that a person has asked
MOST_NUMBERS: Final = 1_000  # numbers in one request


class WaitingStatus(NamedTuple):
    """What a person on the waiting list may know."""

    # The title of the lab.
    lab: str
    # The name of the instructor who admits them.
    instructor: str
    closed: bool


class WaitingList(NamedTuple):
    """The waiting list of a lab: how many are on it, and the newest of them."""

    all: int
    newest: list[MemberRow]


class Admission:
    """The use cases of the waiting list, for instructors and for those on it. Raises as Rooms does."""

    def __init__(
        self, settings: Settings, sessions: Sessions, authentication: Authentication, removing: Removing
    ) -> None:
        self._settings = settings
        self._sessions = sessions
        self._authentication = authentication
        self._removing = removing

    # -- for those who wait ----------------------------------------------------------------------------------

    async def look(self, person: Person) -> Person:
        """Look whether a person has been admitted by now. Asking keeps their place on the waiting list.

        Raises NotFound for a person who has been turned away.
        """
        row = await self._sessions.query(people.member, person.id)
        if row is None or row.waiting is None:
            self._authentication.forget(person.id)
        if row is None:
            raise NotFound("member", person.id)
        if row.waiting is not None and row.waiting < before_now(NOTED):
            await self._sessions.execute(partial(waiting.seen, member_id=row.id, time=now()))
        return Person.of_member(row)

    async def waits(self, person: Person) -> WaitingStatus:
        """What a person who waits is waiting for. Raises NotFound where the lab is gone."""
        return await self._sessions.query(_waiting_status, person)

    # -- for the instructor ----------------------------------------------------------------------------------

    async def listed(
        self, person: Person, lab_id: str, after: int = 0, most: int | None = None
    ) -> list[MemberRow]:
        """Those who wait, in the order in which they came; or so many behind a number."""

        def query(db: Connection) -> list[MemberRow]:
            taught(db, person, lab_id)
            return waiting.listed(db, lab_id, after, most)

        return await self._sessions.query(query)

    async def newest(self, person: Person, lab_id: str, most: int) -> WaitingList:
        """How many wait, and so many of them, the last who came first."""

        def query(db: Connection) -> WaitingList:
            taught(db, person, lab_id)
            return WaitingList(waiting.count(db, lab_id), waiting.newest(db, lab_id, most))

        return await self._sessions.query(query)

    async def admit(
        self,
        person: Person,
        lab_id: str,
        numbers: Collection[int] | None = None,
        *,
        preconditions: Preconditions | None = None,
    ) -> list[int]:
        """Make members of those who wait: of some numbers, or of all as far as the lab has room.

        Numbers that are not on the waiting list are passed over: they may just have left. Returns the
        admitted. Raises BadArgument at `numbers` for too many, Conflict where the lab is closed, and
        LimitReached where it can have no more members.
        """
        _few(numbers)
        admitted: list[MemberRow] = []

        def write(db: Connection) -> list[int]:
            if taught(db, person, lab_id).closed is not None:
                raise Conflict("this lab is closed")
            most = self._settings.members_per_lab
            free = max(0, most - people.member_count(db, lab_id))
            rows = _chosen(db, lab_id, numbers)
            if (rows and not free) or (numbers is not None and len(rows) > free):
                raise LimitReached((), f"a lab has at most {most} members, and this one has room for {free}")
            admitted[:] = rows[:free]
            admit_members(db, person, lab_id, admitted)
            return [row.number for row in admitted]

        found = await self._sessions.execute(write, preconditions=preconditions)
        self._authentication.look_again(row.id for row in admitted)
        return found

    async def turn_away(self, person: Person, lab_id: str, numbers: Collection[int] | None = None) -> int:
        """Delete those who wait: of some numbers, or all who wait now. How many they were."""
        _few(numbers)

        def last(db: Connection) -> int:
            taught(db, person, lab_id)
            return people.last_number(db, lab_id)

        until = await self._sessions.query(last)

        def choose(db: Connection, after: int, most: int) -> list[MemberRow]:
            if numbers is None:
                rows = waiting.listed(db, lab_id, after, most)
            else:
                rows = waiting.numbered(db, lab_id, [number for number in numbers if number > after])[:most]
            return [row for row in rows if row.number <= until]

        def note(db: Connection, rows: Sequence[MemberRow]) -> None:
            auditing.note(db, person, "turn away", lab_id, _target(rows), f"{len(rows)} who waited")

        return await self._removing.remove(choose, note, called=False)


def _few(numbers: Collection[int] | None) -> None:
    if numbers is not None and not 1 <= len(numbers) <= MOST_NUMBERS:
        raise BadArgument.at(
            "numbers", f"1 to {MOST_NUMBERS} numbers of those who wait; leave it out for all"
        )


def _chosen(db: Connection, lab_id: str, numbers: Collection[int] | None) -> list[MemberRow]:
    return waiting.listed(db, lab_id) if numbers is None else waiting.numbered(db, lab_id, numbers)


def _target(rows: Sequence[MemberRow]) -> str:
    return rows[0].id if len(rows) == 1 else ""


def _waiting_status(db: Connection, person: Person) -> WaitingStatus:
    lab = None if person.lab is None else labs.get(db, person.lab)
    teacher = None if lab is None else people.account(db, lab.owner)
    if lab is None or teacher is None:
        raise NotFound("lab", str(person.lab))
    return WaitingStatus(lab.title, teacher.name, lab.closed is not None)


def admit_members(db: Connection, person: Person, lab_id: str, rows: Sequence[MemberRow]) -> None:
    """Make some who wait members, and write it down."""
    if rows:
        waiting.admit(db, [row.id for row in rows])
        auditing.note(db, person, "admit", lab_id, _target(rows), f"{len(rows)} who waited")


def admit_longest_waiting(db: Connection, person: Person, lab: LabRow) -> list[MemberRow]:
    """Admit those who have waited longest, as far as the lab expects more members than it has."""
    free = max(0, lab.expected - people.member_count(db, lab.id))
    rows = waiting.listed(db, lab.id, most=free)
    admit_members(db, person, lab.id, rows)
    return rows

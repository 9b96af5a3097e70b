"""The use cases of labs themselves: create, freeze, close and delete them, and list their members."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from app.clock import before_now, now
from app.errors import BadArgument
from app.labs import auditing, secret, wording
from app.labs.admission import admit_longest_waiting
from app.labs.authentication import Authentication
from app.labs.person import Person, require_instructor
from app.labs.place_in_lab import names_in
from app.labs.removing import Removing
from app.labs.room import Lab, machines_of, seen, taught
from app.sessions import Conflict, LimitReached, NotFound, Preconditions, SessionInfo, Sessions
from app.sessions.identifiers import new_id
from app.settings import Settings
from app.store import Connection, labs, people
from app.store import sessions as session_rows
from app.store.labs import LabRow
from app.store.people import MemberRow

CREATED = "create a lab"
CODE_DAYS = 7.0  # that a code lets people in
DEFAULT_EXPECTED = 120  # members, where nothing else is said

# What is written down of a change, and the columns that it changes. A closed lab may still be described.
LabChange = tuple[str, dict[str, Any]]
DESCRIBE = "describe a lab"
EXPECT = "expect members"
OPEN = "open a lab"


class Rooms:
    """What can be done with labs themselves.

    All methods raise NotFound for a lab that the person is not in, Forbidden where only its instructor may,
    and Busy or StorageFull where nothing could be written.
    """

    def __init__(
        self, settings: Settings, sessions: Sessions, authentication: Authentication, removing: Removing
    ) -> None:
        self._settings = settings
        self._sessions = sessions
        self._authentication = authentication
        self._removing = removing

    async def create(
        self,
        person: Person,
        title: str,
        text: str = "",
        expected: int | None = None,
        *,
        draft: bool = False,
        preconditions: Preconditions | None = None,
    ) -> Lab:
        """A new lab with a code to join. draft: which lets nobody in until the lab is opened.

        Raises BadArgument at `title`, `text` and `expected`.
        """
        require_instructor(person)
        if expected is None:
            expected = min(DEFAULT_EXPECTED, self._settings.members_per_lab)
        row = LabRow(
            new_id(),
            person.id,
            wording.line("title", title, wording.TITLE_LENGTH),
            wording.text("text", text),
            now(),
            secret.new_code(),
            secret.days_from_now(CODE_DAYS),
            expected=self._counted(expected),
            draft=draft,
        )

        def write(db: Connection) -> Lab:
            if len(labs.of_owner(db, person.id)) >= self._settings.labs_per_instructor:
                raise LimitReached((), f"an instructor has at most {self._settings.labs_per_instructor} labs")
            labs.create(db, row)
            auditing.note(db, person, CREATED, row.id)
            return Lab.of(row)

        return await self._sessions.execute(write, preconditions=preconditions)

    async def listed(self, person: Person) -> list[Lab]:
        """The labs that a person teaches or is in, the newest first."""

        def query(db: Connection) -> list[Lab]:
            if person.lab is not None:
                return [Lab.of(seen(db, person, person.lab), whole=False)]
            return [Lab.of(row) for row in labs.of_owner(db, person.id)]

        return await self._sessions.query(query)

    async def using(self, person: Person, session_id: str) -> list[Lab]:
        """The labs that a person teaches and that have a session as a machine."""

        def query(db: Connection) -> list[Lab]:
            ids = {machine.lab_id for machine in labs.of_session(db, session_id)}
            return [Lab.of(row) for row in labs.of_owner(db, person.id) if row.id in ids]

        return await self._sessions.query(query)

    async def get(self, person: Person, lab_id: str) -> Lab:
        """One lab, with what it has."""

        def query(db: Connection) -> Lab:
            row = seen(db, person, lab_id)
            return Lab.of(row, machines_of(db, lab_id), whole=row.owner == person.id)

        return await self._sessions.query(query)

    async def require_taught(self, person: Person, lab_id: str) -> None:
        """Raise NotFound or Forbidden for a person who does not teach the lab."""
        await self._sessions.query(taught, person, lab_id)

    async def describe(
        self, person: Person, lab_id: str, title: str | None = None, text: str | None = None
    ) -> Lab:
        """Change its title and text. Raises BadArgument at `title` and `text`."""
        return await self.change(person, lab_id, title=title, text=text)

    async def open(self, person: Person, lab_id: str) -> Lab:
        """Let members join a lab that was a draft until now: its code is good for a week from here on."""
        return await self.change(person, lab_id, opened=True)

    async def freeze(self, person: Person, lab_id: str, *, frozen: bool) -> Lab:
        """Stop all calls of members for now, or let them go on. Raises Conflict where it is closed."""
        return await self.change(person, lab_id, frozen=frozen)

    async def expect(self, person: Person, lab_id: str, expected: int) -> Lab:
        """Change how many members come in without being admitted. Those who have waited longest come in then.

        Raises BadArgument at `expected`, and Conflict where it is closed.
        """
        return await self.change(person, lab_id, expected=expected)

    def _counted(self, expected: int) -> int:
        if not 1 <= expected <= self._settings.members_per_lab:
            raise BadArgument.at("expected", f"1 to {self._settings.members_per_lab} members")
        return expected

    async def close(self, person: Person, lab_id: str) -> Lab:
        """Close a lab for good: it can be read; calls and joins are refused."""
        return await self.change(person, lab_id, close=True)

    async def change(
        self,
        person: Person,
        lab_id: str,
        *,
        title: str | None = None,
        text: str | None = None,
        frozen: bool | None = None,
        expected: int | None = None,
        opened: bool = False,
        close: bool = False,
    ) -> Lab:
        """All that `describe`, `freeze`, `expect`, `open` and `close` do: everything is done, or nothing."""
        steps: list[LabChange] = []
        words: dict[str, Any] = {}
        if title is not None:
            words["title"] = wording.line("title", title, wording.TITLE_LENGTH)
        if text is not None:
            words["text"] = wording.text("text", text)
        if words:
            steps.append((DESCRIBE, words))
        if frozen is not None:
            steps.append(("freeze a lab" if frozen else "thaw a lab", {"frozen": frozen}))
        if expected is not None:
            steps.append((EXPECT, {"expected": self._counted(expected)}))
        if opened:
            steps.append((OPEN, {"draft": False}))
        if close:
            ended = {"closed": now(), "frozen": False, "code": None, "code_expires": None, "view": None}
            steps.append(("close a lab", ended))
        return await self._change(person, lab_id, steps)

    async def renew_code(
        self,
        person: Person,
        lab_id: str,
        days: float = CODE_DAYS,
        *,
        preconditions: Preconditions | None = None,
    ) -> Lab:
        """Another code, instead of the one there was."""
        values = {"code": secret.new_code(), "code_expires": secret.days_from_now(days)}
        return await self._change(person, lab_id, [("renew a code", values)], preconditions)

    async def drop_code(self, person: Person, lab_id: str) -> Lab:
        """Delete the join code; members stay."""
        values = {"code": None, "code_expires": None}
        return await self._change(person, lab_id, [("close a code", values)])

    async def _change(
        self,
        person: Person,
        lab_id: str,
        steps: Sequence[LabChange],
        preconditions: Preconditions | None = None,
    ) -> Lab:
        admitted: list[MemberRow] = []

        def write(db: Connection) -> Lab:
            row = taught(db, person, lab_id)
            for act, values in steps:
                if row.closed is not None:
                    raise Conflict("this lab is closed")
                if act == OPEN:
                    if not row.draft:
                        continue
                    if row.code is not None:
                        values = {**values, "code_expires": secret.days_from_now(CODE_DAYS)}  # noqa: PLW2901
                labs.change(db, lab_id, values)
                auditing.note(
                    db, person, act, lab_id, detail=str(values["expected"]) if act == EXPECT else ""
                )
                before, row = row, row._replace(**values)
                if row.expected > before.expected:
                    admitted[:] = admit_longest_waiting(db, person, row)
            return Lab.of(row, machines_of(db, lab_id))

        lab = await self._sessions.execute(write, preconditions=preconditions)
        self._authentication.look_again(row.id for row in admitted)
        return lab

    async def delete(self, person: Person, lab_id: str) -> None:
        """Delete a lab with its members and all that is theirs. The instructor keeps what was shared."""
        await self.require_taught(person, lab_id)
        await self._delete(person, lab_id)

    async def _delete(self, person: Person | None, lab_id: str) -> None:
        def shut(db: Connection) -> None:
            labs.change(db, lab_id, {"code": None, "code_expires": None})  # so that no person joins meanwhile

        def everybody(db: Connection, after: int, most: int) -> list[MemberRow]:
            return people.everybody(db, lab_id, after, most)

        await self._sessions.execute(shut)
        await self._removing.remove(everybody, partial(_note_deleted, person=person))

        def write(db: Connection) -> None:
            for row in session_rows.of_lab(db, lab_id):
                session_rows.leave_lab(db, row.id, lab_id)
            labs.remove(db, lab_id)
            auditing.note(db, person, "delete a lab", lab_id, lab_id)

        await self._sessions.execute(write)
        self._sessions.review()

    # -- members ---------------------------------------------------------------------------------------------

    async def roster(
        self, person: Person, lab_id: str, after: int = 0, most: int | None = None
    ) -> list[MemberRow]:
        """The members of a lab, by number; or so many behind a number."""

        def query(db: Connection) -> list[MemberRow]:
            taught(db, person, lab_id)
            return people.lab_members(db, lab_id, after, most)

        return await self._sessions.query(query)

    async def member(self, person: Person, lab_id: str, number: int) -> MemberRow:
        """One member: for the instructor, and for the member. Raises NotFound."""

        def query(db: Connection) -> MemberRow:
            row = seen(db, person, lab_id)
            found = people.member_by_number(db, lab_id, number)
            if found is None or person.id not in (row.owner, found.id):
                raise NotFound("member", str(number))
            return found

        return await self._sessions.query(query)

    async def machines_of_member(self, person: Person, lab_id: str, number: int) -> list[SessionInfo]:
        """A member's own sessions, the oldest first. For whom `member` is."""
        member = await self.member(person, lab_id, number)
        rows = await self._sessions.query(session_rows.all_owned, member.id)
        return [SessionInfo.of(row) for row in sorted(rows, key=lambda row: (row.created, row.id))]

    async def delete_member(self, person: Person, lab_id: str, number: int) -> None:
        """Delete a member: nickname, tokens, machines. Rows of shared machines keep the number alone."""
        await self._sessions.query(taught, person, lab_id)
        await self.member(person, lab_id, number)

        def choose(db: Connection, _after: int, _most: int) -> list[MemberRow]:
            found = people.member_by_number(db, lab_id, number)
            return [] if found is None else [found]

        await self._removing.remove(choose, partial(_note_deleted, person=person))

    async def idle(self, person: Person, lab_id: str) -> list[MemberRow]:
        """Members who have done nothing: no machine of their own, no call, no checkpoint."""

        def query(db: Connection) -> list[MemberRow]:
            taught(db, person, lab_id)
            return people.idle(db, lab_id)

        return await self._sessions.query(query)

    async def remove_idle(
        self, person: Person, lab_id: str, *, preconditions: Preconditions | None = None
    ) -> int:
        """Delete the members who have done nothing; how many they were. Those who join meanwhile stay."""

        def last(db: Connection) -> int:
            taught(db, person, lab_id)
            return people.last_number(db, lab_id)

        await self._sessions.not_done(preconditions)
        until = await self._sessions.query(last)

        def choose(db: Connection, after: int, most: int) -> list[MemberRow]:
            return [row for row in people.idle(db, lab_id, after, most) if row.number <= until]

        removed = await self._removing.remove(choose, called=False)

        def write(db: Connection) -> int:
            auditing.note(db, person, "remove idle members", lab_id, detail=f"{removed} members")
            return removed

        return await self._sessions.execute(write, preconditions=preconditions)

    async def names(self, lab_id: str) -> dict[str, str]:
        """The names of persons by the number that rows and tasks have: members (`m7`), instructor (`i1`)."""

        def query(db: Connection) -> dict[str, str]:
            lab = labs.get(db, lab_id)
            return {} if lab is None else names_in(db, lab)

        return await self._sessions.query(query)

    async def clear_orphans(self) -> None:
        """Delete what a member has left who could not be deleted to the end."""
        for session_id in await self._sessions.query(session_rows.orphans):
            await self._sessions.discard(session_id)

    # -- retention -------------------------------------------------------------------------------------------

    async def forget_idle(self) -> int:
        """Delete the labs in which nothing has happened for longer than labs are kept. How many they were."""
        if self._settings.retention_days is None:
            return 0
        before = before_now(timedelta(days=self._settings.retention_days))
        idle = await self._sessions.query(labs.idle_since, before)
        for lab_id in idle:
            await self._delete(None, lab_id)
        return len(idle)


def _note_deleted(db: Connection, rows: Sequence[MemberRow], person: Person | None) -> None:
    for row in rows:
        if row.waiting is None:
            auditing.note(db, person, "delete a member", row.lab_id, row.id)

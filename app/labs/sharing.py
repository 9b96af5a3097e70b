"""The machines of a lab: those prepared to be copied, those shared, the copies, and the checkpoints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from app.clock import now
from app.errors import BadArgument
from app.labs import auditing, checking, wording
from app.labs.checking import CAUGHT_UP, DONE, SAID
from app.labs.names_at import names_at
from app.labs.person import Person
from app.labs.place_in_lab import MemberCopy, copies, next_of, prepared_for
from app.labs.room import (
    LAB_MACHINE_KINDS,
    PREPARED,
    ROLES,
    Checkpoint,
    LabMachine,
    machine_of,
    machines_of,
    require_open,
    seen,
    taught,
)
from app.sessions import (
    Applied,
    BatchItem,
    Conflict,
    LimitReached,
    NotFound,
    Preconditions,
    Principal,
    SessionInfo,
    Sessions,
    Stale,
    blocklists,
)
from app.sessions.access import group_of
from app.sessions.identifiers import new_id
from app.settings import Settings
from app.store import Connection, access, bound_names, labs, people
from app.store import sessions as session_rows
from app.store.labs import CheckpointRow, LabRow, MachineRow, ProgressRow
from app.store.people import AccountRow, MemberRow
from app.store.sessions import SessionRow

CATCH_UP_TRIES = 5  # at bringing a copy to a checkpoint while its owner calls it


class Sharing:
    """Machines of labs, their copies and their checkpoints. Raises as Rooms does."""

    def __init__(self, settings: Settings, sessions: Sessions) -> None:
        self._settings = settings
        self._sessions = sessions

    # -- what a lab has --------------------------------------------------------------------------------------

    async def add(
        self,
        person: Person,
        lab_id: str,
        session_id: str,
        kind: str,
        seq: int | None = None,
        title: str | None = None,
        *,
        preconditions: Preconditions | None = None,
    ) -> LabMachine:
        """Put one of the instructor's sessions into a lab.

        kind: `prepared` to be copied as it was at `seq` (by default as it is now), `operate` or `watch` to be
        shared as it goes on. Raises BadArgument at `kind`, `session`, `seq` and `title`, LimitReached, and
        Conflict for a session that another lab shares.
        """
        if kind not in LAB_MACHINE_KINDS:
            raise BadArgument.at("kind", f"one of {', '.join(LAB_MACHINE_KINDS)}")
        if title is not None:
            title = wording.line("title", title, wording.TITLE_LENGTH)

        def query(db: Connection) -> tuple[SessionRow, int]:
            require_open(taught(db, person, lab_id))
            session = session_rows.get(db, session_id)
            if session is None or session.owner != person.id:
                raise BadArgument.at("session", "one of your own sessions")
            if len(labs.machines(db, lab_id)) >= self._settings.machines_per_lab:
                raise LimitReached((), f"a lab has at most {self._settings.machines_per_lab} machines")
            at = session.seq if seq is None else seq
            if not session.start <= at <= session.seq:
                raise BadArgument.at("seq", f"a row from {session.start} to {session.seq}")
            return session, at

        await self._sessions.not_done(preconditions)
        _, at = await self._sessions.query(query)
        if kind == PREPARED:
            await self._sessions.keep(person.principal, session_id, at)
        named = await names_at(self._sessions, person.principal, session_id, at)

        def write(db: Connection) -> LabMachine:
            session, _ = query(db)  # it may be gone by now
            row = MachineRow(new_id(), lab_id, session.id, kind, title or session.name, at, named, now())
            _share(db, lab_id, session, kind)
            labs.add_machine(db, row)
            auditing.note(db, person, f"add a machine: {kind}", lab_id, session.id, f"at {at}")
            return LabMachine(row.id, kind, row.title, session.id, at)

        return await self._sessions.execute(write, preconditions=preconditions)

    async def change(
        self, person: Person, lab_id: str, machine_id: str, kind: str | None = None, title: str | None = None
    ) -> LabMachine:
        """Change how a machine is shared, or its title. Raises BadArgument at `kind` and `title`."""
        if kind is not None and kind not in LAB_MACHINE_KINDS:
            raise BadArgument.at("kind", f"one of {', '.join(LAB_MACHINE_KINDS)}")
        values: dict[str, Any] = {}

        def query(db: Connection) -> MachineRow:
            require_open(taught(db, person, lab_id))
            return machine_of(db, lab_id, machine_id)

        if title is not None:
            values["title"] = wording.line("title", title, wording.TITLE_LENGTH)
        if kind == PREPARED:
            found = await self._sessions.query(query)
            await self._sessions.keep(person.principal, found.session_id, found.seq)

        def write(db: Connection) -> LabMachine:
            row = query(db)
            if kind is not None and kind != row.kind:
                _unshare(db, row)
                session = session_rows.get(db, row.session_id)
                assert session is not None
                _share(db, lab_id, session, kind)
                values["kind"] = kind
                auditing.note(db, person, f"share a machine: {kind}", lab_id, row.session_id)
            if values:
                labs.change_machine(db, machine_id, values)
            return next(machine for machine in machines_of(db, lab_id) if machine.id == machine_id)

        machine = await self._sessions.execute(write)
        self._sessions.review()
        return machine

    async def remove(self, person: Person, lab_id: str, machine_id: str) -> None:
        """Take a machine out of a lab. Copies of it stay."""

        def write(db: Connection) -> None:
            taught(db, person, lab_id)
            row = machine_of(db, lab_id, machine_id)
            _unshare(db, row)
            labs.remove_machine(db, machine_id)
            auditing.note(db, person, "remove a machine", lab_id, row.session_id)

        await self._sessions.execute(write)
        self._sessions.review()

    # -- copies ----------------------------------------------------------------------------------------------

    async def copy(
        self, person: Person, lab_id: str, machine_id: str, *, preconditions: Preconditions | None = None
    ) -> SessionInfo:
        """A session of the person's own that goes on from a prepared machine.

        Raises NotFound, BadArgument at `machine` for one that is shared instead, LimitReached and Conflict.
        """

        def query(db: Connection) -> tuple[LabRow, MachineRow]:
            return seen(db, person, lab_id), machine_of(db, lab_id, machine_id)

        await self._sessions.not_done(preconditions)
        lab, machine = await self._sessions.query(query)
        if machine.kind != PREPARED:
            raise BadArgument.at("machine", "a prepared one; this one is shared: open it")
        return await self._sessions.fork(
            person.principal,
            machine.session_id,
            machine.seq,
            machine.title,
            of=Principal(lab.owner),
            names=json.loads(machine.names),
            preconditions=preconditions,
        )

    async def copies(self, person: Person, lab_id: str) -> list[MemberCopy]:
        """The machines of a member's own, the oldest first; for the instructor those of all members."""

        def query(db: Connection) -> list[MemberCopy]:
            lab = seen(db, person, lab_id)
            return copies(db, lab_id, None if lab.owner == person.id else person.id)

        return await self._sessions.query(query)

    async def lock(
        self,
        person: Person,
        lab_id: str,
        session_id: str,
        *,
        locked: bool,
        preconditions: Preconditions | None = None,
    ) -> None:
        """Lock a member's machine against calls of the member, or unlock it. Raises NotFound."""

        def write(db: Connection) -> None:
            require_open(taught(db, person, lab_id))
            _in_lab(db, lab_id, session_id)
            session_rows.lock(db, session_id, locked=locked)
            auditing.note(db, person, "lock a machine" if locked else "unlock a machine", lab_id, session_id)

        await self._sessions.execute(write, preconditions=preconditions)

    async def reset(
        self, person: Person, lab_id: str, session_id: str, *, preconditions: Preconditions | None = None
    ) -> Applied:
        """Give a copy the state again from which it started, by a new row. Raises NotFound."""

        def query(db: Connection) -> SessionRow:
            taught(db, person, lab_id)
            return _in_lab(db, lab_id, session_id)

        row = await self._sessions.query(query)
        applied = await self._sessions.rewind(
            person.principal, session_id, row.start, preconditions=preconditions
        )

        def write(db: Connection) -> None:
            auditing.note(db, person, "reset a machine", lab_id, session_id, f"row {applied.seq}")
            machine = prepared_for(labs.machines(db, lab_id), row)
            if machine is not None:
                _name(db, row, machine.names)

        await self._sessions.execute(write, naming=session_id)
        return applied

    # -- checkpoints -----------------------------------------------------------------------------------------

    async def mark(
        self,
        person: Person,
        lab_id: str,
        machine_id: str,
        seq: int,
        title: str,
        *,
        preconditions: Preconditions | None = None,
    ) -> Checkpoint:
        """Make a seq of a prepared machine a checkpoint, to which copies can be brought.

        Raises BadArgument at `seq` and `title`, LimitReached, and Conflict where there is one already.
        """
        title = wording.line("title", title, wording.TITLE_LENGTH)

        def query(db: Connection) -> MachineRow:
            require_open(taught(db, person, lab_id))
            return machine_of(db, lab_id, machine_id)

        await self._sessions.not_done(preconditions)
        machine = await self._sessions.query(query)
        if machine.kind != PREPARED:
            raise BadArgument.at("machine", "a prepared one: only that has copies")
        if seq <= machine.seq:
            raise BadArgument.at("seq", f"a row after {machine.seq}, where the copies start")
        await self._sessions.calls_between(
            person.principal, machine.session_id, machine.seq, seq, machine.session_id
        )
        await self._sessions.keep(person.principal, machine.session_id, seq)
        named = await names_at(self._sessions, person.principal, machine.session_id, seq)

        def write(db: Connection) -> Checkpoint:
            query(db)  # it may be gone by now
            if any(
                mark.machine_id == machine_id and mark.seq == seq for mark in labs.lab_checkpoints(db, lab_id)
            ):
                raise Conflict(f"there is a checkpoint at {seq} already")
            row = CheckpointRow(new_id(), machine_id, seq, title, named)
            labs.add_checkpoint(db, row)
            auditing.note(db, person, "mark a checkpoint", lab_id, machine.session_id, f"at {seq}")
            return Checkpoint.of(row)

        return await self._sessions.execute(write, preconditions=preconditions)

    async def unmark(self, person: Person, lab_id: str, checkpoint_id: str) -> None:
        """Delete a checkpoint. Raises NotFound."""

        def write(db: Connection) -> None:
            taught(db, person, lab_id)
            _checkpoint(db, lab_id, checkpoint_id)
            labs.remove_checkpoint(db, checkpoint_id)
            auditing.note(db, person, "remove a checkpoint", lab_id, checkpoint_id)

        await self._sessions.execute(write)

    async def done(
        self, person: Person, lab_id: str, checkpoint_id: str, *, preconditions: Preconditions | None = None
    ) -> str:
        """Note that a member says that they have come to a checkpoint on their own. Raises NotFound.

        Returns how they have: `done` where the calls that lead there stand in a copy of theirs, also where
        they had said so, or caught up, before; else `said`, or what it was before.
        """

        def check(db: Connection) -> bool:
            require_open(seen(db, person, lab_id))
            mark = _checkpoint(db, lab_id, checkpoint_id)
            member = _require_member(db, person)
            marks = [one for one in labs.lab_checkpoints(db, lab_id) if one.machine_id == mark.machine_id]
            return checking.has_done(db, member, machine_of(db, lab_id, mark.machine_id), marks, mark)

        await self._sessions.not_done(preconditions)
        checked = await self._sessions.query_in_turn(person.principal, check)

        def write(db: Connection) -> str:
            require_open(seen(db, person, lab_id))
            _checkpoint(db, lab_id, checkpoint_id)
            how, above = (DONE, (SAID, CAUGHT_UP)) if checked else (SAID, ())
            return labs.reach(db, ProgressRow(person.id, checkpoint_id, how, now()), above)

        return await self._sessions.execute(write, preconditions=preconditions)

    async def reached(self, person: Person, lab_id: str) -> dict[str, str]:
        """The checkpoints that a member has come to, and how: `done`, `said` or `caught up`."""

        def query(db: Connection) -> dict[str, str]:
            seen(db, person, lab_id)
            return labs.reached_by(db, person.id)

        return await self._sessions.query(query)

    async def catch_up(
        self,
        person: Person,
        lab_id: str,
        session_id: str,
        checkpoint_id: str | None = None,
        *,
        preconditions: Preconditions | None = None,
    ) -> Checkpoint:
        """Bring a member's copy to a checkpoint: by default to the next one that they have not reached.

        The copy goes back to its start, and makes the calls that lead to the checkpoint: rows like all
        others, to be explained and undone, but the instructor's. Of names the member has those that they had
        there, and no others. Raises NotFound, and Conflict where there is no such checkpoint, or no calls are
        made.
        """

        def query(db: Connection) -> tuple[AccountRow, SessionRow, MachineRow, CheckpointRow]:
            owner = people.account(db, seen(db, person, lab_id).owner)
            assert owner is not None
            copy = session_rows.get(db, session_id)
            if copy is None or copy.owner != person.id or copy.lab_id != lab_id:
                raise NotFound("session", session_id)
            return owner, copy, *_next(db, person, lab_id, copy, checkpoint_id)

        await self._sessions.not_done(preconditions)
        for _ in range(CATCH_UP_TRIES):
            owner, copy, machine, checkpoint = await self._sessions.query(query)
            calls = await self._sessions.calls_between(
                person.principal, machine.session_id, machine.seq, checkpoint.seq, copy.id
            )
            by = replace(person.principal, by=f"i{owner.number}")
            try:
                await self._bring(by, copy, calls)
                break
            except Stale:
                checkpoint_id = checkpoint.id
        else:
            raise Conflict("the machine is called meanwhile: try again when it is not")

        def write(db: Connection) -> Checkpoint:
            _checkpoint(db, lab_id, checkpoint.id)
            _name(db, copy, checkpoint.names)
            labs.reach(db, ProgressRow(person.id, checkpoint.id, CAUGHT_UP, now()))
            return Checkpoint.of(checkpoint)

        return await self._sessions.execute(write, naming=session_id, preconditions=preconditions)

    async def _bring(self, by: Principal, copy: SessionRow, calls: Sequence[BatchItem]) -> None:
        """Make calls on a copy as it was at its start. Raises Stale where anything else comes in between."""
        seq = copy.seq
        if copy.effective != copy.start:
            seq = (await self._sessions.rewind(by, copy.id, copy.start, preconditions=Preconditions(seq))).seq
        if calls:
            await self._sessions.batch(by, copy.id, calls, preconditions=Preconditions(seq))


def _name(db: Connection, copy: SessionRow, given: str) -> None:
    """Have the names in a copy be those of a moment of the machine that it is of, and no others."""
    mine = dict.fromkeys(bound_names.of_person(db, copy.id, copy.owner))
    theirs = blocklists.carry_names(db, copy.id, json.loads(given))
    bound_names.put(db, copy.id, copy.owner, {**mine, **theirs})


def _share(db: Connection, lab_id: str, session: SessionRow, kind: str) -> None:
    role = ROLES.get(kind)
    if role is None:
        return
    if session.lab_id is not None:
        raise Conflict("this session is shared already")
    session_rows.put_into_lab(db, session.id, lab_id)
    access.grant(db, session.id, group_of(lab_id), role)


def _unshare(db: Connection, row: MachineRow) -> None:
    if row.kind in ROLES:
        session_rows.leave_lab(db, row.session_id, row.lab_id)


def _in_lab(db: Connection, lab_id: str, session_id: str) -> SessionRow:
    row = session_rows.get(db, session_id)
    if row is None or row.lab_id != lab_id:
        raise NotFound("session", session_id)
    return row


def _checkpoint(db: Connection, lab_id: str, checkpoint_id: str) -> CheckpointRow:
    for row in labs.lab_checkpoints(db, lab_id):
        if row.id == checkpoint_id:
            return row
    raise NotFound("checkpoint", checkpoint_id)


def _require_member(db: Connection, person: Person) -> MemberRow:
    row = people.member(db, person.id)
    if row is None:
        raise Conflict("only a member of the lab comes to a checkpoint")
    return row


def _next(
    db: Connection, person: Person, lab_id: str, copy: SessionRow, checkpoint_id: str | None
) -> tuple[MachineRow, CheckpointRow]:
    """Where a copy is to be brought. Raises Conflict and NotFound."""
    machine = prepared_for(labs.machines(db, lab_id), copy)
    if machine is None:
        raise Conflict("this machine is no copy of one that is prepared here")
    marks = [mark for mark in labs.lab_checkpoints(db, lab_id) if mark.machine_id == machine.id]
    if checkpoint_id is not None:
        for mark in marks:
            if mark.id == checkpoint_id:
                return machine, mark
        raise NotFound("checkpoint", checkpoint_id)
    reached = {row.checkpoint_id for row in labs.lab_progress(db, lab_id) if row.member_id == person.id}
    following = next_of(marks, reached, fresh=copy.seq == copy.start)
    if following is None:
        raise Conflict("there is no further checkpoint yet")
    return machine, following

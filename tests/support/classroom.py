"""A class on a real database: an instructor, a lab, a machine that is prepared, and students.

`async with a_class(path) as room:` is what one server process has between its start and its end.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.labs import Lab, LabMachine, Labs, Person
from app.sessions import BatchItem, SessionInfo, Sessions
from app.settings import Settings
from tests.support.factories import TINY, serving, settings_for

PASSWORD = "correct horse battery"


@dataclass
class Class:
    """A lab with its instructor and a prepared machine."""

    settings: Settings
    sessions: Sessions
    labs: Labs
    # Of `lab`, in which `machine` is prepared from `origin`.
    instructor: Person
    lab: Lab
    origin: SessionInfo
    machine: LabMachine

    async def join(self, nickname: str) -> Person:
        """A new student."""
        assert self.lab.code is not None
        entered, _ = await self.labs.authentication.join(self.lab.code, nickname)
        return entered.person

    async def copy(self, person: Person) -> SessionInfo:
        """A copy of the prepared machine."""
        return await self.labs.sharing.copy(person, self.lab.id, self.machine.id)

    async def share(self, kind: str) -> SessionInfo:
        """A machine that the whole class calls (`operate`), or looks at (`watch`)."""
        made = await self.sessions.create(self.instructor.principal, kind, TINY)
        await self.labs.sharing.add(self.instructor, self.lab.id, made.id, kind)
        return made

    async def call(self, person: Person, session_id: str, call: str, **body: Any) -> dict[str, Any]:
        """One call; its outcome."""
        return (await self.sessions.apply(person.principal, session_id, call, body)).outcome


@asynccontextmanager
async def labs_of(settings: Settings) -> AsyncIterator[tuple[Sessions, Labs]]:
    """The use cases of one server process in lab mode."""
    async with serving(settings) as sessions:
        labs = Labs(settings, sessions)
        await labs.start()
        try:
            yield sessions, labs
        finally:
            await labs.stop()


async def first_instructor(labs: Labs, name: str = "Prof. Kim") -> Person:
    """The first one, by the link that a server prints."""
    invitation = await labs.authentication.first_invitation()
    assert invitation is not None
    return (await labs.authentication.set_up(invitation, name, PASSWORD)).person


@asynccontextmanager
async def a_class(path: Path, **more: Any) -> AsyncIterator[Class]:
    """A class with a machine that is prepared at seq 1, where `p` is a page."""
    settings = settings_for(path, lab=True, **more)
    async with labs_of(settings) as (sessions, labs):
        instructor = await first_instructor(labs)
        lab = await labs.rooms.create(instructor, "Buddies", "Split and *merge*")
        origin = await sessions.create(instructor.principal, "buddies", TINY)
        await sessions.batch(
            instructor.principal,
            origin.id,
            [BatchItem("alloc_pages", {"gfp": "GFP_KERNEL", "order": 3}, "p")],
        )
        machine = await labs.sharing.add(instructor, lab.id, origin.id, "prepared")
        yield Class(settings, sessions, labs, instructor, lab, origin, machine)


async def reached(sessions: Sessions, person: Person, session_id: str, seq: int) -> None:
    """Wait until a session is at a seq."""
    reader = await sessions.follow(person.principal, session_id, 0)
    try:
        while reader.at < seq:
            await reader.next()
    finally:
        reader.close()

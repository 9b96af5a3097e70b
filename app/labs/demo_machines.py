"""A demo for a whole class: a prepared machine for each of its parts, with its steps as checkpoints."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.clock import now
from app.demos import Demo
from app.demos.playing import items
from app.errors import Refusal
from app.labs import auditing
from app.labs.names_at import names_at
from app.labs.person import Person
from app.labs.room import PREPARED, LabMachine, machines_of, require_open, taught
from app.labs.wording import TITLE_LENGTH
from app.sessions import LimitReached, Preconditions, Sessions
from app.sessions.identifiers import new_id
from app.settings import Settings
from app.store import Connection, labs
from app.store.labs import CheckpointRow, MachineRow


@dataclass
class PlayedPart:
    """A part of a demo that was played on a session of the instructor's: where its steps have ended."""

    session_id: str
    title: str
    number: int
    # The names at the session's start, as JSON.
    names: str = "{}"
    # seq, title, and names as JSON.
    steps: list[tuple[int, str, str]] = field(default_factory=list)


class DemoMachines:
    """Gives demos to labs. Raises as Rooms does."""

    def __init__(self, settings: Settings, sessions: Sessions) -> None:
        self._settings = settings
        self._sessions = sessions

    async def add(
        self, person: Person, lab_id: str, demo: Demo, *, preconditions: Preconditions | None = None
    ) -> list[LabMachine]:
        """Put a demo into a lab: all of it, or nothing.

        The calls are made once, in sessions of the instructor; members copy the machines as they are before
        the first step, and catch up by steps. A step that has no calls is no checkpoint. Raises LimitReached,
        and Conflict where the lab is closed.
        """

        def check(db: Connection) -> None:
            require_open(taught(db, person, lab_id))
            most = self._settings.machines_per_lab
            if len(labs.machines(db, lab_id)) + len(demo.parts) > most:
                raise LimitReached((), f"a lab has at most {most} machines; this demo has {len(demo.parts)}")

        await self._sessions.not_done(preconditions)
        await self._sessions.query(check)
        played: list[PlayedPart] = []

        def write(db: Connection) -> list[LabMachine]:
            check(db)
            made = [_add(db, person, lab_id, demo, part) for part in played]
            return [machine for machine in machines_of(db, lab_id) if machine.id in made]

        try:
            for number in range(1, len(demo.parts) + 1):
                played.append(await self._begin(person, demo, number))
                await self._play(person, demo, played[-1])
            return await self._sessions.execute(write, preconditions=preconditions)
        except Refusal:
            for part in played:
                await self._sessions.delete(person.principal, part.session_id)
            raise

    async def _begin(self, person: Person, demo: Demo, number: int) -> PlayedPart:
        """Make the machine of a part."""
        which = "" if number == 1 else f", part {number}"
        title = demo.title[: TITLE_LENGTH - len(which)] + which
        made = await self._sessions.create(person.principal, title, demo.parts[number - 1].machine)
        return PlayedPart(made.id, title, number)

    async def _play(self, person: Person, demo: Demo, part: PlayedPart) -> None:
        """Make the calls of all steps of a part, and keep the state after each."""
        who, sid = person.principal, part.session_id
        await self._sessions.keep(who, sid, 0)
        within = demo.parts[part.number - 1]
        for step in demo.steps[within.first : within.end]:
            if step.calls:
                seq = (await self._sessions.batch(who, sid, items(step)))[-1].seq
                await self._sessions.keep(who, sid, seq)
                names = await names_at(self._sessions, who, sid, seq)
                part.steps.append((seq, step.title[:TITLE_LENGTH], names))


def _add(db: Connection, person: Person, lab_id: str, demo: Demo, part: PlayedPart) -> str:
    """Write a part as a machine of the lab. Returns the machine's id."""
    row = MachineRow(
        new_id(), lab_id, part.session_id, PREPARED, part.title, 0, part.names, now(), demo.name, part.number
    )
    labs.add_machine(db, row)
    for seq, title, names in part.steps:
        labs.add_checkpoint(db, CheckpointRow(new_id(), row.id, seq, title, names))
    auditing.note(db, person, "add a demo", lab_id, part.session_id, demo.name)
    return row.id

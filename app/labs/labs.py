"""Everything about labs, in one place to ask."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from typing import Final

from app.clock import now
from app.exercises.library import Library
from app.labs import attempts, machine_rows
from app.labs.admission import Admission
from app.labs.advancing import Advancing
from app.labs.authentication import Authentication
from app.labs.demo_machines import DemoMachines
from app.labs.exercise_texts import ExerciseTexts
from app.labs.exporting import Exporting
from app.labs.grades import Grades
from app.labs.machine_rows import MachineRows
from app.labs.news import News
from app.labs.person import Person, require_instructor
from app.labs.place_in_lab import PlaceInLab, place_of
from app.labs.polls import Polls
from app.labs.presenting import Presenting
from app.labs.regrading import Regrading
from app.labs.removing import Removing
from app.labs.revealing import Revealing
from app.labs.rooms import CREATED, Rooms
from app.labs.sealing import Sealing
from app.labs.settling import Settling
from app.labs.sharing import Sharing
from app.labs.sheets import Sheets
from app.labs.submissions import Submissions
from app.labs.variants import Variants
from app.labs.wall import Wall
from app.sessions import Busy, Sessions, StorageFull, page_rows
from app.sessions.page_rows import PageQuery
from app.settings import Settings
from app.store import audit, people
from app.store.audit import Noted
from app.store.people import MemberRow

log = logging.getLogger(__name__)

SWEEP_SECONDS: Final = 3_600.0  # how often what is too old is looked for
SETTLE_SECONDS: Final = 10.0  # how often what is due is looked for


class Labs:
    """The use cases around labs, and what belongs to them."""

    def __init__(self, settings: Settings, sessions: Sessions) -> None:
        self.enabled = settings.lab
        self._sessions = sessions
        self.authentication = Authentication(settings, sessions)
        removing = Removing(sessions, self.authentication)
        self.rooms = Rooms(settings, sessions, self.authentication, removing)
        self.admission = Admission(settings, sessions, self.authentication, removing)
        self.sharing = Sharing(settings, sessions)
        self.demo_machines = DemoMachines(settings, sessions)
        self.exporting = Exporting(sessions, self.rooms)
        self.news = News(sessions)
        self.presenting = Presenting(sessions, self.news)
        self.wall = Wall(sessions)
        self.exercises = Library(settings.exercises)
        self.polls = Polls(settings, sessions, self.news, self.exercises)
        texts = ExerciseTexts(self.exercises)
        self.sealing = Sealing(sessions)
        advancing = Advancing(sessions, texts, self.sealing)
        self.sheets = Sheets(settings, sessions, texts, self.sealing)
        self.variants = Variants(settings, sessions, texts, self.sealing)
        self.submissions = Submissions(sessions, texts, advancing)
        self.revealing = Revealing(sessions, texts, advancing)
        self.settling = Settling(sessions, texts, advancing)
        self.grades = Grades(sessions, texts)
        self.regrading = Regrading(sessions, texts)
        self._settling: asyncio.Task[None] | None = None
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look for what is too old."""
        if self.enabled:
            self.authentication.open()
            self._sweeping = asyncio.create_task(self._sweep())
            self._settling = asyncio.create_task(self._settle())

    async def stop(self) -> None:
        """End."""
        for task in (self._sweeping, self._settling):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        self.wall.forget()
        self.news.stop()
        self.authentication.close()

    async def acts(self, person: Person, most: int, before: int | None = None) -> list[Noted]:
        """What the person has done with an instructor's rights, and what was done in their labs."""
        require_instructor(person)
        return await self._sessions.query_in_turn(
            person.principal, audit.concerning, person.id, CREATED, most, before
        )

    async def me(self, person: Person) -> MemberRow | None:
        """A member's row; None for an instructor."""
        return None if person.lab is None else await self._sessions.query(people.member, person.id)

    async def place_of(self, person: Person, session_id: str) -> PlaceInLab | None:
        """Where a session stands in its lab; None for one that is in none. Raises NotFound."""
        return await self._sessions.query(place_of, person, session_id)

    async def machine_rows(
        self, person: Person, session_id: str, query: PageQuery, checkpoint: str | None = None
    ) -> MachineRows:
        """Read what the page of a machine shows beside the machine itself, in one transaction.

        checkpoint: the id of a checkpoint that the page names. Raises NotFound and Forbidden.
        """
        if self.enabled:
            return await self._sessions.query(machine_rows.read, person, session_id, query, checkpoint)
        return MachineRows(await self._sessions.query(page_rows.read, person.principal, session_id, query))

    async def _forget_old(self) -> None:
        """Delete what is too old."""
        await self._sessions.execute(partial(people.sweep_tokens, before=now()))
        await self._sessions.execute(attempts.forget_old)
        gone = await self.rooms.forget_idle()
        if gone:
            log.warning("%d labs were deleted: nothing has happened there for long", gone)

    async def _settle(self) -> None:
        while True:
            await asyncio.sleep(SETTLE_SECONDS)
            try:
                await self.settling.settle()
            except (Busy, StorageFull) as error:
                log.info("what is due is not submitted yet: %s", error)
            except Exception:
                log.exception("what is due cannot be submitted")

    async def _sweep(self) -> None:
        while True:
            try:
                await self.rooms.clear_orphans()
                if await self._sessions.clock_trusted():
                    await self._forget_old()
            except (Busy, StorageFull) as error:
                log.info("what is too old is kept for now: %s", error)
            except Exception:
                log.exception("what is too old cannot be deleted")
            await asyncio.sleep(SWEEP_SECONDS)

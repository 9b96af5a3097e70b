"""Presenting: an instructor shows a view of a machine, and the pages of members follow it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import Final

from app.errors import BadArgument
from app.labs.news import News
from app.labs.person import Person
from app.labs.room import ROLES, seen, taught
from app.sessions import Conflict, Sessions
from app.store import Connection, labs
from app.store import sessions as session_rows

LONGEST_VIEW: Final = 500
VIEW_ADDRESS: Final = re.compile(r"/sessions/([A-Za-z0-9_-]{1,64})(?:/explain/[0-9]{1,15})?(?:\?[!-~]*)?")


class Presenting:
    """What the presenter of each lab shows. Raises as Rooms does."""

    def __init__(self, sessions: Sessions, news: News) -> None:
        self._sessions = sessions
        self._news = news

    async def show(self, person: Person, lab_id: str, view: str | None) -> None:
        """Show a view of a shared machine to those who follow; None to stop presenting.

        Raises BadArgument at `view` for the address of anything else, and Conflict where the lab is closed.
        """
        session_id = None if view is None else _session_of(view)

        def write(db: Connection) -> None:
            row = taught(db, person, lab_id)
            if row.closed is not None:
                raise Conflict("this lab is closed")
            shared = {m.session_id for m in labs.machines(db, lab_id) if m.kind in ROLES}
            if session_id is not None and session_id not in shared:
                raise BadArgument.at("view", "the address of a machine that the lab shares")
            labs.change(db, lab_id, {"view": view})

        await self._sessions.execute(write)
        self._news.look()

    async def shown(self, person: Person, lab_id: str) -> str | None:
        """The address that is presented; None while there is none."""
        row = await self._sessions.query(partial(seen, person=person, lab_id=lab_id))
        return row.view

    async def stage(self, person: Person, session_id: str) -> Presentation | None:
        """What a page of a session says of its lab; None for one that belongs to none. Raises NotFound."""
        return await self._sessions.query(stage_of, person, session_id)


@dataclass(frozen=True, slots=True)
class Presentation:
    """A machine's page in a lab."""

    lab_id: str
    title: str
    # Whether the person may present it.
    presents: bool
    # What is shown now.
    view: str | None
    frozen: bool
    closed: bool


def stage_of(db: Connection, person: Person, session_id: str) -> Presentation | None:
    """What a page of a session says of its lab; None for one that belongs to none. Raises NotFound."""
    row = session_rows.get(db, session_id)
    if row is None or row.lab_id is None:
        return None
    lab = seen(db, person, row.lab_id)
    shared = any(m.session_id == session_id and m.kind in ROLES for m in labs.machines(db, lab.id))
    presents = shared and lab.owner == person.id and lab.closed is None
    return Presentation(lab.id, lab.title, presents, lab.view, lab.frozen, lab.closed is not None)


def _session_of(view: str) -> str:
    found = VIEW_ADDRESS.fullmatch(view) if len(view) <= LONGEST_VIEW else None
    if found is None:
        raise BadArgument.at("view", f"the address of a machine's page, at most {LONGEST_VIEW} characters")
    return found[1]

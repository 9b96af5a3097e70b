"""Following the presenter: where the instructor looks, others look too, until they take it back."""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from app.labs.person import Person
from app.labs.room import OPERATE, WATCH, seen, taught
from app.mm.errors import BadArgument
from app.sessions import Conflict, Sessions
from app.store import Connection, labs

LONGEST: Final = 500
VIEW: Final = re.compile(r"/sessions/([A-Za-z0-9_-]{1,64})(?:/explain/[0-9]{1,15})?(?:\?[!-~]*)?")


class Presenting:
    """What the presenter of each lab shows. Raises as Rooms does."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def show(self, person: Person, lab_id: str, view: str | None) -> None:
        """Show a view of a shared machine to those who follow; None to stop presenting.

        Raises BadArgument at `view` for the address of anything else, and Conflict where the lab is closed.
        """
        session_id = None if view is None else _session_of(view)

        def write(db: Connection) -> None:
            row = taught(db, person, lab_id)
            if row.closed is not None:
                raise Conflict("this lab is closed")
            shared = {m.session_id for m in labs.machines(db, lab_id) if m.kind in (OPERATE, WATCH)}
            if session_id is not None and session_id not in shared:
                raise BadArgument.at("view", "the address of a machine that the lab shares")
            labs.change(db, lab_id, {"view": view})

        await self._sessions.execute(write)

    async def shown(self, person: Person, lab_id: str) -> str | None:
        """The address that the presenter shows; None while nobody presents."""
        row = await self._sessions.query(partial(seen, person=person, lab_id=lab_id))
        return row.view


def _session_of(view: str) -> str:
    found = VIEW.fullmatch(view) if len(view) <= LONGEST else None
    if found is None:
        raise BadArgument.at("view", f"the address of a machine's page, at most {LONGEST} characters")
    return found[1]

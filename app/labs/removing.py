"""Deleting people of a lab with all that is theirs, some at a time: between them calls of others go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from app.labs.authentication import Authentication
from app.sessions import Sessions
from app.store import Connection, people
from app.store import sessions as session_rows
from app.store.people import MemberRow

REMOVED_AT_ONCE: Final = 50  # people that one statement of the writer deletes

# The next people to delete: so many at most, with greater numbers than the given one, by number.
Choose = Callable[[Connection, int, int], Sequence[MemberRow]]
Note = Callable[[Connection, Sequence[MemberRow]], None]


class Removing:
    """Deletes members, and those who wait. Raises Busy or StorageFull where nothing could be written."""

    def __init__(self, sessions: Sessions, authentication: Authentication) -> None:
        self._sessions = sessions
        self._authentication = authentication

    async def remove(self, choose: Choose, note: Note | None = None, *, called: bool = True) -> int:
        """Delete all whom `choose` finds, in parts. How many they were.

        note: writes down an act, in the transaction that deletes. called: whether they may have made calls.
        """
        removed = 0
        after = 0
        while rows := await self._sessions.execute(partial(_part, choose, note, called, after)):
            removed, after = removed + len(rows), rows[-1].number
            ids = [row.id for row in rows]
            self._authentication.forget(*ids)
            for session_id in await self._sessions.query(session_rows.owned_by, ids):
                await self._sessions.discard(session_id)
            if len(rows) < REMOVED_AT_ONCE:
                break
        if removed:
            await self._sessions.cut_log()
        return removed


def _part(choose: Choose, note: Note | None, called: bool, after: int, db: Connection) -> Sequence[MemberRow]:
    """Delete the people first: from then on nothing new can be theirs."""
    rows = choose(db, after, REMOVED_AT_ONCE)
    if rows:
        ids = [row.id for row in rows]
        people.remove(db, ids)
        session_rows.forget_people(db, ids, called=called)
        if note is not None:
            note(db, rows)
    return rows

"""Sealed sheets: while a task of one is open, its member works on its machine alone.

Everything else that would answer a question beforehand is refused, with the reason: other machines, new ones,
copies, files of machines, past states, exports, and scripts.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from app.clock import now
from app.labs.person import Person
from app.sessions import Sessions
from app.store import variants

# How long it may be missed that another process has opened or finished a task. Seconds.
BELIEVED: Final = 2.0

WHY: Final = "a task of a sealed sheet is open: until it is finished, "
SCRIPTS: Final = WHY + "scripts are not served; work on it in the browser"
OTHERS: Final = WHY + "only its own machine can be used"
NEW: Final = WHY + "no other machine can be made, copied or imported"
PAST: Final = WHY + "past states are not shown"
TAKEN: Final = WHY + "its machine cannot be exported or dumped"
PRACTICE: Final = WHY + "other exercises and demos wait"

# An address of a session, of the API or a page, and what stands behind its id.
SESSION: Final = re.compile(r"(?:/api/v1)?/sessions/([A-Za-z0-9_-]{1,64})(?:/(.*))?")
MAKES: Final = re.compile(
    r"(?:/api/v1)?/sessions"
    r"|(?:/api/v1)?/labs/[^/]+/machines/[^/]+/copy"
    r"|/api/v1/labs/[^/]+/catch_up"
    r"|/labs/[^/]+/sessions/[^/]+/catch-up"
)
PRACTISES: Final = re.compile(r"(?:/api/v1)?/(?:exercises|demos)/[^/]+(?:/practice)?")
ALWAYS: Final = ("/api/v1/me", "/api/v1/signout")
TAKES: Final = ("export", "dump", "fork")
IN_LAB: Final = re.compile(r"/api/v1/labs/[^/]+/(?:export|members/[0-9]+/export)")


class Sealing:
    """Knows whose sealed tasks are open, and what is closed to them."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        # The machines of open sealed tasks by their members, and until when that is believed.
        self._open: Mapping[str, frozenset[str]] = {}
        self._until = 0.0
        self._changed = 0  # how often a task was opened or finished

    def look_again(self) -> None:
        """Forget what was known: a task has been opened or finished."""
        self._until = 0.0
        self._changed += 1

    async def refusal(self, person: Person, scope: Mapping[str, Any], *, script: bool) -> str | None:
        """Why a request is refused, if it is. script: whether it came with a script's token."""
        if person.kind != "member":
            return None
        if time.monotonic() >= self._until:
            changed = self._changed
            self._open = await self._sessions.query(variants.all_open_sealed, now())
            if changed == self._changed:
                self._until = time.monotonic() + BELIEVED
        machines = self._open.get(person.id)
        if machines is None or scope["path"] in ALWAYS:
            return None
        return SCRIPTS if script else closed(scope["method"], scope["path"], scope["query_string"], machines)


def closed(method: str, path: str, query: bytes, machines: frozenset[str]) -> str | None:
    """Why an address is closed to a member whose sealed tasks have these machines, if it is."""
    if method == "POST" and MAKES.fullmatch(path):
        return NEW
    if method == "POST" and PRACTISES.fullmatch(path):
        return PRACTICE
    if IN_LAB.fullmatch(path):
        return TAKEN
    session = SESSION.fullmatch(path)
    if session is None:
        return None
    if session[1] not in machines:
        return OTHERS
    if (session[2] or "") in TAKES:
        return NEW if session[2] == "fork" else TAKEN
    # As the routes read it: a name may be written with escapes.
    if any(name == "at" for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True)):
        return PAST
    return None

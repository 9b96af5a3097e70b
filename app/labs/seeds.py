"""What variants are drawn from: nobody can compute it who sees them, and it is the same after a restart."""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import Final

from app.sessions import Sessions
from app.store import Connection, secrets

NAME: Final = "variants"
SEED_BYTES: Final = 8


class Seeds:
    """Makes seeds with the server's secret, which is made once and kept."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._secret: bytes | None = None

    async def of(self, lab_id: str, sheet_id: str, item_id: str, member_id: str, number: int) -> bytes:
        """The seed of a member's variant."""
        if self._secret is None:
            self._secret = await self._sessions.query(secrets.get, NAME)
        if self._secret is None:
            self._secret = await self._sessions.execute(_made)
        return seed(self._secret, lab_id, sheet_id, item_id, member_id, number)


def seed(secret: bytes, *of: str | int) -> bytes:
    """The seed of a variant: an HMAC over what it is of."""
    message = "\0".join(map(str, of)).encode()
    return hmac.new(secret, message, hashlib.sha256).digest()[:SEED_BYTES]


def _made(db: Connection) -> bytes:
    """The secret; of several processes the first one makes it."""
    found = secrets.get(db, NAME)
    if found is None:
        found = os.urandom(32)
        secrets.put(db, NAME, found)
    return found

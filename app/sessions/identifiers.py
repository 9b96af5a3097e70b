"""Ids and names of sessions, and the cursors of their list."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
import string
from collections.abc import Mapping
from typing import Any, Final

from app import text
from app.errors import BadArgument

NAME_LENGTH: Final = 100

ID_ALPHABET: Final = string.ascii_lowercase + string.digits
ID_LENGTH: Final = 18  # 93 bits: it cannot be guessed

CURSOR: Final = re.compile(r"([0-9TZ:.-]{1,32}) ([A-Za-z0-9_-]{1,64})")
CURSOR_LENGTH: Final = 200


def new_id() -> str:
    """A random id, of characters that need no quoting anywhere."""
    return "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_LENGTH))


def checked_name(name: str) -> str:
    """A session's name, without blanks around it. Raises BadArgument at `name`."""
    return text.line("name", name, NAME_LENGTH, allowed=text.JOINER)


def default_name(description: Mapping[str, Any]) -> str:
    """The name of a session that was created without one."""
    return str(description.get("profile") or "imported machine")


def name_of_fork(origin: str, at: int) -> str:
    """The name of a fork that was made without one."""
    behind = f" at {at}"
    return origin[: NAME_LENGTH - len(behind)] + behind


def encode_cursor(created: str, session_id: str) -> str:
    """Where a list goes on, as one opaque word."""
    return base64.urlsafe_b64encode(f"{created} {session_id}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[str, str]:
    """Inverse of `encode_cursor`. Raises BadArgument at `after`."""
    found = CURSOR.fullmatch(decoded(cursor)) if len(cursor) <= CURSOR_LENGTH else None
    if found is None:
        raise BadArgument.at("after", "take it from the `next` of a list")
    return found[1], found[2]


def decoded(cursor: str) -> str:
    """The text of a cursor; empty where it is none."""
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        return ""

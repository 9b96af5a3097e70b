"""Names of sessions, their ids, and where a list of them goes on."""

from __future__ import annotations

import base64
import binascii
import secrets
import string
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from app.mm.errors import BadArgument

NAME_LENGTH: Final = 100

# Control characters, halves of characters, line breaks, and marks that turn what stands around them; but what
# joins pictures to one.
UNWANTED: Final = frozenset({"Cc", "Cs", "Cf", "Zl", "Zp"})
JOINER: Final = "\u200d"

ID_ALPHABET: Final = string.ascii_lowercase + string.digits
ID_LENGTH: Final = 18  # 93 bits: nobody guesses one


def new_id() -> str:
    """An id that says nothing and needs no quoting anywhere."""
    return "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_LENGTH))


def checked(name: str) -> str:
    """A session's name, without blanks around it. Raises BadArgument at `name`."""
    name = name.strip()
    if not 1 <= len(name) <= NAME_LENGTH:
        raise BadArgument.at("name", f"1 to {NAME_LENGTH} characters")
    if any(unicodedata.category(c) in UNWANTED and c != JOINER for c in name):
        raise BadArgument.at("name", "no control characters, no line breaks and no marks of direction")
    return name


def default(description: Mapping[str, Any]) -> str:
    """What a session is called when nobody has named it."""
    return str(description.get("profile") or "imported machine")


def of_fork(origin: str, at: int) -> str:
    """What a fork is called when nobody has named it."""
    behind = f" at {at}"
    return origin[: NAME_LENGTH - len(behind)] + behind


def encode_cursor(created: str, session_id: str) -> str:
    """Where a list goes on, as one opaque word."""
    return base64.urlsafe_b64encode(f"{created} {session_id}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[str, str]:
    """Inverse of `encode_cursor`. Raises BadArgument at `after`."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        text = ""
    created, _, session_id = text.partition(" ")
    if not session_id:
        raise BadArgument.at("after", "take it from the `next` of a list")
    return created, session_id

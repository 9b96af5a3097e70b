"""Makes and hashes the secrets of tokens and links, and the join codes."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Final

from app.clock import after_now

# Crockford's digits: no letter looks like another one of them, or like a digit.
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LOOK_ALIKES: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": ""})
CODE_LENGTH: Final = 8  # 40 bits, and it expires


def new_secret() -> str:
    """256 random bits."""
    return f"kml_{secrets.token_urlsafe(32)}"


def digest(secret: str) -> str:
    """The hash of a secret, which is stored. It need not be slow: 256 random bits cannot be guessed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def new_code() -> str:
    """A new join code in its stored form."""
    return "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))


def format_code(code: str) -> str:
    """A code as it is shown: `K7QM-2XHV`."""
    return f"{code[:4]}-{code[4:]}"


def parse_code(text: str) -> str:
    """A typed code in its stored form."""
    heard_so = text[:100].upper().translate(LOOK_ALIKES)
    return "".join(character for character in heard_so if character in ALPHABET)[:32]


def days_from_now(days: float) -> str:
    """The time so many days from now."""
    return after_now(timedelta(days=days))

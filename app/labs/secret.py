"""Secrets that open a door, and the codes that stand on a blackboard."""

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
    """What is kept of a secret. Of so many random bits none can be guessed: the hash need not be slow."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def new_code() -> str:
    """A join code, as it is kept."""
    return "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))


def format_code(code: str) -> str:
    """A code as it is written down: `K7QM-2XHV`."""
    return f"{code[:4]}-{code[4:]}"


def parse_code(text: str) -> str:
    """A code as somebody has copied it from a blackboard, as it is kept."""
    heard_so = text[:100].upper().translate(LOOK_ALIKES)
    return "".join(character for character in heard_so if character in ALPHABET)[:32]


def days_from_now(days: float) -> str:
    """A time from now on, as it is kept."""
    return after_now(timedelta(days=days))

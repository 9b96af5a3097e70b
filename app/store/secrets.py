"""What the server keeps secret and needs again after a restart."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select

from app.store.tables import secrets


def get(db: Connection, name: str) -> bytes | None:
    """A secret by its name; None before it was made."""
    found: Any = db.execute(select(secrets.c.value).where(secrets.c.name == name)).scalar()
    return None if found is None else bytes(found)


def put(db: Connection, name: str, value: bytes) -> None:
    """Keep a secret, for good."""
    db.execute(insert(secrets), {"name": name, "value": value})

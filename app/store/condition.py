"""What a database says of itself, for whoever runs it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy import Connection

from app.store import postgresql

# The oldest version that the statements here are made for and tested on.
OLDEST: Final = 150000


class Condition(NamedTuple):
    """A database's condition."""

    # What it is, in words.
    kind: str
    # Whether this version is one that kmemlab runs on.
    supported: bool
    # Whether what is answered as committed is there after a loss of power; None where that cannot be known.
    durable: bool | None
    # Its clock; None where it is this computer's.
    clock: datetime | None
    # Connections that it takes in all; None for any number.
    connections: int | None
    # Where its file is; None where it has none here.
    file: Path | None


def of(db: Connection) -> Condition:
    """Ask a database how it is."""
    if db.dialect.name != postgresql.NAME:
        version = db.exec_driver_sql("SELECT sqlite_version()").scalar_one()
        file = Path(db.engine.url.database or "")
        return Condition(f"SQLite {version}", True, True, None, None, file)
    number = int(_setting(db, "server_version_num"))
    clock = db.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    durable = _setting(db, "fsync") == "on" and _setting(db, "synchronous_commit") != "off"
    return Condition(
        f"PostgreSQL {_setting(db, 'server_version')}",
        number >= OLDEST,
        durable,
        clock.astimezone(UTC),
        int(_setting(db, "max_connections")),
        None,
    )


def _setting(db: Connection, name: str) -> str:
    return str(db.exec_driver_sql(f"SELECT current_setting('{name}')").scalar_one())

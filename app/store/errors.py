"""What can go wrong below: told apart by what whoever asked, or whoever runs the server, can do about it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError

RETRY_AFTER: Final = 1


class StoreUnusable(Exception):  # noqa: N818 - said to a person, who reads the message
    """The database cannot be served at all; the message says why and what to do."""


class Busy(Exception):  # noqa: N818 - a state that passes
    """Nothing was recorded, and the same request may succeed later. retry_after: in how many seconds."""

    def __init__(self, detail: str, retry_after: int = RETRY_AFTER) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class StorageFull(Exception):  # noqa: N818 - a state that passes
    """Nothing was recorded, and nothing can be until somebody makes room for the database or mends it."""


class ReadOnly(StorageFull):
    """Connections that were opened while this was so may never write."""


_FULL: Final = {
    sqlite3.SQLITE_FULL: "there is no room left for the database",
    sqlite3.SQLITE_IOERR: "the database cannot be written",
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened",
    sqlite3.SQLITE_CORRUPT: "the database is damaged",
    sqlite3.SQLITE_NOTADB: "the database is damaged",
}
_BUSY: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into Busy and StorageFull. Others, which would be mistakes of ours, pass."""
    try:
        yield
    except DBAPIError as error:
        # The low byte is SQLite's primary code; the rest says more than we need.
        code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
        if code in _BUSY:
            raise Busy("the database is held by another process") from error
        if code == sqlite3.SQLITE_READONLY:
            raise ReadOnly("the database is read-only") from error
        if code in _FULL:
            raise StorageFull(_FULL[code]) from error
        raise

"""Errors of the database, by what the caller or the operator can do about them."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from app.errors import BadArgument, Refusal

RETRY_AFTER: Final = 1

log = logging.getLogger(__name__)


class StoreUnusable(Exception):  # noqa: N818 - said to a person, who reads the message
    """The database cannot be served at all; the message says why and what to do."""


class Busy(Refusal):
    """Nothing was recorded, and the same request may succeed later. retry_after: in how many seconds."""

    def __init__(self, detail: str, retry_after: int = RETRY_AFTER) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unreachable(Busy):
    """The database does not answer, or has ended the connection."""

    def __init__(self) -> None:
        super().__init__("the database cannot be reached")


class Overtaken(Busy):
    """Another server wrote the same at the same moment: doing the whole transaction again will succeed."""

    def __init__(self) -> None:
        super().__init__("another server wrote the same at the same moment")


class Uncertain(Busy):
    """The database was lost while it committed: it may have written everything, or nothing."""

    def __init__(self) -> None:
        super().__init__(
            "the database was lost while it wrote this: look whether it was done before you send it again; "
            "what has an Idempotency-Key can be sent again as it is"
        )


class StorageFull(Refusal):
    """Nothing was recorded, and nothing can be before the operator makes room or repairs the database."""


class ReadOnly(StorageFull):
    """Connections that were opened while this was so may never write."""


Known = Busy | StorageFull

LOCKED_ELSEWHERE: Final = "the database is held by another process"
READ_ONLY: Final = "the database is read-only"
NO_ROOM: Final = "there is no room left for the database"
NOT_WRITABLE: Final = "the database cannot be written"
DAMAGED: Final = "the database is damaged"
OVERLOADED: Final = "the database has no more resources at this moment"
TOO_LONG: Final = "the database takes too long for this at this moment"

# By SQLite's primary result code.
_SQLITE: Final[dict[int, Callable[[], Known]]] = {
    sqlite3.SQLITE_BUSY: partial(Busy, LOCKED_ELSEWHERE),
    sqlite3.SQLITE_LOCKED: partial(Busy, LOCKED_ELSEWHERE),
    sqlite3.SQLITE_READONLY: partial(ReadOnly, READ_ONLY),
    sqlite3.SQLITE_FULL: partial(StorageFull, NO_ROOM),
    sqlite3.SQLITE_IOERR: partial(StorageFull, NOT_WRITABLE),
    sqlite3.SQLITE_CANTOPEN: partial(StorageFull, "the database cannot be opened"),
    sqlite3.SQLITE_CORRUPT: partial(StorageFull, DAMAGED),
    sqlite3.SQLITE_NOTADB: partial(StorageFull, DAMAGED),
}

# A statement that SQLite does not understand, or that is used wrongly: a mistake of ours.
_OURS: Final = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE}

# By PostgreSQL's SQLSTATE, or its beginning; the longest that fits is meant.
_SQLSTATE: Final[dict[str, Callable[[], Known]]] = {
    "08": Unreachable,  # connection exceptions
    "25006": partial(ReadOnly, READ_ONLY),  # read_only_sql_transaction: a standby, or so set
    "25P03": Unreachable,  # idle_in_transaction_session_timeout: this server stood still too long
    "40001": Overtaken,  # serialization_failure
    "40P01": Overtaken,  # deadlock_detected
    "53": partial(Busy, OVERLOADED),  # insufficient resources: memory, connections
    "53100": partial(StorageFull, NO_ROOM),  # disk_full
    "55P03": partial(Busy, LOCKED_ELSEWHERE),  # lock_not_available
    "57": Unreachable,  # operator intervention: shut down, started up
    "57014": partial(Busy, TOO_LONG),  # query_canceled: by statement_timeout
    "58": partial(StorageFull, NOT_WRITABLE),  # errors of the system below, such as io_error
    "XX001": partial(StorageFull, DAMAGED),  # data_corrupted
    "XX002": partial(StorageFull, DAMAGED),  # index_corrupted
}


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into Busy, StorageFull and BadArgument. Others, our mistakes, pass."""
    try:
        yield
    except DataError as error:
        raise unfit(error) from error
    except DBAPIError as error:
        known = meaning(error)
        if known is None:
            raise
        raise known from error
    except NoConnection as error:  # of the pool
        raise Busy("many are reading from the database at this moment") from error


def unfit(error: DataError) -> BadArgument:
    """What a caller is told of a value that the database has no place for: PostgreSQL keeps no U+0000."""
    log.warning("a value does not fit into the database: %s", error.orig)
    return BadArgument.at((), "a text without the character U+0000, and numbers that are not too large")


def meaning(error: DBAPIError) -> Known | None:
    """What an error of the driver says of the database; None where the statement is at fault."""
    code, state = sqlite_code(error), sqlstate(error)
    known = _SQLITE.get(code) if code is not None else by_sqlstate(state)
    if known is not None:
        return known()
    if code in _OURS or not isinstance(error, OperationalError | InterfaceError):
        return None
    if code is None and isinstance(error.orig, sqlite3.Error):
        return None  # raised by Python's module itself
    if code is not None or state is not None:
        log.error("the database refuses, in a way that is not known here: %s", error.orig)
    return Unreachable()


def sqlite_code(error: DBAPIError) -> int | None:
    """SQLite's primary code, which is the low byte; None from another database."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None


def sqlstate(error: DBAPIError) -> str | None:
    """PostgreSQL's code, as its drivers have it; None where the server did not answer at all."""
    state = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
    return state if isinstance(state, str) else None


def by_sqlstate(state: str | None) -> Callable[[], Known] | None:
    """What is known of a SQLSTATE."""
    if state is None:
        return None
    return next((_SQLSTATE[state[:n]] for n in (5, 2) if state[:n] in _SQLSTATE), None)

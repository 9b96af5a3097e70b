"""What PostgreSQL is told when a connection opens, and how several servers on one database take turns.

On SQLite one transaction writes at a time. PostgreSQL lets many write, so what a transaction has read may be
changed by another server before it commits. Calls lock the rows of their sessions, and need no more than
that. Everything else (labs, members, sheets, limits that are counted) takes one lock for the whole database
when it begins, so that its reading and writing are one step, as on SQLite.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from app.store.takes import Takes

NAME: Final = "postgresql"

# Longest that a transaction which only reads may take for one statement, and that a server which has stopped
# answering may keep its locks. Seconds.
STATEMENT_SECONDS: Final = 60.0
IDLE_SECONDS: Final = 30.0

# What SQL calls a type, as the driver knows it.
_TYPES: Final = {"bigint": "int8", "integer": "int4", "boolean": "bool"}

# Numbers of advisory locks: any that nobody else uses in this database.
WRITING: Final = "SELECT pg_advisory_xact_lock(7045187920)"
MIGRATING: Final = "SELECT pg_advisory_xact_lock(7045187921)"


class ConnectionSettings:
    """Sets what holds for a connection as long as it is open.

    patience: seconds to wait for a lock. reads: whether its transactions only read, each of one moment.
    """

    def __init__(self, patience: float, *, reads: bool) -> None:
        settings = {"lock_timeout": milliseconds(patience)}
        if reads:
            settings["default_transaction_isolation"] = "'repeatable read'"
            settings["default_transaction_read_only"] = "on"
            settings["statement_timeout"] = milliseconds(STATEMENT_SECONDS)
        else:
            settings["idle_in_transaction_session_timeout"] = milliseconds(IDLE_SECONDS)
        self.statement = "; ".join(f"SET {name} = {value}" for name, value in settings.items())

    def __call__(self, connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(self.statement)
        cursor.close()
        connection.commit()  # else the settings would end with the transaction that the driver has begun


def milliseconds(seconds: float) -> str:
    """A time as a setting has it."""
    return f"'{max(1, round(seconds * 1000))}ms'"


def begin(connection: Connection) -> None:
    """Take the lock of a transaction that needs it, when it begins."""
    if connection.get_execution_options().get("kmemlab_takes") is Takes.ALL:
        connection.exec_driver_sql(WRITING)


def lock_for_migration(connection: Connection) -> None:
    """Have one process migrate at a time, until its transaction ends."""
    connection.exec_driver_sql(MIGRATING)


def copy(db: Connection, table: Any, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert many rows with COPY. columns: their names, in the order of the values."""
    quoted = db.dialect.identifier_preparer.quote
    types = [table.c[name].type.compile(db.dialect).lower() for name in columns]
    into = f"COPY {quoted(table.name)} ({', '.join(map(quoted, columns))}) FROM STDIN (FORMAT binary)"
    driver: Any = db.connection.driver_connection
    errors: Any = db.dialect.loaded_dbapi.Error
    try:
        with driver.cursor() as cursor, cursor.copy(into) as copying:
            copying.set_types([_TYPES.get(name, name) for name in types])
            for row in rows:
                copying.write_row(row)
    except errors as error:  # as SQLAlchemy raises it, which does not see this statement
        raise DBAPIError.instance(into, None, error, errors, dialect=db.dialect) from error

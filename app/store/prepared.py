"""Statements of the hot path: compiled once, then handed to the driver as they are.

For a few rows, what SQLAlchemy does between a statement and the driver takes longer than the database does.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

from sqlalchemy import Connection, Insert
from sqlalchemy.sql.dml import UpdateBase

from app.store import postgresql

# From so many rows on PostgreSQL's COPY is quicker than its INSERT, three times with thousands.
COPIED: Final = 50

# Between rows SQLite's driver lets other threads run, and waits for them to let it go on. So in long lists so
# many rows are one statement, which is also quicker in itself.
TOGETHER: Final = 250
VALUES: Final = " VALUES "


class Prepared:
    """A statement that writes, and the names of its parameters in the order in which they stand in it.

    Values go to the driver unconverted, so they must be what it takes: str, int, bytes or None.
    """

    def __init__(self, statement: UpdateBase, *names: str) -> None:
        self.statement: Final = statement
        self.names: Final = names
        self._compiled: dict[str, tuple[str, bool]] = {}

    def run(self, db: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Once for each row; values in the order of the names."""
        dialect = db.dialect
        if dialect.name == postgresql.NAME and isinstance(self.statement, Insert) and len(rows) >= COPIED:
            postgresql.copy(db, self.statement.table, self.names, rows)
            return
        if dialect.name not in self._compiled:
            compiled: Any = self.statement.compile(dialect=dialect, column_keys=list(self.names))
            assert compiled.positiontup in (None, list(self.names)), compiled.positiontup
            self._compiled[dialect.name] = (str(compiled), compiled.positional)
        sql, by_position = self._compiled[dialect.name]
        if by_position and VALUES in sql:
            rows = rows[_insert_together(db, sql, rows) :]
        given: Any = list(rows) if by_position else [dict(zip(self.names, row, strict=True)) for row in rows]
        if given:
            db.exec_driver_sql(sql, given)


def _insert_together(db: Connection, sql: str, rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert as many rows as make full statements; their number."""
    full = len(rows) // TOGETHER * TOGETHER
    if full:
        together = sql + f", {sql.rpartition(VALUES)[2]}" * (TOGETHER - 1)
        for start in range(0, full, TOGETHER):
            some = rows[start : start + TOGETHER]
            db.exec_driver_sql(together, tuple(chain.from_iterable(some)))
    return full

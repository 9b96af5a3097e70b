"""Statements of the hot path: compiled once, then handed to the driver as they are.

For a few rows, what SQLAlchemy does between a statement and the driver takes longer than the database does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.sql.dml import UpdateBase


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
        if dialect.name not in self._compiled:
            compiled: Any = self.statement.compile(dialect=dialect, column_keys=list(self.names))
            assert compiled.positiontup in (None, list(self.names)), compiled.positiontup
            self._compiled[dialect.name] = (str(compiled), compiled.positional)
        sql, by_position = self._compiled[dialect.name]
        given: Any = list(rows) if by_position else [dict(zip(self.names, row, strict=True)) for row in rows]
        db.exec_driver_sql(sql, given)

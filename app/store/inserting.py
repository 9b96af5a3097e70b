"""Insert rows that may be there already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_new(db: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert those rows whose keys the table does not have; the others stay as they are."""
    made = sqlite.insert(table) if db.dialect.name == "sqlite" else postgresql.insert(table)
    db.execute(made.on_conflict_do_nothing(), list(rows))

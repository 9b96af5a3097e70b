"""Rows that go to the driver many at a time arrive as they would one by one."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, insert, select

from app.store.prepared import TOGETHER, Prepared
from app.store.tables import names

COLUMNS = ("session_id", "person", "name", "named")


@pytest.mark.parametrize(
    "count", [0, 1, TOGETHER - 1, TOGETHER, TOGETHER + 1, 3 * TOGETHER, 3 * TOGETHER + 7]
)
def test_every_row_arrives_once_whatever_their_number(tmp_path: Path, count: int) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/rows.db")
    rows = [("s", "p VALUES (?)", f"n{number:05}", f'"?{number}') for number in range(count)]
    with engine.begin() as db:
        names.create(db)
        Prepared(insert(names), *COLUMNS).run(db, rows)
        found = db.execute(select(*(names.c[name] for name in COLUMNS)).order_by(names.c.name)).all()
    engine.dispose()
    assert [tuple(row) for row in found] == rows

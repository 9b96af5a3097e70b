"""Rows of submissions: what members have answered, and what it was worth before it was marked again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from app.store.tables import gradings, sheet_items, submissions, variants


class SubmissionRow(NamedTuple):
    """One attempt at a task."""

    # 0 before it is written.
    id: int
    variant_id: str
    task: int
    # Which attempt, from 1.
    number: int
    # JSON: a list of texts as they were typed.
    given: str
    # How much of it is right, in thousandths.
    share: int
    # In thousandths of a point.
    score: int
    max: int
    # JSON: of each field or check.
    parts: str
    misconception: str | None
    # How many hints were read before it.
    hints: int
    # The row of the session behind which it was made.
    seq: int | None
    time: str
    late: bool
    # Since the task was opened.
    seconds: int | None
    drift: str | None = None


class GradingRow(NamedTuple):
    """What a submission was worth before it was marked again."""

    submission_id: int
    time: str
    score: int
    # Of the text after which it was marked.
    sha256: str


_ROW: Final = select(*(submissions.c[name] for name in SubmissionRow._fields))


def add(db: Connection, row: SubmissionRow) -> SubmissionRow:
    """Write a new one; returns it with its id."""
    values = row._asdict()
    del values["id"]
    found: Any = db.execute(insert(submissions).returning(submissions.c.id), values).scalar_one()
    return row._replace(id=int(found))


def of_variant(db: Connection, variant_id: str) -> list[SubmissionRow]:
    """All that was answered to a variant, by task and attempt."""
    return of_variants(db, [variant_id])


def of_variants(db: Connection, variant_ids: Collection[str]) -> list[SubmissionRow]:
    """The same of several, one after the other."""
    query = _ROW.where(submissions.c.variant_id.in_(variant_ids))
    rows = db.execute(query.order_by(submissions.c.variant_id, submissions.c.task, submissions.c.number))
    return [SubmissionRow._make(row) for row in rows]


def of_items(db: Connection, item_ids: Collection[str], member_id: str | None = None) -> list[SubmissionRow]:
    """All that was answered to some exercises, or by one member, in the order in which it was."""
    query = _ROW.select_from(submissions.join(variants)).where(variants.c.item_id.in_(item_ids))
    if member_id is not None:
        query = query.where(variants.c.member_id == member_id)
    return [SubmissionRow._make(row) for row in db.execute(query.order_by(submissions.c.id))]


def any_of_sheet(db: Connection, sheet_id: str) -> bool:
    """Whether anything was answered to a sheet."""
    query = (
        select(submissions.c.id)
        .select_from(submissions.join(variants).join(sheet_items))
        .where(sheet_items.c.sheet_id == sheet_id)
    )
    return db.execute(query.limit(1)).first() is not None


_MARKED: Final = ("share", "score", "max", "parts", "misconception", "drift")
_MARK: Final = (
    update(submissions)
    .where(submissions.c.id == bindparam("of"))
    .values({name: bindparam(f"new_{name}") for name in _MARKED})
)


def mark(db: Connection, rows: Sequence[SubmissionRow]) -> None:
    """Write what some are worth now."""
    if rows:
        given = [{"of": row.id, **{f"new_{name}": getattr(row, name) for name in _MARKED}} for row in rows]
        db.execute(_MARK, given)


def keep_gradings(db: Connection, rows: Sequence[GradingRow]) -> None:
    """Write what some were worth before."""
    if rows:
        db.execute(insert(gradings), [row._asdict() for row in rows])


def gradings_of(db: Connection, submission_ids: Collection[int]) -> list[GradingRow]:
    """What some were worth before, the oldest first."""
    columns = (gradings.c[name] for name in GradingRow._fields)
    query = select(*columns).where(gradings.c.submission_id.in_(submission_ids)).order_by(gradings.c.id)
    return [GradingRow._make(row) for row in db.execute(query)]

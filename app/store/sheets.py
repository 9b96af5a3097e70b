"""Rows of sheets, their exercises, and who has longer for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from app.store.tables import extensions, sheet_items, sheets


class SheetRow(NamedTuple):
    """A sheet as it is kept."""

    id: str
    lab_id: str
    title: str
    text: str
    # `practice`, `graded` or `sealed`.
    mode: str
    opens: str | None
    due: str | None
    late_until: str | None
    # Per cent of the points that a late answer earns.
    late_factor: int
    # Which submission counts; None for what each exercise says.
    counts: str | None
    # When its texts were frozen; None before.
    opened: str | None
    # Since when the right answers are shown to all.
    released: str | None
    created: str


class ItemRow(NamedTuple):
    """An exercise of a sheet."""

    id: str
    sheet_id: str
    position: int
    exercise: str
    title: str
    points: int
    # The file as it was when the sheet was opened, and its SHA-256; None before.
    text: str | None = None
    sha256: str | None = None


class ExtensionRow(NamedTuple):
    """Who has longer for a sheet, and until when."""

    sheet_id: str
    member_id: str
    due: str
    reason: str


_SHEET: Final = select(*(sheets.c[name] for name in SheetRow._fields))
_ITEM: Final = select(*(sheet_items.c[name] for name in ItemRow._fields))
_EXTENSION: Final = select(*(extensions.c[name] for name in ExtensionRow._fields))

# -- sheets ----------------------------------------------------------------------------------------------


def add(db: Connection, row: SheetRow, items: Sequence[ItemRow]) -> None:
    """Write a new sheet with its exercises."""
    db.execute(insert(sheets), row._asdict())
    put_items(db, items)


def get(db: Connection, sheet_id: str) -> SheetRow | None:
    """One sheet; None where there is none."""
    row = db.execute(_SHEET.where(sheets.c.id == sheet_id)).first()
    return None if row is None else SheetRow._make(row)


def of_lab(db: Connection, lab_id: str) -> list[SheetRow]:
    """The sheets of a lab, the oldest first."""
    query = _SHEET.where(sheets.c.lab_id == lab_id).order_by(sheets.c.created, sheets.c.id)
    return [SheetRow._make(row) for row in db.execute(query)]


def change(db: Connection, sheet_id: str, values: Mapping[str, Any]) -> None:
    """Change some columns."""
    db.execute(update(sheets).where(sheets.c.id == sheet_id).values(**values))


def remove(db: Connection, sheet_id: str) -> None:
    """Delete a sheet with its exercises, and all that was answered."""
    db.execute(delete(sheets).where(sheets.c.id == sheet_id))


# -- their exercises -------------------------------------------------------------------------------------


def put_items(db: Connection, items: Sequence[ItemRow]) -> None:
    """Write the exercises of a new sheet."""
    if items:
        db.execute(insert(sheet_items), [item._asdict() for item in items])


def remove_items(db: Connection, ids: Collection[str]) -> None:
    """Delete exercises of a sheet, and all that was answered there."""
    db.execute(delete(sheet_items).where(sheet_items.c.id.in_(ids)))


def change_item(db: Connection, item_id: str, values: Mapping[str, Any]) -> None:
    """Change some columns."""
    db.execute(update(sheet_items).where(sheet_items.c.id == item_id).values(**values))


def item(db: Connection, item_id: str) -> ItemRow | None:
    """One exercise of a sheet; None where there is none."""
    row = db.execute(_ITEM.where(sheet_items.c.id == item_id)).first()
    return None if row is None else ItemRow._make(row)


def items(db: Connection, sheet_id: str) -> list[ItemRow]:
    """The exercises of a sheet, in order."""
    query = _ITEM.where(sheet_items.c.sheet_id == sheet_id).order_by(sheet_items.c.position)
    return [ItemRow._make(row) for row in db.execute(query)]


def lab_items(db: Connection, lab_id: str) -> list[ItemRow]:
    """Those of all sheets of a lab, each sheet's in order."""
    query = _ITEM.select_from(sheet_items.join(sheets)).where(sheets.c.lab_id == lab_id)
    rows = db.execute(query.order_by(sheets.c.created, sheets.c.id, sheet_items.c.position))
    return [ItemRow._make(row) for row in rows]


# -- extensions ------------------------------------------------------------------------------------------


def extend(db: Connection, row: ExtensionRow) -> None:
    """Give a member another time, instead of the one they had."""
    unextend(db, row.sheet_id, row.member_id)
    db.execute(insert(extensions), row._asdict())


def unextend(db: Connection, sheet_id: str, member_id: str) -> None:
    """Take a member's other time back."""
    mine = extensions.c.sheet_id == sheet_id, extensions.c.member_id == member_id
    db.execute(delete(extensions).where(*mine))


def extension(db: Connection, sheet_id: str, member_id: str) -> ExtensionRow | None:
    """A member's other time; None where they have none."""
    mine = extensions.c.sheet_id == sheet_id, extensions.c.member_id == member_id
    row = db.execute(_EXTENSION.where(*mine)).first()
    return None if row is None else ExtensionRow._make(row)


def all_extensions(db: Connection, sheet_ids: Collection[str]) -> list[ExtensionRow]:
    """Everybody's other times for some sheets."""
    rows = db.execute(_EXTENSION.where(extensions.c.sheet_id.in_(sheet_ids)))
    return [ExtensionRow._make(row) for row in rows]

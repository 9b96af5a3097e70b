"""Rows of variants: exercises as members have them, and the hints that they have read."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, insert, select, update

from app.store.tables import extensions, hints_taken, members, sheet_items, sheets, variants


class VariantRow(NamedTuple):
    """An exercise as a member has it."""

    id: str
    item_id: str
    member_id: str
    number: int
    # What it shows, and its right and wrong answers. Both JSON.
    values: str
    sealed: str
    engine: int
    session_id: str | None
    # JSON.
    progress: str
    created: str
    finished: str | None = None
    settled: str | None = None


class BriefRow(NamedTuple):
    """A variant without its answers, which are long."""

    id: str
    item_id: str
    member_id: str
    number: int
    values: str
    session_id: str | None
    progress: str
    created: str
    finished: str | None


class HintRow(NamedTuple):
    """A hint that was read."""

    variant_id: str
    task: int
    hint: int
    time: str


_VARIANT: Final = select(*(variants.c[name] for name in VariantRow._fields))
_BRIEF: Final = select(*(variants.c[name] for name in BriefRow._fields))
_IN_SHEETS: Final = variants.join(sheet_items).join(sheets)


def add(db: Connection, row: VariantRow) -> None:
    """Write a new variant."""
    db.execute(insert(variants), row._asdict())


def get(db: Connection, variant_id: str) -> VariantRow | None:
    """One variant; None where there is none."""
    row = db.execute(_VARIANT.where(variants.c.id == variant_id)).first()
    return None if row is None else VariantRow._make(row)


def latest(db: Connection, item_id: str, member_id: str) -> VariantRow | None:
    """A member's last variant of an exercise; None before the first."""
    mine = variants.c.item_id == item_id, variants.c.member_id == member_id
    row = db.execute(_VARIANT.where(*mine).order_by(variants.c.number.desc()).limit(1)).first()
    return None if row is None else VariantRow._make(row)


def preludes(db: Connection, lab_id: str) -> dict[str, int]:
    """The seq behind the prelude of each session of a lab in which one was made; by session."""
    query = (
        select(variants.c.session_id, variants.c.progress)
        .select_from(_IN_SHEETS)
        .where(sheets.c.lab_id == lab_id, variants.c.session_id.is_not(None))
    )
    bases = ((row.session_id, json.loads(row.progress)["base"]) for row in db.execute(query))
    return {session_id: base for session_id, base in bases if base is not None}


def of_session(db: Connection, session_id: str) -> VariantRow | None:
    """The variant whose machine a session is; None for any other session."""
    row = db.execute(_VARIANT.where(variants.c.session_id == session_id)).first()
    return None if row is None else VariantRow._make(row)


def of_member(db: Connection, member_id: str) -> list[VariantRow]:
    """All variants of a member, the oldest first."""
    query = _VARIANT.where(variants.c.member_id == member_id).order_by(variants.c.created, variants.c.id)
    return [VariantRow._make(row) for row in db.execute(query)]


def of_items(db: Connection, item_ids: Collection[str], member_id: str | None = None) -> list[VariantRow]:
    """Everybody's variants of some exercises, or one member's; by member and number."""
    query = _VARIANT.where(variants.c.item_id.in_(item_ids))
    if member_id is not None:
        query = query.where(variants.c.member_id == member_id)
    rows = db.execute(query.order_by(variants.c.member_id, variants.c.item_id, variants.c.number))
    return [VariantRow._make(row) for row in rows]


def brief(db: Connection, item_ids: Collection[str], member_id: str | None = None) -> list[BriefRow]:
    """As `of_items`, without the answers."""
    query = _BRIEF.where(variants.c.item_id.in_(item_ids))
    if member_id is not None:
        query = query.where(variants.c.member_id == member_id)
    rows = db.execute(query.order_by(variants.c.member_id, variants.c.item_id, variants.c.number))
    return [BriefRow._make(row) for row in rows]


def all_open_sealed(db: Connection, time: str) -> dict[str, frozenset[str]]:
    """The machines of sealed tasks that are open at a time, by their members."""
    until = func.coalesce(extensions.c.due, sheets.c.late_until, sheets.c.due, "9")
    joined = _IN_SHEETS.outerjoin(
        extensions,
        (extensions.c.sheet_id == sheets.c.id) & (extensions.c.member_id == variants.c.member_id),
    )
    query = (
        select(variants.c.member_id, variants.c.session_id)
        .select_from(joined)
        .where(
            sheets.c.mode == "sealed",
            sheets.c.released.is_(None),
            variants.c.finished.is_(None),
            until >= time,
        )
    )
    found: dict[str, set[str]] = {}
    for member_id, session_id in db.execute(query):
        found.setdefault(member_id, set()).update([session_id] if session_id else [])
    return {member_id: frozenset(machines) for member_id, machines in found.items()}


def unsettled(db: Connection, time: str, most: int) -> list[VariantRow]:
    """Variants of graded sheets that were due before a time, and whose goals were not submitted then."""
    due = func.coalesce(extensions.c.due, sheets.c.due)
    joined = _IN_SHEETS.join(members, members.c.id == variants.c.member_id).outerjoin(
        extensions,
        (extensions.c.sheet_id == sheets.c.id) & (extensions.c.member_id == variants.c.member_id),
    )
    query = (
        _VARIANT.select_from(joined)
        .where(
            variants.c.settled.is_(None),
            variants.c.finished.is_(None),
            sheets.c.mode != "practice",
            due < time,
        )
        .order_by(variants.c.created)
        .limit(most)
    )
    return [VariantRow._make(row) for row in db.execute(query)]


def change(db: Connection, variant_id: str, values: Mapping[str, Any]) -> None:
    """Change some columns."""
    db.execute(update(variants).where(variants.c.id == variant_id).values(**values))


def any_of(db: Connection, item_ids: Collection[str]) -> bool:
    """Whether anybody has a variant of some exercises."""
    query = select(variants.c.id).where(variants.c.item_id.in_(item_ids)).limit(1)
    return db.execute(query).first() is not None


def of_sessions(db: Connection, session_ids: Collection[str]) -> dict[str, str]:
    """The ids of variants by their sessions; sessions that are no variant's are missing."""
    query = select(variants.c.session_id, variants.c.id).where(variants.c.session_id.in_(session_ids))
    return {row.session_id: row.id for row in db.execute(query)}


# -- hints -----------------------------------------------------------------------------------------------


def take_hint(db: Connection, row: HintRow) -> None:
    """Note that a hint was read; the first time counts."""
    same = hints_taken.c.variant_id == row.variant_id, hints_taken.c.task == row.task
    if db.execute(select(hints_taken.c.hint).where(*same, hints_taken.c.hint == row.hint)).first() is None:
        db.execute(insert(hints_taken), row._asdict())


def hints(db: Connection, variant_ids: Collection[str]) -> list[HintRow]:
    """The hints that were read in some variants, in their order."""
    columns = (hints_taken.c[name] for name in HintRow._fields)
    query = select(*columns).where(hints_taken.c.variant_id.in_(variant_ids))
    rows = db.execute(query.order_by(hints_taken.c.variant_id, hints_taken.c.task, hints_taken.c.hint))
    return [HintRow._make(row) for row in rows]

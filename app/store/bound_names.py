"""Rows of names: what `$name` means, per session and person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, bindparam, case, delete, func, insert, select

from app.store.tables import accounts, members, names, sessions

_ALL: Final = select(names.c.person, names.c.name, names.c.named).where(names.c.session_id == bindparam("of"))
_THEIRS: Final = select(names.c.name, names.c.named).where(
    names.c.session_id == bindparam("of"), names.c.person == bindparam("who")
)
# A value is JSON of ours: only a stored list has a hash, and no text in it holds quotation marks.
_IS_LISTED: Final = names.c.named.contains('"sha256"')
_LISTED: Final = _THEIRS.where(_IS_LISTED)
_COPY: Final = insert(names).from_select(
    ["session_id", "person", "name", "named"],
    select(bindparam("to", type_=names.c.session_id.type), names.c.person, names.c.name, names.c.named).where(
        names.c.session_id == bindparam("of"), names.c.person == bindparam("who"), ~_IS_LISTED
    ),
)
_COUNT: Final = select(func.count()).where(
    names.c.session_id == bindparam("of"), names.c.person == bindparam("who")
)
_COUNT_OTHERS: Final = select(func.count()).where(
    names.c.session_id == bindparam("of"), names.c.person != bindparam("who")
)
_SOME: Final = (
    select(
        names.c.name, case((func.length(names.c.named) <= bindparam("longest"), names.c.named)).label("named")
    )
    .where(names.c.session_id == bindparam("of"), names.c.person == bindparam("who"))
    .order_by(names.c.name)
    .limit(bindparam("most"))
)
_DROP: Final = delete(names).where(
    names.c.session_id == bindparam("of"),
    names.c.person == bindparam("who"),
    names.c.name == bindparam("what"),
)

# Members of the lab that the session is in, who alone are meant by their numbers there; and instructors.
_MEMBERS: Final = (
    select(members.c.id, members.c.number)
    .join(sessions, sessions.c.lab_id == members.c.lab_id)
    .where(
        sessions.c.id == bindparam("of"),
        members.c.id.in_(select(names.c.person).where(names.c.session_id == bindparam("of"))),
    )
)
_ACCOUNTS: Final = select(accounts.c.id, accounts.c.number).where(
    accounts.c.id.in_(select(names.c.person).where(names.c.session_id == bindparam("of")))
)


def put(db: Connection, session_id: str, person: str, changes: Mapping[str, str | None]) -> None:
    """Bind names to values, JSON; a None unbinds."""
    if not changes:
        return
    db.execute(_DROP, [{"of": session_id, "who": person, "what": name} for name in changes])
    bound = [
        {"session_id": session_id, "person": person, "name": name, "named": named}
        for name, named in changes.items()
        if named is not None
    ]
    if bound:
        db.execute(insert(names), bound)


def copy(db: Connection, origin: str, session_id: str, person: str) -> dict[str, str]:
    """Bind a person's names in a new session to what they stand for in another, in one statement.

    Returns those that stand for a stored list, which the new session has to be given first, and binds none of
    them.
    """
    theirs = {"of": origin, "who": person}
    db.execute(_COPY, theirs | {"to": session_id})
    return {row.name: row.named for row in db.execute(_LISTED, theirs)}


def of_person(db: Connection, session_id: str, person: str) -> dict[str, str]:
    """One person's names with their values, JSON."""
    rows = db.execute(_THEIRS, {"of": session_id, "who": person})
    return {row.name: row.named for row in rows}


def of(db: Connection, session_id: str) -> dict[str, dict[str, str]]:
    """Every person's names with their values, JSON."""
    found: dict[str, dict[str, str]] = {}
    for person, name, named in db.execute(_ALL, {"of": session_id}):
        found.setdefault(person, {})[name] = named
    return found


def numbers(db: Connection, session_id: str) -> dict[str, str]:
    """The persons who have named something in a session, with their numbers as rows have them; `i1` first."""
    found = {person: f"i{number}" for person, number in db.execute(_ACCOUNTS, {"of": session_id})}
    theirs = sorted(db.execute(_MEMBERS, {"of": session_id}), key=lambda row: row.number)
    return found | {person: f"m{number}" for person, number in theirs}


def some(
    db: Connection, session_id: str, person: str, most: int, longest: int
) -> tuple[dict[str, str | None], int]:
    """At most so many of a person's names with their values, JSON, by name; and how many there are.

    longest: characters of a value, for one that is longer None stands.
    """
    theirs = {"of": session_id, "who": person}
    rows = db.execute(_SOME, theirs | {"most": most, "longest": longest})
    found = {row.name: row.named for row in rows}
    return found, db.execute(_COUNT, theirs).scalar_one()


def some_of_others(
    db: Connection, session_id: str, person: str, most: int, longest: int
) -> tuple[dict[str, str | None], int]:
    """At most so many names that others have given, as `m1.p`, with their values; and how many there are.

    Those of instructors stand first, then those of members by their number. longest: as `some` has it.
    """
    others = {who: number for who, number in numbers(db, session_id).items() if who != person}
    found: dict[str, str | None] = {}
    for who, number in others.items():
        if len(found) == most:
            break
        theirs = {"of": session_id, "who": who, "longest": longest, "most": most - len(found)}
        found |= {f"{number}.{row.name}": row.named for row in db.execute(_SOME, theirs)}
    counted = {"of": session_id, "who": person}
    return found, db.execute(_COUNT_OTHERS, counted).scalar_one() if others else 0

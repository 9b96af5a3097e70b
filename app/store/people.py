"""Rows of instructors, students, and their tokens."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    Connection,
    Text,
    bindparam,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from app.store.tables import accounts, journal, lab_machines, labs, members, progress, sessions, tokens


class AccountRow(NamedTuple):
    """An instructor."""

    id: str
    # As rows have it (`i1`).
    number: int
    name: str
    # The name as it is compared.
    key: str
    password: str
    created: str


class MemberRow(NamedTuple):
    """A student of a lab."""

    id: str
    lab_id: str
    number: int
    nickname: str
    # The nickname as it is compared.
    key: str
    joined: str
    # When they last asked whether they are admitted; None for a member.
    waiting: str | None = None


class TokenRow(NamedTuple):
    """A token: of a browser, a script, a personal link or an invitation."""

    sha256: str
    use: str
    # None for a link that makes an account.
    holder: str | None
    created: str
    expires: str


_ACCOUNT: Final = select(*(accounts.c[name] for name in AccountRow._fields))
_MEMBER: Final = select(*(members.c[name] for name in MemberRow._fields))
_ADMITTED: Final = members.c.waiting.is_(None)
_TOKEN: Final = select(*(tokens.c[name] for name in TokenRow._fields)).where(
    tokens.c.sha256 == bindparam("sha256")
)

# -- instructors -----------------------------------------------------------------------------------------


def add_account(db: Connection, row: AccountRow) -> None:
    """Write a new account."""
    db.execute(insert(accounts), row._asdict())


def account(db: Connection, account_id: str) -> AccountRow | None:
    """An account by its id."""
    return _account(db.execute(_ACCOUNT.where(accounts.c.id == account_id)).first())


def account_by_key(db: Connection, key: str) -> AccountRow | None:
    """An account by its name as it is compared."""
    return _account(db.execute(_ACCOUNT.where(accounts.c.key == key)).first())


def set_password(db: Connection, account_id: str, password: str) -> None:
    """Replace what is kept of an account's password."""
    db.execute(update(accounts).where(accounts.c.id == account_id).values(password=password))


def last_account(db: Connection) -> int:
    """The highest number of an account, 0 before the first."""
    found: Any = db.execute(select(func.max(accounts.c.number))).scalar()
    return found or 0


def _account(row: Any) -> AccountRow | None:
    return None if row is None else AccountRow._make(row)


# -- students --------------------------------------------------------------------------------------------


def add_member(db: Connection, row: MemberRow) -> None:
    """Write a new member."""
    db.execute(insert(members), row._asdict())


def member(db: Connection, member_id: str) -> MemberRow | None:
    """A member, or a person on the waiting list, by id."""
    row = db.execute(_MEMBER.where(members.c.id == member_id)).first()
    return None if row is None else MemberRow._make(row)


def member_by_number(db: Connection, lab_id: str, number: int) -> MemberRow | None:
    """A member by their number in a lab."""
    query = _MEMBER.where(members.c.lab_id == lab_id, members.c.number == number, _ADMITTED)
    row = db.execute(query).first()
    return None if row is None else MemberRow._make(row)


def lab_members(db: Connection, lab_id: str, after: int = 0, most: int | None = None) -> list[MemberRow]:
    """The members of a lab, by number; or so many behind a number. Without the waiting list."""
    query = _MEMBER.where(members.c.lab_id == lab_id, members.c.number > after, _ADMITTED)
    return [MemberRow._make(row) for row in db.execute(query.order_by(members.c.number).limit(most))]


def everybody(db: Connection, lab_id: str, after: int, most: int) -> list[MemberRow]:
    """So many persons of a lab behind a number: members and those on the waiting list."""
    query = _MEMBER.where(members.c.lab_id == lab_id, members.c.number > after)
    return [MemberRow._make(row) for row in db.execute(query.order_by(members.c.number).limit(most))]


def idle(db: Connection, lab_id: str, after: int = 0, most: int | None = None) -> list[MemberRow]:
    """Members behind a number who have done nothing: no session, no checkpoint, no call on what is shared."""
    shared = select(lab_machines.c.session_id).where(lab_machines.c.lab_id == lab_id)
    by = literal("m") + cast(members.c.number, Text)
    query = _MEMBER.where(
        members.c.lab_id == lab_id,
        members.c.number > after,
        _ADMITTED,
        ~exists().where(sessions.c.owner == members.c.id),
        ~exists().where(progress.c.member_id == members.c.id),
        ~exists().where(journal.c.session_id.in_(shared), journal.c.by == by),
    )
    return [MemberRow._make(row) for row in db.execute(query.order_by(members.c.number).limit(most))]


def member_count(db: Connection, lab_id: str) -> int:
    """How many members a lab has, without the waiting list."""
    found: Any = db.execute(select(func.count()).where(members.c.lab_id == lab_id, _ADMITTED)).scalar_one()
    return int(found)


def next_number(db: Connection, lab_id: str) -> int:
    """A number that no member of a lab has or had: rows keep the number of a deleted member.

    Of several processes one at a time has the lab's row then, until its transaction ends.
    """
    query = update(labs).where(labs.c.id == lab_id).values(numbers=labs.c.numbers + 1)
    found: Any = db.execute(query.returning(labs.c.numbers)).scalar_one()
    return int(found)


def keys_like(db: Connection, lab_id: str, key: str) -> set[str]:
    """Nicknames in a lab, as they are compared, that begin like one."""
    query = select(members.c.key).where(
        members.c.lab_id == lab_id, members.c.key.startswith(key, autoescape=True)
    )
    return set(db.execute(query).scalars())


def last_number(db: Connection, lab_id: str) -> int:
    """The highest number that a member of a lab has had."""
    found: Any = db.execute(select(labs.c.numbers).where(labs.c.id == lab_id)).scalar()
    return found or 0


def remove(db: Connection, ids: Collection[str]) -> None:
    """Delete persons of a lab with their tokens; the caller deletes their sessions."""
    db.execute(delete(tokens).where(tokens.c.holder.in_(ids)))
    db.execute(delete(members).where(members.c.id.in_(ids)))


# -- tokens ----------------------------------------------------------------------------------------------


def add_token(db: Connection, row: TokenRow) -> None:
    """Write a new token."""
    db.execute(insert(tokens), row._asdict())


def token(db: Connection, sha256: str) -> TokenRow | None:
    """A token by its hash; the caller checks whether it has expired."""
    row = db.execute(_TOKEN, {"sha256": sha256}).first()
    return None if row is None else TokenRow._make(row)


def remove_token(db: Connection, sha256: str) -> None:
    """Take one token out of use."""
    db.execute(delete(tokens).where(tokens.c.sha256 == sha256))


def forget(db: Connection, holder: str | None, use: str | None = None) -> None:
    """Take all tokens of a holder out of use, or all for one use.

    Without a holder: links that make an account.
    """
    query = delete(tokens).where(tokens.c.holder.is_(None) if holder is None else tokens.c.holder == holder)
    db.execute(query if use is None else query.where(tokens.c.use == use))


def keep_newest(db: Connection, row: TokenRow, most: int) -> None:
    """Take all but the newest tokens of a token's holder, for the same use, out of use; it stays itself.

    Others may have been made while the clock was ahead.
    """
    others = tokens.c.holder == row.holder, tokens.c.use == row.use, tokens.c.sha256 != row.sha256
    newest = (
        select(tokens.c.sha256)
        .where(*others)
        .order_by(tokens.c.created.desc(), tokens.c.sha256)
        .limit(most - 1)
    )
    db.execute(delete(tokens).where(*others, tokens.c.sha256.not_in(newest.scalar_subquery())))


def sweep_tokens(db: Connection, before: str) -> None:
    """Delete those that have expired before a time."""
    db.execute(delete(tokens).where(tokens.c.expires < before))

"""Instructors, students, and the tokens with which they come in."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from app.store.tables import accounts, labs, members, tokens


class AccountRow(NamedTuple):
    """An instructor. key: the name as it is compared. number: as rows have it (`i1`)."""

    id: str
    number: int
    name: str
    key: str
    password: str
    created: str


class MemberRow(NamedTuple):
    """A student of a lab. key: the nickname as it is compared."""

    id: str
    lab_id: str
    number: int
    nickname: str
    key: str
    joined: str


class TokenRow(NamedTuple):
    """What opens a door. holder: None for a link that makes an account."""

    sha256: str
    use: str
    holder: str | None
    created: str
    expires: str


_ACCOUNT: Final = select(*(accounts.c[name] for name in AccountRow._fields))
_MEMBER: Final = select(*(members.c[name] for name in MemberRow._fields))
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
    """A member by their id."""
    row = db.execute(_MEMBER.where(members.c.id == member_id)).first()
    return None if row is None else MemberRow._make(row)


def member_by_number(db: Connection, lab_id: str, number: int) -> MemberRow | None:
    """A member by their number in a lab."""
    query = _MEMBER.where(members.c.lab_id == lab_id, members.c.number == number)
    row = db.execute(query).first()
    return None if row is None else MemberRow._make(row)


def lab_members(db: Connection, lab_id: str, after: int = 0, most: int | None = None) -> list[MemberRow]:
    """Everybody in a lab, by their numbers; or so many behind a number."""
    query = _MEMBER.where(members.c.lab_id == lab_id, members.c.number > after).order_by(members.c.number)
    return [MemberRow._make(row) for row in db.execute(query.limit(most))]


def member_count(db: Connection, lab_id: str) -> int:
    """How many are in a lab."""
    found: Any = db.execute(select(func.count()).where(members.c.lab_id == lab_id)).scalar_one()
    return int(found)


def next_number(db: Connection, lab_id: str) -> int:
    """A number that nobody in a lab has or had: it still stands in the rows of who was deleted."""
    query = select(labs.c.numbers).where(labs.c.id == lab_id)
    found: Any = db.execute(query).scalar_one()
    db.execute(update(labs).where(labs.c.id == lab_id).values(numbers=found + 1))
    return int(found) + 1


def keys_like(db: Connection, lab_id: str, key: str) -> set[str]:
    """Nicknames in a lab, as they are compared, that begin like one."""
    query = select(members.c.key).where(
        members.c.lab_id == lab_id, members.c.key.startswith(key, autoescape=True)
    )
    return set(db.execute(query).scalars())


def remove_member(db: Connection, member_id: str) -> None:
    """Delete a member with their tokens; sessions are the caller's."""
    forget(db, member_id)
    db.execute(delete(members).where(members.c.id == member_id))


# -- tokens ----------------------------------------------------------------------------------------------


def add_token(db: Connection, row: TokenRow) -> None:
    """Write a new token."""
    db.execute(insert(tokens), row._asdict())


def token(db: Connection, sha256: str) -> TokenRow | None:
    """A token by its hash; whether it has expired is the caller's to see."""
    row = db.execute(_TOKEN, {"sha256": sha256}).first()
    return None if row is None else TokenRow._make(row)


def remove_token(db: Connection, sha256: str) -> None:
    """Take one token out of use."""
    db.execute(delete(tokens).where(tokens.c.sha256 == sha256))


def forget(db: Connection, holder: str | None, use: str | None = None) -> None:
    """Take all tokens of a holder out of use, or all for one use. Of nobody: links that make an account."""
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

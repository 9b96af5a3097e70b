"""Rows of polls: questions to a class, and the votes on them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import BindParameter, Connection, bindparam, delete, func, insert, select, update

from app.store.prepared import Prepared
from app.store.tables import members, polls, votes


class PollRow(NamedTuple):
    """A poll as it is kept."""

    id: str
    lab_id: str
    # None once the session is deleted.
    session_id: str | None
    at: int
    # source, choices, sealed, advice: JSON.
    source: str
    question: str
    form: str
    choices: str
    sealed: str
    state: str
    since: str
    # The row that has answered it; None before.
    seq: int | None
    named: bool
    advice: str
    closes: str | None
    created: str


class VoteRow(NamedTuple):
    """The last vote of a member in a round."""

    poll_id: str
    round: int
    member_id: str
    choice: str
    confidence: str
    time: str


class VotesOf(NamedTuple):
    """How many members have voted in a round of a poll."""

    poll_id: str
    round: int
    votes: int


_POLL: Final = select(*(polls.c[name] for name in PollRow._fields))
_VOTE: Final = select(*(votes.c[name] for name in VoteRow._fields))
_IDS: Final[BindParameter[list[str]]] = bindparam("ids", expanding=True)
_STATES: Final[BindParameter[list[str]]] = bindparam("states", expanding=True)
_ONE: Final = _POLL.where(polls.c.id == bindparam("id"))
_IN_STATES: Final = _POLL.where(polls.c.lab_id.in_(_IDS), polls.c.state.in_(_STATES)).order_by(
    polls.c.created, polls.c.id
)
_COUNTS: Final = (
    select(votes.c.poll_id, votes.c.round, func.count())
    .where(votes.c.poll_id.in_(_IDS))
    .group_by(votes.c.poll_id, votes.c.round)
)
_OF_POLLS: Final = _VOTE.where(votes.c.poll_id.in_(_IDS)).order_by(votes.c.round, votes.c.time)
_MEMBERS: Final = (
    select(members.c.lab_id, func.count())
    .where(members.c.lab_id.in_(_IDS), members.c.waiting.is_(None))
    .group_by(members.c.lab_id)
)
_FORGET: Final = Prepared(
    delete(votes).where(
        votes.c.poll_id == bindparam("of"),
        votes.c.round == bindparam("in_round"),
        votes.c.member_id == bindparam("who"),
    ),
    "of",
    "in_round",
    "who",
)
_TAKE: Final = Prepared(insert(votes), *VoteRow._fields)

# -- polls -----------------------------------------------------------------------------------------------


def create(db: Connection, row: PollRow) -> None:
    """Write a new poll."""
    db.execute(insert(polls), row._asdict())


def get(db: Connection, poll_id: str) -> PollRow | None:
    """One poll; None where there is none."""
    row = db.execute(_ONE, {"id": poll_id}).first()
    return None if row is None else PollRow._make(row)


def of_lab(db: Connection, lab_id: str) -> list[PollRow]:
    """All polls of a lab, the newest first."""
    query = _POLL.where(polls.c.lab_id == lab_id).order_by(polls.c.created.desc(), polls.c.id)
    return [PollRow._make(row) for row in db.execute(query)]


def count(db: Connection, lab_id: str) -> int:
    """How many polls a lab has."""
    found: Any = db.execute(select(func.count()).where(polls.c.lab_id == lab_id)).scalar_one()
    return int(found)


def in_states(db: Connection, lab_ids: Sequence[str], states: Collection[str]) -> list[PollRow]:
    """The polls of the given labs that are in one of the states, the oldest first."""
    rows = db.execute(_IN_STATES, {"ids": list(lab_ids), "states": list(states)})
    return [PollRow._make(row) for row in rows]


def change(db: Connection, poll_id: str, values: Mapping[str, Any]) -> None:
    """Change some columns."""
    db.execute(update(polls).where(polls.c.id == poll_id).values(**values))


def remove(db: Connection, poll_id: str) -> None:
    """Delete a poll with its votes."""
    db.execute(delete(polls).where(polls.c.id == poll_id))


# -- votes -----------------------------------------------------------------------------------------------


def vote(db: Connection, row: VoteRow) -> None:
    """Write a vote in the place of the one that the member has given in that round, if any."""
    _FORGET.run(db, [(row.poll_id, row.round, row.member_id)])
    _TAKE.run(db, [tuple(row)])


def votes_on(db: Connection, poll_ids: Sequence[str]) -> list[VoteRow]:
    """All votes on the given polls, by round and time."""
    return [VoteRow._make(row) for row in db.execute(_OF_POLLS, {"ids": list(poll_ids)})]


def votes_of(db: Connection, poll_id: str, member_id: str) -> dict[int, VoteRow]:
    """A member's votes on a poll, by round."""
    query = _VOTE.where(votes.c.poll_id == poll_id, votes.c.member_id == member_id)
    return {row.round: VoteRow._make(row) for row in db.execute(query)}


def counts(db: Connection, poll_ids: Sequence[str]) -> list[VotesOf]:
    """How many have voted in each round of the given polls; rounds without a vote are missing."""
    return [VotesOf(*row) for row in db.execute(_COUNTS, {"ids": list(poll_ids)})]


def member_counts(db: Connection, lab_ids: Sequence[str]) -> dict[str, int]:
    """How many members the given labs have; those without one are missing."""
    return {row[0]: row[1] for row in db.execute(_MEMBERS, {"ids": list(lab_ids)})}

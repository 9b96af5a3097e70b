"""What each member of a lab has done: the list of attendance.

An imported file says by itself when its rows were made and by whom, which may be false. All of them are
older than their session here, so only rows from its beginning on are counted. What the prelude of an
exercise made is no work of the member either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from app.labs.person import Person
from app.labs.room import taught
from app.store import Connection, journal, labs, people, variants
from app.store import sessions as session_rows
from app.store.labs import CallCount
from app.store.sessions import SessionPosition


class Activity(NamedTuple):
    """A member's part in a lab."""

    number: int
    nickname: str
    joined: str
    # How many calls they have made, on any machine of the lab.
    calls: int
    # seq, last_call: of the last call, and when it was.
    seq: int | None
    last_call: str | None
    checkpoint: str | None


def activity(db: Connection, person: Person, lab_id: str) -> list[Activity]:
    """The activity of every member, by number. Raises as Rooms does."""
    taught(db, person, lab_id)
    positions = session_rows.positions(db, lab_id)
    owners = {position.id: position.owner for position in positions}
    preludes = variants.preludes(db, lab_id)
    given = {one.id: preludes[one.id] - one.start for one in positions if one.id in preludes}
    members = {member.id: member for member in people.lab_members(db, lab_id)}
    made: dict[str, list[CallCount]] = {}
    for part in labs.calls(db, lab_id):
        owner = members.get(owners[part.session_id])
        # In a machine of one's own one is alone with the instructor.
        if owner is None or part.by == f"m{owner.number}":
            own = part.rows - given.get(part.session_id, 0)
            if own > 0:
                made.setdefault(part.by, []).append(part._replace(rows=own))
    times = journal.times(db, [(part.session_id, part.last) for parts in made.values() for part in parts])
    titles = {mark.id: mark.title for mark in labs.lab_checkpoints(db, lab_id)}
    order = {mark: position for position, mark in enumerate(titles)}
    furthest: dict[str, str] = {}
    for row in sorted(labs.lab_progress(db, lab_id), key=lambda row: order[row.checkpoint_id]):
        furthest[row.member_id] = titles[row.checkpoint_id]
    found = []
    for member in members.values():
        parts = made.get(f"m{member.number}", [])
        last = max(((times[part.session_id, part.last], part.last) for part in parts), default=None)
        found.append(
            Activity(
                member.number,
                member.nickname,
                member.joined,
                sum(part.rows for part in parts),
                None if last is None else last[1],
                None if last is None else last[0],
                furthest.get(member.id),
            )
        )
    return found


def by_owner(positions: Iterable[SessionPosition]) -> dict[str, list[SessionPosition]]:
    """Group sessions by owner."""
    theirs: dict[str, list[SessionPosition]] = {}
    for position in positions:
        theirs.setdefault(position.owner, []).append(position)
    return theirs


def last_called(positions: Iterable[SessionPosition], times: Mapping[str, str]) -> SessionPosition | None:
    """The session that was called, or created, last. times: of the last row of each session."""
    return max(
        positions, key=lambda position: max(position.created, times.get(position.id, "")), default=None
    )

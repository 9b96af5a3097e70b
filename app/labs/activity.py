"""What each member has done in a lab: for the list of who was there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from app.labs.person import Person
from app.labs.room import taught
from app.store import Connection, journal, labs, people
from app.store import sessions as session_rows
from app.store.sessions import Place


class Activity(NamedTuple):
    """A member's part in a lab. calls: made by them. seq: of the machine that they have called last."""

    number: int
    nickname: str
    joined: str
    calls: int
    seq: int | None
    last_call: str | None
    checkpoint: str | None


def activity(db: Connection, person: Person, lab_id: str) -> list[Activity]:
    """By number. Raises as Rooms does."""
    taught(db, person, lab_id)
    places = session_rows.places(db, lab_id)
    times = {sid: time for sid, time, _ in journal.lasts(db, lab_id)}
    theirs = by_owner(places)
    owners = {place.id: place.owner for place in places}
    members = {member.id: member for member in people.lab_members(db, lab_id)}
    calls: dict[str, int] = {}
    for session_id, by, count in labs.calls(db, lab_id):
        owner = members.get(owners[session_id])
        # In a machine of one's own one is alone with the instructor; a file that came in may say otherwise.
        if owner is None or by == f"m{owner.number}":
            calls[by] = calls.get(by, 0) + count
    titles = {mark.id: mark.title for mark in labs.lab_checkpoints(db, lab_id)}
    order = {mark: place for place, mark in enumerate(titles)}
    furthest: dict[str, str] = {}
    for row in sorted(labs.lab_progress(db, lab_id), key=lambda row: order[row.checkpoint_id]):
        furthest[row.member_id] = titles[row.checkpoint_id]
    found = []
    for member in members.values():
        last = last_called(theirs.get(member.id, ()), times)
        found.append(
            Activity(
                member.number,
                member.nickname,
                member.joined,
                calls.get(f"m{member.number}", 0),
                None if last is None else last.seq,
                None if last is None else times.get(last.id),
                furthest.get(member.id),
            )
        )
    return found


def by_owner(places: Iterable[Place]) -> dict[str, list[Place]]:
    """Sessions by whose they are."""
    theirs: dict[str, list[Place]] = {}
    for place in places:
        theirs.setdefault(place.owner, []).append(place)
    return theirs


def last_called(places: Iterable[Place], times: Mapping[str, str]) -> Place | None:
    """Of somebody's sessions the one that was called last. times: of each one's last row."""
    return max(places, key=lambda place: times.get(place.id, place.created), default=None)

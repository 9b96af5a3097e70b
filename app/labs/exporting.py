"""All that there is of a member, or of a whole lab, as one file of NDJSON.

A member: a line for them; for each of their sessions the lines of an exported session, which can be cut out
and imported again; and a line for each row that they have made on the lab's shared machines. A lab: a line
for it, the lines of each session that it has, and then those of each member.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from pydantic_core import to_json

from app.labs import auditing
from app.labs.person import Person
from app.labs.poll import Poll
from app.labs.room import machines_of, seen, taught
from app.labs.rooms import Rooms
from app.labs.tally import tally
from app.sessions import NotFound, Principal, Sessions, TooMany
from app.store import Connection, journal, labs, polls, sheets, submissions, variants
from app.store import sessions as session_rows
from app.store.people import MemberRow

FORMAT = 1
PART_BYTES = 1 << 18  # bytes that are read and sent together


class Exporting:
    """Makes such files. Raises as Rooms does."""

    def __init__(self, sessions: Sessions, rooms: Rooms) -> None:
        self._sessions = sessions
        self._rooms = rooms

    async def member(self, person: Person, lab_id: str, number: int) -> AsyncIterator[bytes]:
        """A member's file, part by part: for the lab's instructor, and for the member. Raises NotFound."""
        member = await self._rooms.member(person, lab_id, number)
        await self._note(person, "export a member", lab_id, member.id)
        head = await self._sessions.query(_head, person, member)
        own = [info.id for info in await self._rooms.machines_of_member(person, lab_id, number)]
        shared = await self._sessions.query(_shared, lab_id)
        return self._parts(member, head, own, shared)

    async def lab(self, person: Person, lab_id: str) -> AsyncIterator[bytes]:
        """A lab's file, part by part: for its instructor. Raises NotFound and Forbidden."""
        lab = await self._sessions.query(_lab, person, lab_id)
        await self._note(person, "export a lab", lab_id, lab_id)
        members = await self._rooms.roster(person, lab_id)
        return self._lab_parts(person, lab, members)

    async def _note(self, person: Person, act: str, lab_id: str, target: str) -> None:
        """Write down what an instructor takes away with them; what is a member's own they may."""
        if person.kind == "instructor":
            await self._sessions.execute(
                partial(auditing.note, person=person, act=act, lab_id=lab_id, target=target)
            )

    async def _lab_parts(
        self, person: Person, lab: dict[str, Any], members: list[MemberRow]
    ) -> AsyncIterator[bytes]:
        yield to_json(lab) + b"\n"
        for session_id in dict.fromkeys(machine["session"] for machine in lab["machines"]):
            async for part in self._session(person.principal, session_id):
                yield part
        for member in members:
            head = await self._sessions.query(_head, person, member)
            own = await self._rooms.machines_of_member(person, member.lab_id, member.number)
            async for part in self._parts(member, head, [info.id for info in own], []):
                yield part

    async def _session(self, who: Principal, session_id: str) -> AsyncIterator[bytes]:
        lines = await self._lines(who, session_id)
        if lines is not None:
            async for part in lines:
                yield part

    async def _lines(self, who: Principal, session_id: str) -> AsyncIterator[bytes] | None:
        """A session's lines; None where it was deleted meanwhile. Waits while too many others are made."""
        while True:
            try:
                _, lines = await self._sessions.export(who, session_id)
            except NotFound:
                return None
            except TooMany as error:
                await asyncio.sleep(error.retry_after)
            else:
                return lines

    async def _parts(
        self, member: MemberRow, head: dict[str, Any], own: list[str], shared: list[str]
    ) -> AsyncIterator[bytes]:
        yield to_json(head) + b"\n"
        for session_id in own:
            async for part in self._session(Principal(member.id), session_id):
                yield part
        for session_id in shared:
            after = 0
            while rows := await self._sessions.query(
                journal.made_by, session_id, f"m{member.number}", after, PART_BYTES
            ):
                after = rows[-1][0]
                begin = b'{"session":' + to_json(session_id) + b',"outcome":'
                yield b"".join(begin + outcome + b"}\n" for _, outcome in rows)


def _head(db: Connection, person: Person, member: MemberRow) -> dict[str, Any]:
    lab = seen(db, person, member.lab_id)
    titles = {mark.id: mark.title for mark in labs.lab_checkpoints(db, lab.id)}
    return {
        "kmemlab": FORMAT,
        "kind": "member",
        "number": member.number,
        "nickname": member.nickname,
        "joined": member.joined,
        "lab": {"id": lab.id, "title": lab.title},
        "checkpoints": [
            {"title": titles[step.checkpoint_id], "how": step.how, "time": step.time}
            for step in labs.lab_progress(db, lab.id)
            if step.member_id == member.id
        ],
        "votes": _votes(db, person, member),
        "exercises": _exercises(db, member),
    }


def _exercises(db: Connection, member: MemberRow) -> list[dict[str, Any]]:
    """A member's variants, with what they have answered; nothing of what would have been right."""
    items = {item.id: item for item in sheets.lab_items(db, member.lab_id)}
    titles = {sheet.id: sheet.title for sheet in sheets.of_lab(db, member.lab_id)}
    rows = variants.of_member(db, member.id)
    ids = [row.id for row in rows]
    answers: dict[str, list[dict[str, Any]]] = {}
    for one in submissions.of_variants(db, ids):
        told = one._asdict() | {"given": json.loads(one.given), "parts": json.loads(one.parts)}
        del told["id"], told["variant_id"]
        answers.setdefault(one.variant_id, []).append(told)
    hints = variants.hints(db, ids)
    return [
        {
            "sheet": titles[items[row.item_id].sheet_id],
            "exercise": items[row.item_id].exercise,
            "number": row.number,
            # What a variant shows is on its page; a value that it does not show may be asked for.
            "values": json.loads(row.values).get("values", {}) if row.finished else None,
            "session": row.session_id,
            "created": row.created,
            "finished": row.finished,
            "submissions": answers.get(row.id, []),
            "hints": [
                {"task": hint.task, "hint": hint.hint, "time": hint.time}
                for hint in hints
                if hint.variant_id == row.id
            ],
        }
        for row in rows
    ]


def _votes(db: Connection, person: Person, member: MemberRow) -> list[dict[str, Any]]:
    """A member's votes. What they chose where names are not told is told to nobody but them."""
    found = []
    asked = [Poll.of(row) for row in reversed(polls.of_lab(db, member.lab_id))]
    for poll in asked:
        for number, vote in sorted(polls.votes_of(db, poll.id, member.id).items()):
            chosen = {"choice": poll.text(vote.choice), "confidence": vote.confidence}
            found.append(
                {
                    "calls": list(poll.lines),
                    "asked": poll.asked,
                    "question": poll.question,
                    "round": number,
                    "time": vote.time,
                    **(chosen if poll.named or person.id == member.id else {}),
                }
            )
    return found


def _sheets(db: Connection, lab_id: str) -> list[dict[str, Any]]:
    """The sheets of a lab with the texts of their exercises; what was answered is with the members."""
    return [
        {
            "title": sheet.title,
            "text": sheet.text,
            "mode": sheet.mode,
            "opens": sheet.opens,
            "due": sheet.due,
            "late_until": sheet.late_until,
            "late_factor": sheet.late_factor,
            "count": sheet.counts,
            "released": sheet.released,
            "created": sheet.created,
            "exercises": [
                {"exercise": item.exercise, "points": item.points, "sha256": item.sha256, "text": item.text}
                for item in sheets.items(db, sheet.id)
            ],
        }
        for sheet in sheets.of_lab(db, lab_id)
    ]


def _polls(db: Connection, lab_id: str) -> list[dict[str, Any]]:
    """The questions of a lab, the oldest first, with their votes counted."""
    rows = list(reversed(polls.of_lab(db, lab_id)))
    votes = polls.votes_on(db, [row.id for row in rows]) if rows else []
    return [
        {
            "calls": list(poll.lines),
            "asked": poll.asked,
            "question": poll.question,
            "choices": list(poll.choices),
            "right": poll.right,
            "state": poll.state,
            "session": poll.session_id,
            "at": poll.at,
            "seq": poll.seq,
            "created": poll.created,
            "tally": tally(poll, [vote for vote in votes if vote.poll_id == poll.id]).as_json(),
        }
        for poll in map(Poll.of, rows)
    ]


def _lab(db: Connection, person: Person, lab_id: str) -> dict[str, Any]:
    lab = taught(db, person, lab_id)
    return {
        "kmemlab": FORMAT,
        "kind": "lab",
        "title": lab.title,
        "text": lab.text,
        "created": lab.created,
        "closed": lab.closed,
        "machines": [
            {
                "kind": machine.kind,
                "title": machine.title,
                "session": machine.session_id,
                "seq": machine.seq,
                "checkpoints": [{"seq": mark.seq, "title": mark.title} for mark in machine.checkpoints],
            }
            for machine in machines_of(db, lab_id)
        ],
        "polls": _polls(db, lab_id),
        "sheets": _sheets(db, lab_id),
    }


def _shared(db: Connection, lab_id: str) -> list[str]:
    """The sessions of a lab that are no member's own: of the others, rows may say what a file said."""
    lab = labs.get(db, lab_id)
    owner = None if lab is None else lab.owner
    return [row.id for row in session_rows.of_lab(db, lab_id) if row.owner == owner]

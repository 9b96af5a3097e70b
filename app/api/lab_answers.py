"""Labs and what belongs to them, as JSON."""

from __future__ import annotations

from typing import Any

from app.labs import Activity, Checkpoint, Lab, LabMachine, MemberRow, Noted, Person
from app.labs.room import PREPARED

Doc = dict[str, Any]


def summary(lab: Lab) -> Doc:
    """A lab in a list."""
    return {
        "id": lab.id,
        "title": lab.title,
        "created": lab.created,
        "owner": lab.owner,
        "code": lab.code,
        "code_expires": lab.code_expires,
        "expected": lab.expected,
        "draft": lab.draft,
        "frozen": lab.frozen,
        "closed": lab.closed,
    }


def whole(lab: Lab, person: Person) -> Doc:
    """A lab with all that it has, as the person may know it."""
    return {
        **summary(lab),
        "text": lab.text,
        "machines": [machine(one, person) for one in lab.machines],
    }


def machine(of: LabMachine, person: Person) -> Doc:
    """A machine of a lab. A member reads no prepared session, and is not told which it is."""
    hidden = of.kind == PREPARED and person.lab is not None
    return {
        "id": of.id,
        "kind": of.kind,
        "title": of.title,
        "session": None if hidden else of.session_id,
        "seq": of.seq,
        "checkpoints": [checkpoint(mark) for mark in of.checkpoints],
        "demo": None if of.demo is None else {"name": of.demo, "part": of.part},
    }


def checkpoint(mark: Checkpoint) -> Doc:
    """A checkpoint."""
    return {"id": mark.id, "seq": mark.seq, "title": mark.title}


def member(row: MemberRow) -> Doc:
    """A member of the roster, or a person on the waiting list."""
    found = {"number": row.number, "nickname": row.nickname, "joined": row.joined}
    return found if row.waiting is None else {**found, "waiting": True}


def me(person: Person) -> Doc:
    """A person. id: as sessions have it for their owner. by: as rows have it."""
    return {
        "kind": person.kind,
        "name": person.name,
        "number": person.number or None,
        "lab": person.lab,
        "id": person.id,
        "by": person.principal.by,
        "waiting": person.waiting,
    }


def activity(of: Activity) -> Doc:
    """What a member has done."""
    return of._asdict()


def act(noted: Noted) -> Doc:
    """An act of the audit log."""
    done = noted.act
    return {
        "id": noted.id,
        "time": done.time,
        "actor": done.actor,
        "act": done.act,
        "lab": done.lab_id,
        "target": done.target,
        "detail": done.detail,
    }

"""What the machine says when a poll is revealed: it wins over what was held for right when it was asked.

The calls are looked at from the row on behind which they were made. Where that says something else an engine
has changed in between: it is logged as drift, shown with the answer, and votes are counted by it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from pydantic_core import from_json

from app.errors import Refusal
from app.exercises import sealing
from app.exercises.exercise import Field, Task
from app.exercises.playground import Playground, Refused
from app.exercises.rejected import Rejected
from app.exercises.values import Values
from app.labs import asking
from app.labs.class_tasks import ClassTask, shown
from app.labs.person import Person
from app.labs.poll import CHOICE, LETTERS, Poll, sealed
from app.machine.calls import Lists, Named
from app.machine.machine import Machine
from app.sessions import BatchItem, Sessions
from app.store.journal import Row

log: Final = logging.getLogger(__name__)


def question_of(chosen: ClassTask) -> dict[str, Any]:
    """What is kept so that a task can be asked again: JSON. The names of its machine are put beside it."""
    return {
        "kind": chosen.task.kind,
        "field": asdict(replace(chosen.field.field, wrong=())),
        "values": dict(chosen.variant.values.by_name),
    }


async def mended(
    sessions: Sessions, person: Person, poll: Poll, items: Sequence[BatchItem]
) -> dict[str, Any]:
    """What is to be changed of a poll whose calls were made: nothing where its row says the same."""
    if poll.session_id is None:
        return {}
    try:
        now = await said(sessions, person, poll, poll.session_id, items)
    except (Refused, Rejected, Refusal) as error:
        log.warning("poll %s: not compared: %s", poll.id, error)
        return {}
    before = poll.text(poll.right)
    if now == before:
        return {}
    log.warning("poll %s: drift: the machine says %s, not %s", poll.id, now, before)
    return changes(poll, now)


async def said(
    sessions: Sessions, person: Person, poll: Poll, session_id: str, items: Sequence[BatchItem]
) -> str:
    """What is right by the machine. Raises Refused and Rejected, and as `Sessions.stretch` does."""
    if poll.again:
        return await sessions.stretch(person.principal, session_id, poll.at, poll.at, asked_again, poll)
    drawn = await sessions.trial(
        person.principal,
        session_id,
        poll.at,
        items,
        lambda before, tried, after: asking.draw(poll.asked, before, tried[-1].outcome, after),
    )
    return drawn.choices[LETTERS.index(drawn.right)]


def asked_again(machine: Machine, _rows: Sequence[Row], lists: Lists, poll: Poll) -> str:
    """What is right in a task on the machine as it was before its calls. Raises Refused and Rejected."""
    again = poll.again
    names = {name: Named.from_json(from_json(text)) for name, text in again["names"].items()}
    place = Playground(machine, poll.at, dict(names), dict.fromkeys(names), lists)
    task = Task(1, again["kind"], "", calls=poll.lines, fields=(field_of(again["field"]),))
    field = sealing.seal(task, place, values_of(again["values"])).fields[0]
    assert field.right is not None
    return field.form.text(field.right, field.shape) if poll.form != CHOICE else shown(field, field.right)


def field_of(kept: Mapping[str, Any]) -> Field:
    """A field as it was."""
    near = kept["near"]
    return Field(**{**kept, "wrong": (), "options": tuple(kept["options"]), "near": near and tuple(near)})


def values_of(kept: Mapping[str, Any]) -> Values:
    """Values as they were drawn."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()}


def changes(poll: Poll, now: str) -> dict[str, Any]:
    """The row's columns with another right answer; it becomes one more choice where it was none of them."""
    choices = list(poll.choices)
    right = now
    if poll.form == CHOICE:
        if now not in choices:
            choices.append(now)
        right = LETTERS[choices.index(now)]
    wrong = {key: why for key, why in poll.wrong.items() if key != right}
    more = {"again": dict(poll.again)} if poll.again else {}
    return {
        "choices": json.dumps(choices),
        "sealed": sealed(right, wrong, poll.after, drift=poll.text(poll.right), **more),
    }

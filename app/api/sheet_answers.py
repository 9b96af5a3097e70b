"""Sheets, variants and submissions, as JSON. Nothing here says what is right before it may be known."""

from __future__ import annotations

import json
from typing import Any

from app.labs import ExtensionRow, ItemRow, SubmissionRow
from app.labs.goals import Reached
from app.labs.person import Person
from app.labs.sheets import Sheet
from app.labs.submissions import Submitted
from app.labs.worked import GOAL, Worked

Doc = dict[str, Any]


def sheet(of: Sheet, person: Person) -> Doc:
    """A sheet; for a member with their own time alone."""
    row = of.row
    found = {
        "id": row.id,
        "title": row.title,
        "text": row.text,
        "mode": row.mode,
        "opens": row.opens,
        "due": row.due,
        "late_until": row.late_until,
        "late_factor": row.late_factor,
        "count": row.counts,
        "opened": row.opened,
        "released": row.released,
        "created": row.created,
        "points": of.points,
        "items": [item(one) for one in of.items],
    }
    if person.kind == "member":
        return found | {"extension": of.extensions[0][1].due if of.extensions else None}
    return found | {"extensions": [extension(number, one) for number, one in of.extensions]}


def item(row: ItemRow) -> Doc:
    """An exercise of a sheet."""
    return {
        "id": row.id,
        "exercise": row.exercise,
        "title": row.title,
        "points": row.points,
        "sha256": row.sha256,
    }


def extension(number: int, row: ExtensionRow) -> Doc:
    """Another time for a member."""
    return {"number": number, "due": row.due, "reason": row.reason}


# -- variants ---------------------------------------------------------------------------------------------


def variant(of: Worked, time: str) -> Doc:
    """A variant as its member may see it at a time."""
    shown = of.exercise.prelude_shown
    return {
        "id": of.row.id,
        "lab": of.lab.id,
        "sheet": of.sheet.id,
        "item": of.item.id,
        "exercise": of.exercise.name,
        "title": of.exercise.title,
        "teaser": of.exercise.teaser,
        "number": of.row.number,
        "session": of.row.session_id,
        "mode": of.sheet.mode,
        "points": of.item.points,
        "score": sum(of.score(number) for number in of.numbers),
        "due": of.window.due,
        "ends": of.window.ends,
        "state": "over" if of.progress.replaced else of.window.state(time),
        "created": of.row.created,
        "finished": of.row.finished,
        "replaced": of.progress.replaced,
        "prelude": list(of.variant.prelude) if shown else [],
        "tasks": [task(of, number) for number in of.numbers],
    }


def task(of: Worked, number: int) -> Doc:
    """A task. Of one that comes later only that it is there: its question may say what is right before it."""
    waits = of.waits_for(number)
    if waits is not None:
        return {"number": number, "kind": of.exercise.tasks[number - 1].kind, "waits_for": waits}
    document = of.variant.public(number)
    whole, mine = of.variant.task(number).task, of.progress.task(number)
    taken = of.taken(number)
    for hint, one in zip(document["hints"], whole.hints, strict=True):
        hint["text"] = one.text if hint["number"] <= taken else None
    worth = of.attempts(number)
    shows = of.shows_answer(number)
    return document | {
        "waits_for": None,
        "max": of.most(number),
        "score": of.score(number),
        "attempts": {"made": len(of.tries(number)), "left": of.left(number), "worth": list(worth)},
        "solved": of.solved(number),
        "over": of.over(number),
        "given_up": mine.given_up,
        "revealed": None if mine.revealed is None else {"time": mine.revealed, "rows": mine.rows},
        "submissions": [submission(row) for row in of.tries(number)],
        "right": right(of, number) if shows else None,
        "solution": list(whole.solution) if shows and whole.kind == GOAL else None,
        "after": whole.after if shows and (mine.revealed is not None or not whole.calls) else None,
    }


def right(of: Worked, number: int) -> list[str | None]:
    """What is right in each field, as people write it."""
    fields = of.variant.task(number).fields
    return [None if field.right is None else field.form.text(field.right, field.shape) for field in fields]


def submission(row: SubmissionRow) -> Doc:
    """An attempt."""
    return {
        "number": row.number,
        "given": json.loads(row.given),
        "share": row.share,
        "score": row.score,
        "max": row.max,
        "parts": json.loads(row.parts),
        "misconception": row.misconception,
        "hints": row.hints,
        "seq": row.seq,
        "time": row.time,
        "late": row.late,
        "seconds": row.seconds,
        "drift": row.drift,
    }


def submitted(of: Submitted, time: str) -> Doc:
    """An attempt that was just made, and the variant as it is then."""
    return {
        "task": of.row.task,
        "submission": submission(of.row),
        "variant": variant(of.worked, time),
    }


def checked(of: Reached) -> Doc:
    """Which checks of a goal hold."""
    return {"share": of.share, "parts": list(of.parts), "rows": of.rows, "refused": of.refused}

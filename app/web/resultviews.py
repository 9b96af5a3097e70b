"""Results in words, letters and figures, as all pages of results have them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from app.exercises import misconceptions
from app.exercises.exercise import PARTS
from app.labs import SubmissionRow
from app.labs.results import Cell, Column, Results, said
from app.web import wording
from app.web.contexts.base import Link
from app.web.contexts.results import StateKey, TryRow
from app.web.exercisepanel import HEADINGS
from app.web.language import N_, _, decimal, ngettext

# How far a member is with a task: its letter, and what it means. The best first.
STATES: Final = {
    "first": (N_("F"), N_("right at the first try")),
    "right": (N_("R"), N_("right in the end")),
    "part": (N_("P"), N_("partly right, still open")),
    "wrong": (N_("W"), N_("wrong so far, still open")),
    "missed": (N_("X"), N_("over, and not right")),
    "shown": (N_("S"), N_("shown without an answer")),
    "open": (N_("O"), N_("opened, no answer yet")),
    "none": ("–", N_("not opened")),
}


def at_sheet(lab_id: str, sheet_id: str) -> str:
    """Where a sheet is."""
    return f"/labs/{lab_id}/sheets/{sheet_id}"


def home(lab_id: str, sheet_id: str) -> str:
    """Where its results are."""
    return f"{at_sheet(lab_id, sheet_id)}/results"


def task_href(lab_id: str, sheet_id: str, column: Column) -> str:
    """Where a task's page is."""
    return f"{home(lab_id, sheet_id)}/tasks/{column.label}"


def attempt_href(lab_id: str, sheet_id: str, number: int, column: Column) -> str:
    """Where the attempts of a member are."""
    return f"{home(lab_id, sheet_id)}/members/{number}/{column.label}"


def place_of(results: Results, label: str) -> int | None:
    """The place of a task among the columns."""
    return next((place for place, one in enumerate(results.columns) if one.label == label), None)


def column_title(column: Column) -> str:
    """A task in words."""
    return _("%(exercise)s: %(kind)s", exercise=column.exercise.title, kind=_(HEADINGS[column.task.kind]))


# -- a member and a task -----------------------------------------------------------------------------------


def state_of(cell: Cell) -> str:
    """How far a member is: a key of STATES."""
    if cell.variant is None:
        return "none"
    if cell.solved:
        return "first" if cell.first_right else "right"
    if cell.over:
        return "missed" if cell.tries else "shown"
    if not cell.tries:
        return "open"
    return "part" if any(row.share for row in cell.tries) else "wrong"


def key_of(state: str) -> StateKey:
    """A state in words."""
    letter, words = STATES[state]
    return StateKey(state, _(letter), _(words))


def share(thousandths: int) -> str:
    """How much of something is right: 67 %"""
    return percent(thousandths, PARTS)


def percent(part: int, whole: int) -> str:
    """A share; of nothing without decimals."""
    return wording.percent(part, whole) if part else _("%(num)s %%", num=0)


def number(value: float | None) -> str:
    """A median; a dash where there is none."""
    return "–" if value is None else decimal(value, 0 if value == int(value) else 1)


def of_tried(part: int, whole: int) -> str:
    """3 (60 %)"""
    if not whole:
        return "–"
    return _("%(part)s (%(share)s)", part=wording.count(part), share=percent(part, whole))


def cell_words(who: str, column: Column, cell: Cell) -> str:
    """All of a cell in words."""
    state = _(STATES[state_of(cell)][1])
    found = [_("%(who)s, task %(label)s: %(state)s", who=who, label=column.label, state=state)]
    if cell.tries:
        found += [
            wording.points_of(cell.score, column.max),
            _("first try %(share)s", share=share(cell.tries[0].share)),
            ngettext("%(num)s attempt", "%(num)s attempts", len(cell.tries)),
        ]
    if cell.late:
        found.append(_("late"))
    return ", ".join(found)


# -- answers -----------------------------------------------------------------------------------------------


def misconception(key: str | None) -> str:
    """A misconception by name."""
    return misconceptions.of(key).name if key else ""


def try_row(row: SubmissionRow, session_id: str | None, before: Sequence[int] = ()) -> TryRow:
    """One answer. before: what it had earned before it was marked again."""
    evidence = None
    if session_id is not None and row.seq is not None:
        words = _("#%(seq)s", seq=wording.count(row.seq))
        evidence = Link(words, f"/sessions/{session_id}?at={row.seq}#journal")
    return TryRow(
        number=row.number,
        time=row.time,
        answer=said(row),
        right=row.share >= PARTS,
        share=share(row.share),
        points=wording.points_of(row.score, row.max),
        before=[wording.points(one) for one in before],
        misconception=misconception(row.misconception),
        said=[part["say"] for part in json.loads(row.parts) if told(part)],
        facts=facts_of(row),
        evidence=evidence,
    )


def told(part: dict[str, object]) -> bool:
    """Whether a part of an answer, or a condition of a goal, has something said about it."""
    return bool(part.get("say")) and not part.get("holds")


def facts_of(row: SubmissionRow) -> str:
    """What else there is to know of an answer."""
    found = []
    if row.late:
        found.append(_("late"))
    if row.hints:
        found.append(ngettext("%(num)s hint", "%(num)s hints", row.hints))
    if row.seconds is not None:
        found.append(duration(row.seconds))
    if row.drift:
        found.append(_("drift"))
    return " · ".join(found)


def duration(seconds: int) -> str:
    """How long something took: 1 min 20 s"""
    minutes, rest = divmod(seconds, 60)
    if not minutes:
        return _("%(num)s s", num=rest)
    if minutes >= 10:
        return _("%(num)s min", num=wording.count(minutes))
    return _("%(minutes)s min %(seconds)s s", minutes=minutes, seconds=rest)

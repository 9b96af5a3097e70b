"""Results of sheets, as JSON."""

from __future__ import annotations

from typing import Any

from app.exercises import misconceptions
from app.labs.regrading import Change, Regrade
from app.labs.results import Cell, Column, Line, Results
from app.labs.statistics import MisconceptionCount, TaskStatistics, of_tasks
from app.labs.stuck import Stuck

Doc = dict[str, Any]


def results(of: Results, stuck: list[Stuck] | None) -> Doc:
    """What came of a sheet. stuck: for the instructor, who also gets the statistics."""
    found: Doc = {
        "sheet": of.sheet.id,
        "title": of.sheet.title,
        "max": of.max,
        "tasks": [column(one) for one in of.columns],
        "members": [line(one) for one in of.lines],
    }
    if stuck is not None:
        found["statistics"] = [statistics(one) for one in of_tasks(of)]
        found["stuck"] = [
            {
                "number": one.number,
                "nickname": one.nickname,
                "task": of.columns[one.place].label,
                "why": one.why,
                "since": one.since,
            }
            for one in stuck
        ]
    return found


def column(of: Column) -> Doc:
    """A task of the sheet."""
    return {
        "label": of.label,
        "item": of.item.id,
        "exercise": of.exercise.name,
        "title": of.exercise.title,
        "task": of.task.number,
        "kind": of.task.kind,
        "max": of.max,
    }


def line(of: Line) -> Doc:
    """A member."""
    return {
        "number": of.member.number,
        "nickname": of.member.nickname,
        "total": of.total,
        "due": None if of.extension is None else of.extension.due,
        "cells": [cell(one) for one in of.cells],
    }


def cell(of: Cell) -> Doc:
    """What a member has done in a task."""
    return {
        "variant": None if of.variant is None else of.variant.id,
        "attempts": len(of.tries),
        "first": of.tries[0].share if of.tries else None,
        "score": of.score,
        "solved": of.solved,
        "over": of.over,
        "late": of.late,
    }


def statistics(of: TaskStatistics) -> Doc:
    """One task over all members."""
    return {
        "label": of.column.label,
        "opened": of.opened,
        "tried": of.tried,
        "first_right": of.first_right,
        "right": of.right,
        "median_attempts": of.median_attempts,
        "median_minutes": of.median_minutes,
        "answers": [
            {
                "answer": one.text,
                "count": one.count,
                "right": one.right,
                "misconception": one.misconception,
            }
            for one in of.answers
        ],
        "others": of.others,
        "values": [
            {
                "name": one.name,
                "value": one.value,
                "tried": one.tried,
                "first_right": one.first_right,
                "right": one.right,
            }
            for one in of.values
        ],
        "discrimination": of.discrimination,
    }


def misconception(of: MisconceptionCount) -> Doc:
    """A misconception over all sheets of a lab."""
    return {
        "key": of.key,
        "name": misconceptions.of(of.key).name,
        "members": of.members,
        "times": of.times,
        "gone": of.gone,
        "exercises": list(of.exercises),
    }


def regrade(of: Regrade) -> Doc:
    """What marking again comes to."""
    return {
        "submissions": of.submissions,
        "edited": of.edited,
        "changed": len(of.changes),
        "changes": [change(one) for one in of.changes],
        "unmarked": of.unmarked,
        "applied": of.applied,
    }


def change(of: Change) -> Doc:
    """A submission that is worth something else."""
    return {
        "number": of.number,
        "nickname": of.nickname,
        "exercise": of.exercise,
        "task": of.task,
        "attempt": of.attempt,
        "before": of.before.score,
        "after": of.after.score,
    }

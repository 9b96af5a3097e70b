"""How the routes of results describe themselves: shapes, bodies, examples."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from app.api.docs import Doc, shows
from app.api.lab_docs import body
from app.api.lab_models import Time
from app.api.sheet_docs import ITEM_ID, SHEET_ID, VARIANT_ID
from app.api.sheet_models import Thousandths


class ResultTask(BaseModel):
    label: str = Field(description="which exercise of the sheet, and which of its tasks: `2.1`")
    item: str
    exercise: str
    title: str
    task: int
    kind: str
    max: Thousandths


class ResultCell(BaseModel):
    variant: str | None = Field(description="null where the member has not opened it")
    attempts: int
    first: int | None = Field(description="how much of the first answer was right, in thousandths")
    score: Thousandths
    solved: bool
    over: bool
    late: bool


class ResultLine(BaseModel):
    number: int
    nickname: str
    total: Thousandths
    due: Time | None = Field(description="where the member has another time")
    cells: list[ResultCell] = Field(description="in the order of `tasks`")


class AnswerTold(BaseModel):
    answer: str
    count: int
    right: int = Field(description="how often it was right")
    misconception: str | None


class ValueTold(BaseModel):
    name: str
    value: str
    tried: int
    first_right: int
    right: int


class TaskTold(BaseModel):
    label: str
    opened: int
    tried: int
    first_right: int
    right: int
    median_attempts: float | None
    median_minutes: float | None
    answers: list[AnswerTold] = Field(description="the most frequent ones")
    others: int = Field(description="how often another one was given")
    values: list[ValueTold] = Field(description="by the values that variants were drawn with")
    discrimination: float | None = Field(
        description="correlation with the rest of the sheet; null below 20 members"
    )


class StuckMember(BaseModel):
    number: int
    nickname: str
    task: str = Field(description="its label")
    why: Literal["used up", "idle"]
    since: Time


class ResultsOfSheet(BaseModel):
    sheet: str
    title: str
    max: Thousandths
    tasks: list[ResultTask]
    members: list[ResultLine]
    statistics: list[TaskTold] | None = Field(default=None, description="for the instructor")
    stuck: list[StuckMember] | None = Field(default=None, description="for the instructor")


class MisconceptionTold(BaseModel):
    key: str
    name: str
    members: int
    times: int
    gone: int = Field(description="how many of these members were right in the end")
    exercises: list[str]


class MisconceptionList(BaseModel):
    items: list[MisconceptionTold]


class ScoreChange(BaseModel):
    number: int
    nickname: str
    exercise: str
    task: int
    attempt: int
    before: Thousandths
    after: Thousandths


class Regraded(BaseModel):
    submissions: int
    edited: list[str] = Field(description="exercises whose files are other ones than the sheet has")
    changed: int
    changes: list[ScoreChange]
    unmarked: list[str] = Field(description="what keeps its score, and why")
    applied: bool


class ResultsJson(BaseModel):
    """The shape that Gradescope takes."""

    score: float
    execution_time: int
    output: str
    output_format: str
    visibility: str
    stdout_visibility: str
    extra_data: dict[str, Any]
    tests: list[dict[str, Any]]
    leaderboard: list[dict[str, Any]]


TASK: Final = {
    "label": "1.1",
    "item": ITEM_ID,
    "exercise": "what-a-split-leaves",
    "title": "What a split leaves",
    "task": 1,
    "kind": "predict",
    "max": 4_000,
}
CELL: Final = {
    "variant": VARIANT_ID,
    "attempts": 2,
    "first": 0,
    "score": 2_400,
    "solved": True,
    "over": True,
    "late": False,
}
RESULTS: Final[Doc] = shows(
    ResultsOfSheet,
    {
        "sheet": SHEET_ID,
        "title": "Sheet 1",
        "max": 4_000,
        "tasks": [TASK],
        "members": [{"number": 7, "nickname": "Kim", "total": 2_400, "due": None, "cells": [CELL]}],
        "statistics": [
            {
                "label": "1.1",
                "opened": 1,
                "tried": 1,
                "first_right": 0,
                "right": 1,
                "median_attempts": 2.0,
                "median_minutes": 1.6,
                "answers": [
                    {"answer": "0x401", "count": 1, "right": 0, "misconception": "contiguous"},
                    {"answer": "0x408", "count": 1, "right": 1, "misconception": None},
                ],
                "others": 0,
                "values": [{"name": "order", "value": "3", "tried": 1, "first_right": 0, "right": 1}],
                "discrimination": None,
            }
        ],
        "stuck": [],
    },
)


CSV: Final[Doc] = {
    "responses": {
        200: {
            "description": "a table with a byte-order mark, so that Excel reads every letter",
            "content": {
                "text/csv": {
                    "schema": {"type": "string"},
                    "example": "number,nickname,1.1 What a split leaves,total,max,late,due\r\n",
                }
            },
        }
    }
}
ZIP: Final[Doc] = {
    "responses": {
        200: {
            "description": "`m7/results.json` for each member",
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        }
    }
}
DOCUMENT: Final[Doc] = shows(
    ResultsJson,
    {
        "score": 2.4,
        "execution_time": 95,
        "output": "Sheet 1: 2.4 of 4 points",
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "extra_data": {"sheet": SHEET_ID, "number": 7},
        "tests": [
            {
                "name": "What a split leaves: predict",
                "number": "1.1",
                "score": 2.4,
                "max_score": 4.0,
                "status": "passed",
                "output": "1. 0x401: 0 points. It begins one frame before.\n2. 0x408: 2.4 points.",
                "output_format": "text",
                "tags": ["buddy", "split"],
                "visibility": "visible",
                "extra_data": {"variant": VARIANT_ID, "seq": 4, "misconception": None},
            }
        ],
        "leaderboard": [],
    },
)
REGRADE: Final[Doc] = {
    **shows(
        Regraded,
        {
            "submissions": 120,
            "edited": ["what-a-split-leaves"],
            "changed": 1,
            "changes": [
                {
                    "number": 7,
                    "nickname": "Kim",
                    "exercise": "what-a-split-leaves",
                    "task": 1,
                    "attempt": 1,
                    "before": 0,
                    "after": 4_000,
                }
            ],
            "unmarked": [],
            "applied": False,
        },
    ),
    "extra": body(
        {"apply": True},
        (),
        required_body=False,
        apply={"type": "boolean", "description": "false: only what would change"},
    ),
}
MISCONCEPTIONS: Final[Doc] = shows(
    MisconceptionList,
    {
        "items": [
            {
                "key": "contiguous",
                "name": "Pages that are next to each other",
                "members": 3,
                "times": 5,
                "gone": 2,
                "exercises": ["half-free-and-still-null"],
            }
        ]
    },
)

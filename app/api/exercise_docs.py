"""How the routes of exercises describe themselves."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from app.api import docs, models
from app.api.bodies import JSON, TEXT
from app.api.docs import Doc
from app.practice.variants import HIGHEST

TOML: Final = "application/toml"


class TaskHead(BaseModel):
    """A task, without what it asks."""

    number: int
    kind: Literal["goal", "predict", "explain", "debug", "ask"]
    forms: list[str] = Field(description="of its answers; none of a goal")
    weight: int
    hints: list[int] = Field(description="what each costs, in per cent of the points in a graded sheet")


class ExerciseHead(BaseModel):
    name: str
    title: str
    teaser: str
    topics: list[str]
    minutes: int
    points: int
    tasks: list[TaskHead]


class Exercises(BaseModel):
    exercises: list[ExerciseHead]
    faults: list[str] = Field(description="files that cannot be used, and why")


class Hint(BaseModel):
    number: int
    costs: int


class PublicTask(BaseModel):
    """A task as it is asked. A goal has `allow` and `calls_at_most`, the others `calls` and `fields`."""

    number: int
    kind: str
    ask: str
    weight: int
    hints: list[Hint]
    allow: list[str] | None = None
    calls_at_most: int | None = None
    calls: list[str] | None = None
    fields: list[dict[str, Any]] | None = Field(
        None, description="label, form, control, and how it is written"
    )


class Sample(BaseModel):
    variant: int
    machine: dict[str, Any]
    prelude: list[str]
    tasks: list[PublicTask]


class OneExercise(ExerciseHead):
    sample: Sample = Field(description="the variant of number 1, as it is asked")


class CheckedFile(BaseModel):
    """What was found in a file: its faults, and what is right in each of twenty variants."""

    fault: str | None = Field(description="why it cannot be read, with the place; null where it can")
    report: dict[str, Any] | None


class Begun(BaseModel):
    session: models.Session
    exercise: str
    variant: int = Field(description="its number; the same number is the same variant")
    start: int = Field(description="the row behind the prelude, at which the first task begins")
    tasks: list[PublicTask]
    page: str


class FieldMark(BaseModel):
    share: int = Field(description="thousandths that are right")
    parts: list[dict[str, Any]]
    because: str | None = Field(description="the misconception that it comes from, where that is known")
    say: str | None


class AnswersMarked(BaseModel):
    right: bool
    share: int
    fields: list[FieldMark]


class ConditionMark(BaseModel):
    holds: bool
    say: str
    points: int
    bonus: bool


class GoalChecked(BaseModel):
    reached: bool
    seq: int = Field(description="the row at which it was looked at")
    refused: str = Field(description="why nothing could be checked; empty where it was")
    conditions: list[ConditionMark]


class HintText(BaseModel):
    hint: int
    text: str


class TaskShown(BaseModel):
    right: list[str] = Field(description="what is right in each field, as people write it")
    rows: list[int] = Field(description="the rows of the calls")
    solution: list[str] = Field(description="of a goal")
    after: str
    seq: int = Field(description="the row at which the task after it begins")


TASK: Final[Doc] = {
    "number": 1,
    "kind": "predict",
    "ask": "Now `alloc_pages(GFP_KERNEL, 3)`. Which frame?",
    "weight": 1,
    "hints": [{"number": 1, "costs": 20}],
    "calls": ["p = alloc_pages(GFP_KERNEL, 3)"],
    "fields": [{"label": "First frame", "form": "pfn", "control": "text", "hint": "…", "most": 40}],
}
HEAD: Final[Doc] = {
    "name": "what-a-split-leaves",
    "title": "What a split leaves",
    "teaser": "Which frame do you get, and what is left on the lists?",
    "topics": ["buddy"],
    "minutes": 5,
    "points": 4,
    "tasks": [{"number": 1, "kind": "predict", "forms": ["pfn", "orders"], "weight": 1, "hints": [20]}],
}
LIST: Final = docs.shows(Exercises, {"exercises": [HEAD], "faults": []})
ONE: Final = docs.shows(
    OneExercise,
    {**HEAD, "sample": {"variant": 1, "machine": {"profile": "tiny-16m"}, "prelude": [], "tasks": [TASK]}},
)

FILE: Final = """\
title   = "One page"
teaser  = "What one page costs."
topics  = ["buddy"]
minutes = 1
points  = 1

[machine]
profile = "tiny-16m"

[[task]]
kind   = "predict"
ask    = "How many frames fewer are free?"
calls  = "alloc_pages(GFP_KERNEL, 0)"
answer = "free DMA change"
form   = "number"
"""

CHECK: Final[Doc] = {
    **docs.ok(CheckedFile),
    "extra": {
        "requestBody": {
            "required": True,
            "content": {
                TOML: {"schema": {"type": "string", "description": "an exercise file"}, "example": FILE},
                TEXT: {"schema": {"type": "string", "description": "the same"}, "example": FILE},
                JSON: {
                    "schema": {
                        "type": "object",
                        "properties": {"toml": {"type": "string"}},
                        "required": ["toml"],
                        "additionalProperties": False,
                    },
                    "example": {"toml": FILE},
                },
            },
        }
    },
}

NUMBER: Final[Doc] = {"type": "integer", "minimum": 1, "maximum": HIGHEST}
PRACTICE: Final[Doc] = {
    "responses": {
        201: {
            "model": Begun,
            "description": "created",
            "headers": {"Location": {"schema": {"type": "string"}}},
        }
    },
    "extra": docs.json_body(
        {
            "type": "object",
            "properties": {"variant": {**NUMBER, "description": "which variant; any by default"}},
            "additionalProperties": False,
        },
        {"variant": 7},
        required=False,
    ),
}

WHICH: Final[Doc] = {
    "exercise": {"type": "string", "maxLength": 100},
    "variant": NUMBER,
    "task": {"type": "integer", "minimum": 1},
    "start": {
        **docs.SEQ,
        "description": "the row at which the task began, behind the prelude by default: "
        "`seq` of what ended the task before it",
    },
}
NAMED: Final[Doc] = {"exercise": "what-a-split-leaves", "variant": 7, "task": 1}
NEEDED: Final = ["exercise", "variant", "task"]


def body(more: Doc | None = None, example: Doc | None = None) -> Doc:
    """The body of a request about a task."""
    properties = WHICH | (more or {})
    schema = {
        "type": "object",
        "properties": properties,
        "required": [*NEEDED, *(more or {})],
        "additionalProperties": False,
    }
    return docs.json_body(schema, NAMED | (example or {}))


GIVEN: Final[Doc] = {"type": "array", "items": {"type": "string"}, "description": "a text for each field"}
MARK: Final[Doc] = {
    "share": 0,
    "parts": [],
    "because": "upper-half",
    "say": "The lower half is split on.",
}
ANSWERS: Final[Doc] = {
    **docs.shows(AnswersMarked, {"right": False, "share": 0, "fields": [MARK]}),
    "extra": body({"given": GIVEN}, {"given": ["0x400", "0 0 0 1 1 1 1 1 1 1 2"]}),
}
GOAL: Final[Doc] = {
    **docs.shows(
        GoalChecked,
        {
            "reached": False,
            "seq": 12,
            "refused": "",
            "conditions": [
                {"holds": False, "say": "No such call has returned NULL.", "points": 3, "bonus": False}
            ],
        },
    ),
    "extra": body(example={"exercise": "half-free-and-still-null"}),
}
HINTS: Final[Doc] = {
    **docs.shows(HintText, {"hint": 1, "text": "The smallest free block that is large enough is taken."}),
    "extra": body({"hint": {"type": "integer", "minimum": 1}}, {"hint": 1}),
}
REVEAL: Final[Doc] = {
    **docs.shows(
        TaskShown,
        {"right": ["0x408", "0 0 0 1 1 1 1 1 1 1 2"], "rows": [5], "solution": [], "after": "…", "seq": 5},
    ),
    "extra": body(),
}

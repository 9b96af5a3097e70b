"""The shapes of what sheets answer, for the API's description."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from app.api.lab_models import Time

Mode = Literal["practice", "graded", "sealed"]
Thousandths = Annotated[int, Field(description="in thousandths of a point")]


class SheetItem(BaseModel):
    id: str
    exercise: str = Field(description="its name, as GET /exercises has it")
    title: str
    points: int
    sha256: str | None = Field(description="of the file as the sheet has it")


class Extension(BaseModel):
    number: int = Field(description="the member's")
    due: Time
    reason: str


class Sheet(BaseModel):
    id: str
    title: str
    text: str = Field(description="Markdown")
    mode: Mode
    opens: Time | None
    due: Time | None
    late_until: Time | None
    late_factor: int = Field(description="per cent of the points that a late answer earns")
    count: Literal["best", "first", "last"] | None = Field(
        description="which submission counts; null for what each exercise says"
    )
    opened: Time | None = Field(description="when its texts were frozen; null before it opens")
    released: Time | None = Field(description="since when the right answers are shown to all")
    created: Time
    points: int
    items: list[SheetItem]
    extension: Time | None = Field(default=None, description="for a member: when it is due for them instead")
    extensions: list[Extension] | None = Field(default=None, description="for the instructor")


class SheetList(BaseModel):
    items: list[Sheet]
    next: str | None


class Submission(BaseModel):
    number: int = Field(description="which attempt, from 1")
    given: list[str] = Field(description="as it was typed, one for each field")
    share: int = Field(description="how much of it is right, in thousandths; 1000 is all")
    score: Thousandths
    max: Thousandths
    parts: list[dict[str, Any]] = Field(description="of each field, or of each check of a goal")
    misconception: str | None = Field(description="the key of what explains a wrong answer")
    hints: int = Field(description="how many were read before")
    seq: int | None = Field(description="the row of the session behind which it was made")
    time: Time
    late: bool
    seconds: int | None = Field(description="since the task was opened")
    drift: str | None = Field(description="what the machine said where another answer was expected")


class Attempts(BaseModel):
    made: int
    left: int | None = Field(description="null for any number")
    worth: list[int] = Field(description="per cent of the points for the first, second, … attempt")


class VariantTask(BaseModel):
    """A task. One that waits for another has no more than `number`, `kind` and `waits_for`."""

    number: int
    kind: Literal["goal", "predict", "explain", "debug", "ask"]
    waits_for: int | None = Field(description="the task that has to be over first")
    ask: str | None = None
    weight: int | None = None
    hints: list[dict[str, Any]] | None = Field(
        default=None, description="with their prices in per cent; texts of those that were read"
    )
    allow: list[str] | None = Field(
        default=None, description="of a goal: the calls that it allows; [] for all"
    )
    calls_at_most: int | None = None
    calls: list[str] | None = Field(default=None, description="about which is asked")
    fields: list[dict[str, Any]] | None = Field(
        default=None, description="what is asked: label, form, and what is needed to show it"
    )
    max: int | None = None
    score: int | None = None
    attempts: Attempts | None = None
    solved: bool | None = None
    over: bool | None = Field(default=None, description="no answer to it is taken any more")
    given_up: bool | None = None
    revealed: dict[str, Any] | None = Field(default=None, description="when, and the rows of its calls")
    submissions: list[Submission] | None = None
    right: list[str | None] | None = Field(
        default=None, description="once it is over, or the answers were released"
    )
    solution: list[str] | None = Field(default=None, description="of a goal, likewise")
    after: str | None = None


class Variant(BaseModel):
    id: str
    lab: str
    sheet: str
    item: str
    exercise: str
    title: str
    teaser: str
    number: int
    session: str | None = Field(description="the member's own machine for it; null where it was deleted")
    mode: Mode
    points: int
    score: Thousandths
    due: Time | None
    ends: Time | None = Field(description="when nothing is taken any more")
    state: Literal["waiting", "open", "late", "over"]
    created: Time
    finished: Time | None
    replaced: bool = Field(description="the instructor has given another variant instead")
    prelude: list[str] = Field(description="calls that were made before; none where they are not told")
    tasks: list[VariantTask]


class Submitted(BaseModel):
    task: int
    submission: Submission
    variant: Variant


class Checked(BaseModel):
    share: int = Field(description="thousandths")
    parts: list[dict[str, Any]] = Field(
        description="of each check: whether it holds, and what to read where not"
    )
    rows: int = Field(description="how many calls of yours were looked at")
    refused: str = Field(description="why nothing was checked; empty where it was")


class HintText(BaseModel):
    task: int
    number: int
    text: str

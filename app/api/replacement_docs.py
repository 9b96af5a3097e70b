"""How reference strings and the comparison of policies describe themselves."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, Field

from app.api import docs
from app.api.docs import Doc
from app.api.models import NextUrl
from app.machine.replacement import CONVENTIONS, POLICIES


class ReferenceStringPart(BaseModel):
    """Accesses of a process."""

    task: str
    references: list[tuple[int, str]] = Field(description="page number, and R or W")
    count: int = Field(description="of all references")
    truncated: bool = Field(description="whether there are more than 1,000,000, which are not counted")
    cut: list[int] = Field(description="rows in which the process died, at an access that is not known")
    next: NextUrl


class PolicyResult(BaseModel):
    policy: str
    frames: int | None = Field(description="null of the machine, where others share its frames")
    faults: int
    replacements: int | None
    writebacks: int | None
    marks: str | None = Field(description="F or H for each reference, up to 1,000 of them")
    victims: list[int | None] | None


class Comparison(BaseModel):
    results: list[PolicyResult]
    references: int
    pages: int = Field(description="how many different ones")
    form: str | None = Field(None, description="of a trace")
    dropped: dict[str, int] | None = Field(None, description="lines of a trace that were not taken, by why")
    cut: list[int] | None = Field(None, description="as in a reference string")
    load_bit: int
    conventions: dict[str, str]


REFERENCE_STRING: Final = docs.shows(
    ReferenceStringPart,
    {
        "task": "a",
        "references": [[34359705577, "W"], [34359705578, "R"]],
        "count": 2,
        "truncated": False,
        "cut": [],
        "next": None,
    },
)

BODY: Final[Doc] = {
    "type": "object",
    "properties": {
        "string": {
            "description": "pages, or the accesses of a session's process, or a trace as text",
            "anyOf": [
                {
                    "type": "array",
                    "items": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "array"}]},
                    "minItems": 1,
                    "maxItems": 1_000_000,
                },
                {
                    "type": "object",
                    "properties": {"session": {"type": "string"}, "task": {"type": "string"}},
                    "required": ["session", "task"],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "properties": {"trace": {"type": "string"}},
                    "required": ["trace"],
                    "additionalProperties": False,
                },
            ],
        },
        "frames": {
            "anyOf": [
                {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1},
                {
                    "type": "object",
                    "properties": {
                        "from": {"type": "integer", "minimum": 1},
                        "to": {"type": "integer", "minimum": 1},
                    },
                    "required": ["from", "to"],
                    "additionalProperties": False,
                },
            ]
        },
        "policies": {"type": "array", "items": {"enum": list(POLICIES)}, "minItems": 1},
        "load_bit": {"enum": [0, 1], "default": 1},
    },
    "required": ["string", "frames"],
    "additionalProperties": False,
}

EXAMPLE: Final[dict[str, Any]] = {
    "string": [7, 0, 1, 2, 0, 3, 0, 4],
    "frames": [3],
    "policies": ["fifo"],
    "load_bit": 1,
}

REPLACEMENT: Final[Doc] = {
    **docs.shows(
        Comparison,
        {
            "results": [
                {
                    "policy": "fifo",
                    "frames": 3,
                    "faults": 7,
                    "replacements": 4,
                    "writebacks": 0,
                    "marks": "FFFFHFFF",
                    "victims": [None, None, None, 7, None, 0, 1, 2],
                }
            ],
            "references": 8,
            "pages": 6,
            "load_bit": 1,
            "conventions": CONVENTIONS,
        },
    ),
    "extra": docs.json_body(BODY, EXAMPLE),
}

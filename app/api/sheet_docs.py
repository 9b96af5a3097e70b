"""How the routes of sheets and variants describe themselves: shapes, bodies, examples."""

from __future__ import annotations

from typing import Any, Final

from app.api import sheet_models
from app.api.docs import SEQ, Doc, shows
from app.api.lab_docs import LAB_ID, SESSION_ID, TEXT, TITLE, body

SHEET_ID: Final = "qT4nV8xLm2Ws"
ITEM_ID: Final = "aB3kR9pYd6Ue"
VARIANT_ID: Final = "zF7hC1jNo5Gi"

TIME: Final[Doc] = {
    "type": ["string", "null"],
    "format": "date-time",
    "description": "with its zone; null for none",
}
DUE: Final[Doc] = {"type": "string", "format": "date-time", "description": "with its zone"}
ITEMS: Final[Doc] = {
    "type": "array",
    "minItems": 1,
    "maxItems": 50,
    "items": {
        "type": "object",
        "properties": {
            "exercise": {"type": "string"},
            "points": {"type": "integer", "minimum": 0, "maximum": 1_000},
        },
        "required": ["exercise"],
        "additionalProperties": False,
    },
}
FIELDS: Final[dict[str, Doc]] = {
    "title": TITLE,
    "text": TEXT,
    "items": ITEMS,
    "mode": {"type": "string", "enum": ["practice", "graded", "sealed"]},
    "opens": TIME,
    "due": TIME,
    "late_until": TIME,
    "late_factor": {"type": "integer", "minimum": 0, "maximum": 100},
    "count": {"enum": ["best", "first", "last", None]},
    "released": {"type": "boolean", "description": "true: the right answers are shown to all"},
}
EXAMPLE: Final = {
    "title": "Sheet 1",
    "items": [{"exercise": "what-a-split-leaves", "points": 4}],
    "mode": "graded",
    "due": "2026-12-08T23:59:00+09:00",
}
SHEET_EXAMPLE: Final = {
    "id": SHEET_ID,
    "title": "Sheet 1",
    "text": "",
    "mode": "graded",
    "opens": None,
    "due": "2026-12-08T14:59:00.000Z",
    "late_until": None,
    "late_factor": 100,
    "count": None,
    "opened": "2026-12-01T09:00:00.000Z",
    "released": None,
    "created": "2026-12-01T09:00:00.000Z",
    "points": 4,
    "items": [
        {
            "id": ITEM_ID,
            "exercise": "what-a-split-leaves",
            "title": "What a split leaves",
            "points": 4,
            "sha256": "0" * 64,
        }
    ],
    "extensions": [],
}

SHEETS: Final[Doc] = shows(sheet_models.SheetList, {"items": [SHEET_EXAMPLE], "next": None})
SHEET: Final[Doc] = shows(sheet_models.Sheet, SHEET_EXAMPLE)
CREATE: Final[Doc] = {
    **shows(sheet_models.Sheet, SHEET_EXAMPLE, 201, created=True),
    "extra": body(EXAMPLE, ("title", "items"), True, **FIELDS),
}
CHANGE: Final[Doc] = {
    **SHEET,
    "extra": body({"due": "2026-12-09T23:59:00+09:00"}, (), True, **FIELDS),
}
EXTEND: Final[Doc] = {
    **shows(
        sheet_models.Extension, {"number": 7, "due": "2026-12-10T14:59:00.000Z", "reason": "ill on Monday"}
    ),
    "extra": body(
        {"due": "2026-12-10T23:59:00+09:00", "reason": "ill on Monday"},
        ("due", "reason"),
        due=DUE,
        reason=TITLE,
    ),
}

# -- variants ---------------------------------------------------------------------------------------------

SUBMISSION_EXAMPLE: Final = {
    "number": 1,
    "given": ["0x408", "0;0;0;1;1;1;1;1;1;1;2"],
    "share": 1_000,
    "score": 4_000,
    "max": 4_000,
    "parts": [
        {"share": 1_000, "parts": [], "because": None, "say": None},
        {"share": 1_000, "parts": [], "because": None, "say": None},
    ],
    "misconception": None,
    "hints": 0,
    "seq": 4,
    "time": "2026-12-01T09:04:10.120Z",
    "late": False,
    "seconds": 95,
    "drift": None,
}
TASK_EXAMPLE: Final[dict[str, Any]] = {
    "number": 1,
    "kind": "predict",
    "ask": "Now `alloc_pages(GFP_KERNEL, 3)`. Which frame does the block begin at?",
    "weight": 1,
    "hints": [{"number": 1, "costs": 20, "text": None}],
    "calls": ["p = alloc_pages(GFP_KERNEL, 3)"],
    "fields": [
        {"label": "First frame", "form": "pfn", "control": "text", "hint": "0x400 or 1024", "most": 40}
    ],
    "waits_for": None,
    "max": 4_000,
    "score": 0,
    "attempts": {"made": 0, "left": 3, "worth": [100, 60, 30]},
    "solved": False,
    "over": False,
    "given_up": False,
    "revealed": None,
    "submissions": [],
    "right": None,
    "solution": None,
    "after": None,
}
VARIANT_EXAMPLE: Final = {
    "id": VARIANT_ID,
    "lab": LAB_ID,
    "sheet": SHEET_ID,
    "item": ITEM_ID,
    "exercise": "what-a-split-leaves",
    "title": "What a split leaves",
    "teaser": "A block is taken from a larger one: which frame do you get?",
    "number": 1,
    "session": SESSION_ID,
    "mode": "graded",
    "points": 4,
    "score": 0,
    "due": "2026-12-08T14:59:00.000Z",
    "ends": "2026-12-08T14:59:00.000Z",
    "state": "open",
    "created": "2026-12-01T09:02:35.000Z",
    "finished": None,
    "replaced": False,
    "prelude": ["a = alloc_pages(GFP_KERNEL, 0)"],
    "tasks": [TASK_EXAMPLE],
}
NO_BODY: Final[Doc] = body({}, (), required_body=False)
TASK_NUMBER: Final[Doc] = {"type": "integer", "minimum": 1, "maximum": 1_000}

VARIANT: Final[Doc] = shows(sheet_models.Variant, VARIANT_EXAMPLE)
OPEN: Final[Doc] = {**shows(sheet_models.Variant, VARIANT_EXAMPLE, 201, created=True), "extra": NO_BODY}
ANSWER: Final[Doc] = {
    **shows(
        sheet_models.Submitted,
        {"task": 1, "submission": SUBMISSION_EXAMPLE, "variant": VARIANT_EXAMPLE},
        201,
    ),
    "extra": body(
        {"task": 1, "given": ["0x408", "0;0;0;1;1;1;1;1;1;1;2"], "seq": 4},
        ("task",),
        task=TASK_NUMBER,
        given={
            "description": "a text for each field, or the text of the only one; none for a goal",
            "anyOf": [
                {"type": "string", "maxLength": 4_096},
                {"type": "array", "maxItems": 20, "items": {"type": "string", "maxLength": 4_096}},
            ],
        },
        seq={**SEQ, "description": "of the session: if it is another one by now, nothing is done (412)"},
    ),
}
CHECK: Final[Doc] = {
    **shows(
        sheet_models.Checked,
        {
            "share": 750,
            "parts": [
                {"points": 3, "holds": True, "bonus": False, "say": ""},
                {"points": 1, "holds": False, "bonus": False, "say": "The kernel has complained."},
            ],
            "rows": 3,
            "refused": "",
        },
    ),
    "extra": body({"task": 1}, ("task",), task=TASK_NUMBER),
}
HINT: Final[Doc] = {
    **shows(sheet_models.HintText, {"task": 1, "number": 1, "text": "The lower half is yours."}),
    "extra": body({"task": 1}, ("task",), task=TASK_NUMBER),
}
REVEAL: Final[Doc] = {
    **VARIANT,
    "extra": body(
        {"task": 1, "give_up": True},
        ("task",),
        task=TASK_NUMBER,
        give_up={"type": "boolean", "description": "also where attempts are left: none counts any more"},
    ),
}
RESET: Final[Doc] = {**VARIANT, "extra": NO_BODY}

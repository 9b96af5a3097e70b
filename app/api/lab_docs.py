"""How the routes of labs describe themselves: each body and each answer with an example."""

from __future__ import annotations

from typing import Any, Final

from app.api import docs, lab_models, models
from app.api.bodies import NDJSON
from app.api.docs import SEQ, Doc, json_body, shows

LAB_ID: Final = "3JX5kQ0v8wZr"
MACHINE_ID: Final = "9tPq2LmXa0Bc"
CHECKPOINT_ID: Final = "Hc7Wn4sYe1Gd"
SESSION_ID: Final = "Vb6Kz3rTu8Jf"
GIVEN: Final = "kml_9Jc0y3T1bYqz4n8uWfXo7vLrGd2aKp5sHmEiQxZtUjk"

TEXT: Final[Doc] = {"type": "string", "maxLength": 20_000, "description": "Markdown, for the students"}
TITLE: Final[Doc] = {"type": "string", "minLength": 1, "maxLength": 100}
EXPECTED: Final[Doc] = {
    "type": "integer",
    "minimum": 1,
    "description": "members who come in without being admitted, at most as many as a lab has; by default 120",
}
NICKNAME: Final[Doc] = {"type": "string", "minLength": 1, "maxLength": 40}
ID: Final[Doc] = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}
KIND: Final[Doc] = {"type": "string", "enum": ["prepared", "operate", "watch"]}


def body(example: Doc, required: tuple[str, ...], required_body: bool = True, **properties: Doc) -> Doc:
    """A body with these members and no others."""
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = list(required)
    return json_body(schema, example, required_body)


MEMBER_EXAMPLE: Final = {"number": 7, "nickname": "Kim", "joined": "2026-11-26T09:01:12.345Z"}

JOIN_KEY: Final[Doc] = {
    **docs.KEY,
    "description": (
        "join once, however often this is sent: for 24 hours, the same request under the same key is "
        "answered with the same member and a new token, which ends the last. Nobody must be able to guess it"
    ),
    "schema": {"type": "string", "minLength": 22, "maxLength": 255, "pattern": "^[!-~]*$"},
}

JOIN: Final[Doc] = {
    **shows(
        lab_models.Joined,
        {
            "member": MEMBER_EXAMPLE,
            "lab": {"id": LAB_ID, "title": "Buddy and slab"},
            "token": GIVEN,
            "entry": f"https://lab.example.org/enter/{GIVEN}",
        },
        201,
    ),
    "extra": body(
        {"code": "K7QM-2XHV", "nickname": "Kim"},
        ("code", "nickname"),
        code={"type": "string"},
        nickname=NICKNAME,
    ),
}

TOKEN: Final[Doc] = shows(lab_models.Token, {"token": GIVEN}, 201)

SIGN_IN: Final[Doc] = {
    **TOKEN,
    "extra": body(
        {"name": "Ada", "password": "correct horse battery"},
        ("name", "password"),
        name={"type": "string"},
        password={"type": "string"},
    ),
}

NO_BODY: Final[Doc] = body({}, (), required_body=False)
RENEW_TOKEN: Final[Doc] = {**TOKEN, "extra": NO_BODY}
SIGN_OUT: Final[Doc] = {**docs.DONE, "extra": NO_BODY}

ENTRY: Final[Doc] = {
    **shows(lab_models.Entry, {"entry": f"https://lab.example.org/enter/{GIVEN}"}, 201),
    "extra": NO_BODY,
}

INVITE: Final[Doc] = {
    **shows(
        lab_models.Invitation,
        {"url": f"https://lab.example.org/setup/{GIVEN}", "expires": "2026-12-03T09:00:00.000Z"},
        201,
    ),
    "extra": NO_BODY,
}

ME: Final[Doc] = shows(
    lab_models.Me,
    {
        "kind": "member",
        "name": "Kim",
        "number": 7,
        "lab": LAB_ID,
        "id": "m_Qy2Rf8Lw0Ns5",
        "by": "m7",
        "waiting": False,
    },
)

# -- labs ------------------------------------------------------------------------------------------------

CHECKPOINT_EXAMPLE: Final = {"id": CHECKPOINT_ID, "seq": 12, "title": "the first split"}
MACHINE_EXAMPLE: Final = {
    "id": MACHINE_ID,
    "kind": "prepared",
    "title": "A small machine",
    "session": SESSION_ID,
    "seq": 3,
    "checkpoints": [CHECKPOINT_EXAMPLE],
    "demo": None,
}
SUMMARY_EXAMPLE: Final = {
    "id": LAB_ID,
    "title": "Buddy and slab",
    "created": "2026-11-26T09:00:00.000Z",
    "owner": "i_Mx4Tz9Ga2Vb7",
    "code": "K7QM-2XHV",
    "code_expires": "2026-12-03T09:00:00.000Z",
    "expected": 120,
    "draft": False,
    "frozen": False,
    "closed": None,
}
LAB_EXAMPLE: Final = {**SUMMARY_EXAMPLE, "text": "Split a block of order 3.", "machines": [MACHINE_EXAMPLE]}

LABS: Final[Doc] = shows(lab_models.LabList, {"items": [SUMMARY_EXAMPLE], "next": None})
LAB: Final[Doc] = shows(lab_models.Lab, LAB_EXAMPLE)

CREATE: Final[Doc] = {
    **shows(lab_models.Lab, LAB_EXAMPLE, 201, created=True),
    "extra": body(
        {"title": "Buddy and slab", "text": "Split a block of order 3.", "expected": 60},
        ("title",),
        title=TITLE,
        text=TEXT,
        expected=EXPECTED,
        draft={"type": "boolean", "description": "nobody can join until it is opened"},
    ),
}

CHANGE: Final[Doc] = {
    **LAB,
    "extra": body(
        {"title": "Buddy, slab and vmalloc", "frozen": True},
        (),
        title=TITLE,
        text=TEXT,
        expected=EXPECTED,
        draft={"const": False, "description": "opens the lab"},
        frozen={"type": "boolean", "description": "stop all calls of members for now"},
        closed={"const": True, "description": "for good: from then on it can only be read"},
    ),
}

CODE: Final[Doc] = {
    **shows(lab_models.Lab, LAB_EXAMPLE, 201),
    "extra": body(
        {"days": 0.5},
        (),
        required_body=False,
        days={"type": "number", "minimum": 0.04, "maximum": 365, "default": 7},
    ),
}

# -- members ---------------------------------------------------------------------------------------------

MEMBERS: Final[Doc] = shows(lab_models.MemberList, {"items": [MEMBER_EXAMPLE], "next": None})
MEMBER: Final[Doc] = shows(lab_models.MemberWithSessions, {**MEMBER_EXAMPLE, "sessions": []})
REMOVE_IDLE: Final[Doc] = {**shows(lab_models.Removed, {"removed": 12}), "extra": NO_BODY}

# -- those who wait --------------------------------------------------------------------------------------

WAITING_EXAMPLE: Final = {**MEMBER_EXAMPLE, "number": 121, "waiting": True}
WAITING: Final[Doc] = shows(lab_models.MemberList, {"items": [WAITING_EXAMPLE], "next": None})
ADMIT: Final[Doc] = {
    **shows(lab_models.Admitted, {"admitted": [121]}),
    "extra": body(
        {"numbers": [121]},
        (),
        required_body=False,
        numbers={
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": 2**53 - 1},
            "minItems": 1,
            "maxItems": 1000,
            "description": "of those who wait; all of them by default",
        },
    ),
}

# -- files -----------------------------------------------------------------------------------------------

EXPORT: Final[Doc] = {
    "responses": {
        200: {
            "description": (
                "a line for the member; for each of their sessions the lines of an exported session; and a "
                "line for each of their rows on shared machines"
            ),
            "content": {NDJSON: {"schema": {"type": "string"}, "example": '{"kind":"member","number":7}\n'}},
            "headers": {"Content-Disposition": {"schema": {"type": "string"}}},
        }
    }
}

EXPORT_LAB: Final[Doc] = {
    "responses": {
        200: {
            "description": (
                "a line for the lab; the lines of each exported session that it has prepared or shared; and "
                "for each member a line and the lines of each of their sessions"
            ),
            "content": {
                NDJSON: {"schema": {"type": "string"}, "example": '{"kind":"lab","title":"Buddies"}\n'}
            },
            "headers": {"Content-Disposition": {"schema": {"type": "string"}}},
        }
    }
}

# -- machines --------------------------------------------------------------------------------------------

MACHINES: Final[Doc] = shows(lab_models.MachineList, {"items": [MACHINE_EXAMPLE], "next": None})

ADD: Final[Doc] = {
    **shows(lab_models.LabMachine, MACHINE_EXAMPLE, 201, created=True),
    "extra": body(
        {"session": SESSION_ID, "kind": "prepared", "seq": 3, "title": "A small machine"},
        ("session", "kind"),
        session={**ID, "description": "one of your own"},
        kind=KIND,
        seq={**SEQ, "description": "where copies start; now by default"},
        title=TITLE,
    ),
}

ADD_DEMO: Final[Doc] = {
    **shows(
        lab_models.DemoMachines,
        {"items": [{**MACHINE_EXAMPLE, "seq": 0, "demo": {"name": "split-and-merge", "part": 1}}]},
        201,
    ),
    "extra": body(
        {"demo": "split-and-merge"},
        ("demo",),
        demo={"type": "string", "description": "as the address of a demo has it"},
    ),
}

CHANGE_MACHINE: Final[Doc] = {
    **shows(lab_models.LabMachine, MACHINE_EXAMPLE),
    "extra": body({"kind": "operate"}, (), kind=KIND, title=TITLE),
}

COPY: Final[Doc] = {**docs.CREATE, "extra": NO_BODY}

MARK: Final[Doc] = {
    **shows(lab_models.Checkpoint, CHECKPOINT_EXAMPLE, 201),
    "extra": body({"seq": 12, "title": "the first split"}, ("seq", "title"), seq=SEQ, title=TITLE),
}

MARK_DONE: Final[Doc] = {
    **shows(lab_models.Reached, {"checkpoint": CHECKPOINT_ID, "how": "done"}),
    "extra": NO_BODY,
}

CATCH_UP: Final[Doc] = {
    **shows(lab_models.CaughtUp, {"session": SESSION_ID, "checkpoint": CHECKPOINT_EXAMPLE}, 201),
    "extra": body(
        {"session": SESSION_ID},
        ("session",),
        session={**ID, "description": "your copy"},
        checkpoint={**ID, "description": "the next one that you have not reached, by default"},
    ),
}

LOCK: Final[Doc] = {**docs.DONE, "extra": NO_BODY}
RESET: Final[Doc] = {
    "responses": {
        201: {
            "model": models.Outcome,
            "description": "the new row; read the map again",
        }
    },
    "extra": NO_BODY,
}

# -- activity --------------------------------------------------------------------------------------------

ACTIVITY_EXAMPLE: Final[dict[str, Any]] = {
    **MEMBER_EXAMPLE,
    "calls": 41,
    "seq": 40,
    "last_call": "2026-11-26T09:40:02.001Z",
    "checkpoint": "the first split",
}
ACTIVITY: Final[Doc] = shows(lab_models.ActivityList, {"items": [ACTIVITY_EXAMPLE], "next": None})
ACTIVITY_CSV: Final[Doc] = {
    "responses": {
        200: {
            "description": "a line of names, and one for each member",
            "content": {
                "text/csv": {
                    "schema": {"type": "string"},
                    "example": "number,nickname,joined,calls,seq,last_call,checkpoint\r\n",
                }
            },
            "headers": {"Content-Disposition": {"schema": {"type": "string"}}},
        }
    }
}
ACTS: Final[Doc] = shows(
    lab_models.ActList,
    {
        "items": [
            {
                "id": 12,
                "time": "2026-11-26T09:00:00.000Z",
                "actor": "i_Mx4Tz9Ga2Vb7",
                "act": "create a lab",
                "lab": LAB_ID,
                "target": "",
                "detail": "",
            }
        ],
        "next": None,
    },
)

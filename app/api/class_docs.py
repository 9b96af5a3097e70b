"""How the routes describe themselves with which a class is watched and led: shapes, bodies, examples."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, Field

from app.api.docs import Doc, shows
from app.api.lab_docs import CHECKPOINT_ID, SESSION_ID, body
from app.machine.outcome import VERDICTS
from app.mm.page import STATES


class WallCheckpoint(BaseModel):
    id: str
    title: str
    reached: int = Field(description="how many members have")
    done: int = Field(description="how many of them by calls of their own, which were found")
    said: int = Field(description="how many of them say so; the others have caught up")


class WallTile(BaseModel):
    """A member and the machine that they have called last: their own, or a shared one.

    What is not there, or false, is left out. So are `nickname` and `session` where it is the machine of the
    last time; a nickname without a session is somebody who has none yet.
    """

    number: int
    nickname: str | None = None
    session: str | None = None
    seq: int = 0
    call: str | None = Field(default=None, description="their last call, as C has it")
    verdict: Literal[VERDICTS] | None = None  # type: ignore[valid-type]
    cause: str | None = Field(default=None, description="what was wrong with it, where it was a mistake")
    mistake: str | None = Field(default=None, description="the name of that mistake, as outcomes have it")
    facts: dict[str, str | int] | None = Field(default=None, description="what `cause` is made of")
    time: str | None = Field(default=None, description="of that call")
    map: str | None = Field(
        default=None,
        max_length=64,
        pattern="^[0-9abw-z]*$",
        description=(
            "the machine in up to 64 parts: a digit of base 16 is the state that most of a part is in, by "
            "its place in `states`; `w` to `z` are free memory of which the first to fourth quarter is in "
            "use"
        ),
    )
    used: float | None = Field(default=None, description="percent of the page frames that are not free")
    reached: int = Field(default=0, description="checkpoints")
    done: int = Field(default=0, description="how many of them by calls of their own, which were found")
    said: int = Field(default=0, description="how many of them by their word; the others were caught up")
    locked: bool = False
    woken: bool = Field(default=False, description="the call was `blocked`, and its task sleeps no more")


class Wall(BaseModel):
    """A class at a glance, or what has changed of it."""

    version: str = Field(description="give it as `after` next time")
    all: bool = Field(description="whether these are all tiles: those that one knows are to be forgotten")
    members: int
    waiting: int = Field(description="how many wait to be admitted")
    newest: list[str] = Field(description="nicknames of the last five of them")
    active: int = Field(description="members who have called in the last minute")
    frozen: bool
    closed: bool
    view: str | None = Field(description="the address that the presenter shows")
    checkpoints: list[WallCheckpoint]
    tiles: list[WallTile]
    gone: list[int] = Field(description="numbers of members who were deleted")
    states: list[str] | None = Field(default=None, description="what digits of a map stand for; with `all`")


class Presenting(BaseModel):
    view: str | None = Field(description="the address of a machine's page; null while nobody presents")


VIEW: Final = f"/sessions/{SESSION_ID}?pfn=0x400&panel=lists"

WALL: Final[Doc] = shows(
    Wall,
    {
        "version": "4d8e7c52def5-6",
        "all": True,
        "members": 1,
        "waiting": 0,
        "newest": [],
        "active": 1,
        "frozen": False,
        "closed": False,
        "view": None,
        "checkpoints": [
            {"id": CHECKPOINT_ID, "title": "A block is split", "reached": 1, "done": 1, "said": 0}
        ],
        "tiles": [
            {
                "number": 7,
                "nickname": "Kim",
                "session": SESSION_ID,
                "seq": 20,
                "call": "alloc_pages(GFP_KERNEL, 3)",
                "verdict": "ok",
                "time": "2026-11-26T11:52:43.880Z",
                "map": "2222222222222222838888800000000000000000000000000000000000000000",
                "used": 13.8,
                "reached": 1,
                "done": 1,
            }
        ],
        "gone": [],
        "states": list(STATES),
    },
)

PRESENTING: Final[Doc] = shows(Presenting, {"view": VIEW})

PRESENT: Final[Doc] = {
    **PRESENTING,
    "extra": body({"view": VIEW}, ("view",), view={"type": "string", "maxLength": 500}),
}

NEWS: Final[Doc] = {
    "responses": {
        200: {
            "description": (
                "server-sent events without end: first how everything is, then each thing when it changes: "
                "`view`, `frozen`, `closed`, `locked` (sessions), `checkpoint` (all there are), "
                "`machines` (what is shared), `poll` (the question before the class) and, twice a second "
                "at most, `voted` (how many have) and for the instructor `tally` (how)"
            ),
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    }
}

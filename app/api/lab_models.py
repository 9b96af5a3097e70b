"""The shapes of what labs answer, for the API's description."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from app.api.models import NextUrl, Session

Secret = Annotated[str, Field(description="shown this once: only its hash is kept")]
Time = Annotated[str, Field(examples=["2026-11-26T09:00:00.000Z"])]


class Member(BaseModel):
    number: int = Field(description="theirs in this lab; rows call them `m7`")
    nickname: str
    joined: Time
    waiting: bool = Field(default=False, description="true for who is not admitted yet; else it is left out")


class LabName(BaseModel):
    id: str
    title: str


class Joined(BaseModel):
    member: Member
    lab: LabName
    token: Secret
    entry: Annotated[str, Field(description="opens this member's place on another device; shown this once")]


class Token(BaseModel):
    token: Secret


class Entry(BaseModel):
    entry: Annotated[str, Field(description="opens your place on another device; shown this once")]


class Invitation(BaseModel):
    url: Annotated[str, Field(description="makes one account for an instructor; shown this once")]
    expires: Time


class Me(BaseModel):
    kind: Literal["local", "instructor", "member"]
    name: str
    number: int | None
    lab: str | None = Field(description="whose member you are")
    id: str = Field(description="as sessions have it for `owner`")
    by: str | None = Field(description="as rows have it")
    waiting: bool = Field(description="whether you are not admitted yet: then you may ask this and sign out")


class Checkpoint(BaseModel):
    id: str
    seq: int
    title: str


class DemoPart(BaseModel):
    name: str
    part: int = Field(description="which of the demo's machines, from 1")


class LabMachine(BaseModel):
    id: str
    kind: Literal["prepared", "operate", "watch"]
    title: str
    session: str | None = Field(description="null for members where it is prepared: they copy it")
    seq: int = Field(description="where copies start")
    checkpoints: list[Checkpoint]
    demo: DemoPart | None = Field(description="whose steps its checkpoints are")


class LabSummary(BaseModel):
    id: str
    title: str
    created: Time
    owner: str
    code: str | None = Field(description="lets students in; null for members, and where nobody is let in")
    code_expires: Time | None
    expected: int = Field(description="how many members come in; who joins after them waits to be admitted")
    draft: bool = Field(description="not open yet: nobody can join")
    frozen: bool = Field(description="no calls of members for now")
    closed: Time | None = Field(description="since when it can only be read")


class Lab(LabSummary):
    text: str = Field(description="Markdown")
    machines: list[LabMachine]


class LabList(BaseModel):
    items: list[LabSummary]
    next: NextUrl


class DemoMachines(BaseModel):
    items: list[LabMachine] = Field(description="one for each of the demo's machines")


class MachineList(BaseModel):
    items: list[LabMachine]
    next: NextUrl


class MemberList(BaseModel):
    items: list[Member]
    next: NextUrl


class Admitted(BaseModel):
    admitted: list[int] = Field(description="the numbers of those who are members now")


class Removed(BaseModel):
    removed: int = Field(description="how many")


class MemberWithSessions(Member):
    sessions: list[Session] = Field(description="their own, the oldest first")


class Reached(BaseModel):
    checkpoint: str
    how: Literal["done", "said", "caught up"] = Field(
        description="`done` where the calls that lead there stand in a copy of yours"
    )


class CaughtUp(BaseModel):
    session: str
    checkpoint: Checkpoint


class MemberActivity(BaseModel):
    number: int
    nickname: str
    joined: Time
    calls: int = Field(description="made by them, on all machines of the lab")
    seq: int | None = Field(description="of their machine that was called last")
    last_call: Time | None
    checkpoint: str | None = Field(description="the furthest that they have reached")


class ActivityList(BaseModel):
    items: list[MemberActivity]
    next: NextUrl


class Act(BaseModel):
    id: int
    time: Time
    actor: str = Field(description="the id of who did it; `server` where nobody asked")
    act: str
    lab: str | None
    target: str
    detail: str


class ActList(BaseModel):
    items: list[Act]
    next: NextUrl

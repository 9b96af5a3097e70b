"""Why a request was not done. With BadArgument and TaskBlocked of app.mm, all that callers need to know."""

from __future__ import annotations

from app.errors import Location, Refusal, TaskBlocked
from app.store import Busy, StorageFull

__all__ = [
    "BatchBlocked",
    "Busy",
    "Conflict",
    "Forbidden",
    "KeyReused",
    "LimitReached",
    "NotFound",
    "Stale",
    "StorageFull",
    "TooMany",
]


class NotFound(Refusal):
    """There is no such thing, or nobody may know of it. kind: `session`, `event`. id: what was asked for."""

    def __init__(self, kind: str, id: str) -> None:  # noqa: A002 - the name that the API has for it
        super().__init__(f"there is no {kind} {id!r}")
        self.kind = kind
        self.id = id


class Forbidden(Refusal):
    """The principal may see the session, but not do this."""


class Conflict(Refusal):
    """The session is in no state to be called."""


class Stale(Refusal):
    """The session is not where the caller believes it is. seq: where it is."""

    def __init__(self, seq: int) -> None:
        super().__init__(f"the session is at seq {seq} now; nothing was done")
        self.seq = seq


class KeyReused(Refusal):
    """The key was used before, and not for this request."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the key {key!r} was used for another request; take a new one for each")


class LimitReached(Refusal):
    """A limit of this server. loc: the field that asked for too much, empty where it is no single one."""

    def __init__(self, loc: Location, detail: str) -> None:
        super().__init__(detail)
        self.loc = loc


class TooMany(Refusal):
    """More at once than one principal, or this server, may have. retry_after: in how many seconds."""

    def __init__(self, detail: str, retry_after: int = 5) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class BatchBlocked(TaskBlocked):
    """A call of a batch was made by a task that sleeps. loc: the call's place."""

    def __init__(self, cause: TaskBlocked, loc: Location) -> None:
        super().__init__(cause.task, cause.pfn, cause.since)
        self.loc = loc

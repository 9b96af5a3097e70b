"""The refusals of the use cases; `app.errors` has those of a call."""

from __future__ import annotations

from app.errors import Location, MachinePanicked, Refusal, TaskBlocked
from app.store import Busy, StorageFull

__all__ = [
    "BatchBlocked",
    "BatchPanicked",
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
    """The thing does not exist, or the caller must not learn that it does. kind: `session`, `event`, …"""

    def __init__(self, kind: str, id: str) -> None:  # noqa: A002 - the name that the API has for it
        super().__init__(f"there is no {kind} {id!r}")
        self.kind = kind
        self.id = id


class Forbidden(Refusal):
    """The principal may see the session, but not do this."""


class Conflict(Refusal):
    """The session is in no state to be called."""


class Stale(Refusal):
    """The session is not at the seq that the request requires. seq: the one at which it is."""

    def __init__(self, seq: int) -> None:
        super().__init__(f"the session is at seq {seq} now; nothing was done")
        self.seq = seq


class KeyReused(Refusal):
    """The key was used before, and not for this request."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the key {key!r} was used for another request; take a new one for each")


class LimitReached(Refusal):
    """A limit of this server is reached.

    loc: the field that asks for too much; empty where it is no single one.
    """

    def __init__(self, loc: Location, detail: str) -> None:
        super().__init__(detail)
        self.loc = loc


class TooMany(Refusal):
    """A principal, or this server, has too many at once. retry_after: seconds after which to try again."""

    def __init__(self, detail: str, retry_after: int = 5) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class BatchPanicked(MachinePanicked):
    """A call of a batch would come after the kernel has stopped. loc: the call's place.

    within: whether an earlier call of the batch has stopped it, whose row is not written then either.
    """

    def __init__(self, cause: MachinePanicked, loc: Location, *, within: bool) -> None:
        super().__init__(cause.seq)
        self.loc = loc
        if within:
            text = "an earlier call of this batch makes the kernel panic, and nothing runs after it"
            self.args = (f"{text}: nothing was done; leave out the calls behind it",)


class BatchBlocked(TaskBlocked):
    """A call of a batch was made by a task that sleeps. loc: the call's place."""

    def __init__(self, cause: TaskBlocked, loc: Location) -> None:
        super().__init__(cause.task, cause.pfn, cause.since)
        self.loc = loc

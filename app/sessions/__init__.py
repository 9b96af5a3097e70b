"""The use cases, the live machines and the writer: the one door through which a machine changes."""

from app.sessions.access import LOCAL, Principal, principal_of
from app.sessions.answers import Applied, BatchItem, Page, SessionInfo
from app.sessions.errors import (
    BatchBlocked,
    Busy,
    Conflict,
    Forbidden,
    LimitReached,
    NotFound,
    StorageFull,
)
from app.sessions.queries import Event
from app.sessions.sessions import Sessions

__all__ = [
    "LOCAL",
    "Applied",
    "BatchBlocked",
    "BatchItem",
    "Busy",
    "Conflict",
    "Event",
    "Forbidden",
    "LimitReached",
    "NotFound",
    "Page",
    "Principal",
    "SessionInfo",
    "Sessions",
    "StorageFull",
    "principal_of",
]

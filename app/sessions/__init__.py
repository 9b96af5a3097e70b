"""Sessions: the use cases, the open machines, and the writer through which alone a machine changes."""

from app.sessions.access import LOCAL, Principal, Right, principal_of
from app.sessions.answers import Applied, BatchAnswer, BatchItem, ListPart, SessionInfo, Underway
from app.sessions.encoding import LISTS
from app.sessions.errors import (
    BatchBlocked,
    BatchPanicked,
    Busy,
    Conflict,
    Forbidden,
    KeyReused,
    LimitReached,
    NotFound,
    Stale,
    StorageFull,
    TooMany,
)
from app.sessions.feed import Reader
from app.sessions.page_rows import PageQuery, PageRows
from app.sessions.preconditions import AlreadyAnswered, IdempotencyKey, Preconditions
from app.sessions.queries import Event
from app.sessions.series import MOST_NAMES, MOST_POINTS, SeriesQuery
from app.sessions.sessions import Sessions
from app.sessions.trials import Tried
from app.store.replies import Reply

__all__ = [
    "LISTS",
    "LOCAL",
    "MOST_NAMES",
    "MOST_POINTS",
    "AlreadyAnswered",
    "Applied",
    "BatchAnswer",
    "BatchBlocked",
    "BatchItem",
    "BatchPanicked",
    "Busy",
    "Conflict",
    "Event",
    "Forbidden",
    "IdempotencyKey",
    "KeyReused",
    "LimitReached",
    "ListPart",
    "NotFound",
    "PageQuery",
    "PageRows",
    "Preconditions",
    "Principal",
    "Reader",
    "Reply",
    "Right",
    "SeriesQuery",
    "SessionInfo",
    "Sessions",
    "Stale",
    "StorageFull",
    "TooMany",
    "Tried",
    "Underway",
    "principal_of",
]

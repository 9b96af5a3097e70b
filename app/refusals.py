"""How refusals are answered over HTTP: one table for the API and the pages.

Every class of refusal has a status here, its own or that of its nearest base.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from app.errors import BadArgument, MachinePanicked, NoRoom, Refusal, TaskAlive, TaskBlocked
from app.receiving import TooLarge
from app.sessions.errors import (
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
from app.upload_timeout import TooSlow


class Answered(NamedTuple):
    """How one class of refusals is answered."""

    status: int
    # Whether a page shows it beside the form that was sent; if not, it is a page of its own.
    in_form: bool = False
    # Whether the forms to join and to sign in show it, where a wrong code or password is a typing mistake.
    in_sign_in: bool = False


ANSWERS: Final[dict[type[Refusal], Answered]] = {
    BadArgument: Answered(422, in_form=True),
    LimitReached: Answered(422, in_form=True),
    TaskBlocked: Answered(409, in_form=True),
    TaskAlive: Answered(409, in_form=True),
    MachinePanicked: Answered(409, in_form=True),
    Conflict: Answered(409, in_form=True),
    Busy: Answered(503, in_form=True),
    StorageFull: Answered(507, in_form=True),
    NoRoom: Answered(507, in_form=True),
    NotFound: Answered(404, in_sign_in=True),
    Forbidden: Answered(403, in_sign_in=True),
    TooMany: Answered(429, in_sign_in=True),
    Stale: Answered(412),
    KeyReused: Answered(422),
    TooLarge: Answered(413),
    TooSlow: Answered(408),
}

IN_FORM: Final = tuple(kind for kind, answered in ANSWERS.items() if answered.in_form)
IN_SIGN_IN: Final = tuple(
    kind for kind, answered in ANSWERS.items() if answered.in_form or answered.in_sign_in
)


def status_of(refusal: Exception) -> int:
    """The HTTP status of a refusal."""
    return next(ANSWERS[kind].status for kind in type(refusal).__mro__ if kind in ANSWERS)

"""When a sheet is open, for whom, and when a request came.

The cut is when the first byte of a request was accepted, to the millisecond; there is no hidden grace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from app.clock import before_now, now, written
from app.errors import BadArgument
from app.sessions import Conflict
from app.store.sheets import ExtensionRow, SheetRow

FORM: Final = "a time with its zone, such as 2026-12-01T09:00:00+09:00"

State = Literal["waiting", "open", "late", "over"]


def read(field: str, text: str) -> str:
    """A time as people write it, as rows have it. Raises BadArgument at the field."""
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            raise BadArgument.at(field, FORM)
        return written(found.astimezone(UTC))
    except (ValueError, OverflowError):
        raise BadArgument.at(field, FORM) from None


def accepted(scope: Mapping[str, Any]) -> str:
    """When the first byte of a request was accepted."""
    begun = getattr(scope["state"].get("connection"), "begun", None)
    if begun is None:
        return now()
    return before_now(timedelta(seconds=max(0.0, asyncio.get_running_loop().time() - begun)))


@dataclass(frozen=True, slots=True)
class Window:
    """When one member may answer a sheet. None for no bound."""

    opens: str | None
    due: str | None
    # Until when answers are taken that are late, and earn less.
    late_until: str | None

    @classmethod
    def of(cls, sheet: SheetRow, extension: ExtensionRow | None) -> Window:
        """For whom the sheet is due at another time, lateness begins then."""
        due = sheet.due if extension is None else extension.due
        late = sheet.late_until
        return cls(sheet.opens, due, late if late is not None and due is not None and late > due else None)

    @property
    def ends(self) -> str | None:
        """When nothing is taken any more."""
        return self.late_until or self.due

    def state(self, time: str) -> State:
        """What the sheet is for the member at a time."""
        if self.opens is not None and time < self.opens:
            return "waiting"
        if self.due is None or time <= self.due:
            return "open"
        return "late" if self.late_until is not None and time <= self.late_until else "over"

    def is_late(self, time: str) -> bool:
        """Whether an answer is late. Raises Conflict where none is taken."""
        state = self.state(time)
        if state == "waiting":
            raise Conflict(f"this sheet opens at {self.opens}")
        if state == "over":
            raise Conflict(f"this sheet was due at {self.due}, and takes no answers since {self.ends}")
        return state == "late"

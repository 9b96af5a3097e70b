"""The upload timeout: how slowly the body of a request may come.

A body that stands still holds memory and a slot that others need: it is given up, answered 408, and its
connection closed. A steady one may take long. How long it may take in all is bounded too, or a byte now and
then would keep its place for ever.
"""

from __future__ import annotations

from typing import Final

from app.errors import Refusal
from app.settings import Settings

# Bytes a second, of the largest body that may come: a slower body is given up.
LEAST_BYTES_PER_SECOND: Final = 16 << 10


class TooSlow(Refusal):
    """A body did not come in the time that there is for it."""


class UploadTimeout:
    """The timeout of one body. idle: seconds in which some of it must come. whole: seconds for all of it.

    Only the time counts in which a reader waits for it. The connection asks `is_late` from time to time, and
    wakes up the waiting reader when it is.
    """

    def __init__(self, idle: float, whole: float, now: float) -> None:
        self.idle = idle
        self.whole = whole
        self.until = now + whole
        self.waiting: float | None = None  # since when
        self.late: TooSlow | None = None

    def is_late(self, now: float) -> bool:
        """Whether the body is given up."""
        if self.waiting is not None and self.late is None:
            if now > self.until:
                self.late = TooSlow(f"the body takes longer than {self.whole:g} s: it was given up")
            elif now > self.waiting + self.idle:
                self.late = TooSlow(f"nothing has come for {self.idle:g} s: the body was given up")
        return self.late is not None


def upload_timeout_of(settings: Settings, limit: int, now: float) -> UploadTimeout:
    """The timeout of a body that has just begun to come. limit: its largest length."""
    whole = min(settings.upload_time, 2 * settings.upload_idle + limit / LEAST_BYTES_PER_SECOND)
    return UploadTimeout(settings.upload_idle, whole, now)

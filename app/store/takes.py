"""What a transaction takes for itself when it begins."""

from __future__ import annotations

from enum import Enum


class Takes(Enum):
    """SQLite has one lock for all that is written, so `ROWS` and `ALL` are the same there."""

    NOTHING = 0  # it only reads
    ROWS = 1  # it locks the rows that it changes, and nobody else waits for it
    ALL = 2  # of those that take this, one runs at a time, whichever server runs it

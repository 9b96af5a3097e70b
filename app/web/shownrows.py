"""Rows of the journal for pages: decoded, and shortened where a page has no room for all of one.

A row that was written long ago may hold lists of 100,000 blocks. No page shows them; they are counted, and
left out before anything else is made of the row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic_core import from_json
from starlette.concurrency import run_in_threadpool

from app.sessions import Event, row_text
from app.web.language import ngettext

Outcome = Mapping[str, Any]

LONG: Final = 1 << 15  # bytes: what is longer is decoded beside the loop, and shortened
LINES: Final = 200  # of a row's part of the kernel log
LONGEST_LINE: Final = 400
LISTS: Final = ("runs", "changed", "woken", "deadlock")
LISTED: Final = 256


async def outcome_of(row: Event) -> Outcome:
    """Decode one row."""
    (found,) = await outcomes_of([row])
    return found


async def outcomes_of(rows: Sequence[Event]) -> list[Outcome]:
    """Decode rows. Others are served while long ones are decoded."""
    if sum(len(row.body) for row in rows) <= LONG:
        return decoded(rows)
    return await run_in_threadpool(decoded, rows)


def decoded(rows: Sequence[Event]) -> list[Outcome]:
    """Decode rows on this thread, each shortened before the next."""
    return [from_json(row.body) if len(row.body) <= LONG else shortened(from_json(row.body)) for row in rows]


def shortened(outcome: Outcome) -> Outcome:
    """Leave out of a row what is too long to be shown.

    `text` is its call as a line. A list that is left out is null, as in rows that have such lists elsewhere,
    and of arguments that are lists the first part is kept.
    """
    found: dict[str, Any] = {**outcome, "text": call_text(outcome)}
    found["args"] = {name: value for name, value in outcome["args"].items() if not is_long(value)}
    found["whole"] = len(found["args"]) == len(outcome["args"])
    for name in LISTS:
        if len(outcome.get(name) or ()) > LISTED:
            found[name] = None
            found[f"{name}_count"] = len(outcome[name])
    lines = outcome["log"] or []
    found["log"] = [line[:LONGEST_LINE] for line in lines[:LINES]]
    found["log_count"] = outcome.get("log_count", len(lines))
    return found


def is_long(value: Any) -> bool:
    """Whether an argument is too long to be shown."""
    return len(json.dumps(value)) > LONG // 16


def call_text(outcome: Outcome) -> str:
    """The call as a line; a list in it is only counted."""
    text = outcome.get("text")
    return text if isinstance(text, str) else row_text.call_text(outcome, count=block_count)


def block_count(number: int) -> str:
    """How many blocks a call was about that was made many times at once."""
    return ngettext("%(num)s block", "%(num)s blocks", number)

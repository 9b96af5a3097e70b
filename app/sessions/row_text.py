"""A row of the journal as one line of C, for programs and pages in any language."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from app.machine import calltext
from app.machine.entry import CALLS

LONGEST_LINE: Final = 160
RUNS_COUNTED: Final = 16  # runs: longer lists are counted before they are written
RUN_LIST: Final = re.compile(r"\[\[.*\]\]")

# Rows that restore an earlier state.
BACKWARDS: Final = ("rewind", "undo")


def block_count(number: int) -> str:
    """How many blocks a call was about that was made many times at once."""
    return f"{number:,} blocks"


def call_text(
    outcome: Mapping[str, Any], longest: int = LONGEST_LINE, count: Callable[[int], str] = block_count
) -> str:
    """The call of an outcome; a list in it is only counted.

    longest: characters, what is more is cut off. count: says a number of blocks in the reader's language.
    """
    if outcome["call"] in BACKWARDS:
        return f"{outcome['call']} to #{outcome['args']['to']:,}"
    if outcome["call"] not in CALLS:
        return cut(f"{outcome['call']} {json.dumps(outcome['args'])}", longest)
    args = {name: counted(value) for name, value in outcome["args"].items()}
    text = calltext.format_call({**outcome, "args": args}, written=outcome.get("written") or {})
    text = RUN_LIST.sub(lambda runs: f"[{count(blocks_in(runs[0]))}]", text)
    return cut(text, longest)


def cut(text: str, longest: int) -> str:
    """At most so many characters of a line, and a sign that there were more."""
    return text if len(text) <= longest else text[:longest] + "…"


def blocks_in(runs: str) -> int:
    """How many blocks a list of runs holds."""
    return sum(run[1] for run in json.loads(runs))


def counted(value: Any) -> Any:
    """An argument; a long list of runs as one run of as many blocks, which is quicker to write."""
    if not isinstance(value, list) or len(value) <= RUNS_COUNTED:
        return value
    return [[value[0][0], sum(run[1] for run in value), *value[0][2:]]]

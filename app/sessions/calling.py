"""A row of the journal as one line, as C has it: for programs, in nobody's language."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from app.mm import calltext
from app.mm.vocabulary import CALLS

LONGEST: Final = 160
RUNS: Final = re.compile(r"\[\[.*\]\]")

# Rows that restore an earlier state.
BACKWARDS: Final = ("rewind", "undo")


def call_text(outcome: Mapping[str, Any], longest: int = LONGEST) -> str:
    """The call of an outcome; a list in it is only counted. longest: characters, what is more is cut off."""
    if outcome["call"] in BACKWARDS:
        return f"{outcome['call']} to #{outcome['args']['to']:,}"
    if outcome["call"] not in CALLS:
        return f"{outcome['call']} {json.dumps(outcome['args'])}"
    text = RUNS.sub(lambda runs: f"[{blocks_in(runs[0]):,} blocks]", calltext.format_call(outcome))
    return text if len(text) <= longest else text[:longest] + "…"


def blocks_in(runs: str) -> int:
    """How many blocks a list of runs holds."""
    return sum(run[1] for run in json.loads(runs))

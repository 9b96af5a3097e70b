"""Which row freed what a call frees again: the kernel does not know, the journal does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import from_json

from app.machine.entry import CALLS
from app.store import Connection, journal

# Mistakes with something that has been freed before.
AGAIN: Final = ("object_freed_twice", "page_freed_twice", "get_free_page", "vfree_nothing", "unlock_freed")
# Rows that are looked through, and how many at a time.
ROWS: Final = 2_000
PART: Final = 200
FREE: Final = ("free", "pcp")


def before(db: Connection, session_id: str, seq: int, cause: Mapping[str, Any]) -> dict[str, Any] | None:
    """The row that freed what row `seq` frees again, as `{seq, call, task}`; None where none of the last did.

    Rows that were undone meanwhile did not happen.
    """
    if cause["mistake"] not in AGAIN:
        return None
    facts = cause["facts"]
    at, left = seq - 1, ROWS
    while at > 0 and left > 0:
        earlier = {one.seq: one for one in journal.tail(db, session_id, max(0, at - PART), at)}
        left -= PART
        if not earlier:
            return None
        low = min(earlier)
        while at >= low:
            one = earlier.get(at)
            if one is None:
                return None
            if one.effective != one.seq:
                at = one.effective
                continue
            found = from_json(one.outcome)
            if freed(found, facts):
                return {"seq": one.seq, "call": one.call, "task": found["args"].get("task", "init")}
            at -= 1
    return None


def freed(outcome: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    """Whether a row freed the address, or the page frame, of the facts."""
    spec = CALLS.get(outcome["call"])
    args = outcome["args"]
    if "address" in facts:
        gave = spec is not None and (
            spec.frees or (spec.name == "krealloc" and outcome["ret"] != args.get("addr"))
        )
        return gave and args.get("addr") == facts["address"]
    pfn = facts["pfn"]
    return any(
        state in FREE and first <= pfn < first + frames
        for first, frames, state in outcome.get("changed") or ()
    )


def words(found: Mapping[str, Any]) -> str:
    """The sentence."""
    return f"It is free since #{found['seq']:,}: {found['call']} by {found['task']}."

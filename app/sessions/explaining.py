"""Explains a call: it is made again on a machine of the past, and the kernel's functions report."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Any, Final

from pydantic_core import from_json

from app.machine.trace import Trace, conclusion
from app.sessions import freeing
from app.sessions.errors import NotFound
from app.sessions.past_machines import PastMachines
from app.store import Connection, journal
from app.store.journal import Row

# Steps of all explanations that are kept; the one that was asked for last may always stay.
STEPS_CACHED: Final = 8_000


class Explanations:
    """A cache of explanations, since a page asks for one again at each step. For any thread."""

    def __init__(self, past: PastMachines) -> None:
        self._past = past
        self._lock = Lock()
        # The least recently used first.
        self._kept: OrderedDict[tuple[str, int], dict[str, Any]] = OrderedDict()

    def of(self, db: Connection, session_id: str, seq: int) -> dict[str, Any]:
        """As `explain`. Raises NotFound and Conflict."""
        with self._lock:
            found = self._kept.get((session_id, seq))
        if found is None:
            found = explain(db, self._past, session_id, seq)
        with self._lock:
            self._kept[session_id, seq] = found
            self._kept.move_to_end((session_id, seq))
            while (
                len(self._kept) > 1 and sum(len(each["steps"]) for each in self._kept.values()) > STEPS_CACHED
            ):
                self._kept.popitem(last=False)
        return found


def explain(db: Connection, past: PastMachines, session_id: str, seq: int) -> dict[str, Any]:
    """The decision steps of one journalled call, and its tracepoints. Raises NotFound and Conflict.

    The machine is as it was before the call and no other thread uses it, so tracing slows down no other call.
    """
    row = next(iter(journal.tail(db, session_id, seq - 1, seq)), None)
    if row is None:
        raise NotFound("event", str(seq))
    if row.effective != row.seq:
        step = restored(row)
        return {"seq": seq, "conclusion": step["what"], "deciding": 1, "steps": [step], "tracepoints": []}
    with past.before(db, row) as (machine, _, again):
        trace = machine.trace = Trace(machine)
        again()
        machine.trace = None
        trace.close()
        machine_cause = trace.mistakes.cause()
    outcome = from_json(row.outcome)
    cause, steps = machine_cause, trace.steps
    if cause is not None and (freed := freeing.before(db, row.session_id, row.seq, cause)) is not None:
        cause["freed"] = freed
        cause["text"] = f"{cause['text']} {freeing.words(freed)}"
        steps[-1]["what"] += f" {freeing.words(freed)}"
        steps[-1]["numbers"] |= {"freed_by": freed["seq"]}
    said, deciding = conclusion.of(outcome, steps, cause, trace.mistakes.found)
    found: dict[str, Any] = {"seq": seq, "conclusion": said, "deciding": deciding}
    if cause is not None:
        found["cause"] = cause
    return found | {"steps": steps, "tracepoints": trace.points}


def restored(row: Row) -> dict[str, Any]:
    """The explanation of a rewind, which has no steps: it is no kernel function."""
    return {
        "fn": row.call,
        "file": "",
        "lecture_fn": None,
        "depth": 0,
        "what": f"the machine is as it was at seq {row.effective} again; no function of the kernel ran",
        "zone": None,
        "node": None,
        "numbers": {**from_json(row.args), "effective": row.effective},
        "verdict": "ok",
        "changed": [],
    }

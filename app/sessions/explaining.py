"""Why a call had the answer it had: it is made again, and the kernel's functions report what they decide."""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json

from app.mm import calls
from app.mm.trace import Trace
from app.sessions.errors import Conflict, NotFound
from app.sessions.live import difference
from app.sessions.past import Past
from app.store import Connection, journal
from app.store.journal import Row


def explain(db: Connection, past: Past, session_id: str, seq: int) -> dict[str, Any]:
    """The decision steps of one journalled call, and its tracepoints. Raises NotFound and Conflict.

    The machine is as it was before the call and belongs to nobody else, so tracing slows down no one.
    """
    row = next(iter(journal.tail(db, session_id, seq - 1, seq)), None)
    if row is None:
        raise NotFound("event", str(seq))
    if row.effective != row.seq:
        return {"seq": seq, "steps": [restored(row)], "tracepoints": []}
    with past.machine(db, session_id, seq - 1) as live:
        if live.diverged is not None:
            raise Conflict(live.diverged)
        machine = live.machine
        live.spoiled = True
        trace = machine.trace = Trace(machine)
        made = machine.apply(calls.parse(row.call, from_json(row.args), machine.model), seq)
        machine.trace = None
        live.seq = live.effective = seq
        live.since += 1
        live.spoiled = difference(row, made) is not None
    return {"seq": seq, "steps": trace.steps, "tracepoints": trace.points}


def restored(row: Row) -> dict[str, Any]:
    """All there is to say of a rewind: the kernel has no part in it."""
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

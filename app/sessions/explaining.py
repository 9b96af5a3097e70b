"""Why a call had the answer it had: it is made again, and the kernel's functions report what they decide."""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json

from app.mm import calls
from app.mm.trace import Trace
from app.sessions.errors import Conflict, NotFound
from app.sessions.opening import reopen
from app.store import Connection, journal


def explain(db: Connection, session_id: str, seq: int) -> dict[str, Any]:
    """The decision steps of one journalled call, and its tracepoints. Raises NotFound and Conflict.

    The machine is rebuilt as it was before the call and belongs to nobody else, so tracing slows down no one.
    """
    row = next(iter(journal.tail(db, session_id, seq - 1, seq)), None)
    if row is None:
        raise NotFound("event", str(seq))
    live = reopen(db, session_id, seq - 1)
    if live.diverged is not None:
        raise Conflict(live.diverged)
    machine = live.machine
    trace = machine.trace = Trace(machine)
    machine.apply(calls.parse(row.call, from_json(row.args), machine.model), seq)
    return {"seq": seq, "steps": trace.steps, "tracepoints": trace.points}

"""What a call returned and changed: one row of the journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from app.mm.calls import Call, Named
from app.mm.memory_model import MemoryModel

VERDICTS = ("ok", "null", "blocked", "warn", "bug", "oom", "hang")


@dataclass(slots=True)
class Outcome:
    """The kernel's answer to one call.

    ret: what the C function returns, JSON-ready (a pointer as hex or None, a number, None for void). verdict:
    one of `VERDICTS`. changed: `[pfn, frames, state]` runs, None when there are too many. named: what the
    result can be called in later calls; None where the call has no result to name. The other parts are the
    objects of the HTTP contract.
    """

    call: Call
    ret: Any = None
    verdict: str = "ok"
    page: dict[str, Any] | None = None
    object: dict[str, Any] | None = None
    area: dict[str, Any] | None = None
    runs: list[list[Any]] | None = None
    woken: list[str] | None = None
    deadlock: list[dict[str, Any]] | None = None
    log: list[str] = field(default_factory=list)
    changed: list[list[Any]] | None = field(default_factory=list)
    named: Named | None = None

    def as_json(self, model: MemoryModel) -> dict[str, Any]:
        """The outcome as the API answers it, without seq, time and by, which only the journal knows."""
        doc: dict[str, Any] = {
            "call": self.call.spec.name,
            "args": self.call.as_json(model),
            "ret": self.ret,
            "verdict": self.verdict,
        }
        for key in ("page", "object", "area", "runs", "woken", "deadlock"):
            value = getattr(self, key)
            if value is not None:
                doc[key] = value
        doc["log"] = self.log
        doc["changed"] = self.changed
        return doc

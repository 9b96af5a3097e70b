"""A machine that calls are made on by name, checked after each."""

from __future__ import annotations

import json
from typing import Any

from app.machine import boot, invariants, parsing
from app.machine.outcome import Outcome


class Caller:
    """Makes calls on a machine, one seq after another; every call must leave the machine in order."""

    def __init__(self, profile: str = "tiny-16m", **overrides: Any) -> None:
        self.m = boot.boot({"profile": profile, **overrides})
        self.seq = 0

    def __call__(self, function: str, /, **body: Any) -> Outcome:
        self.seq += 1
        outcome = self.m.apply(parsing.parse(function, body, self.m.model), self.seq)
        assert invariants.verify(self.m) == []
        return outcome

    def addr(self, function: str, /, **body: Any) -> int:
        """The address that an allocating call returns."""
        return int(self(function, **body).ret, 16)

    @property
    def in_use(self) -> int:
        """Frames in use, without those that wait on per-CPU lists."""
        self("drain_all_pages")
        return sum(zone.managed_pages for zone in self.m.zones) - self.m.nr_free_pages

    def reloaded(self) -> dict[str, Any]:
        """What a machine loaded from this one's dump dumps."""
        document: dict[str, Any] = boot.load(json.loads(json.dumps(self.m.dump()))).dump()
        return document


def text(outcome: Outcome) -> str:
    """The lines that a call wrote, without their stamps."""
    return "\n".join(line.split("] ", 1)[1] for line in outcome.log)

"""Machines to make slab calls on: the memory of a recorded one, with its caches or with empty ones."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from app.machine import dump, loading
from app.machine.calls import Named
from app.machine.machine import Machine
from app.machine.outcome import Outcome
from app.machine.parsing import parse
from app.machine.parts import slabs
from app.mm import slab
from app.recording import Replay, add_part

RECORDINGS = Path(__file__).parents[1] / "recordings"


@cache
def first_state_text(machine: str, scenario: str) -> str:
    """The state that a recording begins with, as the text of a machine dump."""
    replay = Replay(RECORDINGS / machine / f"{scenario}.jsonl.gz")
    state: dict[str, Any] = {}
    for line in replay.lines:
        if line["t"] == "dump":
            state = replay.first_line(line)
        elif line["t"] == "dump_end":
            break
        elif state:
            add_part(state, line)
    return json.dumps(state)


def first_state(machine: str, scenario: str = "e_kmalloc") -> dict[str, Any]:
    """The state that a recording begins with, as a machine dump that may be changed."""
    state: dict[str, Any] = json.loads(first_state_text(machine, scenario))
    return state


class Caller:
    """Makes calls on a machine, and checks after each that the caches agree with themselves."""

    def __init__(self, machine: Machine) -> None:
        self.m = machine
        self.seq = 0
        self.names: dict[str, Named] = {}

    def __call__(self, call: str, /, named: str | None = None, **body: Any) -> Outcome:
        self.seq += 1
        parsed = parse(call, body, self.m.model, self.names).resolve(self.names, self.m.model)
        outcome = self.m.apply(parsed, self.seq)
        if named is not None:
            assert outcome.named is not None
            self.names[named] = outcome.named
        assert slabs.verify(self.m) == []
        return outcome

    def kmalloc(self, size: int, flags: Any = "GFP_KERNEL", **more: Any) -> int:
        address = self("kmalloc", size=size, flags=flags, **more).named.addr  # type: ignore[union-attr]
        assert address is not None
        return address

    def kfree(self, address: int | None, **more: Any) -> Outcome:
        return self("kfree", addr=None if address is None else f"{address:#x}", **more)

    def cache(self, name: str) -> slab.KmemCache:
        return self.m.caches[name]


def fresh(machine: str = "plain-256M", *, debug: bool, cpus: int = 1, **extra: Any) -> Caller:
    """A machine with the memory of a recorded one and caches without slabs."""
    state = first_state(machine, "e_kmalloc" if machine != "plain-numa" else "n_numa")
    del state["caches"]
    state["machine"] = {"debug": debug, **extra}
    state["kernel"]["cpus"] = cpus
    for zone in state["zones"]:
        zone["pcp"] += [{**zone["pcp"][0], "cpu": cpu, "count": 0, "lists": {}} for cpu in range(1, cpus)]
        zone["diff"] += [0] * (cpus - 1)
    return Caller(loading.load(state))


def text(outcome: Outcome) -> str:
    return "\n".join(line.split("] ", 1)[1] for line in outcome.log)


def reloaded(machine: Machine) -> Machine:
    """The machine as it comes back from its dump, by way of JSON text."""
    return loading.load(json.loads(json.dumps(dump.dump(machine))))

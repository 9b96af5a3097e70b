"""Rows are made again on a private machine, with somebody looking right before each."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

from app.exercises.rows import MadeRow
from app.machine import parsing
from app.machine.calls import BlockList, Call, Lists, Named
from app.machine.entry.declare import Allocation
from app.machine.machine import Machine
from app.machine.outcome import Outcome

Before = Callable[[], None]


class Replay:
    """A machine on which rows are made again.

    lists: finds lists that rows before the first one have returned.
    """

    def __init__(self, machine: Machine, lists: Lists) -> None:
        self.machine = machine
        self.earlier = lists
        self.lists: dict[int, Named] = {}

    def make(self, row: MadeRow, before: Before | None) -> Outcome:
        """Make a row's call. before: called with the machine as it is then; of a loop, before its last round.

        Raises BadArgument and other refusals where the call cannot be made.
        """
        call = parsing.parse(row.name, row.body, self.machine.model)
        call = call.resolve({}, self.machine.model, self.list_of, self.machine.rules)
        if before is not None:
            if call.many and isinstance(call.spec, Allocation):
                call = watched(call, row, before)
            else:
                before()
        made = self.machine.apply(call, row.seq)
        if made.named is not None and made.named.is_list:
            self.lists[row.seq] = made.named
        return made

    def list_of(self, seq: int) -> BlockList | None:
        """The list that a row has returned."""
        named = self.lists.get(seq)
        if named is None:
            return self.earlier(seq)
        return BlockList(named.kind, named.order, named.stride, named.runs or ())


def watched(call: Call, row: MadeRow, before: Before) -> Call:
    """A loop that says when the round begins to which its verdict belongs.

    Where all went well that is the last that returned something, else the last of all: the rounds before it
    say so too, and are overruled.
    """
    total = int(row.outcome["ret"] or 0)
    last = (total - 1,) if row.outcome["verdict"] == "ok" else (total - 1, total)
    spec = copy.copy(call.spec)
    assert isinstance(spec, Allocation)
    run = spec.run
    successes = 0

    def round_of(machine: Machine, made: Call) -> int | None:
        nonlocal successes
        if successes in last:
            before()
        value = run(machine, made)
        successes += value is not None
        return value

    spec.run = round_of
    return replace(call, spec=spec, text=None)

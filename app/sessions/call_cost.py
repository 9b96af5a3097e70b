"""How much a call touches: what decides where it is made, and how much of it one batch may ask for.

A heavy call is one that gets a slot of its own, so that nobody else's waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.machine import cachepointers
from app.machine import runs as block_runs
from app.machine.calls import Call, ListOf, Named, Reference
from app.machine.entry import CALLS
from app.machine.machine import Machine
from app.machine.vocabulary import nothing, one

# Blocks, or pages where each is mapped by itself: some ten milliseconds.
MANY: Final = 2_000


def heavy(
    call: Call,
    names: Mapping[str, Named],
    machine: Machine,
    slow: frozenset[str] | set[str],
    blocks: int | None = None,
) -> bool:
    """Whether a call may take so long that nobody else's should wait for it.

    names: what its references stand for. slow: calls that took long on this machine the last time. blocks:
    what it asks for, where that is known already.
    """
    if blocks is None:
        blocks = asked(call, names)
    return call.spec.name in slow or blocks > MANY or held(call, names, machine) > MANY


def may_be_heavy(name: str, body: Mapping[str, Any]) -> bool:
    """Whether a call may be, as far as its arguments show before they are judged."""
    by_arguments = CALLS[name].cost.each is not one
    return by_arguments or "repeat" in body or "until" in body or body.get("page") is not None


def asked(call: Call, names: Mapping[str, Named]) -> int:
    """How many blocks, or pages that are handled one by one, a call asks for, whatever the machine holds."""
    spec = call.spec
    times = listed(call, names) if spec.frees else call.repeat or 1
    each = spec.cost.each
    return times if each is one else times * each(call.args)


def listed(call: Call, names: Mapping[str, Named]) -> int:
    """How many blocks of a list a call frees; 1 where it is given no list, or one that is not known yet."""
    value = given(call)
    if type(value) is int:
        return 1
    if isinstance(value, Reference):
        named = names.get(value.name)
        if named is None or not named.is_list:
            return 1
        return block_runs.chosen(named.length, call.start, call.step, call.count)
    return block_runs.length(value) if isinstance(value, tuple) else 1


def held(call: Call, names: Mapping[str, Named], machine: Machine) -> int:
    """How much a call touches because the machine holds it: lists, areas, slabs, per-CPU pages."""
    touched = call.spec.cost.held
    if touched is nothing and not call.spec.frees:
        return 0
    value = given(call)
    if type(value) is ListOf:
        return MANY + 1  # how long it is stands in the journal
    if touched is nothing:
        return 0
    return touched(machine, cachepointers.meant(call, names, machine), address_of(value, names))


def given(call: Call) -> object:
    """The page or address that a call is given."""
    args = call.args
    return args.get("page", args.get("addr"))


def address_of(value: object, names: Mapping[str, Named]) -> int | None:
    """An address that a call is given, by itself or by a name."""
    if isinstance(value, Reference):
        named = names.get(value.name)
        return None if named is None else named.addr
    return value if isinstance(value, int) else None

"""Which calls are so long that nobody else's should wait for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.mm.calls import Call, Named, Reference
from app.mm.machine import Machine
from app.mm.memory_model import PAGE_SHIFT

# Blocks, or pages where each is mapped by itself: some ten milliseconds.
MANY: Final = 2_000

# What these ask for they get page by page.
MAPPED: Final = frozenset(("vmalloc", "vzalloc", "kvmalloc", "insmod"))


def heavy(call: Call, names: Mapping[str, Named], machine: Machine) -> bool:
    """Whether a call may touch very much. names: what its references stand for."""
    spec = call.spec
    if spec.name in MAPPED:
        size: int = call.args["size"]
        return (call.repeat or 1) * max(1, size >> PAGE_SHIFT) > MANY
    if spec.frees:
        return freed(call, names, machine) > MANY
    return call.repeat is not None and call.repeat > MANY


def freed(call: Call, names: Mapping[str, Named], machine: Machine) -> int:
    """How many blocks, or mapped pages, a call frees."""
    value = call.args.get("page", call.args.get("addr"))
    if isinstance(value, Reference):
        named = names.get(value.name)
        value = None if named is None else named.runs or named.addr
    if isinstance(value, tuple):
        return sum(run[1] for run in value)
    if call.spec.group == "vmalloc" and isinstance(value, int):
        area = machine.vmap.busy.find(value)
        return 0 if area is None else (area.va_end - area.va_start) >> PAGE_SHIFT
    return 1

"""How much a call touches: what decides where it is made, and how much of it one batch may ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.machine import runs as block_runs
from app.machine.calls import Call, ListOf, Named, Reference
from app.machine.machine import Machine
from app.mm.memory_model import PAGE_SHIFT

# Blocks, or pages where each is mapped by itself: some ten milliseconds.
MANY: Final = 2_000

# What these ask for they get page by page.
MAPPED: Final = frozenset(("vmalloc", "vzalloc", "kvmalloc", "insmod"))


def heavy(call: Call, names: Mapping[str, Named], machine: Machine, slow: frozenset[str] | set[str]) -> bool:
    """Whether a call may take so long that nobody else's should wait for it.

    names: what its references stand for. slow: calls that took long on this machine the last time.
    """
    return call.spec.name in slow or asked(call, names) > MANY or found(call, names, machine) > MANY


def may_be_heavy(name: str, body: Mapping[str, Any]) -> bool:
    """Whether a call may be, as far as its arguments show before they are judged."""
    return name in MAPPED or "repeat" in body or "until" in body or body.get("page") is not None


def asked(call: Call, names: Mapping[str, Named]) -> int:
    """How many blocks, or mapped pages, a call asks for by itself, whatever the machine holds."""
    spec = call.spec
    if spec.name in MAPPED:
        size: int = call.args["size"]
        return (call.repeat or 1) * max(1, size >> PAGE_SHIFT)
    if spec.frees:
        return listed(call, names)
    return call.repeat or 1


def listed(call: Call, names: Mapping[str, Named]) -> int:
    """How many blocks of a list a call frees; 1 where it is given no list, or one that is not known yet."""
    value = call.args.get("page", call.args.get("addr"))
    if isinstance(value, Reference):
        named = names.get(value.name)
        if named is None or not named.is_list:
            return 1
        return block_runs.chosen(named.length, call.start, call.step, call.count)
    return block_runs.length(value) if isinstance(value, tuple) else 1


def found(call: Call, names: Mapping[str, Named], machine: Machine) -> int:
    """How much a call touches because the machine holds it: lists, areas, slabs, per-CPU pages."""
    name = call.spec.name
    if call.spec.frees:
        value = call.args.get("page", call.args.get("addr"))
        if isinstance(value, ListOf):
            return MANY + 1  # how long it is stands in the journal
        if call.spec.group == "vmalloc":
            return area_pages(address_of(value, names), machine)
        return 1
    if name == "rmmod":
        module = machine.vmap.modules.get(call.args["name"])
        return 1 if module is None else area_pages(module[0], machine)
    if name == "drain_all_pages":
        return sum(pcp.count for zone in machine.zones for pcp in zone.pcp)
    if name == "vm_unmap_aliases":
        return len(machine.vmap.purge)
    if name in ("kmem_cache_shrink", "kmem_cache_destroy"):
        cache = machine.caches.get(call.args["cache"])
        return 1 if cache is None else len(cache.slabs)
    return 1


def address_of(value: object, names: Mapping[str, Named]) -> int | None:
    """An address that a call is given, by itself or by a name."""
    if isinstance(value, Reference):
        named = names.get(value.name)
        return None if named is None else named.addr
    return value if isinstance(value, int) else None


def area_pages(address: int | None, machine: Machine) -> int:
    """Pages of the vmalloc area that an address lies in."""
    area = None if address is None else machine.vmap.busy.find(address)
    return 1 if area is None else (area.va_end - area.va_start) >> PAGE_SHIFT

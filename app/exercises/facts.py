"""What formulas can know of a machine: `frames`, `page_size`, `managed.DMA`, `reserve.DMA.DMA32`, …

A fact of a zone has the zone's name behind a dot. Exercises have machines of one node, so a zone is known by
its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from app.machine.machine import Machine
from app.mm.memory_model import PAGE_SHIFT
from app.mm.mmzone import Zone
from app.mm.pgtable_types import PAGE_SIZE


def zone_of(machine: Machine, name: str) -> Zone:
    """A zone by its name. Raises KeyError."""
    for zone in machine.zones:
        if zone.name == name:
            return zone
    raise KeyError(name)


def memory(machine: Machine) -> int:
    """Bytes of memory that the machine was booted with."""
    given = machine.config.get("memory")
    return given if isinstance(given, int) else sum(zone.present_pages for zone in machine.zones) * PAGE_SIZE


OF_MACHINE: Final[Mapping[str, Callable[[Machine], int]]] = MappingProxyType({
    "cpus": lambda machine: machine.model.cpus,
    # All that the machine was given, whether or not the kernel may use them.
    "frames": lambda machine: memory(machine) >> PAGE_SHIFT,
    "memory": memory,
    "page_offset": lambda machine: machine.model.page_offset,
    "page_size": lambda _: PAGE_SIZE,
    "struct_page_bytes": lambda machine: machine.model.sizeof_page,
})  # fmt: skip
OF_ZONE: Final[Mapping[str, Callable[[Zone], int]]] = MappingProxyType({
    # The frame behind the last one.
    "end": lambda zone: zone.start_pfn + zone.spanned_pages,
    "free": lambda zone: zone.nr_free_pages,
    "high": lambda zone: zone.wmark_pages(2),
    "low": lambda zone: zone.wmark_pages(1),
    "managed": lambda zone: zone.managed_pages,
    "min": lambda zone: zone.wmark_pages(0),
    "present": lambda zone: zone.present_pages,
    "start": lambda zone: zone.start_pfn,
})  # fmt: skip


def of(machine: Machine) -> Callable[[str], int]:
    """The facts of a machine by name; a name that is none raises KeyError."""

    def fact(name: str) -> int:
        if name in OF_MACHINE:
            return OF_MACHINE[name](machine)
        word, _, rest = name.partition(".")
        zone_name, _, other = rest.partition(".")
        zone = zone_of(machine, zone_name)
        if word == "reserve":
            return zone.lowmem_reserve[zone_of(machine, other).zid]
        if other or word not in OF_ZONE:
            raise KeyError(name)
        return OF_ZONE[word](zone)

    return fact


def names(machine: Machine) -> list[str]:
    """Every fact that there is of a machine."""
    zones = [zone.name for zone in machine.zones]
    return [
        *OF_MACHINE,
        *(f"{word}.{zone}" for word in OF_ZONE for zone in zones),
        *(f"reserve.{zone}.{other}" for zone in zones for other in zones),
    ]


def is_fact(name: str) -> bool:
    """Whether a name can be a fact of some machine, and none of a drawn value."""
    word = name.partition(".")[0]
    return name in OF_MACHINE or (name != word and (word in OF_ZONE or word == "reserve"))

"""Numbers of a machine that are drawn over time, each with a name: `node0.DMA32.free`, `slab`, `vmalloc`.

A *sample* has the numbers that the machine keeps itself, in a fixed order, so that taking one after every
call costs little. The others, indices of fragmentation, are made of a sample when somebody asks for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from app.errors import BadArgument
from app.mm.mmzone import MAX_ORDER
from app.mm.vmstat import fragmentation_index, nr_slab_pages, unusable_free_index

if TYPE_CHECKING:
    from app.machine.machine import Machine

Sample = tuple[int, ...]

ORDERS: Final = range(MAX_ORDER)
# What a sample has of each zone, then of the machine.
OF_ZONE: Final = ("free", "min", "low", "high", "pcp", *(f"order{order}" for order in ORDERS))
OF_MACHINE: Final = ("slab", "vmalloc")
FIRST_ORDER: Final = OF_ZONE.index("order0")

INDICES: Final[dict[str, Callable[[Sequence[int], int], int]]] = {
    "unusable": unusable_free_index,
    "extfrag": fragmentation_index,
}
INDEX: Final = re.compile(rf"(.+)\.({'|'.join(INDICES)})([0-9]{{1,2}})")
LISTED: Final = 12  # names in a message


class Series(NamedTuple):
    """Where a number of that name is found: in a place of the sample or, an index, made of some places."""

    name: str
    unit: str
    place: int
    index_of: Callable[[Sequence[int], int], int] | None = None
    order: int = 0

    def of(self, sample: Sequence[int]) -> int:
        """The number in a sample."""
        if self.index_of is None:
            return sample[self.place]
        return self.index_of(sample[self.place : self.place + MAX_ORDER], self.order)


def sample(m: Machine) -> Sample:
    """The numbers of the machine as it is."""
    found: list[int] = []
    for zone in m.zones:
        lowest, low, high, _ = zone.watermark
        boost = zone.boost
        found += (
            zone.nr_free_pages,
            lowest + boost,
            low + boost,
            high + boost,
            sum([pcp.count for pcp in zone.pcp]),
        )
        found += [area.nr_free for area in zone.free_area]
    found += (nr_slab_pages(m), m.vmap.nr_vmalloc_pages)
    return tuple(found)


def zones(m: Machine) -> tuple[str, ...]:
    """The first part of the names of each zone's numbers, in the order of samples."""
    return tuple(f"node{zone.nid}.{zone.name}" for zone in m.zones)


class Names:
    """The names of a machine's series. zones: as `zones` gives them."""

    def __init__(self, zones: Sequence[str]) -> None:
        self.zones = zones
        self.places = {
            name: place
            for place, name in enumerate(
                [*(f"{zone}.{name}" for zone in zones for name in OF_ZONE), *OF_MACHINE]
            )
        }

    def find(self, names: Sequence[str] | None, most: int) -> list[Series]:
        """The series of those names, at most so many; by default free frames, and what the others are for.

        Raises BadArgument at `names`.
        """
        if names is None:
            names = [*OF_MACHINE, *(f"{zone}.free" for zone in self.zones)][:most]
        if not len(set(names)) == len(names) <= most:
            raise BadArgument.at("names", f"at most {most} names with commas between them, each once")
        return [self._one(name) for name in names]

    def _one(self, name: str) -> Series:
        place = self.places.get(name)
        if place is not None:
            unit = "blocks" if name.rpartition(".")[2].startswith("order") else "pages"
            return Series(name, unit, place)
        match = INDEX.fullmatch(name)
        if match and match[1] in self.zones and int(match[3]) < MAX_ORDER:
            first = self.zones.index(match[1]) * len(OF_ZONE) + FIRST_ORDER
            return Series(name, "thousandths", first, INDICES[match[2]], int(match[3]))
        raise BadArgument.at("names", f"no series is called {name[:60]!r}: {self.accepted}")

    @property
    def accepted(self) -> str:
        """What names there are, in words."""
        shown = ", ".join(self.zones[:LISTED]) + (", …" if len(self.zones) > LISTED else "")
        last = MAX_ORDER - 1
        kinds = f"free, min, low, high, pcp, order0 to order{last}, unusable0 to unusable{last}, "
        return f"slab, vmalloc, or a zone ({shown}) with .{kinds}extfrag0 to extfrag{last}"

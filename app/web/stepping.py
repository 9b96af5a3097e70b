"""The machine between two steps of a call: which moment is shown, and what the map outlines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from app.machine import zonemap
from app.machine.block_orders import NO_ORDER, Reshaped
from app.machine.machine import Machine
from app.machine.show import zones as zones_of
from app.mm.mmzone import MAX_ORDER
from app.web.address import Address
from app.web.contexts.base import Link
from app.web.contexts.explain import MomentView
from app.web.framemap import (
    CELLS,
    Window,
    around,
    end_of,
    map_view,
    row_of,
    whole_shift,
    window_of,
    zone_to_show,
)
from app.web.language import _

Step = Mapping[str, Any]
Run = Sequence[Any]

# Numbers of a step that name the block it is about: the first frame, and the order where it has one.
PLACES: Final = ("pfn", "slab_pfn")
# States of frames that wait on a list of their own: no block has them.
LISTED: Final = ("pcp",)
ORDERS: Final = ("found_order", "fallback_order", "order")


@dataclass(frozen=True)
class StepAddress(Address):
    """An explanation at one of its steps. The row is the address's outcome; frames lead to the machine."""

    decision: int | None = None
    """the step, counted from 1; None for the moment before the first"""

    @property
    def path(self) -> str:
        """The address of the explanation."""
        return f"/sessions/{self.id}/explain/{self.outcome}"

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The parts of the view without the row, which the path names."""
        return [pair for pair in super().pairs if pair[0] != "outcome"]

    @property
    def machine(self) -> Address:
        """The machine page with the row's outcome and a window of its own."""
        view = {field.name: getattr(self, field.name) for field in fields(Address)}
        return Address(**view).to(zone=None, node=None, start=None, shift=None)

    def at(self, pfn: int, fragment: str = "") -> str:
        """The machine page with a frame in the inspector."""
        return self.machine.at(pfn, fragment)

    def step_to(self, number: int, fragment: str = "#moment") -> str:
        """The address of another step; links to it stay where they are on the page, with the map in view."""
        return self.to(decision=number or None).href + fragment


@dataclass(frozen=True, slots=True)
class MomentReading:
    """A moment of the machine, read in one look."""

    zones: Sequence[Mapping[str, Any]]
    """every zone"""
    zone: Mapping[str, Any]
    """the zone on the map"""
    window: Window
    """the window of the map"""
    cells: dict[str, Any]
    """the cells of that window"""


def look(machine: Machine, here: Address, steps: Sequence[Step], touched: Sequence[Run]) -> MomentReading:
    """Read the map. steps: those so far. touched: what the call touched, most important first."""
    over = [(pfn, frames, state) for step in steps for pfn, frames, state in step["changed"]]
    zones = zones_of(machine)["zones"]
    zone = zone_to_show(zones, here, touched[0][0] if touched else None)
    window = window_of(
        zone, here if here.start is not None or here.shift is not None else fitted(zone, touched, here)
    )
    cells = zonemap.zonemap(
        machine, zone["name"], zone["node"], window.start, window.shift, window.cells, over, reshaped(steps)
    )
    return MomentReading(zones, zone, window, cells)


def reshaped(steps: Sequence[Step]) -> list[Reshaped]:
    """What steps have made of blocks: halves, what is left of a block that was halved, buddies joined."""
    found: list[Reshaped] = []
    for step in steps:
        numbers = step["numbers"]
        found += [(pfn, frames, NO_ORDER) for pfn, frames, _state in step["changed"]]
        if step["fn"] == "expand":
            last, frames = numbers["halves"][-1]
            found += [(pfn, half, half.bit_length() - 1) for pfn, half in numbers["halves"]]
            found.append((last - frames, frames, numbers["to_order"]))
        elif step["changed"] and "order" in numbers and step["changed"][0][2] not in LISTED:
            found += [
                (numbers[name], 1 << numbers["order"], numbers["order"]) for name in PLACES if name in numbers
            ]
    return found


def fitted(zone: Mapping[str, Any], touched: Sequence[Run], here: Address) -> Address:
    """A window in which everything that the call touched in this zone can be seen, as large as can be."""
    inside = [run for run in touched if zone["start_pfn"] <= run[0] < end_of(zone)]
    if not inside:
        return here
    low = min(run[0] for run in inside)
    high = max(run[0] + run[1] for run in inside)
    shift = 0
    while shift < whole_shift(zone) and high - row_of(low, shift) > CELLS << shift:
        shift += 1
    start = around(zone, (low + high) // 2, shift)
    if not start <= low < high <= start + (CELLS << shift):
        start = row_of(low, shift)
    return here.to(start=start, shift=shift)


def touched_by(step: Step) -> Sequence[Run]:
    """The runs that a step changed, else the block that it looked at."""
    if step["changed"]:
        found: Sequence[Run] = step["changed"]
        return found
    numbers = step["numbers"]
    if step["fn"] == "steal_suitable_fallback":
        return [[numbers["pageblock"], numbers["threshold"] * 2, ""]]
    pfn = next((numbers[name] for name in PLACES if numbers.get(name) is not None), None)
    order = next((numbers[name] for name in ORDERS if name in numbers), 0)
    return [] if pfn is None else [[pfn, 1 << min(order, MAX_ORDER - 1), ""]]


def touched_by_call(steps: Sequence[Step], outcome: Mapping[str, Any], pfn: int | None) -> list[Run]:
    """Everything that a call touched; what it was about comes first, for that says which zone is shown."""
    found = [run for step in steps for run in touched_by(step)] + list(outcome["changed"] or ())
    first: list[Run] = [] if pfn is None else [[pfn, 1, ""]]
    return first + found


def moment(
    here: StepAddress, view: MomentReading, steps: Sequence[Step], number: int, outcome: Mapping[str, Any]
) -> MomentView:
    """Show the map at a step, with links to the other steps."""
    total = len(steps)
    step = steps[number - 1] if number else None
    done = number == total
    outlined = touched_by(step) if step else ()
    why = _("outlined: what this step changed or looked at")
    if done and not outlined:
        outlined, why = outcome["changed"] or (), _("outlined: what the call changed")
    words = (
        _("The machine as the call left it")
        if done
        else _("The machine before the call")
        if step is None
        else _("The machine on the way")
    )
    ways = {"start": 0, "earlier": number - 1, "later": number + 1, "end": total}
    links = {
        way: Link(str(to), here.step_to(to) if 0 <= to <= total and to != number else None)
        for way, to in ways.items()
    }
    return MomentView(
        step=number,
        total=total,
        words=words,
        what=step["what"] if step else "",
        fn=step["fn"] if step else "",
        outlined=why if outlined else "",
        map=map_view(view, outlined, here),
        **links,
    )

"""The view of page frames: all memory as a bar, the map of a zone, one block close up, and the panels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from app.machine.machine import Machine
from app.machine.zonemap import census
from app.mm.page import STATES
from app.web import closeup
from app.web.contexts.framemap import CloseUp, LegendEntry, PhysicalBar
from app.web.contexts.views import CentreView
from app.web.frame_states import counted
from app.web.language import N_
from app.web.panels import PANELS
from app.web.physical import physical_bar
from app.web.views.base import Asked, Doc, Sight, View


@dataclass(frozen=True, slots=True)
class FramesView(CentreView):
    """The frames of a zone."""

    TEMPLATE: ClassVar[str] = "machine/views/frames.html"
    physical: PhysicalBar
    """all memory as one bar"""
    legend: Sequence[LegendEntry]
    """the states that frames of the zone are in"""
    close_up: CloseUp
    """the block around the frame that was last touched"""


def read(machine: Machine, asked: Asked) -> Doc:
    """Read how many frames of the zone are in which state, and the frames around the one that was touched."""
    counts = census(machine, asked.zone["name"], asked.zone["node"])
    return {"counts": counts, "block": closeup.read(machine, asked.pfn)}


def view(sight: Sight) -> FramesView:
    """Show it."""
    return FramesView(
        physical=physical_bar(sight.zones, sight.zone, sight.window),
        legend=counted(dict(zip(STATES, sight.doc["counts"], strict=True))),
        close_up=closeup.close_up(sight.doc["block"], sight.changed),
    )


def cost(_machine: Machine, _asked: Asked) -> int:
    """About how much work that is."""
    return closeup.COST


# What only processes fill has its tabs in their view.
OTHERS: Final = ("pagecache", "lru", "swap")
SHOWN: Final = {name: panel for name, panel in PANELS.items() if name not in OTHERS}
VIEW: Final = View("frames", N_("Frames"), SHOWN, read, view, cost)

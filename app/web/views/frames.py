"""The view of page frames: the frame map and the panels of zones, caches and locks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from app.machine.machine import Machine
from app.web.address import Address
from app.web.contexts.views import CentreView
from app.web.language import N_
from app.web.panels import PANELS
from app.web.views.base import Doc, Sight, View


@dataclass(frozen=True, slots=True)
class FramesView(CentreView):
    """The frames of a zone."""

    TEMPLATE: ClassVar[str] = "machine/views/frames.html"


def read(_machine: Machine, _here: Address, _zone: Doc) -> Doc:
    """Read what the view has beside the map."""
    return {}


def view(_sight: Sight) -> FramesView:
    """Show it."""
    return FramesView()


VIEW: Final = View("frames", N_("Frames"), PANELS, read, view)

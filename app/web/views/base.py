"""What a view in the centre of the machine page is: its panels, what it reads, and how that is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.machine.machine import Machine
from app.web.address import Address
from app.web.contexts.views import CentreView
from app.web.framemap import Window
from app.web.panels import Panel

Doc = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sight:
    """What a view is made of: what it has read itself, and what the page has read of the same moment."""

    doc: Doc
    """what the view's `read` returned"""
    zones: Sequence[Doc]
    """the zones of the machine"""
    zone: Doc
    """the zone on the map"""
    window: Window
    """the window of the map"""
    changed: Sequence[Sequence[Any]]
    """the runs of frames that the shown call changed"""
    here: Address
    """the address of the page"""


@dataclass(frozen=True, slots=True)
class View:
    """One view of the machine page: what stands in its centre below the outcome."""

    name: str
    """the name in addresses: `?view=frames`"""
    title: str
    """the title in the head of the centre, marked with N_ where it is to be translated"""
    panels: Mapping[str, Panel]
    """the panels whose tabs it has; the first is open where an address names none"""
    read: Callable[[Machine, Doc, int], Doc]
    """Reads what the view shows: from the machine, the zone on the map, the frame that was last touched.

    It runs where the page is read, so it takes as long as what it shows, not as what the machine holds.
    """
    view: Callable[[Sight], CentreView]
    """makes the context of the view's template"""
    cost: int
    """about how much work `read` is, as `app.machine.show_cost` counts it"""

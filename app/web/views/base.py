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


def nothing_filled_in(_doc: Doc) -> Mapping[str, str]:
    """What a view says of the form that has nothing to say."""
    return {}


def no_cost(_machine: Machine, _asked: Asked) -> int:
    """Work that is too little to count."""
    return 0


@dataclass(frozen=True, slots=True)
class Asked:
    """What a view is to read."""

    here: Address
    """the address of the page"""
    zone: Doc
    """the zone on the map"""
    pfn: int
    """the frame that was last touched"""
    shown: Doc | None
    """the row that the banner shows"""


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
    shown: Doc | None
    """the row that the banner shows"""
    here: Address
    """the address of the page"""
    people: Mapping[str, str]
    """nicknames of those whom tasks are called by number"""


@dataclass(frozen=True, slots=True)
class View:
    """One view of the machine page: what stands in its centre below the outcome."""

    name: str
    """the name in addresses: `?view=frames`"""
    title: str
    """the title in the head of the centre, marked with N_ where it is to be translated"""
    panels: Mapping[str, Panel]
    """the panels whose tabs it has; the first is open where an address names none"""
    read: Callable[[Machine, Asked], Doc]
    """Reads what the view shows.

    It runs on the thread that owns the machine where `cost` says that this is short, else beside, on a copy.
    """
    view: Callable[[Sight], CentreView]
    """makes the context of the view's template"""
    cost: Callable[[Machine, Asked], int] = no_cost
    """about how much work `read` is, as `app.machine.show_cost` counts it"""
    form: Callable[[Doc], Mapping[str, str]] = nothing_filled_in
    """What the form of a call starts with: `call`, `task`, and arguments by name; and `speaker`.

    That is who makes the calls of the console's lines that name nobody.
    """

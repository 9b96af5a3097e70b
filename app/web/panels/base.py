"""What a panel of the machine page is: what it reads of the machine, and how that is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.machine.machine import Machine
from app.sessions import SeriesQuery
from app.web.address import Address
from app.web.contexts.panels import PanelView
from app.web.recipes import Api

Doc = Mapping[str, Any]


def no_cost(_machine: Machine, _here: Address) -> int:
    """Work that is too little to count."""
    return 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What a panel is made of: what it has read itself, and what the page has read of the same moment."""

    doc: Any
    """what the panel's `read` returned"""
    zones: Sequence[Doc]
    """the zones of the machine"""
    sleeping: Sequence[Doc]
    """the tasks that sleep"""
    here: Address
    """the address of the page"""
    api: Api
    """where a terminal finds the session"""
    shown: Doc | None = None
    """the row that the banner shows"""
    guessed: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """free lists that were predicted, by zone"""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel of the machine page."""

    name: str
    """the name in addresses: `?panel=log`"""
    title: str
    """the title on its tab, marked with N_ where it is to be translated"""
    read: Callable[[Machine, Address, Doc], dict[str, Any]]
    """Reads what the panel shows, of a long list a part: from the machine, the address, the zone on the map.

    It runs on the thread that owns the machine where `cost` says that this is short, else beside, on a copy.
    """
    view: Callable[[Seen], PanelView]
    """makes the context of the panel's template"""
    cost: Callable[[Machine, Address], int] = no_cost
    """about how much work `read` is, as `app.machine.show_cost` counts it"""
    over_time: Callable[[Sequence[Doc], Doc, Address, range], SeriesQuery] | None = None
    """Says which numbers over time it shows, beside what it has read: of the zone on the map, over which of
    the session's rows. None where it shows one moment alone."""
    look: str | None = None
    """the words with which a step of a demo points at the panel; None where demos do not"""

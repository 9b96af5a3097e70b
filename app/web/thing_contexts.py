"""What the inspector is given of an address: an object of a slab, a vmap area, or what leads to a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.web.contexts import Action, Fact, Link
from app.web.panel_contexts import ObjectCell


@dataclass(frozen=True, slots=True)
class Thing:
    """What is at an address.

    kind: the word before it. state, letter: as on the map; empty where there is no memory. summary: what it
    is. actions: calls that need nothing more; forms: those whose form is opened. beside: the objects around
    it, itself, `index`, among them. frames: of an area; more: how many are left out.
    """

    kind: str
    address: str
    summary: str
    state: str = ""
    letter: str = ""
    owner: Fact | None = None
    facts: Sequence[Fact] = ()
    slab: Sequence[Fact] = ()
    actions: Sequence[Action] = ()
    forms: Sequence[Link] = ()
    beside: Sequence[ObjectCell] = ()
    frames: Sequence[Link] = ()
    more: int = 0
    index: int | None = None

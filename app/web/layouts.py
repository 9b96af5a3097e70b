"""The layouts of the machine page: one page, laid out for a purpose. Narrow screens have one column.

*Work* has everything at hand. *Stage* is for a room that looks on: what is told, what it did and the part
that it is about stand large beside each other, and the rest is further down.
"""

from __future__ import annotations

from typing import Final

from app.web.address import Address
from app.web.contexts.base import Link
from app.web.language import N_, _
from app.web.preferences import Preferences

WORK: Final = "work"
STAGE: Final = "stage"
LAYOUTS: Final = {
    WORK: (N_("Work"), N_("Form, outcome, map and panel on one screen")),
    STAGE: (N_("Stage"), N_("For a room that looks on: large, with what the step is about beside the text")),
}


def layout_of(here: Address, preferences: Preferences) -> str:
    """The layout that an address names, else what its purpose asks: a demo and a projector have a stage."""
    if here.layout in LAYOUTS:
        return here.layout
    return STAGE if here.demo is not None or preferences.projector else WORK


def layout_links(here: Address, chosen: str) -> list[Link]:
    """One link a layout."""
    return [
        Link(_(words), here.to(layout=name).href, name == chosen, _(hint))
        for name, (words, hint) in LAYOUTS.items()
    ]

"""The panels of the machine page: one module each, with what it reads, how that is shown, title and name.

A new panel is a module here with its `PANEL`, a template in templates/machine/panels/, and an entry below.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.web.address import Address
from app.web.contexts.base import Link
from app.web.language import _
from app.web.panels import history, leaks, lists, log, lru, pagecache, proc, slab, swap, tasks, vmalloc
from app.web.panels.base import Panel, Seen

__all__ = ["PANELS", "Panel", "Seen", "opened", "pointed_at", "tabs"]

# In the order of the tabs; the first is open where an address names none.
PANELS: Final = {
    panel.name: panel
    for panel in (
        lists.PANEL,
        slab.PANEL,
        vmalloc.PANEL,
        pagecache.PANEL,
        lru.PANEL,
        swap.PANEL,
        tasks.PANEL,
        leaks.PANEL,
        log.PANEL,
        proc.PANEL,
        history.PANEL,
    )
}


def opened(here: Address, panels: Mapping[str, Panel] = PANELS) -> Panel:
    """The panel that an address opens, of those that its view has."""
    return panels.get(here.panel or "", next(iter(panels.values())))


def tabs(open_panel: Panel, here: Address, panels: Mapping[str, Panel] = PANELS) -> list[Link]:
    """One tab a panel."""
    return [
        Link(_(panel.title), here.to(panel=panel.name, row=None).href, panel is open_panel)
        for panel in panels.values()
    ]


def pointed_at(look: str) -> Panel | None:
    """The panel that a step of a demo points at; None where that is no panel."""
    return next((panel for panel in PANELS.values() if panel.look == look), None)

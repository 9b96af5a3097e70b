"""The views of the machine page, between which the head of its centre switches.

A new view is a module here with its `VIEW`, a template in templates/machine/views/, and an entry below. What
is around the centre stays as it is: form, zones, outcome, console, journal and time.
"""

from __future__ import annotations

from typing import Final

from app.web.address import Address
from app.web.contexts.base import Link
from app.web.language import _
from app.web.views import frames, processes
from app.web.views.base import Asked, Sight, View

__all__ = ["VIEWS", "Asked", "Sight", "View", "chosen", "links"]

# In the order of the head; the first is shown where an address names none.
VIEWS: Final = {view.name: view for view in (frames.VIEW, processes.VIEW)}


def chosen(here: Address) -> View:
    """The view that an address shows."""
    return VIEWS.get(here.view or "", next(iter(VIEWS.values())))


def links(shown: View, here: Address) -> list[Link]:
    """One link a view."""
    return [
        Link(_(view.title), here.to(view=view.name, panel=None, row=None).href, view is shown)
        for view in VIEWS.values()
    ]

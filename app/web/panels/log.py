"""The panel of the kernel log: its last lines, since a log may have thousands and each may be long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from app.machine import show
from app.machine.machine import Machine
from app.web import wording
from app.web.address import Address
from app.web.contexts.base import Link
from app.web.contexts.panels import PanelView
from app.web.language import N_, _
from app.web.panels.base import Doc, Panel, Seen

LINES: Final = 400
BYTES: Final = 32 << 10


@dataclass(frozen=True, slots=True)
class LogPanel(PanelView):
    """The kernel log, oldest line first."""

    TEMPLATE: ClassVar[str] = "machine/panels/log.html"
    lines: Sequence[str]
    """the last lines"""
    cut: Link | None = None
    """link to all lines, where only the last are shown"""


def read(machine: Machine, _here: Address, _zone: Doc) -> dict[str, Any]:
    """Read the whole log."""
    return show.log(machine)


def view(seen: Seen) -> LogPanel:
    """Show the end of the log."""
    lines: Sequence[str] = seen.doc["lines"]
    shown = ending(lines)
    if len(shown) == len(lines):
        return LogPanel(lines)
    words = _(
        "The last %(shown)s of %(all)s lines: read all",
        shown=wording.count(len(shown)),
        all=wording.count(len(lines)),
    )
    return LogPanel(shown, Link(words, f"/api/v1/sessions/{seen.here.id}/log{seen.here.api_moment}"))


def ending(lines: Sequence[str]) -> Sequence[str]:
    """The last lines that are together no longer than can be shown; one at least."""
    first, size = len(lines), 0
    while first > 0 and len(lines) - first < LINES and size + len(lines[first - 1]) <= BYTES:
        first -= 1
        size += len(lines[first])
    return lines[min(first, max(0, len(lines) - 1)) :]


PANEL: Final = Panel("log", N_("Kernel log"), read, view, look=N_("log"))

"""The panel of the kernel log: its last lines, since a log may have thousands and each may be long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.web import wording
from app.web.address import Address
from app.web.contexts import Link, LogPanel
from app.web.language import _
from app.web.procfiles import at

LINES: Final = 400
BYTES: Final = 32 << 10


def log_panel(lines: Sequence[str], here: Address) -> LogPanel:
    """lines: the whole log, oldest first."""
    shown = ending(lines)
    if len(shown) == len(lines):
        return LogPanel(lines)
    words = _(
        "The last %(shown)s of %(all)s lines: read all",
        shown=wording.count(len(shown)),
        all=wording.count(len(lines)),
    )
    return LogPanel(shown, Link(words, f"/api/v1/sessions/{here.id}/log{at(here)}"))


def ending(lines: Sequence[str]) -> Sequence[str]:
    """The last lines that are together no longer than can be shown; one at least."""
    first, size = len(lines), 0
    while first > 0 and len(lines) - first < LINES and size + len(lines[first - 1]) <= BYTES:
        first -= 1
        size += len(lines[first])
    return lines[min(first, max(0, len(lines) - 1)) :]

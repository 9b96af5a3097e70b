"""The panel of /proc: the files as the machine's kernel would print them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from app.machine import show_cost
from app.machine.machine import Machine
from app.mm.proc import FILES, beginning
from app.web import wording
from app.web.address import Address
from app.web.contexts.base import Link
from app.web.contexts.panels import PanelView
from app.web.language import _
from app.web.panels.base import Doc, Panel, Seen
from app.web.recipes import curl_file

FIRST: Final = next(iter(FILES))
LINES: Final = 200


@dataclass(frozen=True, slots=True)
class ProcPanel(PanelView):
    """One file of /proc."""

    TEMPLATE: ClassVar[str] = "machine/panels/proc.html"
    files: Sequence[Link]
    """links to every file"""
    path: str
    """the path of the file"""
    text: str
    """its text, or the beginning of it"""
    curl: str
    """the line that reads it"""
    cut: str
    """how much of it is shown; empty where it is all"""
    whole: Link | None
    """link to all of it, where only a part is shown"""


def read(machine: Machine, here: Address, _zone: Doc) -> dict[str, Any]:
    """Read the beginning of the file that the address names, or of the first."""
    name = name_of(here)
    lines, whole = beginning(machine, name, LINES)
    return {"file": name, "lines": lines, "whole": whole}


def name_of(here: Address) -> str:
    """The file that the address names, or the first."""
    return here.file if here.file in FILES else FIRST


def cost(machine: Machine, here: Address) -> int:
    """About how much work `read` is."""
    return min(
        show_cost.proc_file(machine, name_of(here)), show_cost.beginning(machine, name_of(here), LINES)
    )


def view(seen: Seen) -> ProcPanel:
    """Show one file, with links to the others."""
    doc, here, name = seen.doc, seen.here, seen.doc["file"]
    return ProcPanel(
        files=[Link(f"/proc/{other}", here.to(file=other).href, other == name) for other in FILES],
        path=f"/proc/{name}",
        text="".join(f"{line}\n" for line in doc["lines"]),
        curl=curl_file(f"proc/{name}", seen.api),
        whole=None
        if doc["whole"]
        else Link(_("The whole file"), f"/api/v1/sessions/{here.id}/proc/{name}{here.api_moment}"),
        cut="" if doc["whole"] else _("The first %(lines)s lines.", lines=wording.count(LINES)),
    )


PANEL: Final = Panel("proc", "/proc", read, view, cost, look="/proc")

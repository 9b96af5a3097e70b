"""The panel of /proc: the files as the machine's kernel would print them."""

from __future__ import annotations

from typing import Any, Final

from app.machine import show_cost
from app.machine.machine import Machine
from app.mm.proc import FILES, beginning
from app.web import wording
from app.web.address import Address
from app.web.contexts import Link
from app.web.language import _
from app.web.panel_contexts import ProcPanel
from app.web.recipes import Api, curl_file

FIRST: Final = next(iter(FILES))
LINES: Final = 200


def read(machine: Machine, here: Address) -> dict[str, Any]:
    """The beginning of the file that the address names, or of the first."""
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


def proc_panel(doc: dict[str, Any], here: Address, api: Api) -> ProcPanel:
    """One file, and the way to the others."""
    name = doc["file"]
    return ProcPanel(
        files=[Link(f"/proc/{other}", here.to(file=other).href, other == name) for other in FILES],
        path=f"/proc/{name}",
        text="".join(f"{line}\n" for line in doc["lines"]),
        curl=curl_file(f"proc/{name}", api),
        whole=None
        if doc["whole"]
        else Link(_("The whole file"), f"/api/v1/sessions/{here.id}/proc/{name}{at(here)}"),
        cut="" if doc["whole"] else _("The first %(lines)s lines.", lines=wording.count(LINES)),
    )


def at(here: Address) -> str:
    """The moment that is shown, as the API takes it."""
    return "" if here.moment is None else f"?at={here.moment}"

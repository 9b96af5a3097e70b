"""The panel of /proc: the files as the machine's kernel would print them."""

from __future__ import annotations

from typing import Any, Final

from app.mm.machine import Machine
from app.mm.proc import FILES
from app.web.address import Address
from app.web.contexts import Link
from app.web.panel_contexts import ProcPanel
from app.web.recipes import Api, curl_file

FIRST: Final = next(iter(FILES))


def read(machine: Machine, here: Address) -> dict[str, Any]:
    """The file that the address names, or the first."""
    name = here.file if here.file in FILES else FIRST
    return {"file": name, "text": FILES[name](machine)}


def proc_panel(doc: dict[str, Any], here: Address, api: Api) -> ProcPanel:
    """One file, and the way to the others."""
    name = doc["file"]
    return ProcPanel(
        files=[Link(f"/proc/{other}", here.to(file=other).href, other == name) for other in FILES],
        path=f"/proc/{name}",
        text=doc["text"],
        curl=curl_file(f"proc/{name}", api),
    )

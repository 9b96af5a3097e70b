"""Panels that are one table: slab caches, vmalloc areas, tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.web import wording
from app.web.address import PANELS, Address
from app.web.contexts import Link, TablePanel

Doc = Mapping[str, Any]

TITLES: Final = {
    "lists": "Free lists",
    "slab": "Slab",
    "vmalloc": "vmalloc",
    "tasks": "Tasks and locks",
    "log": "Kernel log",
}


def tabs(open_panel: str, here: Address) -> list[Link]:
    """One tab a panel."""
    return [Link(TITLES[name], here.to(panel=name).href, name == open_panel) for name in PANELS]


def table_panel(panel: str, doc: Doc, here: Address) -> TablePanel | None:
    """The panel's table, where it is one."""
    match panel:
        case "tasks":
            return tasks(doc["tasks"], here)
        case _:
            return None


def tasks(found: Sequence[Doc], here: Address) -> TablePanel:
    """Who has made a call, and what they wait for."""
    return TablePanel(
        caption="Tasks: whoever has made a call. A task that waits for a page’s lock can make no other.",
        columns=(("Task", False), ("pid", True), ("Waits for the lock of", False), ("Since", True)),
        rows=[
            (
                task["name"],
                str(task["pid"]),
                ""
                if task["waiting_for"] is None
                else Link(wording.pfn(task["waiting_for"]), here.at(task["waiting_for"])),
                ""
                if task["since"] is None
                else Link(f"#{task['since']}", here.to(outcome=task["since"]).href),
            )
            for task in found
        ],
        empty="No task has made a call.",
    )

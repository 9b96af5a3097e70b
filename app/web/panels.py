"""Panels that are one table: slab caches, vmalloc areas, tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.web import wording
from app.web.address import PANELS, Address
from app.web.contexts import Link, TablePanel, TablePart
from app.web.language import N_, _
from app.web.tableparts import table_part

Doc = Mapping[str, Any]

TITLES: Final = {
    "lists": N_("Free lists"),
    "slab": N_("Slab"),
    "vmalloc": "vmalloc",
    "tasks": N_("Tasks and locks"),
    "log": N_("Kernel log"),
    "proc": "/proc",
}


def tabs(open_panel: str, here: Address) -> list[Link]:
    """One tab a panel."""
    return [Link(_(TITLES[name]), here.to(panel=name, row=None).href, name == open_panel) for name in PANELS]


def table_panel(panel: str, doc: Doc, here: Address) -> TablePanel | None:
    """The panel's table, where it is one."""
    part = table_part(here, doc["first"], doc["total"]) if "total" in doc else None
    match panel:
        case "slab":
            return None if doc["open"] else slab(doc["caches"], here, part)
        case "vmalloc":
            return vmalloc(doc["areas"], here, part)
        case "tasks":
            return tasks(doc["tasks"], here, part)
        case _:
            return None


def slab(caches: Sequence[Doc], here: Address, part: TablePart | None = None) -> TablePanel:
    """Caches that have slabs, in the order in which they were made.

    What is asked for, what it takes, what is lost.
    """
    return TablePanel(
        caption=_("Slab caches with slabs. Waste: the ends of slabs that no object fits into."),
        columns=(
            (_("Cache"), False),
            (_("Object"), True),
            (_("Takes"), True),
            (_("In use"), True),
            (_("Objects"), True),
            (_("Slabs"), True),
            (_("Order"), True),
            (_("Per slab"), True),
            (_("Waste"), True),
        ),
        rows=[
            (
                Link(cache["name"], here.to(slabs=cache["name"]).href),
                wording.count(cache["object_size"]),
                wording.count(cache["size"]),
                wording.count(cache["allocated"]),
                wording.count(cache["num_objs"]),
                wording.count(cache["num_slabs"]),
                str(cache["order"]),
                str(cache["objs_per_slab"]),
                wording.size(cache["waste"]),
            )
            for cache in caches
        ],
        empty=_("No cache has a slab yet."),
        part=part,
    )


def vmalloc(areas: Sequence[Doc], here: Address, part: TablePart | None = None) -> TablePanel:
    """Ranges of the vmalloc space, in the order of addresses; freed ones stay until a purge."""
    return TablePanel(
        caption=_("Areas of the vmalloc space. Freed ones keep their addresses until the next purge."),
        columns=(
            (_("From"), False),
            (_("To"), False),
            (_("Size"), True),
            (_("What"), False),
            (_("Frames"), True),
            (_("First frame"), False),
            (_("By"), False),
        ),
        rows=[
            (
                Link(area["address"], here.thing(area["address"]).to(area=area["address"]).href),
                area["end"],
                wording.size(area["size"]),
                area["kind"],
                wording.count(area["nr_pages"]) if "nr_pages" in area else "",
                Link(wording.pfn(area["pfns"][0]), here.at(area["pfns"][0])) if area.get("pfns") else "",
                Link(f"{area['task']} #{area['seq']}", here.to(outcome=area["seq"]).href)
                if area.get("seq")
                else "",
            )
            for area in areas
        ],
        empty=_("Nothing is mapped there."),
        part=part,
    )


def held(task: Doc, here: Address) -> list[Link]:
    """The page frames whose lock a task took, the first of them by name."""
    links = [Link(wording.pfn(pfn), here.at(pfn)) for pfn in task["holds"]]
    more = task["holds_count"] - len(links)
    return [*links, Link(_("and %(more)s more", more=wording.count(more)), None)] if more else links


def tasks(found: Sequence[Doc], here: Address, part: TablePart | None = None) -> TablePanel:
    """Who has made a call, what they hold and what they wait for."""
    return TablePanel(
        caption=_("Tasks: whoever has made a call. A task that waits for a page’s lock can make no other."),
        columns=(
            (_("Task"), False),
            ("pid", True),
            (_("Holds the locks of"), False),
            (_("Waits for the lock of"), False),
            (_("Since"), True),
        ),
        rows=[
            (
                task["name"],
                str(task["pid"]),
                held(task, here),
                ""
                if task["waiting_for"] is None
                else Link(wording.pfn(task["waiting_for"]), here.at(task["waiting_for"])),
                ""
                if task["since"] is None
                else Link(f"#{task['since']}", here.to(outcome=task["since"]).href),
            )
            for task in found
        ],
        empty=_("No task has made a call."),
        part=part,
    )

"""Tasks that sleep, in words: what they wait for, who has it, and what would wake them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.web import wording
from app.web.language import _
from app.web.nicknames import Names, called, with_nicknames

Doc = Mapping[str, Any]

LONGEST: Final = 16  # tasks in a sentence


def why(outcome: Doc, tasks: Sequence[Doc], people: Names) -> tuple[str, str]:
    """Headline and reason of a call that fell asleep.

    tasks: those that sleep now, which may be later. people: what some of them are called beside that.
    """
    name = outcome["args"].get("task", "init")
    shown = called(people, name)
    circle: Sequence[Doc] | None = outcome.get("deadlock")
    task = next((task for task in tasks if task["name"] == name), None)
    if task is None or task["since"] != outcome["seq"]:
        slept = _("Deadlock.") if circle else _("The task slept.")
        return slept, _("%(task)s has been woken since, or killed: it sleeps here no longer.", task=shown)
    if circle:
        return _("Deadlock: nobody in this circle can go on."), deadlock(with_nicknames(circle, people))
    pfn = task["waiting_for"]
    if task["waits_in"] == "kmap":
        return _("The task sleeps."), _(
            "%(task)s waits for a free kmap slot for %(pfn)s: all are in use. "
            "kunmap of any page would wake it; until then it can make no other call.",
            task=shown,
            pfn=wording.pfn(pfn),
        )
    page = f"pfn_to_page({wording.hexadecimal(pfn)})"
    waits = _(
        "%(task)s waits in the page’s queue and can make no other call: "
        "unlock_page(%(pfn)s) by any task, or kill_task(%(name)s), would end that.",
        task=shown,
        name=name,
        pfn=page,
    )
    known = with_nicknames(tasks, people)
    return _(
        "The task sleeps."
    ), f"{holder(with_nicknames(task, people))} {waits} {turn(task, known)}".rstrip()


def turn(task: Doc, tasks: Sequence[Doc]) -> str:
    """Say which tasks are before a task in its queue: an unlock wakes those first."""
    queue = [t for t in tasks if t["waiting_for"] == task["waiting_for"] and t["waits_in"] != "kmap"]
    before = [other for other in queue if other["since"] < task["since"]]
    if not before:
        return ""
    first = sorted(before, key=lambda other: int(other["since"]))[:LONGEST]
    more = (
        [_("and %(more)s more", more=wording.count(len(before) - LONGEST))] if len(before) > LONGEST else []
    )
    return _(
        "Before it in the queue: %(tasks)s. An unlock wakes those first, and goes no further than to the "
        "first that takes the lock.",
        tasks=", ".join([*(other["name"] for other in first), *more]),
    )


def holder(task: Doc) -> str:
    """Say who has locked the page that a task waits for."""
    pfn = wording.pfn(task["waiting_for"])
    if task["held_by"] is None:
        return _("%(pfn)s is locked, and the task that took the lock is gone.", pfn=pfn)
    return _("%(task)s holds the lock of %(pfn)s.", task=task["held_by"], pfn=pfn)


def deadlock(circle: Sequence[Doc]) -> str:
    """Describe a deadlock, and how to break it."""
    if len(circle) > LONGEST:
        return _(
            "%(tasks)s tasks in a circle, beginning with %(links)s. "
            "Only somebody else’s unlock_page of one of these pages would end it, "
            "or kill_task and then unlock_page.",
            tasks=wording.count(len(circle)),
            links="; ".join(map(wait, circle[:LONGEST])),
        )
    pages = _(" or ").join(
        f"unlock_page(pfn_to_page({wording.hexadecimal(link['waits_for'])}))" for link in circle
    )
    return _(
        "%(links)s. Only somebody else’s %(pages)s would end it, or kill_task and then unlock_page.",
        links="; ".join(map(wait, circle)),
        pages=pages,
    )


def wait(link: Doc) -> str:
    """One task of a circle."""
    values = {"task": link["task"], "pfn": wording.pfn(link["waits_for"]), "holder": link["held_by"]}
    if link["held_by"] == link["task"]:
        return _("%(task)s waits for %(pfn)s, which it holds itself", **values)
    return _("%(task)s waits for %(pfn)s, which %(holder)s holds", **values)

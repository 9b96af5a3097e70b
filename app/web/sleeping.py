"""Tasks that sleep, in words: for what, who has it, and what would wake them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.web import wording

Doc = Mapping[str, Any]


def why(outcome: Doc, tasks: Sequence[Doc]) -> tuple[str, str]:
    """Headline and reason of a call that fell asleep. tasks: as they are now, which may be later."""
    name = outcome["args"].get("task", "init")
    circle: Sequence[Doc] | None = outcome.get("deadlock")
    task = next((task for task in tasks if task["name"] == name), None)
    if task is None or task["since"] != outcome["seq"]:
        slept = "Deadlock." if circle else "The task slept."
        return slept, f"{name} has been woken since, or killed: it sleeps here no longer."
    if circle:
        return "Deadlock: nobody in this circle can go on.", deadlock(circle)
    pfn = task["waiting_for"]
    if task["waits_in"] == "kmap":
        return "The task sleeps.", (
            f"{name} waits for a free kmap slot for {wording.pfn(pfn)}: all are in use. "
            "kunmap of any page would wake it; until then it can make no other call."
        )
    return "The task sleeps.", (
        f"{holder(pfn, tasks)} {name} waits in the page’s queue and can make no other call: "
        f"unlock_page({wording.hexadecimal(pfn)}) by any task, or kill_task({name}), would free it."
    )


def holder(pfn: int, tasks: Sequence[Doc]) -> str:
    """Who has locked a page, as a sentence."""
    name = next((task["name"] for task in tasks if pfn in task["holds"]), None)
    if name is None:
        return f"{wording.pfn(pfn)} is locked, and the task that took the lock is gone."
    return f"{name} holds the lock of {wording.pfn(pfn)}."


def deadlock(circle: Sequence[Doc]) -> str:
    """A circle of tasks of which each waits for what the next has locked, and how to break it."""
    links = [
        f"{link['task']} waits for {wording.pfn(link['waits_for'])}, which "
        + ("it holds itself" if link["held_by"] == link["task"] else f"{link['held_by']} holds")
        for link in circle
    ]
    pages = " or ".join(f"unlock_page({wording.hexadecimal(link['waits_for'])})" for link in circle)
    return (
        f"{'; '.join(links)}. Only somebody else’s {pages} would end it, or kill_task and then unlock_page."
    )

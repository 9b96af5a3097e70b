"""Whose task a call is on a shared machine: each member is one, with the children that it has forked.

So two persons who lock the same page really contend, and a member's processes are theirs. A member `m7` says
`b` for the child that it forked under that name; the machine knows it as `m7-b`. What one member can take
of a machine that all share is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.errors import BadArgument, NoRoom
from app.machine import user_kinds
from app.machine.machine import Machine
from app.mm.madvise import MADV_POPULATE_READ, MADV_POPULATE_WRITE
from app.mm.pgtable_types import PAGE_SIZE
from app.sessions.access import Principal
from app.sessions.errors import Forbidden

MAX_TASKS: Final = 16
# A member's processes may have so much of all memory in theirs.
SHARE: Final = 4
# Settings of the machine are the instructor's.
OF_INSTRUCTORS: Final = frozenset(("swapoff", "swapon", "sysctl"))
# Calls that can make a process larger.
GROWING: Final = frozenset((
    "copy_from_user", "copy_to_user", "execve", "fork", "load", "madvise", "mlock", "mmap", "read", "store",
    "write",
))  # fmt: skip
FILLING_FLAGS: Final = user_kinds.MAP_FLAGS["MAP_POPULATE"] | user_kinds.MAP_FLAGS["MAP_LOCKED"]
FILLING_ADVICE: Final = (MADV_POPULATE_READ, MADV_POPULATE_WRITE)


class OwnTasks:
    """The tasks of one member on a machine, and those that earlier calls of a batch will have made."""

    def __init__(self, principal: Principal, machine: Machine) -> None:
        self.by = principal.by or ""
        self.machine = machine
        self.asked = 0
        prefix = f"{self.by}-"
        self.names = {name for name in machine.tasks if name == self.by or name.startswith(prefix)}

    def call(self, name: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """A call's arguments with the member's own tasks in them. Raises BadArgument, Forbidden, NoRoom."""
        if name in OF_INSTRUCTORS:
            raise Forbidden("the settings of a shared machine are its instructor's")
        found = {**body, "task": self.task(body.get("task", self.by))}
        if name == "fork" and "child" in body:
            found["child"] = self.child(body["child"])
        if name in GROWING:
            self.require_room(name, body)
        return found

    def task(self, given: Any) -> Any:
        """One of the member's tasks, by the name that it was forked under or by the machine's."""
        names = (given, f"{self.by}-{given}") if isinstance(given, str) else ()
        for name in names:
            if name == self.by or name in self.names:
                return name
        raise BadArgument.at(
            "task", f"on a shared machine you are the task {self.by}, or a child that it has forked"
        )

    def child(self, given: Any) -> Any:
        """A name for a new child."""
        if not isinstance(given, str):
            return given
        if len(self.names) >= MAX_TASKS:
            raise NoRoom(f"on a shared machine a member has at most {MAX_TASKS} tasks")
        name = given if given.startswith(f"{self.by}-") else f"{self.by}-{given}"
        if len(name) > 32:
            raise BadArgument.at(
                "child", f"at most {31 - len(self.by)} characters: {self.by}- stands before it"
            )
        self.names.add(name)
        return name

    def require_room(self, name: str, body: Mapping[str, Any]) -> None:
        """Refuse what might take more than a member's share of memory. Raises NoRoom."""
        self.asked += pages_asked(name, body)
        tasks = (self.machine.tasks[task] for task in self.names if task in self.machine.tasks)
        resident = sum(task.mm.mm_rss + sum(task.rss_stat) for task in tasks if task.mm is not None)
        share = sum(zone.managed_pages for zone in self.machine.zones) // SHARE
        if resident + self.asked > share:
            raise NoRoom(f"on a shared machine a member's processes have at most {share:,} pages: a quarter")


def pages_asked(name: str, body: Mapping[str, Any]) -> int:
    """How many pages a call can bring into memory at once, by its arguments as they were sent."""
    count, step, length = body.get("count", 1), body.get("step", PAGE_SIZE), body.get("length", 0)
    if name in ("load", "store") and type(count) is int and type(step) is int and count > 0:
        return min(count, abs(step) * (count - 1) // PAGE_SIZE + 1)
    return -(-length // PAGE_SIZE) if type(length) is int and fills(name, body) else 0


def fills(name: str, body: Mapping[str, Any]) -> bool:
    """Whether a call fills its range with pages. Arguments that cannot be read are refused later."""
    try:
        if name == "mmap":
            return bool(user_kinds.as_flags("map_flags", body.get("flags", 0)) & FILLING_FLAGS)
        if name == "madvise":
            return user_kinds.as_flags("madvice", body.get("advice", 0)) in FILLING_ADVICE
    except BadArgument:
        return False
    return name == "mlock"


def is_member(principal: Principal, role: str) -> bool:
    """Whether a person shares the machine with others."""
    return role == "member" and principal.lab is not None

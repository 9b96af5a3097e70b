"""Which process and which address are shown: the page's address names them, else the last call does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.machine import vm_windows
from app.machine.calls import Named
from app.machine.constants import UNITS
from app.machine.machine import Machine
from app.machine.user_kinds import USER_REFERENCE
from app.mm.sched import Task
from app.web.address import Address, memory_address

Doc = Mapping[str, Any]

# Calls that return an address of the process.
RETURN_ADDRESSES: Final = ("mmap", "mremap")
PAGE: Final = 4096


def process(machine: Machine, here: Address, shown: Doc | None) -> Task | None:
    """The process that is shown; None where there is none."""
    found = vm_windows.processes(machine)
    by_pid = {task.pid: task for task in found}
    by_name = {task.name: task for task in found}
    row = shown or {}
    mm = row.get("mm") or {}
    return (
        by_pid.get(here.pid or 0)
        or by_name.get(mm.get("task", ""))
        or by_name.get(row.get("task", ""))
        or next(iter(found), None)
    )


def other(machine: Machine, here: Address, task: Task) -> Task | None:
    """The process that it is compared with."""
    found = vm_windows.processes(machine)
    return next((each for each in found if each.pid == here.beside and each is not task), None)


def address(here: Address, shown: Doc | None, task: Task, most: int) -> int:
    """The address whose walk is shown; where nothing names one, that of the first instruction.

    most: the highest that the processor knows.
    """
    assert task.mm is not None
    typed = memory_address(here.va or "")
    if typed is not None and typed > most:
        typed = most
    called = None if typed is not None else address_of(shown)
    return next(at for at in (typed, called, task.mm.start_code) if at is not None)


def address_of(shown: Doc | None) -> int | None:
    """The address that a call was about."""
    if shown is None or shown["call"] == "fork":
        return None
    if access := shown.get("access"):
        return int(access[0]["addr"], 16)
    if shown["call"] in RETURN_ADDRESSES and isinstance(shown["ret"], str):
        return int(shown["ret"], 16)
    runs = shown.get("vma") or shown.get("pte")
    return int(runs[0][1], 16) if runs else None


def spelled(text: str | None, names: Mapping[str, Named | None]) -> str | None:
    """An address as it may be typed: a number, or the name of one with an offset, `a` or `a+4K`."""
    if text is None or memory_address(text) is not None:
        return text
    match = USER_REFERENCE.fullmatch(f"${text.replace(' ', '')}")
    named = None if match is None else names.get(match[1])
    if match is None or named is None or named.addr is None:
        return None
    offset = (int(match[3], 16) if match[3] else int(match[4] or 0)) * UNITS[match[5] or ""]
    at = named.addr - offset if match[2] == "-" else named.addr + offset
    return f"{at:#x}" if 0 <= at < 1 << 64 else None


def after(here: Address, outcome: Doc) -> Address:
    """What is shown after a call: the process and the address that it was about.

    A fork shows the child beside its parent, at the address that was shown.
    """
    here = here.to(outcome=outcome["seq"], before=None)
    if "access" not in outcome:
        return here
    if outcome["call"] == "fork":
        return here.to(beside=outcome["ret"])
    return here.to(pid=None, va=None)

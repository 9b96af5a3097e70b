"""Calls on tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from app.machine.calls import Call
from app.machine.outcome import Outcome
from app.mm import exit as mm_exit

if TYPE_CHECKING:
    from app.machine.machine import Machine


def kill_task(m: Machine, call: Call, outcome: Outcome) -> None:
    """End a task wherever it sleeps. Kernel: kernel/signal.c kill_proc_info"""
    outcome.ret = mm_exit.kill(m, call.args["task"])
    if outcome.ret < 0:
        m.worsen_null()


CALLERS: Final[dict[str, Callable[[Machine, Call, Outcome], None]]] = {"kill_task": kill_task}

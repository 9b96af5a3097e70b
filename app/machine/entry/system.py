"""Calls to the machine as a whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from app.machine.calls import Call
from app.machine.outcome import Outcome
from app.mm import sysctl as settings

if TYPE_CHECKING:
    from app.machine.machine import Machine


def sysctl(m: Machine, call: Call, outcome: Outcome) -> None:
    """Returns 0 or a negative error. Kernel: kernel/sysctl.c proc_dointvec_minmax and a handler"""
    outcome.ret = settings.write(m, call.args["name"], numbers(call.args["value"]))
    if outcome.ret < 0:
        m.worsen_null()


def numbers(value: int | str) -> list[int]:
    """The value as the call's parser has accepted it: one number, or several separated by blanks."""
    return [int(word) for word in value.split()] if isinstance(value, str) else [value]


CALLERS: Final[dict[str, Callable[[Machine, Call, Outcome], None]]] = {"sysctl": sysctl}

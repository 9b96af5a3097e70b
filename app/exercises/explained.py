"""The steps of an explanation, as the kernel reports them and as they are asked about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.exercises.playground import Playground
from app.machine.outcome import Outcome
from app.machine.trace import Trace, conclusion

Step = Mapping[str, Any]

NUMBER: Final = re.compile(r"0x[0-9a-fA-F]+|[0-9]+(?:,[0-9]{3})*")
BLANK: Final = "…"


def act(place: Playground, line: str, number: int = 1) -> tuple[list[Outcome], list[Step], int | None]:
    """Make the call of a line: what it came to, the kernel's steps on the way, and which of them decided.

    Raises Refused.
    """
    machine = place.machine
    trace = machine.trace = Trace(machine)
    try:
        outcomes = place.act(line, number)
    finally:
        machine.trace = None
    trace.close()
    if not outcomes:
        return [], [], None
    outcome = outcomes[-1].as_json(machine.model)
    _, deciding = conclusion.of(outcome, trace.steps, trace.mistakes.cause(), trace.mistakes.found)
    return outcomes, list(trace.steps), deciding


def asked(steps: Sequence[Step]) -> tuple[tuple[int, str], ...]:
    """Number and text of each step, without the figures that decided."""
    return tuple((number, text(step)) for number, step in enumerate(steps, 1))


def text(step: Step) -> str:
    """One step: the function, the zone, and what it does with its figures left out."""
    zone = f" ({step['zone']})" if step["zone"] else ""
    return f"{step['fn']}{zone}: {NUMBER.sub(BLANK, step['what'])}"

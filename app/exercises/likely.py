"""Wrong answers that can be computed, by their keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from app.exercises.forms import Answer
from app.machine.calls import Call
from app.machine.machine import Machine
from app.machine.outcome import Outcome

# The machine before the call, the call, what it came to, the machine after all calls, and the right answer;
# None where nobody can be wrong like that.
Likely: TypeAlias = "Callable[[Machine, Call, Outcome, Machine, Answer], Answer | None]"

LIKELY: Final[Mapping[str, Likely]] = MappingProxyType({})

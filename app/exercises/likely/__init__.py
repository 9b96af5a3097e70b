"""Wrong answers that people give, computed from the machine: for exercises, and for votes on any call.

Reading order: `act` (what they are computed from), `frames`, `free_lists`, `verdicts`, `served`,
`given_back`, `faults` (the wrong answers), `asked` (what a vote can be about), `choosing` (votes).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from app.exercises.likely.act import Likely
from app.exercises.likely.asked import ASKED
from app.exercises.likely.choosing import ALL, Choice, Vote, choices_for, possible, vote

__all__ = ["ASKED", "LIKELY", "Choice", "Likely", "Vote", "choices_for", "possible", "vote"]

LIKELY: Final = MappingProxyType({likely.key: likely for likely in ALL})

"""Page replacement compared: one reference string against the policies of the textbooks, and against 6.1's.

A policy says which page goes; `simulate.run` does the rest alike for all of them. What the textbooks leave
open, and what differs from one to the next, is decided once and written on every answer (`CONVENTIONS`).
`steps` has the references one by one with what decided, `anomaly` finds Belady's, `opinion` compares with the
steps of another simulator and finds the convention (`variants`) that makes them.
"""

from __future__ import annotations

from app.machine.replacement.conventions import CONVENTIONS
from app.machine.replacement.simulate import POLICIES, Result, run
from app.machine.replacement.strings import MOST_REFERENCES, ReferenceString

__all__ = ["CONVENTIONS", "MOST_REFERENCES", "POLICIES", "ReferenceString", "Result", "run"]

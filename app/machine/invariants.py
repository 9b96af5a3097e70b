"""Whether a machine is in order: every rule that its state must keep, whatever was called.

The kernel has such checks behind CONFIG_DEBUG_VM, one at each place where it would hurt. Here each part of
the state has its own, and their cost follows what was touched, not how much memory there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.machine.parts import PARTS

if TYPE_CHECKING:
    from app.machine.machine import Machine


def verify(m: Machine) -> list[str]:
    """Everything that is wrong with a machine, in words; an empty list is what it should be."""
    return [*impossible(m), *(fault for part in PARTS for fault in part.verify_counts(m))]


def impossible(m: Machine) -> list[str]:
    """What no call can bring about, not even a mistake: such a state is no machine's."""
    return [fault for part in PARTS for fault in part.verify(m)]

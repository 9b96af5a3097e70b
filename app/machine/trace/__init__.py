"""What the kernel decided on the way, step by step, and the kmem tracepoints that fired.

A machine has a `Trace` only while a call is explained: the call is made again on the state before it, and the
kernel's functions report the numbers they compare. Otherwise each report is one test of `m.trace`.

Kernel: include/trace/events/kmem.h for the form of the tracepoints.
"""

from __future__ import annotations

from app.machine.trace.areas import AreaSteps
from app.machine.trace.frees import FreeSteps
from app.machine.trace.pages import PageSteps
from app.machine.trace.reclaim import ReclaimSteps
from app.machine.trace.references import ReferenceSteps
from app.machine.trace.slabs import SlabSteps

__all__ = ["Trace"]


class Trace(PageSteps, ReclaimSteps, FreeSteps, SlabSteps, AreaSteps, ReferenceSteps):
    """The steps and tracepoints of one call; each base class has the reports of one subsystem."""

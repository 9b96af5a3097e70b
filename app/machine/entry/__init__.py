"""The calls: each is declared beside the function that takes it from checked arguments to the kernel.

A module for each area collects its calls in `calls`; `CALLS` has them all by name, in the order in which they
are listed. To add a call, declare it there: nothing else lists calls.
"""

from typing import Final

from app.machine.entry import highmem, locks, modules, pages, references, slab, system, vmalloc
from app.machine.vocabulary import CallSpec

CALLS: Final[dict[str, CallSpec]] = {
    spec.name: spec
    for module in (pages, references, locks, highmem, slab, vmalloc, modules, system)
    for spec in module.calls.declared
}

__all__ = ["CALLS"]

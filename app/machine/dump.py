"""A machine's whole state as one JSON document; `loading` is the way back.

The form is that of the recordings of real kernels: `kernel`, `nodes`, `zones`, `vmap` and `caches` are what
the recorder wrote; the other members are added, and may be missing when a recording is loaded. Two dumps are
equal exactly when the two machines would answer every later call alike.

A state is the same for keeping: what is most of a large dump stands there in a form that is quick to write
and to read. Two states are equal exactly when the dumps are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.machine.parts import PARTS

if TYPE_CHECKING:
    from app.machine.machine import Machine

# Goes up when a reader of before would misunderstand a dump. Those of the first form do not say so, and have
# no rule set; recordings have no format either.
FORMAT: Final = 2


def dump(m: Machine) -> dict[str, Any]:
    """The machine as a document of plain JSON values."""
    doc: dict[str, Any] = {"format": FORMAT}
    for part in PARTS:
        part.dump(m, doc)
    return doc


def state(m: Machine) -> dict[str, Any]:
    """The machine as a document of plain JSON values, for keeping."""
    doc: dict[str, Any] = {"format": FORMAT}
    for part in PARTS:
        (part.save or part.dump)(m, doc)
    return doc

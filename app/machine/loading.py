"""A machine from a dump, a recording or a kept state.

A dump comes from anywhere, so every value is checked where it is read, and the whole machine at the end. A
state comes from this program, and whoever keeps it sees by a hash that it is what it was: it is read in a
hurry. So never restore a state that a client could have made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.machine import invariants, ruleset
from app.machine.document import Document, Trusted
from app.machine.dump import FORMAT
from app.machine.machine import Machine
from app.machine.parts import PARTS, shape


def load(value: Any, rules: int = ruleset.FIRST) -> Machine:
    """A machine from a dump or a recording. Raises BadArgument with the place of what cannot be accepted.

    rules: of a dump that does not name its rule set.
    """
    doc = Document(value, ("dump",))
    m = read(doc, rules)
    faults = invariants.impossible(m)
    if faults:
        doc.fault(f"a state that a machine can be in: {faults[0]}")
    return m


def restore(document: Mapping[str, Any]) -> Machine:
    """The machine of a state, or of a dump, which is what states were before; that one is checked."""
    if not isinstance(document.get("pages"), dict):
        return load(document)
    return read(Trusted(document, ("dump",)), ruleset.FIRST)


def read(doc: Document, rules: int) -> Machine:
    """Part by part. Raises BadArgument."""
    form = doc.get("format", 1)
    if type(form.value) is int and form.value > FORMAT:
        form.fault(f"a number up to {FORMAT}: the dump was made by a newer version of kmemlab")
    form.int(1, FORMAT)
    m = Machine(*shape.read(doc))
    m.rules = rules
    for part in PARTS:
        part.load(m, doc)
    return m

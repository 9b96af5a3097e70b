"""How the machine came to be, and what it remembers beside its memory, in a dump."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine import bootparam, ruleset
from app.machine.parts.part import Dump, Part
from app.mm import printk

if TYPE_CHECKING:
    from app.machine.document import Document
    from app.machine.machine import Machine

MAX_COUNT: Final = 1 << 40


def dump(m: Machine, doc: Dump) -> None:
    """`machine`; a recording has none."""
    doc["machine"] = {
        "rules": m.rules,
        "config": m.config,
        "debug": m.debug,
        "freelist_seed": m.freelist_seed,
        "warned": list(m.warned),
        "taint": m.taint,
        "die_counter": m.die_counter,
    }


def load(m: Machine, doc: Document) -> None:
    """Inverse of `dump`. A recorded kernel does not check itself."""
    machine = doc.get("machine", {})
    rules = m.rules
    if machine.has("config"):
        bootparam.load(m, machine["config"])
    m.rules = load_rules(machine.get("rules", rules))
    m.debug = machine.get("debug", False).bool()
    if machine.has("freelist_seed"):
        m.freelist_seed = machine["freelist_seed"].int(0, 0xFFFFFFFF)
    m.taint = machine.get("taint", 0).int(0, printk.TAINT_FLAGS_MAX)
    m.die_counter = machine.get("die_counter", 0).int(0, MAX_COUNT)
    m.warned = {place.str(): None for place in machine.get("warned", []).list(1000)}


def load_rules(doc: Document) -> int:
    """A rule set that this program knows."""
    if type(doc.value) is int and doc.value > ruleset.TODAY:
        doc.fault(f"a rule set up to {ruleset.TODAY}: the dump was made by a newer version of kmemlab")
    return doc.int(ruleset.FIRST, ruleset.TODAY)


PART: Final = Part("origin", dump, load)

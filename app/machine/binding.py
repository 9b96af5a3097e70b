"""Names of results: what a call means by them, and what a result is called from then on."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

from app.machine import cachepointers
from app.machine.calls import Call, Lists, Named, no_lists
from app.machine.machine import Machine


def resolved(call: Call, names: Mapping[str, Named], m: Machine, lists: Lists = no_lists) -> Call:
    """The call with values in place of names, as the machine makes it now. Raises BadArgument."""
    found = call.resolve(names, m.model, lists, m.rules)
    return cachepointers.by_name(found, m) if "cache" in found.args else found


def bind(names: MutableMapping[str, Named], name: str, named: Named | None) -> None:
    """Have a name stand for a result; for nothing where the call had none that could be named."""
    if named is None:
        names.pop(name, None)
    else:
        names[name] = named

"""A slab cache by the pointer that kmem_cache_create returned, which is how C knows it.

The journal keeps the cache's name. So a pointer becomes the name when a call is made, and never when a
journalled call is made again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.machine.calls import Call, Reference, cache_of
from app.machine.checks import HEX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.machine.calls import Named
    from app.machine.machine import Machine


def by_name(call: Call, m: Machine) -> Call:
    """The same call with the name of the cache to which it was given a pointer."""
    given = call.args.get("cache")
    if given is None:
        return call
    name = name_of(given, m)
    return call if name == given else replace(call, args={**call.args, "cache": name}, text=None)


def name_of(given: str, m: Machine) -> str:
    """The name of a cache; what is no pointer to one stays as it is."""
    if given in m.caches or HEX.fullmatch(given) is None:
        return given
    pointer = int(given, 16)
    return next((name for name, s in m.caches.items() if s.object == pointer), given)


def meant(call: Call, names: Mapping[str, Named], m: Machine) -> Call:
    """The same call with the name of the cache that it will be given when its turn comes."""
    given = call.args.get("cache")
    if isinstance(given, Reference):
        named = names.get(given.name)
        given = given.name if named is None or named.kind != "cache" else cache_of(given, named)
        call = replace(call, args={**call.args, "cache": given}, text=None)
    return by_name(call, m)

"""The names that an instructor had in a machine at an earlier moment.

A name is kept with the seq of the call that gave it. Of one that was given before that was so it is not
known; but the machine knows by which call everything was allocated: such a name goes along when what it
stands for was in use then, by the same call as now.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from app.machine.calls import Named
from app.machine.machine import Machine
from app.machine.show_address import address_view
from app.mm.page_ref import block_of
from app.sessions import Principal, Sessions
from app.store import bound_names as kept


async def names_at(sessions: Sessions, who: Principal, session_id: str, at: int) -> str:
    """The names of a session's owner at a seq, as JSON."""
    head = (await sessions.get(who, session_id)).seq
    names = await sessions.query(kept.of_person, session_id, who.id)
    given: dict[str, int | None] = {name: json.loads(text).get("seq") for name, text in names.items()}
    later = {name for name, seq in given.items() if seq is not None and seq > at}
    unknown = {name: Named.from_json(json.loads(names[name])) for name, seq in given.items() if seq is None}
    if at != head and unknown:
        now = await sessions.read(who, session_id, made_by, unknown)
        then = await sessions.past(who, session_id, at, made_by, unknown)
        later |= {name for name in unknown if name not in then or now.get(name, then[name]) != then[name]}
    return json.dumps({name: text for name, text in names.items() if name not in later})


def made_by(machine: Machine, names: Mapping[str, Named]) -> dict[str, int]:
    """By which call that is allocated which is in use of what the names stand for."""
    found = {name: maker(machine, named) for name, named in names.items()}
    return {name: seq for name, seq in found.items() if seq is not None}


def maker(machine: Machine, named: Named) -> int | None:
    """The seq of the call that has allocated something, or the first of a list; None where it is free."""
    first = named.runs[0][0] if named.runs else named.pfn if named.kind == "page" else named.addr
    if first is None:
        return None
    if named.kind in ("page", "pages"):
        block = block_of(machine, first)
        return None if block is None else block.seq
    seen = address_view(machine, first)
    seq: int | None = (seen.get("block") or seen).get("seq")
    return seq

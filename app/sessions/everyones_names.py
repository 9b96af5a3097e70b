"""What everybody who calls a machine has named in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.machine.calls import Named
from app.machine.known_names import KnownNames
from app.sessions.access import LOCAL, Principal
from app.store import Connection, bound_names

Names = dict[str, Named]


@dataclass(slots=True)
class EveryonesNames:
    """The names in one session, by person."""

    by_person: dict[str, Names] = field(default_factory=dict)
    # The same by the number that a person has in rows (`m7`, `i1`).
    by_number: dict[str, Names] = field(default_factory=dict)

    def of(self, who: Principal) -> Names:
        """What a person has named."""
        found = self.by_person.get(who.id)
        if found is None:
            found = self.by_person[who.id] = {}
        if who.by is not None and who.by not in self.by_number:
            self.by_number[who.by] = found
        return found

    def give(self, who: Principal, names: Names) -> None:
        """Have a person's names be these from now on."""
        self.by_person[who.id] = names
        if who.by is not None:
            self.by_number[who.by] = names

    def known_to(self, who: Principal) -> Mapping[str, Named]:
        """What a person's calls may name."""
        return self.beside(self.of(who), who)

    def beside(self, own: dict[str, Any], who: Principal) -> Mapping[str, Any]:
        """Names that a person has, and those of everybody else behind their number, where anybody has one."""
        return KnownNames(own, who.by, self.by_number) if self.by_number else own


def read(db: Connection, session_id: str) -> EveryonesNames:
    """Everybody's names in a session."""
    found = EveryonesNames(
        {
            person: {name: Named.from_json(json.loads(named)) for name, named in theirs.items()}
            for person, theirs in bound_names.of(db, session_id).items()
        }
    )
    if found.by_person.keys() - {LOCAL.id}:
        for person, number in bound_names.numbers(db, session_id).items():
            if person in found.by_person:
                found.by_number[number] = found.by_person[person]
    return found

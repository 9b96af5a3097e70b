"""The person behind a request: the one user of open mode, an instructor, or a member of a lab."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from app.sessions import LOCAL, Forbidden, Principal
from app.store.people import AccountRow, MemberRow

Kind = Literal["local", "instructor", "member"]


@dataclass(frozen=True, slots=True)
class Person:
    """A person, as requests know them."""

    # Their identity in sessions.
    principal: Principal
    kind: Kind
    # The name that people see.
    name: str
    # Their number, as rows have it (`m7`, `i1`).
    number: int = 0
    # Whether they have joined a lab and are not admitted yet.
    waiting: bool = False

    @property
    def id(self) -> str:
        """The id in tokens and in the audit log."""
        return self.principal.id

    @property
    def lab(self) -> str | None:
        """The id of the lab of which they are a member."""
        return self.principal.lab

    @classmethod
    def of_account(cls, row: AccountRow) -> Person:
        """An instructor."""
        return cls(Principal(row.id, f"i{row.number}"), "instructor", row.name, row.number)

    @classmethod
    def of_member(cls, row: MemberRow) -> Person:
        """A student. Rows call them by their number: their nickname stands in no journal."""
        principal = Principal(row.id, f"m{row.number}", row.lab_id)
        return cls(principal, "member", row.nickname, row.number, row.waiting is not None)


LOCAL_PERSON: Final = Person(LOCAL, "local", "you")


def person_of(scope: Mapping[str, Any]) -> Person:
    """The person whom the guard found behind a request."""
    person = scope["state"]["person"]
    assert isinstance(person, Person)
    return person


NOT_ADMITTED: Final = (
    "you wait to be admitted: the lab has as many members as its instructor expects. "
    "Ask for your place; GET /api/v1/me says when you have it"
)
OPEN_MODE: Final = "labs are for a server that others can reach: start it with `kmemlab serve --lab`"


def require_instructor(person: Person) -> None:
    """Raise Forbidden for a person who is no instructor."""
    if person.kind == "local":
        raise Forbidden(OPEN_MODE)
    if person.kind != "instructor":
        raise Forbidden("only an instructor may do this")

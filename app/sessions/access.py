"""Who may do what with a session: the one place where that is decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from app.sessions.errors import Forbidden, NotFound
from app.store import Connection, access


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. id: by which sessions, grants and names know them. by: what rows call them, if anything."""

    id: str
    by: str | None = None


LOCAL: Final = Principal("local")


class Right(Enum):
    """What can be asked of a session."""

    READ = "read"
    CALL = "call"
    OWN = "own"


_RIGHTS: Final[dict[str, frozenset[Right]]] = {
    "owner": frozenset(Right),
    "member": frozenset({Right.READ, Right.CALL}),
    "watcher": frozenset({Right.READ}),
}


def require(db: Connection, principal: Principal, right: Right, session_id: str, owner: str) -> None:
    """Raise NotFound for a principal without a role, who must not even learn that the session exists.

    Raises Forbidden where the role does not go so far.
    """
    role = "owner" if principal.id == owner else access.role(db, session_id, principal.id)
    if role is None:
        raise NotFound("session", session_id)
    if right not in _RIGHTS[role]:
        raise Forbidden(
            f"a {role} of this session may not {'change' if right is Right.CALL else 'manage'} it"
        )


def principal_of(scope: Mapping[str, Any]) -> Principal:
    """The principal whom the guard found behind a request."""
    principal = scope["state"]["principal"]
    assert isinstance(principal, Principal)
    return principal

"""Access control: which principal may read, call or manage a session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from app.sessions.errors import Conflict, Forbidden, NotFound
from app.store import Connection, access


@dataclass(frozen=True, slots=True)
class Principal:
    """The identity on whose behalf a request is made."""

    # The id in sessions, grants and names.
    id: str
    # What rows have as `by`; None in open mode.
    by: str | None = None
    # The lab of which they are a member; their sessions belong to it.
    lab: str | None = None
    # Whether what is done for them goes beyond what a session's task allows, and how many they may have.
    unbound: bool = False

    @property
    def group(self) -> str | None:
        """The id of a grant to all members of their lab."""
        return None if self.lab is None else group_of(self.lab)


LOCAL: Final = Principal("local")


def group_of(lab: str) -> str:
    """The id of a grant to all members of a lab."""
    return f"lab:{lab}"


class Right(Enum):
    """What a principal wants to do with a session."""

    READ = "read"
    CALL = "call"
    OWN = "own"


_RIGHTS: Final[dict[str, frozenset[Right]]] = {
    "owner": frozenset(Right),
    "instructor": frozenset(Right),
    "member": frozenset({Right.READ, Right.CALL}),
    "watcher": frozenset({Right.READ}),
}


# Why a session takes no calls, in words; and who may make some all the same.
CLOSED: Final = "closed"
FROZEN: Final = "frozen"
LOCKED: Final = "locked"
WHY_HELD: Final = {
    CLOSED: "the lab is closed: its machines can be read, but not called any more",
    FROZEN: "the lab is frozen: the instructor has stopped all calls for now",
    LOCKED: "the instructor has locked this machine: it can be read, but not called for now",
}
ABOVE: Final = frozenset({FROZEN, LOCKED})
NO_CALL: Final = "no call before its task is answered"


def require(db: Connection, principal: Principal, right: Right, session_id: str, owner: str) -> str:
    """Return the role of a principal. Raises NotFound for one without: it must not learn of the session.

    Raises Forbidden where the role does not go so far.
    """
    if principal.id == owner:
        return "owner"
    role = access.role(db, session_id, principal.id, principal.group)
    if role is None:
        raise NotFound("session", session_id)
    if right not in _RIGHTS[role]:
        raise Forbidden(
            f"a {role} of this session may not {'change' if right is Right.CALL else 'manage'} it"
        )
    return role


def require_free(principal: Principal, role: str, held: str | None) -> None:
    """Raise Conflict where a session takes no calls now. What is not closed for good, instructors still call.

    A session that its owner has put into a lab is theirs as the lab's instructor: only members are in one.
    """
    above = role == "instructor" or principal.lab is None
    if held is not None and not (above and held in ABOVE):
        raise Conflict(WHY_HELD[held])


def require_allowed(principal: Principal, role: str, allow: str | None, calls: Iterable[str]) -> None:
    """Raise Conflict where the task of a session allows one of some calls not. allow: those that it does."""
    if allow is None or principal.unbound or role == "instructor":
        return
    allowed = allow.split()
    for call in calls:
        if call not in allowed:
            raise Conflict(
                f"{call} was not made: the task of this machine allows {', '.join(allowed) or NO_CALL}"
            )


def principal_of(scope: Mapping[str, Any]) -> Principal:
    """The principal whom the guard found behind a request."""
    principal = scope["state"]["principal"]
    assert isinstance(principal, Principal)
    return principal

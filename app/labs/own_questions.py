"""Tasks that go on from where a member's goal has ended: asked on a copy of their machine."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_core import from_json

from app.exercises import variant
from app.exercises.playground import Playground, Refused
from app.exercises.rejected import Rejected
from app.exercises.sealing import TaskVariant
from app.labs.worked import Worked
from app.machine.calls import Lists, Named
from app.machine.machine import Machine
from app.sessions import Conflict, Principal, Sessions
from app.store.journal import Row


class OwnQuestions:
    """Asks tasks on past machines, on the background thread."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def on_own_machine(self, principal: Principal, found: Worked, number: int) -> TaskVariant:
        """A task in the state that the member's tasks before it have left. Raises Conflict."""
        if found.row.session_id is None:
            raise Conflict("the machine of this variant was deleted")
        at = found.starts_at(number)
        between = [line for one in found.unrevealed(number) for line in found.variant.task(one).task.calls]
        try:
            return await self._sessions.stretch(
                principal, found.row.session_id, at, at, asked, found, number, at, between
            )
        except (Refused, Rejected) as error:
            raise Conflict(
                f"task {number} cannot be asked on your machine as it is: "
                "go back to where the task before it ended, or give up"
            ) from error


def asked(
    machine: Machine,
    _rows: Sequence[Row],
    lists: Lists,
    found: Worked,
    number: int,
    at: int,
    between: Sequence[str],
) -> TaskVariant:
    """The same on a machine, which is used up. between: calls that are made first.

    Raises Refused and Rejected.
    """
    kept = found.names_at(number)
    names = {name: Named.from_json(from_json(text)) for name, text in kept.items()}
    place = Playground(machine, at, dict(names), dict.fromkeys(names), lists)
    place.make(between)
    return variant.asked_on(found.variant, number, place)

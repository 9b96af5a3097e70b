"""How far a member has come with a variant: where each task begins in the session, and what was done."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Self


@dataclass(slots=True)
class TaskProgress:
    """One task."""

    # When it could be answered first; None before.
    opened: str | None = None
    # Of a goal: the seq behind which it is worked on.
    start: int | None = None
    # Of a goal: the seq that the next task goes on from, and what was named there, as JSON.
    end: int | None = None
    names: dict[str, str] | None = None
    # Whether the member has given up.
    given_up: bool = False
    # When its calls were made in the session, and the first and last of their rows.
    revealed: str | None = None
    rows: tuple[int, int] | None = None


@dataclass(slots=True)
class Progress:
    """All tasks of a variant."""

    tasks: list[TaskProgress] = field(default_factory=list)
    # The seq of the session behind the prelude, and what was named there; None while that was not made.
    base: int | None = None
    names: dict[str, str] | None = None
    # Whether the instructor has given the member another variant instead.
    replaced: bool = False

    @classmethod
    def fresh(cls, tasks: int) -> Self:
        """Nothing was done yet."""
        return cls([TaskProgress() for _ in range(tasks)])

    @classmethod
    def read(cls, text: str) -> Self:
        """As it is kept."""
        kept = json.loads(text)
        tasks = [
            TaskProgress(**{**one, "rows": None if one["rows"] is None else tuple(one["rows"])})
            for one in kept["tasks"]
        ]
        return cls(tasks, kept["base"], kept["names"], kept["replaced"])

    def written(self) -> str:
        """As it is to be kept."""
        return json.dumps(asdict(self))

    def task(self, number: int) -> TaskProgress:
        """A task by its number, from 1."""
        return self.tasks[number - 1]

"""Variants of exercises for practice, by number: the same number is the same variant, for everybody."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from app.exercises import variant
from app.exercises.exercise import Exercise
from app.exercises.library import Library
from app.exercises.playground import Playground
from app.exercises.rows import MadeRow
from app.exercises.variant import CannotVary, Variant
from app.sessions import Conflict, NotFound, Principal, SessionInfo, Sessions
from app.sessions.queries import Event
from app.store import variants as sheet_variants

# Numbers of variants.
HIGHEST: Final = 999_999_999
KEPT: Final = 200

# Arguments of a row that say which part of a list was meant.
PART_OF_LIST: Final = frozenset({"start", "step", "count"})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Which:
    """An exercise by its name, and the number of a variant."""

    exercise: str
    number: int


@dataclass(frozen=True, slots=True)
class Practised:
    """A variant with a session that was made for it. first: the row behind its prelude."""

    variant: Variant
    first: int


class Variants:
    """Draws variants, and sees which sessions were made for them. A few are kept, since pages ask often."""

    def __init__(self, sessions: Sessions, library: Library) -> None:
        self._sessions = sessions
        self._library = library
        # By the text of the file, so that a saved file is another exercise.
        self._drawn = Kept[Variant]()
        self._fitting = Kept[int]()

    def exercise(self, name: str) -> Exercise:
        """An exercise. Raises NotFound."""
        found = self._library.exercises().get(name)
        if found is None:
            raise NotFound("exercise", name)
        return found

    async def drawn(self, who: Principal, which: Which) -> Variant:
        """The variant. Raises NotFound, Conflict where none can be drawn, and TooMany."""
        exercise = self.exercise(which.exercise)
        key = (exercise.sha256, which.number)
        found = self._drawn.get(key)
        if found is None:
            try:
                found = await self._sessions.compute(who, variant.draw, exercise, seed(which))
            except CannotVary as error:
                raise Conflict(f"this exercise cannot be practised now: {error}") from None
            self._drawn.put(key, found)
        return found

    async def of_session(self, who: Principal, session_id: str, which: Which) -> Practised:
        """The variant, where the session was made for it. Raises as `drawn`, and Conflict.

        The machine of a sheet's exercise is none: it would say what is right before it is answered there.
        """
        found = await self.drawn(who, which)
        info = await self._sessions.get(who, session_id)
        if await self._sessions.query(sheet_variants.of_session, session_id) is not None:
            raise Conflict("this machine is that of a sheet's exercise: work on it there")
        key = (session_id, found.exercise.sha256, which.number)
        first = self._fitting.get(key)
        if first is None:
            wanted = await self._sessions.compute(who, beginning, found)
            rows = await self._sessions.events(who, session_id, 0, len(wanted.rows))
            if not fits(info, rows, wanted):
                raise Conflict(
                    "this session was not made for this exercise, or the exercise has changed since: "
                    "practise it again in a new one"
                )
            first = len(wanted.rows)
            self._fitting.put(key, first)
        return Practised(found, first)


class Kept(OrderedDict[Any, T]):
    """The values that were used last."""

    def get(self, key: Any) -> T | None:  # type: ignore[override]
        """One, if it is still there."""
        if key not in self:
            return None
        self.move_to_end(key)
        return self[key]

    def put(self, key: Any, value: T) -> None:
        """Keep one more."""
        self[key] = value
        while len(self) > KEPT:
            self.popitem(last=False)


def seed(which: Which) -> bytes:
    """What the values of a variant are drawn from."""
    return hashlib.sha256(f"practice\n{which.exercise}\n{which.number}".encode()).digest()[:8]


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a session of a variant begins: what its machine is, and the rows of the prelude."""

    machine: dict[str, Any]
    rows: tuple[MadeRow, ...]


def beginning(of: Variant) -> Beginning:
    """Make the machine and the prelude of a variant."""
    place = Playground.boot(of.machine)
    return Beginning(place.machine.describe(), tuple(place.make(of.prelude)))


def fits(info: SessionInfo, rows: list[Event], wanted: Beginning) -> bool:
    """Whether a session has this machine, and begins with these rows."""
    if info.start != 0 or info.machine != wanted.machine or len(rows) != len(wanted.rows):
        return False
    return all(same(row.outcome, made) for row, made in zip(rows, wanted.rows, strict=True))


def same(outcome: dict[str, Any], made: MadeRow) -> bool:
    """Whether a row of a journal is the call that was made. A list stands in each journal by its row."""
    return (outcome["call"], outcome["verdict"]) == (made.name, made.outcome["verdict"]) and (
        plain(outcome["args"]) == plain(made.body)
    )


def plain(args: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as they are compared.

    A journal names the row of a list and which part of it was meant; a call that was made by itself has the
    blocks.
    """
    of_lists = {name for name, value in args.items() if isinstance(value, dict | list)}
    left_out = PART_OF_LIST if of_lists else frozenset()
    return {
        name: "a list" if name in of_lists else value for name, value in args.items() if name not in left_out
    }

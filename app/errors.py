"""The base class of all refusals, and those that a call's arguments or the machine give rise to.

A refusal is no answer of the kernel: nothing has happened and nothing is journalled. What depends on the
state of the machine is not refused: the kernel answers it with NULL, a WARN or a BUG text. `app.refusals` has
the HTTP status of each class.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from app import meant

Location = tuple[str | int, ...]

# An error is read by a person, and is made of what a client sent: so each part of it is bounded.
FAULTS_SHOWN: Final = 20
NAME_SHOWN: Final = 40
MESSAGE_SHOWN: Final = 400
DEPTH_SHOWN: Final = 12
TEXT_SHOWN: Final = 900


class Refusal(Exception):  # noqa: N818 - named for what the caller gets
    """A request that was not done. Its text says why, and is written for the caller."""


def shortened(text: str, most: int) -> str:
    """The text, or its beginning with an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


@dataclass(frozen=True, slots=True)
class Fault:
    """One field at fault: where it stands and what would be accepted. Long names and texts are shortened."""

    loc: Location
    msg: str
    # What stands in the field or line and is not known.
    word: str = ""
    # What is known in that place.
    among: Collection[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "loc", tuple(map(shown, self.loc[:DEPTH_SHOWN])))
        object.__setattr__(self, "msg", shortened(self.msg, MESSAGE_SHOWN))

    @property
    def suggestions(self) -> tuple[str, ...]:
        """What was probably meant by the word. Sought only where it is shown: it takes a while."""
        return meant.like(self.word, self.among)

    def at(self, loc: Location, msg: str | None = None) -> Fault:
        """The same fault, seen from elsewhere."""
        return replace(self, loc=loc, msg=self.msg if msg is None else msg)


def shown(part: str | int) -> str | int:
    """One step of a place, as an error shows it."""
    return shortened(part, NAME_SHOWN) if isinstance(part, str) else part


class Faults:
    """Collects faults. The first 20 are kept; further ones are only counted."""

    __slots__ = ("first", "more")

    def __init__(self) -> None:
        self.first: list[Fault] = []
        self.more = 0

    def add(self, loc: str | Location, msg: str, word: str = "", among: Collection[str] = ()) -> None:
        """One more. word, among: what is not known, and what is."""
        if len(self.first) < FAULTS_SHOWN:
            self.first.append(Fault((loc,) if isinstance(loc, str) else loc, msg, word, among))
        else:
            self.more += 1

    def extend(self, error: BadArgument) -> None:
        """Those of an error."""
        room = FAULTS_SHOWN - len(self.first)
        self.first += error.faults[:room]
        self.more += max(0, len(error.faults) - room) + error.more

    def check(self) -> None:
        """Raises BadArgument where there are any."""
        if self.first:
            raise BadArgument(*self.first, more=self.more)


class BadArgument(Refusal, ValueError):  # noqa: N818 - as the API has called it from the beginning
    """One or more fields of a call or of a machine's description cannot be accepted.

    faults: the first 20. more: how many there are beside them.
    """

    def __init__(self, *faults: Fault, more: int = 0) -> None:
        self.faults = faults[:FAULTS_SHOWN]
        self.more = more + len(faults) - len(self.faults)
        super().__init__(self.text())

    def text(self) -> str:
        """All faults in one line."""
        places = (".".join(map(str, fault.loc)) or "request" for fault in self.faults)
        words = "; ".join(f"{place}: {fault.msg}" for place, fault in zip(places, self.faults, strict=True))
        words = shortened(words, TEXT_SHOWN)
        return f"{words}; and {self.more:,} more" if self.more else words

    @classmethod
    def at(cls, loc: str | Location, msg: str, word: str = "", among: Collection[str] = ()) -> BadArgument:
        """The usual case: a single field. word, among: what is not known, and what is."""
        return cls(Fault((loc,) if isinstance(loc, str) else loc, msg, word, among))

    def under(self, *prefix: str | int) -> BadArgument:
        """The same faults, seen from an enclosing document (`["calls", 3, …]`)."""
        return BadArgument(*(fault.at((*prefix, *fault.loc)) for fault in self.faults), more=self.more)


class TaskBlocked(Refusal):
    """A task that sleeps in a wait queue was asked to make another call."""

    def __init__(self, task: str, pfn: int, since: int, *, for_slot: bool = False) -> None:
        queue = "for a kmap slot for" if for_slot else "on the lock of"
        remedy = (
            "kunmap of a page that nobody else uses" if for_slot else "unlock_page by any task, in its turn"
        )
        super().__init__(
            f"{task} has been asleep since #{since}, {queue} page frame {pfn:#x}. "
            f"Undo, or wake it from another task: {remedy}, or kill_task"
        )
        self.task = task
        self.pfn = pfn
        self.since = since


class MachinePanicked(Refusal):
    """A machine whose kernel has stopped for good was asked for another call. seq: the row of the panic."""

    def __init__(self, seq: int) -> None:
        super().__init__(
            f"the kernel panicked in row #{seq}: nothing runs on this machine any more. "
            "Undo that row, rewind to an earlier one, or copy the session as it was before"
        )
        self.seq = seq


class TaskAlive(Refusal):
    """A new task was to have the name of one that lives."""

    def __init__(self, task: str) -> None:
        super().__init__(f"there is a task {task!r} already: a child needs a name of its own")
        self.task = task


class NoRoom(Refusal):
    """The call would make the machine larger than one session may be."""

"""The caller's mistakes, told apart from the kernel's answers.

A `BadArgument` can be decided from the call and the machine's fixed shape alone; nothing has happened and
nothing is journalled. Whatever depends on state is not an error here: the kernel answers it with NULL, a WARN
or a BUG text.
"""

from __future__ import annotations

from dataclasses import dataclass

Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """One field at fault: where it stands and what would be accepted."""

    loc: Location
    msg: str


class BadArgument(ValueError):  # noqa: N818 - what it is about, as in the HTTP contract
    """One or more fields of a call or of a machine's description cannot be accepted."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, f.loc)) or 'request'}: {f.msg}" for f in faults))
        self.faults = faults

    @classmethod
    def at(cls, loc: str | Location, msg: str) -> BadArgument:
        """The usual case: a single field."""
        return cls(Fault((loc,) if isinstance(loc, str) else loc, msg))

    def under(self, *prefix: str | int) -> BadArgument:
        """The same faults, seen from an enclosing document (`["calls", 3, …]`)."""
        return BadArgument(*(Fault((*prefix, *f.loc), f.msg) for f in self.faults))


class TaskBlocked(Exception):  # noqa: N818 - a state of the machine, not an error of ours
    """A task that sleeps in a wait queue was asked to make another call."""

    def __init__(self, task: str, pfn: int, since: int, *, for_slot: bool = False) -> None:
        queue = "for a kmap slot for" if for_slot else "on the lock of"
        remedy = (
            "kunmap of a page that nobody else uses" if for_slot else "unlock_page by any task, in its turn"
        )
        super().__init__(
            f"task {task!r} sleeps {queue} page frame {pfn:#x} since seq {since}; "
            f"{remedy}, or kill_task, would free it"
        )
        self.task = task
        self.pfn = pfn
        self.since = since


class NoRoom(Exception):  # noqa: N818 - a bound that protects the server, not an error of the call
    """The call would make the machine larger than one session may be."""

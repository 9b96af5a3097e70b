"""Finds the whole of a list that is too long for its row, which only counts it.

Lists of blocks are stored. For the others the call is made again, on a machine as it was before. The last
list is cached, since readers ask for it page by page.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Any, Final

from pydantic_core import from_json

from app.machine import changes
from app.machine.calls import BlockList
from app.machine.machine import Machine
from app.machine.outcome import Outcome
from app.sessions import blocklists
from app.sessions.encoding import LISTS
from app.sessions.errors import NotFound
from app.sessions.past_machines import PastMachines
from app.store import Connection, journal, lists
from app.store.journal import Row

# Elements of all lists that stay.
ELEMENTS_CACHED: Final = 1_000_000


class EventLists:
    """The lists of outcomes. May be used by several threads."""

    def __init__(self, past: PastMachines) -> None:
        self._past = past
        self._lock = Lock()
        self._kept: OrderedDict[tuple[str, int, str], Sequence[Any]] = OrderedDict()

    def of(self, db: Connection, session_id: str, seq: int, name: str) -> Sequence[Any]:
        """The list of that name in the outcome of a row. Raises NotFound and Conflict."""
        row = next(iter(journal.tail(db, session_id, seq - 1, seq)), None)
        if row is None:
            raise NotFound("event", str(seq))
        with self._lock:
            found = self._kept.pop((session_id, seq, name), None)
        if found is None:
            found = self._found(db, row, name)
        with self._lock:
            self._kept[session_id, seq, name] = found
            while len(self._kept) > 1 and sum(map(len, self._kept.values())) > ELEMENTS_CACHED:
                self._kept.popitem(last=False)
        return found

    def _found(self, db: Connection, row: Row, name: str) -> Sequence[Any]:
        outcome = from_json(row.outcome)
        holder = outcome.get("area") or {} if name == "pfns" else outcome
        if name not in LISTS or name not in holder:
            raise NotFound(f"list in the outcome of event {row.seq}", name)
        if holder[name] is not None:
            return list(holder[name])
        if row.effective != row.seq:
            return []  # a rewind: everything may have changed, and it has no list of that
        if name == "runs" and (stored := lists.get(db, row.session_id, row.seq)) is not None:
            return runs_of(blocklists.decode(stored))
        return self._made_again(db, row, name)

    def _made_again(self, db: Connection, row: Row, name: str) -> Sequence[Any]:
        with self._past.before(db, row) as (machine, call, again):
            before = pages_at(machine, call.args.get("addr"))
            return whole(machine, again(), name, before)


def runs_of(found: BlockList) -> list[list[Any]]:
    """A list of blocks as an outcome has it: addresses are hexadecimal."""
    if found.kind == "addrs":
        return [[f"{first:#x}", blocks] for first, blocks in found.runs]
    return [list(run) for run in found.runs]


def whole(machine: Machine, made: Outcome, name: str, before: Sequence[int]) -> Sequence[Any]:
    """A list of what a call has done. before: the frames of the area that it was given."""
    if name == "changed":
        return changes.all_runs(made.mentions)
    if name == "pfns":
        assert made.area is not None
        return before or pages_at(machine, int(made.area["address"], 16))
    found: Sequence[Any] = getattr(made, name)
    return list(found or ())


def pages_at(machine: Machine, address: Any) -> list[int]:
    """The frames of the vmalloc area at an address."""
    area = machine.vmap.busy.find(address) if isinstance(address, int) else None
    return [] if area is None or area.vm is None else list(area.vm.pages)

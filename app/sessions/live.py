"""An open machine, with its position in its session's journal."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Final

from pydantic_core import from_json, to_json

from app.clock import now
from app.errors import MachinePanicked, NoRoom, TaskAlive, TaskBlocked
from app.machine import binding, parsing
from app.machine.calls import Call, Lists, Named, no_lists
from app.machine.entry import CALLS
from app.machine.machine import ENGINE, Machine
from app.machine.outcome import Outcome
from app.sessions import blocklists, bounds, scheduler, snapshots
from app.sessions.answers import Applied
from app.sessions.encoding import encode, result
from app.sessions.errors import Conflict, LimitReached, NotFound
from app.sessions.everyones_names import EveryonesNames
from app.store.journal import Row
from app.store.lists import StoredList
from app.store.states import State

# What a machine takes beside its blocks, and for each block or section: measured, and only to choose what to
# close.
MACHINE_BYTES: Final = 200_000
BLOCK_BYTES: Final = 700
# For each 512 frames of which processes or files use any.
SECTION_BYTES: Final = 20_000

CALLS_PARSED: Final = 1_000

# A call that took longer on the thread that everybody's calls share is made elsewhere the next time, until it
# takes less again. Seconds.
SLOW_SECONDS: Final = 0.02
QUICK_SECONDS: Final = 0.005


@dataclass(slots=True)
class CallResult:
    """One call that was made: its row and answer, and what the machine made of it."""

    row: Row
    applied: Applied
    made: Outcome
    # The list of blocks that it returned, if any.
    stored: StoredList | None
    # What a name for its result stands for; a list by its row.
    named: Named | None


@dataclass(slots=True)
class Live:
    """An open machine. Used by one thread at a time."""

    id: str
    owner: str
    machine: Machine
    # The seq of the last row, and the seq whose state the machine has.
    seq: int
    effective: int
    # The seq of the last row that is committed, as far as this process knows.
    committed: int
    # What each person has named.
    names: EveryonesNames = field(default_factory=EveryonesNames)
    # Work of the calls since the last snapshot (`Outcome.work`), which opening the session would replay.
    work: int = 0
    # Bytes of all that the session has caused to be stored.
    size: int = 0
    # Lists of rows that are not committed yet, by seq.
    unwritten: dict[int, StoredList] = field(default_factory=dict)
    # Finds a list by its seq, unwritten or stored.
    lists: Lists = no_lists
    # Names of calls that took long on this machine the last time.
    slow: set[str] = field(default_factory=set)
    # Why the journal goes on but this machine cannot.
    diverged: str | None = None
    # The engine with which the journal began.
    engine: int = ENGINE
    # Whether the machine is not in the state of the journal, so that it must not be used again.
    spoiled: bool = False
    # Why the session takes no calls, as the current transaction has read it.
    held: str | None = None
    # The calls that its task allows, likewise; None for all.
    allow: str | None = None

    def __post_init__(self) -> None:
        # Long loops let other persons' heavy work go first, and stop when their request has ended.
        self.machine.pause = scheduler.go_on

    @property
    def memory(self) -> int:
        """The estimated memory of the machine, in bytes."""
        sections = len(self.machine.vm.sections)
        return MACHINE_BYTES + BLOCK_BYTES * self.machine.live_blocks + SECTION_BYTES * sections

    def parse(self, name: str, body: Mapping[str, Any], known: Container[str]) -> Call:
        """A call from its JSON. Raises NotFound, BadArgument, and Conflict where no calls can be made."""
        if self.diverged is not None:
            raise Conflict(self.diverged)
        if name not in CALLS:
            raise NotFound("call", name)
        bounds.require_short(body)
        return parsing.parse(name, body, self.machine.model, known)

    def apply(self, call: Call, names: Mapping[str, Named], by: str | None) -> CallResult:
        """Make one call.

        Raises BadArgument, TaskBlocked, TaskAlive, MachinePanicked and LimitReached with the machine
        unchanged.

        Any other exception leaves it spoiled.
        """
        machine = self.machine
        resolved = binding.resolved(call, names, machine, self.lists)
        seq = self.seq + 1
        self.spoiled = True
        began = perf_counter()
        try:
            outcome = machine.apply(resolved, seq)
        except (TaskBlocked, TaskAlive, MachinePanicked):
            self.spoiled = False
            raise
        except NoRoom as error:
            self.spoiled = False
            raise LimitReached((), str(error)) from error
        seconds = perf_counter() - began
        if seconds > SLOW_SECONDS or self.slow:
            self._took(call.spec.name, seconds)
        change = self._change(seq, outcome, by)
        self.seq = self.effective = seq
        self.work += outcome.work
        self.spoiled = False
        return change

    def state_if_due(self) -> tuple[int, State] | None:
        """The present state, to be kept once it is committed, where replaying would take long by now."""
        if not snapshots.due(self.work, self.machine.live_blocks):
            return None
        self.work = 0
        return self.effective, snapshots.encode(self.machine.state())

    def _took(self, name: str, seconds: float) -> None:
        """Note whether a call took long by the wall clock, since other calls waited for it."""
        if seconds > SLOW_SECONDS:
            self.slow.add(name)
        elif seconds < QUICK_SECONDS:
            self.slow.discard(name)

    def _change(self, seq: int, made: Outcome, by: str | None) -> CallResult:
        """The row and the answer, encoded once for both."""
        time = now()
        args, body = encode(made, self.machine.model, seq, time, by)
        row = Row(self.id, seq, seq, made.call.spec.name, args, body, by, time)
        named, stored = made.named, None
        if named is not None and named.is_list:
            stored = self.unwritten[seq] = blocklists.encode(named)
            named = named.listed(stored.sha256, seq)
            self.size += len(stored.body)
        self.size += len(args) + len(body)
        return CallResult(row, Applied(seq, body), made, stored, named)

    def follow(self, seq: int, call: str, to: int, by: str | None) -> tuple[Row, Applied]:
        """Journal a rewind to the state that this machine has: its row and answer.

        call: `rewind` or `undo`. to: the seq that is gone back to.
        """
        time = now()
        outcome = outcome_of_rewind(seq + 1, call, to, time, by)
        body = to_json(outcome)
        self.seq = seq + 1
        row = Row(self.id, self.seq, self.effective, call, to_json(outcome["args"]), body, by, time)
        return row, Applied(self.seq, body)

    def replay(self, rows: Iterable[Row], lists: Lists) -> None:
        """Make journalled calls again. Raises Diverged at the first whose `ret` or `verdict` differs."""
        parsed: dict[tuple[str, bytes], Call] = {}
        for row in rows:
            self.spoiled = True
            found = self._differs(row, parsed, lists)
            if found is not None:
                raise Diverged(row.seq, found)
            self.seq, self.effective = row.seq, row.effective
            self.spoiled = False

    def _differs(self, row: Row, parsed: dict[tuple[str, bytes], Call], lists: Lists) -> str | None:
        """Make one journalled call; what it does differently now, if anything. parsed: calls read before."""
        name, args = row.call, row.args
        try:
            call = parsed.get((name, args))
            if call is None:
                call = journalled(name, from_json(args), self.machine, lists)
                if len(args) < bounds.LONG_ARGUMENTS and call.list_of is None:
                    if len(parsed) > CALLS_PARSED:
                        parsed.clear()
                    parsed[name, args] = call
            outcome = self.machine.apply(call, row.seq)
        except scheduler.Dropped:
            raise  # its request has ended
        except Exception as error:  # noqa: BLE001 - whatever it is, this call can no longer be made
            return f"{name} fails now ({type(error).__name__}: {error})"
        self.work += outcome.work
        return difference(row, outcome)


def journalled(name: str, args: Mapping[str, Any], machine: Machine, lists: Lists) -> Call:
    """A call as a row of the journal has it. Raises BadArgument where it is none of this machine's."""
    return parsing.parse(name, args, machine.model).resolve({}, machine.model, lists, machine.rules)


def difference(row: Row, now: Outcome) -> str | None:
    """What a journalled call has done differently when it was made again, if anything."""
    # As `encode` has it. Within a string the quotation marks would be escaped.
    ret = "null" if now.ret is None else result(now.ret)
    if f'"ret":{ret},"verdict":"{now.verdict}","time":'.encode() in row.outcome:
        return None
    then = from_json(row.outcome)
    if now.verdict != then["verdict"]:
        return f"{row.call} had the verdict {then['verdict']} and has {now.verdict} now"
    if now.ret != then["ret"]:
        return f"{row.call} returned {then['ret']} and returns {now.ret} now"
    return None


def outcome_of(made: Outcome, machine: Machine, seq: int, time: str, by: str | None) -> dict[str, Any]:
    """What a call has done, with whole lists; `encoding.short` of it is journalled and answered."""
    doc = made.as_json(machine.model)
    outcome = {
        "seq": seq,
        "call": doc.pop("call"),
        "args": doc.pop("args"),
        "ret": doc.pop("ret"),
        "verdict": doc.pop("verdict"),
        "time": time,
        "by": by,
    }
    outcome.update(doc)
    return outcome


def outcome_of_rewind(seq: int, call: str, to: int, time: str, by: str | None) -> dict[str, Any]:
    """What is journalled and answered of a rewind or an undo."""
    return {
        "seq": seq,
        "call": call,
        "args": {"to": to},
        "ret": None,
        "verdict": "ok",
        "time": time,
        "by": by,
        "log": [],
        "changed": None,
    }


class Diverged(Exception):  # noqa: N818 - found, not made
    """A journalled call has another outcome now. seq: its place."""

    def __init__(self, seq: int, difference: str) -> None:
        super().__init__(
            f"diverged at seq {seq}: {difference}; the session can be read as it was at seq {seq - 1}"
        )
        self.seq = seq

"""A session from the log of a real kernel: a machine, and every call that the log tells of as a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from app.errors import BadArgument
from app.ftrace.adopting import adopt
from app.ftrace.comparing import Compared, compare
from app.ftrace.conversion import BEFORE, Converted, LogCall, convert
from app.sessions.answers import Applied, BatchItem, SessionInfo

# Profiles by the frames that they have, for a log that comes without a dump.
BY_FRAMES: Final = ((1 << 18, "x86_64-1g"), (9 << 18, "x86_64-8g"), (1 << 24, "x86_64-64g"))
LARGEST: Final = "x86_64-1t"


class KernelLog(NamedTuple):
    """A log as it comes. first, last: marks between which it counts."""

    text: str
    first: str | None = None
    last: str | None = None


class Replayed(NamedTuple):
    """A session that was made of a log, and how far it agrees with the kernel."""

    info: SessionInfo
    compared: Compared


class Plan(NamedTuple):
    """What is to be done with a log."""

    # As `create` takes it.
    machine: Mapping[str, Any]
    log: Converted
    calls: Sequence[LogCall]
    adopted: int
    # Frees that are not made.
    left: int

    def items(self) -> list[BatchItem]:
        """The calls of a batch."""
        return [BatchItem(call.call, call.body, call.name) for call in self.calls]

    def compared(self, made: Sequence[Applied]) -> Compared:
        """Compare what came of them."""
        pairs = [(call, frame_of(applied)) for call, applied in zip(self.calls, made, strict=True)]
        return compare(self.log, pairs, made[0].seq, self.adopted, self.left)

    def located(self, error: BadArgument) -> BadArgument:
        """A fault of a call, at its line of the log."""
        faults = []
        for fault in error.faults:
            kind, *rest = fault.loc
            if kind == "calls" and rest:
                line = self.calls[int(rest[0])].line
                faults.append(replace(fault, loc=("log", "line", line, *rest[1:])))
            else:
                faults.append(fault)
        return BadArgument(*faults, more=error.more)


def plan(machine: Mapping[str, Any], log: KernelLog) -> Plan:
    """Read a log for a machine. machine: as `create` takes one; empty for a profile that has its frames.

    Raises BadArgument at `log`, `from` and `to`.
    """
    found = convert(log.text, log.first, log.last)
    dump = machine.get("dump")
    if isinstance(dump, dict):
        adopted, without = adopt(dump, found.adopted)
        machine = {**machine, "dump": adopted}
    else:
        without = set(found.adopted)
        machine = machine or {"profile": profile_for(found)}
        if "profile" in machine:
            machine = {"cpus": cpus_of(found), **machine}
    calls = []
    for call in found.calls:
        if call.adopted and call.pfn in without:
            found.leave(BEFORE, call.line)
        else:
            calls.append(call)
    left = len(found.calls) - len(calls)
    if not calls:
        raise BadArgument.at("log", "frees only what was in use before it: send the dump of that moment, too")
    return Plan(machine, found, calls, len(found.adopted) - len(without), left)


def profile_for(log: Converted) -> str:
    """The smallest machine with all frames of a log."""
    most = max((call.pfn for call in log.calls if call.pfn is not None), default=0)
    return next((name for frames, name in BY_FRAMES if most < frames), LARGEST)


def cpus_of(log: Converted) -> int:
    """As many CPUs as a log has."""
    return 1 + max(int(call.body.get("cpu", 0)) for call in log.calls)


def frame_of(applied: Applied) -> int | None:
    """The first frame of what a call has returned."""
    page = applied.outcome.get("page")
    return None if page is None else int(page["pfn"])


def parts(items: Sequence[BatchItem], most: int) -> list[Sequence[BatchItem]]:
    """Items in batches of so many."""
    return [items[first : first + most] for first in range(0, len(items), most)]

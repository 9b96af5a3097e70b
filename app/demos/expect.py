"""What a step of a demo must do, in one line each, so that its prose and the machine cannot drift apart.

About the step's first, second, … call:

    1 verdict null              ok, null, blocked, warn, bug, oom, hang, panic
    2 ret 1482                  what it returned: a number, an address, NULL or void
    2 ret not NULL
    1 zone DMA32                any field of the outcome's page, object or area: zone, order, pfn,
    1 pfn 0x400                 refcount, address, cache, ksize, index, offset, nr_pages, guard, …
    3 woken bob carol           who was woken; `woken nobody`
    4 log invoked oom-killer    text in its lines of the kernel log; `log nothing`
    5 changed 0x401 7 lost      one of the runs of frames that it changed
    5 became lost 7             how many frames it changed to a state
    1 fault anon_zero           what the last access that is told came to, none where it met no fault
    1 faults 8 0                minor and major faults of the whole call
    1 signal SIGSEGV SEGV_MAPERR    the signal with which it ended, or nothing
    1 tables 3                  page tables that the accesses made; `around 15`: pages mapped beside them
    1 reclaim reclaimed 62      of its own reclaim: scanned, reclaimed, swapped_out, written or priority
    1 background kswapd0 reclaimed 86   the same of a kernel thread that it woke; `background nobody`
    1 killed hog                whom the OOM killer took; `killed nobody`
    2 frame as 1                the frame of its access is that of call 1; `frame not as 1`

About the machine, over the whole step or, with `=`, after it:

    free DMA32 -63              managed, present, free, pcp, min, low, high or boost of a zone
    free DMA32 = 968
    buddyinfo DMA +1 +1 … -1    the change of each order from 0 on; orders left out have none
    buddyinfo DMA = 0 0 1 …     orders left out are 0
    blocks Normal Unmovable +2  pageblocks of a type, as in /proc/pagetypeinfo
    reserve Normal HighMem = 1023   lowmem_reserve of a zone against requests for another
    cache kmalloc-96 num_slabs = 2  allocated, num_objs, num_slabs or waste of a slab cache
    page 0x3045 mapcount = 2    refcount, mapcount, index of a frame; anon, file: 1 if it is one
    lru inactive_file -62       pages on an LRU list
    vmstat pgsteal_kswapd +86   any counter of /proc/vmstat
    mm a resident +8            pages of a process: resident, total_vm, tables, anon, file or shmem
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.machine import readings
from app.machine.machine import Machine
from app.machine.outcome import VERDICTS
from app.machine.readings import MM_FIELDS, PAGE_FIELDS
from app.mm.mmzone import MAX_ORDER, MIGRATE_NAMES

OutcomeJson = Mapping[str, Any]
Counters = Mapping[tuple[str, ...], Sequence[int]]

# How many names stand behind each counter.
COUNTERS: Final = readings.NAMES
OUTCOME_PARTS: Final = ("page", "object", "area")
NOT_TOLD: Final = "not told"
NUMBER: Final = re.compile(r"[+-]?[0-9]{1,15}")
PFN: Final = re.compile(r"0x[0-9a-f]{1,9}")
FRAME: Final = re.compile(r"0x[0-9a-f]{1,9}|(?:not )?as [1-9][0-9]{0,3}")
CALL: Final = re.compile(r"[0-9]{1,4}")


class BadExpectation(Exception):  # noqa: N818 - as the others are named
    """A line that says nothing that could be checked, and what would."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One line."""

    text: str
    # Which of the step's calls, 0 where it is about the machine.
    call: int
    # The fact, or the counter with the names behind it.
    subject: tuple[str, ...]
    # What it must be; for a counter the change, or with `after` the value.
    values: tuple[str, ...]
    after: bool = False


def expectation(text: str) -> Expectation:
    """A line read. Raises BadExpectation."""
    words = text.split()
    if words and CALL.fullmatch(words[0]):
        return of_call(text, words)
    if words and words[0] in COUNTERS:
        return of_machine(text, words)
    raise BadExpectation(f"{text!r} begins with neither a call's number nor one of {', '.join(COUNTERS)}")


def of_call(text: str, words: Sequence[str]) -> Expectation:
    """`2 ret not NULL`."""
    number, *rest = words
    if int(number) < 1 or len(rest) < 2:
        raise BadExpectation(
            f"{text!r}: a call's number from 1 on, a fact and its value, as in '1 verdict ok'"
        )
    if rest[0] == "verdict" and rest[1] not in VERDICTS:
        raise BadExpectation(f"{text!r}: a verdict is one of {', '.join(VERDICTS)}")
    if rest[0] == "frame" and not FRAME.fullmatch(" ".join(rest[1:])):
        raise BadExpectation(f"{text!r}: as in '2 frame 0x3feb3', '2 frame as 1' or '2 frame not as 1'")
    return Expectation(text, int(number), (rest[0],), tuple(rest[1:]))


def of_machine(text: str, words: Sequence[str]) -> Expectation:
    """`free DMA32 -63`."""
    names = 1 + COUNTERS[words[0]]
    subject, values = words[:names], words[names:]
    after = values[:1] == ["="]
    values = values[after:]
    most = MAX_ORDER if words[0] == "buddyinfo" else 1
    if not 1 <= len(values) <= most or not all(NUMBER.fullmatch(value) for value in values):
        raise BadExpectation(f"{text!r}: as in '{' '.join(subject)} -63' or '{' '.join(subject)} = 968'")
    if words[0] == "page" and not (PFN.fullmatch(subject[1]) and subject[2] in PAGE_FIELDS):
        raise BadExpectation(f"{text!r}: as in 'page 0x3045 mapcount = 2'; one of {', '.join(PAGE_FIELDS)}")
    if words[0] == "mm" and subject[2] not in MM_FIELDS:
        raise BadExpectation(f"{text!r}: one of {', '.join(MM_FIELDS)}")
    if words[0] == "blocks" and subject[2] not in MIGRATE_NAMES:
        raise BadExpectation(f"{text!r}: a type is one of {', '.join(MIGRATE_NAMES)}")
    return Expectation(text, 0, tuple(subject), tuple(values), after)


# -- what there is ----------------------------------------------------------------------------------------


def counters(machine: Machine, expected: Iterable[Expectation] = ()) -> Counters:
    """Every counter that a line can be about.

    expected: lines that may be about single frames; of others nothing is counted.
    """
    found = readings.every(machine)
    for line in expected:
        if line.subject[0] == "page" and (figures := readings.read(machine, line.subject)) is not None:
            found[line.subject] = figures
    return found


def unmet(expected: Expectation, outcomes: Sequence[OutcomeJson], before: Counters, after: Counters) -> str:
    """What is instead; empty where it is as expected.

    outcomes: of the step's calls. before, after: the counters around them.
    """
    if expected.call:
        return unmet_by_call(expected, outcomes[expected.call - 1], outcomes)
    if expected.subject not in after:
        return f"this machine has no {' '.join(expected.subject)}"
    now = after[expected.subject]
    was = before.get(expected.subject, [0] * len(now))
    wanted = [int(value) for value in expected.values] + [0] * (len(now) - len(expected.values))
    found = list(now) if expected.after else [new - old for old, new in zip(was, now, strict=True)]
    sign = "" if expected.after else "+"
    return "" if found == wanted else f"it is {' '.join(f'{number:{sign}d}' for number in found)}"


def unmet_by_call(expected: Expectation, outcome: OutcomeJson, outcomes: Sequence[OutcomeJson]) -> str:
    """The same for one call."""
    (fact,), values = expected.subject, expected.values
    said = " ".join(values)
    match fact:
        case "verdict":
            found: object = outcome["verdict"]
        case "ret":
            if said == "not NULL":
                return "" if outcome["ret"] not in (None, 0) else "it is NULL"
            found = outcome["ret"]
            said = {"NULL": "None", "void": "None"}.get(said, said)
        case "woken":
            found = " ".join(outcome.get("woken", ())) or "nobody"
        case "log":
            log = "\n".join(outcome["log"] or ())
            return "" if (said in log or (said == "nothing" and not log)) else f"it is {log[:200]!r}"
        case "changed":
            runs = [f"{pfn:#x} {frames} {state}" for pfn, frames, state in outcome["changed"] or ()]
            return "" if said in runs else f"it is {', '.join(runs[:20])}"
        case "became":
            found = f"{values[0]} {became(values[0], outcome)}"
        case "fault" | "faults" | "signal" | "tables" | "around":
            found = faulted(fact, outcome)
        case "reclaim" | "background" | "killed":
            found = reclaimed(fact, outcome, values)
        case "frame":
            return unmet_frame(values, outcome, outcomes)
        case _:
            found = of_parts(fact, outcome)
            if fact == "pfn" and isinstance(found, int):
                found = hex(found)
    return "" if str(found) == said else f"it is {found}"


def became(state: str, outcome: OutcomeJson) -> int:
    """How many frames a call has changed to a state."""
    return sum(frames for _, frames, new in outcome["changed"] or () if new == state)


def of_parts(fact: str, outcome: OutcomeJson) -> Any:
    """A field of the page, object or area of an outcome; NOT_TOLD where it has none."""
    present = [outcome[part] for part in OUTCOME_PARTS if outcome.get(part)]
    return next((part[fact] for part in present if fact in part), NOT_TOLD)


# -- reclaim ----------------------------------------------------------------------------------------------


def reclaimed(fact: str, outcome: OutcomeJson, values: Sequence[str]) -> str:
    """What a call, or a kernel thread that it woke, reclaimed, or whom it killed, as a line says it."""
    if fact == "killed":
        return " ".join(outcome.get("killed") or ()) or "nobody"
    if fact == "reclaim":
        return f"{values[0]} {(outcome.get('reclaim') or {}).get(values[0])}"
    threads = {thread["task"]: thread for thread in outcome.get("background") or ()}
    if len(values) < 2 or values[0] not in threads:
        return " ".join(threads) or "nobody"
    return f"{values[0]} {values[1]} {(threads[values[0]].get('reclaim') or {}).get(values[1])}"


# -- accesses ---------------------------------------------------------------------------------------------


def last_access(outcome: OutcomeJson) -> Mapping[str, Any]:
    """The last access of a call that is told; empty where it made none."""
    access = outcome.get("access")
    found: Mapping[str, Any] = access[-1] if access else {}
    return found


def faulted(fact: str, outcome: OutcomeJson) -> str:
    """What the accesses of a call met."""
    last = last_access(outcome)
    match fact:
        case "fault":
            return str(last.get("fault", NOT_TOLD))
        case "faults":
            faults = outcome.get("faults", {})
            return f"{faults.get('min')} {faults.get('maj')}"
        case "signal":
            return f"{last['signal']} {last['code']}" if last.get("signal") else "nothing"
        case "tables":
            return str(sum(len(entry["new_tables"]) for entry in outcome.get("access") or ()))
    return str(sum(entry["mapped_around"] for entry in outcome.get("access") or ()))


def unmet_frame(values: Sequence[str], outcome: OutcomeJson, outcomes: Sequence[OutcomeJson]) -> str:
    """Whether two accesses ended at one frame: `as 1`, or `not as 1`; or at a given one."""
    *words, other = values
    found = last_access(outcome).get("pfn")
    if words:
        place = int(other) - 1
        wanted = last_access(outcomes[place]).get("pfn") if place < len(outcomes) else None
        same = found is not None and found == wanted
        return "" if same is (words == ["as"]) else f"it is {found}, that of call {other} is {wanted}"
    return "" if found is not None and found == int(other, 0) else f"it is {found}"

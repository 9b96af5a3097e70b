"""What a step of a demo must do, in one line each, so that its prose and the machine cannot drift apart.

About the step's first, second, … call:

    1 verdict null              ok, null, blocked, warn, bug, oom, hang
    2 ret 1482                  what it returned: a number, an address, NULL or void
    2 ret not NULL
    1 zone DMA32                any field of the outcome's page, object or area: zone, order, pfn,
    1 pfn 0x400                 refcount, address, cache, ksize, index, offset, nr_pages, guard, …
    3 woken bob carol           who was woken; `woken nobody`
    4 log invoked oom-killer    text in its lines of the kernel log; `log nothing`
    5 changed 0x401 7 lost      one of the runs of frames that it changed
    5 became lost 7             how many frames it changed to a state

About the machine, over the whole step or, with `=`, after it:

    free DMA32 -63              managed, present, free, pcp, min, low, high or boost of a zone
    free DMA32 = 968
    buddyinfo DMA +1 +1 … -1    the change of each order from 0 on; orders left out have none
    buddyinfo DMA = 0 0 1 …     orders left out are 0
    blocks Normal Unmovable +2  pageblocks of a type, as in /proc/pagetypeinfo
    reserve Normal HighMem = 1023   lowmem_reserve of a zone against requests for another
    cache kmalloc-96 num_slabs = 2  allocated, num_objs, num_slabs or waste of a slab cache
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.machine import show
from app.machine.machine import Machine
from app.machine.outcome import VERDICTS
from app.mm.mmzone import MAX_ORDER, MIGRATE_NAMES
from app.mm.proc import pagetypeinfo

OutcomeJson = Mapping[str, Any]
Counters = Mapping[tuple[str, ...], Sequence[int]]

ZONE_FIELDS: Final = ("free", "managed", "present", "min", "low", "high", "boost")
# How many names stand behind each counter.
COUNTERS: Final = dict.fromkeys((*ZONE_FIELDS, "pcp", "buddyinfo"), 1) | {
    "blocks": 2,
    "reserve": 2,
    "cache": 2,
}
CACHE_FIELDS: Final = ("allocated", "num_objs", "num_slabs", "waste")
OUTCOME_PARTS: Final = ("page", "object", "area")
NUMBER: Final = re.compile(r"[+-]?[0-9]{1,15}")
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
    if words[0] == "blocks" and subject[2] not in MIGRATE_NAMES:
        raise BadExpectation(f"{text!r}: a type is one of {', '.join(MIGRATE_NAMES)}")
    return Expectation(text, 0, tuple(subject), tuple(values), after)


# -- what there is ----------------------------------------------------------------------------------------


def counters(machine: Machine) -> Counters:
    """Every counter that a line can be about. Machines of demos have one node."""
    found: dict[tuple[str, ...], Sequence[int]] = {}
    zones = show.zones(machine)["zones"]
    for zone in zones:
        name = zone["name"]
        found |= {(field, name): [zone[field]] for field in ZONE_FIELDS}
        found["pcp", name] = [sum(cpu["count"] for cpu in zone["pcp"])]
        found["buddyinfo", name] = zone["nr_free"]
        for other in zones:
            found["reserve", name, other["name"]] = [zone["lowmem_reserve"][other["zid"]]]
    for zone in machine.zones:
        counts = pagetypeinfo.blocks_line(zone).split()[-len(MIGRATE_NAMES) :]
        found |= {
            ("blocks", zone.name, kind): [int(count)]
            for kind, count in zip(MIGRATE_NAMES, counts, strict=True)
        }
    for cache in show.caches(machine)["caches"]:
        found |= {("cache", cache["name"], field): [cache[field]] for field in CACHE_FIELDS}
    return found


def unmet(expected: Expectation, outcomes: Sequence[OutcomeJson], before: Counters, after: Counters) -> str:
    """What is instead; empty where it is as expected.

    outcomes: of the step's calls. before, after: the counters around them.
    """
    if expected.call:
        return unmet_by_call(expected, outcomes[expected.call - 1])
    if expected.subject not in after:
        return f"this machine has no {' '.join(expected.subject)}"
    was, now = before[expected.subject], after[expected.subject]
    wanted = [int(value) for value in expected.values] + [0] * (len(now) - len(expected.values))
    found = list(now) if expected.after else [new - old for old, new in zip(was, now, strict=True)]
    sign = "" if expected.after else "+"
    return "" if found == wanted else f"it is {' '.join(f'{number:{sign}d}' for number in found)}"


def unmet_by_call(expected: Expectation, outcome: OutcomeJson) -> str:
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
            state = values[0]
            frames = sum(run[1] for run in outcome["changed"] or () if run[2] == state)
            found = f"{state} {frames}"
        case _:
            present = [outcome[part] for part in OUTCOME_PARTS if outcome.get(part)]
            found = next((part[fact] for part in present if fact in part), "not told")
            if fact == "pfn" and isinstance(found, int):
                found = hex(found)
    return "" if str(found) == said else f"it is {found}"

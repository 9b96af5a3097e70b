"""What of a step the reader may predict before it is run: the left sides of what the step must do.

A line that a step `expect`s names what is read and what it will be. Without the second half it is a
question, and the machine itself answers it when the calls have been made. Up to three of a step's lines are
asked: those that tell most, or those that the file names with `predict`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from app.demos.expect import Expectation

MOST: Final = 3
# A line that tells less than this is asked only where the file says so.
LEAST: Final = 25

# By the fact of a call: the form of the answer, and how much it tells.
FACTS: Final[dict[str, tuple[str, int]]] = {
    "verdict": ("verdict", LEAST),
    "woken": ("tasks", 95),
    "killed": ("tasks", 95),
    "zone": ("zone", 85),
    "frame": ("choice", 84),
    "fault": ("fault", 80),
    "signal": ("fault", 80),
    "faults": ("number", 80),
    "changed": ("frames", 20),
    "refcount": ("number", 75),
    "pfn": ("pfn", 70),
    "tables": ("number", 66),
    "around": ("number", 66),
    "reclaim": ("number", 61),
    "background": ("number", 61),
    "ret": ("number", 60),
    "ksize": ("bytes", 58),
    "nr_pages": ("number", 56),
    "size": ("bytes", 55),
    "page_table_writes": ("number", 54),
    "address": ("address", 52),
    "became": ("number", 50),
    "order": ("number", 48),
    "index": ("number", 20),
    "offset": ("number", 20),
    "guard": ("number", 20),
}
# By the counter of a machine, how much it tells. Marks and reserves do not move, so they are never picked.
COUNTERS: Final = {
    "buddyinfo": 82,
    "free": 65,
    "pcp": 63,
    "page": 20,
    "blocks": 62,
    "mm": 57,
    "cache": 57,
    "lru": 55,
    "vmstat": 53,
}
COUNTS: Final = {"refcount": 62, "mapcount": 62}
# States that tell something, of the frames that a call changes.
STATES: Final = {"lost": 88, "free": 64}
# Of verdicts, where a call of the step does not go well; of an address that is returned.
TELLING: Final = 90
ADDRESS: Final = 45
# Of faults that do not happen: the kind of the access says more.
NO_TELLING: Final = 40
# Words behind a fact that say which: `became lost`, `reclaim scanned`, `background kswapd0 scanned`.
WORDS: Final = {"became": 1, "reclaim": 1, "background": 2}
ACCESS: Final = "access"
NOTHING: Final = ("nobody", "nothing")
NO_FAULTS: Final = ("0", "0")


@dataclass(frozen=True, slots=True)
class Prediction:
    """One question."""

    # As `predict` names it.
    key: str
    # Of the step's, from 1; 0 where it is about the machine.
    call: int
    # What is read, as a question of an exercise says it.
    words: tuple[str, ...]
    form: str
    # Whether it is asked by how much the calls change it.
    change: bool = False
    # The call with whose frame that of this one is compared.
    other: int = 0

    @property
    def text(self) -> str:
        """As a question of an exercise."""
        words = " ".join(self.words)
        return f"{self.call} {words}" if self.call else f"{words} change" if self.change else words


def key(line: Expectation) -> str:
    """What a line is about, without what it will be."""
    if not line.call:
        return " ".join(line.subject)
    (fact,) = line.subject
    more = line.values[: WORDS.get(fact, 0)] if fact != "changed" else line.values[2:3]
    return " ".join((str(line.call), fact, *more))


def asked(line: Expectation) -> Prediction | None:
    """The question of a line; None where it is none: a text of the log, `not NULL`, `nobody` of no thread."""
    if not line.call:
        long = line.subject[0] == "buddyinfo"
        change = not line.after and not long
        return Prediction(key(line), 0, line.subject, "orders" if long else "number", change)
    (fact,) = line.subject
    form, _ = FACTS.get(fact, ("", 0))
    words = tuple(key(line).split()[1:])
    match fact:
        case "ret" if line.values[0] == "not":
            return None
        case "ret" if not line.values[0].isdecimal():
            form = "address"
        case "background" if len(line.values) < 1 + WORDS[fact]:
            return None
        case "fault" | "signal":
            words = (ACCESS,)
        case "faults" if single(line):
            form, words = "fault", (ACCESS,)
        case "faults":
            words = (fact, "min")
        case "frame" if line.values[-2:-1] != ("as",):
            form, words = "pfn", (fact,)
        case "frame":
            return Prediction(key(line), line.call, words, form, other=int(line.values[-1]))
    return Prediction(key(line), line.call, words, form) if form else None


def single(line: Expectation) -> bool:
    """Whether a line of faults is about one fault: then its kind is asked, not their number."""
    return sorted(line.values) == ["0", "1"]


def weight(line: Expectation, calls: str, *, bad: bool) -> int:
    """How much a line tells. calls: the step's; what stands in them is no question. bad: one goes wrong."""
    if not line.call:
        return COUNTS.get(line.subject[-1], COUNTERS.get(line.subject[0], 0))
    (fact,) = line.subject
    _, tells = FACTS.get(fact, ("", 0))
    value = line.values[-1]
    if said(fact, value) and re.search(rf"\b{re.escape(value)}\b", calls):
        return 0
    match fact:
        case "verdict" if bad:
            return TELLING
        case "changed":
            return STATES.get(value, tells)
        case "faults" if line.values == NO_FAULTS:
            return NO_TELLING
        case "ret" if value == "0":
            return 0
        case "ret" if value in ("NULL", "void"):
            return 0 if bad else tells
        case "ret" if value.startswith("0x"):
            return ADDRESS
        case "killed" if value in NOTHING:
            return 0
    return tells


def said(fact: str, value: str) -> bool:
    """Whether the value of a fact may stand in the calls themselves."""
    return fact in ("ret", "order") or (fact in ("pfn", "frame", "address") and value.startswith("0x"))


def picked(lines: Sequence[Expectation], calls: Sequence[str]) -> tuple[Prediction, ...]:
    """The questions of a step that its file leaves open, in its order."""
    if not calls:
        return ()
    text = "\n".join(calls)
    bad = any(line.subject == ("verdict",) and line.values != ("ok",) for line in lines)
    found: dict[str, tuple[int, int, Prediction]] = {}
    for place, line in enumerate(lines):
        one, tells = asked(line), weight(line, text, bad=bad)
        if one is not None and tells >= LEAST:
            found.setdefault(one.key if not one.call else one.text, (-tells, place, one))
    most = sorted(found.values(), key=lambda each: each[:2])[:MOST]
    # That all goes well is asked where nothing else is.
    if any(-tells > LEAST for tells, _, _ in most):
        most = [each for each in most if -each[0] > LEAST]
    return distinct(one for _, _, one in sorted(most, key=lambda each: each[1]))


def named(keys: Sequence[str], lines: Sequence[Expectation]) -> tuple[Prediction, ...]:
    """The questions that a file names. Raises KeyError with one that is none of the step's lines."""
    known = known_keys(lines)
    for each in keys:
        if each not in known:
            raise KeyError(each)
    return distinct(known[each] for each in keys)


def known_keys(lines: Sequence[Expectation]) -> dict[str, Prediction]:
    """Every question that the lines hold, by its key; of two lines about one thing the first."""
    found: dict[str, Prediction] = {}
    for line in lines:
        one = asked(line)
        if one is not None:
            found.setdefault(one.key, one)
    return found


def distinct(found: Iterable[Prediction]) -> tuple[Prediction, ...]:
    """Each question once."""
    return tuple({one.text: one for one in found}.values())

"""A second opinion: the first step in which another simulator differs, and what would explain it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from app.errors import BadArgument
from app.machine.replacement.strings import ReferenceString
from app.machine.replacement.variants import Variant, our_options, variants

# Of longer strings nobody prints the steps.
MOST_STEPS: Final = 1000
MOST_EXPLANATIONS: Final = 3

TOTAL: Final = re.compile(r"\s*([0-9]{1,7})\s*")
# Each letter is a step: F, M or X or a star is a fault, H, a dot or a dash a hit.
MARKS: Final = re.compile(r"[\sFfMmXx*Hh.,-]*[FfMmXx*Hh.-][\sFfMmXx*Hh.,-]*")
HITS: Final = frozenset("Hh.-")
FAULT_WORD: Final = "page ?fault|fault|miss|부재|폴트|미스"
STEP: Final = re.compile(
    r"[^\w]*(?:[0-9]+\s*[:.)]\s*)?(?:page\s+|access\s+)?(0x[0-9a-f]+|[0-9]+)\s*[rw]?\b[^\w*]*?"
    rf"(?:(?P<fault>{FAULT_WORD}|\bf\b|\bm\b|\*)|(?P<hit>hit|적중|히트|\bh\b))(?P<rest>.*)",
    re.IGNORECASE,
)
NUMBER: Final = re.compile(r"\b(?:0x[0-9a-fA-F]+|[0-9]+)\b")
FORMS: Final = (
    "a line for each reference, as `7 F`, `0 hit` or `2: miss, evicts 7`; or the marks alone, as FFFFHF; "
    "or the number of faults"
)


class Stated(NamedTuple):
    """One step of somebody else. page, victim: None where nothing is said of it."""

    page: int | None
    fault: bool
    victim: int | None


class Opinion(NamedTuple):
    """What somebody else says. total: only the number of faults. ignored: lines that are no step."""

    steps: list[Stated]
    total: int | None
    ignored: int


class Difference(NamedTuple):
    """The first step that differs. what: `page`, `mark`, `victim`, or `length` where theirs just end."""

    at: int
    what: str
    theirs: Any
    ours: Any


class Explanation(NamedTuple):
    """A variant that makes their steps. until: how many of them; whole: whether that is all."""

    changes: Any
    until: int
    whole: bool


class Verdict(NamedTuple):
    """What came of the comparison. difference: None where all is as we have it."""

    difference: Difference | None
    explanations: list[Explanation]


# -- reading ---------------------------------------------------------------------------------------


def read(text: str) -> Opinion:
    """What was pasted. Raises BadArgument at `opinion` where it has none of the forms."""
    total = TOTAL.fullmatch(text)
    if total is not None:
        return Opinion([], int(total[1]), 0)
    if MARKS.fullmatch(text):
        letters = [letter for letter in text if not letter.isspace() and letter != ","]
        steps = [Stated(None, letter not in HITS, None) for letter in letters]
        return checked(Opinion(steps, None, 0))
    steps, ignored = [], 0
    for line in text.splitlines():
        found = STEP.match(line)
        if found is not None:
            steps.append(stated(found))
        elif line.strip():
            ignored += 1
    return checked(Opinion(steps, None, ignored))


def stated(found: re.Match[str]) -> Stated:
    """One line."""
    victim = NUMBER.search(found["rest"]) if found["fault"] else None
    return Stated(as_page(found[1]), bool(found["fault"]), None if victim is None else as_page(victim[0]))


def as_page(word: str) -> int:
    """A page, decimal or with 0x."""
    return int(word, 16) if word[:2] in ("0x", "0X") else int(word)


def checked(opinion: Opinion) -> Opinion:
    """Raises BadArgument where there is no step in it, or too many are."""
    if not opinion.steps:
        raise BadArgument.at("opinion", FORMS)
    if len(opinion.steps) > MOST_STEPS:
        raise BadArgument.at("opinion", f"at most {MOST_STEPS} steps")
    return opinion


# -- comparing -------------------------------------------------------------------------------------


class Run(NamedTuple):
    """The marks and victims of a variant; victims as pages are called."""

    faults: list[bool]
    victims: list[int | None]


def run_of(string: ReferenceString, variant: Variant) -> Run:
    """Make all references."""
    policy, held = variant.make(string), set[int]()
    faults: list[bool] = []
    victims: list[int | None] = []
    for at, page in enumerate(string.pages):
        policy.at, victim = at, None
        fault, filled = page not in held, len(held) < variant.frames
        if not fault:
            policy.hit(page)
        else:
            if not filled:
                victim = policy.victim()
                held.remove(victim)
            held.add(page)
            policy.load(page)
        faults.append(fault and (variant.cold or not filled))
        victims.append(None if victim is None else string.names[victim])
    return Run(faults, victims)


def first_difference(string: ReferenceString, run: Run, opinion: Opinion) -> Difference | None:
    """Where they part; None if nowhere. What is not said is not compared."""
    if opinion.total is not None:
        ours = sum(run.faults)
        return None if ours == opinion.total else Difference(len(string), "total", opinion.total, ours)
    for at, (page, theirs) in enumerate(zip(string.pages, opinion.steps, strict=False)):
        if theirs.page is not None and theirs.page != string.names[page]:
            return Difference(at + 1, "page", theirs.page, string.names[page])
        if theirs.fault != run.faults[at]:
            return Difference(at + 1, "mark", theirs.fault, run.faults[at])
        if theirs.victim is not None and theirs.victim != run.victims[at]:
            return Difference(at + 1, "victim", theirs.victim, run.victims[at])
    if len(opinion.steps) != len(string):
        return Difference(min(len(opinion.steps), len(string)) + 1, "length", len(opinion.steps), len(string))
    return None


def verdict(
    string: ReferenceString,
    policy: str,
    frames: int,
    load_bit: int,
    opinion: Opinion,
    pause: Callable[[], None],
) -> Verdict:
    """Compare with what we have, and where that differs, with all variants.

    Explanations are those that make all of their steps; if none does, what makes most of them, if that is at
    least half of those that we do not make ourselves.
    """
    ours = Variant({}, policy, frames, load_bit, our_options(policy), cold=True)
    difference = first_difference(string, run_of(string, ours), opinion)
    if difference is None or difference.what in ("page", "length"):
        return Verdict(difference, [])
    found: list[Explanation] = []
    for variant in variants(policy, frames, load_bit):
        pause()
        parted = first_difference(string, run_of(string, variant), opinion)
        if parted is None:
            found.append(Explanation(variant.changes, len(string), whole=True))
        elif parted.what != "total":
            found.append(Explanation(variant.changes, parted.at - 1, whole=False))
    whole = [each for each in found if each.whole]
    if whole:
        least = len(whole[0].changes)
        return Verdict(difference, [each for each in whole if len(each.changes) == least][:MOST_EXPLANATIONS])
    nearest = max(found, key=lambda each: each.until, default=None)
    if nearest is None or 2 * nearest.until < difference.at - 1 + len(opinion.steps):
        return Verdict(difference, [])
    return Verdict(difference, [nearest])

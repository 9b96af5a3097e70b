"""Checks of a machine's state, and of what the rows so far come to: `free DMA >= 40%`, `live objects = 0`.

A subject (`subjects`) is a word with names behind it, which is read as a number, a list of numbers or a word.
It is compared with a value, or (`+63`, `-63`) its change since the beginning is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.exercises import sights
from app.exercises.look import Absent, Look
from app.exercises.sights import YES
from app.exercises.subjects import SUBJECTS, Reading, Subject
from app.exercises.words import OPERATORS, Words
from app.mm.mmzone import MAX_ORDER

CHANGE: Final = "+"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a reading must be. how: an operator, or CHANGE. per_cent: of the zone's managed frames."""

    how: str
    value: Reading
    per_cent: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """A subject and what it must be."""

    subject: Subject
    comparison: Comparison

    def begin(self, look: Look) -> None:
        """Note the reading from which changes are counted."""
        if self.comparison.how == CHANGE:
            try:
                look.was[self.subject.text] = self.subject.read(look)
            except Absent:
                look.was[self.subject.text] = None

    def unmet(self, look: Look) -> str:
        """What is instead; empty where it holds."""
        try:
            now = self.subject.read(look)
        except Absent as absent:
            return str(absent)
        if self.comparison.how == CHANGE:
            change = changed(look.was[self.subject.text], now)
            return "" if change == self.comparison.value else f"it is {shown(change, '+')}"
        return "" if self.holds(look, now) else f"it is {shown(now)}"

    def holds(self, look: Look, now: Reading) -> bool:
        """Whether a reading compares as it must. Per cents are not rounded."""
        how, value = self.comparison.how, self.comparison.value
        if self.comparison.per_cent:
            assert isinstance(now, int)
            assert isinstance(value, int)
            return compare(how, now * 100, value * sights.managed(self.subject.zone, look))
        return compare(how, now, value)


def compare(how: str, left: Reading, right: Reading) -> bool:
    """`left = right`, `left < right`, …"""
    if how in ("=", "!="):
        return (left == right) is (how == "=")
    assert isinstance(left, int)
    assert isinstance(right, int)
    match how:
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
    return left >= right


def changed(was: Reading | None, now: Reading) -> Reading:
    """The difference; what was not there before was 0."""
    if isinstance(now, tuple):
        old = was if isinstance(was, tuple) else (0,) * len(now)
        return tuple(new - before for before, new in zip(old, now, strict=True))
    assert isinstance(now, int)
    return now - (was if isinstance(was, int) else 0)


def shown(value: Reading, sign: str = "") -> str:
    """A reading for a person."""
    if isinstance(value, tuple):
        return " ".join(f"{number:{sign}d}" for number in value)
    return f"{value:{sign},d}" if isinstance(value, int) else value


# -- from words ------------------------------------------------------------------------------------


def parse(words: Words) -> State:
    """A check of a state up to the end of its value. Raises BadCheck."""
    subject = SUBJECTS[words.pick("a subject", SUBJECTS)](words)
    return State(subject, comparison(words, subject))


def comparison(words: Words, subject: Subject) -> Comparison:
    """`>= 40%`, `= 0 0 1`, `-63`, `lost`. Raises BadCheck."""
    if subject.words:
        how = words.take("a comparison") if words.ahead in ("=", "!=") else "="
        if subject.words == YES and words.ahead in ("", "while"):
            return Comparison(how, YES[0])
        return Comparison(how, words.pick("what it may be", subject.words))
    if words.ahead in OPERATORS:
        return against(words, subject)
    if subject.text.startswith("became ") and words.ahead.isdecimal():
        return Comparison("=", words.number("how many frames"))
    return Comparison(CHANGE, change(words, subject))


def against(words: Words, subject: Subject) -> Comparison:
    """An operator and a value."""
    if subject.long and words.ahead not in ("=", "!="):
        raise words.wrong(f"{subject.text} is compared with = and the numbers of all orders from 0 on")
    how = words.take("a comparison")
    if subject.long:
        return Comparison(how, orders(words, signed=False))
    if words.ahead.endswith("%"):
        if not subject.zone:
            raise words.wrong("per cents are of a zone's managed frames: a number is needed here")
        if not words.ahead[:-1].isdecimal():
            raise words.wrong(f"whole per cents, as in 40%, not {words.ahead!r}")
        return Comparison(how, int(words.take("per cents")[:-1]), per_cent=True)
    return Comparison(how, words.number("a number, as in 968, 0x400, 64K or 40%"))


def change(words: Words, subject: Subject) -> Reading:
    """`+63`, `-63`, or 0: a number without a sign could be meant as a value."""
    if subject.long:
        return orders(words, signed=True)
    if not is_signed(words.ahead):
        given = f", not {words.ahead!r}" if words.ahead else ""
        raise words.wrong(
            f"here should stand {' '.join(OPERATORS)} and a value, or a change as +3 or -3{given}"
        )
    return words.number("a change")


def is_signed(word: str) -> bool:
    """Whether a number has its sign, which 0 has none of."""
    return word[:1] in ("+", "-") or word == "0"


def orders(words: Words, *, signed: bool) -> tuple[int, ...]:
    """A number for each order from 0 on; those left out are 0."""
    found: list[int] = []
    while words.ahead not in ("", "while"):
        if len(found) == MAX_ORDER:
            raise words.wrong(f"there are {MAX_ORDER} orders")
        if signed and not is_signed(words.ahead):
            raise words.wrong("changes have a sign, as in +1 0 -1; values stand behind =")
        found.append(words.number("a number of blocks"))
    if not found:
        raise words.wrong("here should stand a number for each order from 0 on")
    return (*found, *[0] * (MAX_ORDER - len(found)))

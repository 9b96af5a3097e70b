"""Which step of an explanation is asked for, in one line.

    last zone_watermark_fast verdict no         the last step of that function with that verdict
    first expand                                the first; `2nd expand`, `every expand`
    last zone_watermark_fast zone DMA32 free <= watermark
                                                a number of the step, against another of it or a value
    first rmqueue_bulk after __alloc_pages_slowpath
                                                behind (before) the first step that matches
    deciding                                    the one that the explanation calls deciding

The function may be left out, and an older name of it is known. Blanks in a verdict are written `_`:
`verdict no_slot`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from app.exercises.states import compare
from app.exercises.subjects import ZONES
from app.exercises.words import NUMBER, OPERATORS, BadCheck, Words
from app.machine.argtext import as_number
from app.machine.trace.functions import LECTURE, files

__all__ = ["BadCheck", "StepCheck", "parse"]

Step: TypeAlias = Mapping[str, Any]
Test: TypeAlias = Callable[[Step], bool]

DECIDING: Final = "deciding"
WHICH: Final = ("first", "last", "every")
NTH: Final = re.compile(r"([1-9][0-9]{0,3})(?:st|nd|rd|th)")
NAME: Final = re.compile(r"[a-z_][a-z0-9_]*")
SIDES: Final = ("before", "after")


@dataclass(frozen=True, slots=True)
class Steps:
    """What steps must be like."""

    tests: tuple[Test, ...]

    def places(self, steps: Sequence[Step]) -> list[int]:
        """The numbers of those that are, from 1 on."""
        return [place for place, step in enumerate(steps, 1) if all(test(step) for test in self.tests)]


@dataclass(frozen=True, slots=True)
class StepCheck:
    """A line that was read. which: one of WHICH, a number as text, or DECIDING."""

    text: str
    which: str
    steps: Steps
    # Between which others, each with its side.
    bounds: tuple[tuple[str, Steps], ...] = ()

    def places(self, steps: Sequence[Step], deciding: int | None = None) -> list[int]:
        """The numbers of the steps that are meant, from 1 on; none where nothing is like that.

        deciding: the step that the explanation calls so.
        """
        if self.which == DECIDING:
            return [] if deciding is None else [deciding]
        found = self.steps.places(steps)
        for side, others in self.bounds:
            bound = next(iter(others.places(steps)), None)
            if bound is None:
                return []
            found = [place for place in found if (place < bound if side == "before" else place > bound)]
        match self.which:
            case "every":
                return found
            case "first":
                return found[:1]
            case "last":
                return found[-1:]
        number = int(self.which)
        return found[number - 1 : number]


def parse(line: str) -> StepCheck:
    """A check of steps. Raises BadCheck."""
    words = Words(line)
    if words.skip(DECIDING):
        words.end()
        return StepCheck(line, DECIDING, Steps(()))
    number = NTH.fullmatch(words.ahead)
    if number is None:
        which = words.pick("which step", (*WHICH, "2nd", DECIDING))
    else:
        words.place += 1
        which = number[1]
    found = steps(words)
    bounds = []
    while words.ahead:
        bounds.append((words.pick("a fact of a step, before or after", SIDES), steps(words)))
    return StepCheck(line, which, found, tuple(bounds))


def steps(words: Words) -> Steps:
    """A function with facts, up to `before`, `after` or the end. Raises BadCheck."""
    tests: list[Test] = []
    column = words.place
    while words.ahead and words.ahead not in SIDES:
        tests.append(fact(words, first=words.place == column))
    if not tests:
        raise words.wrong("here should stand a function, or a fact as in `verdict no`")
    return Steps(tuple(tests))


def fact(words: Words, *, first: bool) -> Test:
    """`expand`, `verdict no`, `zone DMA32`, `free <= watermark`. Raises BadCheck."""
    word = words.ahead
    following = words.found[words.place + 1][0] if words.place + 1 < len(words.found) else ""
    if following in OPERATORS:
        if NAME.fullmatch(word) is None:
            raise words.wrong(f"{word!r} is no name of a number of a step, as in free < 100")
        words.place += 2
        return partial(has_number, word, following, value(words))
    if words.skip("verdict"):
        return partial(is_fact, "verdict", words.take("a verdict of a step").replace("_", " "))
    if words.skip("zone"):
        return partial(is_fact, "zone", words.pick("a zone", ZONES))
    if first:
        return partial(is_of, function(words))
    raise words.unknown("a fact of a step", ("verdict V", "zone Z", "NUMBER = n", *SIDES))


def function(words: Words) -> str:
    """The name of a function of the kernel, today's or an older one. Raises BadCheck."""
    known = files()
    if words.ahead not in known and words.ahead not in LECTURE.values():
        raise words.unknown("a function of the kernel, or which step is meant", sorted(known))
    return words.take("a function")


def value(words: Words) -> int | str:
    """A number, the name of another one of the step, or a word."""
    if NUMBER.fullmatch(words.ahead):
        return words.number("a number")
    return words.take("a number, or the name of another number of the step")


def is_of(name: str, step: Step) -> bool:
    """Whether a step is one of a function."""
    return name == step["fn"] or (name not in files() and name == step["lecture_fn"])


def is_fact(word: str, wanted: str, step: Step) -> bool:
    """The verdict or the zone of a step."""
    return bool(step[word] == wanted)


def has_number(name: str, how: str, wanted: int | str, step: Step) -> bool:
    """One of the figures with which a step has decided."""
    numbers = step["numbers"]
    if name not in numbers:
        return False
    left = plain(numbers[name])
    right = plain(numbers.get(wanted, wanted) if isinstance(wanted, str) else wanted)
    if type(left) is not type(right) or (isinstance(left, str) and how not in ("=", "!=")):
        return False
    return compare(how, left, right)


def plain(figure: Any) -> int | str:
    """A figure as a number, where it is one."""
    if isinstance(figure, bool):
        return "yes" if figure else "no"
    if isinstance(figure, int):
        return figure
    number = as_number(str(figure))
    return str(figure) if number is None else number

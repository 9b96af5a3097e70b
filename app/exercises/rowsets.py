"""Checks of what was done, from their words: `some alloc_pages null while free DMA >= 40%`, `never kmalloc`.

Those of a state are watched as well, so that all checks are one kind of thing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from app.demos import expect
from app.demos.expect import BadExpectation
from app.errors import BadArgument
from app.exercises import matching, states, subjects
from app.exercises.matching import Matcher
from app.exercises.watches import (
    NOBODY,
    CallsWatch,
    CallWatch,
    Counted,
    CountWatch,
    LogWatch,
    NamesWatch,
    OrderWatch,
    Probe,
    ProbeWatch,
    StateWatch,
    Watching,
)
from app.exercises.words import OPERATORS, BadCheck, Words
from app.machine import calltext
from app.machine.entry import CALLS
from app.machine.outcome import VERDICTS


def some(words: Words, word: str) -> Watching:
    """`some M`, `no M`, `count M = n`, each with `while STATE`."""
    matcher = matching.parse(words)
    how, wanted = {"some": (">=", 1), "no": ("=", 0)}.get(word, ("", 0))
    if not how:
        how = words.pick("how many", OPERATORS)
        wanted = words.number("a number of rows")
    condition = None
    if words.skip("while"):
        condition = states.parse(words)
    elif words.ahead:
        raise words.wrong(f"here may stand `while`, not {words.ahead!r}")
    counted = Counted(matcher, how, wanted, condition)
    return lambda: CountWatch(counted)


def only(words: Words, word: str) -> Watching:
    """`only A B`, `never A B`."""
    calls = [matching.call_name(words)]
    while words.ahead:
        words.skip(",")
        calls.append(matching.call_name(words))
    return lambda: CallsWatch(calls, never=word == "never")


def order(words: Words, _: str) -> Watching:
    """`order A B C`, each a call or a verdict; with commas between them, each with its facts."""
    matchers: list[Matcher] = []
    if any(word == "," for word, _ in words.found):
        matchers.append(matching.parse(words))
        while words.skip(","):
            matchers.append(matching.parse(words))
    else:
        while words.ahead:
            matchers.append(matching.parse(Words(words.ahead)) if single(words) else matching.parse(words))
            words.place += 1
    if len(matchers) < 2:
        raise words.wrong("here should stand two calls or more, with commas where facts belong to them")
    return lambda: OrderWatch(matchers)


def single(words: Words) -> bool:
    """Whether the next word is a call or a verdict. Raises BadCheck."""
    if words.ahead not in VERDICTS and not matching.is_call(words.ahead):
        raise words.unknown("a call or a verdict", (*CALLS, *VERDICTS))
    return True


def names(words: Words, word: str) -> Watching:
    """`woken bob carol`, `killed nobody`."""
    if words.skip(NOBODY):
        return lambda: NamesWatch(word, ())
    found = [subjects.task_name(words)]
    while words.ahead:
        found.append(subjects.task_name(words))
    return lambda: NamesWatch(word, found)


def log(words: Words, _: str) -> Watching:
    """`log invoked oom-killer`."""
    text = words.rest("text of the kernel log, or nothing")
    return lambda: LogWatch(text)


def probe(words: Words, _: str) -> Watching:
    """`probe alloc_pages(GFP_NOWAIT, 1) null`."""
    column = words.column
    text = words.rest("a call as in the console, and its verdict")
    call, _, verdict = text.rpartition(" ")
    if verdict not in VERDICTS:
        raise BadCheck(f"at the end stands a verdict: {', '.join(VERDICTS)}", column + len(call) + bool(call))
    try:
        line = calltext.parse_line(call)
    except BadArgument as error:
        raise BadCheck(error.faults[0].msg, column) from None
    if line.name is None:
        raise BadCheck("here should stand a call as in the console", column)
    tried = Probe(line, verdict)
    return lambda: ProbeWatch(tried)


def of_row(words: Words) -> Watching:
    """`1 verdict null`: as `expect` has it."""
    try:
        expected = expect.expectation(words.rest("a row's number"))
    except BadExpectation as error:
        raise BadCheck(str(error), 1) from None
    return lambda: CallWatch(expected)


def of_state(words: Words) -> Watching:
    """Any check of a state."""
    state = states.parse(words)
    return lambda: StateWatch(state)


PREDICATES: Final[dict[str, Callable[[Words, str], Watching]]] = {
    "some": some,
    "no": some,
    "count": some,
    "only": only,
    "never": only,
    "order": order,
    "woken": names,
    "killed": names,
    "log": log,
    "probe": probe,
}

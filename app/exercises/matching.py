"""Which rows a check is about: `alloc_pages order 1 gfp GFP_NOWAIT null`, `task alice verdict bug`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from app.demos import expect
from app.errors import BadArgument
from app.exercises.rows import MadeRow
from app.exercises.states import compare
from app.exercises.subjects import task_name
from app.exercises.words import OPERATORS, Words
from app.machine import gfp_text, oldmasks, process_text
from app.machine.argtext import MASKS, as_number
from app.machine.entry import CALLS
from app.machine.oldnames import OLD
from app.machine.outcome import VERDICTS
from app.machine.vocabulary import CONTEXTS, CallSpec, Returns

Test = Callable[[MadeRow], bool]

# A macro of the kernel's is the call that it stands for, with order 0.
MACROS: Final = {
    "alloc_page": "alloc_pages",
    "__get_free_page": "__get_free_pages",
    "__free_page": "__free_pages",
    "free_page": "free_pages",
}
# Fields of an outcome's page, object or area that may be asked for, beside a call's own arguments.
PARTS: Final = ("zone", "pfn", "refcount", "cache", "ksize", "index", "offset", "nr_pages")
FAULTS: Final = ("none", *process_text.FAULTS)
SIGNALS: Final = ("SIGSEGV", "SIGBUS")
FACTS: Final = (
    "verdict", "task", "cpu", "context", "gfp", "ret", "fault", "minor", "major", "signal", "woken", "killed",
    *PARTS,
)  # fmt: skip
ARGUMENTS: Final = frozenset(arg.name for spec in CALLS.values() for arg in spec.args)


@dataclass(frozen=True, slots=True)
class Matcher:
    """What a row must be like. call: as it is written; empty for any. Every test must hold."""

    text: str
    call: str
    tests: tuple[Test, ...]

    def matches(self, row: MadeRow) -> bool:
        """Whether a row is like that."""
        return all(test(row) for test in self.tests)


def parse(words: Words, end: tuple[str, ...] = ("while", ",")) -> Matcher:
    """A matcher up to one of the words that end it, an operator, or the end of the line. Raises BadCheck."""
    if words.ahead in ("", *end):
        raise words.unknown("a call, a fact or a verdict", (*CALLS, *FACTS, *VERDICTS))
    begin = words.place
    call = ""
    tests: list[Test] = []
    if words.ahead not in (*VERDICTS, *FACTS) and (words.ahead not in ARGUMENTS or is_call(words.ahead)):
        call = call_name(words)
        tests.append(partial(is_made, call))
    while words.ahead and words.ahead not in (*end, *OPERATORS):
        tests.append(test(words, call))
    text = " ".join(word for word, _ in words.found[begin : words.place])
    return Matcher(text, call, tuple(tests))


def is_call(word: str) -> bool:
    """Whether a word names a call, by today's name or an older one."""
    return word in CALLS or word in OLD


def call_name(words: Words) -> str:
    """The name of a call; an older one as today's. Raises BadCheck."""
    if not is_call(words.ahead):
        raise words.unknown("a call", CALLS)
    word = words.take("a call")
    return OLD[word].name if word in OLD else word


def is_made(call: str, row: MadeRow) -> bool:
    """Whether a row is a call of this name. A macro and the call that it stands for are one."""
    if row.name == call:
        return True
    return order_of(row) == 0 and (MACROS.get(row.name) == call or MACROS.get(call) == row.name)


def order_of(row: MadeRow) -> int:
    """The order of a call; macros for a single page have none."""
    return int(row.body.get("order", 0))


# -- one fact --------------------------------------------------------------------------------------


def test(words: Words, call: str) -> Test:
    """A verdict, or a fact with its value. Raises BadCheck."""
    if words.ahead in VERDICTS:
        return partial(has_verdict, words.take("a verdict"))
    spec = CALLS.get(call)
    own = ARGUMENTS if spec is None else frozenset(arg.name for arg in spec.args)
    if words.ahead not in (*FACTS, *own):
        among = (*VERDICTS, *FACTS, *(arg for arg in sorted(own) if arg not in FACTS))
        raise words.unknown("a verdict or a fact", among)
    fact = words.take("a fact")
    if fact in OF_FACTS:
        return OF_FACTS[fact](words)
    how = words.take("a comparison") if words.ahead in OPERATORS else "="
    if fact in PARTS:
        return partial(has_part, fact, how, value(words, how))
    return argument(words, fact, how, spec)


def value(words: Words, how: str) -> int | str:
    """A number, or a word where only = and != compare. Raises BadCheck."""
    number = as_number(words.ahead)
    if number is None and how not in ("=", "!="):
        raise words.wrong(f"a number is needed behind {how}")
    word = words.take("a value")
    return word if number is None else number


def gfp(words: Words) -> Test:
    """`gfp GFP_NOWAIT`, the very mask; `gfp has __GFP_HIGH`; `gfp lacks __GFP_HIGH`."""
    how = words.take("how") if words.ahead in ("has", "lacks") else ""
    column = words.place
    try:
        mask = gfp_text.parse(oldmasks.unprinted(words.take("a mask")))
    except BadArgument as error:
        words.place = column
        raise words.wrong(error.faults[0].msg) from None
    return partial(has_mask, how, mask)


def ret(words: Words) -> Test:
    """`ret NULL`, `ret != NULL`, `ret >= 3`."""
    how = words.take("a comparison") if words.ahead in OPERATORS else "="
    if words.ahead == "NULL":
        if how not in ("=", "!="):
            raise words.wrong("with NULL only = and != compare")
        words.place += 1
        return partial(returns_null, how == "=")
    return partial(returns, how, words.number("a number or NULL"))


def argument(words: Words, name: str, how: str, spec: CallSpec | None) -> Test:
    """An argument of a call: flags by their names, anything else as a number or a word."""
    kinds = {arg.kind for each in CALLS.values() for arg in each.args if arg.name == name}
    if spec is not None:
        kinds = {arg.kind for arg in spec.args if arg.name == name}
    masks = [kind for kind in kinds if kind in MASKS]
    if not masks:
        return partial(has_argument, name, how, value(words, how))
    known: Mapping[str, int] = {flag: bit for kind in masks for flag, bit in MASKS[kind].items()}
    mask = mask_of(words.ahead, known)
    if mask is None:
        raise words.unknown("flags joined by |", known)
    words.place += 1
    return partial(has_flags, name, how, mask, known)


def mask_of(text: Any, known: Mapping[str, int]) -> int | None:
    """Flags as a number; None where one is not known."""
    if isinstance(text, int):
        return text
    mask = 0
    for word in str(text).split("|"):
        bit = known.get(word, as_number(word))
        if bit is None:
            return None
        mask |= bit
    return mask


OF_FACTS: Final[dict[str, Callable[[Words], Test]]] = {
    "verdict": lambda words: partial(has_verdict, words.pick("a verdict", VERDICTS)),
    "task": lambda words: partial(has_argument, "task", "=", task_name(words)),
    "context": lambda words: partial(has_argument, "context", "=", words.pick("a context", CONTEXTS)),
    "cpu": lambda words: partial(has_argument, "cpu", "=", words.number("a CPU")),
    "gfp": gfp,
    "ret": ret,
    "fault": lambda words: partial(is_told, "fault", words.pick("a kind of fault", FAULTS)),
    "minor": lambda _: partial(has_faults, "min"),
    "major": lambda _: partial(has_faults, "maj"),
    "signal": lambda words: partial(is_told, "signal", words.pick("a signal", SIGNALS)),
    "woken": lambda words: partial(lists, "woken", task_name(words)),
    "killed": lambda words: partial(lists, "killed", task_name(words)),
}


# -- of a row --------------------------------------------------------------------------------------


def has_verdict(verdict: str, row: MadeRow) -> bool:
    """How the call ended."""
    return bool(row.outcome["verdict"] == verdict)


def has_argument(name: str, how: str, wanted: int | str, row: MadeRow) -> bool:
    """An argument, or who called from where."""
    found = order_of(row) if name == "order" and CALLS[row.name].group == "pages" else row.body.get(name)
    if isinstance(found, str) and isinstance(wanted, int):
        found = as_number(found)
    if type(found) is not type(wanted):
        return False
    return compare(how, found, wanted)


def has_flags(name: str, how: str, mask: int, known: Mapping[str, int], row: MadeRow) -> bool:
    """An argument that is flags."""
    found = mask_of(row.body.get(name, ""), known)
    return found is not None and compare(how, found, mask)


def has_mask(how: str, mask: int, row: MadeRow) -> bool:
    """The mask of an allocation, in either vocabulary."""
    name = next((arg.name for arg in CALLS[row.name].args if arg.kind == "gfp"), None)
    if name is None or name not in row.body:
        return False
    found = gfp_text.parse(row.body[name])
    if how == "has":
        return found & mask == mask
    return not found & mask if how == "lacks" else found == mask


def has_part(name: str, how: str, wanted: int | str, row: MadeRow) -> bool:
    """A field of the page, the object or the area of an outcome, else an argument of that name."""
    found = expect.of_parts(name, row.outcome)
    if found == expect.NOT_TOLD:
        return has_argument(name, how, wanted, row)
    return type(found) is type(wanted) and compare(how, found, wanted)


def returns_null(null: bool, row: MadeRow) -> bool:
    """Whether the call returned NULL, or nothing of a loop of calls. What is void returns neither."""
    returned = CALLS[row.name].returns is not Returns.NOTHING
    return returned and (row.outcome["ret"] in (None, 0)) is null


def returns(how: str, wanted: int, row: MadeRow) -> bool:
    """What the call returned, as a number."""
    found = row.outcome["ret"]
    if isinstance(found, str):
        found = as_number(found)
    return isinstance(found, int) and compare(how, found, wanted)


def is_told(fact: str, wanted: str, row: MadeRow) -> bool:
    """What one of the accesses of a call met that are told: the kind of its fault, or its signal."""
    return any(access[fact] == wanted for access in row.outcome.get("access") or ())


def has_faults(kind: str, row: MadeRow) -> bool:
    """Whether a call made page faults of a kind, all its accesses counted."""
    return bool((row.outcome.get("faults") or {}).get(kind))


def lists(fact: str, task: str, row: MadeRow) -> bool:
    """Whether a call has woken or killed a task."""
    return task in (row.outcome.get(fact) or ())

"""What is right: read from the machine, from rows of calls, or computed; never written down by an author.

A field's `answer` says what is read. It is the left side of a line that a demo `expect`s or that a goal
checks:

    1 verdict                   of the task's first call; so too 1 ret, 1 pfn, 1 zone, 1 ksize, 2 woken, …
    1 became lost               how many frames it changed to a state
    1 changed free              which frames it changed to a state
    1 reclaim scanned           of its own reclaim; `1 background kswapd0 reclaimed` of a kernel thread's
    1 faults min                its minor faults; `maj`: its major ones
    1 access                    what its last access met: none, minor, major or signal (form `fault`)
    free DMA                    of the machine after the calls, as the left side of a check
    free DMA change             how much the calls changed it
    buddyinfo DMA               the free lists after them, of each order
    page p+3 refcount           of a frame that a name stands for; `page 0x400 refcount` of any
    became lost, live frames    what all calls of the task came to

And beside that

    = share * managed.DMA / 100 a formula over drawn values and facts; for texts, the text itself
    mask GFP_NOFS               which of the field's options (flags) a mask has

In a task of kind `ask` the mark `=` may be left out. In `explain` a field of the form `step` has a check of
steps, in `debug` one of the form `lines` a check of lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from app.demos import expect
from app.errors import BadArgument
from app.exercises import forms, formula, lines, steps
from app.exercises.exercise import Field, Wrong
from app.exercises.forms.chosen import fault_of
from app.exercises.look import Absent, Look
from app.exercises.states import changed
from app.exercises.subjects import SUBJECTS, Reading, Subject
from app.exercises.words import BadCheck, Words
from app.machine import gfp_text

# Words behind a fact of a call, where it is more than one word.
WORDS: Final = {"became": 2, "changed": 2, "reclaim": 2, "faults": 2, "background": 3}
# What `expect.of_parts` finds where there is nothing.
NOT_TOLD: Final = "not told"
# In which kind of task a form asks for steps or lines.
CHECKS: Final = {"step": "explain", "lines": "debug"}
FAULTS: Final = ("min", "maj")
# From what a wrong answer cannot be read: such a one is stated.
STATED: Final = ("formula", "text")


class BadQuestion(Exception):  # noqa: N818 - as the others are named
    """An `answer` that says nothing that could be read, and what would."""


class Unreadable(Exception):  # noqa: N818 - as the others are named
    """What is asked about has not happened, or this machine has no such thing."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is read.

    what: `call`, `state`, `formula`, `text`, `mask`, `steps` or `lines`. words: the fact of a call. call:
    which of the task's, from 1. subject: of the machine. change: whether it is asked what the calls changed.
    """

    what: str
    text: str
    words: tuple[str, ...] = ()
    call: int = 0
    subject: Subject | None = None
    change: bool = False
    steps: steps.StepCheck | None = None
    lines: lines.LinesCheck | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to read from.

    look: at the machine after the calls, and at what they did. before: readings from before them. known: what
    formulas may know. lines: for each check of lines, which are faulty. steps: of the explanation of the last
    call, with the number of the one that decided.
    """

    look: Look
    before: Mapping[str, Reading]
    known: formula.Names
    lines: Mapping[str, list[int]] = field(default_factory=dict)
    steps: Sequence[steps.Step] = ()
    deciding: int | None = None


# -- what is asked ----------------------------------------------------------------------------------------


def question(asked: Field, kind: str) -> Question:
    """What a field of a task of that kind asks. Raises BadQuestion; a check is read where it is checked."""
    text = asked.answer
    words = text.split()
    if not words:
        raise BadQuestion("an answer is needed, as in answer = '1 verdict'")
    if asked.form in CHECKS:
        return of_check(text, asked.form, kind)
    if words[0] == "mask":
        return mask(text)
    if text.startswith("="):
        return stated(text.removeprefix("=").strip(), asked)
    if kind == "ask":
        return plain(text, words, asked)
    if words[0] in SUBJECTS:
        return of_subject(text)
    if expect.CALL.fullmatch(words[0]):
        return of_call(text, words)
    raise BadQuestion(
        f"{text!r} begins with neither a call's number, as in '1 verdict', nor '=' nor one of "
        f"{', '.join(SUBJECTS)}"
    )


def reads(wrong: Wrong, asked: Field, kind: str) -> Question:
    """What somebody reads instead who gives a wrong answer. Raises BadQuestion."""
    found = question(replace(asked, answer=wrong.reads), kind)
    if found.what in STATED:
        raise BadQuestion(f"{wrong.reads!r} is nothing to read: is = says what is stated or computed")
    return found


def is_null(text: str) -> bool:
    """Whether an answer is no number but `NULL`, where a form has it."""
    return text.strip() == "NULL"


def of_check(text: str, form: str, kind: str) -> Question:
    """Steps of an explanation, lines of a list."""
    if kind != CHECKS[form]:
        raise BadQuestion(f"the form {form!r} is for tasks of kind {CHECKS[form]}")
    try:
        if form == "step":
            return Question("steps", text, steps=steps.parse(text))
        return Question("lines", text, lines=lines.parse(text))
    except BadCheck as error:
        raise BadQuestion(f"{text!r}: {error}") from None


def stated(text: str, asked: Field) -> Question:
    """A formula; of forms that are no numbers the answer itself."""
    if not forms.FORMS[asked.form].computed:
        return Question("text", text)
    try:
        formula.parse(text)
    except formula.BadFormula as error:
        raise BadQuestion(str(error)) from None
    return Question("formula", text)


def plain(text: str, words: Sequence[str], asked: Field) -> Question:
    """What a task asks that makes no calls: without a mark, a formula or an answer, else a figure."""
    if words[0] not in SUBJECTS or text in asked.options:
        return stated(text, asked)
    try:
        return of_subject(text)
    except BadQuestion:
        if not forms.FORMS[asked.form].computed:
            raise
        return stated(text, asked)


def mask(text: str) -> Question:
    """`mask GFP_NOFS|__GFP_HIGH`."""
    try:
        flags_in(text, ())
    except BadArgument as error:
        raise BadQuestion(f"{text!r}: {error.faults[0].msg}") from None
    return Question("mask", text)


def of_call(text: str, words: Sequence[str]) -> Question:
    """`1 verdict`, `1 became lost`, `2 background kswapd0 reclaimed`."""
    number, *fact = words
    needed = WORDS.get("".join(fact[:1]), 1)
    if int(number) < 1 or len(fact) != needed:
        raise BadQuestion(f"{text!r}: a call's number from 1 on and what is read of it, as in '1 verdict'")
    if fact[0] == "faults" and fact[1] not in FAULTS:
        raise BadQuestion(f"{text!r}: one of {', '.join(FAULTS)}")
    if fact[0] == "log":
        raise BadQuestion(f"{text!r}: what the kernel logged is no answer; ask for the verdict")
    return Question("call", text, tuple(fact), int(number))


def of_subject(text: str) -> Question:
    """`free DMA`, `free DMA change`, `page p+3 refcount`."""
    left, change = text.removesuffix(" change"), text.endswith(" change")
    words = Words(left)
    try:
        subject = SUBJECTS[words.take("a subject")](words)
        words.end()
    except BadCheck as error:
        raise BadQuestion(f"{text!r}: {error}") from None
    if change and subject.words:
        raise BadQuestion(f"{text!r}: only numbers change")
    return Question("state", text, change=change, subject=subject)


# -- before the calls -------------------------------------------------------------------------------------


def begin(asked: Sequence[Question], look: Look) -> dict[str, Reading]:
    """What the machine has before the calls, of that of which the change is asked."""
    found = {}
    for one in asked:
        if one.change and one.subject is not None:
            with suppress(Absent):
                found[one.text] = one.subject.read(look)
    return found


# -- reading ----------------------------------------------------------------------------------------------


def read(asked: Question, seen: Seen, options: Sequence[str] = ()) -> object:
    """What the machine has, or the formula comes to, for the form to make an answer of. Raises Unreadable."""
    match asked.what:
        case "formula":
            try:
                return formula.parse(asked.text).value(seen.known)
            except formula.BadFormula as error:
                raise Unreadable(str(error)) from None
        case "text":
            return asked.text
        case "mask":
            return flags_in(asked.text, options)
        case "state":
            return of_state(asked, seen)
        case "steps":
            return of_steps(asked, seen)
        case "lines":
            return seen.lines[asked.text]
    if asked.call > len(seen.look.rows):
        raise Unreadable(f"{asked.text!r}: the task has only {len(seen.look.rows)} calls")
    return of_outcome(asked, seen.look.rows[asked.call - 1].outcome)


def flags_in(text: str, options: Sequence[str]) -> list[str]:
    """Which flags a mask has, of those that can be chosen. Raises BadArgument."""
    whole = gfp_text.parse(text.removeprefix("mask"))
    bits = [(option, gfp_text.parse(option)) for option in options]
    return [option for option, flag in bits if flag and whole & flag == flag]


def of_state(asked: Question, seen: Seen) -> object:
    """A figure of the machine after the calls, or what they changed of it."""
    assert asked.subject is not None
    try:
        now = asked.subject.read(seen.look)
    except Absent as absent:
        raise Unreadable(str(absent)) from None
    found = changed(seen.before.get(asked.text), now) if asked.change else now
    return list(found) if isinstance(found, tuple) else found


def of_steps(asked: Question, seen: Seen) -> list[int]:
    """The numbers of the steps that are asked for."""
    assert asked.steps is not None
    found = asked.steps.places(seen.steps, seen.deciding)
    if not found:
        raise Unreadable(f"no step is {asked.text!r}")
    return found


def of_outcome(asked: Question, outcome: Mapping[str, Any]) -> object:
    """A fact of one call."""
    fact, *more = asked.words
    match fact:
        case "verdict" | "ret":
            found: Any = outcome[fact]
        case "woken" | "killed":
            found = list(outcome.get(fact) or ())
        case "became":
            found = expect.became(more[0], outcome)
        case "changed":
            found = frames(asked, more[0], outcome)
        case "faults":
            found = (outcome.get("faults") or {}).get(more[0], NOT_TOLD)
        case "fault" | "signal":
            found = expect.faulted(fact, outcome)
        case "access":
            last = expect.last_access(outcome)
            found = fault_of(last) if last else NOT_TOLD
        case "tables" | "around":
            found = int(expect.faulted(fact, outcome))
        case "reclaim":
            found = (outcome.get("reclaim") or {}).get(more[0], NOT_TOLD)
        case "background":
            threads = {thread["task"]: thread for thread in outcome.get("background") or ()}
            found = (threads.get(more[0], {}).get("reclaim") or {}).get(more[1], NOT_TOLD)
        case "frame":
            found = expect.last_access(outcome).get("pfn", NOT_TOLD)
        case _:
            found = expect.of_parts(fact, outcome)
    if found == NOT_TOLD:
        raise Unreadable(f"{asked.text!r}: the call has none")
    return found


def frames(asked: Question, state: str, outcome: Mapping[str, Any]) -> list[int]:
    """The frames that a call has changed to a state."""
    if outcome["changed"] is None:
        raise Unreadable(f"{asked.text!r}: it changed too many frames to name them")
    runs = [(pfn, count) for pfn, count, new in outcome["changed"] if new == state]
    return sorted({frame for pfn, count in runs for frame in range(pfn, pfn + count)})

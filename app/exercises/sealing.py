"""A task as one person gets it: asked on a machine, with what is right and wrong there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from app.exercises import explained, facts, formula, lines, truth, values
from app.exercises.exercise import Field, Task, Wrong
from app.exercises.forms import FORMS, Answer, BadAnswer, BadForm, Form, Setting, Shape
from app.exercises.likely import LIKELY
from app.exercises.look import Look
from app.exercises.playground import Playground, Refused, read
from app.exercises.rejected import Rejected
from app.machine.machine import Machine
from app.machine.outcome import Outcome


@dataclass(frozen=True, slots=True)
class WrongAnswer:
    """A wrong answer as it is with these values. number: of the field's list, from 0."""

    number: int
    answer: Answer
    because: str
    say: str


@dataclass(frozen=True, slots=True)
class FieldVariant:
    """One thing to answer. right is None where it is not known, because it was not loaded."""

    field: Field
    shape: Shape
    right: Answer | None
    wrong: tuple[WrongAnswer, ...] = ()

    @property
    def form(self) -> Form:
        """Its form."""
        return FORMS[self.field.form]


@dataclass(frozen=True, slots=True)
class TaskVariant:
    """A task whose templates are filled. fields: of its questions; goals have none."""

    task: Task
    fields: tuple[FieldVariant, ...] = ()

    @property
    def number(self) -> int:
        """Its place in the exercise, from 1."""
        return self.task.number


@dataclass(slots=True)
class Played:
    """What the task's calls did.

    before: the machine as it was before a call, by its place from 0, where a likely wrong answer is computed
    from that.
    """

    outcomes: list[Outcome]
    before: dict[int, Machine]
    steps: Sequence[explained.Step] = ()
    deciding: int | None = None


def seal(task: Task, place: Playground, found: values.Values) -> TaskVariant:
    """Ask a task, but no goal, on a machine, which makes its calls. Raises Rejected.

    task: with its templates filled. place: is in the state behind the calls afterwards.
    """
    try:
        return sealed(task, place, found)
    except (Refused, truth.Unreadable, BadAnswer, BadForm) as error:
        raise Rejected(task.number, str(error)) from error


def sealed(task: Task, place: Playground, found: values.Values) -> TaskVariant:
    """The same; raises whatever is in the way."""
    asked = [truth.question(field, task.kind) for field in task.fields]
    known = noted(task, asked, place.machine, found)
    look = Look(place.machine, place.names, 0)
    believed = [
        {number: truth.reads(one, field, task.kind) for number, one in enumerate(field.wrong) if one.reads}
        for field in task.fields
    ]
    every = [*asked, *(one for instead in believed for one in instead.values())]
    before = truth.begin(every, look)
    start = Setting(place.machine, task.calls, tasks=callers(task.calls))
    shapes = [
        None if one.what == "steps" else FORMS[field.form].shape(field, start)
        for field, one in zip(task.fields, asked, strict=True)
    ]
    checks = {one.text: one.lines for one in every if one.lines is not None}
    search = lines.Search(checks.values(), look)
    played = play(task, asked, place, look, search)
    faulty = dict(zip(checks, search.found(), strict=True))
    seen = truth.Seen(look, before, known, faulty, played.steps, played.deciding)
    steps = Setting(place.machine, task.calls, explained.asked(played.steps))
    fields = []
    for field, one, early in zip(task.fields, asked, shapes, strict=True):
        shape = early or FORMS[field.form].shape(field, steps)
        options = [option["value"] for option in shape.get("options", ())]
        right = FORMS[field.form].answer(truth.read(one, seen, options), shape)
        fields.append(FieldVariant(field, shape, right))
    whole = TaskVariant(task, tuple(fields))
    answered = tuple(
        replace(field, wrong=wrongs(whole, field, Believing(one, instead, seen, played, place.machine)))
        for field, one, instead in zip(fields, asked, believed, strict=True)
    )
    left_out = any(wrong.maybe for field in task.fields for wrong in field.wrong)
    if left_out and not any(field.wrong for field in answered):
        raise Rejected(task.number, "every wrong answer is right")
    return replace(whole, fields=answered)


def noted(
    task: Task, asked: Sequence[truth.Question], machine: Machine, found: values.Values
) -> formula.Names:
    """What formulas may know; facts as they are before the calls."""
    of_machine = facts.of(machine)
    texts = [one.text for one in asked if one.what == "formula"]
    texts += [
        wrong.answer
        for field in task.fields
        for wrong in field.wrong
        if FORMS[field.form].computed and wrong.answer
    ]
    names = {name for text in texts for name in read_formula(text).names if facts.is_fact(name)}
    known: dict[str, int] = {}
    for name in names:
        with suppress(KeyError):
            known[name] = of_machine(name)
    return values.known(found, known.__getitem__)


def read_formula(text: str) -> formula.Formula:
    """A formula. Raises Unreadable."""
    try:
        return formula.parse(text)
    except formula.BadFormula as error:
        raise truth.Unreadable(f"{text!r}: {error}") from None


def callers(lines: Sequence[str]) -> tuple[str, ...]:
    """The tasks that make the calls."""
    bodies = (read(line).body for line in lines)
    return tuple(dict.fromkeys(str(body["task"]) for body in bodies if "task" in body))


def looked_back(task: Task, asked: Sequence[truth.Question]) -> set[int]:
    """The places of calls before which likely wrong answers look at the machine, and of those behind them."""
    likely = (
        one.call
        for field, one in zip(task.fields, asked, strict=True)
        if any(wrong.like for wrong in field.wrong)
    )
    calls = sum(read(line).name is not None for line in task.calls)
    return {place for call in likely for place in ((call or calls) - 1, call or calls)}


def play(
    task: Task, asked: Sequence[truth.Question], place: Playground, look: Look, search: lines.Search
) -> Played:
    """Make the task's calls, while others look on. Raises Refused."""
    copied = looked_back(task, asked)
    played = Played([], {})
    for number, line in enumerate(task.calls, 1):
        if len(played.outcomes) in copied:
            played.before[len(played.outcomes)] = place.copy().machine
        search.before()
        if task.kind == "explain" and number == len(task.calls):
            made, played.steps, played.deciding = explained.act(place, line, number)
        else:
            made = place.act(line, number)
        played.outcomes += made
        for outcome in made:
            row = place.row(outcome)
            look.note(row, outcome)
            search.after(row, outcome)
    return played


# -- wrong answers ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Believing:
    """From what wrong answers of a field come.

    asked: what is asked. reads: what is read instead, by the number of the wrong answer. after: the machine
    after the calls.
    """

    asked: truth.Question
    reads: Mapping[int, truth.Question]
    seen: truth.Seen
    played: Played
    after: Machine


def wrongs(task: TaskVariant, field: FieldVariant, of: Believing) -> tuple[WrongAnswer, ...]:
    """The wrong answers that can be given here. Raises Rejected where one of them would be right."""
    number = task.number
    found: list[WrongAnswer] = []
    for place, wrong in enumerate(field.field.wrong):
        if wrong.like:
            answer = likely(wrong.like, field, of.asked, of.played, of.after)
        elif wrong.reads:
            answer = instead(field, of.reads[place], of.seen)
        else:
            answer = stated(wrong, task, field, of.seen.known)
        if answer is None:
            continue
        said = field.form.text(answer, field.shape)
        assert field.right is not None
        if field.form.share(field.right, answer, field.shape, field.field).right:
            if wrong.maybe:
                continue
            raise Rejected(number, f"a wrong answer is right ({wrong.because})")
        alike = next((other for other in found if field.form.same(other.answer, answer)), None)
        if alike is not None:
            if wrong.maybe:
                continue
            raise Rejected(
                number, f"two wrong answers are the same, {said} ({alike.because}, {wrong.because})"
            )
        found.append(WrongAnswer(place, answer, wrong.because, wrong.say))
    return tuple(found)


def instead(field: FieldVariant, reads: truth.Question, seen: truth.Seen) -> Answer | None:
    """A wrong answer that is read from the machine; None where there is nothing like it."""
    options = [option["value"] for option in field.shape.get("options", ())]
    try:
        return field.form.answer(truth.read(reads, seen, options), field.shape)
    except truth.Unreadable:
        return None


def likely(
    key: str, field: FieldVariant, asked: truth.Question, played: Played, after: Machine
) -> Answer | None:
    """A wrong answer computed from the machine; None where it cannot be given here."""
    place = (asked.call or len(played.outcomes)) - 1
    if place < 0:
        return None
    outcome = played.outcomes[place]
    then = played.before.get(place + 1, after)
    assert field.right is not None
    return LIKELY[key].believed(played.before[place], outcome.call, outcome, then, field.right)


def stated(wrong: Wrong, task: TaskVariant, field: FieldVariant, known: formula.Names) -> Answer:
    """A wrong answer that the file states. Raises BadAnswer, Unreadable."""
    if not field.form.computed or truth.is_null(wrong.answer):
        return field.form.read(wrong.answer, field.shape)

    def names(word: str) -> int:
        other = right_of(word, task, field)
        return known(word) if other is None else other

    try:
        return field.form.answer(read_formula(wrong.answer).value(names), field.shape)
    except formula.BadFormula as error:
        raise truth.Unreadable(f"{wrong.answer!r}: {error}") from None


def right_of(word: str, task: TaskVariant, field: FieldVariant) -> int | None:
    """`right` in a formula is the field's right answer, `right.2` that of the task's second field."""
    name, _, place = word.partition(".")
    if name != "right":
        return None
    if place:
        if not (place.isdecimal() and 1 <= int(place) <= len(task.fields)):
            raise KeyError(word)
        field = task.fields[int(place) - 1]
    if isinstance(field.right, int):
        return field.right
    if field.field.form == "address" and str(field.right).startswith("0x"):
        return int(str(field.right), 16)
    raise KeyError(word)

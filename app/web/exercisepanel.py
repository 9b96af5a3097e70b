"""A task of an exercise beside its machine, as one practises it. Its whole state is in the address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from starlette.requests import Request

from app.errors import Refusal
from app.exercises import judging, truth
from app.exercises.checks import Evaluation
from app.exercises.exercise import PARTS, Exercise, Task
from app.exercises.forms import Answer
from app.exercises.forms.frames import runs_of
from app.exercises.judging import Judged
from app.exercises.sealing import FieldVariant, TaskVariant
from app.labs.goals import Reached
from app.practice import Practice, Practised, Which
from app.sessions import SessionInfo
from app.web import address, exercisefields, mastery, wording
from app.web.address import Address
from app.web.contexts.base import Link, ShownRefusal
from app.web.contexts.exercise import ConditionView, ExercisePanel, ExerciseRow, FieldView, TaskDot
from app.web.demopanel import machine_text
from app.web.exercisework import Done, done_of, given_of
from app.web.journal import journal_row
from app.web.language import N_, _, ngettext
from app.web.requester import sessions_for
from app.web.shownrows import Outcome

HEADINGS: Final = {
    "goal": N_("Reach it"),
    "predict": N_("Predict"),
    "explain": N_("Which step decided?"),
    "debug": N_("Find the lines"),
    "ask": N_("Work it out"),
}
STATES: Final = {
    "open": ("", N_("open")),
    "tried": ("·", N_("tried")),
    "solved": ("✓", N_("solved")),
    "shown": ("○", N_("shown")),
}
FREE_LISTS: Final = "lists"
# Forms of answers that are on the map.
ON_MAP: Final = ("pfn", "frames")
# Rows of a solution that are listed.
MOST_ROWS: Final = 60


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page reads of an exercise before it reads its machine."""

    which: Which
    """the exercise and the number of its variant"""
    practised: Practised
    """the variant, and where its session begins"""
    number: int
    """the number of the task"""
    start: int | None
    """the row at which the task begins; None where a task before it has not been done"""
    task: TaskVariant
    """the task as the machine asks it"""
    given: Sequence[str]
    """the answers that were given"""
    answers: Sequence[Answer]
    """the same, read; empty where some cannot be"""
    judged: Judged | None
    """what is right of them"""
    evaluation: Evaluation | None
    """the conditions of a goal, where it was checked"""


@dataclass(frozen=True, slots=True)
class ExerciseAgain:
    """What a panel shows once more after a form on it was refused."""

    refusal: ShownRefusal | None = None
    """why"""
    given: Sequence[str] = ()
    """what was typed"""
    faults: Mapping[int, str] = field(default_factory=dict)
    """why which answer is none, by its place from 0"""
    reached: Reached | None = None
    """which conditions of a sheet's goal hold, where that was just looked at"""


# -- reading -----------------------------------------------------------------------------------------------


async def read(request: Request, here: Address) -> Asked | str | None:
    """The task that an address names; why it cannot be shown; None where it names none."""
    if here.exercise is None or here.variant is None:
        return None
    practice: Practice = request.app.state.practice
    _sessions, who = sessions_for(request)
    which = Which(here.exercise, here.variant)
    try:
        practised = await practice.variants.of_session(who, here.id, which)
        number = min(max(here.task or 1, 1), len(practised.variant.tasks))
        start = start_of(practised, number, here)
        _found, task = await practice.task(who, here.id, which, number, start)
        evaluation = None
        until = address.number((given_of(here) or [""])[0])
        if task.task.kind == "goal" and until is not None and start is not None:
            evaluation = (await practice.check(who, here.id, which, number, start, until)).evaluation
    except Refusal as error:
        return str(error)
    given = given_of(here) if task.fields else []
    answers, judged = judge(task, given)
    return Asked(which, practised, number, start, task, given, answers, judged, evaluation)


def judge(task: TaskVariant, given: Sequence[str]) -> tuple[Sequence[Answer], Judged | None]:
    """The answers that an address holds, and what is right of them; nothing where they cannot be read."""
    if not given or not task.fields:
        return (), None
    try:
        answers = judging.read(task, given)
    except judging.BadGiven:
        return (), None
    return answers, judging.judge(task, answers)


def start_of(practised: Practised, number: int, here: Address) -> int | None:
    """The row at which a task begins: behind the prelude, or where the task before it has ended."""
    task = practised.variant.task(number).task
    begin = done_of(here, number).begin
    if begin is not None:
        return begin
    if number == 1 or not task.keep:
        return practised.first
    end = done_of(here, number - 1).end
    before = practised.variant.task(number - 1).task
    return start_of(practised, number - 1, here) if end is None and not acts(before) else end


def acts(task: Task) -> bool:
    """Whether a task ends with calls."""
    return task.kind == "goal" or bool(task.calls)


def run_of(asked: Asked | str | None, here: Address) -> tuple[int | None, int]:
    """The row after which those of the task's calls begin, and how many; None where they were not made."""
    if not isinstance(asked, Asked):
        return None, 0
    done = done_of(here, asked.number)
    rows = len(calls_of(asked.task.task, done))
    return (None, 0) if done.end is None or not rows else (done.end - rows, min(rows, MOST_ROWS))


def calls_of(task: Task, done: Done) -> Sequence[str]:
    """The calls that a task was ended with by being shown: those that it asks about, or a goal's solution."""
    if done.end is None or task.kind != "goal":
        return task.calls
    return task.solution if done.state == "shown" else ()


def is_told(task: Task, done: Done) -> bool:
    """Whether what is right is known to the reader, so that it may be said."""
    return done.end is not None or done.state == "shown" or (done.state == "solved" and not acts(task))


# -- the list ----------------------------------------------------------------------------------------------


def exercise_row(exercise: Exercise, request: Request) -> ExerciseRow:
    """Make a line of the home page's list."""
    return ExerciseRow(
        name=exercise.name,
        title=exercise.title,
        teaser=exercise.teaser,
        machine=_(", or ").join(dict.fromkeys(machine_text(machine) for machine in exercise.machines)),
        tasks=len(exercise.tasks),
        minutes=exercise.minutes,
        mark=mastery.words(request, exercise.name),
        mastered=mastery.mastered(request, exercise.name),
    )


# -- the panel ---------------------------------------------------------------------------------------------


def in_view(one: TaskVariant) -> dict[str, Any]:
    """What the page shows where a task begins."""
    zones = [field.shape["zone"] for field in one.fields if field.shape["form"] == "orders"]
    return {"panel": FREE_LISTS, "zone": zones[-1]} if zones else {}


def at_task(asked: Practised, number: int, here: Address) -> Address:
    """The view in which a task is begun; parts of the page that it says nothing of stay as they are."""
    changes = in_view(asked.variant.task(number))
    return here.to(task=number, given=None, outcome=None, before=None, moment=None, **changes)


def exercise_panel(
    asked: Asked, here: Address, info: SessionInfo, rows: Sequence[Outcome], again: ExerciseAgain, mark: str
) -> ExercisePanel:
    """Make the panel. rows: those of the task's calls."""
    variant, one, number = asked.practised.variant, asked.task, asked.number
    task, done = one.task, done_of(here, number)
    told = is_told(task, done)
    total = len(variant.tasks)
    left = first_left(asked, here)
    hints = task.hints[: done.hints]
    after = task.hints[done.hints : done.hints + 1]
    return ExercisePanel(
        name=asked.which.exercise,
        title=variant.exercise.title,
        variant=asked.which.number,
        number=number,
        total=total,
        dots=[dot(asked, place, here) for place in range(1, total + 1)],
        kind=task.kind,
        heading=_(HEADINGS[task.kind]),
        ask=task.ask,
        calls="\n".join(task.calls),
        numbered=task.kind == "debug",
        allow=task.allow,
        calls_at_most=task.calls_at_most,
        rows=0 if asked.start is None else max(0, info.seq - asked.start),
        fields=field_views(asked, again, told=told),
        conditions=[] if asked.evaluation is None else conditions(asked.evaluation),
        refused="" if asked.evaluation is None else asked.evaluation.refused,
        action=f"{here.path}/exercise",
        view=here.query,
        state=done.state,
        verdict=verdict(asked, done),
        tries=done.tries,
        acted=done.end is not None,
        acts=acts(task),
        away=away(asked, done, here, info),
        first_left=None
        if left is None
        else Link(_("Task %(number)s", number=left), at_task(asked.practised, left, here).href + "#exercise"),
        hints=[hint.text for hint in hints],
        hints_left=len(task.hints) - len(hints),
        hint_price=price(after[0].costs) if after else "",
        results=[
            (line, journal_row(row, here))
            for line, row in zip(calls_of(task, done)[:MOST_ROWS], rows, strict=False)
        ],
        explain=explain_link(one, rows, here),
        after=task.after if told else "",
        earlier=step(asked, number - 1, _("Back"), here),
        later=step(asked, number + 1, _("Next"), here),
        again=f"/exercises/{asked.which.exercise}",
        mark=mark,
        focus="map-picture" if any(each.shape["form"] in ON_MAP for each in one.fields) else "panels",
        leave=here.to(exercise=None, variant=None, task=None, work=None, given=None).href,
        refusal=again.refusal,
    )


def field_views(asked: Asked, again: ExerciseAgain, *, told: bool) -> list[FieldView]:
    """The fields of the task."""
    given = again.given or asked.given
    many = len(asked.task.fields) > 1
    return [
        exercisefields.field_view(
            one,
            place,
            many=many,
            typed=given[place - 1] if place <= len(given) else None,
            fault=again.faults.get(place - 1, ""),
            judged=None if again.given or asked.judged is None else asked.judged.fields[place - 1],
            told=told,
        )
        for place, one in enumerate(asked.task.fields, 1)
    ]


def conditions(evaluation: Evaluation) -> list[ConditionView]:
    """The conditions of a goal."""
    return [
        ConditionView(result.holds, result.otherwise, result.points, result.bonus)
        for result in evaluation.results
    ]


def dot(asked: Asked, number: int, here: Address) -> TaskDot:
    """A task in the row of all."""
    kind, state = asked.practised.variant.task(number).task.kind, done_of(here, number).state
    letter, words = STATES[state]
    title = _("%(what)s: %(state)s", what=_(HEADINGS[kind]), state=_(words))
    href = at_task(asked.practised, number, here).href + "#exercise"
    return TaskDot(number, title, href, number == asked.number, state, letter)


def step(asked: Asked, number: int, text: str, here: Address) -> Link:
    """Link to another task, where there is one."""
    there = 1 <= number <= len(asked.practised.variant.tasks)
    return Link(text, at_task(asked.practised, number, here).href + "#exercise" if there else None)


def verdict(asked: Asked, done: Done) -> str:
    """How far one has come with the task, in a sentence."""
    match done.state:
        case "solved":
            if done.tries == 1:
                return _("Right, at the first try.")
            return ngettext("Right, after %(num)s try.", "Right, after %(num)s tries.", done.tries)
        case "shown":
            return _("Shown. Practise again to find it by yourself with other values.")
        case "tried" if asked.judged is not None and asked.judged.share > 0:
            return _("Not yet: %(share)s right.", share=wording.percent(asked.judged.share, PARTS))
        case "tried" if asked.evaluation is not None:
            there = sum(result.holds for result in asked.evaluation.results if not result.bonus)
            all_ = sum(not result.bonus for result in asked.evaluation.results)
            return _("Not yet: %(there)s of %(all)s hold.", there=there, all=all_)
        case "tried":
            return _("Not yet.")
    return ""


def price(costs: int, mode: str = "") -> str:
    """What a hint costs. mode: of the sheet that the task is in; empty in practice."""
    if not costs:
        return ""
    if mode:
        return _("costs %(costs)s %% of the points", costs=costs)
    return _("%(costs)s %% of the points in a graded sheet", costs=costs)


def first_left(asked: Asked, here: Address) -> int | None:
    """The earliest task before this one that has to be done first; None where there is none."""
    if asked.start is not None:
        return None
    return next(
        (
            number
            for number in range(1, asked.number)
            if acts(asked.practised.variant.task(number).task) and done_of(here, number).end is None
        ),
        None,
    )


def away(asked: Asked, done: Done, here: Address, info: SessionInfo) -> Link | None:
    """Link to the machine as the task asks about it, where it has gone on and the task is still open.

    Of a goal, where it has gone on by another task.
    """
    task = asked.task.task
    if asked.start is None or done.end is not None or not acts(task):
        return None
    others = [done_of(here, number).end or 0 for number in range(1, len(asked.practised.variant.tasks) + 1)]
    if asked.start == info.seq or (task.kind == "goal" and max(others) <= asked.start):
        return None
    return Link(_("#%(seq)s", seq=wording.count(asked.start)), here.to(moment=asked.start).href)


def explain_link(one: TaskVariant, rows: Sequence[Outcome], here: Address) -> Link | None:
    """Link to the explanation of the call that decided what is right."""
    if not rows:
        return None
    numbers = asked_calls(one)
    row = rows[min(max(numbers, default=len(rows)), len(rows)) - 1]
    return Link(_("Explain #%(seq)s", seq=wording.count(row["seq"])), here.explain(row["seq"]))


def asked_calls(one: TaskVariant) -> Iterable[int]:
    """Which of the task's calls its fields ask about."""
    for each in one.fields:
        question = truth.question(each.field, one.task.kind)
        if question.call:
            yield question.call


# -- on the instrument -------------------------------------------------------------------------------------


class Answered(Protocol):
    """A task with answers."""

    @property
    def task(self) -> TaskVariant:
        """The task."""

    @property
    def answers(self) -> Sequence[Answer]:
        """The answers of its fields; empty where there are none."""


def guessed_frames(asked: Answered | None) -> list[tuple[int, int]]:
    """The runs of frames that were answered, as they were: not divided by what of them is right."""
    found: list[tuple[int, int]] = []
    for one, answer in answered(asked):
        if one.shape["form"] == "pfn" and isinstance(answer, int):
            found.append((answer, 1))
        elif one.shape["form"] == "frames" and isinstance(answer, list):
            found += runs_of(int(pfn) for pfn in answer)
    return found


def guessed_lists(asked: Answered | None) -> dict[str, Sequence[int]]:
    """The free lists that were answered, by zone."""
    return {
        one.shape["zone"]: [int(count) for count in answer]
        for one, answer in answered(asked)
        if one.shape["form"] == "orders" and isinstance(answer, list)
    }


def answered(asked: Answered | None) -> Iterable[tuple[FieldVariant, Answer]]:
    """The fields that have an answer, with it."""
    return () if asked is None else zip(asked.task.fields, asked.answers, strict=False)

"""A task of a sheet beside its machine: as `exercisepanel`, but what was done of it is kept by the lab."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from starlette.requests import Request

from app.errors import Refusal
from app.exercises.exercise import PARTS
from app.exercises.forms import Answer, Part
from app.exercises.judging import BadGiven, JudgedField
from app.exercises.judging import read as read_answers
from app.exercises.sealing import TaskVariant, WrongAnswer
from app.labs.goals import Reached
from app.labs.own_questions import OwnQuestions
from app.labs.times import accepted
from app.labs.worked import GOAL, PRACTICE, SEALED, Worked
from app.sessions import SessionInfo
from app.web import exercisefields, wording
from app.web.address import Address
from app.web.contexts.base import Link
from app.web.contexts.exercise import (
    AttemptView,
    ConditionView,
    ExercisePanel,
    FieldView,
    GradedView,
    TaskDot,
)
from app.web.exercisepanel import (
    HEADINGS,
    MOST_ROWS,
    ON_MAP,
    STATES,
    ExerciseAgain,
    explain_link,
    in_view,
    price,
)
from app.web.journal import journal_row
from app.web.language import N_, _, ngettext
from app.web.requester import labs_of, requester
from app.web.shownrows import Outcome

NO_ROWS: Final = (None, 0)
OTHER_SESSION: Final = N_("This machine is not that of the exercise that the address names.")


class Attempt(Protocol):
    """Something that was submitted, as it is kept."""

    @property
    def number(self) -> int:
        """Which attempt it was."""

    @property
    def given(self) -> str:
        """The answers as JSON."""

    @property
    def share(self) -> int:
        """How much was right, in thousandths."""

    @property
    def score(self) -> int:
        """What it has earned, in thousandths of a point."""

    @property
    def parts(self) -> str:
        """What of each answer was right, as JSON."""

    @property
    def time(self) -> str:
        """When it came."""

    @property
    def late(self) -> bool:
        """Whether it was late."""


@dataclass(frozen=True, slots=True)
class Graded:
    """What a page reads of a sheet's exercise before it reads its machine."""

    worked: Worked
    """the variant with all that was done on it"""
    number: int
    """the number of the task"""
    task: TaskVariant
    """the task as the machine asks it"""
    answers: Sequence[Answer]
    """the answers of the last attempt"""
    time: str
    """when the page was asked for"""
    own: bool
    """True for the member whose variant it is"""

    @property
    def last(self) -> Attempt | None:
        """The last attempt."""
        tries = self.worked.tries(self.number)
        return tries[-1] if tries else None


# -- reading -----------------------------------------------------------------------------------------------


async def read(request: Request, here: Address) -> Graded | str | None:
    """The task that an address names; why it cannot be shown; None where it names none."""
    if here.graded is None or not labs_of(request).enabled:
        return None
    person = requester(request)
    try:
        worked = await labs_of(request).variants.get(person, here.graded)
        if worked.row.session_id != here.id:
            return _(OTHER_SESSION)
        number = min(here.task or worked.current or 1, len(worked.exercise.tasks))
        task = await asked(request, worked, number)
    except Refusal as error:
        return str(error)
    tries = worked.tries(number)
    answers = given_answers(task, tries[-1]) if tries else ()
    own = person.id == worked.row.member_id
    return Graded(worked, number, task, answers, accepted(request.scope), own)


async def asked(request: Request, worked: Worked, number: int) -> TaskVariant:
    """A task in the state that the member has left before it, where that is another than is known."""
    found = worked.variant.task(number)
    depends = worked.variant.depends(number) and found.task.kind != GOAL
    if not depends or worked.waits_for(number) is not None or worked.over(number):
        return found
    person = requester(request)
    return await OwnQuestions(request.app.state.sessions).on_own_machine(person.principal, worked, number)


def given_answers(task: TaskVariant, row: Attempt) -> Sequence[Answer]:
    """The answers of an attempt."""
    try:
        return read_answers(task, json.loads(row.given)) if task.fields else ()
    except BadGiven:
        return ()


def run_of(found: Graded) -> tuple[int | None, int]:
    """The row after which those of the task's calls begin, and how many; None where they were not made."""
    rows = found.worked.progress.task(found.number).rows
    return NO_ROWS if rows is None else (rows[0] - 1, min(rows[1] - rows[0] + 1, MOST_ROWS))


# -- the panel ---------------------------------------------------------------------------------------------


def at_task(worked: Worked, number: int, here: Address) -> Address:
    """The view in which a task is begun."""
    changes = {} if worked.waits_for(number) is not None else in_view(worked.variant.task(number))
    return here.to(graded=worked.row.id, task=number, outcome=None, before=None, moment=None, **changes)


def panel(
    found: Graded, here: Address, info: SessionInfo, rows: Sequence[Outcome], again: ExerciseAgain
) -> ExercisePanel:
    """Make the panel. rows: those of the task's calls."""
    worked, number, one = found.worked, found.number, found.task
    task, mine = one.task, worked.progress.task(number)
    waits, taken = worked.waits_for(number), worked.taken(number)
    shows, state = worked.shows_answer(number), state_of(worked, number)
    hints, total = task.hints[:taken], len(worked.exercise.tasks)
    following = task.hints[taken : taken + 1]
    start = worked.starts_at(number) if mine.start is None else mine.start
    revealed = mine.rows is not None
    calls = task.solution if task.kind == GOAL else task.calls
    return ExercisePanel(
        name=worked.exercise.name,
        title=worked.exercise.title,
        variant=worked.row.number,
        number=number,
        total=total,
        dots=[dot(worked, place, found.number, here) for place in worked.numbers],
        kind=task.kind,
        heading=_(HEADINGS[task.kind]),
        ask=task.ask if waits is None else "",
        calls="\n".join(task.calls),
        numbered=task.kind == "debug",
        allow=task.allow,
        calls_at_most=task.calls_at_most,
        rows=max(0, info.seq - start),
        fields=[] if waits is not None else field_views(found, again, told=shows),
        conditions=conditions(found, again.reached),
        refused="" if again.reached is None else again.reached.refused,
        action=f"/variants/{worked.row.id}",
        view=here.query,
        state=state,
        verdict=verdict(found),
        tries=len(worked.tries(number)),
        acted=revealed,
        acts=bool(calls),
        away=None,
        first_left=None
        if waits is None
        else Link(_("Task %(number)s", number=waits), at_task(worked, waits, here).href + "#exercise"),
        hints=[hint.text for hint in hints],
        hints_left=len(task.hints) - len(hints),
        hint_price=price(following[0].costs, worked.sheet.mode) if following else "",
        results=[
            (line, journal_row(row, here))
            for line, row in zip(calls[:MOST_ROWS] if revealed else (), rows, strict=False)
        ],
        explain=explain_link(one, rows, here) if revealed else None,
        after=task.after if shows and (revealed or not task.calls) else "",
        earlier=step(worked, number - 1, _("Back"), here),
        later=step(worked, number + 1, _("Next"), here),
        again="",
        mark="",
        focus="map-picture" if any(each.shape["form"] in ON_MAP for each in one.fields) else "panels",
        leave=here.to(graded=None, task=None).href,
        refusal=again.refusal,
        graded=graded_view(found, shows=shows),
    )


def state_of(worked: Worked, number: int) -> str:
    """`open`, `tried`, `solved` or `shown`."""
    if worked.solved(number):
        return "solved"
    if worked.over(number):
        return "shown"
    return "tried" if worked.tries(number) else "open"


def dot(worked: Worked, number: int, current: int, here: Address) -> TaskDot:
    """A task in the row of all."""
    state = state_of(worked, number)
    letter, words = STATES[state]
    kind = worked.exercise.tasks[number - 1].kind
    title = _("%(what)s: %(state)s", what=_(HEADINGS[kind]), state=_(words))
    href = at_task(worked, number, here).href + "#exercise"
    return TaskDot(number, title, href, number == current, state, letter)


def step(worked: Worked, number: int, text: str, here: Address) -> Link:
    """Link to another task, where there is one."""
    there = number in worked.numbers
    return Link(text, at_task(worked, number, here).href + "#exercise" if there else None)


def field_views(found: Graded, again: ExerciseAgain, *, told: bool) -> list[FieldView]:
    """The fields of the task, with the last attempt."""
    last = found.last
    given = list(again.given) or ([] if last is None else json.loads(last.given))
    parts = [] if last is None or again.given else json.loads(last.parts)
    fields = found.task.fields
    return [
        exercisefields.field_view(
            one,
            place,
            many=len(fields) > 1,
            typed=given[place - 1] if place <= len(given) else None,
            fault=again.faults.get(place - 1, ""),
            judged=judged(parts[place - 1]) if place <= len(parts) else None,
            told=told,
        )
        for place, one in enumerate(fields, 1)
    ]


def judged(part: dict[str, Any]) -> JudgedField:
    """What is right of an answer, from how it is kept."""
    parts = tuple(Part(each["kind"], each["number"], each["right"], each["text"]) for each in part["parts"])
    because, say = part.get("because"), part.get("say")
    wrong = WrongAnswer(0, "", because or "", say or "") if say else None
    return JudgedField(part["share"], parts, wrong)


def conditions(found: Graded, reached: Reached | None) -> list[ConditionView]:
    """The conditions of a goal: as they were just looked at, else of the last attempt."""
    if found.task.task.kind != GOAL:
        return []
    last = found.last
    parts = reached.parts if reached is not None else () if last is None else json.loads(last.parts)
    return [ConditionView(one["holds"], one["say"], one["points"], one["bonus"]) for one in parts]


def verdict(found: Graded) -> str:
    """How far one has come with the task, in a sentence."""
    worked, number = found.worked, found.number
    tries, last = len(worked.tries(number)), found.last
    if worked.solved(number):
        if tries == 1:
            return _("Right, at the first try.")
        return ngettext("Right, after %(num)s try.", "Right, after %(num)s tries.", tries)
    mine = worked.progress.task(number)
    if mine.given_up or mine.revealed is not None:
        return _("Shown: no answer to it counts any more.")
    if last is None:
        return ""
    return (
        _("Not yet: %(share)s right.", share=wording.percent(last.share, PARTS))
        if last.share
        else _("Not yet.")
    )


def graded_view(found: Graded, *, shows: bool) -> GradedView:
    """What the task is of its sheet."""
    worked, number = found.worked, found.number
    over, left = worked.over(number), worked.left(number)
    why = closed(found)
    tries = worked.tries(number)
    another = worked.sheet.mode == PRACTICE and worked.row.finished is not None and not why
    return GradedView(
        sheet=Link(worked.sheet.title, f"/labs/{worked.lab.id}/sheets/{worked.sheet.id}"),
        points=wording.points_of(worked.score(number), worked.most(number)),
        left="" if over else left_words(worked, number),
        due="" if worked.window.due is None else due_words(found),
        closed=why,
        attempts=[attempt(row) for row in reversed(tries)],
        costs=not over and left is not None,
        hidden="" if shows or not tries else hidden_words(left),
        sealed=worked.sheet.mode == SEALED and not over,
        another=f"/labs/{worked.lab.id}/sheets/{worked.sheet.id}/items/{worked.item.id}" if another else "",
    )


def closed(found: Graded) -> str:
    """Why nothing is taken any more."""
    worked = found.worked
    if not found.own:
        return _("Only the member whose variant it is works on it.")
    if worked.progress.replaced:
        return _("You were given another variant of this exercise.")
    if worked.lab.closed is not None:
        return _("The lab is closed.")
    if worked.lab.frozen:
        return _("The lab is frozen: nothing is taken for now, and the time that is left does not wait.")
    state = worked.window.state(found.time)
    if state == "waiting":
        return _("It opens at %(time)s.", time=wording.moment(worked.window.opens or ""))
    if state == "over":
        return _("It takes no answers since %(time)s.", time=wording.moment(worked.window.ends or ""))
    return ""


def due_words(found: Graded) -> str:
    """When it is due, and what follows."""
    window = found.worked.window
    due = wording.moment(window.due or "")
    if window.state(found.time) == "late":
        factor, until = found.worked.sheet.late_factor, wording.moment(window.late_until or "")
        return _(
            "Late since %(due)s: answers earn %(factor)s %% until %(until)s.",
            due=due,
            factor=factor,
            until=until,
        )
    return _("Due %(due)s", due=due)


def left_words(worked: Worked, number: int) -> str:
    """How many attempts are left, and what the next one is worth."""
    worth, made = worked.attempts(number), len(worked.tries(number))
    if not worth:
        return _("Any number of attempts")
    left = len(worth) - made
    words = ngettext("%(num)s attempt left", "%(num)s attempts left", left)
    return words if worth[made] == 100 else _("%(left)s, worth %(worth)s %%", left=words, worth=worth[made])


def hidden_words(left: int | None) -> str:
    """Why what is right is not said yet."""
    if left is None:
        return _("What is right is said when it is solved or shown, or the sheet is released.")
    return _("What is right is said when it is solved, all attempts are used up, or the sheet is released.")


def attempt(row: Attempt) -> AttemptView:
    """Something that was submitted."""
    return AttemptView(
        number=row.number,
        given="; ".join(json.loads(row.given)),
        share=wording.percent(row.share, PARTS),
        tone="right" if row.share >= PARTS else "partly" if row.share else "wrong",
        score=wording.points(row.score),
        when=wording.moment(row.time),
        late=row.late,
    )

"""A task of a sheet over all members, and what one of them has done in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.exercises.sealing import TaskVariant
from app.labs import BriefRow, Lab, SubmissionRow, class_tasks
from app.labs.results import Cell, Column, Line, Results, said
from app.labs.statistics import ENOUGH, GOAL, AnswerCount, TaskStatistics, ValueCount, of_task
from app.labs.times import accepted
from app.labs.worked import Worked
from app.sessions import NotFound
from app.web import resultviews, wording
from app.web.address import number
from app.web.contexts.base import Fact, Link
from app.web.contexts.results import AnswerBar, AttemptPage, RawRow, TaskPage, ValueRow
from app.web.exercisepanel import HEADINGS
from app.web.labs import own_lab
from app.web.language import _, decimal, ngettext
from app.web.render import respond
from app.web.requester import labs_of, requester
from app.web.shell import shell_of
from app.web.tableparts import ROWS, first_of, part_of

router = APIRouter(include_in_schema=False)

# The drawing: answers, bars, numbers. Its width is 1,000.
BEGIN: Final = 330.0
LONGEST: Final = 560.0
ROW: Final = 44.0
GAP: Final = 12.0
BASELINE: Final = 22.0
TEXT: Final = 26  # characters of an answer


async def read(request: Request, lab_id: str, sheet_id: str, label: str) -> tuple[Lab, Results, int]:
    """What both pages read, and which column it is about. Raises NotFound, and Forbidden for members."""
    lab = await own_lab(request, lab_id)
    labs, person = labs_of(request), requester(request)
    sheet = (await labs.sheets.get(person, lab_id, sheet_id, accepted(request.scope))).row
    if sheet.opened is None:
        raise NotFound("task", label)
    found = await labs.grades.of_all(person, lab_id, sheet_id)
    place = resultviews.place_of(found, label)
    if place is None:
        raise NotFound("task", label)
    return lab, found, place


# -- over all members --------------------------------------------------------------------------------------


@router.get("/labs/{lab_id}/sheets/{sheet_id}/results/tasks/{label}")
async def task(request: Request, lab_id: str, sheet_id: str, label: str) -> Response:
    """Show how a class has answered a task. `?from=100`: the answers behind the first 100."""
    lab, found, place = await read(request, lab_id, sheet_id, label)
    told = await labs_of(request).grades.told(requester(request), of_task, found, place)
    return respond(task_page(request, lab, found, place, told))


def task_page(request: Request, lab: Lab, found: Results, place: int, told: TaskStatistics) -> TaskPage:
    """Make the page."""
    column = told.column
    at = resultviews.task_href(lab.id, found.sheet.id, column)
    rows = answers_of(found.lines, place)
    first = first_of(number(request.query_params.get("from", "")) or 0, len(rows), ROWS)
    bars = bars_of(told)
    live = lab.closed is None and any(
        one.number == column.task.number for one in class_tasks.offered(column.exercise)
    )
    return TaskPage(
        shell=shell_of(request),
        title=f"{column.label} {column.exercise.title}",
        lab=Link(lab.title, f"/labs/{lab.id}"),
        results=Link(found.sheet.title, resultviews.home(lab.id, found.sheet.id)),
        kind=_(HEADINGS[column.task.kind]),
        ask=column.task.ask,
        facts=figures(told),
        height=ROW * len(bars),
        words=drawn_words(told),
        bars=bars,
        counted=column.task.kind != GOAL,
        values=[value_row(one) for one in told.values],
        raw=[raw_row(lab.id, found, column, line, row) for line, row in rows[first : first + ROWS]],
        part=part_of(lambda row: f"{at}?from={row}", first, len(rows), ROWS),
        polls=f"/labs/{lab.id}/polls" if live else "",
        asked=f"{column.exercise.name}:{column.task.number}",
        others=[
            Link(one.label, resultviews.task_href(lab.id, found.sheet.id, one), one is column)
            for one in found.columns
        ],
    )


def figures(told: TaskStatistics) -> list[Fact]:
    """A task in figures."""
    few = _("too few: said from %(num)s on", num=wording.count(ENOUGH))
    return [
        Fact(_("Opened"), wording.count(told.opened)),
        Fact(_("Tried"), wording.count(told.tried)),
        Fact(_("Right at the first try"), resultviews.of_tried(told.first_right, told.tried)),
        Fact(_("Right in the end"), resultviews.of_tried(told.right, told.tried)),
        Fact(_("Attempts (median)"), resultviews.number(told.median_attempts)),
        Fact(_("Minutes until right (median)"), resultviews.number(told.median_minutes)),
        Fact(
            _("Discrimination"),
            few if told.discrimination is None else decimal(told.discrimination, 2),
            hint=_("How its points go with those of the rest of the sheet: 1 entirely, 0 not at all"),
        ),
    ]


def bars_of(told: TaskStatistics) -> list[AnswerBar]:
    """The answers as bars, all but the most frequent ones together."""
    counted = list(told.answers)
    if told.others:
        words = ngettext("other (%(num)s)", "other (%(num)s)", told.others)
        counted.append(AnswerCount(words, told.others, 0, None))
    most = max((one.count for one in counted), default=1)
    return [bar_of(one, place, most) for place, one in enumerate(counted)]


def bar_of(one: AnswerCount, place: int, most: int) -> AnswerBar:
    """An answer as a bar."""
    length = round(LONGEST * one.count / most, 1)
    return AnswerBar(
        text=one.text if len(one.text) <= TEXT else f"{one.text[: TEXT - 1]}…",
        whole=one.text,
        count=wording.count(one.count),
        right=wording.count(one.right) if one.right else "",
        misconception=resultviews.misconception(one.misconception),
        y=ROW * place + GAP / 2,
        baseline=ROW * place + GAP / 2 + BASELINE,
        length=length,
        good=round(length * one.right / one.count, 1),
        end=BEGIN + length + 10,
    )


def drawn_words(told: TaskStatistics) -> str:
    """What the drawing shows; its figures stand in the table below."""
    if not told.answers:
        return ""
    top = told.answers[0]
    return _(
        "How often each answer was given. The most frequent one, %(answer)s: %(count)s.",
        answer=top.text,
        count=wording.count(top.count),
    )


def value_row(one: ValueCount) -> ValueRow:
    """Members with a value."""
    return ValueRow(
        one.name,
        one.value,
        wording.count(one.tried),
        resultviews.of_tried(one.first_right, one.tried),
        resultviews.of_tried(one.right, one.tried),
    )


def answers_of(lines: Iterable[Line], place: int) -> list[tuple[Line, SubmissionRow]]:
    """All answers to a task, the last one first."""
    found = [(line, row) for line in lines for row in line.cells[place].tries]
    return sorted(found, key=lambda one: (one[1].time, one[1].id), reverse=True)


def raw_row(lab_id: str, found: Results, column: Column, line: Line, row: SubmissionRow) -> RawRow:
    """One answer."""
    member = line.member
    return RawRow(
        time=row.time,
        who=Link(
            f"m{member.number} {member.nickname}",
            resultviews.attempt_href(lab_id, found.sheet.id, member.number, column),
        ),
        number=row.number,
        answer=said(row),
        share=resultviews.share(row.share),
        misconception=resultviews.misconception(row.misconception),
    )


# -- of one member -----------------------------------------------------------------------------------------


@router.get("/labs/{lab_id}/sheets/{sheet_id}/results/members/{member}/{label}")
async def attempt(request: Request, lab_id: str, sheet_id: str, member: str, label: str) -> Response:
    """Show what a member has done in a task. `?variant=…`: in another variant than the one that counts."""
    lab, found, place = await read(request, lab_id, sheet_id, label)
    line = next((one for one in found.lines if str(one.member.number) == member), None)
    if line is None:
        raise NotFound("member", member)
    column, cell = found.columns[place], line.cells[place]
    briefs = [
        one for one in found.variants if one.member_id == line.member.id and one.item_id == column.item.id
    ]
    asked = request.query_params.get("variant")
    brief = next((one for one in briefs if one.id == asked), cell.variant)
    if brief is None:
        raise NotFound("variant", label)
    labs, person = labs_of(request), requester(request)
    worked = await labs.variants.get(person, brief.id)
    before = await labs.grades.before(person, lab_id, [row.id for row in worked.submissions])
    return respond(attempt_page(request, lab, found, line, column, cell, worked, briefs, before))


def attempt_page(
    request: Request,
    lab: Lab,
    found: Results,
    line: Line,
    column: Column,
    cell: Cell,
    worked: Worked,
    briefs: Sequence[BriefRow],
    before: dict[int, list[int]],
) -> AttemptPage:
    """Make the page."""
    place = column.task.number
    one = worked.variant.task(place)
    session = worked.row.session_id
    counts = cell.variant is not None and cell.variant.id == worked.row.id
    who = f"m{line.member.number} {line.member.nickname}"
    at = resultviews.attempt_href(lab.id, found.sheet.id, line.member.number, column)
    shown = Cell(brief_of(briefs, worked), worked.tries(place), worked.score(place), worked.over(place))
    return AttemptPage(
        shell=shell_of(request),
        title=f"{who}: {column.label} {column.exercise.title}",
        lab=Link(lab.title, f"/labs/{lab.id}"),
        results=Link(found.sheet.title, resultviews.home(lab.id, found.sheet.id)),
        task=Link(
            f"{column.label} {resultviews.column_title(column)}",
            resultviews.task_href(lab.id, found.sheet.id, column),
        ),
        who=who,
        state=resultviews.key_of(resultviews.state_of(shown)),
        ask=one.task.ask,
        calls=one.task.calls,
        prelude=worked.variant.prelude,
        facts=facts(worked, place, counts=counts),
        right=rights(one),
        tries=[resultviews.try_row(row, session, before.get(row.id, ())) for row in worked.tries(place)],
        reveal=reveal(worked, place),
        machine=None if session is None else Link(_("The member’s machine"), f"/sessions/{session}"),
        variant=f"/variants/{worked.row.id}",
        resets=lab.closed is None and counts,
        variants=[
            Link(
                _("Variant %(number)s", number=brief.number),
                f"{at}?variant={brief.id}",
                brief.id == worked.row.id,
            )
            for brief in briefs
        ]
        if len(briefs) > 1
        else (),
    )


def brief_of(briefs: Sequence[BriefRow], worked: Worked) -> BriefRow:
    """The row of a variant in the results."""
    return next(one for one in briefs if one.id == worked.row.id)


def facts(worked: Worked, place: int, *, counts: bool) -> list[Fact]:
    """What is to be known of a variant."""
    found = [
        Fact(_("Points"), wording.points_of(worked.score(place), worked.most(place))),
        Fact(_("Variant"), wording.count(worked.row.number)),
        Fact(_("Opened"), wording.moment(worked.row.created)),
    ]
    taken = worked.taken(place)
    if taken:
        found.append(Fact(_("Hints read"), wording.count(taken)))
    if worked.progress.task(place).given_up:
        found.append(Fact(_("Given up"), _("yes")))
    if not counts:
        found.append(Fact(_("Counts"), _("no: another variant does")))
    for name, value in worked.variant.values.by_name.items():
        found.append(Fact(name, ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)))
    return found


def rights(one: TaskVariant) -> list[Fact]:
    """What is right: for a goal a way to reach it."""
    if one.task.solution:
        return [Fact(_("One way"), "\n".join(one.task.solution))]
    return [
        Fact(field.field.label or _("Right"), field.form.text(field.right, field.shape))
        for field in one.fields
        if field.right is not None
    ]


def reveal(worked: Worked, place: int) -> list[Link]:
    """The rows that have answered, and why they did."""
    rows, session = worked.progress.task(place).rows, worked.row.session_id
    if rows is None or session is None:
        return []
    last = rows[1]
    words = _("The machine’s answer: #%(seq)s", seq=wording.count(last))
    return [
        Link(words, f"/sessions/{session}?outcome={last}"),
        Link(_("Explain"), f"/sessions/{session}/explain/{last}"),
    ]

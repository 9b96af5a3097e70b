"""What came of a sheet: for the instructor members by tasks, for a member their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from app.labs import Lab, SheetRow
from app.labs.results import Cell, Column, Line, Results
from app.labs.statistics import TaskStatistics, of_tasks
from app.labs.stuck import Stuck
from app.labs.times import Window, accepted
from app.web import resultviews, wording
from app.web.address import number
from app.web.contexts.base import Link
from app.web.contexts.results import (
    OwnResultsPage,
    OwnTask,
    ResultCell,
    ResultLine,
    ResultsPage,
    SortHead,
    StuckRow,
    TaskRow,
)
from app.web.language import N_, _
from app.web.render import respond
from app.web.requester import labs_of, requester
from app.web.shell import shell_of
from app.web.tableparts import first_of, part_of

router = APIRouter(include_in_schema=False)

SHOWN: Final = 60  # members on one page
POINTS: Final = "points"

# What a cell's number can be.
SHOWS: Final[dict[str, tuple[str, Callable[[Cell], int]]]] = {
    POINTS: (N_("points"), lambda cell: cell.score),
    "first": (N_("first try"), lambda cell: cell.tries[0].share),
    "attempts": (N_("attempts"), lambda cell: len(cell.tries)),
}
# Orders by name, but those by a task: what they are called, and whether the largest stands first.
SORTS: Final[dict[str, tuple[str, Callable[[Line], Any], bool]]] = {
    "number": (N_("Number"), lambda line: line.member.number, False),
    "nickname": (N_("Nickname"), lambda line: line.member.nickname.casefold(), False),
    "total": (N_("Total"), lambda line: line.total, True),
}
WHY: Final = {"used up": N_("no attempt is left"), "idle": N_("nothing was done for a while")}


@router.get("/labs/{lab_id}/sheets/{sheet_id}/results")
async def results(request: Request, lab_id: str, sheet_id: str) -> Response:
    """Show the results. `?sort=-1.2`: the order; `?show=first`: which number; `?from=60`: a part."""
    labs, person = labs_of(request), requester(request)
    lab = await labs.rooms.get(person, lab_id)
    time = accepted(request.scope)
    sheet = (await labs.sheets.get(person, lab_id, sheet_id, time)).row
    found = Results(sheet, (), ())
    if sheet.opened is not None:
        found = await labs.grades.of(person, lab_id, sheet_id)
    if lab.owner != person.id:
        return respond(own_page(request, lab, found))
    stuck = await labs.grades.stuck(person, found)
    told = await labs.grades.told(person, of_tasks, found)
    # A large class takes its time; others are answered meanwhile.
    live = lab.closed is None and takes_answers(sheet, found, time)
    return await run_in_threadpool(lambda: respond(results_page(request, lab, found, told, stuck, live=live)))


def results_page(
    request: Request,
    lab: Lab,
    found: Results,
    told: Sequence[TaskStatistics],
    stuck: Sequence[Stuck],
    *,
    live: bool,
) -> ResultsPage:
    """Make the page for the instructor. live: whether answers may still come."""
    sheet = found.sheet
    at = resultviews.home(lab.id, sheet.id)
    show = request.query_params.get("show", POINTS)
    show = show if show in SHOWS else POINTS
    sort = request.query_params.get("sort", "number")
    if sort.removeprefix("-") not in {*SORTS, *(column.label for column in found.columns)}:
        sort = "number"
    query = {"sort": sort, "show": show}
    total = len(found.lines)
    first = first_of(number(request.query_params.get("from", "")) or 0, total, SHOWN)
    lines = ordered(found, sort, show)[first : first + SHOWN]
    return ResultsPage(
        shell=shell_of(request),
        title=_("Results of %(sheet)s", sheet=sheet.title),
        lab=Link(lab.title, f"/labs/{lab.id}"),
        sheet=Link(sheet.title, resultviews.at_sheet(lab.id, sheet.id)),
        api=f"/api/v1{resultviews.at_sheet(lab.id, sheet.id)}",
        opened=sheet.opened is not None,
        live=live,
        members=total,
        worked=worked(found),
        shows=[
            Link(_(words), href(at, query | {"show": name}), name == show)
            for name, (words, _value) in SHOWS.items()
        ],
        heads=[
            sort_head(at, query, name, _(words), largest=largest)
            for name, (words, _key, largest) in SORTS.items()
        ],
        columns=[
            sort_head(
                at, query, column.label, column.label, largest=True, hint=resultviews.column_title(column)
            )
            for column in found.columns
        ],
        lines=[line_of(lab.id, found, line, show) for line in lines],
        part=part_of(lambda row: href(at, query | {"from": str(row)}), first, total, SHOWN),
        legend=[resultviews.key_of(state) for state in resultviews.STATES],
        tasks=[task_row(lab.id, sheet.id, one) for one in told],
        stuck=[stuck_row(lab.id, found, one) for one in stuck],
        misconceptions=f"/labs/{lab.id}/misconceptions",
    )


def href(at: str, query: dict[str, str]) -> str:
    """An address of the page."""
    return f"{at}?{urlencode(query)}"


def sort_head(
    at: str, query: dict[str, str], name: str, words: str, *, largest: bool, hint: str = ""
) -> SortHead:
    """The head of a column. largest: whether the largest stand first, unless it is reversed."""
    order = ""
    turned = name
    if query["sort"].removeprefix("-") == name:
        is_turned = query["sort"].startswith("-")
        order = "descending" if largest != is_turned else "ascending"
        turned = name if is_turned else f"-{name}"
    return SortHead(words, href(at, query | {"sort": turned}), order, hint)


def ordered(found: Results, sort: str, show: str) -> list[Line]:
    """Members in an order; those that are equal in it by number."""
    name = sort.removeprefix("-")
    lines = sorted(found.lines, key=lambda line: line.member.number)
    if name in SORTS:
        _words, key, largest = SORTS[name]
        return sorted(lines, key=key, reverse=largest != sort.startswith("-"))
    place = resultviews.place_of(found, name)
    assert place is not None
    value = SHOWS[show][1]

    def of_task(line: Line) -> int:
        cell = line.cells[place]
        return value(cell) if cell.tries else -1

    return sorted(lines, key=of_task, reverse=not sort.startswith("-"))


def takes_answers(sheet: SheetRow, found: Results, time: str) -> bool:
    """Whether an answer may still come: of anybody."""
    windows = [Window.of(sheet, None), *(Window.of(sheet, line.extension) for line in found.lines)]
    return sheet.opened is not None and any(window.state(time) in ("open", "late") for window in windows)


def worked(found: Results) -> str:
    """How many have begun, and what they have earned on average."""
    begun = [line for line in found.lines if any(cell.variant is not None for cell in line.cells)]
    if not begun:
        return ""
    mean = sum(line.total for line in begun) // len(begun)
    return _(
        "%(begun)s of %(all)s have begun; on average they have %(points)s.",
        begun=wording.count(len(begun)),
        all=wording.count(len(found.lines)),
        points=wording.points_of(mean, found.max),
    )


def line_of(lab_id: str, found: Results, line: Line, show: str) -> ResultLine:
    """A member."""
    return ResultLine(
        number=line.member.number,
        nickname=line.member.nickname,
        total=wording.points(line.total),
        cells=[
            cell_of(lab_id, found.sheet.id, line, column, cell, show)
            for column, cell in zip(found.columns, line.cells, strict=True)
        ],
        due="" if line.extension is None else wording.moment(line.extension.due),
    )


def cell_of(lab_id: str, sheet_id: str, line: Line, column: Column, cell: Cell, show: str) -> ResultCell:
    """A member and a task."""
    member = line.member
    state = resultviews.state_of(cell)
    return ResultCell(
        state=state,
        letter=_(resultviews.STATES[state][0]),
        number=shown_number(cell, show) if cell.tries else "",
        late=cell.late,
        words=resultviews.cell_words(member.nickname, column, cell),
        href=None
        if cell.variant is None
        else resultviews.attempt_href(lab_id, sheet_id, member.number, column),
    )


def shown_number(cell: Cell, show: str) -> str:
    """The number of a cell."""
    value = SHOWS[show][1](cell)
    if show == POINTS:
        return wording.points(value)
    return resultviews.share(value) if show == "first" else f"{wording.count(value)}×"


def task_row(lab_id: str, sheet_id: str, one: TaskStatistics) -> TaskRow:
    """A task in the list."""
    return TaskRow(
        label=one.column.label,
        title=resultviews.column_title(one.column),
        href=resultviews.task_href(lab_id, sheet_id, one.column),
        points=wording.points(one.column.max),
        tried=wording.count(one.tried),
        first=resultviews.of_tried(one.first_right, one.tried),
        right=resultviews.of_tried(one.right, one.tried),
        attempts=resultviews.number(one.median_attempts),
        minutes=resultviews.number(one.median_minutes),
    )


def stuck_row(lab_id: str, found: Results, one: Stuck) -> StuckRow:
    """Somebody who may need help."""
    column = found.columns[one.place]
    return StuckRow(
        number=one.number,
        nickname=one.nickname,
        task=Link(
            f"{column.label} {column.exercise.title}",
            resultviews.attempt_href(lab_id, found.sheet.id, one.number, column),
        ),
        why=_(WHY[one.why]),
        since=one.since,
    )


# -- as members have it ------------------------------------------------------------------------------------


def own_page(request: Request, lab: Lab, found: Results) -> OwnResultsPage:
    """Make the page for a member: nothing that they have not been told already."""
    (line,) = found.lines
    sheet = resultviews.at_sheet(lab.id, found.sheet.id)
    return OwnResultsPage(
        shell=shell_of(request),
        title=_("My results of %(sheet)s", sheet=found.sheet.title),
        lab=Link(lab.title, f"/labs/{lab.id}"),
        sheet=Link(found.sheet.title, sheet),
        total=wording.points_of(line.total, found.max),
        file=f"/api/v1{sheet}/members/{line.member.number}/results.json",
        tasks=[own_task(column, cell) for column, cell in zip(found.columns, line.cells, strict=True)],
    )


def own_task(column: Column, cell: Cell) -> OwnTask:
    """A task of a member's own."""
    variant = cell.variant
    return OwnTask(
        label=column.label,
        title=resultviews.column_title(column),
        state=resultviews.key_of(resultviews.state_of(cell)),
        points=wording.points_of(cell.score, column.max),
        tries=[
            resultviews.try_row(row, None if variant is None else variant.session_id) for row in cell.tries
        ],
        href=None if variant is None else f"/variants/{variant.id}",
    )

"""Sheets of a lab: for members what is to be done and by when, for the instructor how they are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.errors import BadArgument
from app.exercises.exercise import COUNTS
from app.labs import Lab
from app.labs.results import Cell, Column, Line
from app.labs.sheets import MODES, Sheet
from app.labs.times import Window, accepted
from app.sessions import TooMany
from app.web import address, markdown, timezone, wording
from app.web.contexts.base import FieldFault, Link, ShownRefusal
from app.web.contexts.lab import ConfirmPage
from app.web.contexts.sheet import (
    ExtensionView,
    ItemCard,
    Offered,
    SheetCard,
    SheetForm,
    SheetPage,
    SheetsPage,
    TaskMark,
)
from app.web.exercisepanel import HEADINGS, STATES
from app.web.fields import again
from app.web.language import N_, _, ngettext
from app.web.refusals import REFUSED, refusal_of, status_of
from app.web.render import respond
from app.web.requester import labs_of, requester
from app.web.shell import shell_of
from app.web.variants import opened

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Form()]
TIMES: Final = ("opens", "due", "late_until")
NOT_OPENED: Final[tuple[type[Exception], ...]] = (*REFUSED, TooMany)
MODE_WORDS: Final = {
    "practice": N_("practice: any number of attempts and variants"),
    "graded": N_("graded: attempts are counted"),
    "sealed": N_("sealed: graded, and nothing else can be used meanwhile"),
}
MODE_NAMES: Final = {"practice": N_("practice"), "graded": N_("graded"), "sealed": N_("sealed")}
COUNT_WORDS: Final = {
    "": N_("as each exercise says"),
    "best": N_("the best attempt"),
    "first": N_("the first attempt"),
    "last": N_("the last attempt"),
}
LABELS: Final = {
    "title": N_("Title"),
    "text": N_("Text"),
    "opens": N_("Opens"),
    "due": N_("Due"),
    "late_until": N_("Taken late until"),
    "late_factor": N_("What late answers earn"),
    "items": N_("Exercises"),
    "reason": N_("Reason"),
}
WINDOW_WORDS: Final = {
    "waiting": N_("not open yet"),
    "open": N_("open"),
    "late": N_("late"),
    "over": N_("over"),
}


# -- the list ----------------------------------------------------------------------------------------------


@router.get("/labs/{lab_id}/sheets")
async def listed(request: Request, lab_id: str) -> Response:
    """Show the sheets of a lab; to members those that have opened."""
    return respond(await sheets_page(request, lab_id))


async def sheets_page(
    request: Request,
    lab_id: str,
    refusal: ShownRefusal | None = None,
    typed: Mapping[str, str] | None = None,
) -> SheetsPage:
    """Make the list."""
    labs, person, time = labs_of(request), requester(request), accepted(request.scope)
    found = await labs.sheets.listed(person, lab_id, time)
    lab = await labs.rooms.get(person, lab_id)
    taught = lab.owner == person.id
    cards = [card(lab_id, one, time, await earned(request, lab_id, one, taught=taught)) for one in found]
    typed = typed or {"mode": MODES[0], "late_factor": "50"}
    form = sheet_form(request, f"/labs/{lab_id}/sheets", typed, _("Make the sheet"), refusal)
    return SheetsPage(
        shell=shell_of(request, f"/labs/{lab_id}/sheets"),
        title=_("Sheets"),
        lab=Link(lab.title, f"/labs/{lab_id}"),
        sheets=cards,
        form=form if taught and lab.closed is None else None,
    )


async def earned(request: Request, lab_id: str, sheet: Sheet, *, taught: bool) -> int | None:
    """What a member has earned on a sheet; None for the instructor."""
    if taught or sheet.row.opened is None:
        return None
    results = await labs_of(request).grades.of(requester(request), lab_id, sheet.row.id)
    return sum(line.total for line in results.lines)


def card(lab_id: str, sheet: Sheet, time: str, points: int | None) -> SheetCard:
    """A sheet in the list. points: what the member has earned."""
    row, most = sheet.row, 1000 * sheet.points
    window = window_of(sheet, own=points is not None)
    state = window.state(time)
    return SheetCard(
        title=row.title,
        href=f"/labs/{lab_id}/sheets/{row.id}",
        state=state,
        words=_("answers shown") if row.released is not None else _(WINDOW_WORDS[state]),
        due=due_words(window, state, row.late_factor),
        exercises=len(sheet.items),
        points=_("%(points)s points", points=wording.points(most))
        if points is None
        else wording.points_of(points, most),
        mode=_(MODE_NAMES[row.mode]),
        released=row.released is not None,
    )


def window_of(sheet: Sheet, *, own: bool) -> Window:
    """When it may be answered: by the member, or by everybody who has no other time."""
    mine = sheet.extensions[0][1] if own and sheet.extensions else None
    return Window.of(sheet.row, mine)


def due_words(window: Window, state: str, factor: int) -> str:
    """When a sheet is due, or opens."""
    if state == "waiting":
        return _("opens %(time)s", time=wording.moment(window.opens or ""))
    if window.due is None:
        return ""
    due = wording.moment(window.due)
    if state == "late":
        until = wording.moment(window.late_until or "")
        return _(
            "was due %(due)s; taken for %(factor)s %% until %(until)s", due=due, factor=factor, until=until
        )
    return _("due %(time)s", time=due) if state == "open" else _("was due %(time)s", time=due)


# -- one sheet ---------------------------------------------------------------------------------------------


@router.get("/labs/{lab_id}/sheets/{sheet_id}")
async def show(request: Request, lab_id: str, sheet_id: str) -> Response:
    """Show a sheet with its exercises."""
    return respond(await sheet_page(request, lab_id, sheet_id))


async def sheet_page(
    request: Request,
    lab_id: str,
    sheet_id: str,
    refusal: ShownRefusal | None = None,
    typed: Mapping[str, str] | None = None,
    form_refusal: ShownRefusal | None = None,
) -> SheetPage:
    """Make the page. typed: of the form that was refused: for form_refusal that of the sheet itself."""
    labs, person, time = labs_of(request), requester(request), accepted(request.scope)
    sheet = await labs.sheets.get(person, lab_id, sheet_id, time)
    lab = await labs.rooms.get(person, lab_id)
    taught = lab.owner == person.id
    at = f"/labs/{lab_id}/sheets/{sheet_id}"
    points = await earned(request, lab_id, sheet, taught=taught)
    roster = await labs.rooms.roster(person, lab_id) if taught else []
    names = {one.number: one.nickname for one in roster}
    form = None
    if taught and lab.closed is None:
        values = dict(typed or {}) if form_refusal is not None else typed_of(sheet)
        form = sheet_form(request, at, values, _("Save"), form_refusal, sheet)
    return SheetPage(
        shell=shell_of(request, at),
        title=sheet.row.title,
        lab=Link(lab.title, f"/labs/{lab_id}"),
        at=at,
        text=await markdown.html(sheet.row.text),
        card=card(lab_id, sheet, time, points),
        notes=notes(sheet, lab, taught=taught),
        items=await item_cards(request, lab, sheet, time, taught=taught),
        taught=taught,
        form=form,
        extensions=[
            ExtensionView(
                number,
                names.get(number, ""),
                wording.moment(row.due),
                row.reason,
                f"{at}/extensions/{number}/remove",
            )
            for number, row in sheet.extensions
        ],
        members=[(str(one.number), f"m{one.number} {one.nickname}") for one in roster],
        typed=again(typed or {}) if form_refusal is None else {},
        refusal=refusal,
    )


def notes(sheet: Sheet, lab: Lab, *, taught: bool) -> list[str]:
    """What one ought to know before beginning."""
    row, found = sheet.row, []
    if not taught and sheet.extensions:
        found.append(
            _("You have another time than the others: %(reason)s", reason=sheet.extensions[0][1].reason)
        )
    if row.mode == "sealed":
        found.append(
            _(
                "Sealed: once a task is open, its machine is the only one that can be used until the task is "
                "finished: no other machines, no new ones, no copies, no past states, no scripts."
            )
        )
    if row.mode != "practice":
        found.append(_("A text that is no answer costs nothing; all else is an attempt."))
        found.append(_("A goal that was not submitted is submitted as it stands when the sheet is due."))
    if lab.frozen:
        found.append(
            _("The lab is frozen: nothing is taken for now, and the time that is left does not wait.")
        )
    return found


async def item_cards(request: Request, lab: Lab, sheet: Sheet, time: str, *, taught: bool) -> list[ItemCard]:
    """The exercises of a sheet, with what a member has done."""
    at = f"/labs/{lab.id}/sheets/{sheet.row.id}"
    if taught or sheet.row.opened is None:
        return [
            ItemCard(
                one.title, _("%(points)s points", points=wording.points(1000 * one.points)), (), None, "", ""
            )
            for one in sheet.items
        ]
    results = await labs_of(request).grades.of(requester(request), lab.id, sheet.row.id)
    line = results.lines[0] if results.lines else None
    open_now = window_of(sheet, own=True).state(time) in ("open", "late") and not lab.frozen
    open_now = open_now and lab.closed is None
    return [
        item_card(one.id, one.title, 1000 * one.points, results.columns, line, at, sheet, open_now=open_now)
        for one in sheet.items
    ]


def item_card(
    item_id: str,
    title: str,
    most: int,
    columns: Sequence[Column],
    line: Line | None,
    at: str,
    sheet: Sheet,
    *,
    open_now: bool,
) -> ItemCard:
    """An exercise with what a member has done in it."""
    cells = [] if line is None else line.cells
    mine = [(column, cell) for column, cell in zip(columns, cells, strict=False) if column.item.id == item_id]
    variant = next((cell.variant for _column, cell in mine if cell.variant is not None), None)
    over = bool(mine) and all(cell.over for _column, cell in mine)
    begins = variant is None or (sheet.row.mode == "practice" and over)
    return ItemCard(
        title=title,
        points=wording.points_of(sum(cell.score for _column, cell in mine), most),
        tasks=[task_mark(column, cell) for column, cell in mine],
        href=None if variant is None else f"/variants/{variant.id}",
        action=f"{at}/items/{item_id}" if begins and open_now else "",
        button=_("Begin") if variant is None else _("Look at it") if over or not open_now else _("Go on"),
    )


def task_mark(column: Column, cell: Cell) -> TaskMark:
    """A task, as far as a member has come."""
    state = "solved" if cell.solved else "shown" if cell.over else "tried" if cell.tries else "open"
    letter, words = STATES[state]
    attempts = ngettext("%(num)s attempt", "%(num)s attempts", len(cell.tries))
    said = _(
        "Task %(label)s, %(kind)s: %(state)s, %(points)s, %(attempts)s",
        label=column.label,
        kind=_(HEADINGS[column.task.kind]),
        state=_(words),
        points=wording.points_of(cell.score, column.max),
        attempts=attempts,
    )
    return TaskMark(state, letter, said)


@router.post("/labs/{lab_id}/sheets/{sheet_id}/items/{item_id}")
async def begin(request: Request, lab_id: str, sheet_id: str, item_id: str) -> Response:
    """Open one's variant of an exercise, and lead to its machine."""
    try:
        worked = await labs_of(request).variants.open(
            requester(request), lab_id, sheet_id, item_id, accepted(request.scope)
        )
    except NOT_OPENED as error:
        refusal = refusal_of(error, N_("The exercise was not opened"))
        return respond(await sheet_page(request, lab_id, sheet_id, refusal), status_of(error))
    return opened(worked)


# -- made and changed --------------------------------------------------------------------------------------


@router.post("/labs/{lab_id}/sheets")
async def create(request: Request, lab_id: str) -> Response:
    """Make a sheet."""
    form = await request.form()
    try:
        made = await labs_of(request).sheets.create(requester(request), lab_id, given_of(form, items=True))
    except REFUSED as error:
        refusal = refused(error, _("No sheet was made"))
        return respond(await sheets_page(request, lab_id, refusal, texts_of(form)), status_of(error))
    return RedirectResponse(f"/labs/{lab_id}/sheets/{made.row.id}", 303)


@router.post("/labs/{lab_id}/sheets/{sheet_id}")
async def change(request: Request, lab_id: str, sheet_id: str) -> Response:
    """Change a sheet. Its exercises and its mode are sent only where they differ."""
    labs, person = labs_of(request), requester(request)
    form = await request.form()
    sheet = await labs.sheets.get(person, lab_id, sheet_id, accepted(request.scope))
    try:
        given = given_of(form, items="items" in form)
        if given.get("mode") == sheet.row.mode:
            del given["mode"]
        if "items" in given and given["items"] == items_of(sheet):
            del given["items"]
        await labs.sheets.change(person, lab_id, sheet_id, given)
    except REFUSED as error:
        refusal = refused(error, _("The sheet stays as it was"))
        page = await sheet_page(request, lab_id, sheet_id, None, texts_of(form), refusal)
        return respond(page, status_of(error))
    return RedirectResponse(f"/labs/{lab_id}/sheets/{sheet_id}", 303)


@router.post("/labs/{lab_id}/sheets/{sheet_id}/released")
async def release(request: Request, lab_id: str, sheet_id: str, released: Text = "on") -> Response:
    """Show everybody what is right, or hide it again."""
    try:
        given = {"released": released == "on"}
        await labs_of(request).sheets.change(requester(request), lab_id, sheet_id, given)
    except REFUSED as error:
        refusal = refused(error, _("The sheet stays as it was"))
        return respond(await sheet_page(request, lab_id, sheet_id, refusal), status_of(error))
    return RedirectResponse(f"/labs/{lab_id}/sheets/{sheet_id}", 303)


@router.post("/labs/{lab_id}/sheets/{sheet_id}/extensions")
async def extend(
    request: Request, lab_id: str, sheet_id: str, number: Text = "", due: Text = "", reason: Text = ""
) -> Response:
    """Give a member another time."""
    try:
        member = address.number(number)
        if member is None:
            raise BadArgument.at("number", _("a member"))
        until = moment("due", due)
        if until is None:
            raise BadArgument.at("due", _("a date and a time"))
        await labs_of(request).sheets.extend(requester(request), lab_id, sheet_id, member, until, reason)
    except REFUSED as error:
        refusal = refused(error, _("Nobody has another time"))
        typed = {"number": number, "due": due, "reason": reason}
        return respond(await sheet_page(request, lab_id, sheet_id, refusal, typed), status_of(error))
    return RedirectResponse(f"/labs/{lab_id}/sheets/{sheet_id}#extensions", 303)


@router.post("/labs/{lab_id}/sheets/{sheet_id}/extensions/{number}/remove")
async def unextend(request: Request, lab_id: str, sheet_id: str, number: int) -> Response:
    """Take a member's other time back."""
    await labs_of(request).sheets.unextend(requester(request), lab_id, sheet_id, number)
    return RedirectResponse(f"/labs/{lab_id}/sheets/{sheet_id}#extensions", 303)


@router.get("/labs/{lab_id}/sheets/{sheet_id}/delete")
async def confirm_delete(request: Request, lab_id: str, sheet_id: str) -> Response:
    """Ask before a sheet is deleted."""
    labs, person = labs_of(request), requester(request)
    results = await labs.grades.of_all(person, lab_id, sheet_id)
    tried = sum(any(cell.tries for cell in line.cells) for line in results.lines)
    at = f"/labs/{lab_id}/sheets/{sheet_id}"
    members = ngettext("%(num)s member", "%(num)s members", tried)
    return respond(
        ConfirmPage(
            shell=shell_of(request),
            title=_("Delete “%(title)s”?", title=results.sheet.title),
            words=[
                _("The answers and points of %(members)s are gone for good.", members=members),
                _("The machines of its exercises stay their members’."),
            ],
            action=f"{at}/delete",
            button=_("Delete the sheet"),
            keep=Link(_("Keep it"), at),
            save=Link(_("Save its results first, as CSV"), f"/api/v1{at}/results.csv?shape=long"),
        )
    )


@router.post("/labs/{lab_id}/sheets/{sheet_id}/delete")
async def delete(request: Request, lab_id: str, sheet_id: str) -> Response:
    """Delete a sheet for good."""
    await labs_of(request).sheets.remove(requester(request), lab_id, sheet_id)
    return RedirectResponse(f"/labs/{lab_id}/sheets", 303)


# -- the form ----------------------------------------------------------------------------------------------


def sheet_form(
    request: Request,
    action: str,
    typed: Mapping[str, str],
    button: str,
    refusal: ShownRefusal | None,
    sheet: Sheet | None = None,
) -> SheetForm:
    """The form that makes a sheet, or changes one."""
    exercises = labs_of(request).exercises.exercises().values()
    chosen = {one.exercise: one.points for one in sheet.items} if sheet is not None else {}
    return SheetForm(
        action=action,
        typed=again(typed),
        modes=[(mode, _(words)) for mode, words in MODE_WORDS.items()],
        counts=[(count, _(words)) for count, words in COUNT_WORDS.items()],
        offered=[
            Offered(
                one.name,
                one.title,
                one.teaser,
                f"item.{one.name}" in typed if typed and "title" in typed and refusal else one.name in chosen,
                typed.get(f"points.{one.name}") or str(chosen.get(one.name, one.points)),
            )
            for one in exercises
        ],
        button=button,
        refusal=refusal,
    )


def typed_of(sheet: Sheet) -> dict[str, str]:
    """A sheet as its form has it."""
    row = sheet.row
    found = {"title": row.title, "text": row.text, "mode": row.mode, "late_factor": str(row.late_factor)}
    found["count"] = row.counts or ""
    for name in TIMES:
        value = getattr(row, name)
        found[name] = "" if value is None else timezone.as_typed(datetime.fromisoformat(value))
    return found


def given_of(form: FormData, *, items: bool) -> dict[str, Any]:
    """What a form says of a sheet. Raises BadArgument."""
    typed = texts_of(form)
    given: dict[str, Any] = {name: typed.get(name, "") for name in ("title", "text")}
    if typed.get("mode"):
        given["mode"] = typed["mode"]
    given["count"] = typed.get("count") or None
    if given["count"] not in (None, *COUNTS):
        raise BadArgument.at("count", _("one of those that are offered"))
    for name in TIMES:
        given[name] = moment(name, typed.get(name, ""))
    given["late_factor"] = whole("late_factor", typed.get("late_factor", "") or "100", 100)
    if items:
        given["items"] = [
            {"exercise": name, "points": whole("items", typed.get(f"points.{name}", "") or "0", 1000)}
            for name in (key.removeprefix("item.") for key in typed if key.startswith("item."))
        ]
    return given


def items_of(sheet: Sheet) -> list[dict[str, Any]]:
    """The exercises of a sheet, as a form sends them."""
    return [{"exercise": one.exercise, "points": one.points} for one in sheet.items]


def moment(name: str, text: str) -> str | None:
    """A time that was typed, in the reader's zone; None for none. Raises BadArgument."""
    if not text.strip():
        return None
    try:
        return timezone.typed(text).isoformat()
    except (ValueError, OverflowError):
        raise BadArgument.at(name, _("a date and a time, as in 2026-12-01 23:59")) from None


def whole(name: str, text: str, most: int) -> int:
    """A whole number that was typed. Raises BadArgument."""
    found = address.number(text.strip())
    if found is None or found > most:
        raise BadArgument.at(name, _("a whole number up to %(most)s", most=wording.count(most)))
    return found


def texts_of(form: FormData) -> dict[str, str]:
    """The text fields of a form."""
    return {name: value for name, value in form.multi_items() if isinstance(value, str)}


def refused(error: Exception, title: str) -> ShownRefusal:
    """The refusal, with what the form calls its fields."""
    if isinstance(error, BadArgument):
        faults = [fault.at(fault.loc[:1]) for fault in error.faults]
        error = BadArgument(*faults, more=error.more)
    refusal = refusal_of(error, title)
    return replace(refusal, faults=[labelled(fault) for fault in refusal.faults])


def labelled(fault: FieldFault) -> FieldFault:
    """A fault with what the form calls its field."""
    return replace(fault, label=_(LABELS[fault.field])) if fault.field in LABELS else fault

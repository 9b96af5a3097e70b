"""Predictions before a demo's step is run: whether they are asked, as fields, and what the machine did.

They are kept as the answers to exercises are, in `given` of the address: nothing is stored. While a step
waits for them, what its text tells of it is not sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from starlette.datastructures import FormData
from starlette.requests import Request

from app.demos import Demo
from app.demos.predictions import Prediction
from app.exercises import judging, predicting
from app.exercises.exercise import PARTS
from app.exercises.forms import FORMS, Answer, BadAnswer, Shape
from app.exercises.judging import JudgedField
from app.exercises.predicting import Begun, Figures, Unasked
from app.exercises.sealing import FieldVariant
from app.web import exercisefields
from app.web.address import Address
from app.web.contexts.base import ShownRefusal
from app.web.contexts.exercise import FieldView
from app.web.demopanel import demo_of, is_done, ran_rows
from app.web.exercisework import given_of
from app.web.language import N_, _
from app.web.preferences import preferences_of
from app.web.refusals import REFUSED
from app.web.requester import sessions_for
from app.web.shownrows import Outcome

ON: Final = "on"
OFF: Final = "off"
# Characters of one prediction that the address holds.
MOST: Final = 100

# How an answer may be written, without figures that may be right: those of exercises are drawn.
HINTS: Final = {
    "number": N_("A whole number"),
    "bytes": N_("Bytes; K and M may be written"),
    "pfn": N_("A frame number, in hexadecimal with 0x in front; NULL for none"),
    "frames": N_("Frame numbers and ranges, as in 0x10-0x1f, 0x24; or none"),
    "address": N_("An address, with 0x in front; NULL for none"),
    "orders": N_("Leave empty what does not change"),
}

# What is asked of a call, by the first words of the question.
OF_CALLS: Final = {
    "verdict": N_("How it ends"),
    "woken": N_("Who is woken, in order"),
    "killed": N_("Whom the OOM killer takes"),
    "zone": N_("The zone of its page"),
    "frame": N_("The frame of its last access"),
    "access": N_("What its last access meets"),
    "faults": N_("How many minor faults"),
    "refcount": N_("The reference count"),
    "pfn": N_("The number of its frame"),
    "tables": N_("How many page tables are made"),
    "around": N_("How many pages are mapped along with it"),
    "ret": N_("What it returns"),
    "ksize": N_("How large the object is"),
    "nr_pages": N_("How many pages the area has"),
    "size": N_("How many bytes of addresses the area takes"),
    "page_table_writes": N_("How many page-table entries are written"),
    "address": N_("The address"),
    "order": N_("The order of its block"),
    "index": N_("The number of the object in its slab"),
    "offset": N_("The offset"),
    "guard": N_("The guard"),
}
# What is asked of the machine, by the first word.
OF_MACHINES: Final = {
    "free": N_("Free frames of %(one)s"),
    "pcp": N_("Frames on the per-CPU lists of %(one)s"),
    "buddyinfo": N_("Free blocks of each order"),
    "blocks": N_("%(two)s pageblocks of %(one)s"),
    "cache": N_("Cache %(one)s: %(two)s"),
    "lru": N_("Pages on the list %(one)s"),
    "vmstat": N_("The counter %(one)s"),
    "mm": N_("%(two)s of process %(one)s, in pages"),
    "page": N_("%(two)s of frame %(one)s"),
}


@dataclass(frozen=True, slots=True)
class DemoAgain:
    """What the panel of a demo shows once more after its form was refused."""

    refusal: ShownRefusal | None = None
    """why the step was refused"""
    given: list[str] = field(default_factory=list)
    """what was predicted"""
    faults: Mapping[int, str] = field(default_factory=dict)
    """why which prediction is none, by its place from 0"""


@dataclass(frozen=True, slots=True)
class Asking:
    """What a page shows of predictions."""

    on: bool = False
    """True where the reader is asked first"""
    fields: Sequence[FieldView] = ()
    """what is asked of the step that is shown, or was"""
    right: int = 0
    """how many of the predictions were right"""
    answered: int = 0
    """how many were made"""
    missed: bool = False
    """True where what was predicted cannot be compared with what the machine did"""


def asks(request: Request, here: Address, *, presents: bool = False) -> bool:
    """Whether the reader is asked first. The address goes before; who presents is asked only by it."""
    if here.ask in (ON, OFF):
        return here.ask == ON
    preferences = preferences_of(request)
    return preferences.ask and not preferences.projector and not presents


async def read(
    request: Request, here: Address, rows: Sequence[Outcome], again: DemoAgain, *, presents: bool
) -> Asking:
    """Make what the page shows. rows: of the step's calls."""
    found = demo_of(request.app.state.demos, here)
    if found is None or here.exercise is not None:
        return Asking()
    demo, step = found
    on = asks(request, here, presents=presents)
    asked, made = demo.steps[step].predict, ran_rows(demo, step, here)
    part = demo.part(here.part or 1) or demo.parts[0]
    if not asked or not part.first <= step < part.end:
        return Asking(on)
    if not made:
        if not on:
            return Asking()
        begun = await now(request, here, demo, step)
        given = again.given or given_of(here)
        return Asking(on, fields(asked, begun, given, again.faults, many=many(demo, step)))
    if here.given is None or not is_done(demo, step, here):
        return Asking(on)
    outcomes = [row for row in rows if row["seq"] in made]
    if len(outcomes) < len(made):
        return Asking(on, missed=True)
    try:
        begun, after = await around(request, here, demo, step)
    except REFUSED:
        return Asking(on, missed=True)
    return compared(on, asked, Compared(begun, after, outcomes), given_of(here), many=many(demo, step))


async def now(request: Request, here: Address, demo: Demo, step: int) -> Begun:
    """What the predictions of a step need of the machine as it is."""
    sessions, who = sessions_for(request)
    shown = demo.steps[step]
    return await sessions.read(who, here.id, predicting.begin, shown.predict, shown.calls)


async def around(request: Request, here: Address, demo: Demo, step: int) -> tuple[Begun, Figures]:
    """The same from before the step's rows, and what the machine had after them."""
    sessions, who = sessions_for(request)
    shown, made = demo.steps[step], ran_rows(demo, step, here)
    begun = await sessions.past(who, here.id, min(made) - 1, predicting.begin, shown.predict, shown.calls)
    if all(one.call for one in shown.predict):
        return begun, {}
    return begun, await sessions.past(who, here.id, max(made), predicting.figures, shown.predict)


# -- what was sent ----------------------------------------------------------------------------------------


async def sent(request: Request, here: Address, demo: Demo, step: int, form: FormData) -> DemoAgain:
    """The predictions of a form, with what is wrong with them; fields that are left empty predict nothing."""
    begun = await now(request, here, demo, step)
    given: list[str] = []
    faults: dict[int, str] = {}
    for place, (one, shape) in enumerate(zip(demo.steps[step].predict, begun.shapes, strict=True)):
        given.append("" if shape is None else text_of(shape, f"f{place + 1}", form))
        try:
            read_one(one, begun, place, given[-1])
        except BadAnswer as error:
            faults[place] = fault_of(one, error)
    if not any(given):
        faults[0] = _("Predict something here, or run the step without predicting.")
    return DemoAgain(given=given, faults=faults)


def text_of(shape: Shape, name: str, form: FormData) -> str:
    """A prediction as a text. Boxes left empty do not change; where all are, nothing is predicted."""
    text = " ".join(exercisefields.text_of(shape, name, form).split())[:MOST]
    if shape["control"] != "boxes":
        return text
    boxes = [box.strip() for box in text.split(";")]
    if not any(boxes):
        return ""
    return ";".join(box or str(count) for box, count in zip(boxes, shape["before"], strict=False))


def fault_of(one: Prediction, error: BadAnswer) -> str:
    """Why a text is no answer, with what would be; without the form's own examples."""
    said = str(error).removesuffix(getattr(FORMS[one.form], "wants", "")).strip()
    return f"{said} {_(HINTS[one.form])}." if one.form in HINTS else said


def read_one(one: Prediction, begun: Begun, place: int, text: str) -> Answer | None:
    """A prediction; None where there is none. Raises BadAnswer."""
    shape = begun.shapes[place]
    return predicting.variant(one, "", shape).form.read(text, shape) if text and shape is not None else None


# -- what is shown ----------------------------------------------------------------------------------------


def fields(
    asked: Sequence[Prediction],
    begun: Begun,
    given: Sequence[str],
    faults: Mapping[int, str],
    *,
    many: bool,
) -> list[FieldView]:
    """The questions before the step is run."""
    return [
        shown(
            predicting.variant(one, label(one, many=many), shape),
            place,
            typed=given[place] if place < len(given) and given[place] else None,
            fault=faults.get(place, ""),
        )
        for place, (one, shape) in enumerate(zip(asked, begun.shapes, strict=True))
        if shape is not None
    ]


@dataclass(frozen=True, slots=True)
class Compared:
    """With what predictions are compared."""

    begun: Begun
    """the machine before the calls"""
    after: Figures
    """what it had after them"""
    outcomes: Sequence[Outcome]
    """what the calls did"""


def compared(
    on: bool,
    asked: Sequence[Prediction],
    found: Compared,
    given: Sequence[str],
    *,
    many: bool,
) -> Asking:
    """The predictions beside what the machine did."""
    views: list[FieldView] = []
    judged: list[JudgedField] = []
    missed = False
    for place, (one, shape) in enumerate(zip(asked, found.begun.shapes, strict=True)):
        if shape is None:
            continue
        text = given[place] if place < len(given) else ""
        try:
            right = predicting.right(one, shape, found.outcomes, found.begun.figures, found.after)
        except Unasked:
            missed = missed or bool(text)
            continue
        try:
            answer = read_one(one, found.begun, place, text)
        except BadAnswer:
            text, answer = "", None
        variant = predicting.variant(one, label(one, many=many), shape, right)
        mark = None if answer is None else judging.judge_field(variant, answer)
        if mark is not None:
            judged.append(mark)
        views.append(shown(variant, place, typed=text or None, judged=mark, told=True))
    return Asking(on, views, sum(mark.share == PARTS for mark in judged), len(judged), missed)


def shown(variant: FieldVariant, place: int, **how: Any) -> FieldView:
    """One field; what is only yes or no is said in the reader's language."""
    view = exercisefields.field_view(variant, place + 1, many=True, **how)
    if view.form in HINTS:
        view = replace(view, hint=_(HINTS[view.form]))
    if variant.shape["control"] == "boxes" and not view.value:
        return replace(view, boxes=[replace(each, value="") for each in view.boxes])
    if variant.shape["form"] != "choice":
        return view
    words = {predicting.YES: _("yes"), predicting.NO: _("no")}
    return replace(
        view,
        options=[replace(each, text=words[each.value]) for each in view.options],
        given=words.get(view.given, view.given),
        right=words.get(view.right, view.right),
    )


def many(demo: Demo, step: int) -> bool:
    """Whether a question has to say which call it is about."""
    return len(demo.steps[step].calls) > 1


def label(one: Prediction, *, many: bool) -> str:
    """A question in words."""
    if not one.call:
        return of_machine(one)
    what = of_call(one)
    return _("Call %(number)s: %(what)s", number=one.call, what=what) if many else what


def of_call(one: Prediction) -> str:
    """What is asked of a call."""
    fact, *more = one.words
    if one.other:
        return _("Is its frame the one of call %(number)s?", number=one.other)
    match fact:
        case "changed":
            return _("Which frames become “%(state)s”", state=more[0])
        case "became":
            return _("How many frames become “%(state)s”", state=more[0])
        case "reclaim":
            return _("How many pages its own reclaim has %(done)s", done=more[0])
        case "background":
            return _("How many pages %(thread)s has %(done)s", thread=more[0], done=more[1])
    return _(OF_CALLS[fact])


def of_machine(one: Prediction) -> str:
    """What is asked of the machine."""
    word, *names = one.words
    what = " ".join(one.words)
    if word in OF_MACHINES:
        what = _(OF_MACHINES[word], one=names[0], two=names[-1])
    if one.form == "orders":
        return _("%(what)s, afterwards", what=what)
    if one.change:
        return _("%(what)s: how much more (+) or fewer (-)", what=what)
    return _("%(what)s, afterwards", what=what)

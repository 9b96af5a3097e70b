"""The fields of a task: what a form asks for, how what is sent is one text each, and what is right of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.datastructures import FormData

from app.exercises.exercise import PARTS
from app.exercises.forms import Answer, BadAnswer, Option, Part, Shape
from app.exercises.judging import JudgedField
from app.exercises.sealing import FieldVariant
from app.web import wording
from app.web.contexts.exercise import BoxView, FieldView, MarkView, OptionView
from app.web.language import N_, _, ngettext

# How an answer of a form may be written.
HINTS: Final = {
    "number": N_("A whole number: 1536, 1,536, 0x600, 1.5K"),
    "bytes": N_("Bytes: 1536, 1.5 KiB, 6 MiB"),
    "hex": N_("In hexadecimal: 0xcc0"),
    "pfn": N_("A frame number: 0x400 or 1024; NULL for none"),
    "address": N_("An address: 0xffff888000400000; NULL for none"),
    "frames": N_("Frames and ranges: 0x401-0x407, 1040; or none"),
    "flags": N_("As many as are right, or none of them"),
    "lines": N_("As many lines as are right, or none of them"),
    "tasks": N_("In order, the first one first"),
}
VERDICTS: Final = {
    "ok": N_("it does what was asked"),
    "null": N_("it returns NULL, or an error, and that is all"),
    "blocked": N_("the caller sleeps"),
    "warn": N_("the kernel warns, and goes on"),
    "bug": N_("the kernel reports a mistake of the caller"),
    "oom": N_("it fails, and the OOM killer has been asked"),
    "hang": N_("it would go on for ever"),
    "panic": N_("the kernel stops"),
}
FAULTS: Final = {
    "none": N_("no page fault"),
    "minor": N_("a fault that needs no I/O"),
    "major": N_("a fault that waits for a disk"),
    "signal": N_("the process gets SIGSEGV or SIGBUS"),
}
MEANINGS: Final[Mapping[str, Mapping[str, str]]] = {"verdict": VERDICTS, "fault": FAULTS}
NONE: Final = {
    "flags": N_("none of them"),
    "lines": N_("none of them"),
    "step": N_("none of them"),
    "tasks": N_("nobody"),
}
NUMBERED: Final = {
    "order": N_("order %(number)s"),
    "line": N_("line %(number)s"),
    "step": N_("step %(number)s"),
}
PLACES: Final = {
    "zone": (N_("not in the right zone"), N_("in the right zone")),
    "block": (N_("not in the right block"), N_("in the right block")),
    "near": (N_("not near enough"), N_("not near enough")),
}
UNITS: Final = {"bytes": N_("bytes")}
# Levels of a page walk.
LEVELS: Final = frozenset(("PGD", "P4D", "PUD", "PMD", "PTE"))
# Between what is chosen, as `app.exercises.forms` reads it.
JOINED: Final = {"checks": ",", "boxes": ";", "order": ","}
# Places of an order that a form without script offers.
MOST_PLACES: Final = 12


def sent(shapes: Sequence[Shape], form: FormData) -> list[str]:
    """What a form has sent, as one text for each field."""
    return [text_of(shape, f"f{place}", form) for place, shape in enumerate(shapes, 1)]


def text_of(shape: Shape, name: str, form: FormData) -> str:
    """One field."""
    control = shape["control"]
    if control not in JOINED:
        return str(form.get(name, ""))
    if control == "boxes":
        parts = [str(form.get(f"{name}.{order}", "")) for order in range(len(shape["before"]))]
    elif control == "order":
        places = range(min(MOST_PLACES, len(shape["options"])))
        parts = [text for place in places if (text := str(form.get(f"{name}.{place}", "")))]
    else:
        parts = [str(value) for value in form.getlist(name)]
    if not parts and f"{name}.none" in form:
        return str(form[f"{name}.none"])
    return JOINED[control].join(parts)


def field_view(
    field: FieldVariant,
    place: int,
    *,
    many: bool,
    typed: str | None = None,
    fault: str = "",
    judged: JudgedField | None = None,
    told: bool = False,
) -> FieldView:
    """A field as it is shown. place: from 1. typed: what was sent. told: whether what is right is said."""
    shape, form = field.shape, field.form
    text = "" if typed is None else typed
    answer = read(field, text)
    mark = None if judged is None else mark_view(judged)
    right = form.text(field.right, shape) if told and field.right is not None else ""
    none = shape.get("none", "")
    return FieldView(
        id=f"f{place}",
        label=field.field.label or (_("Answer %(number)s", number=place) if many else _("Your answer")),
        form=shape["form"],
        control=shape["control"],
        hint=_(HINTS.get(shape["form"], "")),
        unit=_(UNITS.get(shape["form"], "")),
        none=_(NONE.get(shape["form"], "")) if none else "",
        none_chosen=bool(none) and answer == [] and typed is not None,
        value=text,
        options=[option_view(shape, one, text, answer) for one in shape.get("options", ())],
        places=places(shape, answer),
        boxes=boxes(field, text, judged, told=told),
        zone=shape.get("zone", ""),
        points=points_at(shape),
        fault=fault,
        given=text if answer is None else form.text(answer, shape),
        mark=mark,
        right=right,
    )


def read(field: FieldVariant, text: str) -> Answer | None:
    """What a text says; None where it is no answer."""
    if not text:
        return None
    try:
        return field.form.read(text, field.shape)
    except BadAnswer:
        return None


def option_view(shape: Shape, option: Option, text: str, answer: Answer | None) -> OptionView:
    """One thing to choose; what it means where that is known."""
    form, value = shape["form"], option["value"]
    meaning = MEANINGS.get(form, {}).get(value, "")
    chosen = text == value if answer is None else answer == value
    if isinstance(answer, list):
        chosen = value in map(str, answer)
    mono = form in ("verdict", "fault", "zone", "flags", "lines", "tasks")
    return OptionView(value, value if meaning else option["label"], _(meaning), chosen, mono)


def places(shape: Shape, answer: Answer | None) -> list[str]:
    """What stands in each place of an order."""
    if shape["control"] != "order":
        return []
    named = [str(name) for name in answer] if isinstance(answer, list) else []
    most = min(MOST_PLACES, len(shape["options"]))
    return (named + [""] * most)[:most]


def boxes(field: FieldVariant, text: str, judged: JudgedField | None, *, told: bool) -> list[BoxView]:
    """The boxes of free lists: what was typed, else what is there before."""
    shape = field.shape
    if shape["control"] != "boxes":
        return []
    before = shape["before"]
    typed = text.split(";") if text else []
    tones = {part.number: "right" if part.right else "wrong" for part in (judged.parts if judged else ())}
    right: Any = field.right if told else None
    return [
        BoxView(
            order=order,
            before=count,
            value=typed[order] if len(typed) == len(before) else str(count),
            tone=tones.get(order, ""),
            right=right[order] if right is not None else None,
        )
        for order, count in enumerate(before)
    ]


def points_at(shape: Shape) -> str:
    """What of the page, clicked, fills the field."""
    match shape["form"]:
        case "pfn" | "frames":
            return "frame"
        case "orders":
            return "list"
        case "zone":
            return "zone"
        case "choice" if LEVELS & {option["value"] for option in shape["options"]}:
            return "level"
    return ""


def mark_view(judged: JudgedField) -> MarkView:
    """What is right of an answer."""
    if judged.share == PARTS:
        return MarkView("right", _("Right"), (), "")
    say = judged.wrong.say if judged.wrong is not None else ""
    parts = [(part.right, part_words(part)) for part in judged.parts]
    if not judged.share:
        return MarkView("wrong", _("Not right"), parts, say)
    return MarkView("partly", _("%(share)s right", share=wording.percent(judged.share, PARTS)), parts, say)


def part_words(part: Part) -> str:
    """A part of an answer in words."""
    if part.kind in NUMBERED:
        return _(NUMBERED[part.kind], number=wording.count(part.number))
    if part.kind in PLACES:
        return _(PLACES[part.kind][part.right])
    match part.kind:
        case "first":
            return ngettext("the first one in order", "the first %(num)s in order", part.number)
        case "missing":
            return ngettext("%(num)s is missing", "%(num)s are missing", part.number)
        case "named" if part.text[:1].isdecimal() and part.right:  # how many frames, not which flag
            return ngettext("%(num)s belongs there", "%(num)s belong there", part.number)
        case "named" if part.text[:1].isdecimal():
            return ngettext("%(num)s does not belong there", "%(num)s do not belong there", part.number)
    return part.text

"""One of several things: a zone, a verdict, the kind of a fault, or what a file offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.exercises.exercise import Field
from app.exercises.forms import typed
from app.exercises.forms.form import LENGTH, Answer, BadAnswer, Form, Option, Setting, Shape

VERDICTS: Final = {
    "ok": "ok: it does what was asked",
    "null": "null: it returns NULL, or an error, and that is all",
    "blocked": "blocked: the caller sleeps",
    "warn": "warn: the kernel warns, and goes on",
    "bug": "bug: the kernel reports a mistake of the caller",
    "oom": "oom: it fails, and the OOM killer has been asked",
    "hang": "hang: it would go on for ever",
    "panic": "panic: the kernel stops",
}
FAULTS: Final = {
    "none": "none: no page fault",
    "minor": "minor: a fault that needs no I/O",
    "major": "major: a fault that waits for a disk",
    "signal": "signal: the process gets SIGSEGV or SIGBUS",
}

# Whatever zones the machine has, these are to choose from: HighMem on x86_64 is an answer that people give.
ZONES: Final = ("DMA", "DMA32", "Normal", "HighMem", "Movable")


class Choice(Form):
    """One of the options of the file."""

    name = "choice"
    takes_options = True
    needs_options = True

    def options(self, field: Field, setting: Setting) -> list[Option]:
        """What there is to choose from."""
        return [{"value": option, "label": option} for option in field.options]

    def shape(self, field: Field, setting: Setting) -> Shape:
        options = self.options(field, setting)
        return {
            "form": self.name,
            "control": "radio",
            "hint": one_of(options),
            "most": LENGTH,
            "options": options,
        }

    def read(self, text: str, shape: Shape) -> Answer:
        return chosen(text, shape["options"])

    def text(self, answer: Answer, shape: Shape) -> str:
        return str(answer)


class OneOfKnown(Choice):
    """One of things that are known without a file; a file may leave some out."""

    needs_options = False
    labels: dict[str, str]

    def options(self, field: Field, setting: Setting) -> list[Option]:
        return [
            {"value": value, "label": self.labels.get(value, value)}
            for value in field.options or tuple(self.labels)
        ]


class Verdict(OneOfKnown):
    """What the kernel said."""

    name = "verdict"
    labels = VERDICTS


class Fault(OneOfKnown):
    """What an access came to."""

    name = "fault"
    labels = FAULTS


class Zone(Choice):
    """A zone, of this machine or not."""

    name = "zone"
    needs_options = False

    def options(self, field: Field, setting: Setting) -> list[Option]:
        own = (zone.name for zone in setting.machine.zones if zone.managed_pages)
        names = field.options or tuple(dict.fromkeys((*ZONES[:4], *own)))
        return [{"value": name, "label": name} for name in names]

    def read(self, text: str, shape: Shape) -> Answer:
        said = typed.plain(text)
        return chosen(said[5:] if said.lower().startswith("zone_") else said, shape["options"])


def one_of(options: list[Option]) -> str:
    """What would be accepted."""
    return f"One of {', '.join(option['value'] for option in options)}."


def chosen(text: str, options: list[Option]) -> str:
    """The option that a text names, by what is sent or by what is shown. Raises BadAnswer."""
    said = typed.plain(text).casefold()
    labels = {typed.plain(option["label"]).casefold(): option["value"] for option in options}
    values = {typed.plain(option["value"]).casefold(): option["value"] for option in options}
    if said in (known := labels | values):
        return known[said]
    if not said:
        raise BadAnswer(f"Nothing is chosen. {one_of(options)}")
    raise BadAnswer(f"{typed.shown(text)} is none of them. {one_of(options)}")


def fault_of(access: Mapping[str, Any]) -> str:
    """What an access met, as the form `fault` has it."""
    if access["signal"] is not None:
        return "signal"
    if access["fault"] == "none":
        return "none"
    return "major" if access["major"] else "minor"

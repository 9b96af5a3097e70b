"""What every form of an answer can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NotRequired, TypeAlias, TypedDict

from app.exercises.exercise import PARTS, Field
from app.machine.machine import Machine

# A JSON value. Numbers and frame numbers: int. Addresses, names, verdicts, `NULL`: str. Counts of free lists,
# frames, numbers of lines: list[int], names: list[str].
Answer: TypeAlias = int | str | list[int] | list[str]
# Of the text of one answer.
LENGTH: Final = 4096


class BadAnswer(Exception):  # noqa: N818 - as the others are named
    """A text that is no answer of its form, and what would be. It costs no attempt."""


class BadForm(Exception):  # noqa: N818 - as the others are named
    """A field of an exercise file that its form cannot have."""


class Option(TypedDict):
    """One thing to choose."""

    # As it is sent.
    value: str
    # As it is shown.
    label: str


class ZoneSpan(TypedDict):
    """A zone of the machine."""

    name: str
    # Its first frame, and the first behind it.
    start: int
    end: int


class Shape(TypedDict):
    """What a page or a client needs to ask for an answer: JSON, and nothing of the answer."""

    form: str
    # `text`: one line. `radio`: one of the options. `checks`: any of the options, joined with commas.
    # `boxes`: a number for each order, joined with `;`. `order`: some of the options in order, with commas.
    control: str
    # How it may be written.
    hint: str
    # Characters of the text at most.
    most: int
    # How it is written that there is none: for a box to check beside those of the options.
    none: NotRequired[str]
    # Stands behind the field: `bytes`.
    unit: NotRequired[str]
    options: NotRequired[list[Option]]
    # Of the free lists: whose they are, and how many blocks each order has before.
    zone: NotRequired[str]
    before: NotRequired[list[int]]
    # Of frame numbers.
    zones: NotRequired[list[ZoneSpan]]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a question is asked about."""

    # As it is before the calls.
    machine: Machine
    # The calls as they are shown.
    lines: tuple[str, ...] = ()
    # Of an explanation: number and text.
    steps: tuple[tuple[int, str], ...] = ()
    # Who may be named beside those that the machine has.
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """What of an answer was right or wrong, without saying what would have been right."""

    # `order`, `named`, `missing`, `line`, `step`, `first`, `zone`, `block` or `near`.
    kind: str
    # Of what: the order, how many frames, which line.
    number: int
    right: bool
    # The same in English.
    text: str

    def as_json(self) -> dict[str, Any]:
        """As it is stored and sent."""
        return {"kind": self.kind, "number": self.number, "right": self.right, "text": self.text}


@dataclass(frozen=True, slots=True)
class Marked:
    """How much of an answer was right."""

    # Thousandths; 1,000 is right.
    share: int
    parts: tuple[Part, ...] = ()

    @property
    def right(self) -> bool:
        """Whether all of it was right."""
        return self.share == PARTS


# What a picture draws of the right answer and the given one over each other, after the reveal: JSON.
Picture: TypeAlias = Mapping[str, Any]


class Form(ABC):
    """A form of answers. It has no state."""

    # A key of `forms.FORMS`.
    name: str
    # Whether `within` and `near` of a field mean something to it: a distance, or of frames zone and block.
    distances = False
    # Whether a wrong answer of a file is a formula over the right one.
    computed = False
    # Whether a field may, or must, have options of its own.
    takes_options = False
    needs_options = False

    @abstractmethod
    def shape(self, field: Field, setting: Setting) -> Shape:
        """What is needed to ask for it."""

    @abstractmethod
    def read(self, text: str, shape: Shape) -> Answer:
        """A typed answer. Raises BadAnswer."""

    @abstractmethod
    def text(self, answer: Answer, shape: Shape) -> str:
        """An answer as people write it, which `read` reads back."""

    def answer(self, value: object, shape: Shape) -> Answer:
        """The answer that a value of the machine, or of a formula, is. Raises BadAnswer."""
        if value is None:
            return self.read("NULL", shape)
        if isinstance(value, Sequence) and not isinstance(value, str):
            if not value and "none" in shape:
                return []
            return self.read(" ".join(str(each) for each in value), shape)
        return self.read(str(value), shape)

    def same(self, one: Answer, other: Answer) -> bool:
        """Whether two answers say the same."""
        return one == other

    def share(self, right: Answer, given: Answer, shape: Shape, field: Field) -> Marked:
        """How much of an answer is right: 1,000 where it is the same, or as near as the field allows."""
        return Marked(PARTS if self.same(right, given) else 0)

    def picture(self, right: Answer, given: Answer, shape: Shape) -> Picture | None:
        """The right answer in outline and the given one over each other; None where there is no picture."""
        return None

    def check(self, field: Field) -> None:
        """Whether a field of a file can have this form. Raises BadForm."""
        if (field.within or field.near) and not self.distances:
            raise BadForm(f"an answer of the form {self.name!r} is never near: no within, no near")
        if field.options and not self.takes_options:
            raise BadForm(f"an answer of the form {self.name!r} has no options")
        if self.needs_options and len(field.options) < 2:
            raise BadForm(f"an answer of the form {self.name!r} needs options, two at least")
        if len({option.casefold() for option in field.options}) < len(field.options):
            raise BadForm("two options are the same")


def shares(part: int, whole: int) -> int:
    """A part of a whole in thousandths, rounded down; below 1,000 unless it is all."""
    return PARTS * part // whole

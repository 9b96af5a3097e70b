"""Forms of answers: how each is asked for, read, compared and shown.

    number bytes hex     a whole number, exactly or near enough
    pfn address          a page frame, an address
    frames               a set of frames
    orders               how many free blocks of each order
    zone verdict fault choice   one of several things
    flags lines step     some of several things
    tasks                names in order

Reading order: `form` (what every form can do), `typed` (numbers as people write them), then any of them.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from app.exercises.forms.chosen import Choice, Fault, Verdict, Zone
from app.exercises.forms.form import (
    Answer,
    BadAnswer,
    BadForm,
    Form,
    Marked,
    Option,
    Part,
    Picture,
    Setting,
    Shape,
    ZoneSpan,
)
from app.exercises.forms.frames import Frames
from app.exercises.forms.marked import Flags, Lines, Step
from app.exercises.forms.numbers import Bytes, Hex, Number
from app.exercises.forms.orders import Orders
from app.exercises.forms.places import Address, Pfn
from app.exercises.forms.tasks import Tasks

__all__ = [
    "FORMS",
    "Answer",
    "BadAnswer",
    "BadForm",
    "Form",
    "Marked",
    "Option",
    "Part",
    "Picture",
    "Setting",
    "Shape",
    "ZoneSpan",
]

KINDS: Final[tuple[type[Form], ...]] = (
    Number, Bytes, Hex, Pfn, Address, Frames, Orders, Zone, Verdict, Fault, Choice, Flags, Lines, Step, Tasks,
)  # fmt: skip
FORMS: Final = MappingProxyType({kind.name: kind() for kind in KINDS})

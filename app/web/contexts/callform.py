"""What the form of a call is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.machine.vocabulary import CallSpec
from app.web.contexts.base import Link


@dataclass(frozen=True, slots=True)
class FieldView:
    """An input of a form."""

    name: str
    """the name of the field"""
    label: str
    """what the page calls it"""
    kind: str
    """which macro of the templates draws it"""
    value: str
    """its value"""
    required: bool
    """True where it must be filled in"""
    hint: str
    """what can be typed"""
    c_type: str = ""
    """the argument's type in C"""
    choices: Sequence[str] = ()
    """the values of a list"""
    error: str | None = None
    """why the value was refused"""


@dataclass(frozen=True, slots=True)
class CallForm:
    """The form of one call."""

    spec: CallSpec
    """the call as the API describes it"""
    action: str
    """where the form is sent"""
    fields: Sequence[FieldView]
    """inputs for the arguments"""
    caller: Sequence[FieldView]
    """inputs for task, CPU and context"""
    many: Sequence[FieldView]
    """inputs for repeating the call; empty where it cannot be repeated"""
    result: FieldView | None
    """input for the name of the result; None where there is no result"""
    picker: Sequence[tuple[str, Sequence[Link]]]
    """all calls by group, as links to their forms"""
    line: str
    """the call as a line for the console"""
    curl: str
    """the call as a curl line"""
    python: str
    """the call as a Python line"""
    runs_as: str | None = None
    """the process that calls, because the page shows it; None for whoever the form names"""
    open_caller: bool = False
    """True where the inputs of the caller are unfolded"""
    open_many: bool = False
    """True where the inputs for repeating are unfolded"""

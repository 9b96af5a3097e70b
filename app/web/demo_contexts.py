"""What the pages are given of guided demos: the list on the home page, and the panel beside a machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.web.contexts import JournalRow, Link, Refusal


@dataclass(frozen=True, slots=True)
class DemoRow:
    """A demo in the list. machine: profile and view, of each of its machines. steps: how many."""

    name: str
    title: str
    teaser: str
    machine: str
    steps: int


@dataclass(frozen=True, slots=True)
class StepDot:
    """A step in the row of all. done: it has been run. href: None where it is on another machine."""

    number: int
    title: str
    href: str | None
    current: bool
    done: bool


@dataclass(frozen=True, slots=True)
class DemoPanel:
    """One step of a demo, beside the machine on which it is run.

    number, total: of the step. calls: its lines; curl: the same for a terminal. action: where to run it;
    view: the address that comes with it. ready: it can be run here and now. first_left: the earliest step
    before it that has not been run. results: each line and its row of the journal, where it has been.
    next_machine, next_part: where the next step is made, if elsewhere. other_machine: what this step needs,
    where that is not this session's; part: its number. start_part: that of this session.
    """

    name: str
    title: str
    number: int
    total: int
    dots: Sequence[StepDot]
    heading: str
    happens: str
    why: str
    notice: str
    you: str
    calls: str
    curl: str
    action: str
    view: str
    ready: bool
    first_left: Link | None
    results: Sequence[tuple[str, JournalRow]]
    look: Link | None
    earlier: Link
    later: Link
    next_machine: str
    next_part: int
    other_machine: str
    part: int
    start_part: int
    leave: str
    refusal: Refusal | None

"""The references one by one: what is in the frames, which page goes and why, and what the machine did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from app.machine.replacement import Result
from app.machine.replacement.steps import MOST_SHOWN, Step
from app.web import tableparts, wording
from app.web.contexts.base import Link
from app.web.contexts.replacement import FrameCell, StepRow, Steps
from app.web.language import _, ngettext
from app.web.policies import words

ROWS: Final = 100
MARKS_SHOWN: Final = 200
# Frames beside which there is room for a reason.
NARROW: Final = 5


def first_of(asked: int, total: int) -> int:
    """How many references stand before the part that is asked for."""
    return tableparts.first_of(asked, total, ROWS)


def table(
    result: Result,
    steps: Sequence[Step],
    references: int,
    machine: str | None,
    part_href: Callable[[int], str] | None,
    policies: Sequence[Link],
) -> Steps:
    """The part that was asked for. machine: F and H of all references. part_href: None without addresses."""
    shown = result.frames if result.frames <= MOST_SHOWN else 0
    part = None
    if steps and references > ROWS:
        href = part_href or (lambda _row: "")
        part = tableparts.part_of(href, steps[0].at - 1, references, ROWS)
        if part is not None and part_href is None:
            part = type(part)(part.words, Link(part.earlier.text, None), Link(part.later.text, None))
    return Steps(
        title=_(
            "%(policy)s with %(frames)s",
            policy=words.title(result.policy),
            frames=ngettext("%(num)s frame", "%(num)s frames", result.frames),
        ),
        summary=summary(result),
        marks=result.marks if result.marks is not None and references <= MARKS_SHOWN else "",
        columns=[_("Frame %(number)s", number=number) for number in range(shown)],
        wide=shown > NARROW,
        notes=_(words.NOTES[result.policy]) if shown and result.policy in words.NOTES else "",
        rows=[row(step, shown, machine) for step in steps],
        part=part,
        policies=policies,
        machine=machine is not None,
    )


def summary(result: Result) -> str:
    """What is counted, in one line."""
    return " · ".join(
        (
            ngettext("%(num)s fault", "%(num)s faults", result.faults),
            ngettext("%(num)s replacement", "%(num)s replacements", result.replacements),
            ngettext("%(num)s page written back", "%(num)s pages written back", result.writebacks),
        )
    )


def row(step: Step, shown: int, machine: str | None) -> StepRow:
    """One reference."""
    return StepRow(
        at=wording.count(step.at),
        page=words.page(step.page) + (" W" if step.write else ""),
        fault=step.fault,
        frames=[cell(step, frame) for frame in range(shown)],
        victim="" if step.victim is None else words.page(step.victim),
        why=words.why(step.why) + (_("; it is written back first") if step.written else ""),
        machine="" if machine is None else machine[step.at - 1],
    )


def cell(step: Step, frame: int) -> FrameCell:
    """A frame after the reference."""
    inside = step.frames[frame] if frame < len(step.frames) else None
    return FrameCell(
        page="" if inside is None else words.page(inside),
        note=step.notes[frame] if inside is not None else "",
        touched=frame == step.frame,
        hand=frame == step.hand,
    )

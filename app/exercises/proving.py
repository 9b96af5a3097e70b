"""Proves exercises: each is played for many seeds, and what would be unfair or wrong is found.

What stands in the table for each task: how many variants were made, how many different questions and answers
they have, and how many of a hundred have the answer that is most frequent: as often is right who copies from
somebody without looking.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, Final

from app.collector import settle
from app.exercises import judging, variant
from app.exercises.exercise import PARTS, Exercise, Task
from app.exercises.loopholes import loopholes
from app.exercises.rejected import Rejected
from app.exercises.sealing import TaskVariant
from app.exercises.variant import CannotVary, Values, Variant

# Per cent of variants that may have the same answer, and so many of them are needed to say so.
MOST_ALIKE: Final = 15
ENOUGH: Final = 100
# Faults of one kind are told so often.
MOST_TOLD: Final = 3


@dataclass(slots=True)
class TaskReport:
    """What was found of one task. questions, answers: how often each was asked and right."""

    task: Task
    questions: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    # By field and place in its list: wrong answers that could be given in some variant.
    given: set[tuple[int, int]] = field(default_factory=set)

    @property
    def alike(self) -> float:
        """Per cent of variants that have the most frequent answer."""
        most = max(self.answers.values(), default=0)
        return 100 * most / max(1, self.answers.total())

    @property
    def excused(self) -> str:
        """Why many may have the same answer; empty where they may not."""
        return "a goal's calls are in its journal" if self.task.kind == "goal" else self.task.fixed

    def as_json(self) -> dict[str, Any]:
        """For the API."""
        return {
            "number": self.task.number,
            "kind": self.task.kind,
            "questions": len(self.questions),
            "answers": len(self.answers),
            "alike": round(self.alike, 1),
            "excused": self.excused,
        }


@dataclass(slots=True)
class Report:
    """What was found of one exercise. rejected: why values were drawn again, and how often.

    notes: what its author should know, but is no fault.
    """

    name: str
    seeds: int
    tasks: list[TaskReport]
    variants: list[Variant] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For the API, with the values and answers of each variant."""
        return {
            "exercise": self.name,
            "seeds": self.seeds,
            "rejected": self.rejected.total(),
            "reasons": dict(self.rejected.most_common(MOST_TOLD)),
            "faults": self.faults,
            "notes": self.notes,
            "tasks": [task.as_json() for task in self.tasks],
            "variants": [one.stored() | {"answers": answers_of(one)} for one in self.variants],
        }


def answers_of(one: Variant) -> list[list[str]]:
    """The right answers of a variant as people write them."""
    return [[said(task, place) for place in range(len(task.fields))] for task in one.tasks]


def said(task: TaskVariant, place: int) -> str:
    """One of them."""
    one = task.fields[place]
    assert one.right is not None
    return one.form.text(one.right, one.shape)


# -- proving ----------------------------------------------------------------------------------------------


def prove(exercise: Exercise, seeds: int, *, keep: bool = False) -> Report:
    """Play an exercise for seeds from 0 on. keep: whether the report has the variants."""
    report = Report(exercise.name, seeds, [TaskReport(task) for task in exercise.tasks])
    report.notes += loopholes(exercise)
    make = Making()
    told: Counter[str] = Counter()
    proved: dict[int, list[str]] = {}
    for seed in range(seeds):
        try:
            one = variant.draw(exercise, seed.to_bytes(8, "big"), make)
        except CannotVary as error:
            report.rejected.update(error.reasons)
            report.faults.append(f"seed {seed}: no variant in {variant.MOST_DRAWS} draws: {error}")
            break
        report.rejected.update(one.rejected)
        if keep:
            report.variants.append(one)
        faults = proved.get(id(one.tasks))
        if faults is None:
            faults = proved[id(one.tasks)] = [fault for task in one.tasks for fault in faults_of(task)]
        for fault in faults:
            told[fault] += 1
            if told[fault] == 1 and len(report.faults) < MOST_TOLD * len(exercise.tasks):
                report.faults.append(f"seed {seed}: {fault}")
        count(report, one)
    judge(report)
    return report


def prove_all(exercises: Sequence[Exercise], seeds: int) -> list[Report]:
    """Prove several exercises, on as many processors as there are."""
    workers = min(os.cpu_count() or 1, len(exercises))
    if workers < 2:
        return [prove(exercise, seeds) for exercise in exercises]
    with ProcessPoolExecutor(workers, initializer=settle) as pool:
        return list(pool.map(prove, exercises, repeat(seeds)))


class Making:
    """Makes variants, those with the same values once."""

    def __init__(self) -> None:
        self.made: dict[str, Variant | Rejected] = {}

    def __call__(self, exercise: Exercise, of: Values) -> Variant:
        """As `variant.made`."""
        key = json.dumps([of.machine, of.by_name])
        found = self.made.get(key)
        if found is None:
            try:
                found = variant.made(exercise, of)
            except Rejected as error:
                found = error
            self.made[key] = found
        if isinstance(found, Rejected):
            raise found
        return found


def count(report: Report, one: Variant) -> None:
    """Add a variant to the tables."""
    begin: list[Any] = [one.machine, one.prelude]
    for task, row in zip(one.tasks, report.tasks, strict=True):
        begin += [task.task.ask, task.task.calls, [check.line for check in task.task.checks]]
        begin += [(asked.label, asked.options) for asked in task.task.fields]
        row.questions[json.dumps(begin)] += 1
        goal = task.task.kind == "goal"
        row.answers[json.dumps(task.task.solution if goal else [field.right for field in task.fields])] += 1
        row.given |= {(place, wrong.number) for place, one in enumerate(task.fields) for wrong in one.wrong}


def faults_of(task: TaskVariant) -> list[str]:
    """What is not as it must be in one variant of a task, by answering it."""
    found = []
    right = [said(task, place) for place in range(len(task.fields))]
    if task.fields and not judging.judge(task, judging.read(task, right)).right:
        found.append(f"task {task.number}: the right answer {right} is not taken for right")
    for one in task.fields:
        for wrong in one.wrong:
            text = one.form.text(wrong.answer, one.shape)
            judged = judging.judge_field(one, one.form.read(text, one.shape))
            if judged.share or judged.wrong is not wrong:
                found.append(
                    f"task {task.number}: the wrong answer {text} earns {judged.share} of {PARTS} "
                    f"and is told as {judged.wrong and judged.wrong.because!r}, not as {wrong.because!r}"
                )
    return found


def judge(report: Report) -> None:
    """What the tables say."""
    for row in report.tasks:
        number = row.task.number
        if not row.answers.total():
            continue
        if row.alike > MOST_ALIKE and row.excused:
            report.notes.append(f"task {number}: {row.alike:.0f} % have the same answer: {row.excused}")
        elif row.alike > MOST_ALIKE and row.answers.total() >= ENOUGH:
            report.faults.append(
                f"task {number}: {row.alike:.0f} % of {row.answers.total()} variants have the same answer, "
                f"{row.answers.most_common(1)[0][0]}; at most {MOST_ALIKE} % should: vary more, ask for more "
                'at once, or say why not with fixed = "…"'
            )
        for place, one in enumerate(row.task.fields):
            for wrong in range(len(one.wrong)):
                if (place, wrong) not in row.given:
                    because = one.wrong[wrong].because
                    report.faults.append(f"task {number}: no variant can have the wrong answer ({because})")


def table(reports: Sequence[Report]) -> list[str]:
    """The reports as lines of text."""
    head = ("exercise", "task", "kind", "seeds", "questions", "answers", "most alike", "drawn again")
    rows = [
        (
            report.name if row is report.tasks[0] else "",
            str(row.task.number),
            row.task.kind,
            str(row.answers.total()),
            str(len(row.questions)),
            str(len(row.answers)),
            f"{row.alike:.1f} %",
            str(report.rejected.total()) if row is report.tasks[0] else "",
        )
        for report in reports
        for row in report.tasks
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]

"""Tasks in order: who is woken."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import Final

from app.exercises.exercise import PARTS, Field
from app.exercises.forms import typed
from app.exercises.forms.chosen import chosen
from app.exercises.forms.form import (
    LENGTH,
    Answer,
    BadAnswer,
    Form,
    Marked,
    Option,
    Part,
    Setting,
    Shape,
    shares,
)
from app.exercises.forms.places import NULLS
from app.mm.sched import KTHREAD_PIDS

NOBODY: Final = "nobody"
MOST: Final = 100
# Who calls in a line of a list: `alice@1/softirq: kfree(p)`.
CALLER: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*)[^:()]*:")


class Tasks(Form):
    """A list of tasks in order: the longest beginning that is right counts."""

    name = "tasks"
    takes_options = True

    def shape(self, field: Field, setting: Setting) -> Shape:
        options: list[Option] = [
            {"value": name, "label": name} for name in field.options or names_of(setting)
        ]
        return {
            "form": self.name,
            "control": "order",
            "hint": "Names in order, as in bob, carol, or nobody.",
            "most": LENGTH,
            "none": NOBODY,
            "options": options,
        }

    def read(self, text: str, shape: Shape) -> Answer:
        said = typed.plain(text)
        if said.lower() in NULLS or said.lower() in (NOBODY, "no one", "[]"):
            return []
        if not said:
            raise BadAnswer("Nobody is named: write nobody if there is nobody.")
        names = [name for name in re.split(r" *(?:[,;>→]|->|\bthen\b) *| +", said) if name]
        if len(names) > MOST:
            raise BadAnswer(f"At most {MOST} names.")
        return [chosen(name, shape["options"]) for name in names]

    def text(self, answer: Answer, shape: Shape) -> str:
        assert isinstance(answer, list)
        return ", ".join(str(name) for name in answer) or NOBODY

    def share(self, right: Answer, given: Answer, shape: Shape, field: Field) -> Marked:
        if right == given:
            return Marked(PARTS)
        assert isinstance(right, list)
        assert isinstance(given, list)
        together = zip(right, given, strict=False)
        begins = len(list(takewhile(lambda pair: pair[0] == pair[1], together)))
        parts = (Part("first", begins, right=True, text=f"the first {begins} in order"),) if begins else ()
        return Marked(shares(begins, max(len(right), len(given))), parts)


def names_of(setting: Setting) -> list[str]:
    """Everybody whom an answer may name: by name, so that the order says nothing."""
    callers = (CALLER.match(line) for line in setting.lines)
    names = {*setting.machine.tasks, *setting.tasks, *(found[1] for found in callers if found)}
    return sorted(name for name in names if not name.rstrip("0123456789").startswith(tuple(KTHREAD_PIDS)))

"""A task with its values: templates filled in."""

from __future__ import annotations

from dataclasses import replace

from app.exercises.exercise import Check, Field, Hint, Task, Wrong
from app.exercises.values import Values, fill


def task(template: Task, found: Values) -> Task:
    """A task whose texts and calls have values in them. Raises BadTemplate."""
    return replace(
        template,
        ask=fill(template.ask, found),
        calls=lines(template.calls, found),
        fields=tuple(field(one, found) for one in template.fields),
        allow=lines(template.allow, found),
        checks=tuple(check(one, found) for one in template.checks),
        solution=lines(template.solution, found),
        hints=tuple(Hint(fill(one.text, found), one.costs) for one in template.hints),
        after=fill(template.after, found),
    )


def lines(templates: tuple[str, ...], found: Values) -> tuple[str, ...]:
    """Several."""
    return tuple(fill(one, found) for one in templates)


def field(template: Field, found: Values) -> Field:
    """One thing to answer."""
    return replace(
        template,
        label=fill(template.label, found),
        answer=fill(template.answer, found),
        wrong=tuple(wrong(one, found) for one in template.wrong),
        options=lines(template.options, found),
    )


def wrong(template: Wrong, found: Values) -> Wrong:
    """A wrong answer."""
    return replace(
        template,
        answer=fill(template.answer, found),
        say=fill(template.say, found),
        reads=fill(template.reads, found),
    )


def check(template: Check, found: Values) -> Check:
    """A condition of a goal."""
    return replace(
        template,
        line=fill(template.line, found),
        any=lines(template.any, found),
        otherwise=fill(template.otherwise, found),
    )

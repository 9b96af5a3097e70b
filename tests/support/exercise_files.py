"""Exercises for tests: a file with as little as a test needs."""

from __future__ import annotations

from app.exercises.exercise import Exercise
from app.exercises.reading import parse

MACHINE = """
profile = "tiny-16m"
lecture = true
"""


def file_of(tasks: str, *, vary: str = "", prelude: str = "", machine: str = MACHINE, top: str = "") -> str:
    """The text of a file. tasks: from the first `[[task]]` on, or what stands in the only one."""
    begun = tasks if "[[task]]" in tasks else f"[[task]]\n{tasks}"
    before = f'[prelude]\ncalls = """\n{prelude}\n"""\n' if prelude else ""
    return (
        f'title = "A test"\nteaser = "For a test."\n{top}\n[machine]\n{machine}\n[vary]\n{vary}\n'
        f"{before}{begun}\n"
    )


def exercise_of(
    tasks: str, *, vary: str = "", prelude: str = "", machine: str = MACHINE, top: str = ""
) -> Exercise:
    """The exercise of such a file."""
    return parse("90-a-test.toml", file_of(tasks, vary=vary, prelude=prelude, machine=machine, top=top))

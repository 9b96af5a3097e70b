"""What a goal leaves open is told to its author."""

from __future__ import annotations

from dataclasses import replace

from app.exercises.exercise import Check, Exercise, Task
from app.exercises.loopholes import loopholes

GOAL = Task(
    2,
    "goal",
    "Make it fail.",
    allow=("alloc_pages",),
    checks=(Check("some alloc_pages order 1 gfp GFP_NOWAIT null while free DMA >= 40%"),),
)


def said(task: Task) -> list[str]:
    """Of an exercise with that task."""
    first = Task(1, "ask", "How many?")
    exercise = Exercise("a", "A", "A.", (), 5, 5, ({},), (), (), True, (first, task), "best", "", "")
    return loopholes(exercise)


def test_a_goal_that_names_everything_leaves_nothing_open() -> None:
    assert said(GOAL) == []
    assert said(replace(GOAL, allow=("alloc_pages", "sysctl"))) == []


def test_a_goal_names_what_may_be_called() -> None:
    (words,) = said(replace(GOAL, allow=()))
    assert words.startswith("task 2: allow is not given, so sysctl, insmod, kill_task may be called")


def test_a_goal_names_the_mask() -> None:
    for line, open_ in (
        ("some alloc_pages order 1 null", True),
        ("some kmalloc oom", True),
        ("some kmalloc ok", False),
        ("some kmalloc flags GFP_KERNEL null", False),
        ("some vmalloc null", False),
        ("no alloc_pages null", False),
        ("some verdict oom", False),
    ):
        found = said(replace(GOAL, checks=(Check("", any=(line,)),)))
        assert [*map(bool, found)] == [True] * open_, line
        assert all("names no mask" in words for words in found)


def test_a_goal_names_the_zone() -> None:
    for line, open_ in (
        ("free all >= 40%", True),
        ("free all >= 40", False),
        ("free DMA32 >= 40%", False),
        ("some alloc_pages gfp GFP_KERNEL null while free all > 50%", True),
        ("free", False),
    ):
        found = said(replace(GOAL, checks=(Check(line),)))
        assert [*map(bool, found)] == [True] * open_, line
        assert all("names no zone" in words for words in found)


def test_only_goals_are_looked_at() -> None:
    assert said(Task(2, "predict", "What?")) == []

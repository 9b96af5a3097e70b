"""What a goal leaves open: ways to its checks that its author has hardly meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.exercises.exercise import Exercise, Task
from app.exercises.words import Words
from app.machine.entry import CALLS
from app.machine.readings import ALL

# These change what memory there is, or who is there, so that almost any state can be had by them.
STRONG: Final = ("sysctl", "insmod", "kill_task")
SHORT: Final = ("null", "oom")
MASKS: Final = ("gfp", "flags")


def loopholes(exercise: Exercise) -> list[str]:
    """All that should be looked at, with its task. Nothing of it makes a file a wrong one."""
    return [
        f"task {task.number}: {words}"
        for task in exercise.tasks
        if task.kind == "goal"
        for words in of_task(task)
    ]


def of_task(task: Task) -> Iterator[str]:
    """Those of a goal."""
    if not task.allow:
        yield (
            f"allow is not given, so {', '.join(STRONG)} may be called: name the calls, and those where "
            "they are meant"
        )
    for check in task.checks:
        for line in (check.line, *check.any):
            yield from of_check(line)


def of_check(line: str) -> Iterator[str]:
    """Those of a line."""
    words = [word for word, _ in Words(line).found]
    called = [word for word in words if word in CALLS and takes_mask(word)]
    short = any(word in SHORT for word in words)
    if words[:1] == ["some"] and called and short and not any(word in MASKS for word in words):
        yield f"{line!r} names no mask: {called[0]} with GFP_DMA fails where nearly all memory is free"
    if "free" in words[:-1] and words[words.index("free") + 1] == ALL and "%" in line:
        yield f"{line!r} names no zone: one of them may be empty while most memory is free"


def takes_mask(call: str) -> bool:
    """Whether a call is given a mask."""
    return any(arg.kind == "gfp" for arg in CALLS[call].args)

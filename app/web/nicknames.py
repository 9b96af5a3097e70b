"""Nicknames instead of numbers: what rows and tasks call `m7` is shown as the class calls it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Names = Mapping[str, str]


def called(names: Names, task: str) -> str:
    """The name of a task for people: a nickname, followed by the name that calls need."""
    return f"{names[task]} ({task})" if task in names else task


def with_nicknames(found: Any, names: Names) -> Any:
    """A document with nicknames for tasks: in `task`, and in `name` beside a `pid`."""
    if isinstance(found, dict):
        keys = ("task", "held_by", "name") if "pid" in found else ("task", "held_by")
        return {
            key: called(names, value)
            if key in keys and isinstance(value, str)
            else with_nicknames(value, names)
            for key, value in found.items()
        }
    if isinstance(found, list):
        return [with_nicknames(value, names) for value in found]
    return found

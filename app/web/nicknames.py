"""People instead of their numbers: what rows and tasks call `m7` is shown as the class calls it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.web.reading import Reading

Names = Mapping[str, str]


def called(names: Names, task: str) -> str:
    """What people call a task: its nickname, with the name that calls need."""
    return f"{names[task]} ({task})" if task in names else task


def with_names(reading: Reading, names: Names) -> Reading:
    """A reading in which tasks of people are called as people call them."""
    if not names:
        return reading
    return replace(
        reading,
        tasks=told(reading.tasks, names),
        frame=told(reading.frame, names),
        address=told(reading.address, names),
        panel=told(reading.panel, names),
    )


def told(found: Any, names: Names) -> Any:
    """The same document: a `task`, and what has a `pid` and so is one, under their people's names."""
    if isinstance(found, dict):
        keys = ("task", "held_by", "name") if "pid" in found else ("task", "held_by")
        return {
            key: called(names, value) if key in keys and isinstance(value, str) else told(value, names)
            for key, value in found.items()
        }
    if isinstance(found, list):
        return [told(value, names) for value in found]
    return found

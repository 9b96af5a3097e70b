"""What is raised for values with which an exercise cannot be asked fairly."""

from __future__ import annotations


class Rejected(Exception):  # noqa: N818 - as the others are named
    """Values that are drawn again, and why. task: which one cannot be asked; 0 where none can."""

    def __init__(self, task: int, why: str) -> None:
        super().__init__(f"task {task}: {why}" if task else why)
        self.task = task

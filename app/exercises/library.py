"""Finds the exercises: those that come with the program, and a teacher's own."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import Final

from app import paths, tomlfiles
from app.exercises import misconceptions
from app.exercises.exercise import Exercise
from app.exercises.reading import read
from app.tomlfiles import Folder

OTHERS: Final = (misconceptions.FILE,)


class Library(tomlfiles.Library[Exercise]):
    """Exercises by name. own: a teacher's folder."""

    def __init__(self, own: Path | None = None) -> None:
        folder = None if own is None else Folder(own, read, OTHERS)
        super().__init__(shipped(), folder, "KMEMLAB_EXERCISES")

    def exercises(self) -> dict[str, Exercise]:
        """Every exercise, in the order in which they are to be seen."""
        return self.items()


@cache
def shipped() -> dict[str, Exercise]:
    """The exercises that come with the program, read once in a process; the tests have tried them."""
    return tomlfiles.shipped(Folder(paths.EXERCISES, partial(read, tried=True), OTHERS))

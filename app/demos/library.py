"""Finds the demos: those that come with the program, and a teacher's own."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from app import paths, tomlfiles
from app.demos.demo import Demo, read
from app.tomlfiles import Folder


class Library(tomlfiles.Library[Demo]):
    """Demos by name. own: a teacher's folder."""

    def __init__(self, own: Path | None = None) -> None:
        super().__init__(shipped(), None if own is None else Folder(own, read), "KMEMLAB_DEMOS")

    def demos(self) -> dict[str, Demo]:
        """Every demo, in the order in which they are to be seen."""
        return self.items()


@cache
def shipped() -> dict[str, Demo]:
    """The demos that come with the program, read once in a process."""
    return tomlfiles.shipped(Folder(paths.DEMOS, read))

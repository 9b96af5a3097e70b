"""Finds the demos: those that come with the program, and a teacher's own."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from app import paths
from app.demos.demo import Demo, read
from app.tomlfiles import Folder
from app.tomlfiles import Library as Files

FOLDER: Final = Folder(read)


class Library(Files[Demo]):
    """Demos by name. own: a teacher's folder."""

    def __init__(self, own: Path | None = None) -> None:
        super().__init__(FOLDER, shipped(), own, "KMEMLAB_DEMOS")

    def demos(self) -> dict[str, Demo]:
        """Every demo, in the order in which they are to be seen."""
        return self.items()


@cache
def shipped() -> dict[str, Demo]:
    """The demos that come with the program, read once in a process."""
    return FOLDER.shipped(paths.DEMOS)

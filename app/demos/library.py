"""Finds the demos: those that come with the program, and a teacher's own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from app import paths
from app.demos.demo import BadDemo, Demo, read

MOST_DEMOS: Final = 200

# What a folder held: per file its name, time of change and size.
Signature = tuple[tuple[str, int, int], ...]


class Library:
    """Demos by name. own: a teacher's folder, looked into anew each time, so that a saved file is there.

    A file of one's own whose name is that of a demo here takes its place. Files that are no demos are left
    out and complained of; nothing else stops for them.
    """

    def __init__(self, own: Path | None = None) -> None:
        self.own = own
        self.shipped = shipped()
        self._signature: Signature | None = None
        self._demos = self.shipped
        self._faults: Sequence[str] = ()

    def demos(self) -> dict[str, Demo]:
        """Every demo, in the order in which they are to be seen."""
        self._look()
        return self._demos

    def faults(self) -> Sequence[str]:
        """What is wrong with which file of the teacher's folder."""
        self._look()
        return self._faults

    def _look(self) -> None:
        if self.own is None:
            return
        try:
            signature = signature_of(self.own)
        except OSError as error:
            self._demos, self._signature = self.shipped, None
            self._faults = [f"KMEMLAB_DEMOS: {self.own}: {error.strerror}"]
            return
        if signature != self._signature:
            found, self._faults = read_folder(self.own)
            self._demos = self.shipped | found
            self._signature = signature


@cache
def shipped() -> dict[str, Demo]:
    """The demos that come with the program, read once in a process."""
    found, faults = read_folder(paths.DEMOS)
    assert not faults, faults
    return found


def files(folder: Path) -> list[Path]:
    """The files that ought to be demos, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix == ".toml" and path.is_file())[:MOST_DEMOS]


def signature_of(folder: Path) -> Signature:
    """Differs where the folder's files do."""
    stats = [(path.name, path.stat()) for path in files(folder)]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)


def read_folder(folder: Path) -> tuple[dict[str, Demo], list[str]]:
    """The demos of a folder by name, and what is wrong with the other files."""
    found: dict[str, Demo] = {}
    faults: list[str] = []
    for path in files(folder):
        try:
            demo = read(path)
        except BadDemo as error:
            faults.append(str(error))
            continue
        if demo.name in found:
            faults.append(f"{path.name}: there is another file for {demo.name}")
        else:
            found[demo.name] = demo
    return found, faults

"""Exercises by name, as they are today, and from the texts that sheets have kept."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Final

from app.exercises import reading
from app.exercises.exercise import Exercise
from app.store.sheets import ItemRow
from app.tomlfiles import Library

MOST_READ: Final = 400  # exercises that were read from kept texts


class ExerciseTexts:
    """Used by any thread."""

    def __init__(self, library: Library[Exercise]) -> None:
        self.library = library
        self._lock = Lock()
        self._read: OrderedDict[tuple[str, str], Exercise] = OrderedDict()

    def today(self, name: str) -> Exercise | None:
        """The exercise of that name, as its file is now; None where there is none."""
        with self._lock:
            return self.library.items().get(name)

    def kept(self, item: ItemRow) -> Exercise:
        """An exercise of a sheet, as it was when the sheet was opened; it could be read then."""
        assert item.text is not None
        assert item.sha256 is not None
        key = item.exercise, item.sha256
        with self._lock:
            found = self._read.get(key)
        if found is None:
            found = reading.parse(f"{item.exercise}.toml", item.text, tried=True)
        with self._lock:
            self._read[key] = found
            self._read.move_to_end(key)
            if len(self._read) > MOST_READ:
                self._read.popitem(last=False)
        return found

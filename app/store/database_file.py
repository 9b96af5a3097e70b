"""The database's file, and whether it still stands where it was opened.

Deleting or moving the file of a serving process takes away only its name: the process would go on writing
into a file without a name, and new connections would find, or make, another one.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from app.store.errors import StorageFull

FILE_GONE: Final = (
    "the database's file was moved, deleted or replaced while it was served: put it back, "
    "or restart kmemlab to serve what stands there now"
)


class DatabaseFile:
    """One SQLite file, by its name and, from the first connection on, by what the name stood for then.

    create: whether connecting may make the file; only a migration may. A URL with `uri=true` says
    itself how to.
    """

    def __init__(self, name: str, *, create: bool) -> None:
        self.name = str(Path(name).absolute())
        self.create = create
        self._known: tuple[int, int] | None = None

    def connect(self, _dialect: Any, _record: Any, args: list[Any], options: dict[str, Any]) -> Any:
        """A new connection of the engine's. Raises StorageFull where another file has taken the place."""
        if self.create or options.get("uri"):
            return sqlite3.connect(*args, **options)
        self.check()
        connection = sqlite3.connect(f"file:{quote(self.name)}?mode=rw", **{**options, "uri": True})
        if self._known is None:
            self._known = self._there()
        return connection

    def check(self) -> None:
        """Raise StorageFull unless the file that was opened is still there."""
        if self._known is not None and self._there() != self._known:
            raise StorageFull(FILE_GONE)

    def _there(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.name)  # noqa: PTH116 - a microsecond instead of five, for every transaction
        except OSError:
            return None
        return found.st_dev, found.st_ino

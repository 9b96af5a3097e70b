"""Finds the files of a kind: those that come with the program, and a teacher's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

from app.tomlfiles.table import BadFile

MOST_FILES: Final = 200

# What a folder held: per file its name, time of change and size.
Signature = tuple[tuple[str, int, int], ...]


class Named(Protocol):
    """What a file is read into."""

    @property
    def name(self) -> str: ...


Item = TypeVar("Item", bound=Named)


@dataclass(frozen=True, slots=True)
class Folder(Generic[Item]):
    """How the files of a folder are read. others: files that may lie there too and are not of this kind."""

    read: Callable[[Path], Item]
    others: tuple[str, ...] = ()

    def files(self, place: Path) -> list[Path]:
        """The files that ought to be of this kind, by name."""
        found = (path for path in place.iterdir() if path.suffix == ".toml" and path.is_file())
        return sorted(path for path in found if path.name not in self.others)[:MOST_FILES]

    def signature(self, place: Path) -> Signature:
        """Differs where the folder's files do."""
        stats = [(path.name, path.stat()) for path in self.files(place)]
        return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)

    def all(self, place: Path) -> tuple[dict[str, Item], list[str]]:
        """What a folder holds by name, and what is wrong with the other files."""
        found: dict[str, Item] = {}
        faults: list[str] = []
        for path in self.files(place):
            try:
                item = self.read(path)
            except BadFile as error:
                faults.append(str(error))
                continue
            if item.name in found:
                faults.append(f"{path.name}: there is another file for {item.name}")
            else:
                found[item.name] = item
        return found, faults

    def shipped(self, place: Path) -> dict[str, Item]:
        """What comes with the program, where nothing may be wrong."""
        found, faults = self.all(place)
        assert not faults, faults
        return found


class Library(Generic[Item]):
    """Files by name. own: a teacher's folder, looked into anew each time, so that a saved file is there.

    A file of one's own whose name is that of a shipped one takes its place. Files that are not of the kind
    are left out and complained of; nothing else stops for them. setting: what names the folder.
    """

    def __init__(
        self, folder: Folder[Item], shipped: Mapping[str, Item], own: Path | None, setting: str
    ) -> None:
        self.folder = folder
        self.own = own
        self.shipped = dict(shipped)
        self.setting = setting
        self._signature: Signature | None = None
        self._items = self.shipped
        self._faults: Sequence[str] = ()

    def items(self) -> dict[str, Item]:
        """Everything, in the order in which it is to be seen."""
        self._look()
        return self._items

    def faults(self) -> Sequence[str]:
        """What is wrong with which file of the teacher's folder."""
        self._look()
        return self._faults

    def _look(self) -> None:
        if self.own is None:
            return
        try:
            signature = self.folder.signature(self.own)
        except OSError as error:
            self._items, self._signature = self.shipped, None
            self._faults = [f"{self.setting}: {self.own}: {error.strerror}"]
            return
        if signature != self._signature:
            found, self._faults = self.folder.all(self.own)
            self._items = self.shipped | found
            self._signature = signature

"""Finds the files of a kind: those that come with the program, and a teacher's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

from app.tomlfiles.table import BadFile

MOST_FILES: Final = 200

# Name, time of change and size of a file: differs when it was saved again.
Saved = tuple[str, int, int]


class Named(Protocol):
    """What a file is read into."""

    @property
    def name(self) -> str: ...


Item = TypeVar("Item", bound=Named)


@dataclass(slots=True)
class Folder(Generic[Item]):
    """A folder with files of a kind. A file is read again when it was saved again."""

    place: Path
    # Raises BadFile.
    read: Callable[[Path], Item]
    # Files that may lie there too and are of another kind.
    others: tuple[str, ...] = ()
    # What each file was read into, or what is wrong with it.
    known: dict[Saved, Item | str] = field(default_factory=dict)

    def look(self) -> tuple[dict[str, Item], list[str]]:
        """What is there by name, and what is wrong with the other files. Raises OSError."""
        found: dict[str, Item] = {}
        faults: list[str] = []
        before, self.known = self.known, {}
        for path in self.files():
            stat = path.stat()
            saved = (path.name, stat.st_mtime_ns, stat.st_size)
            item = self.known[saved] = before[saved] if saved in before else self.item(path)
            if isinstance(item, str):
                faults.append(item)
            elif item.name in found:
                faults.append(f"{path.name}: there is another file for {item.name}")
            else:
                found[item.name] = item
        return found, faults

    def files(self) -> list[Path]:
        """The files that ought to be of this kind, by name."""
        found = (path for path in self.place.iterdir() if path.suffix == ".toml" and path.is_file())
        return sorted(path for path in found if path.name not in self.others)[:MOST_FILES]

    def item(self, path: Path) -> Item | str:
        """What a file is read into, or what is wrong with it."""
        try:
            return self.read(path)
        except BadFile as error:
            return str(error)


def shipped(folder: Folder[Item]) -> dict[str, Item]:
    """What comes with the program, where nothing may be wrong."""
    found, faults = folder.look()
    assert not faults, faults
    return found


class Library(Generic[Item]):
    """Files by name. own: a teacher's folder, looked into anew each time, so that a saved file is there.

    A file of one's own whose name is that of a shipped one takes its place. Files that are not of the kind
    are left out and complained of; nothing else stops for them. setting: what names the folder.
    """

    def __init__(self, shipped: Mapping[str, Item], own: Folder[Item] | None, setting: str) -> None:
        self.shipped = dict(shipped)
        self.own = own
        self.setting = setting

    def items(self) -> dict[str, Item]:
        """Everything, in the order in which it is to be seen."""
        return self.look()[0]

    def faults(self) -> Sequence[str]:
        """What is wrong with which file of the teacher's folder."""
        return self.look()[1]

    def look(self) -> tuple[dict[str, Item], Sequence[str]]:
        """Both."""
        if self.own is None:
            return self.shipped, ()
        try:
            found, faults = self.own.look()
        except OSError as error:
            return self.shipped, [f"{self.setting}: {self.own.place}: {error.strerror}"]
        return self.shipped | found, faults

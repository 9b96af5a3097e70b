"""A TOML file and its tables, field by field."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

FILE: Final = re.compile(r"(?:[0-9]+-)?([a-z0-9]+(?:-[a-z0-9]+)*)")
LARGEST: Final = 256 * 1024
# A key of many parts takes time by their square.
MOST_DOTS: Final = 100


class BadFile(Exception):  # noqa: N818 - as the others are named
    """A file that is not what it ought to be: which, where in it, and what would be accepted."""

    # What the file ought to be.
    what = "a file"

    def __init__(self, file: str, place: str, msg: str) -> None:
        super().__init__(f"{file}: {place}: {msg}" if place else f"{file}: {msg}")
        self.file = file
        self.place = place
        self.msg = msg


class Table:
    """A table of the file, read field by field: a field that was not read at the end is a misspelt name.

    bad: what is raised.
    """

    def __init__(self, bad: type[BadFile], file: str, place: str, values: Any) -> None:
        self.bad = bad
        self.file = file
        self.place = place
        if not isinstance(values, dict):
            raise bad(file, place, "a table is needed here")
        self.values: dict[str, Any] = values
        self.known: set[str] = set()

    def at(self, name: str) -> str:
        """The place of a field."""
        return f"{self.place}: {name}" if self.place else name

    def wrong(self, name: str, msg: str) -> BadFile:
        """A fault of one field."""
        return self.bad(self.file, self.at(name), msg)

    def take(self, name: str) -> Any:
        """A field's value, None where it is missing."""
        self.known.add(name)
        return self.values.get(name)

    def text(self, name: str, *, needed: bool = False) -> str:
        """A text, without blanks around it."""
        value = self.take(name)
        if value is None and not needed:
            return ""
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(name, 'a text is needed, as in title = "Split and merge"')
        return value.strip()

    def table(self, name: str, *, needed: bool = False) -> Table:
        """A table in it; one that is missing and not needed is empty."""
        value = self.take(name)
        return Table(self.bad, self.file, self.at(name), {} if value is None and not needed else value)

    def entry(self, name: str, number: int, values: Any) -> Table:
        """A table of a list in it, counted from 1."""
        return Table(self.bad, self.file, self.at(f"{name} {number}"), values)

    def tables(self, name: str, most: int, *, needed: bool = False) -> list[Table]:
        """A list of tables in it, each with its place."""
        listed = self.take(name)
        if listed is None and not needed:
            return []
        least = int(needed)
        if not isinstance(listed, list) or not least <= len(listed) <= most:
            raise self.wrong(
                name, f"a list of {f'{least} to' if needed else 'at most'} {most} tables is needed"
            )
        return [self.entry(name, number, values) for number, values in enumerate(listed, 1)]

    def texts(self, name: str, most: int) -> tuple[str, ...]:
        """A list of texts; one that is missing is empty."""
        listed = self.take(name)
        if listed is None:
            return ()
        if not isinstance(listed, list) or not all(isinstance(text, str) and text.strip() for text in listed):
            raise self.wrong(name, f'a list of texts is needed, as in {name} = ["one", "two"]')
        if len(listed) > most:
            raise self.wrong(name, f"at most {most} texts")
        return tuple(text.strip() for text in listed)

    def number(self, name: str, least: int, most: int, otherwise: int) -> int:
        """A whole number. otherwise: where it is missing."""
        value = self.take(name)
        if value is None:
            return otherwise
        if type(value) is not int or not least <= value <= most:
            raise self.wrong(name, f"a whole number from {least:,} to {most:,} is needed")
        return value

    def flag(self, name: str, *, otherwise: bool) -> bool:
        """True or false. otherwise: where it is missing."""
        value = self.take(name)
        if value is None:
            return otherwise
        if not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return value

    def one_of(self, name: str, words: Sequence[str], otherwise: str | None = None) -> str:
        """One of some words. otherwise: where it is missing, unless it is needed."""
        value = self.take(name)
        if value is None and otherwise is not None:
            return otherwise
        if not isinstance(value, str) or value not in words:
            raise self.wrong(name, f"one of {', '.join(words)}")
        return value

    def end(self) -> None:
        """Nothing else may stand there."""
        for name in self.values:
            if name not in self.known:
                raise self.wrong(name, f"no such field; there are {', '.join(sorted(self.known))}")


def name_of(path: Path, bad: type[BadFile]) -> str:
    """The name of a file in addresses. Raises `bad`."""
    name = FILE.fullmatch(path.stem)
    if name is None:
        kind = bad.what.partition(" ")[2]
        raise bad(path.name, "", f"{bad.what}'s file is named like 11-my-{kind}.toml: a-z, 0-9 and - between")
    return name[1]


def content(path: Path, bad: type[BadFile]) -> str:
    """The text of a file. Raises `bad`."""
    try:
        if path.stat().st_size > LARGEST:
            raise bad(path.name, "", f"larger than {LARGEST:,} bytes")
        return path.read_text("utf-8")
    except OSError as error:
        raise bad(path.name, "", f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise bad(path.name, "", f"is not UTF-8 at byte {error.start}") from None


def load(bad: type[BadFile], file: str, text: str) -> Table:
    """The table that a file's text is. Raises `bad`."""
    if len(text) > LARGEST or len(text.encode("utf-8", "surrogatepass")) > LARGEST:
        raise bad(file, "", f"larger than {LARGEST:,} bytes")
    for number, line in enumerate(text.splitlines(), 1):
        if line.count(".") > MOST_DOTS:
            raise bad(file, f"line {number}", f"at most {MOST_DOTS} dots are in a line")
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, and what it lets through
        raise bad(file, "", f"is not TOML: {error}") from None
    return Table(bad, file, "", values)

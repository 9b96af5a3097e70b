"""Reading an untrusted JSON document: every value is checked where it is taken."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final, NoReturn

from app.errors import BadArgument, Location

WORD: Final = re.compile(r"[!-~]+")
HEX: Final = re.compile(r"0x[0-9a-fA-F]{1,16}")

# The types themselves, for signatures: within the class their names are those of the methods that read them.
Int = int
Str = str
Bool = bool
List = list


# Of a column in a table: the range of a number, the words of a choice, how long a word may be.
Kind = tuple[int, int] | tuple[str, ...] | int


def is_column(values: Sequence[Any], kind: Kind) -> bool:
    """Whether all values are of a kind."""
    types = set(map(type, values))
    if isinstance(kind, int):
        return types == {str} and all(len(word) <= kind and WORD.fullmatch(word) for word in set(values))
    low, high, *_ = kind
    if isinstance(low, int) and isinstance(high, int):
        return types == {int} and low <= min(values) and max(values) <= high
    return types == {str} and set(values) <= set(kind)


class Document:
    """A JSON value with the place where it stands."""

    __slots__ = ("loc", "value")

    # Whether it is known to be what this program has written.
    trusted: ClassVar[Bool] = False

    def __init__(self, value: Any, loc: Location = ()) -> None:
        self.value = value
        self.loc = loc

    def fault(self, what: str) -> NoReturn:
        """Refuse the value, saying what would be accepted."""
        raise BadArgument.at(self.loc, what)

    def has(self, key: str) -> bool:
        """Whether an object has the key, and not as null."""
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def __getitem__(self, key: str) -> Document:
        """A member of an object, which must be there."""
        if not isinstance(self.value, dict):
            self.fault("an object")
        if key not in self.value:
            raise BadArgument.at((*self.loc, key), "required")
        return Document(self.value[key], (*self.loc, key))

    def get(self, key: str, default: Any) -> Document:
        """A member of an object, or the default where it is absent."""
        return self[key] if self.has(key) else Document(default, (*self.loc, key))

    def items(self) -> Iterator[tuple[str, Document]]:
        """The members of an object."""
        if not isinstance(self.value, dict):
            self.fault("an object")
        for key, value in self.value.items():
            yield key, Document(value, (*self.loc, key))

    def list(self, most: Int, exactly: Int | None = None) -> List[Document]:
        """The elements of an array of at most `most`."""
        if not isinstance(self.value, list) or len(self.value) > most:
            self.fault(f"a list of at most {most} elements")
        if exactly is not None and len(self.value) != exactly:
            self.fault(f"a list of {exactly} elements")
        return [Document(value, (*self.loc, place)) for place, value in enumerate(self.value)]

    def int(self, low: Int, high: Int) -> Int:
        """An integer in the range, also as a hexadecimal string."""
        value = self.value
        if isinstance(value, str) and HEX.fullmatch(value):
            value = int(value, 16)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.fault(f"a number from {low} to {high}")
        return value

    def ints(self, low: Int, high: Int, most: Int, exactly: Int | None = None) -> List[Int]:
        """An array of integers in the range, checked without a Document for each element."""
        value = self.value
        if (
            not isinstance(value, list)
            or len(value) > most
            or (exactly is not None and len(value) != exactly)
        ):
            self.list(most, exactly)
        if all(type(number) is int and low <= number <= high for number in value):
            return list(value)
        return [element.int(low, high) for element in self.list(most, exactly)]

    def columns(self, most: Int, kinds: Sequence[Kind]) -> Sequence[tuple[Any, ...]] | None:
        """A long table, checked column by column; None where anything in it is not as it is usually written.

        Who gets None reads it line by line, and so finds the place. kinds: of each column the lowest and
        highest number, the words that may stand there, or how long a word may be.
        """
        lines = self.value
        if not isinstance(lines, list) or len(lines) > most:
            self.list(most)
        if set(map(type, lines)) - {list} or set(map(len, lines)) != {len(kinds)}:
            return None
        columns = list(zip(*lines, strict=True))
        if all(map(is_column, columns, kinds)):
            return columns
        return None

    def str(self, most: Int = 64) -> Str:
        """A string of at most `most` characters."""
        if not isinstance(self.value, str) or len(self.value) > most:
            self.fault(f"a string of at most {most} characters")
        return self.value

    def word(self, most: Int = 64) -> Str:
        """A name as it may stand in a line of the kernel's: visible ASCII, so no blank or newline."""
        value = self.str(most)
        if WORD.fullmatch(value) is None:
            self.fault(f"1 to {most} visible ASCII characters")
        return value

    def choice(self, *choices: Str) -> Str:
        """One of the given strings."""
        if self.value not in choices or not isinstance(self.value, str):
            self.fault(f"one of {', '.join(choices)}")
        return self.value

    def bool(self) -> Bool:
        """True or false."""
        if not isinstance(self.value, bool):
            self.fault("true or false")
        return self.value


class Trusted(Document):
    """A document that this program has written, and that is known to be unchanged."""

    __slots__ = ()

    trusted = True

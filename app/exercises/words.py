"""A line of the check language word by word, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from app import meant
from app.machine.argtext import as_number

OPERATORS: Final = ("=", "!=", "<", "<=", ">", ">=")
TOKEN: Final = re.compile(r"[<>!]=|[<>=,]|[^\s<>=,!]+|!")
NUMBER: Final = re.compile(r"0|[+-]?(?:0x[0-9a-fA-F]{1,16}|[0-9]{1,18})[KMG]?")
LONGEST: Final = 500
# How many of the words that would be accepted a message names.
NAMED: Final = 40


class BadCheck(Exception):  # noqa: N818 - as the others are named
    """A line that is no check: why, what would be accepted, and from which column on (1 is the first)."""

    def __init__(self, msg: str, column: int) -> None:
        super().__init__(f"column {column}: {msg}")
        self.msg = msg
        self.column = column


class Words:
    """The words of a line, from the first to the last."""

    def __init__(self, text: str) -> None:
        self.text = text
        if len(text) > LONGEST:
            raise BadCheck(f"a check has at most {LONGEST} characters", LONGEST + 1)
        self.found = [(match[0], match.start() + 1) for match in TOKEN.finditer(text)]
        self.place = 0

    @property
    def ahead(self) -> str:
        """The next word; empty at the end."""
        return self.found[self.place][0] if self.place < len(self.found) else ""

    @property
    def column(self) -> int:
        """Where the next word begins, or the line ends."""
        return self.found[self.place][1] if self.place < len(self.found) else len(self.text) + 1

    def wrong(self, msg: str) -> BadCheck:
        """A fault at the next word."""
        return BadCheck(msg, self.column)

    def take(self, what: str) -> str:
        """The next word, whatever it is. Raises BadCheck at the end of the line."""
        word = self.ahead
        if not word:
            raise self.wrong(f"here should stand {what}")
        self.place += 1
        return word

    def skip(self, word: str) -> bool:
        """Whether the next word is this one, which then is passed over."""
        if self.ahead != word:
            return False
        self.place += 1
        return True

    def pick(self, what: str, among: Collection[str]) -> str:
        """The next word, which is one of these. Raises BadCheck."""
        if self.ahead not in among:
            raise self.unknown(what, among)
        return self.take(what)

    def unknown(self, what: str, among: Collection[str]) -> BadCheck:
        """The next word is none of these."""
        listed = ", ".join([*among][:NAMED]) + (", …" if len(among) > NAMED else "")
        if self.ahead in ("", ","):
            return self.wrong(f"here should stand {what}: {listed}")
        like = meant.like(self.ahead, among)
        hint = f" (did you mean {' or '.join(like)}?)" if like else ""
        return self.wrong(f"{self.ahead!r} is not {what}{hint}: {listed}")

    def number(self, what: str) -> int:
        """The next word as a number: decimal, hexadecimal, with K, M or G. Raises BadCheck."""
        value = None if NUMBER.fullmatch(self.ahead) is None else as_number(self.ahead.lstrip("+"))
        if value is None:
            shown = f", not {self.ahead!r}" if self.ahead else ""
            raise self.wrong(f"here should stand {what}{shown}")
        self.place += 1
        return value

    def rest(self, what: str) -> str:
        """All that is left of the line, as it stands. Raises BadCheck where nothing is."""
        if not self.ahead:
            raise self.wrong(f"here should stand {what}")
        text = self.text[self.column - 1 :].strip()
        self.place = len(self.found)
        return text

    def until(self, what: str, end: str) -> str:
        """The line as it stands up to a word or its end. Raises BadCheck where nothing is."""
        begin = self.column - 1
        if self.ahead in ("", end):
            raise self.wrong(f"here should stand {what}")
        while self.ahead not in ("", end):
            self.place += 1
        return self.text[begin : self.column - 1].strip()

    def end(self) -> None:
        """Nothing more stands on the line. Raises BadCheck."""
        if self.ahead:
            raise self.wrong(f"{self.ahead!r} is too much: the check ends before it")

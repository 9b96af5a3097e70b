"""Misconceptions: what stands behind wrong answers, by keys that exercises share.

A key that is not in `misconceptions.toml` is its own name: a teacher's file may have keys of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from app import paths
from app.tomlfiles.table import BadFile, content, load

FILE: Final = "misconceptions.toml"


class BadMisconceptions(BadFile):
    """A file that does not name misconceptions: where, and what would be accepted."""

    what = "a misconception"


@dataclass(frozen=True, slots=True)
class Misconception:
    """What somebody believes who gives a wrong answer."""

    key: str
    # For a list, and in a sentence that the student reads where the exercise has none of its own.
    name: str
    sentence: str


def of(key: str) -> Misconception:
    """The misconception of a key."""
    return shipped().get(key) or Misconception(key, key, "")


@cache
def shipped() -> Mapping[str, Misconception]:
    """Those that come with the program, read once in a process."""
    return parse(FILE, content(paths.EXERCISES / FILE, BadMisconceptions))


def parse(file: str, text: str) -> dict[str, Misconception]:
    """The misconceptions of a text. Raises BadMisconceptions."""
    table = load(BadMisconceptions, file, text)
    found = {}
    for key in table.values:
        own = table.table(key)
        found[key] = Misconception(key, own.text("name", needed=True), own.text("sentence", needed=True))
        own.end()
    return found

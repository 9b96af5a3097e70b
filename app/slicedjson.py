"""JSON read strictly, and in slices: a long document does not keep other threads from the interpreter.

The standard library's scanner is one call into C, which holds the interpreter's lock for most of a second
where a document has 64 MiB. Here a short document is one such call, too. In a long one the outer arrays and
objects are walked in Python, and slices of their elements are given to the scanner.

What is found, and what is refused with which words, is the same in both ways.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]
from typing import Any, Final, NoReturn

from app.collector import gc_paused

# Characters. The scanner takes about a millisecond for a slice.
READ_WHOLE: Final = 1 << 18
SLICE_LENGTH: Final = 1 << 16

# Arrays and objects that are longer than a slice, in one another. A dump has eight.
DEPTH: Final = 100

# Elements that are freed at once.
FREED_AT_ONCE: Final = 10_000

BLANKS: Final = re.compile(r"[ \t\n\r]*")


class NotJson(Exception):  # noqa: N818 - what the text is
    """Text that cannot be read as JSON: why. line: where, if that is known."""

    def __init__(self, why: str, line: int | None = None) -> None:
        super().__init__(why)
        self.line = line


class _Refused(Exception):  # noqa: N818 - as above
    """What the standard library would let pass."""


def loads(body: bytes) -> Any:
    """JSON without loopholes: no NaN, no name twice in one object, no half of a surrogate pair.

    Raises NotJson.
    """
    try:
        text = body.decode()
        if len(text) <= READ_WHOLE:
            return _whole(text)
        with gc_paused():
            return _Walk(text).document()
    except UnicodeDecodeError as error:
        raise NotJson(f"not UTF-8 at byte {error.start}") from None
    except UnicodeEncodeError:
        raise NotJson("half of a surrogate pair in a string") from None
    except RecursionError:
        raise NotJson("nested too deeply") from None
    except JSONDecodeError as error:
        raise NotJson(f"{error.msg} at line {error.lineno}, column {error.colno}", error.lineno) from None
    except _Refused as error:
        raise NotJson(str(error)) from None
    except ValueError:
        raise NotJson("a number has thousands of digits") from None


def release(document: Any) -> None:
    """Free a long document piece by piece, for freeing it as a whole holds the interpreter's lock as well.

    It must not be used any more: its arrays and objects are emptied. Only a member `kernel` stays as it is: a
    machine that was made of a dump goes on using what stands there.
    """
    waiting = [document]
    while waiting:
        value = waiting.pop()
        while value:
            if isinstance(value, dict):
                members = [value.popitem() for _ in range(min(len(value), FREED_AT_ONCE))]
                part = [child for name, child in members if name != "kernel"]
            else:
                part = value[-FREED_AT_ONCE:]
                del value[-FREED_AT_ONCE:]
            waiting += [child for child in part if _is_long(child)]


def _is_long(value: Any) -> bool:
    """Whether a value is to be freed piece by piece itself."""
    if not isinstance(value, list | dict):
        return False
    children = value if isinstance(value, list) else value.values()
    return len(value) > FREED_AT_ONCE or any(isinstance(child, list | dict) for child in children)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's members, each name once."""
    document = dict(pairs)
    if len(document) < len(pairs):
        raise _Refused("a name stands twice in one object")
    return document


def _no_number(word: str) -> NoReturn:
    """NaN and Infinity are JavaScript, not JSON."""
    raise _Refused(f"{word} is not a JSON number")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_no_number)
_SCAN: Final[Callable[[str, int], tuple[Any, int]]] = _DECODER.scan_once  # type: ignore[attr-defined]


def _whole(text: str) -> Any:
    document = _DECODER.decode(text)
    if "\\u" in text:
        _check_pairs(document)
    return document


def _check_pairs(document: Any) -> None:
    """Raises UnicodeEncodeError for half of a surrogate pair: the scanner joins whole ones."""
    json.dumps(document, ensure_ascii=False).encode()


class _Walk:
    """One long document.

    wasted: characters that the scanner has looked at in vain, since a slice ended within an element. Where
    they become many, each element is walked, which is slow but takes the same time for every character.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.escapes = "\\" in text
        self.wasted = 0
        self.lone: UnicodeEncodeError | None = None
        self.walked: list[Any] = []

    def document(self) -> Any:
        """All of it. What was found before a mistake is freed piece by piece."""
        try:
            return self.all()
        except BaseException:
            release(self.walked)
            raise

    def all(self) -> Any:
        """As `document`."""
        document, end = self.value(self.blanks(0), 0)
        end = self.blanks(end)
        if end != len(self.text):
            raise JSONDecodeError("Extra data", self.text, end)
        if self.lone is not None:
            raise self.lone
        return document

    def blanks(self, start: int) -> int:
        """Where the text goes on behind blanks."""
        while self.text[start : start + 1] in _BLANK:
            end = BLANKS.match(self.text, start, start + SLICE_LENGTH).end()  # type: ignore[union-attr]
            if end < start + SLICE_LENGTH:
                return end
            start = end
        return start

    def value(self, start: int, depth: int) -> tuple[Any, int]:
        """The value that begins there, and where it ends."""
        first = self.text[start : start + 1]
        if first not in ("[", "{"):
            return self.scalar(start)
        found = self.short(start)
        if found is not None:
            return found
        if depth == DEPTH:
            raise RecursionError
        return self.array(start + 1, depth + 1) if first == "[" else self.object(start + 1, depth + 1)

    def scalar(self, start: int) -> tuple[Any, int]:
        """A string, a number or a word; what is none of them is refused with the scanner's words."""
        try:
            value, end = _SCAN(self.text, start)
        except StopIteration as error:
            raise JSONDecodeError("Expecting value", self.text, error.value) from None
        self.check_pairs(value)
        return value, end

    def short(self, start: int) -> tuple[Any, int] | None:
        """A value that is shorter than a slice; None where it is not, or cannot be read."""
        if self.wasted > 4 * len(self.text):
            return None
        part = self.text[start : start + SLICE_LENGTH]
        try:
            value, end = _SCAN(part, 0)
        except RecursionError:
            raise
        except (StopIteration, ValueError, _Refused):
            self.wasted += len(part)
            return None
        self.check_pairs(value)
        return value, start + end

    def check_pairs(self, value: Any) -> None:
        """Note half of a surrogate pair: what else is wrong in the document goes before it."""
        if self.escapes and self.lone is None:
            try:
                _check_pairs(value)
            except UnicodeEncodeError as error:
                self.lone = error

    def several(self, start: int, opened: str, closed: str) -> tuple[Any, int]:
        """Elements or members that fill most of a slice, and where the next one begins. None: try each alone.

        The slice is cut at a comma. If what stands before that can be read in brackets, the comma divides
        two elements: one within an element would leave it open.
        """
        if self.wasted > 4 * len(self.text):
            return None, start
        part = self.text[start : start + SLICE_LENGTH]
        cut = _last_comma(part, opened)
        if cut <= 0:
            return None, start
        try:
            value, end = _SCAN(f"{opened}{part[:cut]}{closed}", 0)
        except RecursionError:
            raise
        except (StopIteration, ValueError, _Refused):
            value, end = None, 0
        if end != cut + 2:
            self.wasted += cut
            return None, start
        self.check_pairs(value)
        return value, self.blanks(start + cut + 1)

    def array(self, at: int, depth: int) -> tuple[list[Any], int]:
        """The elements behind the opening bracket."""
        found: list[Any] = []
        self.walked.append(found)
        at = self.blanks(at)
        if self.text[at : at + 1] == "]":
            return found, at + 1
        while True:
            part, at = self.several(at, "[", "]")
            if part:
                found += part
            for _ in range(1 if part else EACH):
                value, at = self.value(at, depth)
                found.append(value)
                at = self.blanks(at)
                mark = self.text[at : at + 1]
                if mark == "]":
                    return found, at + 1
                if mark != ",":
                    raise JSONDecodeError("Expecting ',' delimiter", self.text, at)
                at = self.blanks(at + 1)

    def object(self, at: int, depth: int) -> tuple[dict[str, Any], int]:
        """The members behind the opening brace."""
        found: dict[str, Any] = {}
        self.walked.append(found)
        count = 0
        at = self.blanks(at)
        if self.text[at : at + 1] == "}":
            return found, at + 1
        while True:
            part, at = self.several(at, "{", "}")
            if part:
                found |= part
                count += len(part)
            for _ in range(1 if part else EACH):
                name, at = self.name(at)
                found[name], at = self.value(at, depth)
                count += 1
                at = self.blanks(at)
                mark = self.text[at : at + 1]
                if mark == "}":
                    if len(found) < count:
                        raise _Refused("a name stands twice in one object")
                    return found, at + 1
                if mark != ",":
                    raise JSONDecodeError("Expecting ',' delimiter", self.text, at)
                at = self.blanks(at + 1)

    def name(self, at: int) -> tuple[str, int]:
        """A member's name, and where its value begins."""
        if self.text[at : at + 1] != '"':
            raise JSONDecodeError("Expecting property name enclosed in double quotes", self.text, at)
        name, at = scanstring(self.text, at + 1, True)
        self.check_pairs(name)
        at = self.blanks(at)
        if self.text[at : at + 1] != ":":
            raise JSONDecodeError("Expecting ':' delimiter", self.text, at)
        return name, self.blanks(at + 1)


def _last_comma(part: str, opened: str) -> int:
    """Where a slice can be cut, as its first element lets one guess; -1 where no place is likely."""
    if opened == "{":
        return max(part.rfind(',"'), part.rfind(', "'))
    if part[:1] == "[":
        return part.rfind("],") + 1 or -1
    if part[:1] == "{":
        return part.rfind("},") + 1 or -1
    return part.rfind(",")


_BLANK: Final = (" ", "\t", "\n", "\r")

# How many elements are read alone where a slice could not be cut, before another is tried.
EACH: Final = 100

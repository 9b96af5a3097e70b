"""Formulas over whole numbers: `share * managed.DMA / 100`, `up(bytes, 4K)`, `bit(va, 39, 9)`.

Operators are C's, with C's precedence; `/` and `%` round towards 0 as C does. Numbers are decimal or
hexadecimal, with K, M or G behind them for 1024 and its powers. Names are what the reader of the formula
knows: drawn values, and facts of a machine with a dot in them. Nothing here is Python: a text is read into a
tree, and the tree is computed.

    up(a, b)            a / b, rounded up
    pow2(n)             the next power of two that is not below n
    log2(n)             the highest bit that is set in n
    min(a, …), max(a, …)
    bit(n, from, count) count bits of n from bit `from` on
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

LONGEST: Final = 200
DEEPEST: Final = 20
# Values: as a signed or an unsigned number of 64 bits, so that addresses of a kernel are among them.
LEAST: Final = -(1 << 63)
MOST: Final = (1 << 64) - 1

TOKEN: Final = re.compile(
    r"(?P<number>0[xX][0-9a-fA-F]+[KMG]?|[0-9]+[KMG]?)(?![A-Za-z0-9_.])"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)"
    r"|(?P<mark><<|>>|[-+*/%&^|(),])"
)
UNITS: Final = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
# Binary operators from those that bind least.
LEVELS: Final = (("|",), ("^",), ("&",), ("<<", ">>"), ("+", "-"), ("*", "/", "%"))
# How many arguments each function takes, from and to.
FUNCTIONS: Final = {
    "up": (2, 2),
    "pow2": (1, 1),
    "log2": (1, 1),
    "min": (2, 8),
    "max": (2, 8),
    "bit": (3, 3),
}

Names = Callable[[str], int]


class BadFormula(Exception):  # noqa: N818 - as the others are named
    """A text that is no formula, or one that has no value: what is wrong, and in which column from 1."""

    def __init__(self, msg: str, column: int) -> None:
        super().__init__(f"column {column}: {msg}")
        self.msg = msg
        self.column = column


class UnknownName(BadFormula):
    """A name that stands for nothing here."""


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a formula."""

    # A number is its own text; a name, an operator or a function is called by it.
    kind: str
    text: str
    column: int
    parts: tuple[Node, ...] = ()
    number: int = 0


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula that has been read."""

    text: str
    # What it needs to know, each once, in the order in which they stand.
    names: tuple[str, ...]
    root: Node

    def value(self, names: Names) -> int:
        """Its value. names: raises KeyError for one that it does not know.

        Raises BadFormula where there is none: a division by 0, a shift or a value out of range, a name that
        is not known or stands for no number.
        """
        return compute(self.root, names)


@lru_cache(maxsize=1024)
def parse(text: str) -> Formula:
    """Read a formula; exercises have the same ones again and again. Raises BadFormula."""
    return Reader(text).formula()


# -- reading ----------------------------------------------------------------------------------------------


class Reader:
    """Reads one formula from its beginning to its end."""

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise BadFormula(f"a formula has at most {LONGEST} characters", LONGEST + 1)
        self.text = text
        self.tokens = tokens(text)
        self.place = 0
        self.names: dict[str, None] = {}

    def formula(self) -> Formula:
        """All of it."""
        root = self.binary(0, 0)
        kind, word, column = self.tokens[self.place]
        if kind != "end":
            raise BadFormula(f"{word!r} cannot stand here; an operator or the end of the formula can", column)
        return Formula(self.text, tuple(self.names), root)

    def next_if(self, marks: Sequence[str]) -> tuple[str, int] | None:
        """The next token where it is one of the marks."""
        kind, word, column = self.tokens[self.place]
        if kind != "mark" or word not in marks:
            return None
        self.place += 1
        return word, column

    def need(self, mark: str) -> None:
        """The next token must be this mark."""
        if self.next_if((mark,)) is None:
            _, word, column = self.tokens[self.place]
            raise BadFormula(f"{mark!r} is needed here{f', not {word!r}' if word else ''}", column)

    def binary(self, level: int, depth: int) -> Node:
        """What the operators of a level join; they bind from the left."""
        if level == len(LEVELS):
            return self.unary(depth)
        found = self.binary(level + 1, depth)
        while (operator := self.next_if(LEVELS[level])) is not None:
            found = Node("operator", *operator, (found, self.binary(level + 1, depth)))
        return found

    def unary(self, depth: int) -> Node:
        """A number, a name, a function, brackets; and what has a minus before it."""
        kind, word, column = self.tokens[self.place]
        self.place += 1
        if depth >= DEEPEST and word in {"-", "("}:
            raise BadFormula(f"brackets and signs stand at most {DEEPEST} deep", column)
        if kind == "number":
            return Node("number", word, column, number=number(word, column))
        if kind == "name":
            return self.named(word, column, depth)
        if word == "-":
            return Node("minus", word, column, (self.unary(depth + 1),))
        if word == "(":
            found = self.binary(0, depth + 1)
            self.need(")")
            return found
        raise BadFormula(f"a number, a name or '(' is needed here{f', not {word!r}' if word else ''}", column)

    def named(self, word: str, column: int, depth: int) -> Node:
        """A name, or a function with its arguments."""
        if self.tokens[self.place][1] != "(":
            self.names[word] = None
            return Node("name", word, column)
        if word not in FUNCTIONS:
            raise BadFormula(f"{word!r} is no function; there are {', '.join(FUNCTIONS)}", column)
        if depth >= DEEPEST:
            raise BadFormula(f"brackets and signs stand at most {DEEPEST} deep", column)
        self.need("(")
        parts = [self.binary(0, depth + 1)]
        while self.next_if((",",)):
            parts.append(self.binary(0, depth + 1))
        self.need(")")
        least, most = FUNCTIONS[word]
        if not least <= len(parts) <= most:
            takes = str(least) if least == most else f"{least} to {most}"
            raise BadFormula(f"{word} takes {takes} arguments, not {len(parts)}", column)
        return Node("function", word, column, tuple(parts))


def tokens(text: str) -> list[tuple[str, str, int]]:
    """Kind, text and column of each word and mark; `end` behind the last."""
    found = []
    place = 0
    while place < len(text):
        if text[place] in " \t\n":
            place += 1
            continue
        token = TOKEN.match(text, place)
        if token is None:
            raise BadFormula(f"{text[place]!r} begins no number, name or operator", place + 1)
        found.append((str(token.lastgroup), token[0], place + 1))
        place = token.end()
    return [*found, ("end", "", len(text) + 1)]


def number(word: str, column: int) -> int:
    """A number with its unit."""
    unit = UNITS.get(word[-1], 1)
    digits = word[:-1] if word[-1] in UNITS else word
    value = int(digits, 16) if digits[:2] in {"0x", "0X"} else int(digits)
    return within(value * unit, column)


# -- computing --------------------------------------------------------------------------------------------


def compute(node: Node, names: Names) -> int:
    """The value of a part."""
    if node.kind == "number":
        return node.number
    if node.kind == "name":
        return known(node, names)
    parts = [compute(part, names) for part in node.parts]
    if node.kind == "minus":
        value = -parts[0]
    elif node.kind == "operator":
        value = operate(node, *parts)
    else:
        value = call(node, parts)
    return within(value, node.column)


def known(node: Node, names: Names) -> int:
    """What a name stands for."""
    try:
        value = names(node.text)
    except KeyError:
        raise UnknownName(f"{node.text!r} is not known here", node.column) from None
    if not isinstance(value, int):
        raise BadFormula(f"{node.text!r} is no number", node.column)
    return within(value, node.column)


def operate(node: Node, left: int, right: int) -> int:
    """What an operator makes of two values."""
    match node.text:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/" | "%":
            if right == 0:
                raise BadFormula("a division by 0", node.column)
            quotient = abs(left) // abs(right) * (-1 if (left < 0) != (right < 0) else 1)
            return quotient if node.text == "/" else left - quotient * right
        case "<<":
            return left << shift(right, node.column)
        case ">>":
            return left >> shift(right, node.column)
        case "&":
            return left & right
        case "^":
            return left ^ right
    return left | right


def call(node: Node, parts: Sequence[int]) -> int:
    """What a function makes of its arguments."""
    first = parts[0]
    match node.text:
        case "min":
            return min(parts)
        case "max":
            return max(parts)
        case "up":
            if parts[1] == 0:
                raise BadFormula("a division by 0", node.column)
            return -(-first // parts[1])
        case "bit":
            return (first >> shift(parts[1], node.column)) & ((1 << shift(parts[2], node.column)) - 1)
    if first < 1:
        raise BadFormula(f"{node.text} of {first}: a number from 1 on is needed", node.column)
    return 1 << (first - 1).bit_length() if node.text == "pow2" else first.bit_length() - 1


def shift(count: int, column: int) -> int:
    """By how many bits."""
    if not 0 <= count <= 63:
        raise BadFormula(f"a shift by {count}; 0 to 63 bits can be", column)
    return count


def within(value: int, column: int) -> int:
    """A value, if it has 64 bits."""
    if not LEAST <= value <= MOST:
        raise BadFormula("a value beyond 64 bits", column)
    return value

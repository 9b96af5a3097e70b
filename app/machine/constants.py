"""Integer constants as C writes them: `16*1024`, `PAGE_SIZE << 2`, `sizeof(struct page)`, `0x1000UL`.

A small reader with one function for each kind of operand, and no `eval`. What depends on the machine
(`sizeof(struct page)`, `sizeof(long)`) is evaluated where the machine is known: until then it is an
`Expression`. The text is measured first; operators are taken one after the other, so that the time is
linear, and brackets within brackets only to a depth that nobody writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from app.errors import BadArgument
from app.machine import ctypes_of
from app.mm.memory_model import PAGE_SHIFT, PAGE_SIZE, MemoryModel
from app.mm.mmzone import MAX_ORDER

# Longer ones are not written by people.
LENGTH: Final = 500
DEPTH: Final = 20
BITS: Final = 64

UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
TOKEN: Final = re.compile(
    r"\s*+(?:"
    r"(?P<number>0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20})(?P<suffix>[A-Za-z_0-9]*+)"
    r"|(?P<name>[A-Za-z_]\w*+)"
    r"|(?P<sign><<|>>|[-+*/%&|^~(),])"
    r")",
    re.ASCII,
)
SUFFIX: Final = re.compile(r"(?:[uU]?(?:l|L|ll|LL)?|(?:l|L|ll|LL)[uU])|[KMG]")
SIZEOF: Final = re.compile(r"sizeof\s*+\(([^()]*+)\)")

KNOWN: Final = {
    "PAGE_SIZE": PAGE_SIZE,
    "PAGE_SHIFT": PAGE_SHIFT,
    "PAGE_MASK": -PAGE_SIZE,
    "MAX_ORDER": MAX_ORDER,
    "PAGE_ALLOC_COSTLY_ORDER": 3,
    "KMALLOC_MAX_SIZE": PAGE_SIZE << MAX_ORDER - 1,
    "KMALLOC_MAX_CACHE_SIZE": 2 * PAGE_SIZE,
    "KMALLOC_MIN_SIZE": 8,
    "L1_CACHE_BYTES": 64,
    "SMP_CACHE_BYTES": 64,
    "NUMA_NO_NODE": -1,
    "NULL": 0,
    "true": 1,
    "false": 0,
    **{f"SZ_{n}{unit}": n * UNITS[unit] for unit in "KMG" for n in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)},
}
BINARY: Final[dict[str, tuple[int, Callable[[int, int], int]]]] = {
    "|": (1, lambda a, b: a | b),
    "^": (2, lambda a, b: a ^ b),
    "&": (3, lambda a, b: a & b),
    "<<": (4, lambda a, b: a << shift(b)),
    ">>": (4, lambda a, b: a >> shift(b)),
    "+": (5, lambda a, b: a + b),
    "-": (5, lambda a, b: a - b),
    "*": (6, lambda a, b: a * b),
    "/": (6, lambda a, b: divided(a, b)[0]),
    "%": (6, lambda a, b: divided(a, b)[1]),
}


class Unknown(BadArgument):
    """A text that is no integer constant.

    word: the name that means nothing here, where it is a name's fault.
    """

    def __init__(self, words: str, word: str = "") -> None:
        super().__init__(*BadArgument.at((), words).faults)
        self.word = word


class OfMachine(Exception):  # noqa: N818 - not an error: it is asked again where the machine is known
    """The value depends on the machine."""


class Expression(str):
    """An integer constant whose value depends on the machine, as it was written."""

    __slots__ = ()

    def on(self, model: MemoryModel) -> int:
        """Its value on a machine. Raises BadArgument."""
        return value(self, model)


def value(text: str, model: MemoryModel | None = None, names: Mapping[str, int] = KNOWN) -> int:
    """What a constant comes to. Raises Unknown; without a machine also OfMachine."""
    if len(text) > LENGTH:
        raise Unknown(f"an integer constant of at most {LENGTH} characters")
    return Reader(text, model, names).whole()


def read(text: str, names: Mapping[str, int] = KNOWN) -> int | Expression:
    """A constant as far as it is known without a machine. Raises Unknown."""
    try:
        return value(text, None, names)
    except OfMachine:
        return Expression(text)


class Reader:
    """One pass over a constant's text."""

    def __init__(self, text: str, model: MemoryModel | None, names: Mapping[str, int]) -> None:
        self.text = text
        self.end = len(text.rstrip())
        self.model = model
        self.names = names
        self.place = 0
        self.depth = 0

    def whole(self) -> int:
        """All of the text."""
        found = self.level(1)
        if self.place < self.end:
            raise Unknown(
                f"{self.text[self.place :].strip()[:40]!r} is behind the end of an integer constant"
            )
        return found

    def look(self) -> re.Match[str] | None:
        """The next token, which stays the next one."""
        return TOKEN.match(self.text, self.place) if self.place < self.end else None

    def level(self, least: int) -> int:
        """Operands joined by operators that bind at least so strongly; the same ones from left to right."""
        left = self.operand()
        while (token := self.look()) is not None and token["sign"] in BINARY:
            strength, join = BINARY[token["sign"]]
            if strength < least:
                break
            self.place = token.end()
            left = within(join(left, self.level(strength + 1)))
        return left

    def operand(self) -> int:
        """A number, a name, a function of one or two constants, or a bracket; signs before it."""
        signs = []
        while (token := self.look()) is not None and token["sign"] in ("-", "+", "~"):
            signs.append(token["sign"])
            self.place = token.end()
        if token is None:
            raise Unknown("an integer constant ends too early" if self.text.strip() else "a number")
        found = self.plain(token)
        for sign in reversed(signs):
            found = {"-": -found, "+": found, "~": ~found}[sign]
        return found

    def plain(self, token: re.Match[str]) -> int:
        """An operand without signs."""
        if token["number"]:
            self.place = token.end()
            return number(token["number"], token["suffix"])
        if token["name"]:
            return self.named(token)
        if token["sign"] != "(":
            raise Unknown(f"a number or a name, not {token['sign']!r}")
        cast = ctypes_of.CAST.match(self.text, self.place)
        if cast is not None:
            self.place = cast.end()
            return self.deeper(self.operand)
        self.place = token.end()
        (found,) = self.list(1)
        return found

    def named(self, token: re.Match[str]) -> int:
        """A name: of a constant, or of a function."""
        name = token["name"]
        if name == "sizeof":
            return self.size_of(token)
        if name in FUNCTIONS:
            count, function = FUNCTIONS[name]
            self.place = token.end()
            opening = self.look()
            if opening is None or opening["sign"] != "(":
                raise Unknown(f"{name} is written {name}(…)")
            self.place = opening.end()
            return within(function(*self.list(count)))
        if name not in self.names:
            raise Unknown(f"{name[:40]!r} is no constant that is known here: write the number", name)
        self.place = token.end()
        return self.names[name]

    def size_of(self, token: re.Match[str]) -> int:
        """`sizeof(type)`."""
        match = SIZEOF.match(self.text, token.start("name"))
        if match is None:
            raise Unknown("sizeof is written sizeof(struct page)")
        self.place = match.end()
        known = ctypes_of.size(match[1])
        if known is None:
            raise Unknown(
                f"sizeof({match[1].strip()[:40]}): the size of this is not known here, write the bytes. "
                f"Known are C's own types, pointers, {', '.join(ctypes_of.STRUCTS)}"
            )
        if isinstance(known, int):
            return known
        if self.model is None:
            raise OfMachine
        return known(self.model)

    def list(self, count: int) -> list[int]:
        """So many constants, and the bracket that closes behind them."""
        found = []
        for turn in range(count):
            found.append(self.deeper(lambda: self.level(1)))
            token = self.look()
            wanted = "," if turn < count - 1 else ")"
            if token is None or token["sign"] != wanted:
                raise Unknown(f"{wanted!r} is missing in an integer constant")
            self.place = token.end()
        return found

    def deeper(self, inner: Callable[[], int]) -> int:
        """Within one more bracket."""
        self.depth += 1
        if self.depth > DEPTH:
            raise Unknown(f"brackets within brackets, to a depth of at most {DEPTH}")
        found = inner()
        self.depth -= 1
        return found


def number(digits: str, suffix: str) -> int:
    """`0x1000UL`, `64K`. A leading 0, which is octal in C, is read by nobody as such: it is refused."""
    if SUFFIX.fullmatch(suffix) is None:
        raise Unknown(f"{(digits + suffix)[:40]!r} is no number")
    if digits[:2] in ("0x", "0X"):
        return int(digits, 16) * UNITS.get(suffix, 1)
    if len(digits) > 1 and digits[0] == "0":
        raise Unknown(f"{digits!r} is octal in C: write it in decimal or hexadecimal")
    return within(int(digits) * UNITS.get(suffix, 1))


def within(number: int) -> int:
    """A number of at most 64 bits."""
    if not -(1 << BITS) < number < 1 << BITS:
        raise Unknown(f"an integer constant of at most {BITS} bits")
    return number


def shift(by: int) -> int:
    """How far to shift."""
    if not 0 <= by < BITS:
        raise Unknown(f"a shift by 0 to {BITS - 1}")
    return by


def divided(a: int, b: int) -> tuple[int, int]:
    """Quotient and remainder; C rounds towards 0."""
    if b == 0:
        raise Unknown("a division by 0")
    quotient = abs(a) // abs(b) if (a < 0) == (b < 0) else -(abs(a) // abs(b))
    return quotient, a - b * quotient


def get_order(size: int) -> int:
    """Kernel: include/asm-generic/getorder.h get_order"""
    return max(0, (size - 1 >> PAGE_SHIFT).bit_length()) if size > 0 else BITS - PAGE_SHIFT


def aligned(size: int, to: int) -> int:
    """The next multiple. Kernel: include/linux/align.h ALIGN"""
    return -divided(-size, to)[0] * to if size % max(1, to) == 0 else size - size % to + to


FUNCTIONS: Final[Mapping[str, tuple[int, Callable[..., int]]]] = {
    "get_order": (1, get_order),
    "PAGE_ALIGN": (1, lambda size: aligned(size, PAGE_SIZE)),
    "ALIGN": (2, lambda size, to: aligned(size, positive(to))),
    "roundup": (2, lambda size, to: aligned(size, positive(to))),
    "round_up": (2, lambda size, to: aligned(size, positive(to))),
    "DIV_ROUND_UP": (2, lambda a, b: divided(a + b - 1, b)[0]),
    "BIT": (1, lambda place: 1 << shift(place)),
    "min": (2, min),
    "max": (2, max),
    "roundup_pow_of_two": (1, lambda n: 1 << (positive(n) - 1).bit_length()),
    "ilog2": (1, lambda n: positive(n).bit_length() - 1),
}


def positive(number: int) -> int:
    """A number from 1 on."""
    if number < 1:
        raise Unknown("a number from 1 on")
    return number

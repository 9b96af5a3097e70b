"""One argument of a call as text: what it stands for in JSON.

Text is only another spelling of the JSON arguments, which `parsing.parse` judges. What kind of word an
argument may be is known from the vocabulary alone, so it can be read without a machine: a constant that
depends on one stays an `Expression`.

Every pattern here is linear: where two repetitions meet, the first is possessive (`*+`).
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from app.errors import BadArgument
from app.machine import constants, gfp_text, oldmasks
from app.machine.calls import Word
from app.machine.constants import UNITS
from app.machine.ctext import MEMBER, PLACE, Malformed
from app.machine.ctypes_of import CAST
from app.machine.kinds import KINDS
from app.machine.user_kinds import FLAGS
from app.machine.vocabulary import CallSpec
from app.mm.slab import SLAB_FLAGS

# A number that is given for a page is a frame number below this, and a `struct page *` from here on: no
# machine has that many frames, and no kernel address is smaller.
LOWEST_KERNEL_ADDRESS: Final = 0xC0000000

NUMBER: Final = re.compile(r"(-?)(?:0x([0-9a-fA-F]{1,16})|([0-9]{1,19}))([KMG]?)")
# As logs and trace points print an address: without 0x.
BARE: Final = re.compile(r"ffff[0-9a-f]{12}|(?=[a-f]*+[0-9][a-f]*+[0-9])[c-f][0-9a-f]{7}")
NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*+"
# With the number of who has given it: `m1.p`.
GIVEN: Final = rf"(?:[im][0-9]++\.)?+{NAME}"
WORD: Final = re.compile(rf"({GIVEN})(?:\s*+\+\s*+([0-9]++))?")
BEHIND: Final = re.compile(rf"({GIVEN})\s*+\+\s*+(.++)", re.DOTALL)
# Behind the name of an address bytes are counted, in either direction.
FURTHER: Final = re.compile(rf"({GIVEN})(?:\s*+([+-])\s*+(.++))?", re.DOTALL)
ELEMENT: Final = re.compile(rf"&\s*+({GIVEN})\s*+\[([^\[\]]++)\]")
NESTED: Final = re.compile(rf"({NAME})\s*+\((.*)\)", re.DOTALL)
INDEX: Final = r"\s*+([0-9]{0,15})\s*+"
ROW: Final = r"@-?[0-9]{1,15}"
SLICE: Final = re.compile(rf"({GIVEN}|{ROW})\s*+\[{INDEX}(:?){INDEX}(:?){INDEX}\]")
RUNS: Final = re.compile(r"\[\s*+(?:\[[^\[\]]*+\]\s*+,?\s*+)*+\]")
DELIMITER: Final = re.compile(r'"[^"]*+"|[\[\](),"]')
OPERATOR: Final = re.compile(r"[-+*/%&|^~()<>]")

FORMS: Final = KINDS["page_or_addr"].forms
MASKS: Final = {"gfp": gfp_text.VALUE, "slab_flags": SLAB_FLAGS, **FLAGS}
BOOLS: Final = {"true": True, "false": False, "1": True, "0": False}
# How many casts and brackets an argument may stand in.
CASTS: Final = 5
# `$name+3` has at most so many digits.
OFFSET_DIGITS: Final = 7


def read(spec: CallSpec, name: str, kind: str, text: str) -> dict[str, Any]:
    """The JSON fields that one argument stands for: usually one, with a slice up to four.

    A word that no argument of that kind can be is passed on as it is: who judges the call says what would be
    accepted.
    """
    if kind in KINDS and KINDS[kind].pointer:
        return read_pointer(spec, name, kind, text)
    if kind in ("user_addr", "fd"):
        return {name: read_user(name, kind, text)}
    value: Any = unquoted(text)
    if kind == "function" and inner(text) == "NULL":
        return {}
    if kind == "bool":
        return {name: BOOLS.get(inner(text), value)}
    if kind == "swap_pages" and inner(text) == "NULL":
        return {name: None}
    if value == text and kind == "cache":
        value = Word(inner(text))
    elif value == text and kind in MASKS:
        value = read_mask(name, kind, text)
    elif value == text and kind in KINDS and KINDS[kind].number:
        value = read_constant(name, text)
    return {name: value}


def read_user(name: str, kind: str, text: str) -> Any:
    """An address of a process, or a descriptor: a number, or a name; behind it bytes."""
    text = inner(unquoted(text))
    if text == "NULL":
        return None
    if (number := as_number(text)) is not None:
        return f"{number:#x}" if kind == "user_addr" and number >= 0 else number
    found = FURTHER.fullmatch(text)
    if found is None:
        value = read_constant(name, text)
        return f"{value:#x}" if kind == "user_addr" and type(value) is int and value >= 0 else value
    named, sign, behind = found.groups()
    if not sign:
        return f"${named}"
    if as_number(behind) is None:
        behind = str(constant_of(name, behind))
    return f"${named}{sign}{behind}"


def read_constant(name: str, text: str) -> Any:
    """A number, or a constant that comes to one; a single word that is neither as it is."""
    if (number := as_number(text)) is not None:
        return number
    if len(text) > constants.LENGTH:
        return text
    try:
        return constants.read(text)
    except constants.Unknown as error:
        if OPERATOR.search(text) is None:
            return text
        raise error.under(name) from None


def read_mask(name: str, kind: str, text: str) -> Any:
    """Flags as they were written, where they are names joined by `|`; else the number that they come to."""
    if (number := as_number(text)) is not None:
        return number
    known = MASKS[kind]
    if kind == "gfp":
        text = oldmasks.unprinted(text)
    text = inner(text)
    if len(text) > constants.LENGTH or set("&~^()<").isdisjoint(text):
        return text
    try:
        return constants.value(text, None, {**constants.KNOWN, **known}) & gfp_text.GFP_MAX
    except constants.Unknown as error:
        raise BadArgument.at(name, error.faults[0].msg, error.word, known) from None


def inner(text: str) -> str:
    """An argument without casts, and without brackets around the whole of it."""
    if len(text) > constants.LENGTH or "(" not in text:
        return text
    for _ in range(CASTS):
        cast = CAST.match(text)
        if cast is not None:
            text = text[cast.end() :].strip()
        elif text.startswith("(") and closes_last(text):
            text = text[1:-1].strip()
        else:
            break
    return text


def closes_last(text: str) -> bool:
    """Whether the bracket that opens a text is the one that ends it."""
    depth = 0
    for mark in DELIMITER.finditer(text):
        depth += {"(": 1, ")": -1}.get(mark[0], 0)
        if not depth:
            return mark.end() == len(text)
    return False


def unquoted(text: str) -> str:
    """`"a word"` without its quotes."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def as_number(text: str) -> int | None:
    """`3`, `0x1000`, `64K`; None where the text is no number."""
    match = NUMBER.fullmatch(text)
    if match is None:
        return None
    sign, hexadecimal, decimal, unit = match.groups()
    number = (int(hexadecimal, 16) if hexadecimal else int(decimal)) * UNITS[unit]
    return -number if sign else number


def read_pointer(spec: CallSpec, name: str, kind: str, text: str) -> dict[str, Any]:
    """A page or an address: NULL, a number, a name with or without offset or slice, or the runs of a list."""
    text = inner(text)
    if text == "NULL":
        return {pointer_field(spec, name, kind): None}
    if BARE.fullmatch(text) is not None:
        text = f"0x{text}"
    if (number := as_number(text)) is not None:
        return read_number(spec, name, kind, number)
    if (word := WORD.fullmatch(text)) is not None:
        named, offset = word.groups()
        return {pointed(name, kind): f"${named}" + (f"+{offset}" if offset else "")}
    if len(text) <= constants.LENGTH and (found := read_composed(spec, name, kind, text)) is not None:
        return found
    if re.fullmatch(ROW, text) is not None:
        return {pointed(name, kind): list_of(text)}
    if (part := SLICE.fullmatch(text)) is not None:
        return {pointed(name, kind): list_of(part[1]), **read_slice(part)}
    if RUNS.fullmatch(text) is not None:
        runs = read_runs(text)
        return {runs_field(name, kind, runs): runs}
    if MEMBER.match(text):
        raise BadArgument.at(name, PLACE)
    return {pointed(name, kind): unquoted(text)}


def read_composed(spec: CallSpec, name: str, kind: str, text: str) -> dict[str, Any] | None:
    """`p + (1 << 2)`, `&p[3]`, `pfn_to_page(0x40f)`, `0xffff888000000000 + 64`; None for another text."""
    found = BEHIND.fullmatch(text) or ELEMENT.fullmatch(text)
    if found is not None:
        number = constant_of(name, found[2])
        if not 0 <= number < 10**OFFSET_DIGITS:
            raise BadArgument.at(name, f"behind a name, a number from 0 to {10**OFFSET_DIGITS - 1}")
        return {pointed(name, kind): f"${found[1]}+{number}"}
    nested = NESTED.fullmatch(text)
    if nested is not None and nested[1] not in constants.FUNCTIONS:
        if nested[1] == "pfn_to_page":
            return {"pfn" if kind != "addr" else name: constant_of(name, nested[2])}
        raise BadArgument.at(
            name,
            f"one call stands on a line: first x = {text[:60]}, then {spec.name} with x in its place",
        )
    if text[:1].isdigit() and OPERATOR.search(text) is not None:
        return read_number(spec, name, kind, constant_of(name, text))
    return None


def constant_of(name: str, text: str) -> int:
    """A constant that is the same on every machine. Raises BadArgument at a field."""
    try:
        return constants.value(text)
    except constants.Unknown as error:
        raise error.under(name) from None
    except constants.OfMachine:
        raise BadArgument.at(name, "a number that is the same on every machine") from None


def pointed(name: str, kind: str) -> str:
    """The JSON field of a name or a list; where pages and addresses are taken, `$name` knows what it is."""
    return "page" if KINDS[kind].forms else name


def pointer_field(spec: CallSpec, name: str, kind: str) -> str:
    """The JSON field of NULL or of a kernel address; where both are taken, what the C function is given."""
    return "addr" if kind == "page_or_addr" and spec.native == "addr" else pointed(name, kind)


def read_number(spec: CallSpec, name: str, kind: str, number: int) -> dict[str, Any]:
    """A frame number, a `struct page *` or an address; for a function that takes an address, 0 is none."""
    if number == 0 and pointer_field(spec, name, kind) == "addr":
        return {"addr": None}
    if kind == "pfn" or (kind != "addr" and number < LOWEST_KERNEL_ADDRESS):
        return {"pfn": number}
    return {pointer_field(spec, name, kind): f"{number:#x}"}


def list_of(text: str) -> str | dict[str, int]:
    """A list by its name, or as what a row of the journal has returned."""
    return {"seq": int(text[1:])} if text.startswith("@") else f"${text}"


def read_slice(part: re.Match[str]) -> dict[str, int]:
    """`[3]`, `[10:20]`, `[::2]` as `start`, `step` and `count`."""
    _, first, colon, last, second, step = part.groups()
    if not colon:
        if not first:
            raise Malformed("one block of a list is name[3], several are name[10:20] or name[::2]")
        return {"start": int(first), "count": 1}
    fields = {"start": int(first or 0)}
    if second and step:
        fields["step"] = int(step)
    if last:
        fields["count"] = max(0, -(-(int(last) - fields["start"]) // max(1, fields.get("step", 1))))
    return fields


def read_runs(text: str) -> list[Any]:
    """`[[18944, 8, 1]]`: a list as a journalled call keeps it."""
    try:
        runs: list[Any] = json.loads(text)
    except ValueError:
        raise Malformed("a list is written [[first, blocks], …]") from None
    return runs


def runs_field(name: str, kind: str, runs: list[Any]) -> str:
    """Runs of addresses are written as strings, runs of pages as numbers."""
    if kind == "page_or_addr":
        return "addr" if any(run and isinstance(run[0], str) for run in runs) else "page"
    return pointed(name, kind)

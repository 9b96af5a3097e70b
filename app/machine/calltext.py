"""A call as a line of text: what a person types, what a batch carries, what the journal shows.

    alice@1/softirq: p = alloc_pages(GFP_KERNEL, 3)   # who calls, what the result is called, the call
    fill = alloc_pages(GFP_KERNEL, 0) * 1000          # many at once: a list of blocks
    all = alloc_page(GFP_KERNEL) until free < 1000    # … until NULL stops at the first failure
    __free_pages(fill[::2], 0)                        # every second block of it
    __free_pages(@41[::2], 0)                         # of the list that row 41 of the journal returned
    get_page(p+3)                                     # the fourth page of a block
    vmalloc(size=64K)                                 # by name; K, M and G count in 1024
    struct page *q = alloc_pages(GFP_KERNEL, 1 + 1);  // a line of C, as it stands in a source file

Text is only another spelling of the JSON arguments: `parse_line` gives the document that `parsing.parse`
judges, and `format_call` writes the line that reads back as a journalled call. What kind of word an
argument may be is known from the vocabulary alone, so a line can be read without a machine. Lines are
read in `linetext`, arguments in `argtext`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from app.machine.argtext import DELIMITER, FORMS, as_number, read
from app.machine.calls import longest_loop
from app.machine.constants import UNITS
from app.machine.ctext import Malformed
from app.machine.entry import CALLS
from app.machine.kinds import KINDS
from app.machine.linetext import ARGUMENT, NOTHING, Line, Reader
from app.machine.vocabulary import Arg, CallSpec

NOTHING_WRITTEN: Final[Mapping[str, str]] = MappingProxyType({})

__all__ = ["Line", "Malformed", "Reader", "as_number", "format_call", "parse_line", "parse_text", "read"]


def parse_line(text: str) -> Line:
    """One line, with one call at most.

    Raises Malformed where it is no call, BadArgument where a field cannot be.
    """
    found = parse_text(text)
    if len(found) > 1:
        raise Malformed("one call stands on a line")
    return found[0] if found else NOTHING


def parse_text(text: str) -> list[Line]:
    """The calls of a short text. Raises as `parse_line` does."""
    reader = Reader(alone="\n" not in text)
    found = [line for number, row in enumerate(text.split("\n"), 1) for line in reader.read(number, row)]
    return [*found, *reader.finish()]


# -- and back -----------------------------------------------------------------------------------------


def format_call(
    outcome: Mapping[str, Any], as_name: str | None = None, *, written: Mapping[str, str] = NOTHING_WRITTEN
) -> str:
    """The line of a journalled call, from an outcome or any document with its `call` and `args`.

    written: how some of the arguments were written, as the outcome's `written` has it. Names stand for other
    things later, so a line that is to be made again has the values.
    """
    spec, args = CALLS[outcome["call"]], outcome["args"]
    named = f"{as_name} = " if as_name else ""
    arguments = ", ".join(arguments_text(spec, args, written))
    return f"{who_text(spec, args)}{named}{spec.name}({arguments}){tail_text(spec, args)}"


def who_text(spec: CallSpec, args: Mapping[str, Any]) -> str:
    """Who calls, where it is not the usual `init@0/process`; kill_task's task is whom it kills."""
    task = "init" if spec.names_task else args.get("task", "init")
    cpu, context = args.get("cpu", 0), args.get("context", "process")
    who = (
        ("" if task == "init" else task)
        + (f"@{cpu}" if cpu else "")
        + ("" if context == "process" else f"/{context}")
    )
    return f"{who}: " if who else ""


def arguments_text(spec: CallSpec, args: Mapping[str, Any], written: Mapping[str, str]) -> Iterator[str]:
    """The arguments by position; by keyword where the position reads otherwise or is not the next."""
    in_place = True
    slicing = tuple(
        field for field in ("start", "step", "count") if all(field != arg.name for arg in spec.args)
    )
    for arg in spec.args:
        field = next((form for form in (arg.name, *forms(arg)) if form in args), None)
        if field is not None and isinstance(args[field], dict) and in_place:
            slicing = ()
            yield slice_text(written.get(field, f"@{args[field]['seq']}"), args)
            continue
        if arg.kind == "user_addr" and not arg.required and args.get(arg.name, 0) is None and in_place:
            yield "NULL"
            continue
        if arg.name == "buf" and field is None and in_place:
            yield value_text(spec, "count", "length", args["count"])
            in_place = False
            continue
        if arg.name == "count" and "buf" not in args and not in_place and arg.required:
            continue
        if field is None or (not arg.required and args[field] == arg.default):
            in_place = False
            continue
        name = written.get("page" if field == "pfn" else field)
        if in_place and name is not None:
            yield name
            continue
        text = value_text(spec, field, field if field in forms(arg) else arg.kind, args[field])
        if (
            in_place
            and ARGUMENT.fullmatch(text) is None
            and read(spec, arg.name, arg.kind, text) == {field: args[field]}
        ):
            yield text
        else:
            in_place = False  # positions are counted without what stands by keyword
            yield f"{field}={text}"
    for field in slicing:
        if field in args:
            yield f"{field}={args[field]}"


def slice_text(of: str, args: Mapping[str, Any]) -> str:
    """Which blocks of a list. of: its name, or the row that has returned it."""
    start, step, count = args.get("start", 0), args.get("step", 1), args.get("count")
    last = "" if count is None else start + count * step
    return f"{of}[{start}:{last}:{step}]"


def forms(arg: Arg) -> tuple[str, ...]:
    """The fields under which a pointer may stand, which are also their kinds."""
    return FORMS if KINDS[arg.kind].forms else ()


def value_text(spec: CallSpec, field: str, kind: str, value: Any) -> str:
    """One value; in quotes where bare it would read as something else."""
    if value is None:
        return "NULL"
    if isinstance(value, list):
        return json.dumps(value)
    if isinstance(value, dict):
        return f"@{value['seq']}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        number = number_text(kind, value)
        return f"pfn_to_page({number})" if kind == "pfn" and spec.native == "page" else number
    text = str(value)
    if text.startswith("$"):
        return text[1:]
    plain = (
        text == text.strip()
        and not DELIMITER.search(text)
        and read(spec, field, kind, text) == {field: value}
    )
    return text if plain else f'"{text}"'


def number_text(kind: str, value: int) -> str:
    """Frames and masks in hexadecimal, sizes in the largest unit that divides them."""
    written = KINDS[kind].number if kind in KINDS else ""
    if written == "hex":
        return f"{value:#x}"
    if written == "size" and value:
        for unit in "GMK":
            if value % UNITS[unit] == 0:
                return f"{value // UNITS[unit]}{unit}"
    return str(value)


def tail_text(spec: CallSpec, args: Mapping[str, Any]) -> str:
    """`* 1000 until NULL`, without the count that goes without saying."""
    text = f" * {args['repeat']}" if "repeat" in args else ""
    until = args.get("until")
    if until is None:
        return text
    if args.get("repeat") == longest_loop(spec.cost.frames(args)):
        text = ""
    return text + (" until NULL" if until == "null" else f" until free < {until['free_below']}")

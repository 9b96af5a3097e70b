"""A call as a line of text: what a person types, what a batch carries, what the journal shows.

    alice@1/softirq: p = alloc_pages(GFP_KERNEL, 3)   # who calls, what the result is called, the call
    fill = alloc_pages(GFP_KERNEL, 0) * 1000          # many at once: a list of blocks
    all = alloc_page(GFP_KERNEL) until free < 1000    # … until NULL stops at the first failure
    __free_pages(fill[::2], 0)                        # every second block of it
    __free_pages(@41[::2], 0)                         # of the list that row 41 of the journal returned
    get_page(p+3)                                     # the fourth page of a block
    vmalloc(size=64K)                                 # by name; K, M and G count in 1024

Text is only another spelling of the JSON arguments: `parse_line` gives the document that `parsing.parse`
judges, and `format_call` writes the line that reads back as a journalled call. What kind of word an
argument may be is known from the vocabulary alone, so a line can be read without a machine.

Every pattern here is linear: where two repetitions meet, the first is possessive (`*+`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from app.errors import BadArgument, Fault
from app.machine.calls import longest_loop
from app.machine.entry import CALLS
from app.machine.kinds import KINDS
from app.machine.vocabulary import Arg, CallSpec

# A number that is given for a page is a frame number below this, and a `struct page *` from here on: no
# machine has that many frames, and no kernel address is smaller.
LOWEST_KERNEL_ADDRESS: Final = 0xC0000000

# A line that frees 100,000 blocks one by one, in hexadecimal, is a little shorter.
LINE_LENGTH: Final = 4 << 20

UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
NUMBER: Final = re.compile(r"(-?)(?:0x([0-9a-fA-F]{1,16})|([0-9]{1,19}))([KMG]?)")
NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*+"
WORD: Final = re.compile(rf"({NAME})(?:\s*+\+\s*+([0-9]++))?")
INDEX: Final = r"\s*+([0-9]{0,15})\s*+"
ROW: Final = r"@-?[0-9]{1,15}"
SLICE: Final = re.compile(rf"({NAME}|{ROW})\s*+\[{INDEX}(:?){INDEX}(:?){INDEX}\]")
RUNS: Final = re.compile(r"\[\s*+(?:\[[^\[\]]*+\]\s*+,?\s*+)*+\]")
CODE: Final = re.compile(r'(?:[^"#]++|"[^"]*+"?)*+')
DELIMITER: Final = re.compile(r'"[^"]*+"|[\[\](),"]')
WHO: Final = re.compile(r"\s*+([A-Za-z0-9_-]*+)(?:@([0-9]{1,9}))?(?:/([a-z]++))?\s*+:")
HEAD: Final = re.compile(rf"\s*+(?:({NAME})\s*+=\s*+)?({NAME})\s*+\(")
ARGUMENT: Final = re.compile(r"([a-z]++)\s*+=\s*+(.*)", re.DOTALL)
REPEAT: Final = r"(?:\*\s*+([0-9]{1,15})\s*+)?"
UNTIL: Final = r"(?:until\s++(?:(NULL)|free\s*+<\s*+([0-9]{1,15}))\s*+)?"
TAIL: Final = re.compile(rf"\s*+{REPEAT}{UNTIL}")

# What may stand beside a call's own arguments, by keyword only.
BESIDE: Final = dict.fromkeys(("cpu", "repeat", "start", "step", "count"), "uint")
FORMS: Final = KINDS["page_or_addr"].forms


class Malformed(BadArgument):
    """A line that cannot be read at all, as against one that says something unacceptable."""

    def __init__(self, msg: str) -> None:
        super().__init__(Fault((), msg))


class Line(NamedTuple):
    """One line read: the call's name, what its result is called from now on, and its arguments as in JSON.

    name is None on a line that holds nothing but blanks or a comment.
    """

    name: str | None
    as_name: str | None
    body: dict[str, Any]


def parse_line(text: str) -> Line:
    """One line of text. Raises Malformed where it is no call, BadArgument where a field cannot be."""
    if len(text) > LINE_LENGTH:
        raise Malformed(f"a line has at most {LINE_LENGTH} characters")
    code = "".join(CODE.findall(text)[:1])
    if not code.strip():
        return Line(None, None, {})
    body: dict[str, Any] = {}
    place = 0
    if (who := WHO.match(code)) is not None:
        read_who(who, body)
        place = who.end()
    head = HEAD.match(code, place)
    if head is None:
        raise Malformed("a call is written name(arguments), as in p = alloc_pages(GFP_KERNEL, 3)")
    as_name, name = head.groups()
    arguments, place = split(code, head.end())
    tail = TAIL.fullmatch(code, place)
    if tail is None:
        raise Malformed("after a call: * 1000, until NULL, until free < 1000, or nothing")
    if name not in CALLS:
        raise BadArgument.at("call", f"{name[:40]!r} is no call: GET /api/v1/calls lists them")
    read_arguments(CALLS[name], arguments, body)
    read_tail(tail, body)
    return Line(name, as_name, body)


def read_who(who: re.Match[str], body: dict[str, Any]) -> None:
    """`alice@1/softirq:`, each part of which may be missing."""
    task, cpu, context = who.groups()
    if task:
        body["task"] = task
    if cpu:
        body["cpu"] = int(cpu)
    if context:
        body["context"] = context


def split(text: str, start: int) -> tuple[list[str], int]:
    """The arguments behind the opening parenthesis, and where the text goes on behind the closing one."""
    found: list[str] = []
    depth, begin = 0, start
    for delimiter in DELIMITER.finditer(text, start):
        match delimiter[0]:
            case "[":
                depth += 1
            case "]":
                depth -= 1
            case '"':
                raise Malformed("a quote is never closed")
            case "," | ")" as end if depth == 0:
                found.append(text[begin : delimiter.start()].strip())
                begin = delimiter.end()
                if end == ")":
                    return ([] if found == [""] else found), begin
    raise Malformed("the closing parenthesis is missing")


def read_arguments(spec: CallSpec, arguments: list[str], body: dict[str, Any]) -> None:
    """Arguments by position, then by keyword."""
    positions = iter(spec.args)
    for text in arguments:
        keyword = ARGUMENT.fullmatch(text)
        if keyword is not None:
            name, text = keyword.groups()  # noqa: PLW2901
            put(body, read_keyword(spec, name, text.strip()))
            continue
        arg = next(positions, None)
        if arg is None:
            raise BadArgument.at(
                (), f"{spec.name} takes {len(spec.args)} arguments by position: {spec.prototype}"
            )
        put(body, read(spec, arg.name, arg.kind, text))


def put(body: dict[str, Any], fields: dict[str, Any]) -> None:
    """Adds fields that do not stand there yet."""
    for name, value in fields.items():
        if name in body:
            raise BadArgument.at(name, "given twice")
        body[name] = value


def read_keyword(spec: CallSpec, name: str, text: str) -> dict[str, Any]:
    """`key=value`."""
    for arg in spec.args:
        if KINDS[arg.kind].forms and name in FORMS:
            return read(spec, name, name, text)
        if name == arg.name:
            return read(spec, name, arg.kind, text)
    return read(spec, name, BESIDE.get(name, "word"), text)


def read(spec: CallSpec, name: str, kind: str, text: str) -> dict[str, Any]:
    """The JSON fields that one argument stands for: usually one, with a slice up to four.

    A word that no argument of that kind can be is passed on as it is: who judges the call says what would be
    accepted.
    """
    if kind in KINDS and KINDS[kind].pointer:
        return read_pointer(spec, name, kind, text)
    value: Any = unquoted(text)
    if value == text and kind in KINDS and KINDS[kind].number:
        number = as_number(text)
        value = text if number is None else number
    return {name: value}


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
    if text == "NULL":
        return {pointer_field(spec, name, kind): None}
    if (number := as_number(text)) is not None:
        return read_number(spec, name, kind, number)
    if (word := WORD.fullmatch(text)) is not None:
        named, offset = word.groups()
        return {pointed(name, kind): f"${named}" + (f"+{offset}" if offset else "")}
    if re.fullmatch(ROW, text) is not None:
        return {pointed(name, kind): list_of(text)}
    if (part := SLICE.fullmatch(text)) is not None:
        return {pointed(name, kind): list_of(part[1]), **read_slice(part)}
    if RUNS.fullmatch(text) is not None:
        runs = read_runs(text)
        return {runs_field(name, kind, runs): runs}
    return {pointed(name, kind): unquoted(text)}


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


def read_tail(tail: re.Match[str], body: dict[str, Any]) -> None:
    """`* 1000`, `until NULL`, `until free < 1000`."""
    repeat, null, below = tail.groups()
    if repeat:
        put(body, {"repeat": int(repeat)})
    if null:
        put(body, {"until": "null"})
    if below:
        put(body, {"until": {"free_below": int(below)}})


# -- and back -----------------------------------------------------------------------------------------


def format_call(outcome: Mapping[str, Any], as_name: str | None = None) -> str:
    """The line of a journalled call, from an outcome or any document with its `call` and `args`."""
    spec, args = CALLS[outcome["call"]], outcome["args"]
    named = f"{as_name} = " if as_name else ""
    arguments = ", ".join(arguments_text(spec, args))
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


def arguments_text(spec: CallSpec, args: Mapping[str, Any]) -> Iterator[str]:
    """The arguments by position; by keyword where the position reads otherwise or is not the next."""
    in_place = True
    slicing: tuple[str, ...] = ("start", "step", "count")
    for arg in spec.args:
        field = next((form for form in (arg.name, *forms(arg)) if form in args), None)
        if field is not None and isinstance(args[field], dict) and in_place:
            slicing = ()
            yield slice_text(args[field]["seq"], args)
            continue
        if field is None or (not arg.required and args[field] == arg.default):
            in_place = False
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


def slice_text(seq: int, args: Mapping[str, Any]) -> str:
    """Which blocks of the list that a row has returned."""
    start, step, count = args.get("start", 0), args.get("step", 1), args.get("count")
    last = "" if count is None else start + count * step
    return f"@{seq}[{start}:{last}:{step}]"


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
    if isinstance(value, int):
        return number_text(kind, value)
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

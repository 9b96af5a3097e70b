"""Lines of text as calls: who calls, what the result is called, the call, how often.

A line may be C as it stands in a source file (`ctext`): with declarations, casts, constants, comments and
semicolons, and with older names of a function (`oldnames`). What has no part in a simulated machine is
refused by line, with what would be accepted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, NamedTuple

from app.errors import BadArgument
from app.machine import constants, ctext, oldmasks, oldnames
from app.machine.argtext import CASTS, DELIMITER, FORMS, MASKS, NAME, inner, read
from app.machine.ctext import Malformed, Source, Statement
from app.machine.ctypes_of import CAST
from app.machine.entry import CALLS
from app.machine.kinds import KINDS
from app.machine.vocabulary import CallSpec

# A line that frees 100,000 blocks one by one, in hexadecimal, is a little shorter.
LINE_LENGTH: Final = 4 << 20
# How deep brackets may stand within brackets.
DEPTH: Final = 50

WHO: Final = re.compile(r"\s*+([A-Za-z0-9_-]*+)(?:@([0-9]{1,9}))?(?:/([a-z]++))?\s*+:")
# A call without anything of C before it.
PLAIN: Final = re.compile(rf"\s*+(?:({NAME})\s*+=(?!=)\s*+)?({NAME})\s*+\(")
NAMED: Final = re.compile(rf"\s*+({NAME})\s*+=(?!=)\s*+")
HEAD: Final = re.compile(rf"\s*+({NAME})\s*+\(")
ARGUMENT: Final = re.compile(r"([a-z_]++)\s*+=(?!=)\s*+(.*)", re.DOTALL)
REPEAT: Final = r"(?:\*\s*+([0-9]{1,15})\s*+)?"
UNTIL: Final = r"(?:until\s++(?:(NULL)|free\s*+<\s*+([0-9]{1,15}))\s*+)?"
TAIL: Final = re.compile(rf"\s*+{REPEAT}{UNTIL}")
# The address of an access begins: in brackets, or with a name.
ACCESS: Final = re.compile(r"\s*+\*\s*+(\()?\s*+")
ASSIGNED: Final = re.compile(r"\s*+(?:=(?!=)\s*+(\S.*+))?", re.DOTALL)
WORD: Final = re.compile(NAME)
MEANT: Final = re.compile(r'"[^"]*+"?|[A-Za-z_]\w*+', re.ASCII)
QUOTED: Final = re.compile(r'"[^"]{0,100}"')

# What may stand beside a call's own arguments, by keyword only.
BESIDE: Final = dict.fromkeys(("cpu", "repeat", "start", "step", "count"), "uint")
# How many arguments C's function has, or had, where that is more: what is not taken here can only be NULL.
MOST_ARGUMENTS: Final = {"kmem_cache_create": 6, "drain_all_pages": 1}


# The arguments of a call in C's order: the name of each here, and its kind; None for one that is not taken.
Positions = tuple[tuple[str, str | None], ...]


class Line(NamedTuple):
    """One call read: its name, what its result is called from now on, and its arguments as in JSON.

    name is None on a line that holds nothing but blanks, a comment or a declaration.
    """

    name: str | None
    as_name: str | None
    body: dict[str, Any]


NOTHING: Final = Line(None, None, {})


class Reader:
    """A text, line by line.

    What it calls by a name without calling a function (`int order = 3;`, `void *buf = NULL;`) stands for that
    to its end. alone: a line that stands on its own, where nothing comes after it. declares: whether anything
    was declared.
    """

    def __init__(self, *, alone: bool = False) -> None:
        self.source = Source()
        self.alone = alone
        self.declares = False
        self.meant: dict[str, str] = {}

    @property
    def begun(self) -> int:
        """On which line the statement begins that is being read."""
        return self.source.begun

    def read(self, number: int, text: str) -> Iterator[Line]:
        """The calls that end on a line.

        Raises Malformed where it is no call, BadArgument where a field cannot be; the next line can be read
        then.
        """
        if len(text) > LINE_LENGTH:
            self.source.begun = number
            raise Malformed(f"a line has at most {LINE_LENGTH} characters")
        yield from self.lines(self.source.feed(number, text))

    def finish(self) -> Iterator[Line]:
        """The call that the end of the text ends. Raises as `read` does."""
        yield from self.lines(self.source.finish())

    def lines(self, statements: Iterator[Statement]) -> Iterator[Line]:
        """The statements read. Who calls is said once for all that stand on a line."""
        who: dict[str, Any] = {}
        for statement in statements:
            line = self.statement(statement.text, who)
            if line.name is not None:
                yield line

    def statement(self, code: str, who: dict[str, Any]) -> Line:
        """One statement. who: who calls, from the statements before it on the line."""
        place = 0
        if ":" in code and (caller := WHO.match(code)) is not None:
            ctext.refuse(code)
            who.clear()
            read_who(caller, who)
            place = caller.end()
        plain = PLAIN.match(code, place)
        if plain is not None and plain[2] in CALLS:  # nearly all of them
            return self.call(code, plain[2], plain.end(), plain[1], dict(who))
        ctext.refuse(code, place)
        begin = ctext.declared(code, place)
        if begin is not None:
            self.declares = True
            if ctext.only_declares(code, begin):
                return NOTHING
            place = begin
        as_name = None
        if (named := NAMED.match(code, place)) is not None:
            as_name, place = named[1], named.end()
        elif begin is not None:
            raise ctext.no_declaration(code, begin)
        if (access := ACCESS.match(code, place)) is not None:
            return self.access(code, access, as_name, dict(who))
        place = behind_casts(code, place)
        head = HEAD.match(code, place)
        if head is None or (as_name is not None and is_constant(head[1])):
            return self.no_call(code, place, as_name, declared=begin is not None)
        return self.call(code, head[1], head.end(), as_name, dict(who))

    def call(self, code: str, name: str, place: int, as_name: str | None, body: dict[str, Any]) -> Line:
        """The call of that name, of which the arguments begin at a place, with what follows."""
        arguments, place = split(code, place)
        tail = TAIL.fullmatch(code, place)
        if tail is None:
            raise Malformed(
                f"unexpected {code[place:].strip()[:40]!r} after the call; "
                "* 1000, until NULL or until free < 1000 may stand there"
            )
        spec, kinds = called(name)
        self.read_arguments(spec, kinds, arguments, body)
        read_tail(tail, body)
        if any(arg.kind == "accesses" for arg in spec.args) and "repeat" in body:
            put(body, {"count": body.pop("repeat")})
        if spec.name == "fork" and as_name is not None:
            body.setdefault("child", as_name)
        if as_name is not None:
            self.meant.pop(as_name, None)
        return Line(spec.name, as_name, body)

    def access(self, code: str, begun: re.Match[str], as_name: str | None, body: dict[str, Any]) -> Line:
        """`*(a+4096) = 1` as a store, `x = *a` as a load."""
        place = begun.end()
        if begun[1]:
            (address, *more), place = split(code, place)
        else:
            name = WORD.match(code, place)
            if name is None:
                raise ctext.no_call(code, place)
            address, more, place = name[0], [], name.end()
        assigned = ASSIGNED.fullmatch(code, place)
        if assigned is not None and assigned[1] is not None and HEAD.match(assigned[1]) is not None:
            raise ctext.no_call(code, begun.start())
        if more or assigned is None or (as_name is None) == (assigned[1] is None):
            raise Malformed("an access is written *(a+4096) = 1 for a store, or x = *a for a load")
        spec, kinds = called("load" if as_name is not None else "store")
        arguments = [address] if assigned[1] is None else [address, assigned[1].strip()]
        self.read_arguments(spec, kinds, arguments, body)
        return Line(spec.name, as_name, body)

    def no_call(self, code: str, place: int, as_name: str | None, *, declared: bool) -> Line:
        """A statement without a call: a name for a number, a mask or NULL; else it is refused."""
        meant = None if as_name is None else meaning(self.substituted(code[place:].strip()))
        if as_name is None or meant is None:
            raise ctext.no_call(code, place)
        if self.alone and not (declared and meant == "NULL"):
            raise Malformed(
                "nothing is called here, and only within one text does a name stand for a number: "
                "write the number where it is used"
            )
        self.declares = True
        self.meant[as_name] = meant
        return NOTHING

    def substituted(self, text: str) -> str:
        """An argument in which names stand for what the text has said they mean."""
        if not self.meant or len(text) > constants.LENGTH:
            return text
        if text in self.meant:
            return self.meant[text]
        return MEANT.sub(lambda word: f"({self.meant[word[0]]})" if word[0] in self.meant else word[0], text)

    def read_arguments(
        self, spec: CallSpec, kinds: Positions, arguments: list[str], body: dict[str, Any]
    ) -> None:
        """Arguments by position, then by keyword. kinds: of each position in C's order."""
        positions = iter(without_buf(kinds) if leaves_out_buf(spec, arguments) else kinds)
        for text in arguments:
            keyword = ARGUMENT.fullmatch(text)
            if keyword is not None:
                name, value = keyword.groups()
                put(body, read_keyword(spec, name, self.substituted(value.strip())))
                continue
            position = next(positions, None)
            if position is None:
                raise BadArgument.at(
                    (), f"{spec.name} takes {len(spec.args)} arguments by position: {spec.prototype}"
                )
            value = self.substituted(text)
            name, kind = position
            if kind is not None:
                put(body, read(spec, name, kind, value))
            elif inner(value) not in ("NULL", "0"):
                what = "of no use here, in this place NULL or nothing."
                raise BadArgument.at((), f"{text[:40]!r}: {what} {spec.prototype}")


def leaves_out_buf(spec: CallSpec, arguments: list[str]) -> bool:
    """Whether a call is `read(fd, count)`, for which no memory of the process is touched."""
    plain = [text for text in arguments if ARGUMENT.fullmatch(text) is None]
    return len(plain) == 2 and any(arg.name == "buf" for arg in spec.args)


def without_buf(kinds: Positions) -> Positions:
    """The positions of such a call."""
    return tuple(position for position in kinds if position[0] != "buf")


@cache
def called(name: str) -> tuple[CallSpec, Positions]:
    """The call of that name, and what stands in which place of its arguments. Raises BadArgument.

    C's own lists may be longer than what a call takes here.
    """
    if name in CALLS:
        spec = CALLS[name]
        names = tuple(arg.name for arg in spec.args)
        names += (oldnames.NOTHING,) * (MOST_ARGUMENTS.get(name, 0) - len(names))
    elif name in oldnames.OLD:
        spec, names = CALLS[oldnames.OLD[name].name], oldnames.OLD[name].args
    else:
        raise no_function(name)
    kinds = {arg.name: arg.kind for arg in spec.args}
    return spec, tuple((one, kinds.get(one)) for one in names)


def no_function(name: str) -> BadArgument:
    """Why a function cannot be called here."""
    if name in oldnames.NO_PART:
        return BadArgument.at("call", f"{name} {oldnames.NO_PART[name]}")
    return BadArgument.at("call", f"{name[:40]!r} is no call: GET /api/v1/calls lists them", name, CALLS)


def is_constant(name: str) -> bool:
    """Whether a function has a constant for its value, and is no call."""
    return name in constants.FUNCTIONS or name == "sizeof"


def meaning(text: str) -> str | None:
    """What a name may stand for that no call has returned: a number, a mask, NULL or a text in quotes."""
    plain = inner(text)
    if plain == "NULL" or QUOTED.fullmatch(plain):
        return plain
    if any(oldmasks.known(plain, known) for known in MASKS.values()):
        return plain
    try:
        return str(constants.read(plain))
    except constants.Unknown as error:
        if error.word or not plain[:1].isdigit():
            return None
        raise Malformed(error.faults[0].msg) from None


def behind_casts(text: str, place: int) -> int:
    """Where the text goes on behind casts."""
    for _ in range(CASTS):
        cast = CAST.match(text, place)
        if cast is None:
            break
        place = cast.end()
    return place


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
            case "[" | "(":
                depth += 1
                if depth > DEPTH:
                    raise Malformed(f"brackets within brackets, to a depth of at most {DEPTH}")
            case "]":
                depth -= 1
            case ")" if depth > 0:
                depth -= 1
            case '"':
                raise Malformed("a quote is never closed")
            case "," | ")" as end if depth == 0:
                found.append(text[begin : delimiter.start()].strip())
                begin = delimiter.end()
                if end == ")":
                    return ([] if found == [""] else found), begin
    raise Malformed("the closing parenthesis is missing")


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


def read_tail(tail: re.Match[str], body: dict[str, Any]) -> None:
    """`* 1000`, `until NULL`, `until free < 1000`."""
    repeat, null, below = tail.groups()
    if repeat:
        put(body, {"repeat": int(repeat)})
    if null:
        put(body, {"until": "null"})
    if below:
        put(body, {"until": {"free_below": int(below)}})

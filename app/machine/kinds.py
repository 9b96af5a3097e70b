"""The kinds of arguments: for each, who judges a value, its JSON schema, and how it is written and asked for.

A new kind of argument is one entry of `KINDS` and its checker. A checker gets the value and the `Parser` of
its call, and raises BadArgument.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app.errors import BadArgument
from app.machine import gfp_text, user_kinds
from app.machine.calls import JSON_INT_MAX, KNOWN_NAME, MAX_REPEAT, ListOf, Reference, Word
from app.machine.checks import HEX, Schema, exactly, integer, matching, numbers
from app.machine.runs import Run
from app.machine.vocabulary import CONTEXTS, SYSCTLS
from app.mm.memory_model import MemoryModel
from app.mm.slab import SLAB_FLAGS
from app.mm.swap_info import LEAST_PAGES, MAX_PAGES
from app.mm.sysctl import THP_MODES
from app.mm.wild_page import WildPage, wild

if TYPE_CHECKING:
    from app.machine.parsing import Parser

UINT_MAX: Final = (1 << 32) - 1
INT_MAX: Final = (1 << 31) - 1
LONG_MAX: Final = (1 << 64) - 1
# No machine has more nodes, or more CPUs.
NUMBER_MAX: Final = 1023
TASK_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
REFERENCE: Final = re.compile(rf"\$({KNOWN_NAME.pattern})(?:\+([0-9]{{1,7}}))?")
FUNCTION: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
OBJECT_NAME: Final = re.compile(r"[A-Za-z0-9_.:-]{1,31}")


def check_uint(value: Any, parser: Parser) -> int:
    """unsigned int."""
    return integer(value, 0, UINT_MAX, "unsigned int")


def check_size(value: Any, parser: Parser) -> int:
    """size_t, as far as JSON can carry it. C would take a mask for a size, and the size for the mask."""
    if isinstance(value, str) and value.partition("|")[0].strip() in gfp_text.VALUE:
        raise BadArgument.at((), f"a size in bytes: {value[:40]} is a mask, which stands behind the size")
    return integer(value, 0, min(JSON_INT_MAX, parser.model.ptr_max), "a size in bytes")


def check_gfp(value: Any, parser: Parser) -> str | int:
    """A mask; kept as it was written."""
    gfp_text.parse(value)
    return value  # type: ignore[no-any-return]


def check_node(value: Any, parser: Parser) -> int:
    """A node of this machine, or NUMA_NO_NODE."""
    return integer(value, -1, parser.model.nodes - 1, "a node of this machine, or -1 for the CPU's own")


MAX_ROUNDS: Final = 1000


def check_rounds(value: Any, parser: Parser) -> int:
    """How often reclaim is run in one row."""
    return integer(value, 1, MAX_ROUNDS, "how often")


def check_cpu(value: Any, parser: Parser) -> int:
    """A CPU of this machine."""
    return integer(value, 0, parser.model.cpus - 1, "a CPU of this machine")


def check_context(value: Any, parser: Parser) -> str:
    """From where the function is called."""
    if value not in CONTEXTS:
        raise BadArgument.at((), f"one of {', '.join(CONTEXTS)}")
    return str(value)


def check_task(value: Any, parser: Parser) -> str:
    """A task's name."""
    return matching(value, TASK_NAME, "a task is named by 1 to 32 of A-Z a-z 0-9 _ -")


def check_object_name(value: Any, parser: Parser) -> str:
    """The name of a module or of a new slab cache."""
    return matching(value, OBJECT_NAME, "a name of 1 to 31 of A-Z a-z 0-9 _ . : -")


def check_slab_flags(value: Any, parser: Parser) -> str | int:
    """slab_flags_t; kept as it was written."""
    slab_flags(value)
    return value  # type: ignore[no-any-return]


def slab_flags(value: str | int) -> int:
    """The mask that a number, or SLAB_ names joined with |, stand for."""
    if not isinstance(value, str):
        return integer(value, 0, UINT_MAX, "SLAB_ names joined with |, or a number")
    if len(value) > gfp_text.TEXT_MAX:
        raise BadArgument.at((), f"flag names of at most {gfp_text.TEXT_MAX} characters")
    mask = 0
    for word in value.split("|"):
        name = word.strip()
        if name in SLAB_FLAGS:
            mask |= SLAB_FLAGS[name]
        elif (number := gfp_text.as_number(name)) is not None:
            mask |= number
        else:
            words = f"unknown flag {name[:40]!r}; known are {', '.join(SLAB_FLAGS)}"
            raise BadArgument.at((), words, name, SLAB_FLAGS)
    return mask


def check_sysctl(value: Any, parser: Parser) -> str:
    """A setting that exists; as sysctl(8) has it, with `vm.` in front, too."""
    name = value.removeprefix("vm.") if isinstance(value, str) else value
    if not isinstance(name, str) or name not in SYSCTLS:
        raise BadArgument.at((), f"one of {', '.join(SYSCTLS)}", str(value)[:80], SYSCTLS)
    return name


def check_sysctl_value(value: Any, parser: Parser) -> int | str:
    """A number, or as many numbers as the setting has."""
    name = parser.body.get("name")
    if isinstance(name, str) and name.removeprefix("vm.") == "transparent_hugepage":
        if value not in THP_MODES or not isinstance(value, str):
            raise BadArgument.at((), f"one of {', '.join(THP_MODES)}")
        return value
    wanted = SYSCTLS.get(name.removeprefix("vm."), 1) if isinstance(name, str) else 1
    words = value.split() if isinstance(value, str) and len(value) < 100 else [value]
    if not 1 <= len(words) <= wanted:
        raise BadArgument.at((), f"up to {wanted} numbers, separated by blanks")
    for word in words:
        if isinstance(word, str) and not re.fullmatch(r"-?[0-9]{1,10}", word):
            raise BadArgument.at((), "a number, or numbers separated by blanks")
        integer(int(word) if isinstance(word, str) else word, -(1 << 31), (1 << 31) - 1, "int")
    return value  # type: ignore[no-any-return]


def check_cache(value: Any, parser: Parser) -> str | Reference:
    """A cache by its name or as kmem_cache_create returned it; whether it exists is for the kernel to say."""
    if isinstance(value, Word) and value in parser.known:
        return Reference(value, word=True)
    if isinstance(value, str) and value.startswith("$"):
        return check_reference(value, parser)
    return matching(value, OBJECT_NAME, "the name of a slab cache, or what kmem_cache_create returned")


def check_function(value: Any, parser: Parser) -> str | None:
    """The name of a C function, or NULL."""
    if value is None or value == "NULL":
        return None
    return matching(value, FUNCTION, "the name of a C function, or NULL")


def check_array(value: Any, parser: Parser) -> int:
    """How many elements of an array."""
    return integer(value, 0, MAX_REPEAT, "a number of objects")


def check_number(value: Any, parser: Parser) -> int | Reference:
    """An unsigned number as such, as hex, or by the name of what returned it."""
    what = "a number, or $name of what returned one"
    if isinstance(value, str):
        if value.startswith("$") or value in parser.known:
            return check_reference(f"${value.removeprefix('$')}", parser)
        return int(matching(value, HEX, what), 16)
    return integer(value, 0, LONG_MAX, what)


def check_pfn(value: Any, parser: Parser) -> int:
    """A frame that this machine has."""
    pfn = integer(value, 0, JSON_INT_MAX, "a page frame number")
    if not parser.model.pfn_valid(pfn):
        raise BadArgument.at((), f"page frame {pfn:#x} is not in any zone of this machine")
    return pfn


def check_page(value: Any, parser: Parser) -> int | WildPage | Reference | ListOf | tuple[Run, ...] | None:
    """`struct page *` as hex, a reference, null, or the runs of a list; as a pfn."""
    if value is None:
        return None
    if isinstance(value, list):
        return check_runs(value, parser, "a page frame number", check_pfn)
    if isinstance(value, dict):
        return check_list_of(value, parser)
    if isinstance(value, str) and value.startswith("$"):
        return check_reference(value, parser)
    address = pointer(value, parser.model, "a struct page address as hex, or $name of an earlier call")
    if address == 0:
        return None
    pfn = parser.model.page_to_pfn(address)
    if pfn is not None:
        return pfn
    found = wild(parser.model, address)
    if found is None:
        raise BadArgument.at((), f"{address:#x} is not the address of a struct page of this machine")
    return found


def check_addr(value: Any, parser: Parser) -> int | Reference | ListOf | tuple[Run, ...] | None:
    """An address as hex, a reference, null, or the runs of a list."""
    if value is None:
        return None
    if isinstance(value, list):
        return check_runs(value, parser, "an address", lambda v, p: pointer(v, p.model, "an address"))
    if isinstance(value, dict):
        return check_list_of(value, parser)
    if isinstance(value, str) and value.startswith("$"):
        return check_reference(value, parser)
    return pointer(value, parser.model, "an address as a hex string, or $name of an earlier call") or None


def pointer(value: Any, model: MemoryModel, what: str) -> int:
    """A hexadecimal string that fits into a pointer."""
    address = int(matching(value, HEX, what), 16)
    if address > model.ptr_max:
        raise BadArgument.at((), f"{what}: at most {model.ptr_max:#x} on {model.arch}")
    return address


def check_runs(value: list[Any], parser: Parser, what: str, check: Callable[..., int]) -> tuple[Any, ...]:
    """A list as a journal row keeps it: `[[first, blocks], …]` or `[[first, blocks, stride], …]`."""
    if not parser.spec.frees:
        raise BadArgument.at((), f"{what}, not a list: {parser.spec.name} takes one at a time")
    if len(value) > MAX_REPEAT:
        raise BadArgument.at((), f"a list of at most {MAX_REPEAT} runs")
    runs = []
    for place, run in enumerate(value):
        if not isinstance(run, list) or not 2 <= len(run) <= 3:
            raise BadArgument.at((place,), f"[{what}, number of blocks]")
        rest = [integer(number, 1, JSON_INT_MAX, "number of blocks") for number in run[1:]]
        try:
            runs.append((check(run[0], parser), *rest))
        except BadArgument as error:
            raise error.under(place, 0) from None
    if sum(run[1] for run in runs) > MAX_REPEAT:
        raise BadArgument.at((), f"at most {MAX_REPEAT} blocks in one call")
    return tuple(runs)


def check_list_of(value: dict[str, Any], parser: Parser) -> ListOf:
    """`{"seq": 41}`, of a call that takes a list."""
    if not parser.spec.frees:
        raise BadArgument.at((), f"one at a time, not a list: {parser.spec.name}")
    if set(value) != {"seq"}:
        raise BadArgument.at((), '{"seq": the row that returned the list}')
    return ListOf(integer(value["seq"], -JSON_INT_MAX, JSON_INT_MAX, "the seq of a row"))


def check_reference(value: str, parser: Parser) -> Reference:
    """`$name` or `$name+3` of a name that stands for something."""
    match = REFERENCE.fullmatch(value)
    if match is None:
        raise BadArgument.at((), "a reference is $name or $name+3")
    name, offset = match.groups()
    user_kinds.require_known(name, parser)
    return Reference(name, int(offset or 0))


def check_repeat(value: Any, parser: Parser) -> int:
    """How often an allocating call is made."""
    return integer(value, 1, MAX_REPEAT, "how many times")


def check_until(value: Any, parser: Parser) -> str | int:
    """`"null"`, or the number of free frames below which to stop."""
    if value == "null":
        return "null"
    if isinstance(value, dict) and set(value) == {"free_below"}:
        return integer(value["free_below"], 0, JSON_INT_MAX, "free frames")
    raise BadArgument.at((), 'either "null" or {"free_below": number of frames}')


def check_index(value: Any, parser: Parser) -> int:
    """A place in a list, or how many of it."""
    return integer(value, 0, MAX_REPEAT, "a number of blocks")


def check_step(value: Any, parser: Parser) -> int:
    """Every how many-th block."""
    return integer(value, 1, MAX_REPEAT, "a step")


# -- the table -----------------------------------------------------------------------------------

POINTER: Final[Schema] = exactly(rf"0x[0-9a-fA-F]{{1,16}}|{REFERENCE.pattern}")
MASK: Final[Schema] = {"anyOf": [{"type": "string"}, numbers(0, gfp_text.GFP_MAX)]}
ONE: Final[Schema] = {"anyOf": [POINTER, {"type": "null"}]}
NAME_ONLY: Final[Schema] = exactly(rf"\${KNOWN_NAME.pattern}")
USER_ADDR: Final[Schema] = {
    "anyOf": [
        exactly(
            r"0x[0-9a-fA-F]{1,16}"
            rf"|\${KNOWN_NAME.pattern}"
            r"(?:[+-](?:0x[0-9a-fA-F]{1,16}|[0-9]{1,19})[KMG]?)?"
        ),
        numbers(0, JSON_INT_MAX),
        {"type": "null"},
    ]
}
FREE_BELOW: Final[Schema] = {
    "type": "object",
    "properties": {"free_below": numbers(0, JSON_INT_MAX)},
    "required": ["free_below"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """A kind of argument.

    check: judges a value. schema: of its JSON. number: how a number is written in the text form: `plain`,
    `hex` or `size` (with K, M, G); empty where the text is taken as it is. pointer: whether it may be a name,
    an offset or a list. forms: the fields of which exactly one is given, where the argument's own name is
    not simply the field. choices: what a form lets choose from.
    """

    check: Callable[[Any, Parser], Any]
    schema: Schema
    number: str = ""
    pointer: bool = False
    forms: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


KINDS: Final[dict[str, Kind]] = {
    "uint": Kind(check_uint, numbers(0, UINT_MAX), number="plain"),
    "size": Kind(check_size, numbers(0, JSON_INT_MAX), number="size"),
    "gfp": Kind(check_gfp, MASK, number="hex"),
    "node": Kind(check_node, numbers(-1, NUMBER_MAX), number="plain"),
    "array": Kind(check_array, numbers(0, MAX_REPEAT), number="plain"),
    "number": Kind(check_number, {"anyOf": [POINTER, numbers(0, JSON_INT_MAX)]}, number="hex"),
    "function": Kind(check_function, {"anyOf": [exactly(FUNCTION.pattern), {"type": "null"}]}),
    "task": Kind(check_task, exactly(TASK_NAME.pattern)),
    "object_name": Kind(check_object_name, exactly(OBJECT_NAME.pattern)),
    "slab_flags": Kind(check_slab_flags, MASK, number="hex"),
    "sysctl": Kind(
        check_sysctl,
        {"type": "string", "enum": [*SYSCTLS, *(f"vm.{name}" for name in SYSCTLS)]},
        choices=tuple(SYSCTLS),
    ),
    "sysctl_value": Kind(
        check_sysctl_value, {"anyOf": [{"type": "string"}, numbers(-INT_MAX - 1, INT_MAX)]}, number="plain"
    ),
    "cache": Kind(check_cache, exactly(rf"{OBJECT_NAME.pattern}|\${KNOWN_NAME.pattern}")),
    # Memory: a page in one of several fields, and those fields.
    "page": Kind(check_page, ONE, pointer=True, forms=("pfn", "page")),
    "page_or_addr": Kind(check_page, ONE, pointer=True, forms=("pfn", "page", "addr")),
    "addr": Kind(check_addr, ONE, pointer=True),
    "pfn": Kind(check_pfn, numbers(0, JSON_INT_MAX), number="hex", pointer=True),
    # Of system calls.
    "user_addr": Kind(user_kinds.check_user_addr, USER_ADDR, number="hex"),
    "fd": Kind(user_kinds.check_fd, {"anyOf": [NAME_ONLY, numbers(-INT_MAX - 1, INT_MAX)]}, number="plain"),
    "length": Kind(user_kinds.check_length, numbers(0, JSON_INT_MAX), number="size"),
    "offset": Kind(
        user_kinds.check_offset, {"anyOf": [numbers(0, JSON_INT_MAX), {"type": "null"}]}, number="size"
    ),
    "loff": Kind(user_kinds.check_loff, numbers(-JSON_INT_MAX, JSON_INT_MAX), number="size"),
    "accesses": Kind(user_kinds.check_accesses, numbers(1, user_kinds.MAX_ACCESSES), number="plain"),
    "rounds": Kind(check_rounds, numbers(1, MAX_ROUNDS), number="plain"),
    "access_step": Kind(user_kinds.check_access_step, numbers(0, JSON_INT_MAX), number="size"),
    "byte": Kind(user_kinds.check_byte, numbers(0, 255), number="plain"),
    "status": Kind(user_kinds.check_status, numbers(-INT_MAX - 1, INT_MAX), number="plain"),
    "path": Kind(user_kinds.check_path, exactly(user_kinds.PATH.pattern)),
    "bool": Kind(user_kinds.check_bool, {"type": "boolean"}, choices=("true", "false")),
    "swap_pages": Kind(
        user_kinds.check_swap_pages,
        {"anyOf": [numbers(LEAST_PAGES, MAX_PAGES), {"type": "null"}]},
        number="plain",
    ),
    "program": Kind(user_kinds.check_program, exactly("/bin/[A-Za-z0-9._-]+")),
    **{kind: Kind(user_kinds.check_flags(kind), MASK, number="hex") for kind in user_kinds.FLAGS},
    # What stands beside a call's own arguments.
    "cpu": Kind(check_cpu, numbers(0, NUMBER_MAX), number="plain"),
    "context": Kind(check_context, {"type": "string", "enum": list(CONTEXTS)}, choices=CONTEXTS),
    "repeat": Kind(check_repeat, numbers(1, MAX_REPEAT), number="plain"),
    "until": Kind(check_until, {"anyOf": [{"const": "null"}, FREE_BELOW]}),
    "index": Kind(check_index, numbers(0, MAX_REPEAT), number="plain"),
    "step": Kind(check_step, numbers(1, MAX_REPEAT), number="plain"),
}

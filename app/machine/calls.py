"""Calls as values: parsed from JSON, resolved against names, applied to a machine, written to the journal.

`parse` judges a call by its text and the machine's fixed shape alone; whatever depends on the machine's state
is left to the kernel. A call may refer to results of earlier ones (`"$p"`, `"$p+3"`, `"$fill"`);
`Call.resolve` puts the values in, so that a journalled call stands on its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from app.errors import BadArgument, Faults
from app.machine import gfp_text
from app.machine import runs as block_runs
from app.machine.runs import Run
from app.machine.vocabulary import CALLS, CONTEXTS, SYSCTLS, Arg, CallSpec
from app.mm.memory_model import MemoryModel
from app.mm.slab import SLAB_FLAGS

JSON_INT_MAX: Final = (1 << 53) - 1
UINT_MAX: Final = (1 << 32) - 1
MAX_REPEAT: Final = 100_000
MAX_FRAMES_PER_CALL: Final = 1 << 20
TASK_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
REFERENCE: Final = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]{0,31})(?:\+([0-9]{1,7}))?")
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}")
OBJECT_NAME: Final = re.compile(r"[A-Za-z0-9_.:-]{1,31}")
HEX: Final = re.compile(r"0x[0-9a-fA-F]{1,16}")


@dataclass(slots=True)
class Named:
    """What a name stands for: the result of an earlier call.

    kind: `page` (one block of 2^order frames), `addr` (an address), `pages` or `addrs` (what a repeated call
    returned). Exactly one of pfn, addr and runs is given; a NULL result has none. stride: bytes between the
    blocks of an `addrs` run. seq: the row that returned it, where that is known.

    A list that the journal keeps (`listed`) is named without its runs: blocks says how many it has, sha256
    which list it is. Runs of a hundred thousand blocks take megabytes, and a person may have many names.
    """

    kind: str
    pfn: int | None = None
    addr: int | None = None
    order: int = 0
    runs: tuple[tuple[int, int], ...] | None = None
    stride: int = 0
    blocks: int | None = None
    sha256: str | None = None
    seq: int | None = None

    @property
    def is_list(self) -> bool:
        """Whether it stands for what a repeated call returned."""
        return self.kind in ("pages", "addrs")

    @property
    def length(self) -> int:
        """How many blocks a list has."""
        return self.blocks if self.blocks is not None else block_runs.length(self.runs or ())

    def listed(self, sha256: str, seq: int) -> Named:
        """The same list, kept in the journal as what row `seq` returned."""
        return replace(self, runs=None, blocks=self.length, sha256=sha256, seq=seq)

    def as_json(self) -> dict[str, Any]:
        """The form in which names are stored."""
        doc: dict[str, Any] = {
            "kind": self.kind,
            "pfn": self.pfn,
            "addr": self.addr,
            "order": self.order,
            "runs": None if self.runs is None else [list(run) for run in self.runs],
            "stride": self.stride,
        }
        if self.blocks is not None:
            doc |= {"blocks": self.blocks, "sha256": self.sha256}
        if self.seq is not None:
            doc["seq"] = self.seq
        return doc

    @classmethod
    def from_json(cls, doc: Mapping[str, Any]) -> Named:
        """Inverse of `as_json`."""
        runs = doc["runs"]
        return cls(
            doc["kind"],
            doc["pfn"],
            doc["addr"],
            doc["order"],
            None if runs is None else tuple((run[0], run[1]) for run in runs),
            doc["stride"],
            doc.get("blocks"),
            doc.get("sha256"),
            doc.get("seq"),
        )


@dataclass(frozen=True, slots=True)
class Reference:
    """`$name`, `$name+3`: to be replaced by what the name stands for when the call's turn comes."""

    name: str
    offset: int = 0


@dataclass(frozen=True, slots=True)
class ListOf:
    """`{"seq": 41}`: the list of blocks that row 41 of the same journal returned.

    A session that goes on from another's state has lists of its own from the beginning, those that its names
    stand for: they are numbered below 1.
    """

    seq: int


@dataclass(frozen=True, slots=True)
class BlockList:
    """What a repeated call returned. kind: `pages` or `addrs`. order: of each block, for pages.

    stride: bytes from one block to the next of a run, for addresses.
    """

    kind: str
    order: int
    stride: int
    runs: tuple[tuple[int, int], ...]

    def given_as(self, key: str, model: MemoryModel) -> tuple[Run, ...]:
        """The runs as the argument `key` wants them. Raises BadArgument."""
        if self.kind == "addrs":
            if key == "page":
                raise BadArgument.at("page", "a list of addresses, where pages are asked for")
            return tuple((first, blocks, self.stride) for first, blocks in self.runs)
        if key == "page":
            return tuple((first, blocks, 1 << self.order) for first, blocks in self.runs)
        return tuple(
            (model.page_offset + (first << 12), blocks, 4096 << self.order) for first, blocks in self.runs
        )


# Finds the list that a row returned; None where it returned none.
Lists = Callable[[int], BlockList | None]


def no_lists(_seq: int) -> BlockList | None:
    """For a machine without a journal."""
    return None


@dataclass(slots=True)
class Call:
    """One kernel function with its arguments and who calls it from where.

    args: checked values by argument name. Pages are under `page` as a pfn, None for the NULL page, or a tuple
    of `(pfn, blocks)` runs; addresses under `addr` as an int, None for NULL, or a tuple of `(address,
    blocks)` runs; masks as they were written. repeat, until: an allocating call in a loop. start, step,
    count: which blocks of a list to free. list_of: the row that returned this list, which is then written
    down instead of the runs. text: `as_json` as JSON text, for whoever has written it once.
    """

    spec: CallSpec
    args: dict[str, Any]
    task: str = "init"
    cpu: int = 0
    context: str = "process"
    repeat: int | None = None
    until: str | int | None = None
    start: int = 0
    step: int = 1
    count: int | None = None
    list_of: int | None = None
    text: str | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        """The kernel function's name."""
        return self.spec.name

    @property
    def many(self) -> bool:
        """Whether one row stands for a loop of allocations."""
        return self.repeat is not None or self.until is not None

    def mask(self, arg: str = "gfp") -> int:
        """A gfp argument as a number."""
        return gfp_text.parse(self.args[arg])

    def resolve(self, names: Mapping[str, Named], model: MemoryModel, lists: Lists = no_lists) -> Call:
        """The same call with every reference replaced by its value. Raises BadArgument."""
        for value in self.args.values():
            if isinstance(value, (Reference, ListOf)):
                break
        else:
            return self
        args = {}
        list_of = None
        for key, value in self.args.items():
            if isinstance(value, Reference):
                key, value = dereference(self.spec, key, value, names, model)  # noqa: PLW2901
            if isinstance(value, ListOf):
                list_of = value.seq
                key, value = blocks_of(self.spec, key, value, lists, model)  # noqa: PLW2901
            args[key] = value
        resolved = Call(
            self.spec,
            args,
            self.task,
            self.cpu,
            self.context,
            self.repeat,
            self.until,
            self.start,
            self.step,
            self.count,
            list_of,
        )
        value = args.get("page", args.get("addr"))
        return select(resolved, value, model) if isinstance(value, tuple) else resolved

    def as_json(self, model: MemoryModel) -> dict[str, Any]:
        """The arguments as an outcome shows them and the journal keeps them; `parse` reads them back."""
        doc: dict[str, Any] = {}
        for key, value in self.args.items():
            if self.list_of is not None and key in ("page", "addr"):
                doc[key] = {"seq": self.list_of}
            elif key == "page":
                doc.update(page_as_json(value, model))
            elif key == "addr":
                doc["addr"] = addr_as_json(value)
            else:
                doc[key] = value
        if self.list_of is not None:
            doc |= {"start": self.start, "step": self.step, "count": self.count}
        if self.repeat is not None:
            doc["repeat"] = self.repeat
        if self.until is not None:
            doc["until"] = self.until if isinstance(self.until, str) else {"free_below": self.until}
        if "task" not in doc:
            doc["task"] = self.task
        doc["cpu"] = self.cpu
        doc["context"] = self.context
        return doc


def page_as_json(value: int | tuple[tuple[int, int], ...] | None, model: MemoryModel) -> dict[str, Any]:
    """A page argument: its pfn, NULL as a null `page`, a list as runs."""
    if isinstance(value, int):
        return {"pfn": value}
    return {"page": None if value is None else [list(run) for run in value]}


def addr_as_json(value: int | tuple[tuple[int, int], ...] | None) -> Any:
    """An address argument: hexadecimal, null for NULL, a list as runs of hexadecimal addresses."""
    if value is None:
        return None
    if isinstance(value, int):
        return f"{value:#x}"
    return [[f"{address:#x}", *rest] for address, *rest in value]


# -- parsing -------------------------------------------------------------------------------------


def parse(name: str, body: Mapping[str, Any], model: MemoryModel, known: Container[str] = ()) -> Call:
    """A call from its JSON arguments.

    name: a key of `CALLS`. body: the arguments with `task`, `cpu`, `context`, and `repeat`/`until` or
    `start`/`step`/ `count` where the call takes them. known: names that references may use. Raises
    BadArgument with every field at fault.
    """
    spec = CALLS[name]
    parser = Parser(spec, body, model, known)
    return parser.call()


class Parser:
    """Collects all faults of one call, so that a person can mend them at once."""

    def __init__(
        self, spec: CallSpec, body: Mapping[str, Any], model: MemoryModel, known: Container[str]
    ) -> None:
        self.spec = spec
        self.body = body
        self.model = model
        self.known = known
        self.faults = Faults()
        self.used: set[str] = set()

    def call(self) -> Call:
        """The parsed call; raises BadArgument when anything was at fault."""
        args: dict[str, Any] = {}
        for arg in self.spec.args:
            if arg.kind in ("page", "page_or_addr"):
                self.page(arg, args)
            else:
                args[arg.name] = self.field(arg.name, CHECKERS[arg.kind], arg)
        given = self.body
        call = Call(self.spec, args)
        # Most calls say little of this.
        if "task" in given and "task" not in args:
            call.task = self.field("task", check_task, _TASK)
        if "cpu" in given:
            call.cpu = self.field("cpu", check_cpu, _CPU)
        if "context" in given:
            call.context = self.field("context", check_context, _CONTEXT)
        if self.spec.allocates and ("repeat" in given or "until" in given):
            call.repeat, call.until = self.loop(args)
        elif self.spec.frees and ("start" in given or "step" in given or "count" in given):
            call.start, call.step, call.count = self.slice()
        for key in self.body:
            if key not in self.used:
                self.faults.add(str(key), f"{self.spec.name} takes no such argument")
        self.faults.check()
        value = args.get("page", args.get("addr"))
        return select(call, value, self.model) if isinstance(value, tuple) else call

    def field(self, name: str, check: Callable[..., Any], arg: Arg) -> Any:
        """One checked field, or its default."""
        self.used.add(name)
        if name not in self.body:
            if arg.required:
                self.faults.add(name, f"required: {arg.doc}")
            return arg.default
        try:
            return check(self.body[name], self)
        except BadArgument as error:
            self.faults.extend(error.under(name))
            return arg.default

    def page(self, arg: Arg, args: dict[str, Any]) -> None:
        """Exactly one of `pfn`, `page` and, where the call takes one, `addr`."""
        forms = ("pfn", "page", "addr") if arg.kind == "page_or_addr" else ("pfn", "page")
        given = [form for form in forms if form in self.body]
        self.used.update(forms)
        if len(given) != 1:
            self.faults.add(given[1] if given else forms[0], f"give exactly one of {', '.join(forms)}")
            return
        check = {"pfn": check_pfn, "page": check_page, "addr": check_addr}[given[0]]
        value = self.field(given[0], check, arg)
        args["addr" if given[0] == "addr" else "page"] = value

    def loop(self, args: Mapping[str, Any]) -> tuple[int | None, str | int | None]:
        """`repeat` and `until` of an allocating call, bounded by the frames they may touch.

        What a single round asks for is the kernel's to refuse, whether or not `repeat` says that it is one.
        """
        repeat = self.field("repeat", check_repeat, _REPEAT)
        until = self.field("until", check_until, _UNTIL)
        frames = frames_of(args)
        if repeat is not None and repeat > 1 and frames * repeat > MAX_FRAMES_PER_CALL:
            self.faults.add(
                "repeat",
                f"one call may touch {MAX_FRAMES_PER_CALL} frames; this one asks for {frames * repeat}",
            )
        if repeat is None and until is not None:
            repeat = longest_loop(frames)
        return repeat, until

    def slice(self) -> tuple[int, int, int | None]:
        """`start`, `step` and `count` of a call that frees a list."""
        return (
            self.field("start", check_index, _START),
            self.field("step", check_step, _STEP),
            self.field("count", check_index, _COUNT),
        )


_TASK = Arg("task", "task", "struct task_struct *", "who calls", False, "init")
_CPU = Arg("cpu", "cpu", "int", "on which CPU", False, 0)
_CONTEXT = Arg("context", "context", "", "from which context", False, "process")
_REPEAT = Arg("repeat", "repeat", "int", "how many times", False, None)
_UNTIL = Arg("until", "until", "", "when to stop early", False, None)
_START = Arg("start", "index", "int", "first block of the list", False, 0)
_STEP = Arg("step", "index", "int", "every how many-th block", False, 1)
_COUNT = Arg("count", "index", "int", "how many blocks at most", False, None)


def longest_loop(frames: int) -> int:
    """How often a call that asks for so many frames is made at most, where only `until` says when to stop."""
    return max(1, min(MAX_REPEAT, MAX_FRAMES_PER_CALL // frames))


def frames_of(args: Mapping[str, Any]) -> int:
    """Page frames that one round of an allocating call asks for, at least."""
    order, size = args.get("order"), args.get("size")
    if isinstance(order, int):
        return 1 << min(order, 10)
    return max(1, (size or 0) >> 12)


def integer(value: Any, low: int, high: int, what: str) -> int:
    """A JSON integer within the C type's range."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadArgument.at((), f"{what}: an integer from {low} to {high}")
    return value


def check_uint(value: Any, parser: Parser) -> int:
    """unsigned int."""
    return integer(value, 0, UINT_MAX, "unsigned int")


def check_size(value: Any, parser: Parser) -> int:
    """size_t, as far as JSON can carry it."""
    return integer(value, 0, min(JSON_INT_MAX, parser.model.ptr_max), "a size in bytes")


def check_gfp(value: Any, parser: Parser) -> str | int:
    """A mask; kept as it was written."""
    gfp_text.parse(value)
    return value  # type: ignore[no-any-return]


def check_node(value: Any, parser: Parser) -> int:
    """A node of this machine, or NUMA_NO_NODE."""
    return integer(value, -1, parser.model.nodes - 1, "a node of this machine, or -1 for the CPU's own")


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


def matching(value: Any, pattern: re.Pattern[str], what: str) -> str:
    """A string of the given form."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise BadArgument.at((), what)
    return value


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
            raise BadArgument.at((), f"unknown flag {name[:40]!r}; known are {', '.join(SLAB_FLAGS)}")
    return mask


def check_sysctl(value: Any, parser: Parser) -> str:
    """A setting that exists."""
    if not isinstance(value, str) or value not in SYSCTLS:
        raise BadArgument.at((), f"one of {', '.join(SYSCTLS)}")
    return value


def check_sysctl_value(value: Any, parser: Parser) -> int | str:
    """A number, or as many numbers as the setting has."""
    name = parser.body.get("name")
    wanted = SYSCTLS.get(name, 1) if isinstance(name, str) else 1
    words = value.split() if isinstance(value, str) and len(value) < 100 else [value]
    if not 1 <= len(words) <= wanted:
        raise BadArgument.at((), f"up to {wanted} numbers, separated by blanks")
    for word in words:
        if isinstance(word, str) and not re.fullmatch(r"-?[0-9]{1,10}", word):
            raise BadArgument.at((), "a number, or numbers separated by blanks")
        integer(int(word) if isinstance(word, str) else word, -(1 << 31), (1 << 31) - 1, "int")
    return value  # type: ignore[no-any-return]


def check_cache(value: Any, parser: Parser) -> str:
    """A cache by name; whether it still exists is for the kernel to say."""
    return matching(value, OBJECT_NAME, "the name of a slab cache")


def check_pfn(value: Any, parser: Parser) -> int:
    """A frame that this machine has."""
    pfn = integer(value, 0, JSON_INT_MAX, "a page frame number")
    if not parser.model.pfn_valid(pfn):
        raise BadArgument.at((), f"page frame {pfn:#x} is not in any zone of this machine")
    return pfn


def check_page(value: Any, parser: Parser) -> int | Reference | ListOf | tuple[Run, ...] | None:
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
    if pfn is None:
        raise BadArgument.at((), f"{address:#x} is not the address of a struct page of this machine")
    return pfn


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
    if name not in parser.known:
        raise BadArgument.at((), f"nothing is named {name!r} here")
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


CHECKERS: Final[dict[str, Callable[[Any, Parser], Any]]] = {
    "uint": check_uint,
    "size": check_size,
    "gfp": check_gfp,
    "node": check_node,
    "task": check_task,
    "object_name": check_object_name,
    "slab_flags": check_slab_flags,
    "sysctl": check_sysctl,
    "sysctl_value": check_sysctl_value,
    "cache": check_cache,
    "addr": check_addr,
}


# -- references and lists ------------------------------------------------------------------------


def dereference(
    spec: CallSpec, key: str, ref: Reference, names: Mapping[str, Named], model: MemoryModel
) -> tuple[str, Any]:
    """The argument's name and value that a reference stands for: a page, or its address."""
    named = names.get(ref.name)
    if named is None:
        raise BadArgument.at(key, f"nothing is named {ref.name!r} here: everybody gives names of their own")
    if key == "page" and named.pfn is not None and named.kind == "page" and not ref.offset:
        return key, named.pfn  # which is nearly always so, and what the rest would come to
    if spec.wants == "both":
        null = named.pfn is None and not named.is_list
        by_address = named.kind in ("addr", "addrs") or (null and "struct page" not in spec.prototype)
        key = "addr" if by_address else "page"
    if named.is_list:
        if not spec.frees:
            raise BadArgument.at(key, f"${ref.name} is a list; {spec.name} takes one at a time")
        if ref.offset:
            raise BadArgument.at(key, f"${ref.name} is a list: take one of it with start and count")
        if named.seq is not None and named.blocks is not None:
            return key, ListOf(named.seq)
        return key, BlockList(named.kind, named.order, named.stride, named.runs or ()).given_as(key, model)
    return key, page_of(named, ref, model) if key == "page" else addr_of(named, ref, model)


def page_of(named: Named, ref: Reference, model: MemoryModel) -> int | None:
    """A result as a page: `$p+3` counts in frames."""
    pfn = named.pfn
    if pfn is None and named.addr is not None:
        pfn = model.virt_to_pfn(named.addr)
        if pfn is None:
            raise BadArgument.at(
                "page", f"${ref.name} is an address outside the direct map: it has no struct page there"
            )
    if pfn is None:
        return None
    if not model.pfn_valid(pfn + ref.offset):
        raise BadArgument.at("page", f"${ref.name}+{ref.offset} is outside every zone of this machine")
    return pfn + ref.offset


def addr_of(named: Named, ref: Reference, model: MemoryModel) -> int | None:
    """A result as an address: `$p+3` counts in frames for a page, in bytes for an address."""
    if named.pfn is not None:
        if not model.pfn_valid(named.pfn + ref.offset):
            raise BadArgument.at("addr", f"${ref.name}+{ref.offset} is outside every zone of this machine")
        return model.pfn_to_virt(named.pfn + ref.offset)
    return None if named.addr is None else named.addr + ref.offset


def blocks_of(
    spec: CallSpec, key: str, of: ListOf, lists: Lists, model: MemoryModel
) -> tuple[str, tuple[Run, ...]]:
    """The argument's name and the runs of a list that the journal keeps. Raises BadArgument."""
    found = lists(of.seq)
    if found is None:
        raise BadArgument.at(key, f"row {of.seq} of this session has returned no list")
    if spec.wants == "both":
        key = "addr" if found.kind == "addrs" else "page"
    return key, found.given_as(key, model)


def select(call: Call, runs: tuple[tuple[int, ...], ...], model: MemoryModel) -> Call:
    """A call that frees a list, with `start`, `step` and `count` applied."""
    key = "page" if "page" in call.args else "addr"
    unit = frames_of(call.args) if key == "page" else 1
    given = ((first, blocks, rest[0] if rest else unit) for first, blocks, *rest in runs)
    picked = block_runs.select(given, call.start, call.step, call.count)
    check_selected(call, key, picked, model)
    args = {**call.args, key: picked}
    if call.list_of is not None:
        return replace(call, args=args, count=block_runs.length(picked), text=None)
    return replace(call, args=args, start=0, step=1, count=None, text=None)


def check_selected(call: Call, key: str, picked: tuple[Run, ...], model: MemoryModel) -> None:
    """Refuse a list with a page that this machine does not have, or of too many frames for one call."""
    frames = frames_of(call.args) * block_runs.length(picked)
    if frames > MAX_FRAMES_PER_CALL:
        raise BadArgument.at(
            key, f"one call may touch {MAX_FRAMES_PER_CALL} frames; these blocks have {frames}"
        )
    for run in picked:
        first, blocks, distance = run
        last = first + (blocks - 1) * distance
        if key == "addr" and last > model.ptr_max:
            raise BadArgument.at(key, f"{last:#x} is beyond the last address")
        if key == "page":
            outside = block_runs.first_outside(run, model.spans)
            if outside is not None:
                raise BadArgument.at(key, f"page frame {outside:#x} is not in any zone of this machine")

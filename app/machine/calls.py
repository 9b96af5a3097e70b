"""Calls as values: resolved against names, applied to a machine, written to the journal.

A call may refer to results of earlier ones (`"$p"`, `"$p+3"`, `"$fill"`); `Call.resolve` puts the values in,
so that a journalled call stands on its own. `app.machine.parsing` makes calls of JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from app.errors import BadArgument
from app.machine import gfp_text
from app.machine import runs as block_runs
from app.machine.runs import Run
from app.machine.vocabulary import CallSpec
from app.mm.memory_model import MemoryModel
from app.mm.wild_page import WildPage, wild

JSON_INT_MAX: Final = (1 << 53) - 1
MAX_REPEAT: Final = 100_000
MAX_FRAMES_PER_CALL: Final = 1 << 20
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}")
# `m1.p`: what another person has named p, behind the number that rows have of them.
KNOWN_NAME: Final = re.compile(rf"(?:[im][0-9]{{1,7}}\.)?{NAME.pattern}")
# As `Reference.text` gives it.
WRITTEN: Final = re.compile(rf"(?:{KNOWN_NAME.pattern})(?:[+-][0-9]{{1,16}})?")
# Addresses of processes, beside `addr`.
USER_POINTERS: Final = frozenset(("buf", "new_addr"))


class Word(str):
    """A word of a line that is not in quotes: in C it would be the name of a variable."""

    __slots__ = ()


@dataclass(slots=True)
class Named:
    """What a name stands for: the result of an earlier call.

    kind: `page` (one block of 2^order frames), `addr` (an address), `cache` (the address of a slab cache),
    `number` (under addr), `user` (an address of a process), `pid` and `fd` (under addr), `pages` or `addrs`
    (what a repeated call returned). Exactly one of pfn, addr and
    runs is given; a NULL result has none. stride: bytes between the blocks of an `addrs` run. seq: the row
    that returned it, where that is known.

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
    """`$name`, `$name+3`: to be replaced by what the name stands for when the call's turn comes.

    word: where it is no name of a cache that a call returned, it is itself the name that a cache was given.
    """

    name: str
    offset: int = 0
    word: bool = False

    @property
    def text(self) -> str:
        """As C writes it: `p`, `p+3`."""
        return f"{self.name}{self.offset:+d}" if self.offset else self.name


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

    def given_as(self, key: str, model: MemoryModel, rules: int) -> tuple[Run, ...]:
        """The runs as the argument `key` wants them. Raises BadArgument."""
        if self.kind == "addrs":
            if key == "page":
                raise BadArgument.at("page", "a list of addresses, where pages are asked for")
            return tuple((first, blocks, self.stride) for first, blocks in self.runs)
        if key == "page":
            return tuple((first, blocks, 1 << self.order) for first, blocks in self.runs)
        if rules >= 2:
            size = model.sizeof_page << self.order
            return tuple((model.pfn_to_page(first), blocks, size) for first, blocks in self.runs)
        return tuple(
            (model.page_offset + (first << 12), blocks, 4096 << self.order) for first, blocks in self.runs
        )


# What an argument is until the call is resolved, if it is not its value.
BY_REFERENCE: Final = frozenset((Reference, ListOf))

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
    down instead of the runs. written: how arguments were written that were given by a name, for the reader
    of the journal; calls are made from their values. text: `as_json` as JSON text, for whoever has written
    it once.
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
    written: dict[str, str] | None = field(default=None, compare=False)
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

    def resolve(
        self, names: Mapping[str, Named], model: MemoryModel, lists: Lists = no_lists, rules: int = 1
    ) -> Call:
        """The same call with every reference replaced by its value. Raises BadArgument.

        rules: the machine's rule set, which says whether pages and addresses stand for each other.
        """
        for value in self.args.values():
            if type(value) in BY_REFERENCE:
                break
        else:
            return self
        args = {}
        list_of = None
        written = {}
        for key, value in self.args.items():
            if type(value) is Reference:
                ref = value
                key, value = dereference(self.spec, key, ref, names, model, rules)  # noqa: PLW2901
                if value != ref.name:  # the name of a cache, which is itself
                    written[key] = ref.text
            if type(value) is ListOf:
                list_of = value.seq
                key, value = blocks_of(self.spec, key, value, lists, model, rules)  # noqa: PLW2901
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
            written or None,
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
            elif key in USER_POINTERS and value is not None:
                doc[key] = f"{value:#x}"
            elif value is not None:
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


def page_as_json(
    value: int | WildPage | tuple[tuple[int, int], ...] | None, model: MemoryModel
) -> dict[str, Any]:
    """A page argument: its pfn, NULL as a null `page`, a list as runs, a pointer to no page as it is."""
    if isinstance(value, WildPage):
        return {"page": f"{value.address:#x}"}
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


def longest_loop(frames: int) -> int:
    """How often a call that asks for so many frames is made at most, where only `until` says when to stop."""
    return max(1, min(MAX_REPEAT, MAX_FRAMES_PER_CALL // frames))


# -- references and lists ------------------------------------------------------------------------


def dereference(
    spec: CallSpec, key: str, ref: Reference, names: Mapping[str, Named], model: MemoryModel, rules: int
) -> tuple[str, Any]:
    """The argument's name and value that a reference stands for: a page, or its address."""
    named = names.get(ref.name)
    if key == "cache":
        return key, cache_of(ref, named)
    if named is None:
        raise BadArgument.at(key, f"nothing is named {ref.name!r} here: everybody gives names of their own")
    pages = key == "page" and (rules < 2 or spec.native == "page")
    if pages and named.pfn is not None and named.kind == "page" and not ref.offset:
        return key, named.pfn  # which is nearly always so, and what the rest would come to
    if spec.takes_number(key):
        return key, number_of(named, ref)
    if spec.takes_user_value(key):
        return key, user_value(named, ref, model)
    if rules >= 2 and spec.wants == "both":
        key = spec.native or key
    elif spec.wants == "both":
        null = named.pfn is None and not named.is_list
        by_address = named.kind in ("addr", "addrs") or (null and spec.native == "addr")
        key = "addr" if by_address else "page"
    if named.is_list:
        if not spec.frees:
            raise BadArgument.at(key, f"${ref.name} is a list; {spec.name} takes one at a time")
        if ref.offset:
            raise BadArgument.at(key, f"${ref.name} is a list: take one of it with start and count")
        if named.seq is not None and named.blocks is not None:
            return key, ListOf(named.seq)
        return key, BlockList(named.kind, named.order, named.stride, named.runs or ()).given_as(
            key, model, rules
        )
    if rules >= 2 and named.pfn is None and named.addr is not None and key == "page":
        return key, pointed_at(named.addr + ref.offset, ref, model)
    if rules >= 2 and named.pfn is not None and key == "addr":
        return key, model.pfn_to_page(frame_of(named.pfn, ref, key, model))
    return key, page_of(named, ref, model) if key == "page" else addr_of(named, ref, model)


def cache_of(ref: Reference, named: Named | None) -> str:
    """The pointer to a cache that a name stands for, or the word as the cache's own name."""
    if named is not None and named.kind == "cache":
        return f"{named.addr or 0:#x}"
    if ref.word:
        return ref.name
    raise BadArgument.at("cache", f"${ref.name} is not what kmem_cache_create returned")


def pointed_at(address: int, ref: Reference, model: MemoryModel) -> int | WildPage:
    """An address as the `struct page *` for which C would take it."""
    pfn = model.page_to_pfn(address)
    found = wild(model, address) if pfn is None else pfn
    if found is None:
        raise BadArgument.at("page", f"${ref.name} is {address:#x}, which is no kernel address of a page")
    return found


def number_of(named: Named, ref: Reference) -> int:
    """A result as a number."""
    if named.kind != "number" or named.addr is None:
        raise BadArgument.at((), f"${ref.name} is no number")
    return named.addr + ref.offset


def user_value(named: Named, ref: Reference, model: MemoryModel) -> int:
    """A result as an address of a process, or as a descriptor: to the processor each is just a number."""
    if named.is_list:
        raise BadArgument.at((), f"${ref.name} is a list")
    value = named.addr
    if value is None:
        value = 0 if named.pfn is None else model.pfn_to_page(named.pfn)
    if named.kind == "fd":
        return value
    return value + ref.offset & model.ptr_max


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
    return frame_of(pfn, ref, "page", model)


def frame_of(pfn: int, ref: Reference, key: str, model: MemoryModel) -> int:
    """The frame that `$p+3` means, which this machine must have."""
    if not model.pfn_valid(pfn + ref.offset):
        raise BadArgument.at(key, f"${ref.name}+{ref.offset} is outside every zone of this machine")
    return pfn + ref.offset


def addr_of(named: Named, ref: Reference, model: MemoryModel) -> int | None:
    """A result as an address: `$p+3` counts in frames for a page, in bytes for an address."""
    if named.pfn is not None:
        return model.pfn_to_virt(frame_of(named.pfn, ref, "addr", model))
    return None if named.addr is None else named.addr + ref.offset


def blocks_of(
    spec: CallSpec, key: str, of: ListOf, lists: Lists, model: MemoryModel, rules: int
) -> tuple[str, tuple[Run, ...]]:
    """The argument's name and the runs of a list that the journal keeps. Raises BadArgument."""
    found = lists(of.seq)
    if found is None:
        raise BadArgument.at(key, f"row {of.seq} of this session has returned no list")
    if spec.wants == "both":
        key = "addr" if found.kind == "addrs" else "page"
        if rules >= 2:
            key = spec.native or key
    return key, found.given_as(key, model, rules)


def select(call: Call, runs: tuple[tuple[int, ...], ...], model: MemoryModel) -> Call:
    """A call that frees a list, with `start`, `step` and `count` applied."""
    key = "page" if "page" in call.args else "addr"
    unit = call.spec.cost.frames(call.args) if key == "page" else 1
    given = ((first, blocks, rest[0] if rest else unit) for first, blocks, *rest in runs)
    picked = block_runs.select(given, call.start, call.step, call.count)
    check_selected(call, key, picked, model)
    args = {**call.args, key: picked}
    if call.list_of is not None:
        return replace(call, args=args, count=block_runs.length(picked), text=None)
    return replace(call, args=args, start=0, step=1, count=None, text=None)


def check_selected(call: Call, key: str, picked: tuple[Run, ...], model: MemoryModel) -> None:
    """Refuse a list with a page that this machine does not have, or of too many frames for one call."""
    frames = call.spec.cost.frames(call.args) * block_runs.length(picked)
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

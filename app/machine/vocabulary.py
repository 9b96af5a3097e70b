"""What a declaration of a call is made of. The calls themselves stand in `app.machine.entry`.

A call is declared once, beside the function that runs it: routes, OpenAPI, forms, text and journal, and how
much a call may ask for, all follow from its `CallSpec`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

if TYPE_CHECKING:
    from app.machine.calls import Call
    from app.machine.machine import Machine
    from app.machine.outcome import Outcome

# From where a function is called. atomic: a spinlock is held. irqsoff: one is held and interrupts are off.
CONTEXTS: Final = ("process", "atomic", "irqsoff", "softirq", "tasklet", "hardirq")

# Settings of /proc/sys/vm, and how many numbers each has.
SYSCTLS: Final = {
    "min_free_kbytes": 1,
    "watermark_scale_factor": 1,
    "watermark_boost_factor": 1,
    "lowmem_reserve_ratio": 5,
    "percpu_pagelist_high_fraction": 1,
    "drop_caches": 1,
    "compact_memory": 1,
    "overcommit_memory": 1,
    "overcommit_ratio": 1,
    "swappiness": 1,
    "dirty_background_ratio": 1,
    "dirty_ratio": 1,
    "nr_hugepages": 1,
    "transparent_hugepage": 1,
    "oom_score_adj": 1,
    "panic_on_oom": 1,
    "oom_kill_allocating_task": 1,
    "oom_dump_tasks": 1,
}

Args: TypeAlias = "Mapping[str, Any]"


@dataclass(frozen=True, slots=True, eq=False)
class Arg:
    """One argument of a call.

    kind: what it may be, a key of `app.machine.kinds.KINDS`. required: whether it must be given; where not,
    `default` stands in. example: a value for documents that can be sent as it is. prefill: what a form shows
    at first. native: of a pointer, whether C is given a page or an address.
    """

    name: str
    kind: str
    c_type: str
    doc: str
    required: bool = True
    default: Any = None
    example: Any = None
    prefill: str | None = None
    native: str | None = None


class Returns(Enum):
    """What a C function returns, so what an outcome says and whether later calls can name it."""

    PAGE = "page"  # struct page * of a block that it hands out
    PAGE_ADDRESS = "page address"  # unsigned long: the address of a block that it hands out
    ADDRESS = "address"  # void *
    POINTER = "pointer"  # to a struct page that it does not hand out
    CACHE = "cache"  # struct kmem_cache *
    SIZE = "size"  # size_t
    NUMBER = "number"  # unsigned long or phys_addr_t that later calls can be given
    USER_ADDRESS = "user address"  # unsigned long: an address of the calling process, or -errno
    PID = "pid"  # of a child, or -errno
    FD = "fd"  # a file descriptor, or -errno
    OBJECTS = "objects"  # int: how many objects were put into an array, which later calls can be given
    INT = "int"  # also bool
    NOTHING = "nothing"

    @property
    def null(self) -> str | None:
        """How a NULL of this kind is written; None where there is none."""
        if self is Returns.PAGE_ADDRESS:
            return "0"
        if self is Returns.OBJECTS:
            return "0"
        return None if self in WITHOUT_NULL else "NULL"

    @property
    def nameable(self) -> bool:
        """Whether a form asks what the result shall be called."""
        return self not in (Returns.INT, Returns.NOTHING)


WITHOUT_NULL: Final = (
    Returns.SIZE,
    Returns.NUMBER,
    Returns.INT,
    Returns.NOTHING,
    Returns.USER_ADDRESS,
    Returns.PID,
    Returns.FD,
)


def one(args: Args) -> int:
    """Of a call that works on one block, whatever its arguments are."""
    return 1


def nothing(m: Machine, call: Call, given: int | None) -> int:
    """Of a call whose work does not depend on what the machine holds."""
    return 0


@dataclass(frozen=True, slots=True, eq=False)
class Cost:
    """How much a call may ask for, known before it is made.

    frames: page frames that one round of it asks for or gives back, at least, by its arguments.
    each: blocks, or pages that are mapped or freed one by one, of one round. blocks: live blocks that it may
    add to the machine; None where it never adds any. held: how much it walks because the machine holds it;
    given is the address that it is given, if any.
    """

    frames: Callable[[Args], int] = one
    each: Callable[[Args], int] = one
    blocks: Callable[[Machine, Call], int] | None = None
    held: Callable[[Machine, Call, int | None], int] = nothing


FREE: Final = Cost()


WANTS: Final = {"page": "page", "addr": "addr", "page_or_addr": "both"}


class CallSpec:
    """A kernel function as kmemlab offers it.

    prototype: its C declaration in 6.1. source: where the kernel has it. group: under which heading it is
    listed, and nothing else. returns: what the C function returns. cost: how much a call may ask for.
    lecture: an older name, where there is one.

    wants: by which kind of pointer a call is given memory (`page`, `addr` or `both`), None where by none;
    native: which of the two C is given. names_task: whether an argument says who is meant, so that the call
    itself is nobody's. makes_task: whether an argument names a task that is to be made. bounded: whether it
    may add something of which a machine holds so much at most. numbers, user_values: arguments that may be
    what an earlier call returned: a number, an address of a process or a descriptor.
    """

    __slots__ = (
        "args", "bounded", "cost", "doc", "group", "lecture", "makes_task", "name", "names_task", "native",
        "numbers", "prototype", "returns", "source", "user_values", "wants",
    )  # fmt: skip

    # Whether it takes `repeat` and `until`; whether it takes a list of what such a call returned.
    repeats: ClassVar[bool] = False
    frees: ClassVar[bool] = False

    def __init__(
        self, name: str, args: tuple[Arg, ...], prototype: str, source: str, group: str, doc: str,
        returns: Returns, cost: Cost, lecture: str | None,
    ) -> None:  # fmt: skip
        self.name = name
        self.args = args
        self.prototype = prototype
        self.source = source
        self.group = group
        self.doc = doc
        self.returns = returns
        self.cost = cost
        self.lecture = lecture
        pointer = next((arg for arg in args if arg.kind in WANTS), None)
        self.wants = None if pointer is None else WANTS[pointer.kind]
        self.native = None if pointer is None else pointer.native or pointer.kind
        self.names_task = any(arg.name == "task" for arg in args)
        self.makes_task = any(arg.name == "child" for arg in args)
        self.bounded = self.makes_task or returns is Returns.FD or cost.blocks is not None
        # Looked up for every argument of every call of a batch.
        self.numbers = frozenset(arg.name for arg in args if arg.kind == "number")
        self.user_values = frozenset(arg.name for arg in args if arg.kind in ("user_addr", "fd"))

    def takes_number(self, name: str) -> bool:
        """Whether an argument is a number that an earlier call may have returned."""
        return name in self.numbers

    def takes_user_value(self, name: str) -> bool:
        """Whether an argument is an address of a process, or a descriptor."""
        return name in self.user_values

    def make(self, m: Machine, call: Call, outcome: Outcome) -> None:
        """Run the function, and note in the outcome what it returned."""
        raise NotImplementedError

"""What a call returned and changed: one row of the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

from app.machine import changes
from app.machine.calls import Call, Named
from app.mm.memory_model import MemoryModel

if TYPE_CHECKING:
    from app.machine.reclaimed import Reclaimed
    from app.machine.swapped import Swapped
    from app.machine.telling import Told
    from app.mm.mmzone import Zone

# What making a call again takes, in about microseconds: the call, each block of a list, each page fault,
# each frame or block that changes its state, each page that reclaim looks at, each line of the log with the
# figures in it. Counted and not measured, so that it is the same for a journal wherever it is replayed.
CALL: Final = 8
BLOCK: Final = 2
FAULT: Final = 10
SCANNED: Final = 10
LINE: Final = 25

VERDICTS = ("ok", "null", "blocked", "warn", "bug", "oom", "hang", "panic")

# A page as a call left it: pfn, order, zone, address, address of its struct page, count.
SeenPage: TypeAlias = "tuple[int, int, Zone, int | None, int, int]"


T = TypeVar("T")


class Seldom(Generic[T]):
    """A part of an outcome that few calls have: it takes no room, and no time, in all others."""

    __slots__ = ("name",)

    def __set_name__(self, owner: type[Outcome], name: str) -> None:
        self.name = name

    def __get__(self, outcome: Outcome, owner: type[Outcome]) -> T | None:
        parts = outcome.parts
        return None if parts is None else parts.get(self.name)

    def __set__(self, outcome: Outcome, value: T | None) -> None:
        if value is None:
            return
        if outcome.parts is None:
            outcome.parts = {}
        outcome.parts[self.name] = value


class Outcome:
    """The kernel's answer to one call.

    ret: what the C function returns, JSON-ready (a pointer as hex or None, a number, None for void). verdict:
    one of `VERDICTS`. The other parts are the objects of the HTTP contract.

    What a call returned and changed is noted as it is, and put into the contract's words when somebody asks:
    a journal that is replayed asks for `ret` and `verdict` alone. seen: the page that was returned or given.
    cause: what the caller did wrong (app.machine.mistakes).
    killed: tasks that the OOM killer has taken.
    mentions: what became of which frames. result: kind and value of what later calls can name.
    """

    __slots__ = (
        "call", "log", "mentions", "object", "parts", "result", "ret", "runs", "seen", "verdict",
    )  # fmt: skip

    area: Seldom[dict[str, Any]] = Seldom()
    cause: Seldom[dict[str, Any]] = Seldom()
    deadlock: Seldom[list[dict[str, Any]]] = Seldom()
    killed: Seldom[list[str]] = Seldom()
    reclaimed: Seldom[Reclaimed] = Seldom()
    swapped: Seldom[Swapped] = Seldom()
    told: Seldom[Told] = Seldom()
    woken: Seldom[list[str]] = Seldom()

    def __init__(self, call: Call, log: list[str], mentions: list[changes.Mention]) -> None:
        self.call = call
        self.log = log
        self.mentions = mentions
        self.ret: Any = None
        self.verdict = "ok"
        self.seen: SeenPage | None = None
        self.object: dict[str, Any] | None = None
        self.runs: list[list[Any]] | None = None
        # Those that few calls have, by name.
        self.parts: dict[str, Any] | None = None
        self.result: Named | tuple[str, int | None] | None = None

    @property
    def process(self) -> dict[str, Any] | None:
        """What became of processes and their pages, by the names of the HTTP contract."""
        return None if self.told is None else self.told.document

    @property
    def page(self) -> dict[str, Any] | None:
        """The page that the call returned or was given, as it was afterwards."""
        if self.seen is None:
            return None
        pfn, order, zone, address, struct_page, refcount = self.seen
        return {
            "pfn": pfn,
            "order": order,
            "zone": zone.name,
            "node": zone.nid,
            "address": None if address is None else f"{address:#x}",
            "page": f"{struct_page:#x}",
            "refcount": refcount,
        }

    @property
    def changed(self) -> list[list[Any]] | None:
        """`[pfn, frames, state]` runs that the call changed; None when there are too many."""
        return changes.runs(self.mentions)

    @property
    def beside(self) -> dict[str, Any]:
        """What became of processes, swap and reclaim, by the names of the HTTP contract."""
        doc: dict[str, Any] = {}
        for part in (self.told, self.swapped, self.reclaimed):
            if part is not None:
                doc.update(part.document)
        return doc

    @property
    def freed_list(self) -> bool:
        """Whether the call was given a list of blocks."""
        args = self.call.args
        return isinstance(args.get("page", args.get("addr")), tuple)

    @property
    def work(self) -> int:
        """How much making the call again would take, in about microseconds."""
        work = CALL + len(self.mentions)
        if self.log:
            work += LINE * len(self.log)
        if type(self.ret) is int and (self.runs is not None or self.freed_list):
            work += BLOCK * self.ret
        if self.parts is not None:
            if self.told is not None:
                work += FAULT * (1 + self.told.minor + self.told.major)
            if self.reclaimed is not None:
                work += SCANNED * self.reclaimed.scanned
        return work

    @property
    def named(self) -> Named | None:
        """What the result can be called in later calls; None where the call has no result to name."""
        result = self.result
        if not isinstance(result, tuple):
            return result
        kind, value = result
        return Named(kind, pfn=value) if kind == "page" else Named(kind, addr=value)

    def as_json(self, model: MemoryModel) -> dict[str, Any]:
        """The outcome as the API answers it, without seq, time and by, which only the journal knows."""
        doc: dict[str, Any] = {
            "call": self.call.spec.name,
            "args": self.call.as_json(model),
            "ret": self.ret,
            "verdict": self.verdict,
        }
        for key in ("page", "object", "area", "runs", "woken", "deadlock", "cause", "killed"):
            value = getattr(self, key)
            if value is not None:
                doc[key] = value
        if self.call.written is not None:
            doc["written"] = self.call.written
        doc["log"] = self.log
        doc["changed"] = self.changed
        if doc["changed"] is None:
            doc["changed_count"] = changes.count_runs(self.mentions)
        doc.update(self.beside)
        return doc

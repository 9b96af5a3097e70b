"""Steps and tracepoints in the form in which they are handed out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.machine.trace.functions import LECTURE, file_of, running
from app.mm import page_ref
from app.mm.printk import IRQS_DISABLED

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.mmzone import Zone

# A call in a loop may make millions. Nobody reads so far, so what follows is not traced.
MAX_STEPS: Final = 20_000
# Lists of page frames in a step are cut here; the numbers beside them are not.
MAX_LISTED: Final = 512
# What stands in the code of its caller (include/linux/slab.h), or was called itself.
IN_CALLER: Final = frozenset(
    ("", "kmalloc", "kzalloc", "kmalloc_array", "kcalloc", "kfree",
     "kmem_cache_alloc", "kmem_cache_zalloc", "kmem_cache_free")
)  # fmt: skip


class Collector:
    """Collects the steps of one call.

    steps: as the HTTP contract has them. points: tracepoint lines of 6.1's form. events: the page allocator's
    tracepoints as recordings write them, for comparing.
    """

    def __init__(self, m: Kernel) -> None:
        self.m = m
        self.steps: list[dict[str, Any]] = []
        self.points: list[str] = []
        self.events: list[list[Any]] = []
        # Above 0 while many pages share one fate: one step tells of them afterwards.
        self.folds = 0
        # Whether the pages of a bulk allocation are being taken: they are reported together.
        self.in_bulk = False
        # Pages that reclaim is giving back, of which those that only go onto a list are reported together.
        self.pushed: list[int] | None = None

    def step(
        self, fn: str, what: str, zone: Zone | None = None, *, verdict: str | None = None,
        node: int | None = None, numbers: dict[str, Any] | None = None,
        changed: list[list[Any]] | None = None,
    ) -> None:  # fmt: skip
        """Report one decision of the kernel's function `fn`, which is running or was just called."""
        if self.folds or len(self.steps) == MAX_STEPS:
            return
        if len(self.steps) == MAX_STEPS - 1:
            what, numbers, changed = "the rest of the call is not traced", {"steps": MAX_STEPS}, []
            verdict, self.m.trace = "cut", None
        above = running()[1:]
        self.steps.append(
            {
                "fn": fn,
                "file": file_of(fn),
                "lecture_fn": LECTURE.get(fn),
                "depth": len(above) - (above[-1:] == [fn]),
                "what": what,
                "zone": None if zone is None else zone.name,
                "node": node if zone is None else zone.nid,
                "numbers": numbers or {},
                "verdict": verdict,
                "changed": changed or [],
            }
        )

    def microseconds(self) -> int:
        """When a tracepoint fires, by the clock of the kernel log: a row is a microsecond."""
        return self.m.current.seq

    def point(self, name: str, text: str, event: list[Any] | None = None, *, locks: int = 0) -> None:
        """Report a tracepoint, in the form of the trace file.

        locks: how many spinlocks are held, the outermost of them with interrupts off.
        """
        m = self.m
        if event is not None:
            self.events.append(event)
        irqs_off = "d" if locks or m.current.context in IRQS_DISABLED else "."
        context = {"hardirq": "h", "softirq": "s", "tasklet": "s"}.get(m.current.context, ".")
        depth = locks + (m.current.context in ("atomic", "irqsoff"))
        seconds, micros = divmod(self.microseconds(), 1_000_000)
        stamp = f"{seconds:5d}.{micros:06d}"
        flags = f"{irqs_off}.{context}{depth or '.'}."
        task = m.current.thread or m.current.task
        self.points.append(f"{task:>16}-{m.pid():<7} [{m.current.cpu:03d}] {flags} {stamp}: {name}: {text}")


class Area:
    """The reports of one part of the kernel: a method for each of its protocol in `app.mm.tracepoints`.

    A report puts into words what it is given. It neither decides nor calculates again what the kernel's
    function has decided, so that the words cannot say anything else.
    """

    def __init__(self, trace: Collector) -> None:
        self.trace = trace
        self.m = trace.m
        self.step = trace.step
        self.point = trace.point

    def shown(self, pfn: int, frames: int = 1) -> list[list[Any]]:
        """What a page of a process or a file is shown as from now on, for the map."""
        return [[pfn, frames, page_ref.state_of(self.m, pfn)]]

    def pointer(self, address: int | None) -> str:
        """An address as the tracepoints print it, NULL included."""
        return f"{address or 0:0{2 * self.m.model.sizeof_long}x}"

    def call_site(self) -> str:
        """The function that asked for an object or gave it back; of a call itself, the task that made it.

        Where in its code the call stands, and how long that is, only one's own build tells: both are 0.
        """
        current = self.m.current
        asked = [name for name in running()[:-1] if name not in IN_CALLER]
        return f"call_site={asked[-1] if asked else current.thread or current.task}+0x0/0x0"

    def page(self, pfn: int | None) -> str:
        """A page as the tracepoints print it."""
        if pfn is None:
            return f"page={self.pointer(0)} pfn=0x0"
        return f"page={self.pointer(self.m.model.pfn_to_page(pfn))} pfn={pfn:#x}"


def count(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"

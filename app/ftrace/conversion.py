"""Events as calls: pages that the kernel took and gave back, in its order.

A page that is freed without having been allocated in the log was in use before: it is adopted (`adopting`).
vmalloc takes its pages by __alloc_pages_bulk, which 6.1 does not trace: the kmalloc of the array for them
tells how many there were. Objects are left out: each slab's pages have an event of their own.

Kernel: mm/page_alloc.c __alloc_pages, __free_pages; mm/vmalloc.c __vmalloc_area_node.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from app.errors import BadArgument
from app.ftrace.lines import MARKER, Event, events
from app.machine import gfp_text
from app.machine.parts.shape import MAX_PFN
from app.mm.mmzone import MAX_ORDER

VMALLOC: Final = ("__vmalloc_node_range", "__vmalloc_area_node")
VMALLOC_GFP: Final = "GFP_KERNEL|__GFP_NOWARN"
POINTER: Final = 8
NUMBER: Final = re.compile(r"0x[0-9a-fA-F]{1,13}|[0-9]{1,15}")
# Calls that a log may make, and runs of lines that are told one by one.
MOST_CALLS: Final = 100_000
MOST_RUNS: Final = 32
# Lines that are told of each reason.
MOST_LINES: Final = 10

# Why something of a log could not be used.
NO_EVENT: Final = "no event of ftrace"
OBJECT: Final = "an object of a slab, whose pages have events of their own"
SECOND: Final = "a second event of the same free"
DRAIN: Final = "a per-CPU list was emptied, which follows from what came before"
OWN_DRAIN: Final = "a per-CPU list was emptied without a free before it, by a worker or drain_all_pages"
ZONE_LOCKED: Final = "pages that went to a per-CPU list, which follows from what came before"
OTHER: Final = "an event of something else"
BROKEN: Final = "an event whose numbers cannot be read"
UNKNOWN_FLAG: Final = "a GFP flag that Linux 6.1 does not have"
SKIPPED: Final = "a free of pages whose allocation could not be used"
BEFORE: Final = "a free of pages that were in use before the log began"

FREEING: Final = ("mm_page_free", "mm_page_free_batched")
DRAINED: Final = "mm_page_pcpu_drain"
REASONS: Final = {
    "kmalloc": OBJECT,
    "kmalloc_node": OBJECT,
    "kmem_cache_alloc": OBJECT,
    "kmem_cache_alloc_node": OBJECT,
    "kfree": OBJECT,
    "kmem_cache_free": OBJECT,
    "mm_page_free_batched": SECOND,
    DRAINED: DRAIN,
    "mm_page_alloc_zone_locked": ZONE_LOCKED,
}


class LogCall(NamedTuple):
    """A call that a log tells of.

    line: of the event. name: under which its pages are known, None for none. pfn: the frame that the kernel
    gave or took; None where the log does not tell it. adopted: it frees what was in use before.
    """

    line: int
    call: str
    body: dict[str, Any]
    name: str | None
    pfn: int | None
    adopted: bool = False


@dataclass
class Converted:
    """A log as calls.

    unused: how many lines, by reason; unused_lines: the first of each.
    unread: runs of lines that are no events.
    """

    calls: list[LogCall] = field(default_factory=list)
    lines: int = 0
    events: int = 0
    unused: Counter[str] = field(default_factory=Counter)
    unused_lines: dict[str, list[int]] = field(default_factory=dict)
    unread: list[list[int]] = field(default_factory=list)
    # First frame and order of what was freed without having been allocated.
    adopted: dict[int, int] = field(default_factory=dict)

    def leave(self, reason: str, line: int) -> None:
        """A line cannot be used."""
        self.unused[reason] += 1
        lines = self.unused_lines.setdefault(reason, [])
        if len(lines) < MOST_LINES:
            lines.append(line)


def convert(log: str, first: str | None = None, last: str | None = None) -> Converted:
    """Read a log. first, last: marks between which it counts: of `trace_marker`, or sizes of a kmalloc.

    Raises BadArgument at `from`, `to` and `log`.
    """
    reading = _Reading()
    inside, ended = first is None, False
    for one in events(log):
        if isinstance(one, int):
            reading.unread(one)
        elif ended:
            break
        elif not inside:
            inside = is_mark(one, first)
        elif last is not None and is_mark(one, last):
            ended = True
        else:
            reading.take(one)
    if not inside:
        raise BadArgument.at("from", f"no event of the log has the mark {first!r}")
    if last is not None and not ended:
        raise BadArgument.at("to", f"no event behind the beginning has the mark {last!r}")
    reading.found.lines = log.count("\n") + (not log.endswith("\n"))
    if not reading.found.calls:
        raise BadArgument.at("log", "tells of no pages: record the events mm_page_alloc and mm_page_free")
    return reading.found


def is_mark(event: Event, mark: str | None) -> bool:
    """Whether an event has a mark."""
    if event.name == MARKER:
        return event.text.strip() == mark
    return event.name == "kmalloc" and event.values.get("bytes_req") == mark


class _Reading:
    """Takes events one by one."""

    def __init__(self) -> None:
        self.found = Converted()
        # Pages that are in use, by their first frame: their order. None where their call could not be used.
        self._held: dict[int, int | None] = {}
        # CPUs whose last event was a free, or what a free has drained.
        self._freeing: set[int] = set()

    def unread(self, line: int) -> None:
        """A line that is no event."""
        self.found.leave(NO_EVENT, line)
        runs = self.found.unread
        if runs and runs[-1][1] == line - 1:
            runs[-1][1] = line
        elif len(runs) < MOST_RUNS:
            runs.append([line, line])

    def take(self, event: Event) -> None:
        """An event."""
        self.found.events += 1
        if event.name == "mm_page_alloc":
            self._alloc(event)
        elif event.name == "mm_page_free":
            self._free(event)
        elif event.name == "kmalloc" and event.values.get("call_site", "").startswith(VMALLOC):
            self._of_vmalloc(event)
        else:
            self.found.leave(self._reason(event), event.line)
        if event.name in FREEING:
            self._freeing.add(event.cpu)
        elif event.name != DRAINED:
            self._freeing.discard(event.cpu)

    def _reason(self, event: Event) -> str:
        """Why an event is no call. A list is emptied by the free before it on its CPU, or else by itself."""
        if event.name == DRAINED and event.cpu not in self._freeing:
            return OWN_DRAIN
        return REASONS.get(event.name, OTHER)

    def _alloc(self, event: Event) -> None:
        values = event.values
        pfn, order = number(values.get("pfn")), number(values.get("order"))
        gfp = "0" if values.get("gfp_flags") in (None, "none") else values["gfp_flags"]
        if pfn is None or order is None or order >= MAX_ORDER:
            self.found.leave(BROKEN, event.line)
            return
        if not is_mask(gfp):
            self.found.leave(UNKNOWN_FLAG, event.line)
            self._held[pfn] = None
            return
        if pfn:
            self._held[pfn] = order
        self._add(
            event, "alloc_pages", {"gfp": gfp, "order": order}, name_of(pfn) if pfn else None, pfn or None
        )

    def _free(self, event: Event) -> None:
        values = event.values
        pfn, order = number(values.get("pfn")), number(values.get("order"))
        if pfn is None or order is None or order >= MAX_ORDER:
            self.found.leave(BROKEN, event.line)
        elif pfn not in self._held:
            self.found.adopted.setdefault(pfn, order)
            self._add(event, "__free_pages", {"pfn": pfn, "order": order}, None, pfn, adopted=True)
        elif self._held.pop(pfn) is None:
            self.found.leave(SKIPPED, event.line)
        else:
            self._add(event, "__free_pages", {"page": f"${name_of(pfn)}", "order": order}, None, pfn)

    def _of_vmalloc(self, event: Event) -> None:
        size = number(event.values.get("bytes_req"))
        if size is None:
            self.found.leave(BROKEN, event.line)
            return
        for _ in range(min(size // POINTER, MOST_CALLS)):
            self._add(event, "alloc_pages", {"gfp": VMALLOC_GFP, "order": 0}, None, None)

    def _add(
        self, event: Event, call: str, body: dict[str, Any], name: str | None, pfn: int | None, *,
        adopted: bool = False,
    ) -> None:  # fmt: skip
        if len(self.found.calls) >= MOST_CALLS:
            raise BadArgument.at(
                "log", f"tells of more than {MOST_CALLS:,} calls: name a part of it by marks"
            )
        if event.cpu:
            body["cpu"] = event.cpu
        if event.context != "process":
            body["context"] = event.context
        self.found.calls.append(LogCall(event.line, call, body, name, pfn, adopted))


def number(text: str | None) -> int | None:
    """A frame or an order, as kernels print them: in hexadecimal with 0x, older ones in decimal."""
    if text is None or NUMBER.fullmatch(text) is None:
        return None
    found = int(text, 16) if text.startswith("0x") else int(text)
    return found if found <= MAX_PFN else None


def is_mask(gfp: str) -> bool:
    """Whether a mask has flags of Linux 6.1 alone."""
    try:
        gfp_text.parse(gfp)
    except BadArgument:
        return False
    return True


def name_of(pfn: int) -> str:
    """The name of pages that the kernel had at a frame."""
    return f"p{pfn:x}"

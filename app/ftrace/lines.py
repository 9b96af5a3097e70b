"""The lines of a log: `bash-4711 [002] d.s1. 1234.567890: mm_page_alloc: page=… pfn=0x1a2b order=0 …`.

Written by the kernel (/sys/kernel/tracing/trace, with or without its columns for interrupts and thread
groups) and by `trace-cmd report`.

Kernel: kernel/trace/trace_output.c trace_print_context; include/trace/events/kmem.h.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

# A line of an event is never as long as this.
LONGEST_LINE: Final = 2_000
LINE: Final = re.compile(
    r"\s*(?P<task>\S.{0,40}?)-(?P<pid>\d{1,10})\s+(?:\(\s*[\d-]{1,10}\)\s+)?\[(?P<cpu>\d{1,6})\]\s+"
    r"(?:(?P<flags>[^\s:]{1,8})\s+)?(?P<stamp>\d{1,15}\.\d{1,9}):\s+(?P<event>\w{1,64}):\s*(?P<text>.*)"
)
# From the beginning of a word alone: a long one without `=` is not tried again at each of its letters.
PAIR: Final = re.compile(r"\b(\w+)=(\S+)")
# What says where in the kernel it happened, in the third of the columns for interrupts.
CONTEXTS: Final = {"h": "hardirq", "H": "hardirq", "z": "hardirq", "Z": "hardirq", "s": "softirq"}
MARKER: Final = "tracing_mark_write"


class Event(NamedTuple):
    """One event. line: its number, from 1. context: as calls have it."""

    line: int
    cpu: int
    context: str
    name: str
    text: str

    @property
    def values(self) -> dict[str, str]:
        """What stands behind each name."""
        return dict(PAIR.findall(self.text))


def events(log: str) -> Iterator[Event | int]:
    """Every event, in order; the number of a line that is none. Comments and empty lines are passed over."""
    for number, line in enumerate(log.split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = None if len(line) > LONGEST_LINE else LINE.fullmatch(line.rstrip("\r"))
        if found is None:
            yield number
            continue
        flags = found["flags"] or ""
        context = CONTEXTS.get(flags[2], "process") if len(flags) > 2 else "process"
        yield Event(number, int(found["cpu"]), context, found["event"], found["text"])


def is_log(text: str) -> bool:
    """Whether a pasted text is such a log: by a tracer's head, or an event among its first lines."""
    head = text[:4_000]
    if head.lstrip().startswith("# tracer:"):
        return True
    return any(isinstance(one, Event) for one in events(head))

"""The files of /proc that show the memory allocators, as text in 6.1's exact form.

Kernel: mm/vmstat.c, mm/slab_common.c, mm/vmalloc.c, fs/proc/meminfo.c. `FILES[name](m)` is the file of a
machine. Reading changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

from app.mm.proc import buddyinfo, meminfo, pagetypeinfo, slabinfo, vmallocinfo, vmstat, zoneinfo

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

FILES: Final[dict[str, Callable[[Kernel], str]]] = {
    "buddyinfo": buddyinfo.show,
    "pagetypeinfo": pagetypeinfo.show,
    "zoneinfo": zoneinfo.show,
    "slabinfo": slabinfo.show,
    "vmallocinfo": vmallocinfo.show,
    "meminfo": meminfo.show,
    "vmstat": vmstat.show,
}

LINES: Final[dict[str, Callable[[Kernel], Iterator[str]]]] = {
    "slabinfo": slabinfo.lines,
    "vmallocinfo": vmallocinfo.lines,
}
"""The files that grow with what a machine holds, line by line."""


def beginning(m: Kernel, name: str, most: int) -> tuple[list[str], bool]:
    """At most so many lines of a file, and whether those are all; no more is read than they need."""
    lines = LINES[name](m) if name in LINES else iter(FILES[name](m).splitlines())
    shown = list(islice(lines, most + 1))
    return shown[:most], len(shown) <= most

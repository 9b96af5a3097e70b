"""The files of /proc that show the memory allocators, as text in 6.1's exact form.

Kernel: mm/vmstat.c, mm/slab_common.c, mm/vmalloc.c, fs/proc/meminfo.c. `FILES[name](m)` is the file of a
machine. Reading changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

from app.mm.proc import (
    array,
    base,
    buddyinfo,
    meminfo,
    pagetypeinfo,
    slabinfo,
    swaps,
    task_mmu,
    vmallocinfo,
    vmstat,
    zoneinfo,
)

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.mm_types import MmStruct
    from app.mm.sched import Task

FILES: Final[dict[str, Callable[[Kernel], str]]] = {
    "buddyinfo": buddyinfo.show,
    "pagetypeinfo": pagetypeinfo.show,
    "zoneinfo": zoneinfo.show,
    "slabinfo": slabinfo.show,
    "vmallocinfo": vmallocinfo.show,
    "meminfo": meminfo.show,
    "vmstat": vmstat.show,
    "swaps": swaps.show,
}


def of_space(show: Callable[[Kernel, MmStruct], str]) -> Callable[[Kernel, Task], str]:
    """A file that is empty of a task without an address space."""
    return lambda m, task: "" if task.mm is None else show(m, task.mm)


OF_TASKS: Final[dict[str, Callable[[Kernel, Task], str]]] = {
    "maps": of_space(task_mmu.maps),
    "smaps": of_space(task_mmu.smaps),
    "smaps_rollup": of_space(task_mmu.smaps_rollup),
    "status": array.status,
    "stat": array.stat,
    "statm": lambda _m, task: "0 0 0 0 0 0 0\n" if task.mm is None else task_mmu.statm(task.mm),
    "oom_score": base.show_oom_score,
    "oom_score_adj": base.show_oom_score_adj,
}
"""The files of /proc/PID. Of a kernel thread `smaps_rollup` cannot be read (ESRCH): here it is empty, too."""

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

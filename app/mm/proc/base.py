"""/proc/PID/oom_score and oom_score_adj: who would be killed first. Kernel: fs/proc/base.c, mm/oom_kill.c"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm.mm_types import MM_SWAPENTS
from app.mm.pgtable_types import PAGE_SHIFT
from app.mm.sched import INIT_PID

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.sched import Task

# What a task has as long as nobody writes another value. Kernel: include/uapi/linux/oom.h
OOM_SCORE_ADJ: Final = 0


def oom_badness(m: Kernel, task: Task) -> int | None:
    """How much memory the end of a task would free, in pages; None where it must not be killed.

    Kernel: oom_badness. Resident pages, swapped ones and page tables count; from init and from kernel threads
    nothing is to be had.
    """
    mm = task.mm
    if mm is None or task.pid == INIT_PID:
        return None
    return mm.mm_rss + mm.rss_stat[MM_SWAPENTS] + (mm.pgtables_bytes >> PAGE_SHIFT)


def oom_score(m: Kernel, task: Task) -> int:
    """The same in thousandths of all memory, on a scale of which two thirds are below an empty process.

    Kernel: proc_oom_score
    """
    badness = oom_badness(m, task)
    total = sum(zone.managed_pages for zone in m.zones) + m.vm.total_swap_pages
    return 0 if badness is None else (1000 + badness * 1000 // total) * 2 // 3


def show_oom_score(m: Kernel, task: Task) -> str:
    """One number. Kernel: proc_oom_score"""
    return f"{oom_score(m, task)}\n"


def show_oom_score_adj(m: Kernel, task: Task) -> str:
    """One number. Kernel: oom_score_adj_read"""
    return f"{OOM_SCORE_ADJ}\n"

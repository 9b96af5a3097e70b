"""/proc/PID/oom_score and oom_score_adj: who would be killed first. Kernel: fs/proc/base.c"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm.oom_kill import oom_score

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.sched import Task


def show_oom_score(m: Kernel, task: Task) -> str:
    """One number. Kernel: proc_oom_score"""
    return f"{oom_score(m, task)}\n"


def show_oom_score_adj(_m: Kernel, task: Task) -> str:
    """One number. Kernel: oom_score_adj_read"""
    return f"{task.oom_score_adj}\n"

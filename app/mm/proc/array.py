"""/proc/PID/status and stat. Kernel: fs/proc/array.c, fs/proc/task_mmu.c task_mem"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm.mm_types import MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS, MMF_DISABLE_THP, MmStruct
from app.mm.pgtable_types import PAGE_SIZE

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.sched import Task

NO_SIGNALS: Final = "0" * 16
ALL_CAPABILITIES: Final = "000001ffffffffff"


def status(m: Kernel, task: Task) -> str:
    """Who a process is, and what it uses. Kernel: proc_pid_status"""
    lines = [
        f"Name:\t{task.comm}", "Umask:\t0022", "State:\tR (running)", f"Tgid:\t{task.pid}", "Ngid:\t0",
        f"Pid:\t{task.pid}", f"PPid:\t{task.parent}", "TracerPid:\t0", "Uid:\t0\t0\t0\t0", "Gid:\t0\t0\t0\t0",
        "FDSize:\t64", "Groups:\t ", f"NStgid:\t{task.pid}", f"NSpid:\t{task.pid}", "NSpgid:\t0",
        "NSsid:\t0",
    ]  # fmt: skip
    if task.mm is not None:
        lines += task_mem(task.mm)
        lines += ["CoreDumping:\t0", f"THP_enabled:\t{int(not task.mm.flags >> MMF_DISABLE_THP & 1)}"]
    pages = sum(zone.managed_pages for zone in m.zones)
    lines += ["Threads:\t1", f"SigQ:\t0/{pages // 64}"]
    lines += [f"{name}:\t{NO_SIGNALS}" for name in ("SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt")]
    lines += [f"CapInh:\t{NO_SIGNALS}"]
    lines += [f"{name}:\t{ALL_CAPABILITIES}" for name in ("CapPrm", "CapEff", "CapBnd")]
    lines += [f"CapAmb:\t{NO_SIGNALS}", "NoNewPrivs:\t0", "Seccomp:\t0", "Seccomp_filters:\t0"]
    return "".join(f"{line}\n" for line in lines)


def task_mem(mm: MmStruct) -> list[str]:
    """The lines of memory, from the folded counters. Kernel: task_mem, hugetlb_report_usage"""
    rss = mm.rss_stat
    code = min(
        -(-mm.end_code // PAGE_SIZE) * PAGE_SIZE - (mm.start_code & -PAGE_SIZE), mm.exec_vm * PAGE_SIZE
    )
    sizes = {
        "VmPeak": max(mm.total_vm, mm.hiwater_vm) * 4,
        "VmSize": mm.total_vm * 4,
        "VmLck": mm.locked_vm * 4,
        "VmPin": 0,
        "VmHWM": max(mm.mm_rss, mm.hiwater_rss) * 4,
        "VmRSS": mm.mm_rss * 4,
        "RssAnon": rss[MM_ANONPAGES] * 4,
        "RssFile": rss[MM_FILEPAGES] * 4,
        "RssShmem": rss[MM_SHMEMPAGES] * 4,
        "VmData": mm.data_vm * 4,
        "VmStk": mm.stack_vm * 4,
        "VmExe": code >> 10,
        "VmLib": mm.exec_vm * 4 - (code >> 10),
        "VmPTE": mm.pgtables_bytes >> 10,
        "VmSwap": rss[MM_SWAPENTS] * 4,
        "HugetlbPages": mm.hugetlb_usage * 4,
    }
    return [f"{name}:\t{value:8d} kB" for name, value in sizes.items()]


def stat(m: Kernel, task: Task) -> str:
    """One line of numbers; those of times and signals are 0. Kernel: do_task_stat"""
    mm = task.mm
    words: list[object] = [task.pid, f"({task.comm})", "R", task.parent, 0, 0, 0, -1, 0x400000]
    words += [task.min_flt, 0, task.maj_flt, 0, 0, 0, 0, 0, 20, 0, 1, 0, 0]
    if mm is None:
        words += [0, 0, (1 << 64) - 1, 0, 0, 0]
    else:
        words += [
            mm.total_vm * PAGE_SIZE,
            mm.mm_rss,
            (1 << 64) - 1,
            mm.start_code,
            mm.end_code,
            mm.start_stack,
        ]
    words += [0] * 18
    words += [0, 0, mm.start_brk, 0, 0, 0, 0, 0] if mm is not None else [0] * 8
    return " ".join(map(str, words)) + "\n"

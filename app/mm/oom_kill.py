"""The OOM killer: who has to die when memory cannot be had in any other way.

Kernel: mm/oom_kill.c, fs/proc/base.c proc_oom_score. Requests of small orders never fail, because their
callers have never been tested for it; so when nothing can be reclaimed any more, a process is ended instead.
Which one is decided by what its end would bring, and by what its owner has said of it (`oom_score_adj`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import gfp as gfp_masks
from app.mm import printk, show_mem, vmstat, vmstat_text
from app.mm.mm_types import MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS, MMF_OOM_SKIP
from app.mm.pgtable_types import PAGE_SHIFT
from app.mm.sched import INIT_PID, current
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.mm_types import MmStruct
    from app.mm.sched import Task

# The range of what a task can say of itself. Kernel: include/uapi/linux/oom.h
OOM_SCORE_ADJ_MIN: Final = -1000
OOM_SCORE_ADJ_MAX: Final = 1000
# Reports that are printed in whole. Kernel: DEFAULT_RATELIMIT_BURST
REPORTS: Final = 10


# -- the score -------------------------------------------------------------------------------------


def total_pages(m: Kernel) -> int:
    """All that processes could have: memory and swap. Kernel: totalram_pages, total_swap_pages"""
    return sum(zone.managed_pages for zone in m.zones) + m.vm.total_swap_pages


def get_mm_counter(mm: MmStruct, member: int) -> int:
    """Pages that an address space counts; tasks may have freed more than they have told it.

    Kernel: include/linux/mm.h get_mm_counter
    """
    return max(0, mm.rss_stat[member])


def mm_rss(mm: MmStruct) -> int:
    """Resident pages. Kernel: include/linux/mm.h get_mm_rss"""
    return sum(get_mm_counter(mm, member) for member in (MM_FILEPAGES, MM_ANONPAGES, MM_SHMEMPAGES))


def oom_badness(m: Kernel, task: Task, totalpages: int) -> int | None:
    """How much memory the end of a task would free, in pages; None where it must not be killed.

    Kernel: oom_badness. Resident pages, swapped ones and page tables count, and a thousandth of all memory
    for each point of its `oom_score_adj`. What a task has by alloc_pages or kmalloc is in nobody's score.
    """
    mm = task.mm
    if mm is None or task.pid == INIT_PID:
        return None
    if task.oom_score_adj == OOM_SCORE_ADJ_MIN or mm.flags >> MMF_OOM_SKIP & 1:
        return None
    points = mm_rss(mm) + get_mm_counter(mm, MM_SWAPENTS) + (mm.pgtables_bytes >> PAGE_SHIFT)
    return points + task.oom_score_adj * (totalpages // 1000)


def oom_score(m: Kernel, task: Task) -> int:
    """The same in thousandths of all memory, on a scale of which two thirds are below an empty process.

    Kernel: proc_oom_score
    """
    total = total_pages(m)
    badness = oom_badness(m, task, total)
    if badness is None:
        return 0
    thousandths = abs(badness) * 1000 // total
    return (1000 + (thousandths if badness > 0 else -thousandths)) * 2 // 3


def set_oom_adj(m: Kernel, value: int) -> int:
    """The running task says how dear it is: 0, or -EINVAL. Kernel: fs/proc/base.c __set_oom_adj"""
    if not OOM_SCORE_ADJ_MIN <= value <= OOM_SCORE_ADJ_MAX:
        return -22
    task = current(m)
    task.oom_score_adj = value
    if m.trace is not None:
        m.trace.oom.score_adj_update(task)
    return 0


# -- the choice ------------------------------------------------------------------------------------


def is_dying(task: Task) -> bool:
    """Whether a task was killed and still has its memory. Kernel: tsk_is_oom_victim, MMF_OOM_SKIP"""
    return task.oom_victim and task.mm is not None and not task.mm.flags >> MMF_OOM_SKIP & 1


def select_bad_process(m: Kernel, totalpages: int) -> Task | None:
    """The process with the highest score; of several the last, which is the newest.

    Kernel: select_bad_process, oom_evaluate_task
    """
    chosen: Task | None = None
    most = 0
    scores = []
    for task in m.tasks.values():
        points = None if task.oom_victim else oom_badness(m, task, totalpages)
        if m.trace is not None and task.mm is not None:
            scores.append((task, points))
        if points is not None and (chosen is None or points >= most):
            chosen, most = task, points
    if m.trace is not None:
        m.trace.oom.selected(scores, chosen, totalpages)
    return chosen


@traced
def out_of_memory(m: Kernel, gfp: int, order: int) -> bool:
    """Kill somebody; whether anything was done that makes it worth trying again. Kernel: out_of_memory

    A caller that was killed itself gets at the reserves, so that it can end soon. One that must not enter the
    file system is told to go on as it is, since its reclaim was only half of what there is. Where nobody can
    be killed the machine stops.
    """
    task = current(m)
    if is_dying(task):
        return True
    if not gfp & gfp_masks.__GFP_FS:
        return True
    if m.vm.oom.panic_on_oom:
        dump_header(m, gfp, order, None)
        how = "compulsory" if m.vm.oom.panic_on_oom == 2 else "system-wide"
        stop(m, f"Out of memory: {how} panic_on_oom is enabled")
        return False
    totalpages = total_pages(m)
    if m.vm.oom.kill_allocating_task and oom_badness(m, task, totalpages) is not None:
        oom_kill_process(m, gfp, order, task, "Out of memory (oom_kill_allocating_task)")
        return True
    if any(map(is_dying, m.tasks.values())):
        return True
    chosen = select_bad_process(m, totalpages)
    if chosen is None:
        dump_header(m, gfp, order, None)
        printk.printk(m, "Out of memory and no killable processes...")
        stop(m, "System is deadlocked on memory")
        return False
    oom_kill_process(m, gfp, order, chosen, "Out of memory")
    return True


def stop(m: Kernel, text: str) -> None:
    """Nothing runs any more: the call never returns, and there is no further one. Kernel: panic"""
    if m.trace is not None:
        m.trace.oom.panic(text)
    printk.panic_and_halt(m, text)
    m.current.verdict = "panic"
    m.vm.oom.panicked = m.current.seq


# -- the end of a process --------------------------------------------------------------------------


def oom_kill_process(m: Kernel, gfp: int, order: int, victim: Task, message: str) -> None:
    """Report, and send SIGKILL. Kernel: oom_kill_process, __oom_kill_process

    Its memory comes back when it runs to its end, which on this CPU is when the caller waits next.
    """
    mm = victim.mm
    assert mm is not None
    if m.trace is not None and m.vm.oom.kill_allocating_task:
        m.trace.oom.allocating_task(victim)
    if printk.ratelimit(m, "oom_kill_process", REPORTS):
        dump_header(m, gfp, order, victim)
    vmstat.count_vm_events(m, "oom_kill")
    mark_oom_victim(m, victim)
    size, anon, file, shmem, tables = sizes(mm)
    printk.printk(
        m,
        f"{message}: Killed process {victim.pid} ({victim.comm}) total-vm:{size}kB, anon-rss:{anon}kB, "
        f"file-rss:{file}kB, shmem-rss:{shmem}kB, UID:0 pgtables:{tables}kB "
        f"oom_score_adj:{victim.oom_score_adj}",
    )


def sizes(mm: MmStruct) -> tuple[int, int, int, int, int]:
    """A process in KiB: addresses, resident pages by kind, page tables."""
    anon, file, shmem = (
        get_mm_counter(mm, member) << 2 for member in (MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES)
    )
    return mm.total_vm << 2, anon, file, shmem, mm.pgtables_bytes >> 10


def mark_oom_victim(m: Kernel, victim: Task) -> None:
    """It may use the reserves, and whoever needs memory waits for its end. Kernel: mark_oom_victim"""
    victim.oom_victim = True
    m.current.killed.append(victim.name)
    m.current.eventful = True
    if m.trace is not None:
        m.trace.oom.mark_victim(victim)


# -- the report ------------------------------------------------------------------------------------


def dump_header(m: Kernel, gfp: int, order: int, victim: Task | None) -> None:
    """Who asked for what, the state of memory, the tasks, and who was chosen. Kernel: dump_header"""
    task = current(m)
    printk.printk(
        m,
        f"{task.comm} invoked oom-killer: gfp_mask={gfp:#x}({gfp_masks.pGg(gfp)}), order={order}, "
        f"oom_score_adj={task.oom_score_adj}",
    )
    printk.dump_stack(m)
    printk.printk(m, show_mem.show_mem(m, gfp))
    if should_dump_unreclaim_slab(m):
        printk.printk(m, show_mem.unreclaimable_slab_info(m))
    if m.vm.oom.dump_tasks:
        dump_tasks(m)
    if victim is not None:
        dump_oom_summary(m, victim)


def should_dump_unreclaim_slab(m: Kernel) -> bool:
    """Whether slabs that nobody can take back hold more than all user pages together.

    Kernel: should_dump_unreclaim_slab
    """
    slab = sum(vmstat.nr_slab_unreclaimable(m, node.nid) for node in m.nodes)
    return slab > sum(show_mem.lru_pages(m))


def dump_tasks(m: Kernel) -> None:
    """A line for each process. Kernel: dump_tasks, dump_task"""
    printk.printk(m, "Tasks state (memory values in pages):")
    printk.printk(m, "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name")
    for task in m.tasks.values():
        mm = task.mm
        if mm is not None and task.pid != INIT_PID:
            printk.printk(
                m,
                f"[{task.pid:7}] {0:5} {task.pid:5} {mm.total_vm:8} {mm_rss(mm):8} {mm.pgtables_bytes:8} "
                f"{get_mm_counter(mm, MM_SWAPENTS):8}         {task.oom_score_adj:5} {task.comm}",
            )


def dump_oom_summary(m: Kernel, victim: Task) -> None:
    """The choice in one line. Kernel: dump_oom_summary

    Debian's kernel has memory cgroups and cpusets; all tasks are in the first of each. The small one has
    neither.
    """
    nids = sorted(node.nid for node in m.nodes)
    mems_allowed = f"{nids[0]}-{nids[-1]}" if len(nids) > 1 else f"{nids[0]}"
    cgroups = f",cpuset=/,mems_allowed={mems_allowed},global_oom,task_memcg=/"
    if vmstat_text.config(m) is vmstat_text.PLAIN:
        cgroups = ""
    printk.printk(
        m,
        f"oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null){cgroups}"
        f",task={victim.comm},pid={victim.pid},uid=0",
    )

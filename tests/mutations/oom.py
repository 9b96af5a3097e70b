"""Breakages of the slow path with reclaim and of the OOM killer."""

from typing import Final

from tests.mutations.mutation import Mutation

KILL: Final = "mm/oom_kill.py"
PATH: Final = "mm/slowpath.py"

OOM: Final = (
    Mutation(269, KILL, " + (mm.pgtables_bytes >> PAGE_SHIFT)", "", "page tables count"),
    Mutation(269, KILL, "mm_rss(mm) + get_mm_counter(mm, MM_SWAPENTS) + (", "mm_rss(mm) + (", "so does swap"),
    Mutation(
        269,
        KILL,
        "return points + task.oom_score_adj * (totalpages // 1000)",
        "return points",
        "and what the task says of itself",
    ),
    Mutation(
        269,
        KILL,
        "chosen is None or points >= most",
        "chosen is None or points > most",
        "the newest of a tie",
    ),
    Mutation(269, KILL, "if mm is None or task.pid == INIT_PID:", "if mm is None:", "init is never killed"),
    Mutation(
        269,
        KILL,
        "if task.oom_score_adj == OOM_SCORE_ADJ_MIN or mm",
        "if mm",
        "nor is who says -1000",
    ),
    Mutation(270, KILL, "else -thousandths)) * 2 // 3", "else -thousandths)) // 2", "the score's scale"),
    Mutation(
        270,
        KILL,
        "    thousandths = abs(badness) * 1000 // total\n"
        "    return (1000 + (thousandths if badness > 0 else -thousandths)) * 2 // 3",
        "    return (1000 + badness * 1000 // total) * 2 // 3",
        "C divides towards zero",
    ),
    Mutation(271, PATH, "MAX_RECLAIM_RETRIES: Final = 16", "MAX_RECLAIM_RETRIES: Final = 15", "16 rounds"),
    Mutation(
        271,
        PATH,
        "available = reclaimable + zone.nr_free_pages\n        mark",
        "available = zone.nr_free_pages\n        mark",
        "what can be taken back counts as free",
    ),
    Mutation(
        271,
        PATH,
        "    if request.progress and not request.costly:\n        request.no_progress_loops = 0",
        "    if False:\n        request.no_progress_loops = 0",
        "progress begins the count anew",
    ),
    Mutation(
        271,
        PATH,
        "gfp_masks.__GFP_RETRY_MAYFAIL | gfp_masks.__GFP_THISNODE",
        "gfp_masks.__GFP_THISNODE",
        "nobody is killed for a request that can do without",
    ),
    Mutation(
        271,
        PATH,
        "    if not gfp & _DIRECT_RECLAIM or m.current.memalloc or gfp & gfp_masks.__GFP_NORETRY:",
        "    if not gfp & _DIRECT_RECLAIM or m.current.memalloc:",
        "nor for one that shall not be retried",
    ),
    Mutation(
        272,
        "mm/oom_reaper.py",
        "        if task.waiting_for is None:\n            exit_as",
        "        if True:\n            exit_as",
        "a victim that sleeps cannot end",
    ),
    Mutation(
        272,
        "mm/oom_reaper.py",
        "    mm.flags |= 1 << MMF_OOM_SKIP\n",
        "",
        "who was reaped is no candidate",
    ),
    Mutation(273, KILL, "    m.vm.oom.panicked = m.current.seq\n", "", "with nobody left the machine stops"),
    Mutation(
        274,
        KILL,
        "    if should_dump_unreclaim_slab(m):\n        printk",
        "    if False:\n        printk",
        "slabs are listed where they hold most",
    ),
    Mutation(274, KILL, "REPORTS: Final = 10", "REPORTS: Final = 9", "ten reports in a row"),
)

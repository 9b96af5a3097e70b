"""The OOM killer: whether another round could help, who is chosen, and how the victim ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine.trace.collector import Area, count
from app.mm import compact_result
from app.mm.mm_types import MM_SWAPENTS
from app.mm.oom_kill import get_mm_counter, mm_rss, sizes

if TYPE_CHECKING:
    from app.mm.mmzone import Zone
    from app.mm.sched import Task

# Scores that a step lists; the numbers beside them say how many there are.
MAX_SCORES: Final = 64
PRIORITIES: Final = ("COMPACT_PRIO_SYNC_FULL", "COMPACT_PRIO_SYNC_LIGHT", "COMPACT_PRIO_ASYNC")


class OomSteps(Area):
    """Reports of app.mm.oom_kill and app.mm.slowpath."""

    def score_adj_update(self, task: Task) -> None:
        """A task has said how readily it is to be killed."""
        adj = task.oom_score_adj
        self.point("oom_score_adj_update", f"pid={task.pid} comm={task.comm} oom_score_adj={adj}")
        never = ": it is never killed" if adj == -1000 else ""
        self.step(
            "__set_oom_adj",
            f"{task.comm} has oom_score_adj {adj} from now on{never}",
            verdict="ok",
            numbers={"pid": task.pid, "oom_score_adj": adj},
        )

    def retry_zone(
        self,
        zone: Zone,
        order: int,
        reclaimable: int,
        available: int,
        min_wmark: int,
        loops: int,
        *,
        ok: bool,
    ) -> None:
        """Whether a zone would have enough if all that can be taken back were taken back."""
        self.point(
            "reclaim_retry_zone",
            f"node={zone.nid} zone={zone.name:<8} order={order} reclaimable={reclaimable} "
            f"available={available} min_wmark={min_wmark} no_progress_loops={loops} wmark_check={int(ok)}",
        )
        free = available - reclaimable
        twice = ", the free pages once more: there is nothing to reclaim" if reclaimable == free else ""
        self.step(
            "should_reclaim_retry",
            f"{count(reclaimable, 'page')} to be taken back{twice}, with {free:,} free {available:,}: "
            f"{'more' if ok else 'not more'} than min {min_wmark:,} needs; {count(loops, 'round')} in vain",
            zone,
            verdict="again" if ok else "no",
            numbers={
                "reclaimable": reclaimable,
                "available": available,
                "min_wmark": min_wmark,
                "no_progress_loops": loops,
                "order": order,
            },
        )

    def compact_retry(
        self, order: int, priority: int, result: int, retries: int, max_retries: int, *, again: bool
    ) -> None:
        """Whether compaction is tried once more."""
        said = "progress"
        if compact_result.compaction_failed(result):
            said = "failed"
        elif compact_result.compaction_withdrawn(result):
            said = "withdrawn"
        self.point(
            "compact_retry",
            f"order={order} priority={PRIORITIES[priority]} compaction_result={said} retries={retries} "
            f"max_retries={max_retries} should_retry={int(again)}",
        )
        self.step(
            "should_compact_retry",
            f"compaction of order {order}: {said}, {retries} of {max_retries} rounds: "
            f"{'once more' if again else 'not again'}",
            verdict="again" if again else "no",
            numbers={"order": order, "priority": priority, "retries": retries, "max_retries": max_retries},
        )

    def selected(self, scores: list[tuple[Task, int | None]], chosen: Task | None, totalpages: int) -> None:
        """Each candidate's score, and who has the highest."""
        listed = sorted(scores, key=lambda found: -(1 << 62) if found[1] is None else found[1], reverse=True)[
            :MAX_SCORES
        ]
        if chosen is None:
            what = f"{count(len(scores), 'process', 'processes')}, and none of them may be killed"
        else:
            most = next(points for task, points in scores if task is chosen)
            tied = sum(points == most for _, points in scores) > 1
            what = (
                f"{chosen.comm} (pid {chosen.pid}) has the highest score: {self.sum_of(chosen, totalpages)}"
            )
            what += "; of several with it the newest" if tied else ""
        self.step(
            "select_bad_process",
            what,
            verdict="none" if chosen is None else "ok",
            numbers={
                "totalpages": totalpages,
                "processes": len(scores),
                "scores": [[task.name, task.pid, points, task.oom_score_adj] for task, points in listed],
            },
        )

    def allocating_task(self, victim: Task) -> None:
        """Nobody else is looked at."""
        self.step(
            "oom_kill_process",
            f"oom_kill_allocating_task is set: {victim.comm} (pid {victim.pid}) asked, and is taken itself",
            verdict="ok",
            numbers={"pid": victim.pid},
        )

    @staticmethod
    def sum_of(task: Task, totalpages: int) -> str:
        """A score with what it is made of."""
        mm = task.mm
        assert mm is not None
        rss, swapped, tables = mm_rss(mm), get_mm_counter(mm, MM_SWAPENTS), mm.pgtables_bytes >> 12
        adj = task.oom_score_adj * (totalpages // 1000)
        parts = [
            f"{rss:,} resident",
            f"{swapped:,} swapped" if swapped else "",
            f"{tables:,} page tables",
        ]
        parts += [f"{task.oom_score_adj} · {totalpages // 1000:,}" if adj else ""]
        total = rss + swapped + tables + adj
        return f"{' + '.join(part for part in parts if part)} = {total:,} pages"

    def mark_victim(self, victim: Task) -> None:
        """SIGKILL is on its way."""
        mm = victim.mm
        assert mm is not None
        size, anon, file, shmem, tables = sizes(mm)
        self.point(
            "mark_victim",
            f"pid={victim.pid} comm={victim.comm} total-vm={size}kB anon-rss={anon}kB file-rss:{file}kB "
            f"shmem-rss:{shmem}kB uid=0 pgtables={tables}kB oom_score_adj={victim.oom_score_adj}",
        )
        own = ""
        if victim.name == self.m.current.task:
            own = "; it is the caller itself, which may use the reserves to come to its end"
        self.step(
            "__oom_kill_process",
            f"{victim.comm} (pid {victim.pid}) gets SIGKILL{own}",
            verdict="kill",
            numbers={"pid": victim.pid, "anon_kb": anon, "file_kb": file, "shmem_kb": shmem},
        )

    def victim_exits(self, victim: Task) -> None:
        """It runs, finds the signal, and gives everything back."""
        pages = 0 if victim.mm is None else mm_rss(victim.mm)
        self.step(
            "get_signal",
            f"{victim.comm} (pid {victim.pid}) runs to its end and gives {count(pages, 'page')} back",
            verdict="ok",
            numbers={"pid": victim.pid, "pages": pages},
        )

    def reap(self, victim: Task, *, begins: bool) -> None:
        """The reaper takes the pages of one who cannot end."""
        if begins:
            self.point("wake_reaper", f"pid={victim.pid}")
            self.point("start_task_reaping", f"pid={victim.pid}")
            self.step(
                "oom_reap_task",
                f"{victim.comm} sleeps and cannot be woken; after two seconds oom_reaper takes its pages",
                numbers={"pid": victim.pid},
            )
        else:
            self.point("finish_task_reaping", f"pid={victim.pid}")

    def panic(self, text: str) -> None:
        """Nobody is left."""
        self.step("panic", text, verdict="panic")

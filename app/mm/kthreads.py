"""Kernel threads that a call has woken, and that run at its end.

Kernel: mm/vmscan.c kswapd, mm/compaction.c kcompactd, fs/fs-writeback.c wb_workfn. On a real machine they run
when the scheduler lets them. Here nothing runs by itself: they run one after the other, always in the same
order, before the next call, or before the next access or allocation of a call that makes many.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from app.mm import balance_pgdat, compaction, flusher
from app.mm.mmzone import WMARK_LOW

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.scan_control import ScanControl


class Background:
    """What a kernel thread did at the end of a call.

    thread: its name. why: what it was woken for. runs: of kswapd, each of its runs. written: of the flusher,
    pages. changed: frames that it changed, as app.mm.kernel.Changed has them.
    """

    __slots__ = ("changed", "runs", "thread", "why", "written")

    def __init__(self, thread: str, why: str) -> None:
        self.thread = thread
        self.why = why
        self.runs: list[ScanControl] = []
        self.written = 0
        self.changed: list[tuple[int, int, str]] = []


@contextmanager
def running(m: Kernel, thread: str, why: str) -> Iterator[Background]:
    """Let a kernel thread run, and note what it changes."""
    done = Background(thread, why)
    current = m.current
    frames = m.changed.frames
    before = len(frames)
    context, memalloc = current.context, current.memalloc
    current.context, current.thread, current.memalloc = "process", thread, thread.startswith("kswapd")
    try:
        yield done
    finally:
        current.context, current.thread, current.memalloc = context, None, memalloc
        done.changed = frames[before:]
        current.background.append(done)
        current.eventful = True


def run_woken(m: Kernel) -> None:
    """Let all run that were woken, and those whom they wake; after a panic nobody."""
    while m.vm.threads_woken and not m.vm.oom.panicked:
        m.vm.threads_woken = False
        for node in m.nodes:
            if node.kswapd_woken:
                with running(m, f"kswapd{node.nid}", low_zones(m, node.nid)) as done:
                    done.runs = balance_pgdat.run_kswapd(m, node.nid)
        for node in m.nodes:
            if node.kcompactd_woken:
                why = f"a block of order {node.kcompactd_max_order}"
                with running(m, f"kcompactd{node.nid}", why):
                    compaction.kcompactd_do_work(m, node)
        if m.vm.flusher_woken:
            with running(m, "flusher", "dirty pages") as done:
                done.written = flusher.run_flusher(m)


def low_zones(m: Kernel, nid: int) -> str:
    """Why kswapd was woken: zones below their low mark, no block of the order that is wanted, a boost."""
    zones = [zone for zone in m.zones if zone.nid == nid]
    low = [zone for zone in zones if zone.vm_stat_free <= zone.wmark_pages(WMARK_LOW)]
    if not low and m.nodes[nid].kswapd_order:
        return f"no free block of order {m.nodes[nid].kswapd_order}"
    if not low:
        return "boosted marks" if any(zone.boost for zone in zones) else "high mark"
    only_boosted = all(zone.vm_stat_free > zone.watermark[WMARK_LOW] for zone in low)
    return f"low mark of {', '.join(zone.name for zone in low)}{', boosted' if only_boosted else ''}"

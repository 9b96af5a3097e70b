"""Which addresses a process may use: where there is room, what merges, what is taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine import observing, vma_text
from app.machine.pte_text import LEVELS
from app.machine.trace.collector import Area, count
from app.machine.trace.memory import SPANS, rss_numbers, rss_text
from app.mm import sched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.mm.mm_types import VmArea
    from app.mm.mmap import UnmappedArea

MERGED: Final = {
    "before": "the area before it says the same and grows",
    "after": "the area behind it says the same and grows",
    "both": "it closes a gap between two areas that say the same: the three become one",
}
MODES: Final = (
    "what alone is more than all memory is refused",
    "nothing is refused",
    "no more than the limit",
)


class MmapSteps(Area):
    """Reports of app.mm.mmap, app.mm.vma, app.mm.zap and app.mm.mmu_gather."""

    # -- room --------------------------------------------------------------------------------------

    def fixed(self, address: int, length: int) -> None:
        """MAP_FIXED: what is there is unmapped first."""
        self.step(
            "get_unmapped_area",
            f"MAP_FIXED: {address:#x}, whatever is there",
            numbers={"address": f"{address:#x}", "length": length},
        )

    def hint(self, address: int, length: int, following: VmArea | None, *, free: bool) -> None:
        """A wished address."""
        self.step(
            "arch_get_unmapped_area_topdown",
            f"the address asked for, {address:#x}, is {'free' if free else 'not free for so much'}",
            verdict="ok" if free else "taken",
            numbers={
                "address": f"{address:#x}",
                "length": length,
                "next_start": None if following is None else f"{following.start_gap:#x}",
            },
        )

    def gap(self, name: str, low: int | None, high: int, length: int, address: int, base: int) -> None:
        """A free range that is large enough. name: which search found it."""
        down = name == "unmapped_area_topdown"
        end = "upper" if down else "lower"
        where = "highest" if down else "lowest"
        below = "nothing" if low is None else f"{low:#x}"
        self.step(
            name,
            f"the {where} gap for {length:#x} bytes {'below' if down else 'above'} {base:#x} lies between"
            f" {below} and {high:#x}: its {end} end, {address:#x}",
            verdict="found",
            numbers={
                "gap_start": None if low is None else f"{low:#x}",
                "gap_end": f"{high:#x}",
                "length": length,
                "address": f"{address:#x}",
                "base": f"{base:#x}",
            },
        )

    def no_gap(self, name: str, length: int) -> None:
        """No free range is large enough."""
        self.step(name, f"no gap for {length:#x} bytes", verdict="none", numbers={"length": length})

    def searched(self, address: int, info: UnmappedArea) -> None:
        """A search has ended. Kernel: trace_vm_unmapped_area"""
        mm = sched.current_mm(self.m)
        self.point(
            "vm_unmapped_area",
            f"addr={max(address, 0):#x} err={min(address, 0)} total_vm={mm.total_vm:#x} flags={info.flags:#x}"
            f" len={info.length:#x} lo={info.low_limit:#x} hi={info.high_limit:#x} mask={info.align_mask:#x}"
            f" ofs={info.align_offset:#x}",
        )

    def refused(self, name: str, what: str, error: int) -> None:
        """A request that cannot be."""
        self.step(name, f"{what}: {error}", verdict="no", numbers={"error": error})

    def commitment(self, pages: int, committed: int, limit: int | None, mode: int, *, enough: bool) -> None:
        """Whether so much memory may be promised."""
        if limit is None:
            compared = f"{count(pages, 'page')} more"
        elif mode:
            compared = f"{committed:,} promised {'<' if enough else '≥'} {limit:,}"
        else:
            compared = f"{count(pages, 'page')} {'≤' if enough else '>'} {limit:,}"
        self.step(
            "__vm_enough_memory",
            f"overcommit_memory {mode}, {MODES[mode]}: {compared}",
            verdict="ok" if enough else "no",
            numbers={"pages": pages, "committed": committed, "limit": limit, "overcommit_memory": mode},
        )

    def placed(self, vma: VmArea, start: int, end: int, *, merged: str) -> None:
        """The range is part of the address space. merged: with which neighbours."""
        what = MERGED.get(merged, "an area of its own")
        self.step(
            "mmap_region",
            f"{start:#x}-{end:#x}: {what}: {vma_text.area(vma)}; no page is mapped by that",
            verdict="merged" if merged else "new",
            numbers={
                "start": f"{start:#x}",
                "end": f"{end:#x}",
                "vm_start": f"{vma.vm_start:#x}",
                "vm_end": f"{vma.vm_end:#x}",
                "vm_flags": f"{vma.vm_flags:#x}",
            },
        )

    def merged(self, vma: VmArea, start: int, end: int, *, sides: str) -> None:
        """A range says what a neighbour says, and becomes part of it."""
        self.step(
            "vma_merge",
            f"{start:#x}-{end:#x}: {MERGED[sides]}",
            verdict="merged",
            numbers={"start": f"{start:#x}", "end": f"{end:#x}", "vm_start": f"{vma.vm_start:#x}"},
        )

    def split(self, vma: VmArea, address: int) -> None:
        """An area is cut in two."""
        self.step(
            "__split_vma",
            f"{vma_text.area(vma)} is cut in two at {address:#x}",
            verdict="split",
            numbers={
                "vm_start": f"{vma.vm_start:#x}",
                "vm_end": f"{vma.vm_end:#x}",
                "address": f"{address:#x}",
            },
        )

    def expand(self, vma: VmArea, address: int, pages: int, refused: str) -> None:
        """A stack is to grow down to an address."""
        what = f"may not: {refused}" if refused else f"grows by {count(pages, 'page')} to {address:#x}"
        self.step(
            "expand_downwards",
            f"the {vma_text.backing(vma)} {what}",
            verdict="no" if refused else "grown",
            numbers={"address": f"{address:#x}", "pages": pages, "vm_end": f"{vma.vm_end:#x}"},
        )

    def break_moved(self, before: int, after: int, *, why: str) -> None:
        """The end of the heap."""
        self.step(
            "brk",
            f"the heap ends at {after:#x}" + (f" still: {why}" if why else f", before at {before:#x}"),
            verdict="no" if why else "ok",
            numbers={"before": f"{before:#x}", "after": f"{after:#x}"},
        )

    def protected(self, vma: VmArea, start: int, end: int, pages: int) -> None:
        """Entries of one table get the area's rights."""
        rights = observing.rights(vma)
        self.step(
            "change_pte_range",
            f"{count(pages, 'entry', 'entries')} of {start:#x}-{end:#x} have its rights now: {rights}",
            numbers={"start": f"{start:#x}", "end": f"{end:#x}", "entries": pages},
        )

    # -- taking away -------------------------------------------------------------------------------

    def unmap(self, start: int, end: int, areas: Sequence[VmArea]) -> None:
        """A range is given up."""
        self.step(
            "do_mas_align_munmap",
            f"{start:#x}-{end:#x}: {count(len(areas), 'area')} go",
            numbers={"start": f"{start:#x}", "end": f"{end:#x}", "areas": len(areas)},
        )

    def zapped(self, start: int, end: int, rss: Sequence[int]) -> None:
        """Entries of one table are cleared."""
        self.step(
            "zap_pte_range",
            f"entries of {start:#x}-{end:#x} are cleared; resident pages: {rss_text(rss)}",
            numbers={"start": f"{start:#x}", "end": f"{end:#x}", **rss_numbers(rss)},
        )

    def zapped_huge(self, address: int, head: int | None) -> None:
        """An entry of 2 MiB is cleared."""
        whose = "the huge page of zeros" if head is None else f"the huge page {head:#x}"
        self.step(
            "zap_huge_pmd",
            f"the entry for 2 MiB at {address:#x} is cleared: {whose} and the table set aside with it",
            numbers={"address": f"{address:#x}", "pfn": head},
        )

    def table_freed(self, level: int, base: int, pfn: int) -> None:
        """A table that no area needs."""
        self.step(
            "free_pgd_range",
            f"no area is left in the range of the {LEVELS[level]} table of {base:#x}: frame {pfn:#x} goes",
            verdict="freed",
            numbers={"level": LEVELS[level], "base": f"{base:#x}", "pfn": pfn, "entry_spans": SPANS[level]},
        )

    def gather_page(self, pfn: int, queued: int) -> None:
        """The queue of what is to be freed needs a further page."""
        self.step(
            "tlb_next_batch",
            f"{count(queued, 'frame')} wait to be freed: the queue goes on in frame {pfn:#x}",
            numbers={"pfn": pfn, "queued": queued},
        )

    def flush(self, queued: int) -> None:
        """No processor may use the old translations any more; then frames can be freed."""
        self.step(
            "tlb_flush_mmu",
            f"translations are flushed; {count(queued, 'page or table', 'pages and tables')} waited for it",
            numbers={"queued": queued},
        )

    def released(self, freed: int) -> None:
        """References were dropped."""
        if freed:
            self.step(
                "release_pages",
                f"nobody has {count(freed, 'frame')} any more: freed, the last one first",
                numbers={"freed": freed},
            )

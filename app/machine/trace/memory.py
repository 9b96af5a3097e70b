"""One page fault: the tables level by level, the handler and why, the page, the entry, the counters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine import pte_text
from app.machine.trace.collector import Area, count
from app.mm.pgtable_types import PAGE_SIZE, PSE, pte_pfn
from app.mm.swapops import is_swap_pte
from app.mm.vm_fault import (
    FAULT_FLAG_TRIED,
    VM_FAULT_COMPLETED,
    VM_FAULT_ERROR,
    VM_FAULT_SIGBUS,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.mm.mm_types import MmStruct
    from app.mm.sched import Task
    from app.mm.vm_fault import VmFault

# What an entry of each level maps, and the function that makes a table of such entries.
SPANS: Final = ("", "4 KiB", "2 MiB", "1 GiB", "512 GiB")
MAKERS: Final = ("", "__pte_alloc", "__pmd_alloc", "__pud_alloc", "pgd_alloc")
# The function that finds the entry in a table of each level.
FINDERS: Final = ("", "pte_offset_map", "pmd_offset", "pud_offset", "pgd_offset")
RSS: Final = ("file", "anon", "swap", "shmem")
# The same as tracepoints name them. Kernel: include/trace/events/kmem.h TRACE_MM_PAGES
MEMBERS: Final = ("MM_FILEPAGES", "MM_ANONPAGES", "MM_SWAPENTS", "MM_SHMEMPAGES")


def rss_text(rss: Sequence[int]) -> str:
    """Counts of resident pages that are not 0: `anon +3`."""
    return ", ".join(f"{name} {nr:+,}" for name, nr in zip(RSS, rss, strict=True) if nr) or "none"


def rss_numbers(rss: Sequence[int]) -> dict[str, int]:
    """The same as numbers."""
    return dict(zip(RSS, rss, strict=True))


class MemorySteps(Area):
    """Reports of app.mm.memory, app.mm.pgalloc and app.mm.vm_fault."""

    def level(self, level: int, index: int, entry: int) -> None:
        """One table that is there, and its entry for the address."""
        name = pte_text.LEVELS[level]
        frame = None
        if not entry:
            what = "empty: nothing is mapped below" if level > 1 else "empty: no page yet"
        elif level > 1 and not entry & PSE:
            frame = pte_pfn(entry)
            what = f"{entry:#x}: the table in frame {frame:#x}"
        else:
            what = f"{entry:#x}: {pte_text.words(entry)}"
        self.step(
            FINDERS[level],
            f"{name}[{index}], an entry for {SPANS[level]}, is {what}",
            verdict="empty" if not entry else None,
            numbers={"level": name, "index": index, "entry": f"{entry:#x}", "table_pfn": frame},
        )

    def table(self, level: int, pfn: int | None) -> None:
        """A table is made."""
        self.step(
            MAKERS[level],
            "no frame for a table"
            if pfn is None
            else f"page frame {pfn:#x} becomes a table of entries for {SPANS[level]} each",
            None if pfn is None else self.m.zone_of(pfn),
            verdict="none" if pfn is None else "made",
            numbers={"level": pte_text.LEVELS[level], "pfn": pfn},
            changed=[] if pfn is None else self.shown(pfn, 2 if level == 4 else 1),
        )

    def table_unused(self, pfn: int) -> None:
        """A table that was made before it was known whether there is a page for it."""
        self.step("pte_free", f"the table in frame {pfn:#x} is not needed: it is freed", numbers={"pfn": pfn})

    def handler(self, vmf: VmFault, name: str) -> None:
        """By the entry, and by what stands behind the area, who serves the fault."""
        if is_swap_pte(vmf.orig_pte):
            why = "the entry names a slot in swap"
        elif vmf.orig_pte:
            why = "the entry is there and forbids a write"
        elif vmf.vma.is_anonymous:
            why = "no entry, and no file behind the area"
        else:
            why = "no entry, and a file behind the area"
        self.step(
            "handle_pte_fault",
            f"{why}: {name}",
            numbers={
                "address": f"{vmf.address:#x}",
                "entry": f"{vmf.orig_pte:#x}",
                "anonymous": vmf.vma.is_anonymous,
                "write": bool(vmf.write),
            },
        )

    def no_entry_needed(self, vmf: VmFault, before: int, entry: int) -> None:
        """The entry allows the access already."""
        self.step(
            "handle_pte_fault",
            f"the entry {before:#x} allows it by now: only its accessed and dirty bits are set",
            verdict="ok",
            numbers={"address": f"{vmf.address:#x}", "before": f"{before:#x}", "after": f"{entry:#x}"},
        )

    def nothing_behind(self) -> None:
        """A shared area without a file has lost what it is about."""
        self.step("do_anonymous_page", "a shared area without a file: SIGBUS", verdict="no")

    def zero_page(self, pfn: int) -> None:
        """A read of memory that nobody has written."""
        self.step(
            "do_anonymous_page",
            f"a read: the page of zeros, frame {pfn:#x}, which all share, will do; no memory is taken",
            verdict="zero page",
            numbers={"pfn": pfn},
        )

    def new_page(self, name: str, pfn: int, *, zeroed: bool) -> None:
        """A page of one's own. name: the function that took it."""
        zone = self.m.zone_of(pfn)
        filled = "zeroed" if zeroed else "to be filled with a copy"
        self.step(
            name,
            f"page frame {pfn:#x} of zone {zone.name}, {filled}: the process's own",
            zone,
            verdict="new page",
            numbers={"pfn": pfn, "zeroed": zeroed},
            changed=self.shown(pfn),
        )

    def entry(self, address: int, level: int, before: int, entry: int) -> None:
        """An entry is written."""
        self.step(
            "set_pte_at",
            f"{pte_text.LEVELS[level]} of {address:#x}: {before:#x} → {entry:#x} ({pte_text.words(entry)})",
            numbers={
                "address": f"{address:#x}",
                "level": pte_text.LEVELS[level],
                "before": f"{before:#x}",
                "after": f"{entry:#x}",
                "pfn": pte_text.frame_of(level, entry, address),
            },
        )

    def over_zero_page(self) -> None:
        """A write where the page of zeros is mapped."""
        self.step(
            "do_wp_page",
            "the entry maps the page of zeros: nothing has to be copied, a zeroed page will do",
            verdict="zeroed",
        )

    def exclusive(self, pfn: int) -> None:
        """A page that is known to be nobody else's."""
        self.step(
            "do_wp_page",
            f"page frame {pfn:#x} is marked as this process's alone (PG_anon_exclusive): it may be written",
            verdict="reuse",
            numbers={"pfn": pfn, "exclusive": True},
        )

    def references(
        self, pfn: int, before: int, count: int, limit: int, *, drained: bool, reuse: bool
    ) -> None:
        """Whether anybody else holds the page. count: after a drain, if there was one."""
        if before > limit:
            why = f"_refcount {before} > {limit}: more than batches explain, so somebody shares it: copy"
        else:
            counted = f"_refcount {before}, drained of batches {count}" if drained else f"_refcount {count}"
            why = f"{counted}: {'nobody else has it: reuse' if reuse else 'somebody has it too: copy'}"
        self.step(
            "do_wp_page",
            f"page frame {pfn:#x}: {why}",
            verdict="reuse" if reuse else "copy",
            numbers={
                "pfn": pfn,
                "exclusive": False,
                "refcount": before,
                "refcount_after_drain": count,
                "limit": limit,
                "drained": drained,
            },
        )

    def not_anonymous(self, pfn: int, *, shared: bool) -> None:
        """A page of a file."""
        why = (
            "a shared area: the file itself is written"
            if shared
            else "a private area: the writer gets a copy"
        )
        self.step(
            "do_wp_page",
            f"page frame {pfn:#x} is a file's, in {why}",
            verdict="shared" if shared else "copy",
            numbers={"pfn": pfn, "shared": shared},
        )

    def copied(self, old: int, new: int, mapcount: int, refcount: int) -> None:
        """What is left of the page that was copied."""
        after = "nobody has it any more: it is freed" if not refcount else "it stays with the others"
        self.step(
            "copy_user_highpage",
            f"frame {old:#x} is copied to {new:#x}; of the old one {count(mapcount, 'mapping')} and"
            f" {count(refcount, 'reference')} are left: {after}",
            verdict="copied",
            numbers={"pfn": old, "new_pfn": new, "mapcount": mapcount, "refcount": refcount},
            changed=self.shown(new),
        )

    def fault_around(self, start: int, end: int, mapped: int, *, hit: bool) -> None:
        """Cached pages around the address are mapped at once. start, end: their indexes in the file."""
        around = f"pages {start} to {end}" if end > start else f"page {start}"
        what = f"{mapped} of {max(0, end - start + 1)} mapped, those in memory and ready"
        self.step(
            "filemap_map_pages",
            f"{around} of the file lie around: {what}; {'with' if hit else 'without'} the wanted one",
            verdict="hit" if hit else "miss",
            numbers={"start": start, "end": end, "mapped": mapped},
        )

    def dirtied(self, pfn: int, *, was_clean: bool, told_file: bool) -> None:
        """A page of a shared file is written."""
        file = "the file system was told; " if told_file else ""
        self.step(
            "fault_dirty_shared_page",
            f"{file}frame {pfn:#x} is {'dirty now' if was_clean else 'dirty already'}",
            verdict="dirty",
            numbers={"pfn": pfn, "was_clean": was_clean, "told_file": told_file},
        )

    def accounted(self, ret: int, flags: int, counted: str, task: Task) -> None:
        """The end: how the fault is counted. Resident pages are counted by the task until it folds them."""
        if ret & VM_FAULT_ERROR:
            verdict = "error"
            what = f"the fault ends in {'SIGBUS' if ret & VM_FAULT_SIGBUS else 'an error'} and is not counted"
        elif counted == "none":
            verdict, what = "retry", "to be made once more: not counted yet"
        else:
            number = task.maj_flt if counted == "major" else task.min_flt
            verdict, what = counted, f"a {counted} fault: {counted[:3]}_flt {number}"
        done = " (its lock is given up already)" if ret & VM_FAULT_COMPLETED else ""
        rss = task.rss_stat
        self.step(
            "mm_account_fault",
            f"{what}{done}; resident pages not yet told to the address space: {rss_text(rss)}",
            verdict=verdict,
            numbers={
                "ret": f"{ret:#x}",
                "tried": bool(flags & FAULT_FLAG_TRIED),
                "min_flt": task.min_flt,
                "maj_flt": task.maj_flt,
                **rss_numbers(rss),
            },
        )

    def rss_stat(self, mm: MmStruct, member: int, count: int) -> None:
        """The address space counts other pages. Kernel: trace_rss_stat, which hashes the address of the mm"""
        task = self.m.tasks.get(self.m.current.task)
        of_current = int(task is not None and task.mm is mm)
        size = count * PAGE_SIZE
        self.point("rss_stat", f"mm_id={mm.id} curr={of_current} type={MEMBERS[member]} size={size}B")

    def rss_folded(self, events: int, rss: Sequence[int]) -> None:
        """The task tells its address space what it has counted."""
        self.step(
            "sync_mm_rss",
            f"after {count(events, 'fault')}: the task's counts go to its address space: {rss_text(rss)}",
            numbers={"events": events, **rss_numbers(rss)},
        )

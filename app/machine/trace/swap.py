"""Swap: the search for slots, the swap cache, and what is read when a page comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.machine import pte_text
from app.machine.trace.collector import MAX_LISTED, Area, count
from app.mm.swap_info import SWP_SOLIDSTATE
from app.mm.swapops import swp_offset, swp_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.mm.mm_types import VmArea
    from app.mm.swap_info import SwapInfo


def name(entry: int) -> str:
    """A slot in words."""
    number = swp_type(entry)
    return f"slot {swp_offset(entry)}" + (f" of area {number}" if number else "")


def rows(entries: list[int]) -> str:
    """Slots in words, of which neighbours are one row."""
    first, last = entries[0], entries[-1]
    if entries == list(range(first, last + 1)):
        return f"slots {swp_offset(first)} to {swp_offset(last)}"
    return f"slots between {swp_offset(min(entries))} and {swp_offset(max(entries))}"


def numbers(entry: int, **others: Any) -> dict[str, Any]:
    """A slot as numbers, with others."""
    return {"area": swp_type(entry), "slot": swp_offset(entry), **others}


class Out:
    """Pages that leave memory one after the other, told in one step.

    fn: what the step says was running. entries: the slots that they got. places: who had them mapped, where,
    and what stands there now. left: slots in the CPU's stock, None without one.
    """

    __slots__ = ("entries", "fn", "left", "pfns", "places", "step", "written")

    def __init__(self, fn: str) -> None:
        self.fn = fn
        self.pfns: list[int] = []
        self.entries: list[int] = []
        self.places: list[tuple[str, int, int]] = []
        self.left: int | None = None
        self.written = 0
        self.step: dict[str, Any] | None = None

    def is_last(self, steps: list[dict[str, Any]]) -> bool:
        """Whether nothing else has been told since."""
        return bool(steps) and steps[-1] is self.step

    def words(self) -> str:
        """All of it."""
        many = len(self.pfns) > 1
        said = f"{len(self.pfns)} pages" if many else f"frame {self.pfns[0]:#x}"
        if self.entries:
            said += f" get {rows(self.entries)}" if many else f" gets {name(self.entries[0])}"
            if self.left is not None:
                said += f", of which the CPU's stock has {self.left} left"
        if self.places:
            taken = "; taken" if self.entries else " are taken" if many else " is taken"
            said += f"{taken} from {self.owners()}"
        if self.written:
            said += f"; {count(self.written, 'page')} written"
        return said

    def owners(self) -> str:
        """Who had the pages mapped."""
        if len(self.places) == 1:
            owner, address, entry = self.places[0]
            left = f"the entry says {pte_text.words(entry)}" if entry else "the entry is empty"
            return f"{owner} at {address:#x}: {left}"
        names = ", ".join(dict.fromkeys(owner for owner, _, _ in self.places[:MAX_LISTED]))
        return f"{names} ({count(len(self.places), 'entry', 'entries')})"

    def numbers(self) -> dict[str, Any]:
        """The same as numbers."""
        return {
            "pages": len(self.pfns),
            "pfns": self.pfns[:MAX_LISTED],
            "slots": [swp_offset(entry) for entry in self.entries[:MAX_LISTED]],
            "left": self.left,
            "entries": len(self.places),
            "written": self.written,
        }


class SwapSteps(Area):
    """Reports of app.mm.swapfile_scan and the other modules of swap."""

    # What left memory last, and how many slots the CPU's stock had left then.
    out: Out | None = None
    left: int | None = None

    # -- slots -------------------------------------------------------------------------------------

    def searched(
        self, si: SwapInfo, base: int, found: Sequence[int], goal: int, looked_at: int, stretch: str
    ) -> None:
        """A search in an area. stretch: where it began."""
        if not found:
            what = f"no slot of {si.file.path} is free: {count(looked_at, 'slot')} looked at"
        else:
            row = f"{found[0]}" if len(found) == 1 else f"{found[0]} to {found[-1]}"
            what = f"{stretch}, slot {base}: {count(len(found), 'slot')} of {goal} found, {row}"
            if len(found) < goal:
                what += (
                    f"; it ends after {count(looked_at, 'slot')}, when patience runs out or nothing is left"
                )
        self.step(
            "scan_swap_map_slots",
            what,
            verdict="found" if found else "no slot",
            numbers={
                "area": si.type,
                "from": base,
                "goal": goal,
                "found": len(found),
                "looked_at": looked_at,
                "in_use": si.inuse_pages,
                "cluster_next": si.cluster_next,
                "cluster_nr": si.cluster_nr,
            },
        )

    def slot(self, left: int, *, stock: bool) -> None:
        """A page gets a slot: it is told with the page. left: in the CPU's stock."""
        self.left = left if stock else None

    def no_slot(self) -> None:
        """There is none."""
        self.step("folio_alloc_swap", "no slot is free in any area", verdict="no slot")

    def returned(self, entry: int, waiting: int, *, stock: bool) -> None:
        """A slot that nobody uses any more. waiting: in the stock of those that are given back."""
        where = (
            f"waits with {waiting - 1} others to be given back" if stock else "goes back to its area at once"
        )
        self.step("free_swap_slot", f"{name(entry)} is nobody's any more: it {where}", numbers=numbers(entry))

    # -- the swap cache ----------------------------------------------------------------------------

    def added(self, pfn: int, entry: int) -> None:
        """A page is to be swapped out."""
        out = self.out if self.out is not None and self.out.is_last(self.trace.steps) else Out("add_to_swap")
        out.pfns.append(pfn)
        out.entries.append(entry)
        out.left = self.left
        self.out = self.tell(out)

    def given_up(self, pfn: int, entry: int) -> None:
        """A page leaves the swap cache, and its slot is free."""
        self.step(
            "folio_free_swap",
            f"no entry names {name(entry)} any more: frame {pfn:#x} gives it up, and is dirty, since only"
            " it has the contents now",
            verdict="given up",
            numbers=numbers(entry, pfn=pfn),
            changed=self.shown(pfn),
        )

    def unmapped(self, pfn: int, vma: VmArea, address: int, entry: int) -> None:
        """A page is taken from one who maps it. entry: what stands in its place."""
        owner = next((task.name for task in self.m.tasks.values() if task.mm is vma.vm_mm), "?")
        fn = "add_to_swap" if self.is_going(pfn) else "try_to_unmap_one"
        out = self.out
        if out is None or out.fn != fn or not out.is_last(self.trace.steps):
            out = Out(fn)
        if fn != "add_to_swap" and pfn not in out.pfns[-1:]:
            out.pfns.append(pfn)
        out.places.append((owner, address, entry))
        self.out = self.tell(out)

    def is_going(self, pfn: int) -> bool:
        """Whether the page is the last that got a slot in the step that is being made."""
        out = self.out
        return out is not None and out.pfns[-1:] == [pfn] and bool(out.entries)

    def tell(self, out: Out) -> Out:
        """Make the step, or what was the last one anew with one page more."""
        if out.step is not None:
            out.step.update(what=out.words(), numbers=out.numbers())
            out.step["changed"] += [] if out.places else self.shown(out.pfns[-1])
            return out
        before = len(self.trace.steps)
        self.step(out.fn, out.words(), verdict="unmapped", numbers=out.numbers())
        if len(self.trace.steps) > before:
            out.step = self.trace.steps[-1]
        return out

    # -- writing and reading -----------------------------------------------------------------------

    def written(self, pfn: int, entry: int) -> None:
        """A page is written to its slot."""
        out = self.out
        if out is not None and self.is_going(pfn) and out.is_last(self.trace.steps):
            out.written += 1
            self.tell(out)
            return
        self.step(
            "swap_writepage", f"frame {pfn:#x} is written to {name(entry)}", numbers=numbers(entry, pfn=pfn)
        )

    def lookup(self, address: int, entry: int, pfn: int | None, *, ahead: bool) -> None:
        """Whether a page that is wanted is still, or again, in memory. ahead: it was read ahead."""
        if pfn is None:
            what = "it is not in the swap cache: it has to be read, a major fault"
        else:
            why = (
                "it was read ahead with another"
                if ahead
                else "it never left, or somebody has brought it back"
            )
            what = f"frame {pfn:#x} has it: {why}; nothing is read"
        self.step(
            "swap_cache_get_folio",
            f"{name(entry)} is wanted at {address:#x}: {what}",
            verdict="miss" if pfn is None else "hit",
            numbers=numbers(entry, address=f"{address:#x}", pfn=pfn, read_ahead=ahead),
        )

    def window(self, entry: int, hits: int, previous: int, last: int, pages: int) -> None:
        """How many pages are read at once. hits: of those read ahead before, how many were wanted."""
        where = swp_offset(entry) if self.m.vm.swap is not None and self.m.vm.swap.nr_rotate_swap else None
        if hits:
            why = f"{hits} read ahead were wanted since: {hits} + 2, rounded up to a power of two, at most 8"
        elif pages > 1 and pages == last // 2:
            why = f"nothing that was read ahead was wanted, but no less than half of the last {last}"
        else:
            near = "beside" if pages > 1 else "not beside"
            last_one = f", {previous}" if where is not None else ""
            why = f"nothing that was read ahead was wanted, and it is {near} the last one{last_one}"
        self.step(
            "swapin_nr_pages",
            f"a window of {count(pages, 'page')}: {why}",
            numbers=numbers(entry, hits=hits, previous=previous, last=last, pages=pages),
        )

    def read(self, entry: int, read: Sequence[tuple[int, int]], asked: int) -> None:
        """Pages are read. read: slot and frame of each; asked: slots of the window."""
        where = ", ".join(f"{swp_offset(one)} to frame {pfn:#x}" for one, pfn in read[:8])
        left = asked - len(read)
        rest = f"; {count(left, 'slot')} free, or in memory already" if left > 0 else ""
        self.step(
            "swap_readpage",
            f"{count(len(read), 'slot')} read: {where}{rest}" if read else f"nothing is read{rest}",
            verdict="read" if read else "none",
            numbers=numbers(entry, read=len(read), asked=asked),
            changed=[run for _, pfn in read for run in self.shown(pfn)],
        )

    def brought_back(
        self, pfn: int, entry: int, references: int, *, exclusive: bool, gives_up: bool, full: bool
    ) -> None:
        """How a page is mapped again. references: on the page, when its entry no longer named the slot."""
        if exclusive:
            whose = "this process's alone"
        else:
            whose = "shared, so that a write has to see first who else has it"
        if gives_up:
            stays = "it gives its slot up" + (", since swap is more than half full" if full else "")
        else:
            stays = "it keeps its slot, and need not be written again as long as nobody changes it"
        self.step(
            "do_swap_page",
            f"frame {pfn:#x} is mapped again, {whose}; {stays}",
            verdict="alone" if exclusive else "shared",
            numbers=numbers(entry, pfn=pfn, references=references, exclusive=exclusive, gives_up=gives_up),
            changed=self.shown(pfn),
        )

    # -- areas -------------------------------------------------------------------------------------

    def begun(self, si: SwapInfo) -> None:
        """An area may be used."""
        how = (
            "each CPU fills a cluster of its own"
            if si.flags & SWP_SOLIDSTATE
            else "slots are taken in a row, since neighbours are cheap on a disk that turns"
        )
        self.step(
            "swapon",
            f"{si.file.path} has {count(si.pages, 'slot')} with priority {si.prio}; {how}",
            verdict="ok",
            numbers={"area": si.type, "pages": si.pages, "priority": si.prio},
        )

    def unused(self, pfn: int, address: int, mm: int) -> None:
        """A page is brought back since its area ends."""
        self.step(
            "unuse_pte",
            f"frame {pfn:#x} is mapped again at {address:#x}",
            numbers={"pfn": pfn, "address": f"{address:#x}", "mm": mm},
        )

"""kmap: the slots of the window through which HIGHMEM is seen."""

from __future__ import annotations

from app.machine.trace.collector import Area, count


class HighmemSteps(Area):
    """Reports of app.mm.highmem."""

    def kmap(self, pfn: int, nr: int | None, uses: int, waiting: int) -> None:
        """The slot that a page of HIGHMEM has."""
        if nr is None:
            what = f"every slot is in use: {count(waiting, 'task')} wait"
        else:
            what = f"page frame {pfn:#x} has slot {nr}, count {uses} → {uses + 1}"
        self.step(
            "kmap_high",
            what,
            verdict="no slot" if nr is None else "ok",
            numbers={"pfn": pfn, "slot": nr, "count": uses, "waiting": waiting},
        )

    def kmap_search(self, first: int, nr: int) -> None:
        """The search for a free slot."""
        self.step(
            "map_new_virtual",
            f"from slot {first} on, slot {nr} is the first free one",
            verdict="ok",
            numbers={"first": first, "slot": nr},
        )

    def kmap_flush(self, cleared: list[int], used: int) -> None:
        """All slots that nobody uses are cleared: those of count 1."""
        self.step(
            "flush_all_zero_pkmaps",
            f"back at slot 0: {count(len(cleared), 'unused slot')} cleared by one flush, {used} in use",
            numbers={"cleared": cleared, "used": used},
        )

    def kunmap(self, pfn: int, nr: int, uses: int, waiting: int, *, unused: bool) -> None:
        """One user less of a slot: its count now."""
        idle = f": unused, {count(waiting, 'waiting task')}" if unused else ""
        self.step(
            "kunmap_high",
            f"page frame {pfn:#x} has slot {nr}, count {uses + 1} → {uses}{idle}",
            verdict="unused" if unused else "used",
            numbers={"pfn": pfn, "slot": nr, "count": uses, "waiting": waiting},
        )

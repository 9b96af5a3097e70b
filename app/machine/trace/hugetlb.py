"""Huge pages from the pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.machine.trace.collector import Area, count

if TYPE_CHECKING:
    from app.mm.hugetlb import Hstate


class HugetlbSteps(Area):
    """Reports of app.mm.hugetlb."""

    def reserve(self, hstate: Hstate, wanted: int, *, enough: bool) -> None:
        """A mapping wants pages set aside."""
        free = len(hstate.freelist)
        self.step(
            "hugetlb_reserve_pages",
            f"{wanted} wanted {'≤' if enough else '>'} {free} free − {hstate.reserved} reserved",
            verdict="ok" if enough else "no",
            numbers={"wanted": wanted, "free": free, "reserved": hstate.reserved},
        )

    def taken(self, hstate: Hstate, index: int, head: int | None, *, reserved: bool) -> None:
        """A page from the pool's head, or none."""
        free = len(hstate.freelist)
        by = "by its reservation" if reserved else "without a reservation"
        what = (
            f"{free} free, {hstate.reserved} of them reserved for others: none is left"
            if head is None
            else f"frame {head:#x} from the head of the pool, {by}"
        )
        self.step(
            "alloc_huge_page",
            f"page {index} of the mapping: {what}",
            verdict="none" if head is None else "new page",
            numbers={
                "pfn": head,
                "index": index,
                "free": free,
                "reserved": hstate.reserved,
                "promised": reserved,
            },
        )

    def found(self, index: int, head: int) -> None:
        """A shared page that is there already."""
        self.step(
            "hugetlb_no_page",
            f"page {index} of the mapping is there already: frame {head:#x}",
            verdict="cached",
            numbers={"pfn": head, "index": index},
        )

    def write(self, head: int, mapcount: int, *, reuse: bool) -> None:
        """A write to a page that may only be read: here mappings decide, not references."""
        after = "nobody else maps it: reuse" if reuse else "it is not this process's alone: copy"
        self.step(
            "hugetlb_wp",
            f"huge page {head:#x}: {count(mapcount, 'mapping')}: {after}",
            verdict="reuse" if reuse else "copy",
            numbers={"pfn": head, "mapcount": mapcount},
        )

    def taken_from_others(self, address: int, old: int) -> None:
        """The pool is empty, and the owner of the reservation must not fail."""
        self.step(
            "unmap_ref_private",
            f"the pool is empty: {old:#x} is unmapped from all others, for this process reserved it",
            verdict="taken",
            numbers={"address": f"{address:#x}", "pfn": old},
        )

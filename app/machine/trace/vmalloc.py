"""Kernel addresses outside the direct map: areas, their pages and page tables, purges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine.changes import MAX_RUNS
from app.machine.trace.collector import MAX_LISTED, Area, count
from app.mm.memory_model import PAGE_SIZE

if TYPE_CHECKING:
    from app.mm.vmalloc import VmStruct
    from app.mm.vmap_area import VmapArea

TABLES: Final = {21: ("__pte_alloc_kernel", "entries of 4 KiB"), 30: ("__pmd_alloc", "entries of 2 MiB")}


class VmallocSteps(Area):
    """Reports of vmalloc, vmap_area, pgtable and module."""

    def vmalloc(self, size: int, pages: int, shift: int, vm_range: tuple[int, int]) -> None:
        """What will be needed: pages of 4 KiB, rounded up to those of 2^shift bytes."""
        self.step(
            "__vmalloc_node_range",
            f"{count(size, 'byte')}: {count(pages, 'page')} and a guard page",
            numbers={
                "size": size,
                "pages": pages,
                "page_shift": shift,
                "start": f"{vm_range[0]:#x}",
                "end": f"{vm_range[1]:#x}",
            },
        )

    def too_large(self, size: int, pages: int, total_pages: int) -> None:
        """More than the machine has."""
        self.step(
            "__vmalloc_node_range",
            f"{pages:,} pages > {total_pages:,} in the machine",
            verdict="null",
            numbers={"size": size, "pages": pages, "total_pages": total_pages},
        )

    def module_alloc(self, size: int, vm_range: tuple[int, int]) -> None:
        """Where modules may lie."""
        self.step(
            "module_alloc",
            f"{count(size, 'byte')} between {vm_range[0]:#x} and {vm_range[1]:#x}",
            numbers={"size": size, "start": f"{vm_range[0]:#x}", "end": f"{vm_range[1]:#x}"},
        )

    def area_found(
        self, gap: tuple[int, int], address: int, size: int, align: int, vstart: int, vend: int, fit: str
    ) -> None:
        """The lowest free range that holds the area, and how the area fits into it."""
        start, end = gap
        self.step(
            "__alloc_vmap_area",
            f"the lowest free range for {size:#x} bytes is {start:#x}-{end:#x}: {address:#x},"
            f" guard page {address + size - PAGE_SIZE:#x}",
            verdict="ok",
            numbers={
                "size": size,
                "align": align,
                "vstart": f"{vstart:#x}",
                "vend": f"{vend:#x}",
                "gap_start": f"{start:#x}",
                "gap_end": f"{end:#x}",
                "gap_size": end - start,
                "address": f"{address:#x}",
                "guard": f"{address + size - PAGE_SIZE:#x}",
                "fit": fit,
            },
        )

    def no_area(self, size: int, vstart: int, vend: int, lazy_nr: int) -> None:
        """No free range is large enough."""
        self.step(
            "__alloc_vmap_area",
            f"no free range for {size:#x} bytes; {count(lazy_nr, 'page')} of addresses wait for a purge",
            verdict="no",
            numbers={"size": size, "vstart": f"{vstart:#x}", "vend": f"{vend:#x}", "lazy_nr": lazy_nr},
        )

    def page_array(self, nr_pages: int, array_size: int, *, small: bool) -> None:
        """Where the list of the pages is kept: by kmalloc if it is small."""
        self.step(
            "__vmalloc_area_node",
            f"the list of {count(nr_pages, 'page')} takes {array_size:,} bytes"
            f" {'≤' if small else '>'} {PAGE_SIZE:,}: {'kmalloc' if small else 'an area of its own'}",
            verdict="kmalloc" if small else "vmalloc",
            numbers={"pages": nr_pages, "array_size": array_size, "page_size": PAGE_SIZE},
        )

    def chunk(self, request: int, got: int, total: int, wanted: int, *, complete: bool) -> None:
        """One round of the bulk allocator; after one that is not complete, the rest comes one by one."""
        self.step(
            "vm_area_alloc_pages",
            f"{got} of {request} pages: {total:,} of {wanted:,}",
            verdict="ok" if complete else "one by one",
            numbers={"request": request, "got": got, "total": total, "wanted": wanted},
        )

    def area_pages(self, vm: VmStruct, runs: list[tuple[int, int]]) -> None:
        """The frames that the area is made of. Of very many pieces the first are listed."""
        self.step(
            "__vmalloc_area_node",
            f"{count(len(vm.pages), 'page')} in {count(len(runs), 'piece')} of memory belong to the area",
            numbers={"pages": len(vm.pages), "pieces": len(runs)},
            changed=[[pfn, frames, "vmalloc"] for pfn, frames in runs[:MAX_RUNS]],
        )

    def page_table(self, shift: int, address: int, pfn: int | None) -> None:
        """A table is missing."""
        fn, entries = TABLES[shift]
        start = address >> shift << shift
        self.step(
            fn,
            f"no table of {entries} for {start:#x}: "
            + ("no memory for one" if pfn is None else f"page frame {pfn:#x}"),
            verdict="null" if pfn is None else "ok",
            numbers={"start": f"{start:#x}", "bytes": 1 << shift, "pfn": pfn},
            changed=[] if pfn is None else [[pfn, 1, "pagetable"]],
        )

    def mapped(self, address: int, pages: int, page_shift: int, writes: int) -> None:
        """The entries that were written in all levels."""
        entries = pages << 12 >> page_shift
        self.step(
            "vmap_pages_range",
            f"{count(entries, 'entry', 'entries')} of {1 << page_shift >> 10:,} KiB"
            f" and {writes - entries} for new tables",
            numbers={
                "address": f"{address:#x}",
                "pages": pages,
                "entries": entries,
                "tables": writes - entries,
                "writes": writes,
            },
        )

    def vfree_deferred(self, address: int) -> None:
        """An interrupt may not wait for the lock under which areas are unmapped."""
        self.step(
            "__vfree_deferred",
            f"{self.m.current.context} leaves {address:#x} to a kernel worker, and what follows is its work",
            verdict="deferred",
            numbers={"address": f"{address:#x}"},
        )

    def vunmap(self, vm: VmStruct) -> None:
        """An area is about to be freed."""
        self.step(
            "__vunmap",
            f"{vm.addr:#x}: its addresses first, then {count(len(vm.pages), 'page')}",
            numbers={
                "address": f"{vm.addr:#x}",
                "size": vm.size,
                "pages": len(vm.pages),
                "pfns": vm.pages[:MAX_LISTED],
            },
        )

    def area_lazy(self, va_start: int, pages: int, lazy_nr: int, threshold: int, *, over: bool) -> None:
        """Addresses are put aside until the next purge, which comes when over so many pages wait."""
        self.step(
            "free_vmap_area_noflush",
            f"{va_start:#x} waits: {lazy_nr:,} {'>' if over else '≤'} {threshold:,} pages of addresses",
            verdict="purge" if over else "lazy",
            numbers={
                "address": f"{va_start:#x}",
                "pages": pages,
                "lazy_nr_before": lazy_nr - pages,
                "lazy_nr": lazy_nr,
                "lazy_max_pages": threshold,
            },
        )

    def purge(self, waiting: list[VmapArea], lazy_nr: int) -> None:
        """One flush for all that wait."""
        self.step(
            "__purge_vmap_area_lazy",
            f"one TLB flush frees {count(len(waiting), 'range')}, {count(lazy_nr, 'page')} of addresses",
            verdict="purge",
            numbers={
                "ranges": [[f"{va.va_start:#x}", f"{va.va_end:#x}"] for va in waiting[:MAX_LISTED]],
                "lazy_nr": lazy_nr,
            },
        )

    def vmalloc_to_page(self, address: int, pfn: int | None, where: str) -> None:
        """What the page tables have for an address. where: what lies there."""
        found = "no page" if pfn is None else f"page frame {pfn:#x}"
        self.step(
            "vmalloc_to_page",
            f"{address:#x} is {where}: the page tables have {found}",
            verdict="null" if pfn is None else "ok",
            numbers={"address": f"{address:#x}", "pfn": pfn},
        )

    def kvmalloc(self, address: int | None, size: int) -> None:
        """Whether kmalloc was enough."""
        self.step(
            "kvmalloc_node",
            "kmalloc has it" if address is not None else f"no kmalloc of {count(size, 'byte')}: vmalloc",
            verdict="kmalloc" if address is not None else "vmalloc",
            numbers={"size": size},
        )

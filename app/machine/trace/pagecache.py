"""Pages of files: found, made or read, and how many are read ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine.trace.collector import MAX_LISTED, Area, count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.mm.fs import File, Inode

# Why a window is what it is.
WHY: Final = {
    "first": "the beginning of a file, or of a new row",
    "next": "the reader goes on where the last window ended",
    "marked": "the marked page is used",
    "context": "pages before it are cached",
    "alone": "nothing says that anybody reads on",
}
NOT_AROUND: Final = {
    "random": "the area was advised to be read at random (MADV_RANDOM)",
    "misses": "more than 100 misses: the accesses are random",
}


class PagecacheSteps(Area):
    """Reports of app.mm.filemap_fault, app.mm.pagemap and app.mm.readahead."""

    def lookup(self, inode: Inode, index: int, pfn: int | None) -> None:
        """Whether the page is in memory."""
        found = "not in memory: it must be read, so the fault is major" if pfn is None else f"frame {pfn:#x}"
        self.step(
            "filemap_fault",
            f"page {index} of {inode.name}: {found}",
            verdict="miss" if pfn is None else "cached",
            numbers={"index": index, "pfn": pfn, "cached": len(inode.i_pages)},
        )

    def behind_the_end(self, inode: Inode, index: int, last: int) -> None:
        """An access behind the end of the file."""
        self.step(
            "shmem_fault" if inode.is_shmem else "filemap_fault",
            f"page {index} is behind the end of {inode.name}, which has {count(last, 'page')}: SIGBUS",
            verdict="no",
            numbers={"index": index, "pages": last, "size": inode.size},
        )

    def read_around(self, index: int, file: File, miss: int) -> None:
        """A fault misses: what lies around is read with it."""
        ra = file.ra
        self.step(
            "do_sync_mmap_readahead",
            f"read around page {index}: {count(ra.size, 'page')} from {ra.start} on",
            verdict="read-ahead",
            numbers={
                "index": index,
                "start": ra.start,
                "size": ra.size,
                "async_size": ra.async_size,
                "mmap_miss": miss,
            },
        )

    def not_around(self, index: int, why: str, miss: int) -> None:
        """A fault misses, and only its own page is read."""
        self.step(
            "do_sync_mmap_readahead",
            f"{NOT_AROUND[why]}: only page {index} is read",
            verdict="alone",
            numbers={"index": index, "mmap_miss": miss},
        )

    def marker(self, index: int, pfn: int) -> None:
        """A fault finds the page at which the next window is to begin."""
        self.step(
            "do_async_mmap_readahead",
            f"page {index}, frame {pfn:#x}, is marked PG_readahead: the next window is read already",
            verdict="read-ahead",
            numbers={"index": index, "pfn": pfn},
        )

    def window(self, index: int, asked: int, file: File, why: str) -> None:
        """How much is read at once."""
        ra = file.ra
        alone = why == "alone"
        size = asked if alone else ra.size
        self.step(
            "ondemand_readahead",
            f"page {index}: {WHY[why]}: {count(size, 'page')} from {index if alone else ra.start} on",
            verdict="read-ahead",
            numbers={
                "index": index,
                "asked": asked,
                "start": index if alone else ra.start,
                "size": size,
                "async_size": 0 if alone else ra.async_size,
            },
        )

    def read(self, inode: Inode, pages: Sequence[tuple[int, int]], marked: int | None) -> None:
        """Pages come from the disk into the page cache, as (index, frame)."""
        mark = f"; page {marked} is marked PG_readahead" if marked in dict(pages) else ""
        self.step(
            "page_cache_ra_unbounded",
            f"{count(len(pages), 'page')} of {inode.name} are read into the page cache{mark}",
            verdict="read",
            numbers={
                "pages": [list(page) for page in pages[:MAX_LISTED]],
                "read": len(pages),
                "marked": marked,
            },
            changed=[run for _, pfn in pages[:MAX_LISTED] for run in self.shown(pfn)],
        )

    def shmem(self, inode: Inode, index: int, pfn: int, *, made: bool) -> None:
        """A page of a file that is nowhere but in memory."""
        zone = self.m.zone_of(pfn)
        how = "made of zeros" if made else "there already"
        self.step(
            "shmem_get_folio_gfp",
            f"page {index} of {inode.name} is {how}: frame {pfn:#x}",
            zone,
            verdict="new page" if made else "cached",
            numbers={"index": index, "pfn": pfn},
            changed=self.shown(pfn) if made else [],
        )

    def added(self, inode: Inode, index: int, pfn: int) -> None:
        """Kernel: trace_mm_filemap_add_to_page_cache"""
        self.point("mm_filemap_add_to_page_cache", self.cached(inode, index, pfn), locks=1)

    def removed(self, inode: Inode, index: int, pfn: int) -> None:
        """Kernel: trace_mm_filemap_delete_from_page_cache"""
        self.point("mm_filemap_delete_from_page_cache", self.cached(inode, index, pfn), locks=1)

    def cached(self, inode: Inode, index: int, pfn: int) -> str:
        """A page of a file as the tracepoints print it."""
        major, minor = (int(part, 16) for part in inode.device.split(":"))
        return f"dev {major}:{minor} ino {inode.ino:x} pfn={pfn:#x} ofs={index << 12} order=0"

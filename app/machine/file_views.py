"""Reading files: their sizes, which of their pages are cached, and how far they were read ahead.

Kernel: include/linux/fs.h struct inode, mm/filemap.c, mm/readahead.c. A file is known by its path; one that
has lost its name lives on where it is open or mapped, but nobody can ask for it.
"""

from __future__ import annotations

from heapq import nsmallest
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from app.machine.rmap_views import waiting, where_on_lru
from app.mm import mem_map, namei, workingset
from app.mm.mem_map import PG_readahead, section
from app.mm.mm_types import VM_MAYSHARE
from app.mm.page import (
    PG_active,
    PG_dirty,
    PG_locked,
    PG_private,
    PG_referenced,
    PG_uptodate,
    PG_writeback,
)
from app.mm.pgtable_types import PAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.machine.machine import Machine
    from app.mm.fs import File, Inode, ReadAhead

AREAS_SHOWN: Final = 64
OPENS_SHOWN: Final = 256


def files(m: Machine, start: int, limit: int) -> dict[str, Any]:
    """At most so many files after the first `start`, in the order in which they were made."""
    if not m.vm.inodes:
        cold = list(untouched())
        return part(cold[start : start + limit], len(cold), start + limit)
    shown = islice(m.vm.inodes.items(), start, start + limit)
    return part([file_line(path, inode) for path, inode in shown], len(m.vm.inodes), start + limit)


def part(shown: list[dict[str, Any]], total: int, end: int) -> dict[str, Any]:
    """A part of the list, with where it goes on."""
    return {"files": shown, "total": total, "next": end if end < total else None}


def untouched() -> Iterator[dict[str, Any]]:
    """The files of a machine on which nobody has looked for one yet: its disk, cold."""
    sizes = {**namei.FILES, namei.DISK: namei.DISK_SIZE}
    for number, (path, size) in enumerate(sizes.items()):
        yield {
            "path": path,
            "fs": "bdev" if path == namei.DISK else "ext4",
            "ino": namei.FIRST_INO + number,
            "size": size,
            "nr_pages": -(-size // PAGE_SIZE),
            "cached": 0,
            "evicted": 0,
            "opens": 0,
            "mapped_by": 0,
        }


def file_line(path: str, inode: Inode) -> dict[str, Any]:
    """A file in numbers. evicted: pages that reclaim took, and remembers. mapped_by: areas."""
    return {
        "path": path,
        "fs": inode.fs,
        "ino": inode.ino,
        "size": inode.size,
        "nr_pages": -(-inode.size // (1 << inode.page_shift)),
        "cached": len(inode.i_pages),
        "evicted": len(inode.shadows),
        "opens": inode.opens,
        "mapped_by": len(inode.i_mmap),
    }


def file(m: Machine, path: str, after: int | None, limit: int) -> dict[str, Any]:
    """One file with its cached pages behind an index, at most so many, in order. Raises KeyError."""
    if not m.vm.inodes:
        found = next((line for line in untouched() if line["path"] == path), None)
        if found is None:
            raise KeyError(path)
        return found | {"dirty": 0, "writeback": 0, "pages": [], "next": None, "readahead": [], "areas": []}
    inode = m.vm.inodes[path]
    behind = -1 if after is None else after
    batches = waiting(m)
    shown = nsmallest(limit + 1, (index for index in inode.i_pages if index > behind))
    return {
        **file_line(path, inode),
        **counted(m, inode),
        "pages": [cached_page(m, index, inode.i_pages[index], batches) for index in shown[:limit]],
        "next": shown[limit - 1] if len(shown) > limit else None,
        "readahead": [window(who, where, opened.ra) for who, where, opened in opens(m, inode)],
        "areas": [
            {
                "task": who,
                "start": f"{vma.vm_start:#x}",
                "end": f"{vma.vm_end:#x}",
                "first": vma.vm_pgoff,
                "shared": bool(vma.vm_flags & VM_MAYSHARE),
            }
            for vma in islice(inode.i_mmap, AREAS_SHOWN)
            for who in (owner_of(m, vma.vm_mm.id),)
        ],
    }


def evicted(m: Machine, path: str, first: int, end: int) -> dict[int, dict[str, Any]]:
    """Pages of a stretch that reclaim has taken, and what would become of each, were it read now.

    Kernel: workingset_refault. distance: evictions and activations since; size: the pages with which it
    competes. A page is active at once if it is not further away than that.
    """
    inode = m.vm.inodes.get(path)
    if inode is None or not inode.shadows:
        return {}
    return {index: refault(m, inode.shadows[index]) for index in range(first, end) if index in inode.shadows}


def refault(m: Machine, shadow: int) -> dict[str, Any]:
    """What a shadow says."""
    distance = workingset.refault_distance(m, shadow)
    size = workingset.workingset_size(m, workingset.lruvec_of_shadow(m, shadow), file=True)
    return {"distance": distance, "size": size, "active": distance <= size}


def counted(m: Machine, inode: Inode) -> dict[str, int]:
    """How many of the cached pages are newer than the file, and being written."""
    dirty = writeback = 0
    for at, pfn in enumerate(inode.i_pages.values()):
        bits = mem_map.flags(m, pfn)
        dirty += bool(bits & PG_dirty)
        writeback += bool(bits & PG_writeback)
        if not at & 0xFFF:
            m.breathe()
    return {"dirty": dirty, "writeback": writeback}


def cached_page(m: Machine, index: int, pfn: int, batches: dict[int, str]) -> dict[str, Any]:
    """A page of the page cache."""
    bits = mem_map.flags(m, pfn)
    return {
        "index": index,
        "pfn": pfn,
        "refcount": section(m, pfn).refcount[pfn & 511],
        "mapcount": mem_map.page_mapcount(m, pfn),
        "lru": where_on_lru(m, pfn, batches),
        **{
            name: bool(bits & bit)
            for name, bit in (
                ("uptodate", PG_uptodate),
                ("dirty", PG_dirty),
                ("writeback", PG_writeback),
                ("referenced", PG_referenced),
                ("active", PG_active),
                ("locked", PG_locked),
                ("buffers", PG_private),
                ("readahead", PG_readahead),
            )
        },
    }


def owner_of(m: Machine, mm: int) -> str | None:
    """The task that has an address space."""
    return next((task.name for task in m.tasks.values() if task.mm is not None and task.mm.id == mm), None)


def opens(m: Machine, inode: Inode) -> Iterator[tuple[str, int | None, File]]:
    """(task, descriptor, open file) of each that is open, or was and is still mapped: then without one."""
    seen: dict[int, None] = {}
    for task in m.tasks.values():
        for fd, opened in task.files.items():
            if opened.inode is inode and len(seen) < OPENS_SHOWN:
                seen[id(opened)] = None
                yield task.name, fd, opened
    for vma in inode.i_mmap:
        mapped = vma.vm_file
        if mapped is not None and id(mapped) not in seen and len(seen) < OPENS_SHOWN:
            seen[id(mapped)] = None
            yield owner_of(m, vma.vm_mm.id) or "", None, mapped


def window(task: str, fd: int | None, ra: ReadAhead) -> dict[str, Any]:
    """Where read-ahead stands in an open file. Kernel: struct file_ra_state

    mark: the page whose use starts the next window.
    """
    return {
        "task": task,
        "fd": fd,
        "start": ra.start,
        "size": ra.size,
        "async_size": ra.async_size,
        "mark": ra.start + ra.size - ra.async_size if ra.async_size else None,
        "ra_pages": ra.ra_pages,
        "mmap_miss": ra.mmap_miss,
        "prev_pos": None if ra.prev_pos < 0 else ra.prev_pos,
    }

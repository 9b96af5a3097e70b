"""The memory that a machine has, and what is taken from it before the page allocator starts.

Kernel: mm/memblock.c, and what asks it for memory: the firmware's map and the kernel image
(arch/x86/kernel/setup.c), mm/sparse.c, kernel/dma/swiotlb.c, mm/percpu.c, alloc_large_system_hash.
Everything is worked out as a few runs of page frames, so that a machine of a terabyte costs no more than
one of 16 MiB.

The sizes are those of the Debian kernels that were recorded. Most are the kernel's own formulas; three are
measured: where the image and its holes lie, what the image's neighbours take, and what each node takes
besides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from app.mm.memory_model import PAGE_SHIFT, PAGE_SIZE, SIZEOF_PAGE
from app.mm.mmzone import MAX_ORDER_NR_PAGES

Run = tuple[int, int]

MIB: Final = 1 << 20
GIB: Final = 1 << 30
GIB_FRAMES: Final = GIB >> PAGE_SHIFT
# RAM as the firmware reports it: up to the BIOS data, then from 1 MiB to the ACPI tables, then from 4 GiB.
BASE_MEMORY: Final[Run] = (0x1, 0x9F)
EXTENDED_MEMORY: Final = 0x100
ACPI_TABLES: Final = 0x20
PCI_HOLE: Final[Run] = (3 * GIB >> PAGE_SHIFT, 4 * GIB >> PAGE_SHIFT)
# The first MiB is kept from the allocator: firmware still writes there.
FIRST_MIB: Final[Run] = (0x0, 0x100)
SECTION_FRAMES: Final = 128 * MIB >> PAGE_SHIFT

SWIOTLB_FRAMES: Final = 64 * MIB >> PAGE_SHIFT
SWIOTLB_SLOTS_FRAMES: Final = 192
PERCPU_FRAMES: Final = {"x86_64": 62, "i386": 33}
INITRD_FRAMES: Final = {"x86_64": 301, "i386": 300}
HASH_BUCKET: Final = {"x86_64": 8, "i386": 4}
ADAPT_SCALE_FRAMES: Final = 64 * GIB >> PAGE_SHIFT


@dataclass(frozen=True, slots=True)
class Image:
    """Where the kernel lies: what stays for ever, and what is given back when its init code has run.

    neighbours: frames taken beside the image, for one node and, with several nodes, for the first and for
    each other one.
    """

    kept: tuple[Run, ...]
    init: tuple[Run, ...]
    neighbours: tuple[int, int, int]


IMAGES: Final = {
    "x86_64": Image(
        kept=((0x1000, 0x1E02), (0x2000, 0x28EB), (0x2A00, 0x3044), (0x330F, 0x4203), (0x4400, 0x4411)),
        init=((0x1E02, 0x2000), (0x28EB, 0x2A00), (0x3044, 0x3306), (0x4203, 0x4400)),
        neighbours=(60, 47, 57),
    ),
    "i386": Image(
        kept=((0x1000, 0x1DA4), (0x1E94, 0x1F24)),
        init=((0x1DA4, 0x1E8C),),
        neighbours=(4, 4, 4),
    ),
}
# A kernel as the lecture's first ones were: three MiB behind the first. No kernel of today fits into these
# machines.
TINY_IMAGE: Final[Run] = (0x100, 0x400)


@dataclass(frozen=True, slots=True)
class MemoryMap:
    """A machine's memory in page frames, as ascending `[first, end)` runs.

    ram: of each node. free: of each node, what reaches the page allocator. init: the part of `free` that
    reaches it only after the kernel has started, when the watermarks are computed already. max_low_pfn:
    first frame that the direct map does not reach.
    """

    ram: tuple[tuple[Run, ...], ...]
    free: tuple[tuple[Run, ...], ...]
    init: tuple[Run, ...]
    max_low_pfn: int


class Memblock:
    """Early memory: each node's runs of RAM, taken from the top downwards. Kernel: memblock_alloc"""

    def __init__(self, ram: tuple[tuple[Run, ...], ...]) -> None:
        self.free = sorted((first, end, nid) for nid, runs in enumerate(ram) for first, end in runs)
        self.reserved: list[Run] = []

    def alloc(self, frames: int, nid: int | None = None, below: int | None = None) -> None:
        """Reserve the highest frames that are left, of a node or below a limit where one is given."""
        for place in range(len(self.free) - 1, -1, -1):
            first, end, owner = self.free[place]
            if (nid is not None and owner != nid) or (below is not None and first >= below):
                continue
            stop = end if below is None else min(end, below)
            start = max(first, stop - frames)
            self.reserved.append((start, stop))
            self.free[place : place + 1] = [
                run for run in ((first, start, owner), (stop, end, owner)) if run[0] < run[1]
            ]
            frames -= stop - start
            if not frames:
                return
        raise ValueError(f"{frames} frames too few for the kernel's own needs")


def length(runs: Iterable[Run]) -> int:
    """Number of frames."""
    return sum(end - first for first, end in runs)


def clip(runs: Iterable[Run], first: int, end: int) -> list[Run]:
    """The parts of the runs that lie in `[first, end)`."""
    return [(max(run[0], first), min(run[1], end)) for run in runs if run[0] < end and run[1] > first]


def without(runs: Iterable[Run], taken: Iterable[Run]) -> tuple[Run, ...]:
    """What is left of the runs when others are taken out; both ascending."""
    left = []
    for start, end in runs:
        first = start
        for taken_first, taken_end in taken:
            if taken_end <= first or taken_first >= end:
                continue
            if first < taken_first:
                left.append((first, taken_first))
            first = taken_end
        if first < end:
            left.append((first, end))
    return tuple(left)


# -- the machine's RAM ---------------------------------------------------------------------------------------


def tiny(memory: int) -> MemoryMap:
    """A machine for a blackboard: a small kernel in its first 4 MiB, above it whole blocks of order 10."""
    frames = memory >> PAGE_SHIFT
    ram = (BASE_MEMORY, (EXTENDED_MEMORY, frames))
    return MemoryMap((ram,), (without(ram, (FIRST_MIB, TINY_IMAGE)),), (), frames)


def physical_ram(memory: int, nodes: int) -> tuple[tuple[Run, ...], ...]:
    """Each node's runs of RAM for `memory` bytes, divided evenly in steps of 128 MiB.

    What would lie in the last GiB below 4 GiB, where devices have their addresses, lies above 4 GiB instead.
    """
    frames = memory >> PAGE_SHIFT
    low_end = min(frames, PCI_HOLE[0])
    ram = [BASE_MEMORY, (EXTENDED_MEMORY, low_end - ACPI_TABLES)]
    moved = PCI_HOLE[1] - PCI_HOLE[0]
    if frames > low_end:
        ram.append((PCI_HOLE[1], frames + moved))
    cuts = [frames * nid // nodes // SECTION_FRAMES * SECTION_FRAMES for nid in range(nodes)]
    bounds = [0, *(cut if cut < PCI_HOLE[0] else cut + moved for cut in cuts[1:]), ram[-1][1]]
    return tuple(tuple(clip(ram, first, end)) for first, end in pairwise(bounds))


def memory_map(arch: str, memory: int, cpus_of_node: tuple[int, ...], max_low_pfn: int) -> MemoryMap:
    """The map of a machine.

    memory: bytes. cpus_of_node: how many CPUs each node has. max_low_pfn: first frame out of the direct
    map's reach.
    """
    image = IMAGES[arch]
    ram = physical_ram(memory, len(cpus_of_node))
    end = ram[-1][-1][1]
    max_low_pfn = min(max_low_pfn, end)
    # What must be reachable in 32 bits, or by the direct map, lies below this frame.
    low_end = max(
        min(last, max_low_pfn)
        for runs in ram
        for first, last in runs
        if first < min(PCI_HOLE[0], max_low_pfn)
    )
    initrd = (low_end - INITRD_FRAMES[arch], low_end)
    memblock = Memblock(tuple(without(runs, [initrd]) for runs in ram))
    if arch == "i386":
        memblock.alloc(memmap_frames(arch, align(end, MAX_ORDER_NR_PAGES)), below=low_end)
        memblock.alloc(hash_frames(arch, low_end), below=low_end)
        memblock.alloc(own_frames(arch, cpus_of_node, 0), below=low_end)
    else:
        if end > PCI_HOLE[1]:
            memblock.alloc(SWIOTLB_FRAMES, below=low_end)
            memblock.alloc(swiotlb_overhead(end))
        if len(ram) == 1:
            memblock.alloc(hash_frames(arch, memory >> PAGE_SHIFT))
        for nid, runs in enumerate(ram):
            memblock.alloc(sections(runs) * memmap_frames(arch, SECTION_FRAMES), nid)
            memblock.alloc(own_frames(arch, cpus_of_node, nid), nid)
    reserved = sorted([FIRST_MIB, *image.kept, *memblock.reserved])
    free = tuple(without(runs, reserved) for runs in ram)
    return MemoryMap(ram, free, (*image.init, initrd), max_low_pfn)


# -- what is taken before the page allocator starts ----------------------------------------------------------


def align(frames: int, unit: int) -> int:
    """Round up."""
    return -(-frames // unit) * unit


def sections(runs: Iterable[Run]) -> int:
    """Sections of 128 MiB that hold RAM: x86_64 maps the `struct page`s of a section only if it does."""
    seen: dict[int, None] = {}
    for first, end in runs:
        # The ends alone: only neighbouring runs can share a section.
        seen[first // SECTION_FRAMES] = None
        seen[(end - 1) // SECTION_FRAMES] = None
    inner = sum(max(0, (end - 1) // SECTION_FRAMES - first // SECTION_FRAMES - 1) for first, end in runs)
    return len(seen) + inner


def memmap_frames(arch: str, frames: int) -> int:
    """Frames that the `struct page`s of so many frames fill: 1.56 % of memory on x86_64."""
    return align(frames * SIZEOF_PAGE[arch], PAGE_SIZE) // PAGE_SIZE


def hash_frames(arch: str, frames: int) -> int:
    """The two large hash tables of early boot, for names and inodes of files.

    Kernel: alloc_large_system_hash. One bucket for each 8 and 16 KiB of memory that the kernel can reach,
    rounded up to a power of two; above 64 GiB the tables grow half as fast as memory. With several nodes
    they are vmalloc areas of later.
    """
    scale = 0
    while ADAPT_SCALE_FRAMES << 2 * scale < frames:
        scale += 1
    buckets = 0
    for shift in (1, 2):
        buckets += 1 << ((frames >> shift + scale) - 1).bit_length()
    return align(buckets * HASH_BUCKET[arch], PAGE_SIZE) // PAGE_SIZE


def swiotlb_overhead(end: int) -> int:
    """The slots of the bounce buffer that 32-bit devices need above 4 GiB of memory, and tables to map it."""
    return SWIOTLB_SLOTS_FRAMES + 2 + align(end - PCI_HOLE[1], 2 * GIB_FRAMES) // (2 * GIB_FRAMES)


def own_frames(arch: str, cpus_of_node: tuple[int, ...], nid: int) -> int:
    """What a node takes for itself: its description, and the per-CPU variables of each of its CPUs."""
    alone, first, other = IMAGES[arch].neighbours
    base = alone if len(cpus_of_node) == 1 else other if nid else first
    return base + PERCPU_FRAMES[arch] * cpus_of_node[nid]

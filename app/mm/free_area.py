"""From the memory map to zones with full free lists.

Kernel: mm/page_alloc.c free_area_init, find_zone_movable_pfns_for_nodes; mm/memblock.c memblock_free_all.
Whole max-order blocks are entered as one range for each zone, so nothing here grows with the size of
memory.
"""

from __future__ import annotations

from app.mm import buddy
from app.mm.memblock import GIB_FRAMES, MIB, MemoryMap, Run, align, clip, length
from app.mm.memory_model import PAGE_SHIFT
from app.mm.mmzone import (
    MAX_ORDER,
    MAX_ORDER_NR_PAGES,
    MIGRATE_UNMOVABLE,
    PAGEBLOCK_NR_PAGES,
    PAGEBLOCK_ORDER,
    Zone,
)

DMA_END = 16 * MIB >> PAGE_SHIFT
DMA32_END = 4 * GIB_FRAMES
MOVABLE_ZID = 3


def zone_limits(arch: str, memory: MemoryMap) -> list[tuple[str, int, int]]:
    """(name, first frame, end) of each kind of zone, in the order of their index. Kernel: zone_sizes_init"""
    end = memory.ram[-1][-1][1]
    if arch == "i386":
        return [
            ("DMA", 0, DMA_END),
            ("Normal", DMA_END, memory.max_low_pfn),
            ("HighMem", memory.max_low_pfn, end),
        ]
    return [("DMA", 0, DMA_END), ("DMA32", DMA_END, DMA32_END), ("Normal", DMA32_END, end)]


def free_area_init(arch: str, memory: MemoryMap, movablecore: int, cpus: int) -> list[Zone]:
    """The zones of all nodes that have RAM, without free pages.

    movablecore: frames for ZONE_MOVABLE, 0 for none.
    """
    limits = zone_limits(arch, memory)
    movable = find_zone_movable_pfns_for_nodes(limits, memory, movablecore)
    zones = []
    for nid, ram in enumerate(memory.ram):
        node_end = ram[-1][1]
        kernel_end = movable[nid] or node_end
        parts = [(name, zid, first, min(end, kernel_end)) for zid, (name, first, end) in enumerate(limits)]
        parts.append(("Movable", MOVABLE_ZID, kernel_end, node_end))
        zones += [
            new_zone(name, nid, zid, (max(first, ram[0][0]), min(end, node_end)), memory, cpus)
            for name, zid, first, end in parts
            if clip(ram, first, end)
        ]
    for index, zone in enumerate(zones):
        zone.idx = index
    return zones


def new_zone(name: str, nid: int, zid: int, span: Run, memory: MemoryMap, cpus: int) -> Zone:
    """A zone that spans `[first, end)` of its node, with the frames managed before init memory is freed."""
    first, end = span
    present = clip(memory.ram[nid], first, end)
    managed = length(clip(memory.free[nid], first, end)) - length(clip(memory.init, first, end))
    zone = Zone(name, nid, zid, first, end - first, length(present), managed, cpus)
    zone.hole_pfn = min(end, align(present[-1][1], PAGEBLOCK_NR_PAGES))
    return zone


def find_zone_movable_pfns_for_nodes(
    limits: list[tuple[str, int, int]], memory: MemoryMap, movablecore: int
) -> list[int]:
    """Where ZONE_MOVABLE starts in each node, 0 for nowhere. Kernel: find_zone_movable_pfns_for_nodes

    What is left for the kernel is spread evenly over the nodes; ZONE_MOVABLE gets the rest of each, from
    the zone that the machine's memory ends in. A node that is too small for its part passes the remainder
    on to the others.
    """
    movable = [0] * len(memory.ram)
    totalpages = sum(length(runs) for runs in memory.ram)
    kernelcore = totalpages - min(totalpages, align(movablecore, MAX_ORDER_NR_PAGES))
    if not movablecore or not kernelcore:
        return movable
    last = memory.ram[-1][-1][1]
    usable_start = max(first for _, first, _ in limits if first < last)
    for usable_nodes in range(len(movable), 0, -1):
        kernelcore = spread_kernelcore(memory, movable, kernelcore, usable_nodes, usable_start)
        if kernelcore <= usable_nodes - 1:
            break
    starts = [align(pfn, MAX_ORDER_NR_PAGES) for pfn in movable]
    return [start if start < runs[-1][1] else 0 for start, runs in zip(starts, memory.ram, strict=True)]


def spread_kernelcore(
    memory: MemoryMap, movable: list[int], kernelcore: int, usable_nodes: int, usable_start: int
) -> int:
    """One round: give each node an equal part of the kernel's frames.

    Returns how many are left; moves `movable` up.
    """
    share = kernelcore // usable_nodes
    for nid, runs in enumerate(memory.ram):
        if kernelcore < share:
            share = kernelcore // usable_nodes
        remaining = share
        for run_start, end in runs:
            start = max(run_start, movable[nid])
            if start >= end:
                continue
            if start < usable_start:
                low = min(end, usable_start) - start
                remaining -= min(low, remaining)
                kernelcore -= min(low, kernelcore)
                if end <= usable_start:
                    movable[nid] = end
                    continue
                start = usable_start
            size = min(end - start, remaining)
            movable[nid] = start + size
            kernelcore -= min(size, kernelcore)
            remaining -= size
            if not remaining:
                break
    return kernelcore


# -- filling the free lists ----------------------------------------------------------------------------------


def memblock_free_all(zones: list[Zone], memory: MemoryMap, *, mobility: bool) -> None:
    """Hand every frame that is not reserved to the buddy system, as the largest blocks there are.

    The lists stand in ascending order. All pageblocks are movable, except that the part of a pageblock at
    an unaligned start of a zone keeps the type 0, unmovable, that its memory was cleared to. Without
    grouping by mobility all are.
    """
    for zone in zones:
        if not mobility:
            zone.default_migratetype = MIGRATE_UNMOVABLE
        elif zone.start_pfn % PAGEBLOCK_NR_PAGES:
            zone.pageblock_flags[zone.start_pfn >> PAGEBLOCK_ORDER] = MIGRATE_UNMOVABLE
        free = clip(memory.free[zone.nid], zone.start_pfn, zone.end_pfn)
        blocks, whole = in_blocks(free)
        for pfn, order in reversed(blocks):
            buddy.add_to_free_list(zone, pfn, order, zone.get_pfnblock_migratetype(pfn))
        enter_whole(zone, whole)
        zone.vm_stat_free = length(free)


def in_blocks(free: list[Run]) -> tuple[list[tuple[int, int]], list[Run]]:
    """Aligned blocks below the maximum order as (pfn, order), and runs of whole max-order blocks."""
    blocks: list[tuple[int, int]] = []
    whole: list[Run] = []
    for first, end in free:
        pfn = first
        while pfn < end:
            order = min((pfn & -pfn).bit_length() - 1, (end - pfn).bit_length() - 1)
            if order < MAX_ORDER - 1:
                blocks.append((pfn, order))
                pfn += 1 << order
            else:
                stop = end // MAX_ORDER_NR_PAGES * MAX_ORDER_NR_PAGES
                whole.append((pfn, stop))
                pfn = stop
    return blocks, whole


def enter_whole(zone: Zone, whole: list[Run]) -> None:
    """Enter runs of max-order blocks: the longest as the untouched range, the others one by one around it."""
    if not whole:
        return
    order = MAX_ORDER - 1
    area = zone.free_area[order]
    longest = max(whole, key=lambda run: run[1] - run[0])
    zone.untouched = longest
    area.nr_free = length(whole) // MAX_ORDER_NR_PAGES
    for first, end in reversed(whole):
        if (first, end) == longest:
            continue
        side = area.free_list[zone.default_migratetype] if first < longest[0] else zone.untouched_tail
        for pfn in range(end - MAX_ORDER_NR_PAGES, first - 1, -MAX_ORDER_NR_PAGES):
            side[pfn] = None
            zone.buddy[pfn] = order << 3 | zone.default_migratetype
    buddy.touch(zone)

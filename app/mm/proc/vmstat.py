"""/proc/vmstat: every counter of the machine, one a line. Kernel: mm/vmstat.c vmstat_start"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import vmstat, vmstat_text
from app.mm.memory_model import PAGE_SIZE
from app.mm.mmzone import WMARK_HIGH
from app.mm.wmarks import is_highmem, totalreserve_pages

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

# Share of the memory in per cent that may hold data not yet written to disk. Kernel: mm/page-writeback.c
DIRTY_BACKGROUND_RATIO: Final = 10
VM_DIRTY_RATIO: Final = 20


def show(m: Kernel) -> str:
    """States of zones and nodes, the limits of writeback, then events."""
    states = vmstat.global_zone_page_state(m) | vmstat.global_node_page_state(m)
    values = states | dirty_limits(m) | vmstat.all_vm_events(m)
    names = [
        *vmstat_text.names(m, vmstat_text.ZONE_STATS),
        *vmstat_text.names(m, vmstat_text.NUMA_EVENTS),
        *vmstat_text.names(m, vmstat_text.NODE_STATS),
        *dirty_limits(m),
        *vmstat_text.names(m, vmstat_text.VM_EVENTS),
        "nr_unstable",
    ]
    return "".join(f"{name} {values.get(name, 0)}\n" for name in names)


def dirty_limits(m: Kernel) -> dict[str, int]:
    """How many dirty pages make a writer wait, and how many make the kernel write.

    Kernel: mm/page-writeback.c domain_dirty_limits. The share is taken in 4096ths, rounded down.
    """
    available = global_dirtyable_memory(m)
    threshold = VM_DIRTY_RATIO * PAGE_SIZE // 100 * available // PAGE_SIZE
    background = DIRTY_BACKGROUND_RATIO * PAGE_SIZE // 100 * available // PAGE_SIZE
    if background >= threshold:
        background = threshold // 2
    return {"nr_dirty_threshold": threshold, "nr_dirty_background_threshold": background}


def global_dirtyable_memory(m: Kernel) -> int:
    """Free frames that could hold dirty data. Kernel: global_dirtyable_memory

    HIGHMEM is left out: the limit must hold for what can only be written from low memory.
    """
    total = m.nr_free_pages
    total -= min(total, sum(totalreserve_pages(m, node.nid) for node in m.nodes))
    highmem = sum(
        max(0, zone.nr_free_pages - zone.wmark_pages(WMARK_HIGH)) for zone in m.zones if is_highmem(m, zone)
    )
    return total - min(total, highmem) + 1

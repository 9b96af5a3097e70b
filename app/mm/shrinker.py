"""Shrinkers: whoever keeps memory that nobody needs at the moment is asked to give some up.

Kernel: mm/vmscan.c shrink_slab, mm/huge_memory.c deferred_split_scan. The kernel's own caches of names and
files are asked so. On this machine objects belong to whoever allocated them; what can be given up are the
unused parts of huge pages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.mm.kernel import Kernel


def shrink_slab(m: Kernel) -> None:
    """Give back slabs without objects and lazily freed areas, on a machine without reclaim

    Kernel: mm/vmscan.c shrink_slab. That machine has nothing else to give; this stands for what the kernel's
    shrinkers would find.
    """
    for shrinker in m.shrinkers:
        shrinker(m)


def shrink_node_slab(m: Kernel, nid: int, priority: int) -> int:
    """Ask everyone who keeps pages of a node; how many slab pages were freed. Kernel: shrink_slab

    priority: as of the run: each is asked for 4 / 2^priority of what it has, seldom less than a batch.
    """
    return sum(shrinker(m, nid, priority) for shrinker in m.node_shrinkers)

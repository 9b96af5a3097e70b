"""Reclaim: what there is to gain when memory is short.

Kernel: mm/vmscan.c, mm/compaction.c, mm/oom_kill.c, and the second half of mm/page_alloc.c's slow path. This
machine has no page cache and no processes' memory. What it has to give are slabs without objects, vmap areas
that wait for their purge, pages on per-CPU lists and the high-order atomic reserve; after that the OOM killer
is asked, and finds nobody. Nothing here can be moved either, so compaction finds no more than there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm.mmzone import Zone

if TYPE_CHECKING:
    from app.mm.kernel import Kernel


def wakeup_kswapd(m: Kernel, zone: Zone) -> None:
    """Mark the node's kswapd as woken. Kernel: wakeup_kswapd

    On a real machine it would now free pages in the background until every zone stands above its high mark.
    """
    m.nodes[zone.nid].kswapd_woken = True
    if m.trace is not None:
        m.trace.vmscan.wakeup_kswapd(zone)


def shrink_slab(m: Kernel) -> None:
    """Ask everyone who holds memory that nobody needs to give it up. Kernel: mm/vmscan.c shrink_slab

    The kernel's shrinkers free dentries and inodes, so that slabs become empty. This machine's objects are
    all in use by whoever allocated them; its own are lazily freed vmap areas and slabs without objects.
    """
    for shrinker in m.shrinkers:
        shrinker(m)

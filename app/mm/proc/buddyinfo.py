"""/proc/buddyinfo: how many free blocks of each order a zone has. Kernel: mm/vmstat.c frag_show"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.mm.kernel import Kernel


def show(m: Kernel) -> str:
    """A line for each populated zone. Pages on per-CPU lists are not among the free ones."""
    lines = []
    for zone in m.zones:
        counts = "".join(f"{area.nr_free:6} " for area in zone.free_area)
        lines.append(f"Node {zone.nid}, zone {zone.name:>8} {counts}\n")
    return "".join(lines)

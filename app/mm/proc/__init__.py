"""The files of /proc that show the memory allocators, as text in 6.1's exact form.

Kernel: mm/vmstat.c, mm/slab_common.c, mm/vmalloc.c, fs/proc/meminfo.c. `FILES[name](m)` is the file of a
machine. Reading changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from app.mm.proc import buddyinfo, meminfo, pagetypeinfo, slabinfo, vmallocinfo, vmstat, zoneinfo

if TYPE_CHECKING:
    from app.mm.machine import Machine

FILES: Final[dict[str, Callable[[Machine], str]]] = {
    "buddyinfo": buddyinfo.show,
    "pagetypeinfo": pagetypeinfo.show,
    "zoneinfo": zoneinfo.show,
    "slabinfo": slabinfo.show,
    "vmallocinfo": vmallocinfo.show,
    "meminfo": meminfo.show,
    "vmstat": vmstat.show,
}

"""Pages of the kernel's own image that processes map: the page of zeros, and the vdso.

Kernel: arch/x86/kernel/head_64.S empty_zero_page, arch/x86/entry/vdso/vma.c. They are part of what the kernel
occupies from boot on; which frames that is, only a recording knows, so the first ones in use are taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from app.mm import mem_map, page_ref
from app.mm.page import PG_reserved

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

# The kernel is loaded at 16 MiB; a smaller machine has it from 1 MiB on.
IMAGE_START: Final = (0x1000, 0x100)


def find_pages(m: Kernel) -> None:
    """Settle which frames they are, if nobody has."""
    if m.vm.zero_pfn >= 0:
        return
    frames = [pfn for start in IMAGE_START for pfn, _ in zip(reserved(m, start), range(3), strict=False)][:3]
    for pfn in frames:
        s = mem_map.section(m, pfn)
        s.refcount[pfn & 511], s.flags[pfn & 511] = 1, PG_reserved
    m.vm.zero_pfn = frames[0]
    m.vm.special_pages["[vdso]"] = (frames[1], frames[2])


def reserved(m: Kernel, start: int) -> Iterator[int]:
    """Frames from one on that the kernel has had since boot."""
    pfn = start
    end = max(zone.end_pfn for zone in m.zones)
    while pfn < end:
        zone = next((zone for zone in m.zones if zone.spans_pfn(pfn)), None)
        if zone is None:
            pfn += 1
            continue
        free = zone.free_block_at(pfn)
        if free is not None:
            pfn = free[0] + (1 << free[1])
            continue
        if page_ref.is_reserved(m, pfn):
            yield pfn
        pfn += 1

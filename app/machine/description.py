"""What a machine is, for those who look at it from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.machine.profiles import MIB, PROFILES
from app.mm import sysctl
from app.mm.memory_model import PAGE_SHIFT, PAGE_SIZE

if TYPE_CHECKING:
    from app.machine.machine import Machine

KERNEL: Final = "6.1.192"
# Bytes of a struct page: the lecture's older 32-bit kernel, today's i386 and today's x86_64.
STRUCT_PAGE_SIZES: Final = (36, 40, 64)


def describe(m: Machine) -> dict[str, Any]:
    """The machine object of a session: its fixed shape, its switches and the settings as they stand.

    A machine from a recording has no profile; its memory is what its zones have, rounded up to whole MiB,
    since the firmware keeps a little of the first and the last.
    """
    present = sum(zone.present_pages for zone in m.zones) << PAGE_SHIFT
    name = m.config.get("profile", "dump")
    memory = m.config.get("memory", -(-present // MIB) * MIB)
    tiny = PROFILES[name].tiny if name in PROFILES else None
    told = {} if m.report is None else {"report": m.report.shown()}
    return {
        "profile": name,
        "arch": m.model.arch,
        "memory": memory,
        "cpus": m.model.cpus,
        "nodes": m.model.nodes,
        "kernel": KERNEL,
        "page_size": PAGE_SIZE,
        "frames": memory >> PAGE_SHIFT,
        "struct_page_bytes": m.model.sizeof_page,
        "movablecore": m.config.get("movablecore", 0),
        "lecture": m.config.get("lecture", False),
        "pcp": not m.boot_pagesets,
        "mobility": not m.page_group_by_mobility_disabled,
        "debug": m.debug,
        "transparent_hugepage": m.vm.thp,
        "hugepages": m.config.get("hugepages", 0),
        "swap": m.config.get("swap", 0),
        "reclaim": m.config.get("reclaim", False),
        "rules": m.rules,
        "sysctl": sysctl.current(m),
        "tiny": tiny,
        "note": tiny,
        "struct_page_overhead": struct_page_overhead(memory),
        **told,
    }


def struct_page_overhead(memory: int) -> list[dict[str, Any]]:
    """What one struct page for each frame costs, as the lecture computes it."""
    frames = memory >> PAGE_SHIFT
    return [
        {"bytes": size, "total": frames * size, "mib": frames * size / MIB, "share": size / PAGE_SIZE}
        for size in STRUCT_PAGE_SIZES
    ]

"""A machine as the files that Linux's memory tools read: /proc with its processes, and /sys/kernel/slab.

Kernel: fs/proc/, mm/slub.c slab_attrs, mm/page_owner.c. Names are made here alone: of numbers, and of names
of caches, which have neither a slash nor only dots.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from app.machine import leaks, page_words
from app.machine.description import KERNEL
from app.mm import boot_caches, proc, sysctl
from app.mm.slab import (
    SLAB_CACHE_DMA,
    SLAB_CONSISTENCY_CHECKS,
    SLAB_HWCACHE_ALIGN,
    SLAB_POISON,
    SLAB_RECLAIM_ACCOUNT,
    SLAB_RED_ZONE,
    SLAB_STORE_USER,
    SLAB_TRACE,
    SLAB_TYPESAFE_BY_RCU,
    KmemCache,
)
from app.mm.slab_caches import get_slabinfo

if TYPE_CHECKING:
    from app.machine.machine import Machine

# What a name on a reader's disk may be, part by part.
PATH: Final = re.compile(r"(?:proc|sys)(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9_.:-]{1,40}){1,6}")
FRAMES: Final = ("kpageflags", "kpagecount")
# An area in maps and smaps, and a block in page_owner.
BYTES_OF_AREA: Final = 1_000
BYTES_OF_BLOCK: Final = 300
FLAGS: Final = {
    "hwcache_align": SLAB_HWCACHE_ALIGN,
    "reclaim_account": SLAB_RECLAIM_ACCOUNT,
    "destroy_by_rcu": SLAB_TYPESAFE_BY_RCU,
    "cache_dma": SLAB_CACHE_DMA,
    "sanity_checks": SLAB_CONSISTENCY_CHECKS,
    "trace": SLAB_TRACE,
    "red_zone": SLAB_RED_ZONE,
    "poison": SLAB_POISON,
    "store_user": SLAB_STORE_USER,
}


def files(m: Machine, *, frames: bool, time: int) -> Iterator[tuple[str, bytes]]:
    """Every file with its path."""
    texts = {f"proc/{name}": show(m) for name, show in proc.FILES.items()}
    texts |= {f"proc/{name}": text for name, text in constants(m, time).items()}
    texts |= {f"proc/sys/vm/{name}": f"{value}\n" for name, value in sysctl.current(m).items()}
    texts["proc/kmsg"] = "".join(f"{line}\n" for line in m.log)
    for path, text in texts.items():
        m.breathe()
        yield path, text.encode()
    for task in m.tasks.values():
        for name, show_task in proc.OF_TASKS.items():
            yield f"proc/{task.pid}/{name}", show_task(m, task).encode()
        yield f"proc/{task.pid}/comm", f"{task.name}\n".encode()
        yield f"proc/{task.pid}/cmdline", b"" if task.mm is None else f"{task.name}\0".encode()
    for number, s in enumerate(boot_caches.every(m)):
        for name, value in attributes(s).items():
            yield f"sys/kernel/slab/{directory(s.name, number)}/{name}", f"{value}\n".encode()
    yield "sys/kernel/debug/page_owner", leaks.page_owner(m).encode()
    if frames:
        for name in FRAMES:
            yield f"proc/{name}", page_words.of_frames(m, name, 0, page_words.frames(m))


def size_about(m: Machine) -> int:
    """About how many bytes the files are, without those of frames: what is long are areas and blocks."""
    areas = sum(task.mm.map_count for task in m.tasks.values() if task.mm is not None)
    return BYTES_OF_AREA * areas + BYTES_OF_BLOCK * len(m.pages)


def constants(m: Machine, time: int) -> dict[str, str]:
    """Files that tools look for, and that say little of a machine without a processor. time: of boot."""
    cpus = range(m.model.cpus)
    idle = " ".join(["0"] * 10)
    return {
        "stat": f"cpu  {idle}\n"
        + "".join(f"cpu{cpu} {idle}\n" for cpu in cpus)
        + f"intr 0\nctxt 0\nbtime {time}\nprocesses {len(m.tasks)}\nprocs_running 1\nprocs_blocked 0\n"
        "softirq 0\n",
        "loadavg": f"0.00 0.00 0.00 1/{len(m.tasks)} {max(task.pid for task in m.tasks.values())}\n",
        "uptime": "1.00 1.00\n",
        "version": f"Linux version {KERNEL} (kmemlab)\n",
        "cpuinfo": "".join(f"processor\t: {cpu}\nmodel name\t: kmemlab\n\n" for cpu in cpus),
        "filesystems": "nodev\tproc\nnodev\ttmpfs\n\text4\n",
    }


def directory(name: str, number: int) -> str:
    """A cache's directory. Two dots would lead out of it."""
    return name if name.strip(".") else f"cache-{number}"


def attributes(s: KmemCache) -> dict[str, object]:
    """What /sys/kernel/slab says of a cache. Kernel: mm/slub.c slab_attrs"""
    active, total = get_slabinfo(s)
    slabs = sum(n.nr_slabs for n in s.node)
    on_cpus = [c.slab for c in s.cpu_slab if c.slab is not None]
    on_cpu_lists = sum(len(c.partial) for c in s.cpu_slab)
    partial = [s.slabs[pfn] for n in s.node for pfn in n.partial]
    return {
        "slab_size": s.size,
        "object_size": s.object_size,
        "objs_per_slab": s.objs,
        "order": s.order,
        "min_partial": s.min_partial,
        "cpu_partial": s.cpu_partial,
        "objects": by_node(s, active),
        "objects_partial": by_node(s, sum(slab.inuse for slab in partial)),
        "total_objects": by_node(s, total),
        "partial": by_node(s, len(partial)),
        "cpu_slabs": by_node(s, len(on_cpus) + on_cpu_lists),
        "slabs": by_node(s, slabs),
        "slabs_cpu_partial": f"{0}({on_cpu_lists})",
        "aliases": max(0, s.refcount - 1),
        "align": s.align,
        "usersize": 0,
        "remote_node_defrag_ratio": 100,
        "ctor": "" if s.ctor is None else f"{s.ctor}+0x0/0x0",
        **{name: int(bool(s.flags & flag)) for name, flag in FLAGS.items()},
    }


def by_node(s: KmemCache, number: int) -> str:
    """A number as these files have it; on one node also whose it is."""
    return f"{number} N0={number}" if len(s.node) == 1 and number else str(number)

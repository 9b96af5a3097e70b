"""Settings of /proc/sys/vm, and what writing one of them computes anew.

Kernel: kernel/sysctl.c vm_table, and the handlers in mm/page_alloc.c. They live in the machine; a dump
carries them in its `kernel` line, where -1 or an empty list stands for one that a recorded kernel did not
show.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from app.mm import compaction, hugetlb, oom_kill, wmarks
from app.mm import drop_caches as caches

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

EINVAL: Final = 22
INT_MAX: Final = (1 << 31) - 1
THP_MODES: Final = ("always", "madvise", "never")
MAX_SCALE_FACTOR: Final = 3000
# Settings that came with reclaim, and their defaults.
OF_RECLAIM: Final = {"swappiness": 60, "dirty_background_ratio": 10, "dirty_ratio": 20}
MAX_SWAPPINESS: Final = 200
MIN_PERCPU_PAGELIST_HIGH_FRACTION: Final = 8
LOWMEM_RESERVE_RATIO: Final = {"x86_64": [256, 256, 32, 0, 0], "i386": [256, 32, 0, 0]}


def write(m: Kernel, name: str, values: list[int]) -> int:
    """Write a setting, as `sysctl vm.name=values` does.

    Returns 0, or -EINVAL where the kernel refuses the value.
    """
    return HANDLERS[name](m, values)


def current(m: Kernel) -> dict[str, int | str]:
    """The settings as they stand, in the form in which they can be written."""
    return {
        "min_free_kbytes": m.min_free_kbytes,
        "watermark_scale_factor": m.watermark_scale_factor,
        "watermark_boost_factor": m.watermark_boost_factor,
        "lowmem_reserve_ratio": " ".join(map(str, m.lowmem_reserve_ratio)),
        "percpu_pagelist_high_fraction": m.percpu_pagelist_high_fraction,
    }


# -- the handlers --------------------------------------------------------------------------------------------


def min_free_kbytes(m: Kernel, values: list[int]) -> int:
    """Kernel: min_free_kbytes_sysctl_handler.

    No upper limit: a value above memory leaves nothing to allocate.
    """
    if values[0] < 0:
        return -EINVAL
    m.min_free_kbytes = values[0]
    wmarks.setup_per_zone_wmarks(m)
    return 0


def watermark_scale_factor(m: Kernel, values: list[int]) -> int:
    """Kernel: watermark_scale_factor_sysctl_handler. Distance of the marks in units of 1/10,000 of a zone."""
    if not 1 <= values[0] <= MAX_SCALE_FACTOR:
        return -EINVAL
    m.watermark_scale_factor = values[0]
    wmarks.setup_per_zone_wmarks(m)
    return 0


def watermark_boost_factor(m: Kernel, values: list[int]) -> int:
    """Kernel: proc_dointvec_minmax.

    Read at each steal, so nothing is computed anew; a boost that stands stays.
    """
    if values[0] < 0:
        return -EINVAL
    m.watermark_boost_factor = values[0]
    return 0


def lowmem_reserve_ratio(m: Kernel, values: list[int]) -> int:
    """One ratio for each zone index; below 1 is no reserve. Kernel: lowmem_reserve_ratio_sysctl_handler"""
    for zid, ratio in enumerate(values[: len(m.lowmem_reserve_ratio)]):
        m.lowmem_reserve_ratio[zid] = max(ratio, 0)
    wmarks.setup_per_zone_lowmem_reserve(m)
    return 0


def percpu_pagelist_high_fraction(m: Kernel, values: list[int]) -> int:
    """Kernel: percpu_pagelist_high_fraction_sysctl_handler.

    At least 8, so that no CPU can hold most of a zone; 0 is off.
    """
    if values[0] < 0 or 0 < values[0] < MIN_PERCPU_PAGELIST_HIGH_FRACTION:
        return -EINVAL
    if values[0] != m.percpu_pagelist_high_fraction:
        m.percpu_pagelist_high_fraction = values[0]
        for zone in m.zones:
            wmarks.zone_set_pageset_high_and_batch(m, zone)
    return 0


def drop_caches(m: Kernel, values: list[int]) -> int:
    """Kernel: drop_caches_sysctl_handler. Written, it drops; it keeps no value."""
    if not 1 <= values[0] <= 4:
        return -EINVAL
    caches.drop_caches(m, values[0])
    return 0


def compact_memory(m: Kernel, values: list[int]) -> int:
    """Kernel: sysctl_compaction_handler. Any value has all of memory compacted; none is kept."""
    compaction.compact_nodes(m)
    return 0


def overcommit_memory(m: Kernel, values: list[int]) -> int:
    """Kernel: overcommit_policy_handler. 0 refuses only the absurd, 1 nothing, 2 what might not be there."""
    if not 0 <= values[0] <= 2:
        return -EINVAL
    m.vm.overcommit_memory = values[0]
    return 0


def overcommit_ratio(m: Kernel, values: list[int]) -> int:
    """Kernel: overcommit_ratio_handler. How much of memory may be promised with policy 2, in percent."""
    m.vm.overcommit_ratio = values[0]
    return 0


def swappiness(m: Kernel, values: list[int]) -> int:
    """Kernel: vm_swappiness. How readily processes' pages go to swap instead of files' being dropped.

    From 0 (never, unless nothing else is left) over 100 (both alike) to 200.
    """
    if not 0 <= values[0] <= MAX_SWAPPINESS:
        return -EINVAL
    m.swappiness = values[0]
    return 0


def dirty_background_ratio(m: Kernel, values: list[int]) -> int:
    """Kernel: dirty_background_ratio_handler. From how much dirty memory on the flusher runs, in percent."""
    if not 0 <= values[0] <= 100:
        return -EINVAL
    m.dirty_background_ratio = values[0]
    return 0


def dirty_ratio(m: Kernel, values: list[int]) -> int:
    """Kernel: dirty_ratio_handler. From how much dirty memory on a writer has to wait, in percent."""
    if not 0 <= values[0] <= 100:
        return -EINVAL
    m.dirty_ratio = values[0]
    return 0


def nr_hugepages(m: Kernel, values: list[int]) -> int:
    """Kernel: hugetlb_sysctl_handler. The pool gets as many as can be had; fewer is no error."""
    if values[0] < 0:
        return -EINVAL
    hugetlb.set_max_huge_pages(m, values[0])
    return 0


def transparent_hugepage(m: Kernel, values: list[int]) -> int:
    """Kernel: mm/huge_memory.c enabled_store. What is kept free follows, since huge pages need room.

    values: the place of the word in `THP_MODES`.
    """
    m.vm.thp = THP_MODES[values[0]]
    wmarks.set_recommended_min_free_kbytes(m, hugepages=m.vm.thp != "never")
    return 0


def oom_score_adj(m: Kernel, values: list[int]) -> int:
    """Kernel: fs/proc/base.c oom_score_adj_write. Each task has its own: it is that of the one who writes."""
    return oom_kill.set_oom_adj(m, values[0])


def panic_on_oom(m: Kernel, values: list[int]) -> int:
    """Kernel: proc_dointvec_minmax. Rather than kill anybody the machine stops."""
    if not 0 <= values[0] <= 2:
        return -EINVAL
    m.vm.oom.panic_on_oom = values[0]
    return 0


def oom_kill_allocating_task(m: Kernel, values: list[int]) -> int:
    """Kernel: proc_dointvec. Whoever asks for memory that is not there is killed, without looking further."""
    m.vm.oom.kill_allocating_task = values[0]
    return 0


def oom_dump_tasks(m: Kernel, values: list[int]) -> int:
    """Kernel: proc_dointvec. Whether the report lists the processes."""
    m.vm.oom.dump_tasks = values[0]
    return 0


HANDLERS: Final[dict[str, Callable[[Kernel, list[int]], int]]] = {
    "min_free_kbytes": min_free_kbytes,
    "watermark_scale_factor": watermark_scale_factor,
    "watermark_boost_factor": watermark_boost_factor,
    "lowmem_reserve_ratio": lowmem_reserve_ratio,
    "percpu_pagelist_high_fraction": percpu_pagelist_high_fraction,
    "drop_caches": drop_caches,
    "compact_memory": compact_memory,
    "overcommit_memory": overcommit_memory,
    "overcommit_ratio": overcommit_ratio,
    "swappiness": swappiness,
    "dirty_background_ratio": dirty_background_ratio,
    "dirty_ratio": dirty_ratio,
    "nr_hugepages": nr_hugepages,
    "transparent_hugepage": transparent_hugepage,
    "oom_score_adj": oom_score_adj,
    "panic_on_oom": panic_on_oom,
    "oom_kill_allocating_task": oom_kill_allocating_task,
    "oom_dump_tasks": oom_dump_tasks,
}

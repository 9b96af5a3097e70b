"""Settings of /proc/sys/vm in a dump.

-1 or an empty list stands for one that a recorded kernel did not show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine.parts.part import Dump, Part
from app.mm import wmarks
from app.mm.sysctl import INT_MAX, LOWMEM_RESERVE_RATIO, OF_RECLAIM, current

if TYPE_CHECKING:
    from app.machine.document import Document
    from app.machine.machine import Machine


def dump(m: Machine, doc: Dump) -> None:
    """`kernel`. In one order, however the machine came to be: equal dumps are equal as text, too."""
    line = m.kernel | {
        **current(m),
        "lowmem_reserve_ratio": list(m.lowmem_reserve_ratio),
        "page_group_by_mobility_disabled": int(m.page_group_by_mobility_disabled),
        "arch": m.model.arch,
        "max_low_pfn": m.model.max_low_pfn,
        "cpus": m.model.cpus,
        "zones": [[zone.nid, zone.name] for zone in m.zones],
    }
    line |= {name: getattr(m, name) for name, value in OF_RECLAIM.items() if getattr(m, name) != value}
    doc["kernel"] = dict(sorted(line.items()))


def load(m: Machine, doc: Document) -> None:
    """Take the settings from a dump; one that it does not show is computed, or has its default."""
    kernel = doc["kernel"]
    m.kernel = {key: value for key, value in kernel.value.items() if isinstance(value, (int, str, list))}
    m.page_group_by_mobility_disabled = kernel.get("page_group_by_mobility_disabled", 0).int(-1, 1) == 1
    m.watermark_scale_factor = shown(kernel, "watermark_scale_factor", 10)
    m.watermark_boost_factor = shown(kernel, "watermark_boost_factor", 15000)
    m.percpu_pagelist_high_fraction = shown(kernel, "percpu_pagelist_high_fraction", 0)
    for name, value in OF_RECLAIM.items():
        setattr(m, name, shown(kernel, name, value))
    m.min_free_kbytes = shown(kernel, "min_free_kbytes", wmarks.calculate_min_free_kbytes(m))
    nr_zones = max(max(len(zone.lowmem_reserve), zone.zid + 1) for zone in m.zones)
    ratios = kernel.get("lowmem_reserve_ratio", []).ints(0, INT_MAX, nr_zones)
    ratios = ratios or LOWMEM_RESERVE_RATIO[m.model.arch][:nr_zones]
    m.lowmem_reserve_ratio = ratios + [0] * (nr_zones - len(ratios))


def shown(kernel: Document, name: str, default: int) -> int:
    """A setting, or the default where it is absent or was not readable."""
    value = kernel.get(name, -1).int(-1, INT_MAX)
    return default if value < 0 else value


PART: Final = Part("settings", dump, load)

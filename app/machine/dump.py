"""A machine's whole state as one JSON document; `loading` is the way back.

The form is that of the recordings of real kernels: `kernel`, `nodes`, `zones`, `vmap` and `caches` are what
the recorder wrote; `machine`, `pages`, `tasks` and `log` are added, and may be missing when a recording is
loaded. Two dumps are equal exactly when the two machines would answer every later call alike.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from app.machine import slab_dump, vmallocinfo
from app.machine.parts import counters, frames, pkmap, settings, tasks
from app.mm.mmzone import (
    MAX_ORDER,
    MIGRATE_LETTERS,
    MIGRATE_TYPES,
    NR_PCP_LISTS,
    PAGEBLOCK_ORDER,
    Node,
    Zone,
)

if TYPE_CHECKING:
    from app.machine.machine import Machine


def dump(m: Machine, pages: Any = None) -> dict[str, Any]:
    """The machine as a document of plain JSON values.

    pages: stands for the blocks in use, where they are to be written in another way.
    """
    return {
        "kernel": kernel_line(m),
        "nodes": [node_line(m, node) for node in m.nodes],
        "zones": [zone_line(zone) for zone in m.zones],
        "vmap": vmallocinfo.dump_vmap(m),
        "caches": slab_dump.dump_caches(m),
        "machine": machine_line(m),
        "pages": page_lines(m) if pages is None else pages,
        **frames.dump_frames(m),
        **tasks.dump_tasks(m),
        "pkmap": pkmap.dump_pkmap(m),
        "vmstat": counters.dump_vmstat(m),
        "log": list(m.log),
    }


def kernel_line(m: Machine) -> dict[str, Any]:
    """The settings. In one order, however the machine came to be: equal dumps are equal as text, too."""
    line = m.kernel | {
        **settings.dump_settings(m),
        "page_group_by_mobility_disabled": int(m.page_group_by_mobility_disabled),
        "arch": m.model.arch,
        "max_low_pfn": m.model.max_low_pfn,
        "cpus": m.model.cpus,
        "zones": [[zone.nid, zone.name] for zone in m.zones],
    }
    return dict(sorted(line.items()))


def machine_line(m: Machine) -> dict[str, Any]:
    """What a recording does not have: how the machine came to be, and what it remembers beyond its memory."""
    return {
        "config": m.config,
        "debug": m.debug,
        "lost": m.lost,
        "reserved_pages": m.reserved_pages,
        "freelist_seed": m.freelist_seed,
        "warned": list(m.warned),
        "taint": m.taint,
        "die_counter": m.die_counter,
    }


def node_line(m: Machine, node: Node) -> dict[str, Any]:
    """A node and the orders in which its zones are tried."""
    own = [zone for zone in m.zones if zone.nid == node.nid]
    return {
        "nid": node.nid,
        "start_pfn": f"{min(zone.start_pfn for zone in own):#x}",
        "spanned": max(zone.end_pfn for zone in own) - min(zone.start_pfn for zone in own),
        "present": sum(zone.present_pages for zone in own),
        "zonelists": [[[zone.nid, zone.name] for zone in zones] for zones in (node.zonelist, node.thisnode)],
        "kswapd_woken": node.kswapd_woken,
    }


def zone_line(zone: Zone) -> dict[str, Any]:
    """A zone with its marks, counters, free lists, per-CPU lists and pageblocks."""
    return {
        "nid": zone.nid,
        "zid": zone.zid,
        "name": zone.name,
        "start_pfn": f"{zone.start_pfn:#x}",
        "spanned": zone.spanned_pages,
        "present": zone.present_pages,
        "managed": zone.managed_pages,
        "wm": list(zone.watermark),
        "boost": zone.boost,
        "flags": f"{zone.flags:#x}",
        "nr_highatomic": zone.nr_reserved_highatomic,
        "lowmem_reserve": list(zone.lowmem_reserve),
        "vmfree": zone.vm_stat_free,
        "diff": list(zone.vm_stat_diff),
        "stat_threshold": zone.stat_threshold,
        "drift_mark": zone.percpu_drift_mark,
        "nr_free": [area.nr_free for area in zone.free_area],
        "free_list": {
            f"{order}{MIGRATE_LETTERS[migratetype]}": pfns
            for order in range(MAX_ORDER)
            for migratetype in range(MIGRATE_TYPES)
            if (pfns := list(zone.free_list_pfns(order, migratetype)))
        },
        "pcp": [
            {
                "cpu": cpu,
                "count": pcp.count,
                "high": pcp.high,
                "batch": pcp.batch,
                "free_factor": pcp.free_factor,
                "lists": {str(index): list(pages) for index, pages in enumerate(pcp.lists) if pages},
            }
            for cpu, pcp in enumerate(zone.pcp)
        ],
        "nr_pcp_lists": NR_PCP_LISTS,
        "pcp_migratetype": [[pfn, MIGRATE_LETTERS[mt]] for pfn, mt in sorted(zone.pcp_migratetype.items())],
        "pageblock_order": PAGEBLOCK_ORDER,
        "pageblocks": pageblock_runs(zone),
        "lru": [[pfn, count] for pfn, count in sorted(zone.lru.items())],
    }


def pageblock_runs(zone: Zone) -> list[list[Any]]:
    """`[first pfn, number of blocks, type]`: neighbours of one type are one run."""
    first = zone.start_pfn >> PAGEBLOCK_ORDER
    end = (zone.hole_pfn - 1 >> PAGEBLOCK_ORDER) + 1
    exceptions = sorted(block for block in zone.pageblock_flags if first <= block < end)
    cuts = sorted({first, end, *exceptions, *(min(block + 1, end) for block in exceptions)})
    runs: list[list[Any]] = []
    for block, following in pairwise(cuts):
        letter = MIGRATE_LETTERS[zone.pageblock_flags.get(block, zone.default_migratetype)]
        if runs and runs[-1][2] == letter:
            runs[-1][1] += following - block
        else:
            runs.append([block << PAGEBLOCK_ORDER, following - block, letter])
    return runs


def page_lines(m: Machine) -> list[list[Any]]:
    """The allocated blocks, each by position to keep large dumps small."""
    pages = map(m.pages.__getitem__, sorted(m.pages))
    return [
        [
            page.pfn, page.order, page.refcount, page.flags, page.gfp, page.state, page.task, page.seq,
            page.private,
        ]
        for page in pages
    ]  # fmt: skip

"""From a description to a machine: a profile is booted, a dump is loaded.

Kernel: init/main.c start_kernel, mm/page_alloc.c free_area_init and what follows it. The order is the
kernel's: the memory map, zones, zonelists, per-CPU limits and watermarks, then the pages of the kernel's
own init code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.errors import BadArgument
from app.machine import bootparam, loading, parsing, proctext, ruleset
from app.machine.bootparam import BootParam
from app.machine.description import struct_page_overhead
from app.machine.entry.system import numbers
from app.machine.machine import Machine
from app.machine.parts import accounts, shape
from app.machine.profiles import MAX_CPUS, MIB, PROFILES, Profile
from app.machine.vocabulary import SYSCTLS
from app.mm import hugetlb, namei, objects, slab_common, swapon, sysctl, vmalloc, vmstat, wmarks
from app.mm.free_area import free_area_init, memblock_free_all
from app.mm.memblock import MemoryMap, clip, length, memory_map, tiny
from app.mm.memory_model import PAGE_SHIFT, SIZEOF_PAGE
from app.mm.swap_info import MAX_PAGES
from app.mm.zonelists import build_all_zonelists

__all__ = ["PROFILES", "WHOLE", "boot", "load", "profiles", "restore"]

# First frame that the direct map does not reach. Debian's i386 kernel keeps 128 MiB of addresses for
# vmalloc and 17 MiB for fixed maps; the lecture's 896 MiB are what `vmalloc=106488K` leaves.
MAX_LOW_PFN: Final = {"x86_64": 1 << 34, "i386": 0x36FFE}
LECTURE_LOW_PFN: Final = 0x38000
# A disk beside the one with the files.
SWAP_DISK: Final = "/dev/vdb"
SWITCHES: Final = ("lecture", "pcp", "mobility", "debug", "process_caches", "boot_caches")
# What describes a machine alone: no profile can make it again, so a session keeps its state.
WHOLE: Final = {"dump": "dump says", "proc": "/proc text says"}


def boot(doc: Mapping[str, Any], *, kept: bool = False) -> Machine:
    """A machine as the HTTP API describes one. Raises BadArgument with the place of each field at fault.

    doc: `profile` with overrides, or `dump` or `proc` alone. All frames of a profile that the kernel does not
    keep are free. kept: it was booted from this before, and is to become what it was, whatever new machines
    have by now.
    """
    whole = next((key for key in WHOLE if key in doc), None)
    others = [str(key) for key in doc if key != whole]
    if whole is not None and others:
        raise BadArgument.at(others[0], f"a {WHOLE[whole]} everything itself; give nothing beside it")
    if "proc" in doc:
        return of_proc(doc["proc"])
    if "dump" in doc:
        return load(doc["dump"], ruleset.FIRST if kept else None)
    param = bootparam.parse(doc, kept=kept)
    memory = map_of(param)
    m = start(param, memory)
    write_settings(m, param.sysctl)
    if param.swap:
        begin_to_swap(m, param.swap)
    return m


def load(document: Any, rules: int | None = None) -> Machine:
    """A machine from a dump or a recording. Raises BadArgument with places under `dump`.

    rules: of one that does not name its rule set; today's by default.
    """
    return loading.load(document, ruleset.TODAY if rules is None else rules)


def of_proc(texts: Any) -> Machine:
    """A machine with the counts of /proc texts. Raises BadArgument with places under `proc`.

    It goes through a dump, so that it is what its own dump would be.
    """
    try:
        document = proctext.dump_of(texts)
    except BadArgument as error:
        raise error.under("proc") from None
    try:
        return load(document)
    except BadArgument as error:
        raise BadArgument.at("proc", f"what a machine can have: {error.faults[0].msg}") from None


def description(m: Machine) -> dict[str, Any]:
    """What a machine was booted from, complete: the same again, however defaults change."""
    return m.config | {"rules": m.rules}


def restore(document: Mapping[str, Any]) -> Machine:
    """A machine from what `Machine.state` gave. Who kept it must know that it is unchanged: it is trusted."""
    return loading.restore(document)


def map_of(param: BootParam) -> MemoryMap:
    """The memory map of a machine."""
    profile = PROFILES[param.profile]
    if profile.tiny:
        return tiny(param.memory)
    low = LECTURE_LOW_PFN if param.lecture and param.arch == "i386" else MAX_LOW_PFN[param.arch]
    cpus_of_node = tuple(len(range(nid, param.cpus, param.nodes)) for nid in range(param.nodes))
    return memory_map(param.arch, param.memory, cpus_of_node, low)


def start(param: BootParam, memory: MemoryMap) -> Machine:
    """Set everything up in the kernel's order."""
    zones = free_area_init(param.arch, memory, param.movablecore >> PAGE_SHIFT, param.cpus)
    cpu_node = [cpu % param.nodes for cpu in range(param.cpus)]
    nodes = build_all_zonelists(zones, param.nodes, cpu_node)
    model = shape.memory_model(param.arch, param.cpus, param.nodes, zones, memory.max_low_pfn)
    m = Machine(model, zones, nodes)
    bootparam.apply(m, param)
    if param.lecture:
        m.watermark_boost_factor = 0
    memblock_free_all(zones, memory, mobility=param.mobility)
    wmarks.init_per_zone_wmark_min(m, hugepages=param.transparent_hugepage != "never")
    slab_common.create_kmalloc_caches(m)
    if param.boot_caches:
        for name in slab_common.NEVER_COUNTED:
            slab_common.boot_cache(m, name)
    if param.process_caches:
        objects.create_caches(m)
    vmalloc.vmalloc_init(m)
    free_initmem(m, memory)
    # The allocator gets its memory by having each frame freed to it once.
    vmstat.count_vm_events(m, "pgfree", sum(zone.managed_pages for zone in m.zones))
    m.reserved_pages = accounts.reserved_pages(m)
    if param.hugepages:
        hugetlb.set_max_huge_pages(m, param.hugepages)
    return m


def free_initmem(m: Machine, memory: MemoryMap) -> None:
    """Give the kernel's init code and the initial RAM disk to the allocator.

    Kernel: free_initmem, free_initrd_mem

    The watermarks stay as they were computed without these pages until somebody writes a setting. The
    reserves do not: merely reading `lowmem_reserve_ratio` sets them up again, and in every recording that was
    done before the first call.
    """
    for zone in m.zones:
        zone.managed_pages += length(clip(memory.init, zone.start_pfn, zone.end_pfn))
    wmarks.setup_per_zone_lowmem_reserve(m)


def write_settings(m: Machine, settings: Mapping[str, Any]) -> None:
    """Write settings as a start-up script would.

    Raises BadArgument for what the call `sysctl` or the kernel refuses.
    """
    unknown = next((str(name) for name in settings if name not in SYSCTLS), None)
    if unknown is not None:
        raise BadArgument.at(("sysctl", unknown), f"unknown; known are {', '.join(SYSCTLS)}")
    for name in SYSCTLS:
        if name not in settings:
            continue
        try:
            call = parsing.parse("sysctl", {"name": name, "value": settings[name]}, m.model)
        except BadArgument as error:
            raise BadArgument.at(("sysctl", name), error.faults[0].msg) from None
        if sysctl.write(m, name, numbers(call.args["value"])) < 0:
            raise BadArgument.at(("sysctl", name), f"the kernel refuses {settings[name]!r} with EINVAL")


def begin_to_swap(m: Machine, pages: int) -> None:
    """Use a disk of its own for swap, as a start-up script does with `swapon -a`."""
    disk = swapon.mkswap(m, namei.lookup(m, SWAP_DISK), SWAP_DISK, pages)
    swapon.swapon(m, disk, SWAP_DISK, rotating=True)


# -- the list of profiles ------------------------------------------------------------------------------------


def profiles() -> list[dict[str, Any]]:
    """Every profile with what it has, what its defaults are and what may be changed of them."""
    return [profile_view(profile) for profile in PROFILES.values()]


def profile_view(profile: Profile) -> dict[str, Any]:
    """One profile. `profile` is the name to create it by."""
    param = bootparam.parse({"profile": profile.name})
    zones = free_area_init(profile.arch, map_of(param), 0, param.cpus)
    least, most = profile.memory_limits
    return {
        "profile": profile.name,
        "name": profile.name,
        "title": profile.title,
        "arch": profile.arch,
        "memory": profile.memory,
        "frames": profile.memory >> PAGE_SHIFT,
        "zones": [
            {
                "name": zone.name,
                "start_pfn": zone.start_pfn,
                "spanned": zone.spanned_pages,
                "present": zone.present_pages,
                "frames": zone.present_pages,
            }
            for zone in zones
        ],
        "defaults": param.as_json(),
        "overrides": {
            "memory": {"min": least, "max": most, "step": MIB},
            "cpus": {"min": 1, "max": MAX_CPUS[profile.arch]},
            "nodes": {"min": 1, "max": profile.max_nodes},
            "movablecore": {"min": 0, "max": profile.memory, "step": MIB},
            "transparent_hugepage": list(bootparam.THP_MODES),
            **{switch: [True, False] for switch in SWITCHES},
            "hugepages": {"min": 0, "max": most // bootparam.HUGE_PAGE},
            "swap": {"min": 0, "max": MAX_PAGES},
            "reclaim": [True, False],
            "sysctl": list(SYSCTLS),
            "rules": {"min": ruleset.FIRST, "max": ruleset.TODAY},
        },
        "struct_page_bytes": SIZEOF_PAGE[profile.arch],
        "struct_page_overhead": struct_page_overhead(profile.memory),
        "tiny": profile.tiny,
        "note": profile.tiny,
    }

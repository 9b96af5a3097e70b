"""Reads the texts: what they say of each zone, and where they cannot be followed.

Kernel: mm/vmstat.c frag_show_print, pagetypeinfo_showfree_print, pagetypeinfo_showblockcount_print,
zoneinfo_show_print; mm/page_alloc.c show_free_areas.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from app.errors import BadArgument
from app.machine.parts.report import ASSUMED, FAILED, MAX_RUNS, PROC, Report
from app.machine.parts.shape import MAX_CPUS, MAX_NODES, MAX_PFN, ZONE_NAMES
from app.machine.proctext.joining import joined
from app.machine.proctext.request import Request, release_of, request_of, settle
from app.mm.memory_model import PAGE_SIZE
from app.mm.mmzone import (
    MAX_ORDER,
    MIGRATE_HIGHATOMIC,
    MIGRATE_MOVABLE,
    MIGRATE_RECLAIMABLE,
    MIGRATE_UNMOVABLE,
    PAGEBLOCK_NR_PAGES,
)

ZONE: Final = re.compile(r"Node\s+([0-9]{1,4}), zone\s+(\w{1,16})\s*(.*)", re.ASCII)
TYPE: Final = re.compile(r", type\s+(\w{1,16})\s+(.*)", re.ASCII)
# A zone's line in a report of the kernel's log, and the one with its sizes further above.
# Older kernels name no node on machines with one.
NODE: Final = r"\b(?:Node ([0-9]{1,4}) )?(\w{1,16})"
REPORT: Final = re.compile(NODE + r": ((?:[0-9]{1,12}\*[0-9]{1,8}kB (?:\([A-Z]+\) )?)+)=")
LISTED: Final = re.compile(r"([0-9]+)\*([0-9]+)kB (?:\(([A-Z]+)\))?")
REPORT_SIZES: Final = re.compile(NODE + r" free:[0-9]+kB (.*)")
HIGHATOMIC: Final = re.compile(r"\breserved_highatomic:([0-9]{1,12})KB")
RESERVE: Final = re.compile(r"\blowmem_reserve\[\]:((?: [0-9]{1,10}){1,8})")
SIZE: Final = re.compile(r"\b(boost|min|low|high|present|managed):([0-9]{1,15})kB")
# A field of zoneinfo; those of the per-CPU lists and counters have other names.
FIELD: Final = re.compile(r"\s+(boost|min|low|high|spanned|present|managed|start_pfn:)\s+([0-9]{1,15})")
PROTECTION: Final = re.compile(r"\s+protection: \(([0-9, ]{1,200})\)")
CPU: Final = re.compile(r"\s+cpu: ([0-9]{1,5})")
COUNT: Final = re.compile(r">?\s*([0-9]{1,10})", re.ASCII)
# CMA and isolated blocks are movable ones that are lent or held back; older kernels had a reserve instead of
# HighAtomic, which nobody was to take from.
MIGRATETYPES: Final = {
    "Unmovable": MIGRATE_UNMOVABLE,
    "Movable": MIGRATE_MOVABLE,
    "Reclaimable": MIGRATE_RECLAIMABLE,
    "HighAtomic": MIGRATE_HIGHATOMIC,
    "CMA": MIGRATE_MOVABLE,
    "Isolate": MIGRATE_MOVABLE,
    "Reserve": MIGRATE_UNMOVABLE,
}
# As a report has them behind the number. Kernel: show_migration_types
LETTERS: Final = {"U": 0, "M": 1, "E": 2, "H": 3, "C": 1, "I": 1, "R": 0}
EXAMPLE: Final = "Node 0, zone   Normal   12  9  4  2  1  0  1  0  1  1  7"
# Free blocks below the highest order: each takes a place of its own, and another beside it.
MAX_FREE_BLOCKS: Final = 1 << 18
MAX_FRAMES: Final = 1 << 28


@dataclass(slots=True)
class ZoneText:
    """What is known of a zone.

    loc: the place of its line. counts: free blocks of each order. types: the same by migratetype. blocks:
    pageblocks by migratetype. sizes: start_pfn, spanned, present, managed, and boost, min, low, high, in page
    frames. protection: its lowmem_reserve.
    """

    nid: int
    name: str
    loc: tuple[str | int, ...]
    counts: list[int]
    types: dict[int, list[int]] = field(default_factory=dict)
    blocks: dict[int, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    protection: list[int] = field(default_factory=list)

    @property
    def free(self) -> int:
        """Free frames."""
        return sum(count << order for order, count in enumerate(self.counts))


Zones = dict[tuple[int, str], ZoneText]


@dataclass(frozen=True, slots=True)
class MachineText:
    """The zones in the order of the text, the names of all zones that the kernel knows, and the CPUs.

    report: what is known of the text itself.
    """

    zones: list[ZoneText]
    names: frozenset[str]
    cpus: int
    report: Report


def read(texts: Mapping[str, str]) -> MachineText:
    """What the texts say together. Raises BadArgument."""
    log = read_report(texts["buddyinfo"])
    zones = log.zones or read_buddyinfo(texts["buddyinfo"])
    check(zones)
    if texts.get("pagetypeinfo"):
        read_pagetypeinfo(zones, texts["pagetypeinfo"])
    names, cpus = {name for _, name in zones}, 1
    if texts.get("zoneinfo"):
        more, cpus = read_zoneinfo(zones, texts["zoneinfo"])
        names |= more
    report = told(texts, zones, log)
    for zone in zones.values():
        settle_types(zone)
    return MachineText(list(zones.values()), frozenset(names), cpus, report)


def told(texts: Mapping[str, str], zones: Zones, log: LogText) -> Report:
    """What the text leaves open, and what it tells besides."""
    request, every = log.request, zones.values()
    open_ = {
        "memory": not all("managed" in zone.sizes or "spanned" in zone.sizes for zone in every),
        "bounds": not all("spanned" in zone.sizes for zone in every),
        "types": not any(zone.types for zone in every),
        "types_of_lists": bool(log.zones) and any(zone.types for zone in every),
        "cma": log.cma,
        "marks": not all("min" in zone.sizes for zone in every),
        "reserves": not all(zone.protection for zone in every),
        "cpus": not texts.get("zoneinfo"),
        "mask": request is not None and request.older,
        "first": log.more,
    }
    assumed = [key for key in ASSUMED if open_.get(key, True)]
    call = None
    if request is not None and request.order is not None and request.gfp is not None:
        call = request.task, request.gfp, request.order
    source = PROC if not log.zones else FAILED if request is None else request.what
    kernel = "" if request is None else request.kernel
    unread = tuple(log.unread) if log.zones else ()
    return Report(source, tuple(assumed), unread, kernel, call)


def lines_of(name: str, text: str) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Each line with its place, without empty ones and the command that printed them."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and "cat /proc/" not in line:
            yield (name, "line", number), line


# -- buddyinfo -----------------------------------------------------------------------------------------------


def read_buddyinfo(text: str) -> Zones:
    """A line for each zone, with the number of free blocks of each order."""
    zones: Zones = {}
    for loc, line in lines_of("buddyinfo", text):
        found = ZONE.fullmatch(line.strip())
        if found is None:
            raise BadArgument.at(loc, f"a line of /proc/buddyinfo, as {EXAMPLE}")
        add(zones, ZoneText(int(found[1]), found[2], loc, counts_of(found[3], loc)))
    return zones


def counts_of(text: str, loc: tuple[str | int, ...]) -> list[int]:
    """Eleven numbers, from order 0 to order 10."""
    words = text.split()
    if len(words) != MAX_ORDER or not all(word.isascii() and word.isdecimal() for word in words):
        raise BadArgument.at(
            loc, f"{MAX_ORDER} numbers of free blocks, of orders 0 to {MAX_ORDER - 1}; here are {len(words)}"
        )
    return [bounded(word, loc) for word in words]


def bounded(word: str, loc: tuple[str | int, ...]) -> int:
    """A number of blocks or frames."""
    if len(word) > 10 or int(word) > MAX_PFN:
        raise BadArgument.at(loc, f"numbers up to {MAX_PFN:,}")
    return int(word)


def add(zones: Zones, zone: ZoneText) -> None:
    """Another zone."""
    if zone.name not in ZONE_NAMES:
        raise BadArgument.at(zone.loc, f"a zone of {', '.join(ZONE_NAMES)}")
    if zone.nid >= MAX_NODES:
        raise BadArgument.at(zone.loc, f"a node below {MAX_NODES}")
    if (zone.nid, zone.name) in zones:
        raise BadArgument.at(zone.loc, f"{zone.name} of node {zone.nid} once; paste one moment's text")
    zones[zone.nid, zone.name] = zone


def check(zones: Zones) -> None:
    """What the lines must be together."""
    if not zones:
        raise BadArgument.at("buddyinfo", f"at least one line, as {EXAMPLE}")
    nodes = sorted({nid for nid, _ in zones})
    if nodes != list(range(len(nodes))):
        raise BadArgument.at("buddyinfo", "nodes numbered from 0, without a gap")
    if sum(sum(zone.counts[:-1]) for zone in zones.values()) > MAX_FREE_BLOCKS:
        raise BadArgument.at("buddyinfo", f"at most {MAX_FREE_BLOCKS:,} free blocks below order 10 in all")
    if sum(zone.free for zone in zones.values()) > MAX_FRAMES:
        raise BadArgument.at("buddyinfo", f"at most {MAX_FRAMES:,} free page frames in all, which are 1 TiB")


# -- a report of the log -------------------------------------------------------------------------------------


@dataclass(slots=True)
class LogText:
    """What a report of the log says. more: another report follows. cma: some of the free blocks are CMA's.

    unread: lines that were passed over, as first and last; of very many runs the first ones.
    """

    zones: Zones = field(default_factory=dict)
    request: Request | None = None
    more: bool = False
    cma: bool = False
    unread: list[tuple[int, int]] = field(default_factory=list)

    def pass_over(self, line: int) -> None:
        """Take note of a line that says nothing of the zones."""
        if self.unread and self.unread[-1][1] == line - 1:
            self.unread[-1] = self.unread[-1][0], line
        elif len(self.unread) < MAX_RUNS:
            self.unread.append((line, line))


def read_report(text: str) -> LogText:
    """The zones of an OOM or allocation failure report; none where the text is not one.

    Of several reports it reads the first that has zones, and of its lines those that it knows. Raises
    BadArgument.
    """
    log, sizes = LogText(), SizeLines()
    for loc, line in joined(lines_of("buddyinfo", text)):
        request = request_of(line)
        if request is not None:
            if log.zones:
                log.more = True
                break
            log.request = request
            sizes = SizeLines()
        elif found := REPORT.search(line):
            add(log.zones, report_line(int(found[1] or 0), found[2], LISTED.findall(found[3]), loc))
            log.cma |= "C)" in found[3]
        elif not sizes.take(line, loc) and not named_kernel(log.request, line):
            log.pass_over(int(loc[-1]))
    if log.request is not None:
        settle(log.request)
    if log.zones:
        sizes.give(log.zones)
    return log


def named_kernel(request: Request | None, line: str) -> bool:
    """Whether a line names the kernel of a report that has not named it yet."""
    if request is None or request.kernel:
        return False
    request.kernel = release_of(line)
    return bool(request.kernel)


class SizeLines:
    """The lines with sizes and reserves of zones, which stand above those with their free blocks."""

    def __init__(self) -> None:
        self.zones: Zones = {}
        self.last: ZoneText | None = None

    def take(self, line: str, loc: tuple[str | int, ...]) -> bool:
        """Whether it was such a line."""
        if found := REPORT_SIZES.search(line):
            zone = self.last = ZoneText(int(found[1] or 0), found[2], loc, [])
            for name, number in SIZE.findall(found[3]):
                zone.sizes[name] = int(number) * 1024 // PAGE_SIZE
            if kept := HIGHATOMIC.search(found[3]):
                zone.blocks[MIGRATE_HIGHATOMIC] = int(kept[1]) // (PAGEBLOCK_NR_PAGES * PAGE_SIZE // 1024)
            self.zones[zone.nid, zone.name] = zone
            return True
        if self.last is not None and (found := RESERVE.search(line)):
            self.last.protection = [bounded(word, loc) for word in found[1].split()]
            return True
        return False

    def give(self, zones: Zones) -> None:
        """Give the zones their sizes. Raises BadArgument for one whose free blocks are missing."""
        for key, its in self.zones.items():
            if key not in zones:
                name = f"Node {its.nid} {its.name}"
                raise BadArgument.at(
                    its.loc, f"free blocks of this zone, too, further down: '{name}: 12*4kB (U) … = 123kB'"
                )
            zone = zones[key]
            zone.sizes, zone.blocks, zone.protection = its.sizes, its.blocks, its.protection


def report_line(
    nid: int, name: str, listed: list[tuple[str, str, str]], loc: tuple[str | int, ...]
) -> ZoneText:
    """`24404*4kB (UM) 0*8kB …`: the letters say on which lists there are any, not how many."""
    if [int(size) for _, size, _ in listed] != [4 << order for order in range(MAX_ORDER)]:
        raise BadArgument.at(loc, "eleven numbers of blocks, from 4kB to 4096kB")
    zone = ZoneText(nid, name, loc, [bounded(number, loc) for number, _, _ in listed])
    for order, (_, _, letters) in enumerate(listed):
        types = sorted({LETTERS[letter] for letter in letters if letter in LETTERS})
        rest = zone.counts[order]
        for migratetype in types:
            zone.types.setdefault(migratetype, [0] * MAX_ORDER)[order] = 1
        for migratetype in types[:1]:
            zone.types[migratetype][order] += max(0, rest - len(types))
    return zone


# -- pagetypeinfo --------------------------------------------------------------------------------------------


def read_pagetypeinfo(zones: Zones, text: str) -> None:
    """The free blocks by type, and the pageblocks by type, whose columns stand in a line above them."""
    columns: list[str] = []
    for zone in zones.values():
        zone.types = {}
    for loc, line in lines_of("pagetypeinfo", text):
        if line.startswith("Number of blocks type"):
            columns = line.split()[4:]
            check_types(columns, loc)
            continue
        found = re.match(r"Node\s+([0-9]{1,4}), zone\s+(\w{1,16})(.*)", line.strip(), re.ASCII)
        its = zones.get((int(found[1]), found[2])) if found else None
        if found is None or its is None:
            continue
        if of_type := TYPE.match(found[3]):
            check_types([of_type[1]], loc)
            add_free(its, MIGRATETYPES[of_type[1]], of_type[2], loc)
        elif columns:
            numbers = found[3].split()
            if len(numbers) != len(columns):
                raise BadArgument.at(loc, f"a number of pageblocks for each of {', '.join(columns)}")
            for name, number in zip(columns, numbers, strict=True):
                if not number.isascii() or not number.isdecimal():
                    raise BadArgument.at(loc, "numbers of pageblocks")
                migratetype = MIGRATETYPES[name]
                its.blocks[migratetype] = its.blocks.get(migratetype, 0) + bounded(number, loc)
    if not any(zone.types for zone in zones.values()):
        raise BadArgument.at("pagetypeinfo", "lines as Node 0, zone DMA, type Unmovable 1 0 0 …")


def check_types(names: list[str], loc: tuple[str | int, ...]) -> None:
    """Types that a kernel has or had."""
    unknown = [name for name in names if name not in MIGRATETYPES]
    if unknown:
        raise BadArgument.at(loc, f"a migratetype of {', '.join(MIGRATETYPES)}")


def add_free(zone: ZoneText, migratetype: int, text: str, loc: tuple[str | int, ...]) -> None:
    """A line of free blocks of one type. A list that was too long to be counted stands as `>100000`."""
    numbers = COUNT.findall(text)
    if len(numbers) != MAX_ORDER:
        raise BadArgument.at(loc, f"{MAX_ORDER} numbers of free blocks; here are {len(numbers)}")
    listed = zone.types.setdefault(migratetype, [0] * MAX_ORDER)
    for order, number in enumerate(numbers):
        listed[order] += bounded(number, loc)


def settle_types(zone: ZoneText) -> None:
    """Make the types add up to the counts of buddyinfo, which was read a moment before or after.

    What is too much or too little is so on the longest list; where nothing is said of types, all is movable.
    """
    if not zone.types:
        zone.types[MIGRATE_MOVABLE] = list(zone.counts)
    for order, count in enumerate(zone.counts):
        rest = count - sum(listed[order] for listed in zone.types.values())
        while rest:
            longest = max(zone.types.values(), key=lambda listed: (listed[order], sum(listed)))
            step = max(rest, -longest[order])
            longest[order] += step
            rest -= step


# -- zoneinfo ------------------------------------------------------------------------------------------------


def read_zoneinfo(zones: Zones, text: str) -> tuple[set[str], int]:
    """Bounds, sizes, marks and reserves of the zones; the names of all zones, and how many CPUs there are."""
    zone: ZoneText | None = None
    seen: dict[tuple[int, str], None] = {}
    cpus = 1
    for loc, line in lines_of("zoneinfo", text):
        if found := ZONE.fullmatch(line.strip()):
            zone = zones.get((int(found[1]), found[2]))
            seen[int(found[1]), found[2]] = None
        elif found := CPU.match(line):
            cpus = max(cpus, int(found[1]) + 1)
        elif zone is None:
            continue
        elif found := FIELD.match(line):
            if int(found[2]) > MAX_PFN:
                raise BadArgument.at(loc, f"page frames, up to {MAX_PFN:,}")
            zone.sizes[found[1].rstrip(":")] = int(found[2])
        elif found := PROTECTION.match(line):
            zone.protection = [bounded(word, loc) for word in re.findall("[0-9]+", found[1])]
    for key, missing in zones.items():
        if key not in seen:
            raise BadArgument.at(
                "zoneinfo", f"a part for {missing.name} of node {missing.nid}, as buddyinfo has"
            )
    if cpus > MAX_CPUS:
        raise BadArgument.at("zoneinfo", f"at most {MAX_CPUS} CPUs; here are {cpus}")
    return {name for _, name in seen}, cpus

"""The text of /proc: against what real kernels showed, and each file against the others."""

from __future__ import annotations

import gzip
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import BadArgument
from app.machine import boot
from app.machine.machine import Machine
from app.machine.outcome import Outcome
from app.machine.parsing import parse
from app.mm.gfp import __GFP_DMA
from app.mm.proc import FILES
from app.mm.proc.meminfo import si_mem_available
from app.mm.proc.vmstat import dirty_limits
from app.recording import Replay
from tests.support.heavy_machines import built

RECORDINGS = Path(__file__).parents[1] / "recordings"
BOOTS = sorted(path.parent.name for path in RECORDINGS.glob("*/boot.proc.txt.gz"))
# Caches that an i386 recording does not describe are missing on its machine, and it shows no vmalloc areas.
X86_64 = [name for name in BOOTS if not name.startswith("i386")]

# A number that stands for itself (not the 32 of DMA32, not the 64 of kmalloc-64), and what pads it.
NUMBER = re.compile(r"[ (]+\d+(?=[\s,)]|$)", re.MULTILINE)


@cache
def recorded(machine: str) -> dict[str, str]:
    """The files that a real machine showed when it had booted."""
    with gzip.open(RECORDINGS / machine / "boot.proc.txt.gz", "rt") as file:
        parts = re.split(r"^#FILE (\w+)\n", file.read(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@cache
def document(machine: str) -> str:
    """The state of the same machine a moment later."""
    replay = Replay(RECORDINGS / machine / "boot.jsonl.gz")
    replay.run()
    assert replay.machine is not None
    return json.dumps(replay.machine.dump())


def booted(machine: str) -> Machine:
    """A machine with the state of a recorded one."""
    return boot.load(json.loads(document(machine)))


class Caller:
    """Makes calls on a machine; what they returned is found under the number of the call."""

    def __init__(self, machine: Machine) -> None:
        self.m = machine
        self.seq = 0

    def __call__(self, call: str, **body: Any) -> Outcome:
        self.seq += 1
        return self.m.apply(parse(call, body, self.m.model), self.seq)

    def show(self, name: str) -> str:
        return FILES[name](self.m)


def values(text: str) -> dict[str, int]:
    """Name → number of meminfo or vmstat."""
    pairs = (line.split()[:2] for line in text.splitlines())
    return {name.rstrip(":"): int(value) for name, value in pairs}


def zones_of(zoneinfo: str) -> dict[tuple[int, str], dict[str, int]]:
    """(node, zone) → name → number; a name that stands there for each CPU has the sum."""
    zones: dict[tuple[int, str], dict[str, int]] = {}
    zone: dict[str, int] = {}
    for line in zoneinfo.splitlines():
        if found := re.fullmatch(r"Node (\d+), zone +(\w+)", line):
            zone = zones.setdefault((int(found[1]), found[2]), {})
        elif found := re.fullmatch(r" +(?:pages )?([\w ]+?):? +(\d+)", line):
            zone[found[1]] = zone.get(found[1], 0) + int(found[2])
    return zones


def rows(text: str) -> dict[tuple[int, str], list[int]]:
    """(node, zone) → numbers of a line of buddyinfo, or of the pageblocks in pagetypeinfo."""
    found = re.findall(r"^Node (\d+), zone +(\w+) ([\d ]+)$", text, re.MULTILINE)
    return {(int(node), zone): [int(number) for number in numbers.split()] for node, zone, numbers in found}


def slabs_of(slabinfo: str) -> dict[str, list[int]]:
    """Cache → active_objs, num_objs, objsize, objperslab, pagesperslab, active_slabs, num_slabs."""
    caches = {}
    for line in slabinfo.splitlines()[2:]:
        words = line.split()
        caches[words[0]] = [int(word) for word in (*words[1:6], *words[13:15])]
    return caches


# -- against real kernels --------------------------------------------------------------------------


@pytest.mark.parametrize("machine", BOOTS)
@pytest.mark.parametrize("name", ["buddyinfo", "pagetypeinfo", "zoneinfo", "meminfo", "vmstat"])
def test_every_line_has_the_real_form(machine: str, name: str) -> None:
    ours, theirs = FILES[name](booted(machine)), recorded(machine)[name]
    assert NUMBER.sub("#", ours) == NUMBER.sub("#", theirs)
    if name in ("buddyinfo", "pagetypeinfo", "meminfo"):
        # Numbers are padded there: lines are equally long, and end with the same blanks.
        assert list(map(len, ours.split("\n"))) == list(map(len, theirs.split("\n")))


@pytest.mark.parametrize("machine", BOOTS)
def test_zones_agree_in_what_stays_after_boot(machine: str) -> None:
    """Bounds, marks and limits of all zones, also of those without memory, byte for byte."""
    steady = re.compile(
        r"Node .*|  per-node stats|        (boost|min|low|high|spanned|present|managed|cma) .*"
        r"|  pagesets|    cpu: .*|              (high|batch): .*|  vm stats threshold: .*"
        r"|  node_unreclaimable: .*|  start_pfn: .*"
    )
    ours, theirs = (
        [line for line in text.splitlines() if steady.fullmatch(line)]
        for text in (FILES["zoneinfo"](booted(machine)), recorded(machine)["zoneinfo"])
    )
    assert ours == theirs


@pytest.mark.parametrize("machine", BOOTS)
def test_pageblocks_and_the_dma_zone_agree(machine: str) -> None:
    """Nothing had touched them between the reading of the files and the dump."""
    ours, theirs = (
        [
            line
            for line in text.splitlines()
            if "type" not in line or not line.startswith("Node") or re.search(r"zone +DMA,", line)
        ]
        for text in (FILES["pagetypeinfo"](booted(machine)), recorded(machine)["pagetypeinfo"])
    )
    assert ours == theirs
    assert (
        FILES["buddyinfo"](booted(machine)).splitlines()[0] == recorded(machine)["buddyinfo"].splitlines()[0]
    )


@pytest.mark.parametrize("machine", X86_64)
def test_caches_stand_in_the_real_order_with_the_real_sizes(machine: str) -> None:
    ours, theirs = FILES["slabinfo"](booted(machine)), recorded(machine)["slabinfo"]
    assert ours.splitlines()[:2] == theirs.splitlines()[:2]
    assert NUMBER.sub("#", ours) == NUMBER.sub("#", theirs)
    assert list(map(len, ours.split("\n"))) == list(map(len, theirs.split("\n")))
    constant = slice(2, 5)
    assert [(name, row[constant]) for name, row in slabs_of(ours).items()] == [
        (name, row[constant]) for name, row in slabs_of(theirs).items()
    ]


def test_caches_of_i386_have_the_real_sizes() -> None:
    ours, theirs = FILES["slabinfo"](booted("i386-2G")), recorded("i386-2G")["slabinfo"]
    real = slabs_of(theirs)
    known = slabs_of(ours)
    assert [name for name in real if name in known] == list(known)
    assert all(row[2:5] == real[name][2:5] for name, row in known.items())


@pytest.mark.parametrize("machine", BOOTS)
def test_meminfo_agrees_in_what_the_machine_is(machine: str) -> None:
    fixed = re.compile(
        r"(MemTotal|HighTotal|LowTotal|CommitLimit|VmallocTotal|Percpu|Huge\w+|Swap\w+|DirectMap\w+):.*"
    )
    ours, theirs = (
        [
            line
            for line in text.splitlines()
            # This one kernel had split one more large page of its direct map than the others.
            if fixed.fullmatch(line) and not (machine == "x64-1G" and line.startswith("DirectMap"))
        ]
        for text in (FILES["meminfo"](booted(machine)), recorded(machine)["meminfo"])
    )
    assert ours == theirs


@pytest.mark.parametrize("machine", BOOTS)
def test_estimates_follow_the_real_formulas(machine: str) -> None:
    """MemAvailable and the limits of writeback, from the free pages and reserves shown beside them."""
    m = booted(machine)
    meminfo, vmstat = values(recorded(machine)["meminfo"]), values(recorded(machine)["vmstat"])
    zoneinfo = recorded(machine)["zoneinfo"]
    reserves = dict(zip(zones_of(zoneinfo), re.findall(r"protection: \((.*)\)", zoneinfo), strict=True))
    for zone in m.zones:
        zone.lowmem_reserve = [int(word) for word in reserves[zone.nid, zone.name].split(",")]
    high = meminfo.get("HighFree", 0) >> 2
    set_free(m, (meminfo["MemFree"] >> 2) - high, high)
    assert si_mem_available(m, meminfo["SReclaimable"] >> 2) << 2 == meminfo["MemAvailable"]
    set_free(m, vmstat["nr_free_pages"] - high, high)
    assert dirty_limits(m) == {name: vmstat[name] for name in dirty_limits(m)}


def set_free(m: Machine, low: int, high: int) -> None:
    """Let so many frames count as free, in the first zone and in the last."""
    for zone in m.zones:
        zone.vm_stat_free, zone.vm_stat_diff = 0, [0] * m.model.cpus
    m.zones[0].vm_stat_free = low
    m.zones[-1].vm_stat_free += high


AREA = re.compile(
    r"0x(?:[0-9a-f]+|\(_*ptrval_*\))-0x(?:[0-9a-f]+|\(_*ptrval_*\)) (?P<size>[ \d]{7,})"
    r"(?: (?P<caller>\S+\+0x[0-9a-f]+/0x[0-9a-f]+)(?: \[\w+\])?(?: pages=(?P<pages>\d+))?"
    r"(?: phys=0x[0-9a-f]+)?(?: ioremap)?(?: vmalloc)?(?: vmap)?(?: user)?(?: vpages)?(?: N\d+=\d+)*"
    r"| unpurged vm_area)?"
)


@pytest.mark.parametrize("machine", BOOTS)
def test_areas_have_the_real_form(machine: str) -> None:
    """The form is read off real lines; an area of a call is then written in it."""
    for line in recorded(machine)["vmallocinfo"].splitlines():
        assert (found := AREA.fullmatch(line)), line
        assert len(found["size"]) >= 7
    call = Caller(booted(machine))
    before = call.show("vmallocinfo").splitlines()
    assert all(map(AREA.fullmatch, before))
    call("vmalloc", size=50_000)
    (line,) = (line for line in call.show("vmallocinfo").splitlines() if line not in before)
    found = AREA.fullmatch(line)
    assert found is not None
    assert found["pages"] == "13"
    assert int(found["size"]) == 14 * 4096
    assert line.endswith(" vmalloc" if machine.startswith("i386") else " vmalloc N0=13")


# -- events ----------------------------------------------------------------------------------------

# The page frame of an allocation that failed, as it is traced.
NULL = "0xffffffffffffffff"


@pytest.mark.parametrize("recording", ["plain-256M/a_basic", "plain-numa/n_numa", "x64-1G-movable/a_basic"])
def test_events_are_those_that_the_kernel_traced(recording: str) -> None:
    """Frames allocated from each zone, frames freed, and allocations that hit the node they were for."""
    replay = Replay(RECORDINGS / f"{recording}.jsonl.gz")
    report = replay.run()
    assert not report.misses
    m = replay.machine
    assert m is not None
    pgalloc: dict[tuple[int, str], int] = {}
    numa: dict[str, int] = dict.fromkeys(("numa_hit", "numa_miss", "numa_local", "numa_other"), 0)
    pgfree = 0
    for line in replay.lines:
        if line["t"] != "op" or "skip" in line:
            continue
        for event in line.get("ev", []):
            if event[0] == "F":
                pgfree += 1 << event[2]
            elif event[0] == "A" and event[1] != NULL:
                zone = m.zone_of(int(event[1], 16))
                pgalloc[zone.nid, zone.name] = pgalloc.get((zone.nid, zone.name), 0) + (1 << event[2])
                # Only node 0 has DMA memory, so it is where that is wanted from, whichever node was named.
                wanted = 0 if int(event[3], 16) & __GFP_DMA else line.get("node", 0)
                numa["numa_hit" if zone.nid == wanted else "numa_miss"] += 1
                numa["numa_other" if zone.nid else "numa_local"] += 1
    assert pgalloc == {(zone.nid, zone.name): zone.pgalloc for zone in m.zones if zone.pgalloc}
    shown = values(FILES["vmstat"](m))
    assert shown["pgfree"] == pgfree > 1000
    assert {name: shown[name] for name in numa} == numa
    assert shown["numa_foreign"] == shown["numa_miss"]
    assert sum(value for name, value in shown.items() if name.startswith("pgalloc_")) == sum(pgalloc.values())


def test_another_node_serves_what_is_missing() -> None:
    """A miss here is foreign there, and the page is not local to the CPU that asked."""
    call = Caller(boot.boot({"profile": "x86_64-1g", "nodes": 2}))
    call("alloc_pages", gfp="GFP_KERNEL", order=4, until="null")
    shown = zones_of(call.show("zoneinfo"))
    home, other = shown[0, "DMA32"], shown[1, "DMA32"]
    assert other["numa_miss"] == other["numa_other"] == home["numa_foreign"] > 1000
    assert other["numa_hit"] == other["numa_local"] == home["numa_miss"] == home["numa_other"] == 0
    assert home["numa_hit"] == home["numa_local"] > 1000


def test_direct_reclaim_is_counted_for_the_zones_it_was_for() -> None:
    call = Caller(boot.boot({"profile": "i386-1g", "reclaim": False}))
    call("alloc_pages", gfp="GFP_KERNEL|__GFP_RETRY_MAYFAIL|__GFP_NOWARN", order=10, until="null")
    assert values(call.show("vmstat"))["allocstall_normal"] == 1
    call("alloc_pages", gfp="GFP_HIGHUSER|__GFP_RETRY_MAYFAIL|__GFP_NOWARN", order=10, until="null")
    assert values(call.show("vmstat"))["allocstall_high"] == 1
    call("alloc_pages", gfp="GFP_NOWAIT|__GFP_NOWARN", order=10)
    assert values(call.show("vmstat"))["allocstall_normal"] == 1


# -- each file against the others ------------------------------------------------------------------


def check_rules(m: Machine) -> None:
    """What holds between the files of one machine."""
    text = {name: show(m) for name, show in FILES.items()}
    zones, meminfo, vmstat = zones_of(text["zoneinfo"]), values(text["meminfo"]), values(text["vmstat"])
    check_free(m.model.arch, text, zones, meminfo, vmstat)
    slabs = slabs_of(text["slabinfo"])
    assert all(row[0] <= row[1] == row[6] * row[3] and row[5] == row[6] for row in slabs.values())
    assert meminfo["Slab"] == meminfo["SReclaimable"] + meminfo["SUnreclaim"]
    large = sum(node.nr_large_kmalloc for node in m.nodes)
    assert meminfo["Slab"] == 4 * (large + sum(row[6] * row[4] for row in slabs.values()))
    areas = [found for line in text["vmallocinfo"].splitlines() if (found := AREA.fullmatch(line))]
    assert len(areas) == text["vmallocinfo"].count("\n")
    pages = [int(found["pages"]) for found in areas if found["pages"]]
    assert meminfo["VmallocUsed"] == 4 * sum(pages)
    assert all(int(found["size"]) == int(found["pages"]) + 1 << 12 for found in areas if found["pages"])
    pgalloc = sum(value for name, value in vmstat.items() if name.startswith("pgalloc_"))
    on_lists = sum(zone.get("count", 0) for zone in zones.values())
    assert vmstat["pgfree"] - pgalloc == vmstat["nr_free_pages"] + on_lists
    if m.model.arch == "x86_64":
        assert vmstat["numa_hit"] + vmstat["numa_miss"] == vmstat["numa_local"] + vmstat["numa_other"]


def check_free(
    arch: str,
    text: dict[str, str],
    zones: dict[tuple[int, str], dict[str, int]],
    meminfo: dict[str, int],
    vmstat: dict[str, int],
) -> None:
    """Free pages are the same by order, by type, by zone and in sum."""
    buddyinfo = rows(text["buddyinfo"])
    assert buddyinfo.keys() == {key for key, zone in zones.items() if zone["present"]}
    free_lists, _, blocks = text["pagetypeinfo"].partition("Number of blocks")
    by_type = re.findall(r"^Node +(\d+), zone +(\w+), type +\w+ ([\d ]+)$", free_lists, re.MULTILINE)
    for key, counts in buddyinfo.items():
        assert sum(count << order for order, count in enumerate(counts)) == zones[key]["free"]
        assert zones[key]["free"] == zones[key]["nr_free_pages"]
        lists = [numbers.split() for nid, name, numbers in by_type if (int(nid), name) == key]
        assert [sum(map(int, column)) for column in zip(*lists, strict=True)] == counts
        # Beyond the RAM of x86_64 there is no struct page; i386 has one for each frame, in holes too.
        frames = zones[key]["spanned" if arch == "i386" else "present"]
        assert sum(rows(blocks)[key]) == -(-frames // 512)
    assert sum(zone["free"] for zone in zones.values()) == vmstat["nr_free_pages"]
    assert meminfo["MemFree"] == 4 * vmstat["nr_free_pages"]
    assert meminfo.get("HighFree", 0) == 4 * zones.get((0, "HighMem"), {"free": 0})["free"]


MASKS = st.sampled_from(
    ("GFP_KERNEL", "GFP_ATOMIC", "GFP_HIGHUSER_MOVABLE", "GFP_DMA", "GFP_KERNEL|__GFP_RECLAIMABLE")
)
CALLS = st.one_of(
    st.tuples(st.just("alloc_pages"), st.fixed_dictionaries({"gfp": MASKS, "order": st.integers(0, 5)})),
    st.tuples(
        st.just("kmalloc"),
        st.fixed_dictionaries(
            {
                "size": st.integers(1, 20_000),
                "flags": st.sampled_from(("GFP_KERNEL", "GFP_DMA", "GFP_KERNEL|__GFP_RECLAIMABLE")),
            }
        ),
    ),
    st.tuples(st.just("vmalloc"), st.fixed_dictionaries({"size": st.integers(1, 60_000)})),
    st.tuples(st.just("free"), st.integers(0, 30)),
)


@settings(deadline=None, max_examples=40)
@given(
    profile=st.sampled_from(("tiny-16m", "tiny-32m")), debug=st.booleans(), calls=st.lists(CALLS, max_size=40)
)
def test_the_files_agree_with_each_other(
    profile: str,
    debug: bool,
    calls: list[tuple[str, Any]],
) -> None:
    call = Caller(boot.boot({"profile": profile, "debug": debug}))
    live: list[tuple[str, dict[str, Any]]] = []
    for name, body in calls:
        if name == "free":
            if live:
                free, what = live.pop(body % len(live))
                call(free, **what)
        elif (ret := call(name, **body).ret) is not None:
            live.append(giving_back(name, body, ret))
    check_rules(call.m)
    again = boot.load(json.loads(json.dumps(call.m.dump())))
    assert {name: show(again) for name, show in FILES.items()} == {
        name: show(call.m) for name, show in FILES.items()
    }


def giving_back(name: str, body: dict[str, Any], ret: str) -> tuple[str, dict[str, Any]]:
    """The call that undoes an allocation."""
    if name == "alloc_pages":
        return "__free_pages", {"page": ret, "order": body["order"]}
    return "kfree" if name == "kmalloc" else "vfree", {"addr": ret}


@pytest.mark.parametrize("profile", [name for name in boot.PROFILES if name != "x86_64-1t"])
def test_the_files_of_a_new_machine_agree(profile: str) -> None:
    check_rules(boot.boot({"profile": profile}))


def test_pages_on_per_cpu_lists_are_not_free() -> None:
    call = Caller(boot.boot({"profile": "x86_64-1g"}))
    before = values(call.show("meminfo"))["MemFree"]
    call("alloc_pages", gfp="GFP_KERNEL", order=0)
    assert zones_of(call.show("zoneinfo"))[0, "DMA32"]["count"] == 62
    assert values(call.show("meminfo"))["MemFree"] == before - 63 * 4


# -- single files ----------------------------------------------------------------------------------


def test_kmalloc_beyond_the_caches_is_slab_memory_in_no_cache() -> None:
    call = Caller(boot.boot({"profile": "x86_64-1g"}))
    empty = call.show("slabinfo")
    address = call("kmalloc", size=8193, flags="GFP_KERNEL").ret
    assert call.show("slabinfo") == empty
    assert values(call.show("meminfo"))["SUnreclaim"] == 16
    assert zones_of(call.show("zoneinfo"))[0, "DMA"]["nr_slab_unreclaimable"] == 4
    call("kfree", addr=address)
    assert values(call.show("meminfo"))["SUnreclaim"] == 0


def test_kfree_of_a_plain_page_leaves_a_count_below_zero_that_reads_as_zero() -> None:
    call = Caller(boot.boot({"profile": "x86_64-1g", "debug": False}))
    page = call("__get_free_pages", gfp="GFP_KERNEL", order=0).ret
    call("kfree", addr=page)
    assert values(call.show("meminfo"))["SUnreclaim"] == 0
    call("kmalloc", size=8193, flags="GFP_KERNEL")
    assert values(call.show("meminfo"))["SUnreclaim"] == 12


def test_a_new_cache_comes_first() -> None:
    call = Caller(boot.boot({"profile": "x86_64-1g", "debug": False}))
    for name in ("first", "second"):
        call("kmem_cache_create", name=name, size=100)
    call("kmem_cache_alloc", cache="second", flags="GFP_KERNEL")
    lines = call.show("slabinfo").splitlines()
    assert lines[2].split()[:6] == ["second", "39", "39", "104", "39", "1"]
    assert lines[3].startswith(
        "first                  0      0    104   39    1 : tunables    0    0    0 : slabdata "
    )
    assert lines[-1].startswith("kmem_cache ")
    assert lines[-2].startswith("kmem_cache_node ")


def test_objects_on_nodes_lists_are_the_free_ones() -> None:
    """What a CPU holds counts as active; only a slab that it has given up is looked at."""
    call = Caller(boot.boot({"profile": "x86_64-1g", "debug": False}))
    addresses = [call("kmalloc", size=4096, flags="GFP_KERNEL").ret for _ in range(3)]
    assert slabs_of(call.show("slabinfo"))["kmalloc-4k"][:2] == [8, 8]
    call("kfree", addr=addresses[0])
    assert slabs_of(call.show("slabinfo"))["kmalloc-4k"][:2] == [8, 8]
    call("kmem_cache_shrink", cache="kmalloc-4k")
    assert slabs_of(call.show("slabinfo"))["kmalloc-4k"][:2] == [2, 8]


def test_areas_in_order_then_those_not_purged() -> None:
    call = Caller(boot.boot({"profile": "x86_64-1g"}))
    small = call("vmalloc", size=1).ret
    call("vmalloc", size=513 << 12)
    call("vfree", addr=small)
    lines = call.show("vmallocinfo").splitlines()
    assert lines == [
        (
            "0xffffc90000002000-0xffffc90000204000 2105344 lab_init+0x0/0x0 [lab]"
            " pages=513 vmalloc vpages N0=513"
        ),
        lines[1],
        "0xffffc90000000000-0xffffc90000002000    8192 unpurged vm_area",
    ]
    assert re.fullmatch(
        r"0xffffc90000204000-0xffffc90000207000   12288 lab_init\+0x0/0x0 \[lab\] pages=2 vmalloc N0=2",
        lines[1],
    )
    assert values(call.show("meminfo"))["VmallocUsed"] == 515 * 4


def test_areas_name_who_asked_for_them() -> None:
    """A task's own code is a module's; a thread's stack is named as on a real machine."""
    call = Caller(boot.boot({"profile": "x86_64-1g"}))
    call("vmalloc", size=1, task="m7")
    call("insmod", name="e1000", size=9000)
    call("execve", task="a")
    call("fork", child="b", task="a")
    words = [line.split()[2:] for line in call.show("vmallocinfo").splitlines()]
    assert words[0] == ["lab_m7+0x0/0x0", "[lab]", "pages=1", "vmalloc", "N0=1"]
    assert ["move_module+0x0/0x0", "pages=3", "vmalloc", "N0=3"] in words
    ours = next(line for line in words if line[0].startswith("kernel_clone"))
    theirs = {
        tuple(line.split()[3:])
        for line in recorded("x64-1G")["vmallocinfo"].splitlines()
        if " kernel_clone+" in line
    }
    assert {tuple(ours[1:])} == theirs


def test_a_table_of_the_middle_level_is_counted_and_one_of_the_lowest_is_not() -> None:
    call = Caller(boot.boot({"profile": "x86_64-1g"}))
    writes = call("vmalloc", size=1).area["page_table_writes"]  # type: ignore[index]
    assert writes == 3
    assert values(call.show("meminfo"))["PageTables"] == 4


def test_a_list_too_long_to_be_counted() -> None:
    text = FILES["pagetypeinfo"](boot.boot({"profile": "x86_64-1t"}))
    line = next(line for line in text.splitlines() if re.search(r"Normal, type +Movable", line))
    assert line.endswith(" >100000 ")


# -- in a dump -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "place"),
    [
        ("vm_events", {"pgfre": 1}, ("vm_events", "pgfre")),
        ("vm_events", {"pgfree": -1}, ("vm_events", "pgfree")),
        ("vm_events", [], ("vm_events",)),
        ("zones", [[0, 0, 0, 0, 0]], ("zones",)),
        ("zones", [[0, 0, 0, 0]] * 2, ("zones", 0)),
        ("nr_large_kmalloc", [0.5], ("nr_large_kmalloc", 0)),
    ],
)
def test_a_dump_with_wrong_counters_is_refused(key: str, value: Any, place: tuple[str | int, ...]) -> None:
    doc = boot.boot({"profile": "x86_64-1g"}).dump()
    doc["vmstat"][key] = value
    with pytest.raises(BadArgument) as caught:
        boot.load(doc)
    assert caught.value.faults[0].loc == ("dump", "vmstat", *place)


def processes(*more: str) -> Machine:
    """Two zones, and pages of every kind in them: locked, dirty, of files, of tmpfs, in batches."""
    return built(
        [
            "a: execve()",
            "a: p = mmap(NULL, 1M, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS)",
            "a: store(p) * 200",
            "a: mlock(p, 20480)",
            'a: f = open("/data/a", 2)',
            "a: read(f, 200000)",
            "a: read(f, NULL, 200000, 0)",
            "a: q = mmap(NULL, 256K, PROT_READ|PROT_WRITE, MAP_SHARED, f, 0)",
            "a: store(q) * 20",
            "a: fsync(f)",
            "a: store(q) * 3",
            "a: t = mmap(NULL, 64K, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS)",
            "a: store(t) * 7",
            *more,
        ],
        {"profile": "x86_64-1g", "memory": "5G"},
    )


def test_pages_of_processes_are_counted_in_their_zones() -> None:
    m = processes()
    counted = values(FILES["vmstat"](m))
    zones = zones_of(FILES["zoneinfo"](m))
    names = [name for name in counted if name.startswith("nr_zone_")] + ["nr_mlock"]
    assert len(names) == 7
    for name in names:
        assert sum(zone.get(name, 0) for zone in zones.values()) == counted[name], name
        if name.startswith("nr_zone_") and name != "nr_zone_write_pending":
            assert counted[name] == counted[name.replace("_zone", "")]
    assert counted["nr_mlock"] == counted["nr_zone_unevictable"] == 5
    assert counted["nr_zone_write_pending"] == counted["nr_dirty"] == 3
    assert counted["nr_zone_active_file"] > 0
    assert len([zone for zone in zones.values() if zone.get("nr_zone_inactive_anon")]) >= 1


def test_what_a_disk_did_is_counted() -> None:
    m = processes()
    counted = values(FILES["vmstat"](m))
    assert (counted["nr_dirtied"], counted["nr_written"], counted["pgpgout"]) == (23, 20, 80)
    assert counted["pgpgin"] == 4 * (counted["nr_file_pages"] - counted["nr_shmem"])
    memory = values(FILES["meminfo"](m))
    assert (memory["Mlocked"], memory["Dirty"], memory["Shmem"]) == (20, 12, 28)
    dropped = values(FILES["vmstat"](processes("sysctl(drop_caches, 3)")))
    assert (dropped["drop_pagecache"], dropped["drop_slab"]) == (1, 1)

"""Booting: profiles, overrides, memory maps, and the first allocations on a fresh machine."""

import itertools
import json
import time
from typing import Any

import pytest

from app.errors import BadArgument
from app.machine import boot, bootparam, parsing
from app.machine.invariants import verify
from app.machine.machine import Machine
from app.machine.outcome import Outcome
from app.mm import wmarks
from app.mm.memory_model import PAGE_SHIFT
from app.mm.mmzone import MAX_ORDER
from tests.support.boots import BOOTS

GIB = 1 << 30
MIB = 1 << 20

# The recorded machines that a profile with overrides describes.
DESCRIBED: dict[str, dict[str, Any]] = {
    "x64-96M": {"profile": "x86_64-1g", "memory": "96M"},
    "x64-256M": {"profile": "x86_64-1g", "memory": "256M"},
    "x64-512M": {"profile": "x86_64-1g", "memory": "512M"},
    "x64-1G": {"profile": "x86_64-1g"},
    "x64-2G": {"profile": "x86_64-1g", "memory": "2G"},
    "x64-4G": {"profile": "x86_64-8g", "memory": "4G"},
    "x64-6G": {"profile": "x86_64-8g", "memory": "6G"},
    "x64-1G-movable": {"profile": "x86_64-1g", "movablecore": "256M"},
    "x64-1G-smp4": {"profile": "x86_64-1g", "cpus": 4},
    "x64-1G-thp": {"profile": "x86_64-1g", "transparent_hugepage": "always"},
    "x64-1G-sysctl": {"profile": "x86_64-1g", "sysctl": {"min_free_kbytes": 4096}},
    "i386-512M": {"profile": "i386-1g", "memory": "512M"},
    "i386-1G": {"profile": "i386-1g"},
    "i386-2G": {"profile": "i386-4g", "memory": "2G"},
}


def call(m: Machine, name: str, **body: Any) -> Outcome:
    return m.apply(parsing.parse(name, body, m.model), 1)


def buddyinfo(m: Machine) -> list[list[int]]:
    return [[area.nr_free for area in zone.free_area] for zone in m.zones]


# -- known answers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DESCRIBED)
def test_a_profile_of_a_recorded_size_is_that_machine(name: str) -> None:
    recorded = BOOTS[name]
    m = boot.boot(DESCRIBED[name])
    ours = m.dump()
    # This recording was made before anything had read lowmem_reserve_ratio, so its reserves are those of
    # mid-boot.
    stale_reserves = name == "i386-512M"
    for zone, line in zip(ours["zones"], recorded["zones"], strict=True):
        for key in (
            "nid",
            "zid",
            "name",
            "start_pfn",
            "spanned",
            "present",
            "managed",
            "wm",
            "stat_threshold",
        ):
            assert zone[key] == line[key], (zone["name"], key)
        assert [[pcp["high"], pcp["batch"]] for pcp in zone["pcp"]] == line["pcp"]
        if not stale_reserves:
            assert zone["lowmem_reserve"] == line["lowmem_reserve"]
    for node, line in zip(ours["nodes"], recorded["nodes"], strict=True):
        for key in ("start_pfn", "spanned", "present"):
            assert node[key] == line[key]
        assert node["zonelists"][: len(line["zonelists"])] == line["zonelists"]
        boost = sum(zone["boost"] for zone in recorded["zones"] if zone["nid"] == line["nid"])
        if not stale_reserves:
            assert wmarks.totalreserve_pages(m, line["nid"]) == line["totalreserve"] - boost
    if recorded["min_free_kbytes"] >= 0:
        assert m.min_free_kbytes == recorded["min_free_kbytes"]


def test_two_nodes_take_as_much_for_themselves_as_the_recorded_two() -> None:
    # The recorded nodes are of 768 and 512 MiB, ours of 640 each: only the sums can be compared.
    m = boot.boot({"profile": "x86_64-1g", "memory": "1280M", "nodes": 2})
    lines = BOOTS["x64-numa"]["zones"]
    assert sum(zone.present_pages for zone in m.zones) == sum(line["present"] for line in lines)
    assert sum(zone.managed_pages for zone in m.zones) == sum(line["managed"] for line in lines)


def test_a_hole_below_4_gib() -> None:
    m = boot.boot({"profile": "x86_64-8g"})
    _dma, dma32, normal = m.zones
    assert (dma32.end_pfn, dma32.hole_pfn, dma32.present_pages) == (0x100000, 0xC0000, 782304)
    assert (normal.start_pfn, normal.end_pfn) == (0x100000, 0x240000)


@pytest.mark.parametrize(("lecture", "border"), [(False, 0x36FFE), (True, 896 * MIB >> PAGE_SHIFT)])
def test_highmem_starts_where_the_direct_map_ends(lecture: bool, border: int) -> None:
    m = boot.boot({"profile": "i386-1g", "lecture": lecture})
    assert m.zones[2].start_pfn == m.model.max_low_pfn == border
    assert m.page_address(border - 1) == 0xC0000000 + ((border - 1) << PAGE_SHIFT)
    assert m.page_address(border) is None


def test_movable_frames_above_the_direct_map_are_highmem_too() -> None:
    m = boot.boot({"profile": "i386-1g", "movablecore": "256M"})
    assert [zone.name for zone in m.zones] == ["DMA", "Normal", "HighMem", "Movable"]
    again = boot.load(json.loads(json.dumps(m.dump())))
    assert again.model == m.model
    assert again.page_address(m.zones[3].start_pfn) is None


# -- a fresh machine -----------------------------------------------------------------------------------------

OVERRIDES: tuple[dict[str, Any], ...] = (
    {},
    {"lecture": True},
    {"pcp": False},
    {"mobility": False},
    {"debug": False},
    {"cpus": 3},
    {"movablecore": "8M"},
    {"nodes": 2},
    {"sysctl": {"watermark_scale_factor": 50, "lowmem_reserve_ratio": "100 50"}},
    {"memory": "1234M"},
)


def fits(profile: str, override: dict[str, Any]) -> bool:
    known = boot.PROFILES[profile]
    return not (known.tiny and "memory" in override) and override.get("nodes", 1) <= known.max_nodes


@pytest.mark.parametrize(
    ("profile", "override"),
    [pair for pair in itertools.product(boot.PROFILES, OVERRIDES) if fits(*pair)],
    ids=lambda value: value if isinstance(value, str) else "-".join(value) or "plain",
)
def test_every_profile_boots_with_every_override(profile: str, override: dict[str, Any]) -> None:
    m = boot.boot({"profile": profile, **override})
    assert verify(m) == []
    for zone in m.zones:
        assert zone.nr_free_pages == zone.managed_pages <= zone.present_pages <= zone.spanned_pages
        assert sum(area.nr_free << order for order, area in enumerate(zone.free_area)) == zone.managed_pages
    if profile != "x86_64-1t" or override == {"lecture": True}:
        before = m.dump()
        again = boot.load(json.loads(json.dumps(before)))
        assert again.dump() == before
        assert again.describe() == m.describe()
        for machine in (m, again):
            outcome = call(machine, "alloc_pages", gfp="GFP_KERNEL", order=3)
            assert outcome.verdict == "ok"
        assert again.dump() == m.dump()


@pytest.mark.parametrize("memory", ["96M", "97M", "333M", "3G", "3073M", "3100M", "5G", "200G", "4T"])
@pytest.mark.parametrize("cpus", [1, 64])
def test_any_memory_in_between(memory: str, cpus: int) -> None:
    m = boot.boot({"memory": memory, "cpus": cpus})
    present = sum(zone.present_pages for zone in m.zones)
    size = m.describe()["memory"]
    assert size == bootparam.size(memory)
    assert 0 < (size >> PAGE_SHIFT) - present < 256
    assert sum(zone.managed_pages for zone in m.zones) > present // 4


@pytest.mark.parametrize("memory", ["64M", "128M", "896M", "3G", "32G"])
@pytest.mark.parametrize("cpus", [1, 32])
def test_any_i386_memory_in_between(memory: str, cpus: int) -> None:
    m = boot.boot({"profile": "i386-4g", "memory": memory, "cpus": cpus})
    assert verify(m) == []
    assert m.zones[1].managed_pages > 0


def test_free_lists_stand_in_ascending_order() -> None:
    for zone in boot.boot({"profile": "i386-4g"}).zones:
        for order in range(MAX_ORDER):
            for migratetype in range(3):
                pfns = list(zone.free_list_pfns(order, migratetype))
                assert pfns == sorted(pfns)


def test_memory_is_given_to_nodes_evenly() -> None:
    m = boot.boot({"profile": "x86_64-8g", "nodes": 4, "cpus": 6})
    frames = [sum(zone.present_pages for zone in m.zones if zone.nid == nid) for nid in range(4)]
    assert max(frames) - min(frames) < 256
    assert m.cpu_node == [0, 1, 2, 3, 0, 1]
    assert [[zone.nid for zone in node.zonelist] for node in m.nodes] == [
        [0, 0, 1, 1, 2, 3],
        [1, 1, 2, 3, 0, 0],
        [2, 3, 0, 0, 1, 1],
        [3, 0, 0, 1, 1, 2],
    ]


def test_a_node_without_cpus_is_preferred_among_the_far_ones() -> None:
    m = boot.boot({"profile": "x86_64-1g", "nodes": 4})
    assert [zone.nid for zone in m.nodes[2].zonelist] == [2, 3, 1, 0, 0]


def test_two_nodes_do_not_turn_to_the_same_third_first() -> None:
    m = boot.boot({"profile": "x86_64-8g", "nodes": 4, "cpus": 2})
    lists = [list(dict.fromkeys(zone.nid for zone in node.zonelist)) for node in m.nodes]
    assert lists[:2] == [[0, 2, 3, 1], [1, 3, 2, 0]]


def test_a_cpu_is_served_from_its_own_node() -> None:
    m = boot.boot({"profile": "x86_64-8g", "nodes": 2, "cpus": 2})
    pages = [call(m, "alloc_pages", gfp="GFP_KERNEL", order=0, cpu=cpu).page for cpu in (0, 1)]
    assert [page["node"] for page in pages if page is not None] == [0, 1]


def test_pageblocks_are_movable_but_for_one_that_a_zone_begins_in() -> None:
    """As recorded on i386-2G, but for what that machine's work had claimed by then."""
    dma, normal, high = boot.boot({"profile": "i386-4g", "memory": "2G"}).dump()["zones"]
    assert dma["pageblocks"] == [[0, 1, "U"], [0x200, 7, "M"]]
    assert normal["pageblocks"] == [[0x1000, 432, "M"]]
    assert high["pageblocks"] == [[0x36E00, 1, "U"], [0x37000, 584, "M"]]


def test_movable_memory_is_spread_over_the_nodes() -> None:
    m = boot.boot({"profile": "x86_64-1g", "nodes": 2, "movablecore": "256M"})
    movable = [zone for zone in m.zones if zone.name == "Movable"]
    assert [zone.nid for zone in movable] == [0, 1]
    assert all(120 * MIB < zone.present_pages << PAGE_SHIFT < 132 * MIB for zone in movable)


# -- the first allocations -----------------------------------------------------------------------------------


def test_the_first_page_of_a_tiny_machine_splits_one_block_of_order_10() -> None:
    m = boot.boot({"profile": "tiny-16m", "lecture": True})
    (before,) = buddyinfo(m)
    assert before == [0] * 10 + [3]
    page = call(m, "alloc_pages", gfp="GFP_KERNEL", order=0).page
    assert page is not None
    assert buddyinfo(m) == [[1] * 10 + [2]]
    call(m, "__free_pages", pfn=page["pfn"], order=0)
    assert buddyinfo(m) == [before]


def test_the_first_call_takes_a_whole_batch_off_the_free_count() -> None:
    m = boot.boot({"profile": "x86_64-1g"})
    dma32 = m.zones[1]
    before = dma32.nr_free_pages
    call(m, "alloc_pages", gfp="GFP_KERNEL", order=0)
    assert before - dma32.nr_free_pages == 63
    assert dma32.pcp[0].count == 62


def test_the_first_unmovable_page_claims_a_whole_movable_block() -> None:
    m = boot.boot({"profile": "x86_64-8g"})
    normal = m.zones[2]
    movable = normal.free_area[MAX_ORDER - 1].nr_free
    page = call(m, "alloc_pages", gfp="GFP_KERNEL", order=0).page
    assert page is not None
    assert (page["zone"], page["pfn"] % 1024) == ("Normal", 0)
    assert normal.free_area[MAX_ORDER - 1].nr_free == movable - 1
    assert [normal.get_pfnblock_migratetype(page["pfn"] + offset) for offset in (0, 512, 1024)] == [0, 0, 1]


def test_the_lecture_view_is_made_of_kernel_states() -> None:
    m = boot.boot({"profile": "x86_64-1g", "lecture": True})
    assert {(pcp.high, pcp.batch) for zone in m.zones for pcp in zone.pcp} == {(0, 1)}
    assert m.page_group_by_mobility_disabled
    assert m.watermark_boost_factor == 0
    assert m.purge_at_vfree
    assert all(not zone.free_area[order].free_list[1] for zone in m.zones for order in range(MAX_ORDER))
    before = buddyinfo(m)
    call(m, "alloc_pages", gfp="GFP_HIGHUSER_MOVABLE", order=0)
    assert buddyinfo(m) != before


def test_a_part_of_the_lecture_view_wins_over_the_whole() -> None:
    m = boot.boot(
        {"profile": "x86_64-1g", "lecture": True, "pcp": True, "sysctl": {"watermark_boost_factor": 15000}}
    )
    assert m.zones[1].pcp[0].batch == 63
    assert m.page_group_by_mobility_disabled
    assert m.watermark_boost_factor == 15000
    shape = m.describe()
    assert (shape["lecture"], shape["pcp"], shape["mobility"]) == (True, True, False)


# -- refusals ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("doc", "loc"),
    [
        ({"profile": "vax"}, ("profile",)),
        ({"profile": 1}, ("profile",)),
        ({"profile": ["x86_64-1g"]}, ("profile",)),
        ({"ram": "1G"}, ("ram",)),
        ({"memory": "1"}, ("memory",)),
        ({"memory": "95M"}, ("memory",)),
        ({"memory": "5T"}, ("memory",)),
        ({"memory": "1G+"}, ("memory",)),
        ({"memory": "１G"}, ("memory",)),
        ({"memory": -1}, ("memory",)),
        ({"memory": 1.5}, ("memory",)),
        ({"memory": True}, ("memory",)),
        ({"memory": None}, ("memory",)),
        ({"memory": GIB + 4096}, ("memory",)),
        ({"profile": "i386-1g", "memory": "33G"}, ("memory",)),
        ({"profile": "tiny-16m", "memory": "1G"}, ("memory",)),
        ({"cpus": 0}, ("cpus",)),
        ({"cpus": 65}, ("cpus",)),
        ({"cpus": "2"}, ("cpus",)),
        ({"cpus": True}, ("cpus",)),
        ({"profile": "i386-1g", "cpus": 33}, ("cpus",)),
        ({"nodes": 9}, ("nodes",)),
        ({"profile": "i386-1g", "nodes": 2}, ("nodes",)),
        ({"profile": "tiny-16m", "nodes": 2}, ("nodes",)),
        ({"memory": "128M", "nodes": 2}, ("nodes",)),
        ({"movablecore": "8G"}, ("movablecore",)),
        ({"movablecore": 4096}, ("movablecore",)),
        ({"lecture": 1}, ("lecture",)),
        ({"pcp": "off"}, ("pcp",)),
        ({"transparent_hugepage": "maybe"}, ("transparent_hugepage",)),
        ({"transparent_hugepage": []}, ("transparent_hugepage",)),
        ({"sysctl": []}, ("sysctl",)),
        ({"sysctl": {"laptop_mode": 1}}, ("sysctl", "laptop_mode")),
        ({"sysctl": {"min_free_kbytes": "a lot"}}, ("sysctl", "min_free_kbytes")),
        ({"sysctl": {"min_free_kbytes": None}}, ("sysctl", "min_free_kbytes")),
        ({"sysctl": {"watermark_scale_factor": 0}}, ("sysctl", "watermark_scale_factor")),
        ({"dump": {}, "memory": "1G"}, ("memory",)),
        ({"dump": {}}, ("dump", "kernel")),
        ({"dump": 1}, ("dump",)),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(doc: dict[str, Any], loc: tuple[str, ...]) -> None:
    with pytest.raises(BadArgument) as refused:
        boot.boot(doc)
    assert loc in [fault.loc for fault in refused.value.faults]


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(BadArgument) as refused:
        boot.boot({"memory": "x", "cpus": 0, "ram": 1})
    assert {fault.loc for fault in refused.value.faults} == {("memory",), ("cpus",), ("ram",)}


@pytest.mark.parametrize("config", [[], "x", {"memory": "x"}, {"profile": "vax"}, {"color": 1}])
def test_a_dump_with_impossible_parameters_is_refused(config: Any) -> None:
    document = boot.boot({"profile": "tiny-16m"}).dump()
    document["machine"]["config"] = config
    with pytest.raises(BadArgument) as refused:
        boot.boot({"dump": document})
    assert refused.value.faults[0].loc[:3] == ("dump", "machine", "config")


# -- from outside --------------------------------------------------------------------------------------------


def test_describe() -> None:
    shape = boot.boot({"profile": "x86_64-8g", "memory": "4G", "cpus": 2}).describe()
    assert shape["profile"] == "x86_64-8g"
    assert (shape["memory"], shape["frames"], shape["cpus"]) == (4 * GIB, 1 << 20, 2)
    assert (shape["kernel"], shape["page_size"], shape["struct_page_bytes"]) == ("6.1.192", 4096, 64)
    assert shape["tiny"] is None
    by_size = {line["bytes"]: line for line in shape["struct_page_overhead"]}
    assert {size: line["mib"] for size, line in by_size.items()} == {36: 36.0, 40: 40.0, 64: 64.0}
    assert by_size[36]["share"] == pytest.approx(0.0088, abs=1e-4)


def test_a_machine_from_a_recording_says_so() -> None:
    document = boot.boot({"profile": "x86_64-1g"}).dump()
    del document["machine"]
    shape = boot.boot({"dump": document}).describe()
    assert (shape["profile"], shape["memory"], shape["debug"]) == ("dump", GIB, False)


def test_tiny_machines_are_labelled() -> None:
    assert "no kernel of today" in boot.boot({"profile": "tiny-32m"}).describe()["tiny"]


def test_profiles_list_what_can_be_created() -> None:
    listed = {profile["profile"]: profile for profile in boot.profiles()}
    assert list(listed) == list(boot.PROFILES)
    assert [zone["name"] for zone in listed["i386-4g"]["zones"]] == ["DMA", "Normal", "HighMem"]
    assert [zone["name"] for zone in listed["tiny-16m"]["zones"]] == ["DMA"]
    for name, profile in listed.items():
        m = boot.boot(profile["defaults"])
        assert m.describe()["profile"] == name
        assert m.describe()["struct_page_overhead"] == profile["struct_page_overhead"]
        assert (
            profile["overrides"]["memory"]["min"]
            <= profile["memory"]
            <= profile["overrides"]["memory"]["max"]
        )


def test_a_terabyte_boots_as_fast_as_16_mib() -> None:
    def best(profile: str) -> float:
        times = []
        for _ in range(30):
            start = time.perf_counter()
            boot.boot({"profile": profile})
            times.append(time.perf_counter() - start)
        return min(times)

    small, large = best("tiny-16m"), best("x86_64-1t")
    assert large < 0.005
    assert large < 2 * small + 0.0005

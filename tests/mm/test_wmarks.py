"""Watermarks, reserves, per-CPU limits and settings: what real kernels computed from the same sizes."""

from typing import Any

import pytest

from app.machine import boot, parsing
from app.machine.machine import Machine
from app.machine.outcome import Outcome
from app.machine.parts.shape import memory_model
from app.mm import wmarks
from app.mm.mmzone import Zone
from app.mm.zonelists import build_all_zonelists
from tests.support.boots import BOOTS

# The initial RAM disk lies at the top of memory, all other init memory in the kernel image.
INITRD_FRAMES = {"x64": 301, "plain": 257}


def machine(recorded: dict[str, Any]) -> tuple[Machine, dict[int, int]]:
    """A machine with the recorded zones as in mid-boot, and what init memory gives to each zone later."""
    zones = []
    for index, line in enumerate(recorded["zones"]):
        start = int(line["start_pfn"], 16)
        zone = Zone(
            line["name"],
            line["nid"],
            line["zid"],
            start,
            line["spanned"],
            line["present"],
            line["managed"],
            1,
        )
        zone.idx = index
        zones.append(zone)
    initrd = INITRD_FRAMES[recorded["machine"].split("-")[0]]
    freed = dict.fromkeys(range(len(zones)), 0)
    freed[len(zones) - 1] += initrd
    freed[1] += recorded["freed_kb"] // 4 - initrd
    for zone in zones:
        zone.managed_pages -= freed[zone.idx]
    nr_nodes = len(recorded["nodes"])
    nodes = build_all_zonelists(zones, nr_nodes, [0])
    m = Machine(memory_model("x86_64", 1, nr_nodes, zones), zones, nodes)
    m.lowmem_reserve_ratio = m.lowmem_reserve_ratio[: len(recorded["zones"][0]["lowmem_reserve"])]
    return m, freed


@pytest.mark.parametrize("name", ["plain-64M", "plain-256M", "plain-1G", "plain-numa", "x64-numa", "x64-1G"])
def test_a_kernel_of_another_configuration_computes_the_same(name: str) -> None:
    recorded = BOOTS[name]
    m, freed = machine(recorded)
    wmarks.init_per_zone_wmark_min(m)
    assert m.min_free_kbytes == recorded["min_free_kbytes"]
    assert [zone.lowmem_reserve for zone in m.zones] == recorded["protection"]
    for zone in m.zones:
        zone.managed_pages += freed[zone.idx]
    wmarks.setup_per_zone_lowmem_reserve(m)
    for zone, line in zip(m.zones, recorded["zones"], strict=True):
        assert zone.watermark == line["wm"]
        assert zone.lowmem_reserve == line["lowmem_reserve"]
        assert zone.stat_threshold == line["stat_threshold"]
        assert [[pcp.high, pcp.batch] for pcp in zone.pcp] == line["pcp"]
    for node, line in zip(m.nodes, recorded["nodes"], strict=True):
        assert wmarks.totalreserve_pages(m, node.nid) == line["totalreserve"]
        assert [[z.nid, z.name] for z in node.zonelist] == line["zonelists"][0]
        assert [[z.nid, z.name] for z in node.thisnode] == line["zonelists"][1]


def sysctl(m: Machine, name: str, value: int | str) -> Outcome:
    return m.apply(parsing.parse("sysctl", {"name": name, "value": value}, m.model), 1)


def limits(m: Machine) -> list[dict[str, Any]]:
    return [
        {
            "name": zone.name,
            "boost": zone.boost,
            "wm": zone.watermark[:3],
            "lowmem_reserve": zone.lowmem_reserve,
            "pcp": [zone.pcp[0].high, zone.pcp[0].batch],
            "stat_threshold": zone.stat_threshold,
        }
        for zone in m.zones
    ]


def test_every_recorded_setting_gives_the_recorded_limits() -> None:
    m = boot.boot({"profile": "x86_64-1g"})
    steps = BOOTS["x64-1G-sysctl"]["sysctl"]
    assert len(steps) == 21
    assert limits(m) == steps[0]["zones"]
    for step in steps[1:]:
        if step["settings"].startswith("lowmem_reserve_ratio=1 "):
            # The recorder's way back from the scale factors, of which it kept no picture.
            sysctl(m, "watermark_scale_factor", 10)
        if step["settings"].startswith("percpu_pagelist_high_fraction=8"):
            sysctl(m, "lowmem_reserve_ratio", "256 256 32")
        if step["settings"].startswith("lowmem"):
            name, value = step["settings"].split(" ->")[0].split("=")
            assert sysctl(m, name, value).ret == 0
        else:
            for setting in step["settings"].split():
                name, value = setting.split("=")
                assert sysctl(m, name, int(value)).ret == 0
        assert limits(m) == step["zones"], step["settings"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("min_free_kbytes", -1),
        ("watermark_scale_factor", 0),
        ("watermark_scale_factor", 3001),
        ("watermark_boost_factor", -1),
        ("percpu_pagelist_high_fraction", 7),
        ("percpu_pagelist_high_fraction", -1),
    ],
)
def test_a_refused_value_is_einval_and_changes_nothing(name: str, value: int) -> None:
    m = boot.boot({"profile": "x86_64-1g"})
    before = m.dump()
    outcome = sysctl(m, name, value)
    assert (outcome.ret, outcome.verdict) == (-22, "null")
    assert m.dump() == before


def test_a_negative_ratio_is_no_reserve() -> None:
    m = boot.boot({"profile": "x86_64-1g"})
    assert sysctl(m, "lowmem_reserve_ratio", "-5").ret == 0
    assert m.lowmem_reserve_ratio == [0, 256, 32, 0, 0]
    assert m.zones[0].lowmem_reserve == [0] * 5


def test_writing_a_setting_forgets_the_boost() -> None:
    m = boot.boot({"profile": "x86_64-1g"})
    m.zones[1].boost = 512
    assert sysctl(m, "watermark_boost_factor", 0).ret == 0
    assert m.zones[1].boost == 512
    assert sysctl(m, "watermark_scale_factor", 10).ret == 0
    assert m.zones[1].boost == 0


def test_boot_pagesets_stay_as_they_are() -> None:
    m = boot.boot({"profile": "x86_64-1g", "pcp": False})
    assert sysctl(m, "percpu_pagelist_high_fraction", 8).ret == 0
    assert sysctl(m, "min_free_kbytes", 20000).ret == 0
    assert {(pcp.high, pcp.batch) for zone in m.zones for pcp in zone.pcp} == {(0, 1)}


def test_settings_survive_a_dump() -> None:
    m = boot.boot({"profile": "i386-1g"})
    for name, value in (
        ("min_free_kbytes", 5000),
        ("watermark_scale_factor", 11),
        ("watermark_boost_factor", 1),
        ("lowmem_reserve_ratio", "7 8"),
        ("percpu_pagelist_high_fraction", 9),
    ):
        assert sysctl(m, name, value).ret == 0
    again = boot.load(m.dump())
    assert again.describe()["sysctl"] == m.describe()["sysctl"]
    assert m.describe()["sysctl"]["lowmem_reserve_ratio"] == "7 8 0 0"
    for machine_ in (m, again):
        assert sysctl(machine_, "min_free_kbytes", 4096).ret == 0
    assert again.dump() == m.dump()


def zone_of_size(managed: int) -> Zone:
    return Zone("Normal", 0, 2, 0x100000, managed, managed, managed, 1)


@pytest.mark.parametrize(
    ("managed", "batch"),
    # 0 stands for 1: who sets the limit raises it.
    [(3840, 0), (8448, 1), (60902, 15), (128935, 31), (176011, 31), (1 << 28, 63)],
)
def test_zone_batchsize(managed: int, batch: int) -> None:
    assert wmarks.zone_batchsize(zone_of_size(managed)) == batch


@pytest.mark.parametrize(
    ("managed", "cpus", "threshold"),
    # The table in the kernel's own comment, where it is of the formula and not of an older one.
    [(240000, 1, 8), (240000, 2, 16), (300000, 2, 20), (700000, 2, 24), (1 << 28, 64, 125), (3840, 4, 6)],
)
def test_calculate_normal_threshold(managed: int, cpus: int, threshold: int) -> None:
    assert wmarks.calculate_normal_threshold(zone_of_size(managed), cpus) == threshold


@pytest.mark.parametrize(("cpus", "shares"), [(4, [2, 2]), (3, [2, 1]), (2, [1, 1, 2])])
def test_the_cpus_of_a_node_share_the_low_marks_of_its_zones(cpus: int, shares: list[int]) -> None:
    """Those of a node without CPUs are shared by all."""
    m = boot.boot({"profile": "x86_64-8g", "cpus": cpus, "nodes": len(shares)})
    large = [zone for zone in m.zones if zone.name != "DMA"]
    assert {zone.nid for zone in large} == set(range(len(shares)))
    for zone in large:
        assert {pcp.high for pcp in zone.pcp} == {zone.watermark[1] // shares[zone.nid]}


def test_a_boost_counts_wherever_marks_are_read() -> None:
    m = boot.boot({"profile": "x86_64-1g"})
    zone = m.zones[1]
    before = wmarks.totalreserve_pages(m, 0)
    zone.boost = 512
    assert wmarks.totalreserve_pages(m, 0) == before + 512
    for fraction in (8, 0):
        assert sysctl(m, "percpu_pagelist_high_fraction", fraction).ret == 0
    assert zone.pcp[0].high == zone.watermark[1] + 512


@pytest.mark.parametrize(
    ("managed", "kbytes"), [(64, 128), (1 << 18, 4096), (1 << 28, 131072), (1 << 40, 262144)]
)
def test_min_free_kbytes_grows_with_the_root_of_memory_between_two_limits(managed: int, kbytes: int) -> None:
    m = boot.boot({"profile": "tiny-16m"})
    m.zones[0].managed_pages = managed
    m.zones[0].watermark = [0, 0, 0, 0]
    assert wmarks.calculate_min_free_kbytes(m) == kbytes


def test_huge_pages_keep_at_most_a_twentieth_of_memory_free() -> None:
    m = boot.boot({"profile": "x86_64-1g", "memory": "768M"})
    twentieth = wmarks.nr_free_buffer_pages(m) // 20
    wmarks.set_recommended_min_free_kbytes(m, hugepages=True)
    assert m.min_free_kbytes == twentieth * 4 < 512 * 2 * 11 * 4

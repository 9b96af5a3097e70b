"""The chunks of pages that vmalloc asks for: which zone they come from, and what they leave alone."""

import pytest

from app.machine import boot
from app.machine.machine import Machine
from app.mm import internal, page_alloc, vmalloc
from app.mm.gfp import GFP_KERNEL
from app.mm.mmzone import MIGRATE_MOVABLE, MIGRATE_UNMOVABLE, WMARK_LOW
from tests.support.mixed_zones import BASE, zone_with


@pytest.fixture
def m() -> Machine:
    return boot.boot({"profile": "x86_64-1g"})


def zone_of_chunk(m: Machine, nr_pages: int) -> str | None:
    ac = page_alloc.prepare_alloc_pages(m, GFP_KERNEL, 0)
    zone = page_alloc.bulk_zone(m, GFP_KERNEL, nr_pages, ac)
    return None if zone is None else zone.name


@pytest.mark.parametrize("boost", [0, 512])
def test_a_chunk_leaves_the_low_mark_and_the_boost(m: Machine, boost: int) -> None:
    zone = m.zones[1]
    zone.boost = boost
    zone.vm_stat_free = zone.watermark[WMARK_LOW] + boost + 100
    assert zone_of_chunk(m, 99) == "DMA32"
    assert zone_of_chunk(m, 100) == "DMA"


def test_a_chunk_does_not_leave_the_node() -> None:
    m = boot.boot({"profile": "x86_64-8g", "nodes": 2})
    assert zone_of_chunk(m, 100) == "Normal"
    for zone in m.zones:
        if zone.nid == 0:
            zone.vm_stat_free = 0
    assert zone_of_chunk(m, 100) is None


def test_where_no_chunk_can_be_had_one_page_is(m: Machine) -> None:
    """One alone may enter the slow path, and take what the low mark keeps."""
    for zone in m.zones:
        zone.vm_stat_free = zone.watermark[WMARK_LOW]
        zone.lowmem_reserve = [0] * 5
    assert zone_of_chunk(m, 100) is None
    assert len(page_alloc.alloc_pages_bulk(m, GFP_KERNEL, 0, 100)) == 1


def unmixed(m: Machine) -> None:
    """Give the machine two zones: pages of another type in the first, of the wanted one in the second."""
    zones = zone_with([(0, 8, MIGRATE_MOVABLE)]), zone_with([(512, 8, MIGRATE_UNMOVABLE)])
    ac = m.alloc_contexts[0, 0] = internal.AllocContext(zones, 2, MIGRATE_UNMOVABLE)
    ac.nofragment = internal.ALLOC_NOFRAGMENT


def test_a_chunk_mixes_types_where_a_single_page_would_not(m: Machine) -> None:
    unmixed(m)
    assert page_alloc.alloc_pages(m, GFP_KERNEL, 0) == BASE + 512
    unmixed(m)
    assert page_alloc.alloc_pages_bulk(m, GFP_KERNEL, 0, 100) == list(range(BASE, BASE + 100))


def test_chunks_are_of_a_hundred(m: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    sound = page_alloc.alloc_pages_bulk

    def noted(m: Machine, gfp: int, nid: int, nr_pages: int) -> list[int]:
        asked.append(nr_pages)
        return sound(m, gfp, nid, nr_pages)

    monkeypatch.setattr(page_alloc, "alloc_pages_bulk", noted)
    assert len(vmalloc.vm_area_alloc_pages(m, GFP_KERNEL, 0, 250)) == 250
    assert asked == [100, 100, 50]

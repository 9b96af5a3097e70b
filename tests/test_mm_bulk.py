"""The chunks of pages that vmalloc asks for: which zone they come from, and what they leave alone."""

import pytest

from app.mm import boot, page_alloc
from app.mm.gfp import GFP_KERNEL
from app.mm.machine import Machine
from app.mm.mmzone import WMARK_LOW


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

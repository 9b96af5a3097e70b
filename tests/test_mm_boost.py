"""How far steals raise a zone's watermarks."""

import pytest

from app.mm import boot, buddy
from app.mm.mmzone import WMARK_HIGH, Zone


@pytest.mark.parametrize(
    ("managed", "high", "factor", "boosts"),
    [
        (2048, 1000, 15000, [512, 1024, 1500, 1500]),
        (2048, 100, 15000, [512, 512]),
        (2048, 1000, 20000, [512, 1024, 1536, 2000]),
        (2048, 1000, 0, [0, 0]),
        (2048, 100, 1, [0, 0]),
        (2047, 1000, 15000, [0, 0]),
    ],
)
def test_a_boost_goes_up_to_a_share_of_the_high_mark(
    managed: int, high: int, factor: int, boosts: list[int]
) -> None:
    m = boot.boot({"profile": "x86_64-1g"})
    m.watermark_boost_factor = factor
    zone = Zone("Normal", 0, 2, 0x100000, managed, managed, managed, 1)
    zone.watermark[WMARK_HIGH] = high
    found = []
    for _ in boosts:
        raised = buddy.boost_watermark(m, zone)
        assert raised == (zone.boost > 0)
        found.append(zone.boost)
    assert found == boosts

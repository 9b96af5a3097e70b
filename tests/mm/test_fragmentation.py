"""How free memory lies: the indices that debugfs shows below extfrag."""

import pytest

from app.mm.mmzone import MAX_ORDER
from app.mm.vmstat import fragmentation_index, unusable_free_index


def free(**blocks: int) -> list[int]:
    """Free blocks by order, given as `o3=2`."""
    return [blocks.get(f"o{order}", 0) for order in range(MAX_ORDER)]


# Worked out by hand from mm/vmstat.c: order, unusable_free_index, __fragmentation_index.
KNOWN = [
    (free(), 0, 1000, 0),  # nothing is free: that is too little memory, not too many pieces
    (free(o0=10), 0, 0, -1000),
    (free(o0=10), 3, 1000, 775),  # 1000 - (1000 + 10000 // 8) // 10
    (free(o0=1), 10, 1000, 0),
    (free(o0=1000), 10, 1000, 999),
    (free(o0=3, o3=1), 3, 272, -1000),  # 3 * 1000 // 11
    (free(o0=3, o3=1), 4, 1000, 579),  # 1000 - (1000 + 11000 // 16) // 4
    (free(o10=2), 10, 0, -1000),
    (free(o2=1, o10=1), 3, 3, -1000),  # 4 * 1000 // 1028
]


@pytest.mark.parametrize(("nr_free", "order", "unusable", "fragmented"), KNOWN)
def test_indices(nr_free: list[int], order: int, unusable: int, fragmented: int) -> None:
    assert unusable_free_index(nr_free, order) == unusable
    assert fragmentation_index(nr_free, order) == fragmented

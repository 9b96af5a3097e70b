"""The load of a class, small and short: it arrives, and none of it is lost. `make load` says how fast."""

import pytest

from tests.bench.classroom import measure


@pytest.mark.slow
def test_a_small_class() -> None:
    figures, cost = measure(students=12, watchers=15, seconds=3)
    assert (figures.errors, figures.fault, figures.missing, figures.resyncs) == (0, "", 0, 0)
    assert figures.calls > 12
    assert figures.events >= 15
    assert all(size > 0 for size in cost.rss)

"""Known answers: what page reclaim did on a real Linux 6.1, list by list."""

from pathlib import Path

import pytest

from app import fidelity

RECORDINGS = Path(__file__).parents[1] / "recordings" / "reclaim"
SCENARIOS = sorted(RECORDINGS.glob("*/*.jsonl.gz"))

# The first operation that this machine cannot make yet; what comes before must be exact.
EXACT_UP_TO = {("x64-256M", "a_lru"): 130}
ALL = 1_000_000


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: f"{path.parent.name}-{path.name.split('.')[0]}")
def test_reclaim_finds_the_same_pages(path: Path) -> None:
    """Results, events, batches, counters, and the lists with all that is known of each page."""
    report = fidelity.replay(path)
    end = EXACT_UP_TO.get((report.machine, report.scenario), ALL)
    misses = [miss for miss in report.misses if miss.number < end]
    states = {tag: parts for tag, parts in report.end_states.items() if int(tag.split()[-1]) < end}
    assert report.operations > 0
    assert not misses, "\n".join(map(str, misses[:3]))
    assert not any(states.values()), {tag: parts for tag, parts in states.items() if parts}

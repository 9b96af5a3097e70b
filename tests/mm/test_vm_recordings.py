"""Known answers: what processes did on a real Linux 6.1, and all that was to be seen afterwards."""

from pathlib import Path

import pytest

from app import fidelity

RECORDINGS = Path(__file__).parents[1] / "recordings" / "vm"
SCENARIOS = sorted(RECORDINGS.glob("*/*.jsonl.gz"))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: f"{path.parent.name}-{path.name.split('.')[0]}")
def test_processes_find_the_same_memory(path: Path) -> None:
    """Results, faults, counters, areas, entries, pages, batches, free lists and the texts of /proc."""
    report = fidelity.replay(path)
    assert report.operations > 0
    assert not report.misses, "\n".join(map(str, report.misses[:3]))
    assert not any(report.end_states.values()), {tag: d for tag, d in report.end_states.items() if d}

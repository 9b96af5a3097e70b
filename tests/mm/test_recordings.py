"""Known answers: what a real Linux 6.1 did, operation by operation."""

from pathlib import Path

import pytest

from app import fidelity
from app.recording import Replay

RECORDINGS = Path(__file__).parents[1] / "recordings"

# What a replay may miss, with the reason: (machine, scenario) → operations. Everything else must be exact.
ALLOWED_MISSES: dict[tuple[str, str], int] = {}

SCENARIOS = sorted(path for path in RECORDINGS.glob("*/*.jsonl.gz") if not path.name.startswith("boot"))


def test_a_folder_is_replayed_but_for_what_has_no_operations() -> None:
    """Boot states and other known answers lie beside the recordings."""
    others = [path for part in ("vm", "reclaim") for path in (RECORDINGS / part).glob("*/*.jsonl.gz")]
    assert sorted(fidelity.recordings([RECORDINGS])) == sorted(SCENARIOS + others)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: f"{path.parent.name}-{path.name.split('.')[0]}")
def test_the_same_operations_give_the_same_answers(path: Path) -> None:
    report = Replay(path).run()
    assert report.operations > 0
    allowed = ALLOWED_MISSES.get((report.machine, report.scenario), 0)
    assert len(report.misses) <= allowed, "\n".join(map(str, report.misses[:3]))
    assert not any(report.end_states.values()), report.end_states

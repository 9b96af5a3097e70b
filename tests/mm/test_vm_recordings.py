"""Known answers: what processes did on a real Linux 6.1, and all that was to be seen afterwards."""

from pathlib import Path

import pytest

from app import fidelity
from app.vm_recording.replay import VmReplay

RECORDINGS = Path(__file__).parents[1] / "recordings" / "vm"
SCENARIOS = sorted(RECORDINGS.glob("*/*.jsonl.gz"))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: f"{path.parent.name}-{path.name.split('.')[0]}")
def test_processes_find_the_same_memory(path: Path) -> None:
    """Results, faults, counters, areas, entries, pages, batches, free lists and the texts of /proc."""
    report = fidelity.replay(path)
    assert report.operations > 0
    assert not report.misses, "\n".join(map(str, report.misses[:3]))
    assert not any(report.end_states.values()), {tag: d for tag, d in report.end_states.items() if d}


@pytest.mark.parametrize(
    ("topic", "field", "value"),
    [
        ("return", "ret", "0x77"),
        ("fault", "flt", []),
        ("counters", "min", 7),
        ("lists", "lb", {"add": ["0x9"]}),
    ],
)
def test_what_differs_is_counted_by_kind(topic: str, field: str, value: object) -> None:
    lines = list(fidelity.lines_of(RECORDINGS / "x64-1G" / "n_stack.jsonl.gz"))
    next(line for line in lines if line["t"] == "op" and line.get("flt") and "d" in line)[field] = value
    report = VmReplay(lines).run()
    wrong = {name for name, exact in report.exact_of.items() if exact < report.operations}
    assert wrong == {topic}
    assert report.exact == report.operations - 1
    assert f"| {report.operations - 1} |" in fidelity.table_of_processes([report])


def test_the_frames_of_an_operation_are_counted() -> None:
    lines = list(fidelity.lines_of(RECORDINGS / "x64-1G" / "n_stack.jsonl.gz"))
    events = [event for line in lines if line["t"] == "op" for event in line.get("ev", [])]
    next(event for event in reversed(events) if event[0] == "A" and event[3] == "0x140dca")[1] = "0x9"
    report = VmReplay(lines).run()
    assert report.frames_exact == report.frames - 1

"""The pieces in which tests are handed to workers, and what `make test` leaves out."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support import rings, scheduling

TESTS = Path(__file__).parents[1]


def test_tests_of_a_file_stay_together_up_to_some_seconds() -> None:
    nodeids = [f"tests/test_a.py::test_{n}" for n in range(5)]
    nodeids += [f"tests/test_b.py::test_{n}" for n in range(2)] + ["tests/test_new.py::test"]
    known = {"tests/test_a.py": 2.0, "tests/test_a.py::test_1": 20.0, "tests/test_b.py::test_0": 2.5}
    piece_of, seconds = scheduling.pieces(nodeids, known)
    pieces: dict[str, list[str]] = {}
    for nodeid, piece in piece_of.items():
        pieces.setdefault(piece, []).append(nodeid.rpartition("/")[2])
    assert list(pieces.values()) == [
        ["test_a.py::test_0", "test_a.py::test_2", "test_a.py::test_3", "test_a.py::test_4"],
        ["test_a.py::test_1"],  # which is long
        ["test_b.py::test_0", "test_b.py::test_1"],
        ["test_new.py::test"],
    ]
    assert list(seconds.values()) == pytest.approx([8.0, 20.0, 2.52, 0.02])


class Node:
    """A worker that notes the indices of what it is given."""

    def __init__(self) -> None:
        self.given: list[list[int]] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        self.given.append(indices)


def test_the_longest_piece_begins_first() -> None:
    node: Any = Node()
    config: Any = SimpleNamespace(
        getvalue=lambda _: ("popen",), option=SimpleNamespace(loadscopereorder=False)
    )
    pieces = scheduling.Pieces(config)
    pieces.workqueue.update({name: {f"{name}::test": False} for name in ("a", "b", "c")})
    pieces.seconds = {"a": 1.0, "b": 3.0, "c": 2.0}
    pieces.registered_collections[node] = ["a::test", "b::test", "c::test"]
    pieces.assigned_work[node] = {}
    for _ in range(3):
        pieces._assign_work_unit(node)
    assert node.given == [[1], [2], [0]]


def test_long_tests_are_recorded_with_all_their_phases_and_files_with_the_mean_of_the_others(
    tmp_path: Path,
) -> None:
    recorder = scheduling.Recorder(tmp_path / "durations.json")
    phases = [
        ("tests/mm/test_b.py::test_1[x::y]", 0.6),
        ("tests/mm/test_b.py::test_1[x::y]", 0.63),
        ("tests/mm/test_b.py::test_2", 0.2),
        ("tests/mm/test_b.py::test_3", 0.4),
        ("tests/test_short.py::test", 0.01),
    ]
    for nodeid, duration in phases:
        report: Any = SimpleNamespace(nodeid=nodeid, duration=duration)
        recorder.pytest_runtest_logreport(report)
    recorder.pytest_sessionfinish(pytest.ExitCode.INTERRUPTED)
    assert not recorder.file.exists()
    recorder.pytest_sessionfinish(pytest.ExitCode.OK)
    assert json.loads(recorder.file.read_text()) == {
        "tests/mm/test_b.py": 0.3,
        "tests/mm/test_b.py::test_1[x::y]": 1.23,
    }


def test_the_recorded_files_are_there() -> None:
    there = {f"tests/{path.relative_to(TESTS)}" for path in TESTS.rglob("test_*.py")}
    assert {scheduling.file_of(name) for name in json.loads(scheduling.DURATIONS.read_text("utf-8"))} <= there


def test_fewer_cases_and_no_slow_tests_where_it_has_to_be_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    deselected: list[Any] = []

    def deselect(items: list[Any]) -> None:
        deselected.extend(items)

    config: Any = SimpleNamespace(hook=SimpleNamespace(pytest_deselected=deselect))
    usual, slow = marked("t.py::usual"), marked("t.py::slow", slow=pytest.mark.slow)
    sampled = [marked(f"t.py::sampled[{case}]", sampled=pytest.mark.sampled(3)) for case in range(5)]
    items = [usual, slow, *sampled]
    for quick, left, cases in ((False, items[:], 5), (True, [usual, sampled[0], sampled[3]], 2)):
        monkeypatch.setattr(rings, "_quick", quick)
        rings.pytest_collection_modifyitems(config, items)
        assert (items, rings.cases(5, quick=2)) == (left, cases)
    assert deselected == [slow, sampled[1], sampled[2], sampled[4]]


def marked(nodeid: str, **marks: pytest.MarkDecorator) -> Any:
    """A test as far as the rings look at it."""
    return SimpleNamespace(nodeid=nodeid, get_closest_marker=marks.get)


def test_there_are_more_workers_than_cores(pytestconfig: pytest.Config) -> None:
    """xdist has an answer of its own, which must not be asked for first."""
    config: Any = SimpleNamespace(getoption=lambda _: "auto", option=SimpleNamespace(numprocesses="auto"))
    workers = pytestconfig.hook.pytest_xdist_auto_num_workers(config=config)
    assert workers == max(4, 2 * len(os.sched_getaffinity(0)))

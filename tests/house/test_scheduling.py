"""The order of the tests: whole files, those with the longest tests first."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support import scheduling


def test_files_with_the_longest_tests_come_first_and_stay_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "durations.json"
    file.write_text('{"test_b.py": 2.0, "test_c.py": 30.0}')
    monkeypatch.setattr(scheduling, "DURATIONS", file)
    items: list[Any] = [
        SimpleNamespace(path=scheduling.TESTS / f"test_{name[0]}.py", name=name)
        for name in ("a1", "a2", "b1", "b2", "c1", "c2", "d1")
    ]
    scheduling.pytest_collection_modifyitems(items)
    assert [item.name for item in items] == ["c1", "c2", "b1", "b2", "a1", "a2", "d1"]


def test_the_longest_test_of_a_file_is_recorded_with_all_its_phases(tmp_path: Path) -> None:
    recorder = scheduling.Recorder(tmp_path / "durations.json")
    phases = [
        ("tests/mm/test_b.py::test_1[x::y]", 0.6),
        ("tests/mm/test_b.py::test_1[x::y]", 0.63),
        ("tests/mm/test_b.py::test_2", 1.1),
        ("tests/test_a.py::test", 3.0),
        ("tests/test_short.py::test", 1.0),
    ]
    for nodeid, duration in phases:
        report: Any = SimpleNamespace(nodeid=nodeid, duration=duration)
        recorder.pytest_runtest_logreport(report)
    recorder.pytest_sessionfinish()
    assert json.loads(recorder.file.read_text()) == {"mm/test_b.py": 1.2, "test_a.py": 3.0}


def test_the_recorded_files_are_there() -> None:
    there = {scheduling.name_of(path) for path in scheduling.TESTS.rglob("test_*.py")}
    assert set(json.loads(scheduling.DURATIONS.read_text())) <= there

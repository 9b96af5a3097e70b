"""A pytest plugin (`-p` in pyproject.toml): how many workers run the tests, in which order.

`--record-durations` writes the file by which tests are ordered: `make durations`, on a quiet machine.
"""

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Final

import pytest

# The longest test of each test file, in seconds, where that is above SHORT.
DURATIONS: Final = Path(__file__).parent / "durations.json"
TESTS: Final = DURATIONS.parents[1]

SHORT: Final = 1.0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-durations", action="store_true", help=f"write {DURATIONS.name} anew")


def pytest_configure(config: pytest.Config) -> None:
    is_worker = hasattr(config, "workerinput")
    if config.getoption("--record-durations") and not is_worker:
        config.pluginmanager.register(Recorder(DURATIONS))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """More workers than cores for `-n auto`: tests with servers, streams and disks wait much of their time.

    Not many more: each worker collects all tests and starts a Chromium of its own, and what computes gains
    nothing. `-n logical`, for the long runs, still is one for each core.
    """
    if config.getoption("numprocesses") != "auto":
        return None
    return max(4, 2 * len(os.sched_getaffinity(0)))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Longest first: a long test that begins last keeps one worker busy while the others have nothing to do.

    Whole files are ordered, by their longest test: if single tests were, the servers that the tests of a file
    share would be started again for most of them.
    """
    longest = json.loads(DURATIONS.read_text("utf-8"))
    items.sort(key=lambda item: -longest.get(name_of(item.path), 0.0))


def name_of(file: Path) -> str:
    """A test file's path within `tests`."""
    return str(file.relative_to(TESTS))


class Recorder:
    """Notes how long tests take, and writes the file at the end."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.taken: dict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One of a test's phases: setting up, the test, tearing down."""
        self.taken[report.nodeid] += report.duration

    def pytest_sessionfinish(self) -> None:
        longest: dict[str, float] = defaultdict(float)
        for nodeid, seconds in self.taken.items():
            name = nodeid.partition("::")[0].removeprefix("tests/")
            longest[name] = max(longest[name], seconds)
        kept = {name: round(seconds, 1) for name, seconds in sorted(longest.items()) if seconds > SHORT}
        self.file.write_text(json.dumps(kept, indent=2) + "\n", "utf-8")

"""A pytest plugin (`-p` in pyproject.toml): how many workers run the tests, and which runs what when.

Tests of a file mostly share a server or a database: they stay together, up to some seconds' worth, and the
longest pieces begin first, so that no worker ends with a long one while the others have nothing to do.
`--record-durations` writes the file by which that is known: `make durations`, on a quiet machine.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

# Seconds: of each test that takes longer than LONG, and what the other tests of a file take on average.
DURATIONS: Final = Path(__file__).parent / "durations.json"

LONG: Final = 1.0
# A test this long is a piece of its own.
ALONE: Final = 3.0
# Most of a piece of several tests.
PIECE: Final = 8.0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-durations", action="store_true", help=f"write {DURATIONS.name} anew")


def pytest_configure(config: pytest.Config) -> None:
    is_worker = hasattr(config, "workerinput")
    if config.getoption("--record-durations") and not is_worker:
        config.pluginmanager.register(Recorder(DURATIONS))


@pytest.hookimpl(optionalhook=True, tryfirst=True)  # xdist's own answers always, and comes later
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """More workers than cores for `-n auto`: tests with servers, streams and disks wait much of their time.

    Not many more: each worker collects all tests and starts a Chromium of its own, and what computes gains
    nothing. `-n logical`, for the long runs, still is one for each core.
    """
    if config.getoption("numprocesses") != "auto":
        return None
    return max(4, 2 * len(os.sched_getaffinity(0)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    return Pieces(config, log) if config.getoption("dist") == "load" else None


class Pieces(LoadScopeScheduling):
    """Hands out pieces of files, the longest first."""

    def schedule(self) -> None:
        if self.collection is None:
            collected = next(iter(self.registered_collections.values()))
            self.piece_of, self.seconds = pieces(collected, json.loads(DURATIONS.read_text("utf-8")))
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        return self.piece_of[nodeid]

    def _assign_work_unit(self, node: WorkerController) -> None:
        longest = max(self.workqueue, key=lambda piece: self.seconds[piece])
        self.workqueue.move_to_end(longest, last=False)
        super()._assign_work_unit(node)


def pieces(nodeids: Iterable[str], known: dict[str, float]) -> tuple[dict[str, str], dict[str, float]]:
    """To which piece each test belongs, and how many seconds each piece takes."""
    piece_of: dict[str, str] = {}
    seconds: dict[str, float] = defaultdict(float)
    number: dict[str, int] = defaultdict(int)
    for nodeid in nodeids:
        file = file_of(nodeid)
        takes = known.get(nodeid, known.get(file, 0.02))
        piece = nodeid if takes >= ALONE else f"{file} {number[file]}"
        if piece != nodeid and seconds[piece] + takes > PIECE:
            number[file] += 1
            piece = f"{file} {number[file]}"
        piece_of[nodeid] = piece
        seconds[piece] += takes
    return piece_of, seconds


def file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]


class Recorder:
    """Notes how long tests take, and writes the file at the end."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.taken: dict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One of a test's phases: setting up, the test, tearing down."""
        self.taken[report.nodeid] += report.duration

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        if exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            return
        long = {nodeid: seconds for nodeid, seconds in self.taken.items() if seconds > LONG}
        others: dict[str, list[float]] = defaultdict(list)
        for nodeid in self.taken.keys() - long.keys():
            others[file_of(nodeid)].append(self.taken[nodeid])
        means = {file: sum(seconds) / len(seconds) for file, seconds in others.items()}
        kept = {name: round(seconds, 2) for name, seconds in sorted((long | means).items()) if seconds > 0.02}
        self.file.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", "utf-8")

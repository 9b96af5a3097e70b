"""A clock that jumps: nothing is deleted on its word, and what has expired by it counts again later."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.sessions import clock_check
from app.sessions.clock_check import LARGEST_STEP, PROOF_SECONDS, ClockCheck
from app.store import Store
from tests.support.factories import migrated, raw, settings_for
from tests.support.served_process import told

START = datetime(2026, 11, 30, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
YEAR = timedelta(days=400)


class Clocks:
    """Both clocks of a computer."""

    def __init__(self) -> None:
        self.wall = START
        self.steady = 100.0

    def run(self, time: timedelta) -> None:
        self.wall += time
        self.steady += time.total_seconds()


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    settings = settings_for(tmp_path)
    migrated(settings)
    store = Store.of(settings)
    yield store
    store.dispose()


def started(store: Store, clocks: Clocks) -> ClockCheck:
    """As a server's start."""
    return ClockCheck(store, lambda: clocks.wall, lambda: clocks.steady)


def test_a_new_database_believes_the_clock(store: Store, clocks: Clocks) -> None:
    clock = started(store, clocks)
    assert clock.trusted()
    for _ in range(100):
        clocks.run(HOUR)
        assert clock.trusted()
    clocks.wall += LARGEST_STEP
    assert started(store, clocks).trusted()


def test_a_start_with_a_clock_far_ahead(
    store: Store, clocks: Clocks, caplog: pytest.LogCaptureFixture
) -> None:
    assert started(store, clocks).trusted()
    clocks.wall += YEAR
    clock = started(store, clocks)
    with caplog.at_level(logging.WARNING):
        for _ in range(23):
            assert not clock.trusted()
            clocks.run(HOUR)
    assert len(caplog.records) == 1
    assert "kmemlab clock --trust" in caplog.text
    clocks.wall -= YEAR
    assert started(store, clocks).trusted()


def test_it_is_believed_when_servers_have_run_for_a_day(store: Store, clocks: Clocks) -> None:
    assert started(store, clocks).trusted()
    clocks.wall += YEAR
    for _ in range(8):  # lessons of three hours, a week apart
        clock = started(store, clocks)
        assert not clock.trusted()
        for _ in range(3):
            clocks.run(HOUR)
            last = clock.trusted()
        clocks.wall += timedelta(days=7)
    assert last
    assert PROOF_SECONDS == 24 * 3_600


def test_it_jumps_while_the_server_runs(store: Store, clocks: Clocks) -> None:
    clock = started(store, clocks)
    assert clock.trusted()
    clocks.wall += YEAR
    clocks.steady += 3_600
    assert not clock.trusted()
    clocks.run(HOUR * 20)
    assert not clock.trusted()
    clocks.wall -= YEAR
    assert clock.trusted()
    clocks.wall += YEAR / 2
    clocks.steady += 3_600
    assert not clock.trusted()
    clocks.run(HOUR * 20)  # it begins anew
    assert not clock.trusted()


def test_time_that_the_clock_makes_up_proves_nothing(store: Store, clocks: Clocks) -> None:
    assert started(store, clocks).trusted()
    clock = started(store, clocks)
    for _ in range(50):
        clocks.wall += YEAR
        clocks.steady += 3_600
        assert not clock.trusted()


def test_a_clock_that_goes_back_is_believed_and_what_was_known_stays(store: Store, clocks: Clocks) -> None:
    clock = started(store, clocks)
    assert clock.trusted()
    clocks.wall -= YEAR
    assert clock.trusted()
    with store.reading() as db:
        assert clock_check.status(db, clocks.wall).trusted == "2026-11-30T12:00:00.000Z"


def test_the_operator_says_that_it_is_right(store: Store, clocks: Clocks) -> None:
    clock = started(store, clocks)
    assert clock.trusted()
    clocks.wall += YEAR
    assert not clock.trusted()
    with store.writing() as db:
        clock_check.trust_now(db, clocks.wall)
    assert clock.trusted()


def set_trusted(folder: Path, time: str) -> None:
    with raw(settings_for(folder)) as db:
        db.execute("DELETE FROM clock")
        db.execute("INSERT INTO clock VALUES (1, ?, ?, 0)", (time, time))


def test_the_command(tmp_path: Path) -> None:
    assert told(tmp_path, "migrate").returncode == 0
    answer = told(tmp_path, "clock")
    assert answer.returncode == 0
    assert "the clock shows 20" in answer.stdout
    assert "nothing is deleted" not in answer.stdout
    set_trusted(tmp_path, "2020-01-01T00:00:00.000Z")
    assert "nothing is deleted because of its age" in told(tmp_path, "clock").stdout
    assert "24 more hours" in told(tmp_path, "clock").stdout
    assert "nothing is deleted" not in told(tmp_path, "clock", "--trust").stdout
    assert "nothing is deleted" not in told(tmp_path, "clock").stdout

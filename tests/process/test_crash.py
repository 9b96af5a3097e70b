"""What `make crash` shows, in a few rounds and in its thirty."""

import signal
from pathlib import Path

import pytest

from tests.support.crash import Crashes
from tests.support.rings import slow

# Servers are started again and again; on a busy machine each start takes its time.
pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize(("signum", "rounds"), [*slow((signal.SIGKILL, 3)), (signal.SIGTERM, 1)])
def test_nothing_answered_is_lost(signum: int, rounds: int, tmp_path: Path) -> None:
    crashes = Crashes(tmp_path, signum)
    for number in range(rounds):
        crash = crashes.round(number, replayed=number == rounds - 1, signum=signum)
        assert crash.good, crash
    assert crash.acknowledged > 0
    assert crash.equal


@pytest.mark.soak
def test_nothing_answered_is_lost_in_thirty_crashes(tmp_path: Path) -> None:
    crashes = Crashes(tmp_path, 30)
    for number in range(1, 31):
        crash = crashes.round(number, replayed=number % 10 == 0)
        assert crash.good, crash


@pytest.mark.slow
def test_losses_are_seen(tmp_path: Path) -> None:
    """The table can say NO: a row that is changed or taken away afterwards is missed."""
    crashes = Crashes(tmp_path, 7)
    assert crashes.round(1, replayed=True).good
    sid = crashes.sessions[0]
    answered = crashes.answered[sid]
    answered[max(answered)] = b"{}"
    answered[10**6] = b"{}"
    crash = crashes.round(2, replayed=False)
    assert (crash.lost, crash.good) == (2, False)

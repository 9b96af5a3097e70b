"""Votes of a class on a server of its own: every one that was answered is counted, and no other.

The long runs have three hundred phones, as `make vote-load`, and a server that is killed.
"""

import json
import subprocess
import sys

import pytest

from tests.bench.votes import Figures
from tests.support.rings import slow

pytestmark = pytest.mark.timeout(600)


def measure(members: int, seconds: float, *, kill: bool = False) -> Figures:
    """In a process of its own, as `make vote-load`."""
    command = [sys.executable, "-m", "tests.bench.votes", "--json", "--members", str(members)]
    command += ["--seconds", str(seconds), *(["--kill"] if kill else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Figures(**json.loads(done.stdout))


@pytest.mark.parametrize("kill", [*slow(False), *slow(True)], ids=["served", "killed"])
def test_a_small_class_votes(kill: bool) -> None:
    seen = measure(12, 2.0, kill=kill)
    assert (seen.fault, seen.wrong, seen.deaf, seen.leaks) == ("", 0, 0, 0)
    assert seen.votes >= 24
    assert seen.tallies > 0
    assert kill or not seen.again


@pytest.mark.soak
def test_three_hundred_phones_vote_twice() -> None:
    seen = measure(300, 10.0)
    assert (seen.fault, seen.wrong, seen.deaf, seen.leaks, seen.again) == ("", 0, 0, 0, 0)
    assert seen.votes >= 600
    assert seen.vote_p99 <= 250
    assert seen.reveal <= 1_000


@pytest.mark.soak
@pytest.mark.parametrize("number", range(3))
def test_no_vote_is_lost_where_the_server_is_killed(number: int) -> None:
    seen = measure(300, 10.0, kill=True)
    assert (seen.fault, seen.wrong, seen.deaf, seen.leaks) == ("", 0, 0, 0)
    assert seen.votes >= 600

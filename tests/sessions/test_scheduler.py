"""The fair scheduler: persons in turn, dropped work, and the end."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.sessions import scheduler
from app.sessions.errors import Busy, TooMany
from app.sessions.scheduler import Dropped, FairScheduler, go_on, own_time
from tests.support.patience import PATIENCE


@pytest.fixture
def fair() -> Iterator[FairScheduler]:
    made = FairScheduler("test", at_once=1, waiting=None)
    yield made
    made.stop()
    assert made.join(PATIENCE)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def spin() -> None:
    while True:
        go_on()
        time.sleep(0.001)


def test_persons_are_served_in_turn(fair: FairScheduler) -> None:
    gate, order = threading.Event(), list[str]()
    first = fair.submit("a", gate.wait, PATIENCE)
    pieces: list[Future[Any]] = [fair.submit("a", order.append, f"a{n}") for n in range(3)]
    pieces += [fair.submit(person, order.append, f"{person}{n}") for person in "bc" for n in range(2)]
    gate.set()
    first.result(PATIENCE)
    wait(pieces, PATIENCE)
    assert order == ["b0", "c0", "a0", "b1", "c1", "a1", "a2"]


def test_one_person_has_one_piece_under_way() -> None:
    fair = FairScheduler("test", at_once=2)
    gate, begun = threading.Event(), threading.Event()
    slow: Future[Any] = fair.submit("a", gate.wait, PATIENCE)
    other: Future[Any] = fair.submit("a", begun.set)
    fair.submit("b", str).result(PATIENCE)
    assert not begun.is_set()
    gate.set()
    wait([slow, other], PATIENCE)
    assert begun.is_set()
    fair.stop()


def test_more_than_may_wait_is_refused() -> None:
    fair = FairScheduler("test", at_once=1, waiting=2)
    gate = threading.Event()
    fair.submit("a", gate.wait, PATIENCE)
    for _ in range(2):
        fair.submit("a", str)
    with pytest.raises(TooMany, match="3 requests of yours"):
        fair.submit("a", str)
    other = fair.submit("b", str)
    gate.set()
    assert other.result(PATIENCE) == ""
    until(lambda: not fair.busy)
    assert fair.submit("a", str).result(PATIENCE) == ""
    fair.stop()


def test_work_that_is_not_begun_is_dropped(fair: FairScheduler) -> None:
    gate, done = threading.Event(), list[str]()
    fair.submit("a", gate.wait, PATIENCE)
    dropped = fair.submit("b", done.append, "dropped")
    kept = fair.submit("b", done.append, "kept")
    assert dropped.cancel()
    gate.set()
    kept.result(PATIENCE)
    assert done == ["kept"]


def test_running_work_is_told_to_stop(fair: FairScheduler) -> None:
    begun = threading.Event()

    def work() -> None:
        begun.set()
        spin()

    job = fair.submit("a", work)
    assert begun.wait(PATIENCE)
    assert not job.cancel()
    with pytest.raises(Dropped):
        job.result(PATIENCE)
    assert fair.submit("a", str).result(PATIENCE) == ""


def test_long_work_gives_way_and_goes_on(fair: FairScheduler) -> None:
    enough = threading.Event()

    def work() -> str:
        while not enough.is_set():
            go_on()
            time.sleep(0.001)
        return "done"

    job = fair.submit("a", work)
    for person in "bcd":  # on the one thread that may go on
        assert fair.submit(person, str).result(PATIENCE) == ""
    assert not job.done()
    enough.set()
    assert job.result(PATIENCE) == "done"


def test_work_that_has_given_way_is_dropped_before_its_turn(fair: FairScheduler) -> None:
    gate = threading.Event()
    job = fair.submit("a", spin)
    other = fair.submit("b", gate.wait, PATIENCE)
    until(other.running)
    job.cancel()
    with pytest.raises(Dropped):
        job.result(PATIENCE)
    gate.set()
    assert other.result(PATIENCE)
    assert fair.submit("c", str).result(PATIENCE) == ""


def test_no_more_threads_than_were_given() -> None:
    fair = FairScheduler("test", at_once=1, threads=2)
    enough = threading.Event()
    running = 0
    most = 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        while not enough.is_set():
            go_on()
            time.sleep(0.001)
        with lock:
            running -= 1

    pieces = [fair.submit(str(person), work) for person in range(5)]
    until(lambda: running == 2)
    enough.set()
    wait(pieces, PATIENCE)
    assert most == 2
    fair.stop()


def test_at_the_end_everything_is_dropped() -> None:
    fair = FairScheduler("test", at_once=1)
    pieces = [fair.submit(person, spin) for person in "aabc"]
    until(pieces[0].running)
    fair.stop()
    assert fair.join(PATIENCE)
    for job in pieces:
        with pytest.raises(Busy):
            job.result(PATIENCE)
    with pytest.raises(Busy):
        fair.submit("a", str)


def test_an_exception_is_the_callers_and_the_next_is_served(fair: FairScheduler) -> None:
    with pytest.raises(ValueError, match="no number"):
        fair.submit("a", int, "no number").result(PATIENCE)
    assert fair.submit("a", int, "1").result(PATIENCE) == 1


def test_a_cancelled_task_drops_its_work(fair: FairScheduler) -> None:
    async def main() -> None:
        task = asyncio.create_task(fair.run("a", spin))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    until(lambda: not fair.busy)


def test_going_on_elsewhere_does_nothing() -> None:
    go_on()


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["short", "long", "fail", "drop"])), max_size=20
    ),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_whatever_is_asked_ends_and_the_scheduler_is_empty(
    asked: list[tuple[str, str]], at_once: int, threads: int
) -> None:
    fair = FairScheduler("test", at_once, threads)

    def long() -> None:
        for _ in range(20):
            go_on()

    def fail() -> None:
        raise ValueError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scheduler, "SLICE_TIME", 0.0)
        pieces: list[Future[Any]] = []
        for person, kind in asked:
            works: dict[str, Callable[[], Any]] = {"short": str, "long": long, "fail": fail, "drop": long}
            work = works[kind]
            job: Future[Any] = fair.submit(person, work)
            pieces.append(job)
            if kind == "drop":
                job.cancel()
        assert not wait(pieces, PATIENCE).not_done
        until(lambda: not fair.busy)
    fair.stop()
    assert fair.join(PATIENCE)


STUBBORN = """
import threading, time
from app.sessions.scheduler import FairScheduler
fair, begun = FairScheduler("test"), threading.Event()
def work():
    begun.set()
    while True:
        time.sleep(0.001)
fair.submit("a", work)
begun.wait()
fair.stop()
print(fair.join(0.1))
"""


def test_work_that_does_not_stop_ends_with_the_process() -> None:
    found = subprocess.run(
        [sys.executable, "-c", STUBBORN], capture_output=True, text=True, check=True, timeout=3 * PATIENCE
    )
    assert found.stdout == "False\n"


def test_the_clock_stands_still_for_work_that_gives_way(fair: FairScheduler) -> None:
    enough = threading.Event()

    def work() -> tuple[float, float]:
        wall, own = time.monotonic(), own_time()
        while not enough.is_set():
            go_on()
            time.sleep(0.001)
        return time.monotonic() - wall, own_time() - own

    job = fair.submit("a", work)
    fair.submit("b", time.sleep, 0.3).result(PATIENCE)
    enough.set()
    wall, own = job.result(PATIENCE)
    assert own < wall - 0.2

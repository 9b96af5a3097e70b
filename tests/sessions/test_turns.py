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

from app.sessions import turns as scheduler
from app.sessions.errors import Busy, TooMany
from app.sessions.turns import Dropped, Turns, clock, go_on
from tests.support.patience import PATIENCE


@pytest.fixture
def turns() -> Iterator[Turns]:
    made = Turns("test", at_once=1, waiting=None)
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


def test_persons_are_served_in_turn(turns: Turns) -> None:
    gate, order = threading.Event(), list[str]()
    first = turns.submit("a", gate.wait, PATIENCE)
    pieces: list[Future[Any]] = [turns.submit("a", order.append, f"a{n}") for n in range(3)]
    pieces += [turns.submit(person, order.append, f"{person}{n}") for person in "bc" for n in range(2)]
    gate.set()
    first.result(PATIENCE)
    wait(pieces, PATIENCE)
    assert order == ["b0", "c0", "a0", "b1", "c1", "a1", "a2"]


def test_one_person_has_one_piece_under_way() -> None:
    turns = Turns("test", at_once=2)
    gate, begun = threading.Event(), threading.Event()
    slow: Future[Any] = turns.submit("a", gate.wait, PATIENCE)
    other: Future[Any] = turns.submit("a", begun.set)
    turns.submit("b", str).result(PATIENCE)
    assert not begun.is_set()
    gate.set()
    wait([slow, other], PATIENCE)
    assert begun.is_set()
    turns.stop()


def test_more_than_may_wait_is_refused() -> None:
    turns = Turns("test", at_once=1, waiting=2)
    gate = threading.Event()
    turns.submit("a", gate.wait, PATIENCE)
    for _ in range(2):
        turns.submit("a", str)
    with pytest.raises(TooMany, match="3 requests of yours"):
        turns.submit("a", str)
    other = turns.submit("b", str)
    gate.set()
    assert other.result(PATIENCE) == ""
    until(lambda: not turns.busy)
    assert turns.submit("a", str).result(PATIENCE) == ""
    turns.stop()


def test_work_that_is_not_begun_is_dropped(turns: Turns) -> None:
    gate, done = threading.Event(), list[str]()
    turns.submit("a", gate.wait, PATIENCE)
    dropped = turns.submit("b", done.append, "dropped")
    kept = turns.submit("b", done.append, "kept")
    assert dropped.cancel()
    gate.set()
    kept.result(PATIENCE)
    assert done == ["kept"]


def test_running_work_is_told_to_stop(turns: Turns) -> None:
    begun = threading.Event()

    def work() -> None:
        begun.set()
        spin()

    piece = turns.submit("a", work)
    assert begun.wait(PATIENCE)
    assert not piece.cancel()
    with pytest.raises(Dropped):
        piece.result(PATIENCE)
    assert turns.submit("a", str).result(PATIENCE) == ""


def test_long_work_gives_way_and_goes_on(turns: Turns) -> None:
    enough = threading.Event()

    def work() -> str:
        while not enough.is_set():
            go_on()
            time.sleep(0.001)
        return "done"

    piece = turns.submit("a", work)
    for person in "bcd":  # on the one thread that may go on
        assert turns.submit(person, str).result(PATIENCE) == ""
    assert not piece.done()
    enough.set()
    assert piece.result(PATIENCE) == "done"


def test_work_that_has_given_way_is_dropped_before_its_turn(turns: Turns) -> None:
    gate = threading.Event()
    piece = turns.submit("a", spin)
    other = turns.submit("b", gate.wait, PATIENCE)
    until(other.running)
    piece.cancel()
    with pytest.raises(Dropped):
        piece.result(PATIENCE)
    gate.set()
    assert other.result(PATIENCE)
    assert turns.submit("c", str).result(PATIENCE) == ""


def test_no_more_threads_than_were_given() -> None:
    turns = Turns("test", at_once=1, threads=2)
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

    pieces = [turns.submit(str(person), work) for person in range(5)]
    until(lambda: running == 2)
    enough.set()
    wait(pieces, PATIENCE)
    assert most == 2
    turns.stop()


def test_at_the_end_everything_is_dropped() -> None:
    turns = Turns("test", at_once=1)
    pieces = [turns.submit(person, spin) for person in "aabc"]
    until(pieces[0].running)
    turns.stop()
    assert turns.join(PATIENCE)
    for piece in pieces:
        with pytest.raises(Busy):
            piece.result(PATIENCE)
    with pytest.raises(Busy):
        turns.submit("a", str)


def test_an_exception_is_the_callers_and_the_next_is_served(turns: Turns) -> None:
    with pytest.raises(ValueError, match="no number"):
        turns.submit("a", int, "no number").result(PATIENCE)
    assert turns.submit("a", int, "1").result(PATIENCE) == 1


def test_a_cancelled_task_drops_its_work(turns: Turns) -> None:
    async def main() -> None:
        task = asyncio.create_task(turns.run("a", spin))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    until(lambda: not turns.busy)


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
    turns = Turns("test", at_once, threads)

    def long() -> None:
        for _ in range(20):
            go_on()

    def fail() -> None:
        raise ValueError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scheduler, "SLICE", 0.0)
        pieces: list[Future[Any]] = []
        for person, kind in asked:
            works: dict[str, Callable[[], Any]] = {"short": str, "long": long, "fail": fail, "drop": long}
            work = works[kind]
            piece: Future[Any] = turns.submit(person, work)
            pieces.append(piece)
            if kind == "drop":
                piece.cancel()
        assert not wait(pieces, PATIENCE).not_done
        until(lambda: not turns.busy)
    turns.stop()
    assert turns.join(PATIENCE)


STUBBORN = """
import threading, time
from app.sessions.turns import Turns
turns, begun = Turns("test"), threading.Event()
def work():
    begun.set()
    while True:
        time.sleep(0.001)
turns.submit("a", work)
begun.wait()
turns.stop()
print(turns.join(0.1))
"""


def test_work_that_does_not_stop_ends_with_the_process() -> None:
    found = subprocess.run(
        [sys.executable, "-c", STUBBORN], capture_output=True, text=True, check=True, timeout=3 * PATIENCE
    )
    assert found.stdout == "False\n"


def test_the_clock_stands_still_for_work_that_gives_way(turns: Turns) -> None:
    enough = threading.Event()

    def work() -> tuple[float, float]:
        wall, own = time.monotonic(), clock()
        while not enough.is_set():
            go_on()
            time.sleep(0.001)
        return time.monotonic() - wall, clock() - own

    piece = turns.submit("a", work)
    turns.submit("b", time.sleep, 0.3).result(PATIENCE)
    enough.set()
    wall, own = piece.result(PATIENCE)
    assert own < wall - 0.2

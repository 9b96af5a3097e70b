"""`kmemlab serve` with followers: how it ends, what they know afterwards, and two processes on one file."""

import re
import resource
import signal
import sqlite3
import threading
import time
from pathlib import Path

import httpx2
import pytest

from tests.support.patience import PATIENCE, SOON
from tests.support.served_process import Served, served
from tests.support.streams import Event, silent, stream

FOLLOWERS = 100
CALLERS = 6


class Follower(threading.Thread):
    """Follows a session to the end of the stream, from what it has had before."""

    def __init__(self, session: str, had: list[Event]) -> None:
        super().__init__()
        self.session = session
        self.had = had
        self.begun = threading.Event()

    def run(self) -> None:
        with stream(self.session, after=0, last=self.had[-1].id if self.had else None) as following:
            self.begun.set()
            self.had += following


class Caller(threading.Thread):
    """Calls as fast as it can, and writes down what was answered."""

    def __init__(self, session: str) -> None:
        super().__init__()
        self.session = session
        self.answers: dict[int, bytes] = {}

    def run(self) -> None:
        with httpx2.Client() as client:
            while True:
                try:
                    answer = client.post(f"{self.session}/alloc_page", json={"gfp": "GFP_KERNEL"})
                except httpx2.TransportError:
                    return
                if answer.status_code != 201:
                    return
                self.answers[answer.json()["seq"]] = answer.content


def serve(folder: Path, session: str | None, histories: list[list[Event]], calls: int) -> tuple[str, float]:
    """Serve a hundred followers and some callers, and stop in the midst of it."""
    with served(folder) as process:
        session = session or process.create("x86_64-8g")
        followers = [Follower(process.base + session, had) for had in histories]
        callers = [Caller(process.base + session) for _ in range(CALLERS)]
        for follower in followers:
            follower.start()
        for follower in followers:
            assert follower.begun.wait(PATIENCE)
        for caller in callers:
            caller.start()
        while sum(len(caller.answers) for caller in callers) < calls:
            time.sleep(0.005)
        began = time.monotonic()
        errors = process.end()
        took = time.monotonic() - began
        for thread in (*callers, *followers):
            thread.join(PATIENCE)
            assert not thread.is_alive()
        assert errors == ""
        assert process.process.returncode == -signal.SIGTERM
    db = sqlite3.connect(folder / "kmemlab.db")
    rows = dict(db.execute("SELECT seq, outcome FROM journal"))
    db.close()
    assert sorted(rows) == list(range(1, len(rows) + 1))
    for caller in callers:
        assert caller.answers.items() <= rows.items()
    for had in histories:
        assert had == [Event(seq, rows[seq]) for seq in range(1, len(had) + 1)]
    return session, took


@pytest.mark.slow
def test_the_end_with_a_hundred_followers_and_calls_on_their_way(tmp_path: Path) -> None:
    histories: list[list[Event]] = [[] for _ in range(FOLLOWERS)]
    session, took = serve(tmp_path, None, histories, 60)
    assert took < SOON
    # On the server that follows they go on from where they were.
    session, took = serve(tmp_path, session, histories, 60)
    assert took < SOON
    with served(tmp_path) as process:
        head = httpx2.get(process.base + session).json()["seq"]
        for had in histories[:5]:
            with stream(process.base + session, last=had[-1].id) as following:
                rest = following.take(head - len(had))
                assert [event.id for event in had + rest] == list(range(1, head + 1))


@pytest.mark.soak
def test_twenty_ends(tmp_path: Path) -> None:
    histories: list[list[Event]] = [[] for _ in range(FOLLOWERS)]
    session = None
    for _ in range(20):
        session, took = serve(tmp_path, session, histories, 150)
        assert took < SOON


def test_followers_may_be_many_files(tmp_path: Path) -> None:
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, most))
    try:
        with served(tmp_path) as process:
            limits = Path(f"/proc/{process.process.pid}/limits").read_text()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (now, most))
    (taken,) = re.findall(r"^Max open files +(\d+) ", limits, re.MULTILINE)
    assert int(taken) == min(16_384, most)


@pytest.mark.slow
def test_who_does_not_read_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with served(tmp_path, KMEMLAB_STREAM_BEHIND="60") as process:
        session = process.base + process.create("x86_64-1g")
        lines = "fill = alloc_pages(GFP_KERNEL, 0) * 3000\n__free_pages(fill[::2], 0)\n"
        again = "rest = alloc_pages(GFP_KERNEL, 0) * 1400\n__free_pages(rest, 0)\n" * 20
        text = {"Content-Type": "text/plain"}
        httpx2.post(f"{session}/calls", content=lines, headers=text).raise_for_status()
        with silent(session):
            for _ in range(6):
                httpx2.post(f"{session}/calls", content=again, headers=text).raise_for_status()
            began = time.monotonic()
            process.end()
            assert time.monotonic() - began < SOON
        assert process.process.returncode == -signal.SIGTERM


@pytest.mark.slow
def test_followers_of_two_processes_see_the_same(tmp_path: Path) -> None:
    processes: list[Served] = [Served(tmp_path), Served(tmp_path)]
    try:
        session = processes[0].create()
        with stream(processes[0].base + session) as one, stream(processes[1].base + session) as other:
            for process in processes * 10:
                answer = httpx2.post(f"{process.base}{session}/alloc_page", json={"gfp": "GFP_KERNEL"})
                assert answer.status_code == 201
            seen = one.take(20)
            assert seen == other.take(20)
            assert [event.id for event in seen] == list(range(1, 21))
    finally:
        for process in processes:
            process.end(signal.SIGKILL)

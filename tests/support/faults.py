"""What goes wrong with a real server's database on purpose, and what is asked of it then."""

import os
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.patience import PATIENCE
from tests.support.served_process import Served

PAGE = {"gfp": "GFP_KERNEL"}


@contextmanager
def mounted(folder: Path, size: str = "8m") -> Iterator[Path]:
    """A small file system of its own. Only root can make one: elsewhere the test is skipped."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "kmemlab-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs root and the right to mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True, capture_output=True)


def eventually(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Ask until the answer is true."""
    until = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.02)
    return answer


def alloc(server: Served, session: str, **more: Any) -> httpx2.Response:
    answer = httpx2.post(f"{server.base}{session}/alloc_page", json={**PAGE, **more})
    print(answer.text)  # shown where a test fails
    return answer


def refused(answer: httpx2.Response, *statuses: int) -> str:
    """The answer is a problem document of ours, without our insides; what it says."""
    assert answer.status_code in statuses, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    if answer.status_code == 503:
        assert int(answer.headers["retry-after"]) >= 1
    detail = answer.json()["detail"]
    assert "sqlite" not in detail.lower()
    assert "Traceback" not in detail
    return str(detail)


def readiness(server: Served) -> int:
    answer = httpx2.get(f"{server.address}/readyz")
    print(answer.text)  # shown where a test fails
    return answer.status_code


def dense(database: Path, **answered: int) -> None:
    """The file is sound, and each session has its rows without a gap, at least those that were answered."""
    with sqlite3.connect(database) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        for sid, head in db.execute("SELECT id, seq FROM sessions").fetchall():
            rows = [seq for (seq,) in db.execute("SELECT seq FROM journal WHERE session_id = ?", (sid,))]
            assert sorted(rows) == list(range(1, head + 1))
            assert head >= answered.get(sid, 0)
    db.close()


class Writers:
    """Threads that call sessions as fast as they can. answered: the last seq that each session answered."""

    def __init__(self, bases: list[str], count: int = 4) -> None:
        self.answered: dict[str, int] = {}
        self.statuses: set[int] = set()
        self._on = True
        self._threads = [
            threading.Thread(target=self._run, args=(bases[number % len(bases)],)) for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, base: str) -> None:
        with httpx2.Client() as client:
            while self._on:
                try:
                    answer = client.post(f"{base}/alloc_page", json=PAGE)
                except httpx2.TransportError:
                    return
                self.statuses.add(answer.status_code)
                if answer.status_code == 201:
                    sid = base.rpartition("/")[2]
                    self.answered[sid] = max(self.answered.get(sid, 0), answer.json()["seq"])

    def stop(self) -> None:
        self._on = False
        for thread in self._threads:
            thread.join()

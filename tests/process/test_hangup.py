"""Clients that hang up: the slow work that was done for them ends."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from app.machine import show
from app.machine.machine import Machine
from app.sessions.hangup import listen, unless_hung_up
from app.sessions.scheduler import Dropped, go_on
from tests.support.patience import PATIENCE
from tests.support.served import BASE, build, listening


async def test_work_is_cancelled_when_the_client_goes() -> None:
    gone, ended = asyncio.Event(), asyncio.Event()

    async def receive() -> MutableMapping[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def work() -> None:
        try:
            gone.set()
            await asyncio.sleep(PATIENCE)
        finally:
            ended.set()

    listen(receive)
    with pytest.raises(Dropped):
        await unless_hung_up(work())
    assert ended.is_set()


async def test_work_of_another_task_goes_on() -> None:
    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.disconnect"}

    listen(receive)
    assert await asyncio.create_task(unless_hung_up(asyncio.sleep(0.01, "done"))) == "done"


async def test_an_answer_and_an_exception_come_through() -> None:
    async def receive() -> MutableMapping[str, Any]:
        await asyncio.sleep(PATIENCE)
        return {"type": "http.disconnect"}

    async def fail() -> None:
        raise KeyError("why")

    listen(receive)
    assert await unless_hung_up(asyncio.sleep(0.01, "done")) == "done"
    with pytest.raises(KeyError, match="why"):
        await unless_hung_up(fail())


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("asked", [f"{BASE}/sessions/{{}}/zones?at=0", "/sessions/{}/thumbnail.svg?seq=0"])
def test_a_read_of_the_past_ends_with_its_connection(
    asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = build(tmp_path)
    begun = list[int]()

    def endless(_: Machine) -> None:
        begun.append(1)
        while True:
            go_on()
            time.sleep(0.001)

    with listening(app) as base, httpx2.Client(base_url=base) as client:
        sid = client.post(f"{BASE}/sessions", json={"machine": {"profile": "tiny-16m"}}).json()["id"]
        zones = show.zones
        monkeypatch.setattr(show, "zones", endless)
        where = urlsplit(base)
        path = asked.format(sid)
        with socket.create_connection((where.hostname or "", where.port or 0)) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())
            until(lambda: bool(begun))
        until(lambda: not app.state.sessions._slow.busy)
        monkeypatch.setattr(show, "zones", zones)
        assert client.get(f"{BASE}/sessions/{sid}/zones?at=0").status_code == 200


def test_one_person_has_only_so_many_slow_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = build(tmp_path, slow_per_principal=2)
    go = list[bool]()
    begun = list[int]()

    def held(_: Machine) -> dict[str, Any]:
        begun.append(1)
        while not go:
            go_on()
            time.sleep(0.001)
        return {}

    monkeypatch.setattr(show, "zones", held)
    with listening(app) as base, httpx2.Client(base_url=base) as client:
        sid = client.post(f"{BASE}/sessions", json={"machine": {"profile": "tiny-16m"}}).json()["id"]
        path = f"{BASE}/sessions/{sid}/zones?at=0"
        where = urlsplit(base)
        request = f"GET {path} HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode()
        with (
            socket.create_connection((where.hostname or "", where.port or 0)) as one,
            socket.create_connection((where.hostname or "", where.port or 0)) as two,
        ):
            for connection in (one, two):
                connection.sendall(request)
            slow = app.state.sessions._slow
            until(lambda: bool(begun) and slow.waiting("local") == 1)
            refused = client.get(path)
            assert refused.status_code == 429
            assert int(refused.headers["retry-after"]) > 0
            assert "2 requests of yours" in refused.json()["detail"]
            go.append(True)
            assert one.recv(12) == two.recv(12) == b"HTTP/1.1 200"

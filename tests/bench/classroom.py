"""A class on one small server: `python -m tests.bench.classroom [--students 300] [--seconds 60]`.

Each student calls once a second on a machine of their own, and each watcher follows the one on which the
teacher calls. The load is a process of its own; the server is as `make run` has it.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httptools
import uvloop

from tests.bench.service import Server, free_port, process
from tests.support.served import BASE

LINES = (
    "p = alloc_pages(GFP_KERNEL, 3)",
    "__free_pages(p, 3)",
    "k = kmalloc(700, GFP_KERNEL)",
    "kfree(k)",
    "q = alloc_page(GFP_KERNEL)",
    "get_page(q)",
    "put_page(q)",
    "put_page(q)",
)


OnPart = Callable[[bytes], None]


@dataclass
class Figures:
    """What the load saw, in milliseconds.

    call: from a request to its answer. lag: from the teacher's answer to the event at a watcher. missing:
    events that a watcher did not get. fault: the first answer that was none.
    """

    calls: int = 0
    events: int = 0
    errors: int = 0
    missing: int = 0
    resyncs: int = 0
    call_p50: float = 0
    call_p99: float = 0
    lag_p50: float = 0
    lag_p99: float = 0
    fault: str = ""


class Connection(asyncio.Protocol):
    """One keep-alive connection: a request at a time, or one whose answer does not end."""

    def __init__(self, on_part: OnPart | None = None) -> None:
        self.on_part = on_part
        self.answer: asyncio.Future[tuple[int, bytes]] | None = None
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def ask(
        self, method: str, path: str, host: str, body: bytes = b"", kind: str = "", more: str = ""
    ) -> asyncio.Future[tuple[int, bytes]]:
        """Send a request. more: further header lines, each with its end."""
        self.parser = httptools.HttpResponseParser(self)
        self.body = b""
        head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{more}"
        if body:
            head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(head.encode() + b"\r\n" + body)
        return self.answer

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_headers_complete(self) -> None:
        if self.on_part and self.answer and not self.answer.done():
            self.answer.set_result((self.parser.get_status_code(), b""))

    def on_body(self, part: bytes) -> None:
        if self.on_part:
            self.on_part(part)
        else:
            self.body += part

    def on_message_complete(self) -> None:
        if self.answer and not self.answer.done():
            self.answer.set_result((self.parser.get_status_code(), self.body))

    def connection_lost(self, _: Exception | None) -> None:
        self.lost = True
        if self.answer and not self.answer.done():
            self.answer.set_result((0, b"connection lost"))


class Watcher:
    """Follows the shared machine, and notes when each row came."""

    def __init__(self) -> None:
        self.came: dict[int, float] = {}
        self.resyncs = 0
        self.rest = b""

    def part(self, data: bytes) -> None:
        now = time.perf_counter()
        *events, self.rest = (self.rest + data).split(b"\n\n")
        for event in events:
            if event.startswith(b"id: ") and b"\ndata: " in event:
                self.came[int(event[4 : event.index(b"\n")])] = now
            self.resyncs += event.startswith(b"event: resync")


class Class:
    """The load. The teacher calls five times a second on the machine that everybody watches."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self.host, self.port, self.netloc = address.hostname, address.port, address.netloc
        self.figures = Figures()
        self.times: list[float] = []
        self.shared = ""
        self.answered: dict[int, float] = {}

    async def connect(self, on_part: OnPart | None = None) -> Connection:
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_connection(lambda: Connection(on_part), self.host, self.port)
        return protocol

    async def session(self, connection: Connection, profile: str) -> str:
        body = json.dumps({"machine": {"profile": profile}}).encode()
        status, made = await connection.ask("POST", f"{BASE}/sessions", self.netloc, body, "application/json")
        if status != 201:
            raise SystemExit(f"no session: {status} {made.decode()}")
        return f"{BASE}/sessions/{json.loads(made)['id']}"

    async def run(self, students: int, watchers: int, seconds: float) -> Figures:
        office = await self.connect()
        self.shared = await self.session(office, "x86_64-8g")
        own = [await self.session(office, "x86_64-1g") for _ in range(students)]
        following = [Watcher() for _ in range(watchers)]
        streams = [await self.connect(watcher.part) for watcher in following]
        for stream in streams:
            status, _ = await stream.ask("GET", f"{self.shared}/events/stream?after=0", self.netloc)
            self.figures.errors += status != 200
        callers = [await self.connect() for _ in range(students + 1)]
        draw = random.Random(1)
        now = time.perf_counter()
        timeout = [(self.shared, 0.2), *((session, 1.0) for session in own)]
        await asyncio.gather(
            *(
                self.calls(caller, session, every, now + draw.random() * every, now + seconds)
                for caller, (session, every) in zip(callers, timeout, strict=True)
            )
        )
        patience = time.perf_counter() + 10
        while time.perf_counter() < patience and any(map(self.missed, following)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        self.sum_up(following)
        self.figures.errors += sum(stream.lost for stream in streams)
        return self.figures

    async def calls(
        self, connection: Connection, session: str, every: float, due: float, until: float
    ) -> None:
        """One call after the other at a steady pace, as far as the answers allow it."""
        for line in cycle(LINES):
            if due >= until:
                return
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if connection.lost:  # kept alive for five seconds, as clients have to know
                connection = await self.connect()
            begun = time.perf_counter()
            answer = connection.ask("POST", f"{session}/calls", self.netloc, line.encode(), "text/plain")
            status, body = await answer
            now = time.perf_counter()
            self.times.append(now - begun)
            self.figures.calls += 1
            if status != 201:
                self.figures.errors += 1
                self.figures.fault = self.figures.fault or f"{status} {body.decode()[:200]}"
            elif session == self.shared:
                self.answered[json.loads(body)["outcomes"][0]["seq"]] = now
            due += every

    def missed(self, watcher: Watcher) -> int:
        return len(self.answered.keys() - watcher.came.keys())

    def sum_up(self, following: Sequence[Watcher]) -> None:
        figures = self.figures
        # An event may be there before the answer has been read: that is no lag.
        lags = [
            max(0.0, at - self.answered[seq])
            for watcher in following
            for seq, at in watcher.came.items()
            if seq in self.answered
        ]
        figures.events = len(lags)
        figures.missing = sum(map(self.missed, following))
        figures.resyncs = sum(watcher.resyncs for watcher in following)
        figures.call_p50, figures.call_p99 = middle_and_end(self.times)
        figures.lag_p50, figures.lag_p99 = middle_and_end(lags)


def middle_and_end(times: Sequence[float]) -> tuple[float, float]:
    """p50 and p99 in milliseconds."""
    ordered = sorted(times) or [0.0]
    return tuple(round(ordered[len(ordered) * part // 100] * 1e3, 1) for part in (50, 99))  # type: ignore[return-value]


@dataclass
class Cost:
    """What the server took. Sizes in MiB: at the beginning of the load, half-way, and at its end."""

    rss: list[float]
    cpu: float


def rss(pid: int) -> float:
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return round(int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def measure(students: int, watchers: int, seconds: float) -> tuple[Figures, Cost]:
    """Serve, put the load on it from another process, and watch the server meanwhile."""
    port = free_port()
    with tempfile.TemporaryDirectory(dir=".") as folder:  # on this disk: /tmp may be memory
        url = f"sqlite:///{Path(folder).resolve()}/class.db"
        with process(["app", "serve", "--port", str(port)], port, KMEMLAB_DATABASE_URL=url) as started:
            server = Server(started, port, "")
            command = [sys.executable, "-m", "tests.bench.classroom", "--url", f"http://127.0.0.1:{port}"]
            command += ["--students", str(students), "--watchers", str(watchers), "--seconds", str(seconds)]
            sizes, begun, before = [rss(started.pid)], time.perf_counter(), server.cpu()
            load = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            while load.poll() is None:
                time.sleep(0.5)
                sizes.append(rss(started.pid))
            cpu = (server.cpu() - before) / (time.perf_counter() - begun)
            output = load.communicate()[0]
    if load.returncode:
        raise SystemExit(output)
    # The first third is when machines are made and caches fill.
    return Figures(**json.loads(output)), Cost(
        [sizes[len(sizes) // 3], sizes[len(sizes) * 2 // 3], sizes[-1]], cpu
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="make load", description=__doc__)
    parser.add_argument("--students", type=int, default=300)
    parser.add_argument("--watchers", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--url", help="a server that runs already; only the load, as JSON")
    chosen = parser.parse_args()
    if chosen.url:
        load = Class(chosen.url).run(chosen.students, chosen.watchers, chosen.seconds)
        print(json.dumps(asdict(uvloop.run(load))))
        return
    figures, cost = measure(chosen.students, chosen.watchers, chosen.seconds)
    print(f"{chosen.students} students x 1 call/s, {chosen.watchers} watchers, {chosen.seconds:g} s\n")
    print(f"{figures.calls} calls, {figures.errors} errors {figures.fault}")
    print(f"{figures.events} events, {figures.missing} missing, {figures.resyncs} resyncs")
    print(f"call       p50 {figures.call_p50:7.1f} ms   p99 {figures.call_p99:7.1f} ms   (at most 250)")
    print(f"event lag  p50 {figures.lag_p50:7.1f} ms   p99 {figures.lag_p99:7.1f} ms   (at most 1000)")
    print(f"server     RSS {' → '.join(map(str, cost.rss))} MiB   CPU {cost.cpu:.0%} of a core")


if __name__ == "__main__":
    main()

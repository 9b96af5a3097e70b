"""A class in lab mode on one small server: `python -m tests.bench.lab [--members 300] [--seconds 60]`.

First everybody joins within a minute while sixty who are in already call. Then all of them call once a second
on their own copies, each with a stream of the shared machine open, and the wall is looked at. The load is a
process of its own.
"""

import argparse
import asyncio
import gzip
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import uvloop

from tests.bench.classroom import LINES, Connection, Watcher, middle_and_end, rss
from tests.bench.figures import Figure
from tests.bench.service import Server, free_port, process
from tests.support.classroom import first_instructor, labs_of
from tests.support.factories import settings_for
from tests.support.served import BASE

EARLY: int = 60
WALL_EVERY = 4.0  # seconds, as the page does


@dataclass
class Figures:
    """What the load saw, in milliseconds, and the wall in bytes over the wire."""

    joins: int = 0
    calls: int = 0
    errors: int = 0
    missing: int = 0
    join_p50: float = 0
    join_p99: float = 0
    meanwhile_p99: float = 0
    call_p50: float = 0
    call_p99: float = 0
    wall_first: float = 0
    wall_first_bytes: int = 0
    wall_p99: float = 0
    wall_bytes_a_minute: float = 0
    fault: str = ""


@dataclass
class Member:
    """A student's own connection, token and copy."""

    connection: Connection
    token: str
    copy: str = ""
    times: list[float] = field(default_factory=list)


class Class:
    """The load. netloc: where the server is. token: the instructor's. lab, code: of the lab."""

    def __init__(self, port: int, given: dict[str, str]) -> None:
        self.port = port
        self.netloc = f"127.0.0.1:{port}"
        self.given = given
        self.figures = Figures()
        self.members: list[Member] = []
        self.draw = random.Random(1)

    async def connect(self, on_part: Any = None) -> Connection:
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_connection(lambda: Connection(on_part), "127.0.0.1", self.port)
        return protocol

    async def ask(
        self, who: Connection, method: str, path: str, token: str = "", body: Any = None, more: str = ""
    ) -> tuple[int, bytes]:
        """One request; what is no success is an error."""
        kind = "text/plain" if isinstance(body, str) else "application/json"
        sent = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        more += f"Authorization: Bearer {token}\r\n" if token else ""
        if method == "POST" and body is None:
            more += "Content-Length: 0\r\n"
        status, answer = await who.ask(method, path, self.netloc, sent, kind, more)
        if not 200 <= status < 300:
            self.figures.errors += 1
            self.figures.fault = self.figures.fault or f"{method} {path}: {status} {answer[:200]!r}"
        return status, answer

    async def join(self, nickname: str) -> Member:
        """Come in, and take a copy of the prepared machine."""
        connection = await self.connect()
        begun = time.perf_counter()
        _, answer = await self.ask(
            connection, "POST", f"{BASE}/join", body={"code": self.given["code"], "nickname": nickname}
        )
        joined = time.perf_counter() - begun
        member = Member(connection, json.loads(answer)["token"], times=[joined])
        copies = f"{BASE}/labs/{self.given['lab']}/machines/{self.given['machine']}/copy"
        _, answer = await self.ask(connection, "POST", copies, member.token)
        member.copy = json.loads(answer)["id"]
        self.figures.joins += 1
        self.members.append(member)
        return member

    async def call(self, member: Member, every: float, until: float, times: list[float]) -> None:
        """One call after the other at a steady pace, as far as the answers allow it."""
        due = time.perf_counter() + self.draw.random() * every
        for line in cycle(LINES):
            if due >= until:
                return
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if member.connection.lost:
                member.connection = await self.connect()
            begun = time.perf_counter()
            path = f"{BASE}/sessions/{member.copy}/calls"
            await self.ask(member.connection, "POST", path, member.token, line)
            times.append(time.perf_counter() - begun)
            self.figures.calls += 1
            due += every

    async def come_in(self, members: int, seconds: float) -> None:
        """All but the early ones join, spread over the time, while those call."""
        early = [await self.join(f"early {number}") for number in range(EARLY)]
        meanwhile: list[float] = []
        until = time.perf_counter() + seconds
        joining = [self.later(f"late {number}", seconds) for number in range(members - EARLY)]
        joined, _ = await asyncio.gather(
            asyncio.gather(*joining),
            asyncio.gather(*(self.call(member, 1.0, until, meanwhile) for member in early)),
        )
        times = [member.times[0] for member in joined]
        self.figures.join_p50, self.figures.join_p99 = middle_and_end(times)
        _, self.figures.meanwhile_p99 = middle_and_end(meanwhile)

    async def later(self, nickname: str, seconds: float) -> Member:
        await asyncio.sleep(self.draw.random() * seconds)
        return await self.join(nickname)

    async def lesson(self, seconds: float) -> None:
        """Everybody calls and follows the shared machine, and the instructor looks at the wall."""
        following = [Watcher() for _ in self.members]
        streams = [await self.connect(watcher.part) for watcher in following]
        path = f"{BASE}/sessions/{self.given['shared']}/events/stream?after=0"
        for stream, member in zip(streams, self.members, strict=True):
            await self.ask(stream, "GET", path, member.token)
        times: list[float] = []
        until = time.perf_counter() + seconds
        teacher = Member(await self.connect(), self.given["token"], self.given["shared"])
        calling: list[Awaitable[Any]] = [self.call(member, 1.0, until, times) for member in self.members]
        calling += [self.call(teacher, 1.0, until, times), self.look(until)]
        await asyncio.gather(*calling)
        await asyncio.sleep(1)
        seqs = max((max(watcher.came, default=0) for watcher in following), default=0)
        self.figures.missing = sum(seqs - len(watcher.came) for watcher in following)
        self.figures.errors += sum(stream.lost for stream in streams)
        self.figures.call_p50, self.figures.call_p99 = middle_and_end(times)

    async def look(self, until: float) -> None:
        """The wall: its page, then what has changed, as its script asks for it."""
        who, token = await self.connect(), self.given["token"]
        packed = "Accept-Encoding: gzip\r\n"
        await asyncio.sleep(2)
        begun = time.perf_counter()
        cookie = f"Cookie: kmemlab={token}\r\n"
        _, page = await self.ask(who, "GET", f"/labs/{self.given['lab']}/wall", more=packed + cookie)
        self.figures.wall_first = round((time.perf_counter() - begun) * 1e3, 1)
        self.figures.wall_first_bytes = len(page)
        query, size, times, started = "", 0, [], time.perf_counter()
        while time.perf_counter() < until - WALL_EVERY:
            await asyncio.sleep(WALL_EVERY)
            if who.lost:
                who = await self.connect()
            begun = time.perf_counter()
            path = f"{BASE}/labs/{self.given['lab']}/wall{query}"
            _, answer = await self.ask(who, "GET", path, token, more=packed)
            times.append(time.perf_counter() - begun)
            size += len(answer) if len(times) > 1 else 0  # the first tells everything again
            plain = gzip.decompress(answer) if answer[:2] == b"\x1f\x8b" else answer
            query = f"?after={json.loads(plain)['version']}"
        looked = (len(times) - 1) / max(1, len(times)) * (time.perf_counter() - started)
        self.figures.wall_bytes_a_minute = size / max(1.0, looked) * 60
        _, self.figures.wall_p99 = middle_and_end(times)


async def prepare(folder: Path) -> dict[str, str]:
    """A database with an instructor, a lab, a prepared and a shared machine."""
    settings = settings_for(folder, lab=True)
    async with labs_of(settings) as (sessions, labs):
        who = await first_instructor(labs)
        lab = await labs.rooms.create(who, "A class", expected=settings.members_per_lab)
        prepared = await sessions.create(who.principal, "prepared", {"profile": "x86_64-1g"})
        shared = await sessions.create(who.principal, "shared", {"profile": "x86_64-8g"})
        machine = await labs.sharing.add(who, lab.id, prepared.id, "prepared")
        await labs.sharing.add(who, lab.id, shared.id, "operate")
        return {
            "code": str(lab.code),
            "lab": lab.id,
            "machine": machine.id,
            "shared": shared.id,
            "token": await labs.authentication.renew(who, "script"),
        }


def measure(members: int, seconds: float) -> tuple[Figures, list[float], float]:
    """Serve, put the load on it from another process, and watch the server's memory and CPU meanwhile."""
    port = free_port()
    with tempfile.TemporaryDirectory(dir=".") as folder:  # on this disk: /tmp may be memory
        given = asyncio.run(prepare(Path(folder).resolve()))
        environ = {
            "KMEMLAB_DATABASE_URL": f"sqlite:///{Path(folder).resolve()}/kmemlab.db",
            "KMEMLAB_LAB": "true",
        }
        with process(["app", "serve", "--port", str(port)], port, **environ) as started:
            server = Server(started, port, "")
            command = [
                sys.executable,
                "-m",
                "tests.bench.lab",
                "--port",
                str(port),
                "--given",
                json.dumps(given),
            ]
            command += ["--members", str(members), "--seconds", str(seconds)]
            sizes, begun, before = [rss(started.pid)], time.perf_counter(), server.cpu()
            load = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            while load.poll() is None:
                time.sleep(0.5)
                sizes.append(rss(started.pid))
            cpu = (server.cpu() - before) / (time.perf_counter() - begun)
            output = load.communicate()[0]
    if load.returncode:
        raise SystemExit(output)
    return Figures(**json.loads(output)), [sizes[len(sizes) // 3], sizes[-1]], cpu


async def run(port: int, given: dict[str, str], members: int, seconds: float) -> Figures:
    load = Class(port, given)
    await load.come_in(members, seconds)
    await load.lesson(seconds)
    return load.figures


def compare(members: int = 300, seconds: float = 60) -> Sequence[Figure]:
    """As figures for the table."""
    seen, sizes, cpu = measure(members, seconds)
    print(f"{asdict(seen)}\nmemory {sizes} MiB, CPU {cpu:.0%} of a core\n")
    ms = " ms"
    errors = f"{seen.errors} errors, {seen.missing} events missing"
    wall = f"the wall meanwhile: {seen.wall_first:.0f} ms, then {seen.wall_p99:.0f} ms at p99"
    return [
        Figure("300 joins in 60 s, p99", seen.join_p99, 500, 250, ms, f"{seen.joins} joined", more=False),
        Figure("calls of others meanwhile, p99", seen.meanwhile_p99, 500, 250, ms, errors, more=False),
        Figure(
            "300 members calling, 300 streams, the wall, p99", seen.call_p99, 250, 100, ms, wall, more=False
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.lab", description=__doc__)
    parser.add_argument("--members", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--port", type=int, help="a server that runs already; only the load, as JSON")
    parser.add_argument("--given", type=json.loads, help="what was prepared there, as JSON")
    chosen = parser.parse_args()
    if chosen.port:
        figures = uvloop.run(run(chosen.port, chosen.given, chosen.members, chosen.seconds))
        print(json.dumps(asdict(figures)))
        return
    for figure in compare(chosen.members, chosen.seconds):
        print(figure.row())


if __name__ == "__main__":
    main()

"""A hostile member and a class on one server: `python -m tests.bench.queues [--members 60] [--seconds 30]`.

First a class copies a prepared machine of 5,000 rows, spread over the time. Then members call once a second
on their copies, and now and then read the past, copy and explain, while one member sends sixty reads of the
past of a long journal and hangs up, again and again. The load is a process of its own.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from app.sessions import BatchItem, Principal, Sessions
from tests.bench.classroom import Connection
from tests.bench.service import free_port, process
from tests.support.classroom import first_instructor, labs_of
from tests.support.factories import settings_for
from tests.support.served import BASE

ROWS = 5_000
AT_ONCE = 60
EVERY = 0.5  # seconds between two volleys


@dataclass
class Figures:
    """Milliseconds at the median, the 99th percentile and the end, by what was asked; errors, and one."""

    times: dict[str, tuple[int, float, float, float]] = field(default_factory=dict)
    errors: int = 0
    fault: str = ""
    volleys: int = 0


async def filled(sessions: Sessions, who: Principal, name: str) -> str:
    """A session with some thousand rows."""
    made = await sessions.create(who, name, {"profile": "x86_64-1g"})
    for _ in range(ROWS // 1000):
        items = []
        for number in range(500):
            items.append(BatchItem("alloc_pages", {"gfp": "GFP_KERNEL", "order": number % 4}, f"p{number}"))
            items.append(BatchItem("kmalloc", {"flags": "GFP_KERNEL", "size": 64 << number % 5}))
        await sessions.batch(who, made.id, items)
    return made.id


async def prepare(folder: Path) -> dict[str, Any]:
    """A lab with a prepared machine of many rows, and a member with another one."""
    async with labs_of(settings_for(folder, lab=True)) as (sessions, labs):
        who = await first_instructor(labs)
        lab = await labs.rooms.create(who, "A class", expected=500)
        prepared = await filled(sessions, who.principal, "prepared")
        machine = await labs.sharing.add(who, lab.id, prepared, "prepared", ROWS - 1)
        assert lab.code is not None
        entered, _ = await labs.authentication.join(lab.code, "Mallory")
        theirs = await filled(sessions, entered.person.principal, "long")
        token = await labs.authentication.renew(entered.person, "script")
        return {
            "code": str(lab.code),
            "lab": lab.id,
            "machine": machine.id,
            "long": theirs,
            "token": token,
        }


class Load:
    """The load. given: what was prepared."""

    def __init__(self, port: int, given: dict[str, Any]) -> None:
        self.port = port
        self.netloc = f"127.0.0.1:{port}"
        self.given = given
        self.figures = Figures()
        self.times: dict[str, list[float]] = {}
        self.draw = random.Random(1)

    async def connect(self) -> Connection:
        _, protocol = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", self.port)
        return protocol

    async def ask(self, kind: str, method: str, path: str, token: str = "", body: Any = None) -> Any:
        """One request, timed, on a connection of its own."""
        connection = await self.connect()
        sent = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        more = f"Authorization: Bearer {token}\r\n" if token else ""
        if method == "POST" and body is None:
            more += "Content-Length: 0\r\n"
        type_ = "text/plain" if isinstance(body, str) else "application/json"
        begun = time.perf_counter()
        status, answer = await connection.ask(method, path, self.netloc, sent, type_, more)
        self.times.setdefault(kind, []).append(time.perf_counter() - begun)
        connection.transport.close()
        if not 200 <= status < 300:
            self.figures.errors += 1
            self.figures.fault = self.figures.fault or f"{method} {path}: {status} {answer[:200]!r}"
            return {}
        return json.loads(answer) if answer[:1] == b"{" else None

    async def member(self, number: int, wait: float, kind: str) -> tuple[str, str]:
        """Join, and later copy the prepared machine: token and copy."""
        joined = await self.ask(
            "join", "POST", f"{BASE}/join", "", {"code": self.given["code"], "nickname": f"n{number}"}
        )
        await asyncio.sleep(wait)
        return joined["token"], await self.copy(joined["token"], kind)

    async def copy(self, token: str, kind: str) -> str:
        path = f"{BASE}/labs/{self.given['lab']}/machines/{self.given['machine']}/copy"
        return str((await self.ask(kind, "POST", path, token))["id"])

    async def honest(self, token: str, sid: str, until: float) -> None:
        """A call each second, and each ten seconds something of the past."""
        due = time.perf_counter() + self.draw.random()
        turn = self.draw.randrange(30)
        base = f"{BASE}/sessions/{sid}"
        seq = ROWS - 1
        while due < until:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            page = {"gfp": "GFP_KERNEL", "order": 0}
            made = await self.ask("call", "POST", f"{base}/alloc_pages", token, page)
            seq = made.get("seq", seq)
            if turn % 30 == 0:
                await self.ask("?at=", "GET", f"{base}/zones?at={self.draw.randint(ROWS - 1, seq)}", token)
            elif turn % 30 == 10:
                await self.ask("explain", "GET", f"{base}/events/{seq}/explain", token)
            elif turn % 30 == 20:
                other = await self.copy(token, "copy")
                await self.ask("delete", "DELETE", f"{BASE}/sessions/{other}", token)
            turn += 1
            due += 1.0

    async def hostile(self, until: float) -> None:
        """Sixty reads of the past, and away."""
        while time.perf_counter() < until:
            hanging = [await self.connect() for _ in range(AT_ONCE)]
            for connection in hanging:
                at = self.draw.randint(0, ROWS)
                more = f"Authorization: Bearer {self.given['token']}\r\n"
                path = f"{BASE}/sessions/{self.given['long']}/zones?at={at}"
                connection.ask("GET", path, self.netloc, more=more)
            await asyncio.sleep(EVERY / 2)
            for connection in hanging:
                connection.transport.close()
            self.figures.volleys += 1
            await asyncio.sleep(EVERY / 2)

    async def run(self, members: int, copies: int, seconds: float) -> Figures:
        joining = [self.member(n, self.draw.random() * seconds, "class copies") for n in range(copies)]
        there = await asyncio.gather(*joining)
        for token, sid in there[:members]:  # which opens the machines
            page = {"gfp": "GFP_KERNEL", "order": 0}
            await self.ask("first call", "POST", f"{BASE}/sessions/{sid}/alloc_pages", token, page)
        until = time.perf_counter() + seconds
        asking = [self.honest(*one, until) for one in there[:members]]
        await asyncio.gather(*asking, self.hostile(until))
        for kind, times in self.times.items():
            times.sort()
            end = len(times) - 1
            middle, late, last = (round(times[at] * 1e3, 1) for at in (end // 2, end * 99 // 100, end))
            self.figures.times[kind] = (len(times), middle, late, last)
        return self.figures


def measure(members: int, copies: int, seconds: float) -> str:
    """Serve, and put the load on it from another process; its figures."""
    port = free_port()
    with tempfile.TemporaryDirectory(dir=".") as folder:  # on this disk: /tmp may be memory
        given = asyncio.run(prepare(Path(folder).resolve()))
        environ = {
            "KMEMLAB_DATABASE_URL": f"sqlite:///{Path(folder).resolve()}/kmemlab.db",
            "KMEMLAB_LAB": "true",
        }
        with process(["app", "serve", "--port", str(port)], port, **environ):
            command = [sys.executable, "-m", "tests.bench.queues", "--port", str(port)]
            command += ["--given", json.dumps(given), "--members", str(members)]
            command += ["--copies", str(copies), "--seconds", str(seconds)]
            return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.queues", description=__doc__)
    parser.add_argument("--members", type=int, default=60)
    parser.add_argument("--copies", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--port", type=int, help="a server that runs already; only the load, as JSON")
    parser.add_argument("--given", type=json.loads, help="what was prepared there, as JSON")
    chosen = parser.parse_args()
    if chosen.port:
        load = Load(chosen.port, chosen.given)
        print(json.dumps(asdict(uvloop.run(load.run(chosen.members, chosen.copies, chosen.seconds)))))
        return
    seen = json.loads(measure(chosen.members, chosen.copies, chosen.seconds))
    for kind, (count, middle, late, last) in seen.pop("times").items():
        print(f"{kind:14}{count:6}  p50 {middle:8.1f} ms  p99 {late:8.1f} ms  last {last:8.1f} ms")
    print(seen)


if __name__ == "__main__":
    main()

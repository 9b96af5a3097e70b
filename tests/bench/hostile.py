"""A class at work while somebody means harm: `python -m tests.bench.hostile [--seconds 8] [--only KIND]`.

Sixty members of a lab call once a second, look at pages and at the past, and copy a prepared machine. Beside
them one stranger, or one member, does what each kind of `KINDS` says, over and over. Told is, for each kind,
how long the honest waited, what they were refused, and what the server's memory came to. The load is a
process of its own; the hostile one is another.
"""

import argparse
import asyncio
import json
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import uvloop

from tests.bench.classroom import LINES, Connection, rss
from tests.bench.service import free_port, process
from tests.support.classroom import first_instructor, labs_of
from tests.support.factories import settings_for
from tests.support.served import BASE

MEMBERS: Final = 60
ROWS: Final = 5_000
MARKS: Final = "a" + "\u0315\u0300" * 60_000


@dataclass
class Seen:
    """What the honest saw. Times in milliseconds, by what was asked for; refusals by status."""

    times: dict[str, list[float]] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)

    def add(self, what: str, seconds: float, status: int) -> None:
        self.times.setdefault(what, []).append(seconds * 1e3)
        if not 200 <= status < 400:
            name = f"{what} {status}"
            self.refused[name] = self.refused.get(name, 0) + 1

    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for what, times in sorted(self.times.items()):
            times.sort()
            found[what] = {
                "n": len(times),
                "p50": round(times[len(times) // 2], 1),
                "p99": round(times[min(len(times) - 1, len(times) * 99 // 100)], 1),
                "max": round(times[-1], 1),
            }
        return {"times": found, "refused": self.refused}


class Client:
    """One connection that is opened again when it is lost."""

    def __init__(self, port: int, token: str = "") -> None:
        self.port = port
        self.token = token
        self.connection: Connection | None = None

    async def ask(
        self, method: str, path: str, body: Any = None, kind: str = "application/json"
    ) -> tuple[int, bytes]:
        if self.connection is None or self.connection.lost:
            loop = asyncio.get_running_loop()
            _, self.connection = await loop.create_connection(
                lambda: Connection(None), "127.0.0.1", self.port
            )
        sent = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        more = f"Authorization: Bearer {self.token}\r\n" if self.token else ""
        if method == "POST" and not sent:
            more += "Content-Length: 0\r\n"
        assert self.connection is not None
        return await self.connection.ask(method, path, f"127.0.0.1:{self.port}", sent, kind, more)


# -- the honest ----------------------------------------------------------------------------------------------


@dataclass
class Student:
    client: Client
    copy: str


class Class:
    """Sixty members with a copy each. given: what was prepared."""

    def __init__(self, port: int, given: dict[str, str]) -> None:
        self.port = port
        self.given = given
        self.students: list[Student] = []
        self.draw = random.Random(1)

    async def come_in(self) -> None:
        for number in range(MEMBERS):
            client = Client(self.port)
            _, answer = await client.ask(
                "POST", f"{BASE}/join", {"code": self.given["code"], "nickname": f"student {number}"}
            )
            client.token = json.loads(answer)["token"]
            _, answer = await client.ask("POST", self.copying())
            self.students.append(Student(client, json.loads(answer)["id"]))

    def copying(self) -> str:
        return f"{BASE}/labs/{self.given['lab']}/machines/{self.given['machine']}/copy"

    async def work(self, seconds: float) -> Seen:
        """Everybody calls once a second; one in four of these is followed by something else."""
        seen = Seen()
        until = time.perf_counter() + seconds
        await asyncio.gather(*(self.student(student, until, seen) for student in self.students))
        return seen

    async def student(self, student: Student, until: float, seen: Seen) -> None:
        due = time.perf_counter() + self.draw.random()
        number = 0
        session = f"{BASE}/sessions/{student.copy}"
        others: list[Callable[[], Awaitable[Any]]] = [
            lambda: self.timed(seen, "page", student, "GET", f"{session}/zones"),
            lambda: self.timed(seen, "?at=", student, "GET", f"{session}/zones?at={ROWS}"),
            lambda: self.copied(seen, student),
            lambda: self.timed(seen, "explain", student, "GET", f"{session}/events/{ROWS + 1}/explain"),
        ]
        while due < until:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            line = LINES[number % len(LINES)].encode()
            await self.timed(seen, "call", student, "POST", f"{session}/calls", line, "text/plain")
            number += 1
            if self.draw.random() < 0.25:
                await self.draw.choice(others)()
            due += 1.0

    async def timed(self, seen: Seen, what: str, student: Student, *request: Any) -> tuple[int, bytes]:
        begun = time.perf_counter()
        status, answer = await student.client.ask(*request)
        if what != "explain" or status != 404:
            seen.add(what, time.perf_counter() - begun, status)
        return status, answer

    async def copied(self, seen: Seen, student: Student) -> None:
        status, answer = await self.timed(seen, "copy", student, "POST", self.copying())
        if status == 201:
            await student.client.ask("DELETE", f"{BASE}/sessions/{json.loads(answer)['id']}")


# -- the hostile ---------------------------------------------------------------------------------------------


def raw(port: int) -> socket.socket:
    one = socket.create_connection(("127.0.0.1", port), timeout=5)
    one.settimeout(5)
    return one


class Hostile:
    """One who means harm. Each method does its harm once; it is called again until the time is over."""

    def __init__(self, port: int, given: dict[str, str]) -> None:
        self.port = port
        self.given = given
        self.client = Client(port, given["hostile"])
        self.sid = ""

    async def session(self) -> str:
        if not self.sid:
            _, answer = await self.client.ask(
                "POST", f"{BASE}/sessions", {"machine": {"profile": "x86_64-8g"}}
            )
            self.sid = json.loads(answer).get("id", "")
        return f"{BASE}/sessions/{self.sid}"

    async def text(self, session: str, text: str) -> int:
        return (await self.client.ask("POST", f"{session}/calls", text.encode(), "text/plain"))[0]

    async def nothing(self) -> None:
        await asyncio.sleep(0.2)

    async def marks(self) -> None:
        stranger = Client(self.port)
        await stranger.ask("POST", f"{BASE}/join", {"code": self.given["code"], "nickname": MARKS})
        await stranger.ask("POST", f"{BASE}/signin", {"name": MARKS, "password": MARKS})
        await self.client.ask("POST", f"{BASE}/sessions", {"name": MARKS})

    async def headers(self) -> None:
        await asyncio.to_thread(
            self._flood, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"x: " + b"y" * 1000 + b"\r\n"
        )

    async def pipeline(self) -> None:
        request = f"GET /calls HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n\r\n".encode()
        await asyncio.to_thread(self._flood, b"", request * 100)

    def _flood(self, head: bytes, part: bytes) -> None:
        try:
            with raw(self.port) as one:
                one.sendall(head)
                until = time.monotonic() + 2
                while time.monotonic() < until:
                    one.sendall(part)
        except OSError:
            pass

    async def unread(self) -> None:
        """A hundred and fifty long answers that nobody reads."""
        session = await self.session()
        await self.text(session, "alloc_page(GFP_KERNEL) * 2\n" * 500)
        request = (
            f"GET {session}/events?limit=1000 HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Authorization: Bearer {self.given['hostile']}\r\n\r\n"
        ).encode()

        def leave() -> None:
            held = []
            for _ in range(150):
                try:
                    one = raw(self.port)
                    one.sendall(request)
                    held.append(one)
                except OSError:
                    break
            time.sleep(3)
            for one in held:
                one.close()

        await asyncio.to_thread(leave)

    async def half(self) -> None:
        """Requests that never come to their end."""

        def leave() -> None:
            held = []
            for _ in range(2_000):
                try:
                    one = raw(self.port)
                    one.sendall(b"POST /api/v1/join HTTP/1.1\r\nHost: 127.0.0.1\r\n")
                    held.append(one)
                except OSError:
                    break
            time.sleep(3)
            for one in held:
                one.close()

        await asyncio.to_thread(leave)

    async def lists(self) -> None:
        session = await self.session()
        free = {"call": "__free_pages", "page": [[16, 100_000]], "order": 0}
        await self.client.ask("POST", f"{session}/calls", {"calls": [free] * 150 + [{"call": "nonsense"}]})
        many = [{**free, "step": 2}] * 10_000
        await self.client.ask("POST", f"{session}/calls", {"calls": many})

    async def batches(self) -> None:
        session = await self.session()
        await self.text(session, "f = alloc_page(GFP_KERNEL) * 100000\n__free_pages(f[::2], 0)\n" * 8)

    async def areas(self) -> None:
        session = await self.session()
        await self.text(session, "vmalloc(4K) * 100000\n")
        await self.client.ask("GET", f"/sessions/{self.sid}?panel=vmalloc")
        await self.client.ask("GET", f"{session}/vmap_areas")
        await self.client.ask("GET", f"{session}/proc/vmallocinfo")

    async def past(self) -> None:
        """Sixty reads of the past, hung up at once."""
        session = await self.session()
        await self.text(session, "f = alloc_page(GFP_KERNEL) * 50000\n__free_pages(f, 0)\n" * 2)

        def ask() -> None:
            for at in range(60):
                try:
                    with raw(self.port) as one:
                        one.sendall(
                            f"GET {session}/dump?at={at % 4} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
                            f"Authorization: Bearer {self.given['hostile']}\r\n\r\n".encode()
                        )
                except OSError:
                    pass

        await asyncio.to_thread(ask)
        await asyncio.sleep(0.3)

    async def bytes_(self) -> None:
        session = await self.session()
        await self.text(session, "f = alloc_page(GFP_KERNEL) * 50000\n__free_pages(f[::2], 0)\n" * 20)
        await self.text(session, "vfree(0xffffc90000000000) \n" * 5_000)

    async def drains(self) -> None:
        session = await self.session()
        await self.text(
            session,
            "sysctl(percpu_pagelist_high_fraction, 8)\nf = alloc_page(GFP_KERNEL) * 100000\n"
            "__free_pages(f, 0)\ndrain_all_pages()\n",
        )
        await self.client.ask("POST", f"{session}/undo")
        await self.text(session, "insmod(big, 500M)\nrmmod(big)\n")

    async def joins(self) -> None:
        for number in range(50):
            await Client(self.port).ask(
                "POST", f"{BASE}/join", {"code": self.given["code"], "nickname": f"nobody {number}"}
            )

    async def uploads(self) -> None:
        """Files that come byte by byte, and dumps of many megabytes."""

        def drip() -> None:
            held = []
            for _ in range(4):
                try:
                    one = raw(self.port)
                    one.sendall(
                        f"POST {BASE}/sessions HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
                        f"Authorization: Bearer {self.given['hostile']}\r\nContent-Length: 1000000\r\n"
                        "Content-Type: application/x-ndjson\r\n\r\n{".encode()
                    )
                    held.append(one)
                except OSError:
                    break
            time.sleep(2)
            for one in held:
                one.close()

        await asyncio.gather(asyncio.to_thread(drip), self._dump())

    async def _dump(self) -> None:
        lines = b"[" + b",".join([b"[1,2,3]"] * 2_000_000) + b"]"
        await self.client.ask("POST", f"{BASE}/sessions", b'{"machine":{"dump":{"pages":' + lines + b"}}}")

    async def members_(self) -> None:
        session = await self.session()
        body = json.dumps({f"x{number}": number for number in range(60_000)}).encode()
        await self.client.ask("POST", f"{session}/alloc_pages", body)
        await self.client.ask("PATCH", session, body)


KINDS: Final = {
    "nothing": Hostile.nothing,
    "1 combining marks": Hostile.marks,
    "2 endless headers": Hostile.headers,
    "2 pipelining": Hostile.pipeline,
    "2 unread answers": Hostile.unread,
    "2 half requests": Hostile.half,
    "3 lists in a batch": Hostile.lists,
    "3 heavy batches": Hostile.batches,
    "4 vmalloc areas": Hostile.areas,
    "5 reads of the past": Hostile.past,
    "6 bytes of rows": Hostile.bytes_,
    "7 drains": Hostile.drains,
    "8 joins": Hostile.joins,
    "8 uploads": Hostile.uploads,
    "10 unknown members": Hostile.members_,
}


async def harm(port: int, given: dict[str, str], kind: str) -> None:
    """Until this process is ended."""
    hostile = Hostile(port, given)
    while True:
        try:
            async with asyncio.timeout(30):
                await KINDS[kind](hostile)
        except (OSError, TimeoutError, ValueError, KeyError, AssertionError):
            hostile.client.connection = None
        await asyncio.sleep(0.02)


# -- the run -------------------------------------------------------------------------------------------------


async def prepare(folder: Path) -> dict[str, str]:
    """A database with an instructor, a lab, and a prepared machine of some thousand rows."""
    settings = settings_for(folder, lab=True)
    async with labs_of(settings) as (sessions, labs):
        who = await first_instructor(labs)
        lab = await labs.rooms.create(who, "A class", expected=120)
        prepared = await sessions.create(who.principal, "prepared", {"profile": "x86_64-1g"})
        from tests.support.factories import alloc  # noqa: PLC0415

        await sessions.batch(who.principal, prepared.id, [alloc()] * ROWS)
        machine = await labs.sharing.add(who, lab.id, prepared.id, "prepared")
        hostile, _, token, _ = await labs.authentication.join_by_script(str(lab.code), "hostile")
        return {
            "code": str(lab.code),
            "lab": lab.id,
            "machine": machine.id,
            "hostile": token,
            "member": hostile.id,
        }


async def load(port: int, given: dict[str, str], seconds: float, kinds: list[str], pid: int) -> list[Any]:
    """Each kind in turn; what was seen of it."""
    honest = Class(port, given)
    await honest.come_in()
    await honest.work(3)
    idle = rss(pid)
    found = []
    for kind in kinds:
        command = [sys.executable, "-m", "tests.bench.hostile", "--port", str(port)]
        command += ["--given", json.dumps(given), "--harm", kind]
        hostile = started(command)
        try:
            seen, memory = await asyncio.gather(honest.work(seconds), peak(pid, seconds))
        finally:
            hostile.kill()
            hostile.wait()
        found.append({"kind": kind, "idle": idle, "memory": memory, **seen.summary()})
        print(row(found[-1]), flush=True)
        await asyncio.sleep(2)
    return found


def started(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def peak(pid: int, seconds: float) -> float:
    """The most memory of the server meanwhile, in MiB."""
    sizes = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        await asyncio.sleep(0.25)
        sizes.append(rss(pid))
    return max(sizes)


HEAD: Final = (
    "| harm | calls p99 | pages p99 | ?at= p99 | copies p99 | explain p99 | MiB (idle) | refused |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
)


def row(found: dict[str, Any]) -> str:
    """One line of the table."""
    times = found["times"]
    ends = [
        f"{times[what]['p99']:.0f} ms" if what in times else "–"
        for what in ("call", "page", "?at=", "copy", "explain")
    ]
    refused = ", ".join(f"{name}: {count}" for name, count in found["refused"].items()) or "none"
    memory = f"{found['memory']:.0f} ({found['idle']:.0f})"
    return f"| {found['kind']} | {' | '.join(ends)} | {memory} | {refused} |"


def measure(seconds: float, kinds: list[str]) -> None:
    port = free_port()
    with tempfile.TemporaryDirectory(dir=".") as folder:  # on this disk: /tmp may be memory
        given = asyncio.run(prepare(Path(folder).resolve()))
        environ = {
            "KMEMLAB_DATABASE_URL": f"sqlite:///{Path(folder).resolve()}/kmemlab.db",
            "KMEMLAB_LAB": "true",
        }
        with process(["app", "serve", "--port", str(port)], port, **environ) as started:
            print(HEAD)
            uvloop.run(load(port, given, seconds, kinds, started.pid))
            begun = time.perf_counter()
            started.terminate()
            started.wait(20)
            print(f"SIGTERM: ended after {time.perf_counter() - begun:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.hostile", description=__doc__)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--only", action="append", choices=list(KINDS))
    parser.add_argument("--port", type=int, help="a server that runs already; only the harm")
    parser.add_argument("--given", type=json.loads, help="what was prepared there, as JSON")
    parser.add_argument("--harm", choices=list(KINDS))
    chosen = parser.parse_args()
    if chosen.port:
        uvloop.run(harm(chosen.port, chosen.given, chosen.harm))
        return
    measure(chosen.seconds, chosen.only or list(KINDS))


if __name__ == "__main__":
    main()

"""A load generator: so many connections, each with one request on its way at any time.

`wrk` where it is installed; else this file, as a program of its own that shares no interpreter with a
server: `python -m tests.bench.load PORT PATH BODY CONNECTIONS SECONDS`.
"""

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass

import httptools
import uvloop

LUA = """
wrk.method = "POST"
wrk.body = [[%s]]
wrk.headers["content-type"] = "application/json"
done = function(s, l, r)
  local e = s.errors
  print(string.format('{"requests":%%d,"seconds":%%f,"p50":%%f,"p99":%%f,"errors":%%d}', s.requests,
    s.duration / 1e6, l:percentile(50) / 1e3, l:percentile(99) / 1e3,
    e.status + e.connect + e.read + e.write + e.timeout))
end
"""


@dataclass
class Load:
    """What came back. p50, p99: milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    errors: int

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def generator() -> str:
    return "wrk" if shutil.which("wrk") else "own client (asyncio, httptools, uvloop)"


def run(port: int, path: str, body: str, connections: int, seconds: float, prefix: list[str]) -> Load:
    """prefix: a command before the command, such as taskset."""
    if shutil.which("wrk"):
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
            script.write(LUA % body)
            script.flush()
            url = f"http://127.0.0.1:{port}{path}"
            command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", script.name, url]
            output = subprocess.run([*prefix, *command], capture_output=True, text=True, check=True).stdout
    else:
        own = [
            sys.executable,
            "-m",
            "tests.bench.load",
            str(port),
            path,
            body,
            str(connections),
            str(seconds),
        ]
        output = subprocess.run([*prefix, *own], capture_output=True, text=True, check=True).stdout
    return Load(**json.loads(output.splitlines()[-1]))


class Connection(asyncio.Protocol):
    """Sends the request again as soon as its answer is complete."""

    def __init__(self, request: bytes, until: float, times: list[float], done: asyncio.Future[int]) -> None:
        self.request = request
        self.until = until
        self.times = times
        self.done = done
        self.errors = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.sent = time.perf_counter()
        self.transport.write(self.request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        self.times.append(now - self.sent)
        self.errors += not 200 <= self.parser.get_status_code() < 300
        if now < self.until:
            self.send()
        else:
            self.finish()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.done.done():
            self.errors += 1
            self.finish()

    def finish(self) -> None:
        self.done.set_result(self.errors)
        self.transport.close()


async def load(port: int, path: str, body: str, connections: int, seconds: float) -> Load:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    request = head.encode() + body.encode()
    loop = asyncio.get_running_loop()
    times: list[float] = []
    begun = time.perf_counter()
    ends: list[asyncio.Future[int]] = [loop.create_future() for _ in range(connections)]
    for end in ends:
        await loop.create_connection(
            lambda end=end: Connection(request, begun + seconds, times, end),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
    errors = sum(await asyncio.gather(*ends))
    took = time.perf_counter() - begun
    times.sort()
    return Load(len(times), took, times[len(times) // 2] * 1e3, times[len(times) * 99 // 100] * 1e3, errors)


if __name__ == "__main__":
    port, path, body, connections, seconds = sys.argv[1:]
    print(json.dumps(asdict(uvloop.run(load(int(port), path, body, int(connections), float(seconds))))))

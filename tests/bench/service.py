"""A durable `alloc_pages` over HTTP beside the echo: same machine, same minutes, same load."""

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2

from tests.bench.figures import Figure
from tests.bench.load import Load, run

BODY = json.dumps({"gfp": "GFP_KERNEL", "order": 0})
UVICORN = ["--host", "127.0.0.1", "--loop", "uvloop", "--http", "httptools", "--log-level", "critical"]
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Server:
    """A server process that was started here, and where requests go."""

    process: subprocess.Popen[bytes]
    port: int
    path: str
    body: str = BODY

    def cpu(self) -> float:
        """User and system seconds of the process so far, all threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


@dataclass
class Round:
    """One load on one server. cpu: the server's microseconds a request."""

    load: Load
    cpu: float


def pinned(cpu: int) -> list[str]:
    """Server and load generator each on a core of their own, where there are two."""
    return ["taskset", "-c", str(cpu)] if shutil.which("taskset") and (os.cpu_count() or 1) > 1 else []


@contextmanager
def process(
    command: list[str], port: int, core: int = 0, **environ: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A server, from when it listens to the end."""
    started = subprocess.Popen(
        [*pinned(core), sys.executable, "-m", *command],
        env={**os.environ, **environ},
        stdout=subprocess.DEVNULL,  # it says where it listens, which is known
    )
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if started.poll() is not None:
                raise SystemExit(f"{command} ended with {started.returncode}")
            time.sleep(0.05)
        yield started
    finally:
        started.terminate()
        started.wait(20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def echo() -> Iterator[Server]:
    port = free_port()
    command = ["uvicorn", "tests.bench.echo:app", "--port", str(port), "--no-access-log", *UVICORN]
    with process(command, port) as started:
        yield Server(started, port, "/echo")


@contextmanager
def kmemlab(folder: Path, url: str | None = None, core: int = 0) -> Iterator[Server]:
    """The service as `make run` serves it, with one 64 GiB session. url: of another database."""
    port = free_port()
    url = url or f"sqlite:///{folder}/bench.db"
    command = ["app", "serve", "--port", str(port)]
    with process(command, port, core, KMEMLAB_DATABASE_URL=url) as started:
        yield Server(started, port, f"{session(port)}/alloc_pages")


def session(port: int) -> str:
    """The path of a new session. What single calls have allocated would make batches dearer as it grows."""
    sessions = f"http://127.0.0.1:{port}/api/v1/sessions"
    created = httpx2.post(sessions, json={"machine": {"profile": "x86_64-64g"}}).raise_for_status()
    return f"/api/v1/sessions/{created.json()['id']}"


def measure(server: Server, connections: int, seconds: float) -> Round:
    before = server.cpu()
    load = run(server.port, server.path, server.body, connections, seconds, pinned(1))
    if load.errors:
        raise SystemExit(f"{load.errors} of {load.requests} requests to {server.path} failed")
    return Round(load, (server.cpu() - before) * 1e6 / load.requests)


# Half of a batch allocates, half frees: however many are sent, the machine stays as full as it is.
PAIRS = [
    (
        {"call": "alloc_pages", "as": "p", "gfp": "GFP_KERNEL", "order": order},
        {"call": "__free_pages", "page": "$p", "order": order},
    )
    for order in (0, 1, 0, 2)
]
BATCH = json.dumps({"calls": [call for pair in PAIRS * 125 for call in pair]}, separators=(",", ":"))
CALLS = 1000

# At 64 connections and at 16: what it must be beside the echo, and what it should be.
BOUNDS = {64: (0.50, 0.65), 16: (0.45, 0.65)}


def compare(folder: Path, rounds: int, seconds: float) -> list[Figure]:
    """Prints each server's medians; the medians of each round's ratios are the figures."""
    print(f"{'':10}{'conns':>6}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'CPU us':>8}{'req/s':>9}{'CPU':>7}")
    figures: list[Figure] = []
    with echo() as ceiling, kmemlab(folder) as product:
        for server in (ceiling, product):
            measure(server, 8, 1)
        for count, (least, goal) in BOUNDS.items():
            pairs = [
                [measure(server, count, seconds) for server in (ceiling, product)] for _ in range(rounds)
            ]
            for place, name in enumerate(("echo", "kmemlab")):
                line(name, count, [pair[place] for pair in pairs], [pair[0] for pair in pairs])
            figures.append(
                Figure(
                    f"durable `alloc_pages` a second, {count} connections, of an echo's requests",
                    *(ratio(pairs), least, goal),
                    unit="×",
                    ceiling=f"echo: {statistics.median(echo.load.rate for echo, _ in pairs):,.0f}/s; "
                    f"a call takes {cpu_ratio(pairs):.2f}× its CPU",
                )
            )
        batch = replace(product, path=f"{session(product.port)}/calls", body=BATCH)
        pairs = [[measure(ceiling, 64, seconds), measure(batch, 8, seconds)] for _ in range(rounds)]
        line("batches", 8, [made for _, made in pairs], [echo for echo, _ in pairs])
        calls = statistics.median(made.load.rate for _, made in pairs) * CALLS
        figures.append(
            Figure(
                f"calls a second in batches of {CALLS:,}, 8 connections, for each request of an echo",
                *(ratio(pairs) * CALLS, 8, 20),
                unit="×",
                ceiling=f"{calls:,.0f} calls/s; by CPU {CALLS / cpu_ratio(pairs):.1f}×",
            )
        )
    return figures


def ratio(pairs: list[list[Round]]) -> float:
    """How many requests a second the second of each pair answers for one of the first's."""
    return statistics.median(made.load.rate / echo.load.rate for echo, made in pairs)


def cpu_ratio(pairs: list[list[Round]]) -> float:
    """CPU time that a request of the second takes for one of the first; steadier on a busy machine."""
    return statistics.median(made.cpu / echo.cpu for echo, made in pairs)


def line(name: str, connections: int, rounds: list[Round], ceilings: list[Round]) -> None:
    """One line: the figures, then their ratios to the echo of the same round."""
    middle = statistics.median
    rate = middle(r.load.rate / c.load.rate for r, c in zip(rounds, ceilings, strict=True))
    cpu = middle(r.cpu / c.cpu for r, c in zip(rounds, ceilings, strict=True))
    print(
        f"{name:10}{connections:6}{middle(r.load.rate for r in rounds):9.0f}"
        f"{middle(r.load.p50 for r in rounds):9.2f}{middle(r.load.p99 for r in rounds):9.2f}"
        f"{middle(r.cpu for r in rounds):8.0f}{rate:8.2f}x{cpu:6.2f}x"
    )

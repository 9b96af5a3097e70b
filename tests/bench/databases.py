"""The same durable calls on SQLite and on PostgreSQL: same machine, same minutes, same load, same disk."""

import os
import sqlite3
import statistics
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import httpx2

from tests.bench.figures import Figure
from tests.bench.load import Load, run
from tests.bench.service import BATCH, CALLS, TICKS, Round, Server, kmemlab, line, measure, session
from tests.support.postgresql import SAFE, Cluster, cluster

# By what is measured: what PostgreSQL must do of SQLite's, and what it should.
BOUNDS = {"1 connection": (0.4, 0.6), "64 connections": (0.8, 0.9), "batches": (0.7, 0.8)}


def compare(folder: Path, rounds: int, seconds: float) -> list[Figure]:
    """Prints each database's medians; the medians of each round's ratios are the figures."""
    print(f"{'':10}{'conns':>6}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'CPU us':>8}{'req/s':>9}{'CPU':>7}")
    with cluster(Path.cwd(), **SAFE) as postgresql, ExitStack() as stack:
        postgresql.execute("CREATE DATABASE bench")
        on = {"SQLite": None, "PostgreSQL": postgresql.url("bench")}
        servers = [stack.enter_context(kmemlab(folder, url)) for url in on.values()]
        compared = [
            figure(what, list(on), servers, rounds, measured)
            for what, measured in (
                ("1 connection", lambda server: measure(server, 1, seconds)),
                ("64 connections", lambda server: measure(server, 64, seconds)),
                ("batches", lambda server: measure(batch(server), 8, seconds)),
            )
        ]
        alone = committed(postgresql, servers[1], seconds)
        second = stack.enter_context(kmemlab(folder, on["PostgreSQL"], core=1))
        both = together(servers[1], second, rounds, seconds)
        return [*compared, alone, both, *stored(folder / "bench.db", postgresql), machines(folder)]


def batch(server: Server) -> Server:
    """The same server, sent batches for a session of their own."""
    return replace(server, path=f"{session(server.port)}/calls", body=BATCH)


def figure(
    what: str, names: list[str], servers: list[Server], rounds: int, measured: Callable[[Server], Round]
) -> Figure:
    """One line of each database, and how much PostgreSQL does of what SQLite does."""
    for server in servers:
        measured(server)
    pairs = [[measured(server) for server in servers] for _ in range(rounds)]
    for place, name in enumerate(names):
        line(
            name,
            int(what.split(maxsplit=1)[0]) if what[0].isdigit() else 8,
            [pair[place] for pair in pairs],
            [pair[0] for pair in pairs],
        )
    ratio = statistics.median(other.load.rate / one.load.rate for one, other in pairs)
    each = CALLS if what == "batches" else 1
    rates = [statistics.median(pair[place].load.rate for pair in pairs) * each for place in (0, 1)]
    least, goal = BOUNDS[what]
    name = f"calls on PostgreSQL of those on SQLite, {what}"
    return Figure(name, ratio, least, goal, "×", f"{rates[0]:,.0f} and {rates[1]:,.0f} calls/s")


def committed(postgresql: Cluster, server: Server, seconds: float) -> Figure:
    """The share of a core that the database takes while one server is busy: the rest is for others."""
    before, begun = busy(postgresql), perf_counter()
    load: Load = measure(server, 64, seconds).load
    share = 100 * (busy(postgresql) - before) / (perf_counter() - begun)
    rate = f"{load.rate:,.0f} calls/s: one core of the database carries {100 / share:.1f} such servers"
    return Figure(
        "PostgreSQL's part of a core while one server is busy", share, 60, 40, " %", rate, more=False
    )


def busy(postgresql: Cluster) -> float:
    """CPU seconds of all of its processes so far."""
    first = int((postgresql.folder / "data" / "postmaster.pid").read_text().split()[0])
    seconds = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, fields = int(stat.parent.name), stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if first in (pid, int(fields[1])):
            seconds += (int(fields[11]) + int(fields[12])) / TICKS
    return seconds


def together(one: Server, other: Server, rounds: int, seconds: float) -> Figure:
    """Two servers on one database, each on a core, and the load wherever there is room for it."""
    pairs = []
    with ThreadPoolExecutor(2) as threads:
        for _ in range(rounds):
            alone = run(one.port, one.path, one.body, 64, seconds, [])
            loads = [
                threads.submit(run, server.port, server.path, server.body, 32, seconds, [])
                for server in (one, other)
            ]
            pairs.append((alone.rate, sum(load.result().rate for load in loads)))
    rates = [statistics.median(rates) for rates in zip(*pairs, strict=True)]
    ratio = statistics.median(both / alone for alone, both in pairs)
    name = f"calls of two servers on one PostgreSQL of those of one, {os.cpu_count()} cores for all"
    return Figure(name, ratio, 0.8, 1.2, "×", f"{rates[0]:,.0f} and {rates[1]:,.0f} calls/s")


def stored(file: Path, postgresql: Cluster) -> list[Figure]:
    """What a row takes on the disk, with its part of the indexes, after all those calls."""
    with closing(sqlite3.connect(file)) as db:
        (rows,) = db.execute("SELECT count(*) FROM journal").fetchone()
    on_sqlite = file.stat().st_size / rows
    with postgresql.connect("bench") as db:
        found = db.execute("SELECT pg_total_relation_size('journal'), count(*) FROM journal").fetchone()
    assert found is not None
    return [
        Figure("a row of the journal on SQLite", on_sqlite, 1_000, 600, " bytes", more=False),
        Figure("a row of the journal on PostgreSQL", found[0] / found[1], 1_500, 800, " bytes", more=False),
    ]


STUDENTS = 200
LESSON = "p = alloc_pages(GFP_KERNEL, 2)\nk = kmalloc(200, GFP_KERNEL)\nv = vmalloc(64K)\nkfree(k)\n" * 10


def machines(folder: Path) -> Figure:
    """The memory that a machine takes while it is open, with 4 GiB and some dozens of calls."""
    with kmemlab(folder, f"sqlite:///{folder}/open.db") as server:
        base = f"http://127.0.0.1:{server.port}/api/v1/sessions"
        with httpx2.Client(timeout=60) as client:
            grown: list[float] = []
            for _ in range(2):  # the first ones also load what all share
                before = resident(server)
                for _ in range(STUDENTS):
                    made = client.post(base, json={"machine": {"profile": "x86_64-8g"}}).raise_for_status()
                    calls = client.post(
                        f"{base}/{made.json()['id']}/calls",
                        content=LESSON,
                        headers={"content-type": "text/plain"},
                    )
                    calls.raise_for_status()
                grown.append((resident(server) - before) / STUDENTS / 1e3)
    return Figure("memory of an open machine of a lesson", grown[1], 1_000, 500, " kB", more=False)


def resident(server: Server) -> int:
    """Bytes of memory that the server's process has."""
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")

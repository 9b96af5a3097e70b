"""Long histories: how soon a large session opens, how soon its past is there, how soon its map is drawn.

The databases are made here, quickly and truly: every row is one that the session could have journalled, and
makes again what it says.
"""

import asyncio
import http.client
import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.clock import now
from app.machine.machine import Machine
from app.sessions import LOCAL, BatchItem, Sessions, snapshots
from app.settings import Settings
from app.store import Store, journal
from app.store.journal import Row
from tests.bench.figures import Figure
from tests.bench.service import free_port, process

LARGE = {"profile": "x86_64-64g"}
TAIL = 400


def settings_for(folder: Path) -> Settings:
    return Settings(database_url=f"sqlite:///{folder}/history.db")


async def make_large(folder: Path, blocks: int, rows: int) -> str:
    """A session with so many live blocks and rows, the nearest state that is kept some hundred rows back."""
    settings = settings_for(folder)
    store = Store.of(settings)
    store.migrate()
    sessions = Sessions(settings, store)
    await sessions.start()
    try:
        sid = (await sessions.create(LOCAL, "large", LARGE)).id
        pfn = 0
        for order in (0, 1, 0, 2, 0, 1, 0, 3, 0, 0):
            body = {"gfp": "GFP_KERNEL", "order": order, "repeat": blocks // 10}
            made = await sessions.apply(LOCAL, sid, "alloc_pages", body)
            pfn = made.outcome["runs"][0][0]
        state = await sessions.past(LOCAL, sid, None, Machine.state)
        # What a look at a page answers hangs on nothing but the page, and changes nothing.
        seq = (await sessions.apply(LOCAL, sid, "page_count", {"pfn": pfn})).seq
    finally:
        await sessions.stop()
    store = Store.of(settings)
    at = now()
    with store.writing() as db:
        stored = journal.one(db, sid, seq)
        assert stored is not None
        rest = stored.partition(b",")[2]
        args = next(journal.tail(db, sid, seq - 1, seq)).args
        last = rows - TAIL
        for first in range(seq + 1, last + 1, 10_000):
            journal.append(
                db,
                [
                    Row(sid, n, n, "page_count", args, b'{"seq":%d,%b' % (n, rest), None, at)
                    for n in range(first, min(first + 10_000, last + 1))
                ],
            )
    snapshots.keep(store, sid, last, state)
    store.dispose()
    sessions = Sessions(settings, store := Store.of(settings))
    await sessions.start()
    try:
        await churn(sessions, sid, TAIL, 100, random.Random(1))
    finally:
        await sessions.stop()
    store.dispose()
    return sid


async def churn(sessions: Sessions, sid: str, calls: int, at_once: int, draw: random.Random) -> None:
    """Allocations and frees of all orders, in batches."""
    held: list[tuple[str, int]] = []
    for first in range(0, calls, at_once):
        items: list[BatchItem] = []
        for number in range(first, first + at_once):
            if held and draw.random() < 0.48:
                name, order = held.pop(draw.randrange(len(held)))
                items.append(BatchItem("__free_pages", {"page": f"${name}", "order": order}, None))
            else:
                order = draw.choice((0, 0, 0, 0, 1, 1, 2, 3))
                held.append((f"b{number}", order))
                items.append(BatchItem("alloc_pages", {"gfp": "GFP_KERNEL", "order": order}, f"b{number}"))
        await sessions.batch(LOCAL, sid, items)


async def make_long(folder: Path, rows: int) -> str:
    """A session of so many real calls, with the states that are kept on the way."""
    settings = settings_for(folder).model_copy(update={"names_per_person": rows})
    sessions = Sessions(settings, store := Store.of(settings))
    await sessions.start()
    try:
        sid = (await sessions.create(LOCAL, "long", {"profile": "x86_64-8g"})).id
        await churn(sessions, sid, rows, 200, random.Random(2))
    finally:
        await sessions.stop()
    store.dispose()
    return sid


class Client:
    """One connection, one request at a time."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def ms(self, method: str, path: str, body: str | None = None) -> float:
        """Milliseconds from the request to its whole answer."""
        begun = time.perf_counter()
        headers = {"content-type": "application/json"} if body else {}
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        answer.read()
        took = (time.perf_counter() - begun) * 1e3
        assert answer.status in (200, 201), f"{answer.status} {path}"
        return took


@contextmanager
def serving(folder: Path) -> Iterator[Client]:
    """A fresh server on the database: no machine is open."""
    port = free_port()
    with process(
        ["app", "serve", "--port", str(port)], port, KMEMLAB_DATABASE_URL=settings_for(folder).database_url
    ):
        client = Client(port)
        client.ms("GET", "/healthz")
        yield client
        client.connection.close()


def compare(folder: Path, rounds: int, quick: bool) -> list[Figure]:
    """The three figures."""
    blocks, rows, past = (10_000, 100_000, 10_000) if quick else (100_000, 1_000_000, 100_000)
    large, long = asyncio.run(make_large(folder, blocks, rows)), asyncio.run(make_long(folder, past))
    opened: list[float] = []
    again: list[float] = []
    for _ in range(rounds):
        with serving(folder) as client:
            opened.append(client.ms("GET", f"/api/v1/sessions/{large}/tasks"))
            again.append(client.ms("GET", f"/api/v1/sessions/{large}/tasks"))
    with serving(folder) as client:
        maps, idle = drawn(client, large)
        pasts = moments(client, long, past, 100 if quick else 200)
    return [
        Figure(
            f"opening a session: {blocks:,} live blocks, {rows:,} rows",
            *(statistics.median(opened), 250, 100),
            unit=" ms",
            ceiling=f"open already: {statistics.median(again):.1f} ms",
            more=False,
        ),
        Figure(
            f"the machine at a random row of {past:,}, p95",
            *(p95(pasts), 300, 100),
            unit=" ms",
            ceiling=f"median {statistics.median(pasts):.0f} ms",
            more=False,
        ),
        Figure(
            f"a map of 4,096 cells, 64 GiB, {blocks:,} live blocks, right after a call",
            *(statistics.median(maps) - statistics.median(idle), 5, 1),
            unit=" ms",
            ceiling=f"an answer without any work: {statistics.median(idle):.1f} ms, taken off",
            more=False,
        ),
    ]


def drawn(client: Client, sid: str) -> tuple[list[float], list[float]]:
    """Times of maps, each after a call that changed something, and of answers without work."""
    base = f"/api/v1/sessions/{sid}"
    path = f"{base}/zonemap?zone=Normal&node=0&shift=12&cells=4096"
    client.ms("GET", path)
    maps: list[float] = []
    idle: list[float] = []
    for _ in range(50):
        client.ms("POST", f"{base}/alloc_pages", '{"gfp": "GFP_KERNEL", "order": 2}')
        maps.append(client.ms("GET", path))
        idle.append(client.ms("GET", "/healthz"))
    return maps, idle


def moments(client: Client, sid: str, rows: int, count: int) -> list[float]:
    """Times of looks at random moments."""
    draw = random.Random(3)
    look: Callable[[int], str] = f"/api/v1/sessions/{sid}/proc/buddyinfo?at={{}}".format
    return [client.ms("GET", look(draw.randint(1, rows))) for _ in range(count)]


def p95(times: list[float]) -> float:
    return sorted(times)[len(times) * 95 // 100]

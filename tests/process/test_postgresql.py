"""Servers on one PostgreSQL: they serve one class, and lose nothing when the database goes away."""

import asyncio
import contextlib
import itertools
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from app.store import Busy, StorageFull, Store
from tests.support.demo_lab import Http, enter, instructor, lab_server
from tests.support.faults import PAGE, alloc, eventually, mounted, readiness, refused
from tests.support.patience import PATIENCE
from tests.support.postgresql import FAST, SAFE, Cluster, begun, cluster, ended
from tests.support.served_process import Served, kmemlab, served

pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]

numbers = itertools.count()


@pytest.fixture(scope="module")
def here() -> Iterator[Cluster]:
    with cluster(**FAST) as made:
        yield made


def new_database(made: Cluster, *, migrate: bool = True) -> str:
    """The URL of a new database."""
    name = f"k{next(numbers)}"
    made.execute(f"CREATE DATABASE {name}")
    if migrate:
        store = Store(made.url(name))
        store.migrate()
        store.dispose()
    return made.url(name)


def sql(made: Cluster, url: str, statement: str) -> list[Any]:
    with made.connect(re.findall(r"@/(\w+)", url)[0]) as connection:
        return connection.execute(statement).fetchall()  # type: ignore[call-overload]


def dense(made: Cluster, url: str, **answered: int) -> None:
    """Each session has its rows without a gap, at least those that were answered."""
    heads = sql(
        made,
        url,
        "SELECT id, seq, (SELECT count(*) FROM journal WHERE session_id = id), "
        "(SELECT coalesce(max(journal.seq), 0) FROM journal WHERE session_id = id) FROM sessions",
    )
    for sid, head, rows, last in heads:
        assert head == rows == last
        assert head >= answered.get(sid, 0)


# -- two servers, one class ----------------------------------------------------------------------------------


@contextmanager
def two_servers(folder: Path, url: str, **environ: str) -> Iterator[tuple[str, str, str]]:
    """Two servers in lab mode: their addresses, and the link for the first instructor.

    Each that starts before there is an instructor prints a link, and the last one counts.
    """
    given = {"KMEMLAB_DATABASE_URL": url, **environ}
    with served(folder, "--lab", **given) as one, lab_server(folder, **given) as (other, link):
        yield one.address, other, link


async def one_class(addresses: tuple[str, str], link: str) -> None:
    """Forty students join, call and follow, each through the one or the other server."""
    boss = await instructor(addresses[0], link)
    lab = await boss("POST", "/labs", title="Two servers")
    shared = await boss("POST", "/sessions", name="shared", machine={"profile": "tiny-16m"})
    await boss("POST", f"/labs/{lab['id']}/machines", session=shared["id"], kind="operate")
    students = await asyncio.gather(
        *(enter(addresses[n % 2], "/join", code=lab["code"], nickname="Kim") for n in range(40))
    )
    numbers = [one.entered["member"]["number"] for one in students]
    assert sorted(numbers) == list(range(1, 41))
    assert len({one.entered["member"]["nickname"] for one in students}) == 40
    path = f"/sessions/{shared['id']}"
    rows = await asyncio.gather(
        *(one("POST", f"{path}/alloc_page", **PAGE) for one in students for _ in range(5))
    )
    assert sorted(row["seq"] for row in rows) == list(range(1, 201))
    await precondition_across(students, path)
    await key_across(students, path)
    await followers_across(students, path)
    for one in [boss, *students]:
        await one.client.aclose()


async def precondition_across(students: list[Http], path: str) -> None:
    """Of many that build on one seq, at either server, exactly one is done."""
    seq = (await students[0]("GET", path))["seq"]
    headers = {"if-match": f'"{seq}"'}
    calls = [one.client.post(f"{path}/alloc_page", json=PAGE, headers=headers) for one in students[:20]]
    assert Counter(answer.status_code for answer in await asyncio.gather(*calls)) == {201: 1, 412: 19}


async def key_across(students: list[Http], path: str) -> None:
    """A request that one person sends to both servers at once is done once."""
    one = students[0]
    other = Http(str(students[1].client.base_url).removesuffix("/api/v1/"), one.entered["token"])
    for number in range(5):
        headers = {"idempotency-key": f"both-{number}"}
        sent = [
            side.client.post(f"{path}/alloc_page", json=PAGE, headers=headers) for side in (one, other) * 4
        ]
        answers = await asyncio.gather(*sent)
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
    await other.client.aclose()


async def followers_across(students: list[Http], path: str) -> None:
    """Who follows at one server sees what is called at the other within half a second, mostly."""
    reader, caller = students[1], students[0]
    lags = []
    async with reader.client.stream("GET", f"{path}/events/stream") as stream:
        lines = stream.aiter_lines()
        for _ in range(10):
            sent = time.monotonic()
            row = await caller("POST", f"{path}/alloc_page", **PAGE)
            async with asyncio.timeout(PATIENCE):
                async for line in lines:
                    if line.startswith("data:") and json.loads(line[5:])["seq"] == row["seq"]:
                        break
            lags.append(time.monotonic() - sent)
    print(f"lag of a follower at the other server: median {sorted(lags)[5]:.3f} s, max {max(lags):.3f} s")


def test_two_servers_serve_one_class(here: Cluster, tmp_path: Path) -> None:
    url = new_database(here)
    with two_servers(tmp_path, url) as (one, other, link):
        asyncio.run(one_class((one, other), link))
    dense(here, url)
    checked = kmemlab(tmp_path, "verify", KMEMLAB_DATABASE_URL=url)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_attempts_to_sign_in_do_not_multiply(here: Cluster, tmp_path: Path) -> None:
    with two_servers(tmp_path, new_database(here)) as (one, other, link), httpx2.Client() as client:
        asyncio.run(set_up(one, link))
        wrong = {"name": "Prof. Kim", "password": "wrong horse battery"}
        doors = [f"{address}/api/v1/signin" for address in (one, other)]
        tried = [client.post(doors[n % 2], json=wrong).status_code for n in range(8)]
        assert tried[:6] == [403] * 5 + [429]
        unknown = [client.post(doors[n % 2], json={"name": f"{n}", "password": "x" * 12}) for n in range(24)]
        # Ten at once and one a second, from one address.
        assert 5 <= Counter(answer.status_code for answer in unknown)[403] < 20


async def set_up(address: str, link: str) -> None:
    boss = await instructor(address, link)
    await boss.client.aclose()


def test_rates_do_not_multiply(here: Cluster, tmp_path: Path) -> None:
    """Each server alone would let pass sixty at once."""
    limits = {"KMEMLAB_RATE_PER_SECOND": "1", "KMEMLAB_RATE_BURST": "60"}
    url = new_database(here)
    with contextlib.ExitStack() as stack, httpx2.Client() as client:
        servers = on_two(tmp_path, url, stack, **limits)
        passed = 0
        for number in range(140):
            passed += client.get(f"{servers[number % 2].base}/profiles").status_code == 200
            time.sleep(0.02)
    # Sixty, three that come back meanwhile, and what passes between two looks.
    assert 55 <= passed < 90


def test_four_processes_migrate_at_once(here: Cluster, tmp_path: Path) -> None:
    for _ in range(2):
        url = new_database(here, migrate=False)
        with ThreadPoolExecutor(4) as threads:
            begun_at_once = [
                threads.submit(kmemlab, tmp_path, "migrate", KMEMLAB_DATABASE_URL=url) for _ in range(4)
            ]
            done = [one.result() for one in begun_at_once]
        assert [one.returncode for one in done] == [0] * 4, done
        store = Store(url)
        store.check()
        store.dispose()


def test_a_row_that_is_held_stalls_no_other_session(here: Cluster, tmp_path: Path) -> None:
    url = new_database(here)
    with served(tmp_path, KMEMLAB_DATABASE_URL=url, KMEMLAB_BUSY_TIMEOUT="1") as server:
        held, free = server.create(), server.create()
        assert alloc(server, held).json()["seq"] == 1
        with here.connect(re.findall(r"@/(\w+)", url)[0]) as other:
            other.execute("BEGIN")
            other.execute("SELECT 1 FROM sessions WHERE id = %s FOR UPDATE", (held.rpartition("/")[2],))
            waiting = threading.Thread(target=alloc, args=(server, held))
            waiting.start()
            for number in range(1, 21):
                answer = alloc(server, free)
                assert answer.json()["seq"] == number
                assert answer.elapsed.total_seconds() < 0.9  # nobody waits for the second of the other's lock
            waiting.join()
            assert "another server" in refused(alloc(server, held), 503)
            other.execute("ROLLBACK")
        assert alloc(server, held).json()["seq"] == 2


# -- the database goes away ----------------------------------------------------------------------------------


class Load:
    """Threads that call sessions at several servers: what they were answered, and why refused."""

    def __init__(self, bases: list[str], count: int = 8) -> None:
        self.answered: Counter[str] = Counter()
        self.seqs: dict[str, set[int]] = {}
        self.statuses: Counter[int] = Counter()
        self.words: set[str] = set()
        self._on = True
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(bases[n % len(bases)],)) for n in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, base: str) -> None:
        sid = base.rpartition("/")[2]
        with httpx2.Client(timeout=PATIENCE) as client:
            while self._on:
                answer = client.post(f"{base}/alloc_page", json=PAGE)
                with self._lock:
                    self.statuses[answer.status_code] += 1
                    if answer.status_code == 201:
                        self.seqs.setdefault(sid, set()).add(answer.json()["seq"])
                    else:
                        self.words.add(refused(answer, 503, 507))

    @property
    def calls(self) -> int:
        return self.statuses[201]

    def stop(self) -> None:
        self._on = False
        for thread in self._threads:
            thread.join()


def on_two(folder: Path, url: str, stack: contextlib.ExitStack, **environ: str) -> tuple[Served, Served]:
    given = {"KMEMLAB_DATABASE_URL": url, "KMEMLAB_BUSY_TIMEOUT": "1", **environ}
    return (
        stack.enter_context(served(folder, **given)),
        stack.enter_context(served(folder, **given)),
    )


def went_on(load: Load) -> None:
    """Calls are answered again."""
    before = load.calls
    eventually(lambda: load.calls > before + 50)


def kept(made: Cluster, url: str, load: Load) -> None:
    """Every call that was answered is in the journal, once, and no journal has a gap."""
    dense(made, url, **{sid: max(seqs) for sid, seqs in load.seqs.items()})
    assert set(load.statuses) <= {201, 503, 507}


def test_an_immediate_restart_loses_nothing(tmp_path: Path) -> None:
    with cluster(**SAFE) as made, contextlib.ExitStack() as stack:
        url = new_database(made)
        one, other = on_two(tmp_path, url, stack)
        sessions = [one.create() for _ in range(3)]
        load = Load([server.base + session for session in sessions for server in (one, other)])
        went_on(load)
        for _ in range(2):
            made.stop("immediate")
            assert eventually(lambda: readiness(one) == 503)
            assert "cannot be reached" in refused(httpx2.get(one.base + sessions[0]), 503)
            made.start(**SAFE)
            went_on(load)
        load.stop()
        assert eventually(lambda: readiness(one) == readiness(other) == 200)
        kept(made, url, load)
        assert load.statuses[503]


def test_a_standby_takes_over(tmp_path: Path) -> None:
    """Commits wait for the standby, so what was answered is there when it is promoted."""
    both = {**SAFE, "wal_level": "replica", "max_wal_senders": "4", "hot_standby": "on"}
    first = begun(**both)
    try:
        first.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        with standby_of(first, **both) as second, contextlib.ExitStack() as stack:
            first.execute("SELECT pg_reload_conf()")
            first.execute("CREATE DATABASE class")
            hosts = f"host={first.folder}&host={second.folder}&target_session_attrs=read-write"
            url = f"postgresql+psycopg://kmemlab@/class?{hosts}"
            store = Store(url)
            store.migrate()
            store.dispose()
            one, other = on_two(tmp_path, url, stack)
            sessions = [one.create() for _ in range(3)]
            load = Load([server.base + session for session in sessions for server in (one, other)])
            went_on(load)
            lost = time.monotonic()
            first.stop("immediate")
            second.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
            second.run("pg_ctl", "promote", "-w", "-D", second.folder / "data")
            second.execute("SELECT pg_reload_conf()")
            went_on(load)
            print(f"calls are answered again {time.monotonic() - lost:.1f} s after the first server was lost")
            load.stop()
            kept(second, second.url("class"), load)
    finally:
        ended(first)


@contextmanager
def standby_of(first: Cluster, **settings: str) -> Iterator[Cluster]:
    """A second server that follows the first."""
    folder = first.folder / "standby"
    second = Cluster(folder, first.bin)
    folder.mkdir()
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    first.run(
        "pg_basebackup", "-h", first.folder, "-U", "kmemlab", "-D", folder / "data", "-R", "-X", "stream"
    )
    second.start(**settings)
    try:
        yield second
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            second.stop("immediate")


def test_a_full_disk(tmp_path: Path) -> None:
    """The tables lie on a small file system: what has no room there is refused, and the rest goes on."""
    with mounted(tmp_path / "small", "48m") as small, cluster(**FAST) as made:
        subprocess.run(["chown", "postgres", small], check=True)
        subprocess.run(["chmod", "711", tmp_path, *tmp_path.parents[:-2]], check=True)
        made.execute(f"CREATE TABLESPACE small LOCATION '{small}'")
        made.execute("CREATE DATABASE full_disk TABLESPACE small")
        url = made.url("full_disk")
        store = Store(url)
        store.migrate()
        store.dispose()
        with served(tmp_path, KMEMLAB_DATABASE_URL=url) as server:
            session = server.create("x86_64-1g")
            ballast = small / "ballast"
            with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while file.write(bytes(64 << 10)):
                    pass
            batch = {"calls": [{"call": "alloc_pages", "gfp": "GFP_KERNEL", "order": 0}] * 1000}
            answers = [httpx2.post(f"{server.base}{session}/calls", json=batch) for _ in range(20)]
            assert "no room" in refused(answers[-1], 507)
            head = httpx2.get(server.base + session).json()["seq"]
            assert httpx2.get(f"{server.base}{session}/zones").status_code == 200
            ballast.unlink()
            assert eventually(lambda: alloc(server, session).status_code == 201)
            assert httpx2.get(server.base + session).json()["seq"] == head + 1
        dense(made, url)


def test_a_commit_that_is_not_confirmed_says_so(here: Cluster, tmp_path: Path) -> None:
    """The connection is lost while it commits: nobody knows at that moment whether the row is there."""
    url = new_database(here)
    database = re.findall(r"@/(\w+)", url)[0]
    here.execute(
        "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$",
        database,
    )
    with served(tmp_path, KMEMLAB_DATABASE_URL=url) as server:
        session = server.create()
        here.execute(
            "CREATE CONSTRAINT TRIGGER lose AFTER INSERT ON journal DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION lose()",
            database,
        )
        assert "look whether it was done" in refused(alloc(server, session), 503)
        here.execute("DROP TRIGGER lose ON journal", database)
        assert alloc(server, session).json()["seq"] == 1
        assert readiness(server) == 200
    dense(here, url)


def test_a_reading_sees_one_moment_and_writes_nothing(here: Cluster, tmp_path: Path) -> None:
    url = new_database(here)
    database = re.findall(r"@/(\w+)", url)[0]
    count = "SELECT count(*) FROM audit"
    insert = "INSERT INTO audit (time, actor, act, target, detail) VALUES ('t', 'a', 'act', '', '')"
    store = Store(url)
    with store.reading() as db:
        before = db.exec_driver_sql(count).scalar_one()
        here.execute(insert, database)
        assert db.exec_driver_sql(count).scalar_one() == before
    with pytest.raises(StorageFull, match="read-only"), store.reading() as db:
        db.exec_driver_sql(insert)
    with store.writing() as db:
        assert db.exec_driver_sql(count).scalar_one() == before + 1
        other = Store(url, busy_timeout=0.2)
        with pytest.raises(Busy, match="held"), other.writing():
            pass
        with other.changing_rows() as rows:
            rows.exec_driver_sql(insert)
        other.dispose()
    store.dispose()


def test_the_audit_log_cannot_be_emptied(here: Cluster, tmp_path: Path) -> None:
    url = new_database(here)
    database = re.findall(r"@/(\w+)", url)[0]
    insert = "INSERT INTO audit (time, actor, act, target, detail) VALUES ('t', 'a', 'act', '', '')"
    here.execute(insert, database)
    for statement in ("DELETE FROM audit", "UPDATE audit SET act = 'x'", "TRUNCATE audit"):
        with pytest.raises(psycopg.errors.RaiseException, match="only added to"):
            here.execute(statement, database)
    assert sql(here, url, "SELECT count(*) FROM audit") == [(1,)]

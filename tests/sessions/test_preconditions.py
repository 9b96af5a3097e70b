"""Work on preconditions, decided by the writer: in races, in failing groups, beside others, after crashes."""

import asyncio
import signal
import sqlite3
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy.exc import OperationalError

from app.sessions import (
    LOCAL,
    AlreadyAnswered,
    Applied,
    BatchAnswer,
    IdempotencyKey,
    KeyReused,
    Preconditions,
    Reply,
    Sessions,
    Stale,
)
from app.sessions import preconditions as terms_module
from app.sessions.preconditions import sweep
from app.settings import Settings
from app.store import Store, journal
from tests.support.factories import TINY, alloc, raw, seqs, serving, settings_for
from tests.support.patience import PATIENCE
from tests.support.served_process import served

PAGE = {"gfp": "GFP_KERNEL"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_for(tmp_path, busy_timeout=0.2, sessions_per_owner=4)


@pytest.fixture
async def sessions(settings: Settings) -> AsyncIterator[Sessions]:
    async with serving(settings) as sessions:
        yield sessions


@pytest.fixture
async def sid(sessions: Sessions) -> str:
    return (await sessions.create(LOCAL, "s", TINY)).id


def idempotency_key(key: str, fingerprint: str = "f", at: int | None = None) -> Preconditions:
    return Preconditions(at, IdempotencyKey(LOCAL.id, key, fingerprint, told))


def told(result: Any) -> Reply:
    """What a route would answer."""
    if isinstance(result, Applied):
        return Reply(201, (("etag", f'"{result.seq}"'),), result.body)
    if isinstance(result, list):
        return Reply(201, (), b"".join(made.body for made in result))
    return Reply(201, (), result.id.encode())


def call(sessions: Sessions, sid: str, preconditions: Preconditions | None = None) -> Any:
    return sessions.apply(LOCAL, sid, "alloc_page", PAGE, preconditions=preconditions)


async def outcomes(*calls: Any) -> list[Any]:
    return list(await asyncio.gather(*calls, return_exceptions=True))


def kinds(results: list[Any]) -> dict[str, int]:
    names = [type(result).__name__ for result in results]
    return {name: names.count(name) for name in names}


# -- If-Match ----------------------------------------------------------------------------------


async def test_of_fifty_with_one_seq_one_wins(sessions: Sessions, sid: str) -> None:
    for seq in range(10):
        results = await outcomes(*(call(sessions, sid, Preconditions(seq)) for _ in range(50)))
        assert kinds(results) == {"Applied": 1, "Stale": 49}
        assert {error.seq for error in results if isinstance(error, Stale)} == {seq + 1}
    assert await seqs(sessions, sid) == list(range(1, 11))


async def test_of_fifty_at_two_servers_one_wins(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, busy_timeout=60.0)
    async with serving(settings) as one, serving(settings) as other:
        sid = (await one.create(LOCAL, "s", TINY)).id
        batch = [alloc()] * 3
        head = 0
        for _ in range(5):
            results = await outcomes(
                *(call(side, sid, Preconditions(head)) for side in (one, other) for _ in range(20)),
                *(side.batch(LOCAL, sid, batch, preconditions=Preconditions(head)) for side in (one, other)),
                *(
                    side.batch(LOCAL, sid, batch * 100, preconditions=Preconditions(head))
                    for side in (one, other)
                ),
            )
            won = [result for result in results if not isinstance(result, Stale)]
            assert len(won) == 1, kinds(results)
            head = won[0].seq if isinstance(won[0], Applied) else won[0][-1].seq
        assert await seqs(one, sid) == list(range(1, head + 1))


# -- Idempotency-Key ---------------------------------------------------------------------------


async def test_one_key_at_once(sessions: Sessions, sid: str, settings: Settings) -> None:
    results = await outcomes(*(call(sessions, sid, idempotency_key("k")) for _ in range(300)))
    assert kinds(results) == {"Applied": 1, "AlreadyAnswered": 299}
    bodies = {told(r).body if isinstance(r, Applied) else r.reply.body for r in results}
    assert len(bodies) == 1
    assert await seqs(sessions, sid) == [1]
    with raw(settings) as db:
        assert db.execute("SELECT count(*) FROM replies").fetchone() == (1,)


@pytest.mark.parametrize("calls", [3, 500], ids=["short", "long"])
async def test_one_key_of_a_batch(sessions: Sessions, sid: str, calls: int) -> None:
    batch = [alloc()] * calls
    results = await outcomes(
        *(sessions.batch(LOCAL, sid, batch, preconditions=idempotency_key("k")) for _ in range(20))
    )
    assert kinds(results) == {"BatchAnswer": 1, "AlreadyAnswered": 19}
    assert await seqs(sessions, sid) == list(range(1, calls + 1))


async def test_one_key_in_two_sessions(sessions: Sessions, sid: str) -> None:
    """The long batch has begun before the call, and ends after it: one of them is too late."""
    other = (await sessions.create(LOCAL, "other", TINY)).id
    batch, single = await outcomes(
        sessions.batch(LOCAL, sid, [alloc()] * 500, preconditions=idempotency_key("k", "batch")),
        call(sessions, other, idempotency_key("k", "call")),
    )
    assert {type(batch), type(single)} in ({BatchAnswer, KeyReused}, {KeyReused, Applied})
    made = (len(await seqs(sessions, sid)), len(await seqs(sessions, other)))
    assert made == ((500, 0) if isinstance(batch, list) else (0, 1))
    # Whichever it was, both sessions go on.
    assert (await call(sessions, sid)).seq == made[0] + 1
    assert (await call(sessions, other)).seq == made[1] + 1


async def test_what_was_done_is_told_though_it_could_not_be_done_again(
    sessions: Sessions, sid: str, settings: Settings
) -> None:
    await call(sessions, sid)
    info = await sessions.fork(LOCAL, sid, 1, preconditions=idempotency_key("fork"))
    exported = b"".join([part async for part in (await sessions.export(LOCAL, sid))[1]])
    imported = await sessions.import_(LOCAL, BytesIO(exported), preconditions=idempotency_key("import"))
    await sessions.delete(LOCAL, sid)
    for _ in range(2):
        await sessions.create(LOCAL, None, TINY)
    assert len((await sessions.list(LOCAL)).items) == settings.sessions_per_owner
    with pytest.raises(AlreadyAnswered) as found:
        await sessions.fork(LOCAL, sid, 1, preconditions=idempotency_key("fork"))
    assert found.value.reply.body.decode() == info.id
    with pytest.raises(AlreadyAnswered) as found:
        await sessions.import_(LOCAL, BytesIO(exported), preconditions=idempotency_key("import"))
    assert found.value.reply.body.decode() == imported.id
    with pytest.raises(KeyReused):
        await sessions.fork(LOCAL, info.id, preconditions=idempotency_key("fork", "another"))


async def test_one_session_is_made(sessions: Sessions) -> None:
    results = await outcomes(
        *(sessions.create(LOCAL, None, TINY, preconditions=idempotency_key("k")) for _ in range(20))
    )
    assert kinds(results) == {"SessionInfo": 1, "AlreadyAnswered": 19}
    assert len((await sessions.list(LOCAL)).items) == 1


async def test_a_failed_group_leaves_no_reply(
    sessions: Sessions, sid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = journal.append
    broken = True

    def fail(db: Any, rows: Any, made: Any) -> None:
        append(db, rows, made)
        if broken:
            cause = sqlite3.OperationalError("held")
            cause.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise OperationalError("COMMIT", None, cause)

    monkeypatch.setattr(journal, "append", fail)
    # What is seen of a group that fails has not happened: no reply to it, no seq moved by it.
    results = await outcomes(
        *(call(sessions, sid, idempotency_key("k")) for _ in range(5)),
        *(call(sessions, sid, Preconditions(0)) for _ in range(5)),
        sessions.apply(LOCAL, sid, "alloc_page", {"gfp": "NO"}),
    )
    assert kinds(results) == {"Busy": 10, "BadArgument": 1}
    assert await seqs(sessions, sid) == []
    broken = False
    assert (await call(sessions, sid, idempotency_key("k"))).seq == 1
    with pytest.raises(AlreadyAnswered):
        await call(sessions, sid, idempotency_key("k"))


async def test_an_answer_that_cannot_be_made_fails_alone(sessions: Sessions, sid: str) -> None:
    def poison(_: Any) -> Reply:
        raise RuntimeError("poison")

    bad = Preconditions(None, IdempotencyKey(LOCAL.id, "bad", "f", poison))
    results = await outcomes(
        call(sessions, sid),
        call(sessions, sid, bad),
        call(sessions, sid),
        call(sessions, sid, idempotency_key("k")),
    )
    assert kinds(results) == {"Applied": 3, "RuntimeError": 1}
    assert await seqs(sessions, sid) == [1, 2, 3]
    assert await sessions.read(LOCAL, sid, lambda machine: machine.live_blocks) == 3
    assert (await call(sessions, sid, idempotency_key("bad"))).seq == 4


async def test_a_key_is_free_again_after_a_day(
    sessions: Sessions, sid: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in "abcdefg":
        await call(sessions, sid, idempotency_key(key))
    with raw(settings) as db:
        db.execute("UPDATE replies SET created = '2026-01-01T00:00:00.000Z' WHERE key < 'f'")
        # Nobody has looked yet whether it is outdated.
        assert (await call(sessions, sid, idempotency_key("a", "something else"))).seq == 8
        monkeypatch.setattr(terms_module, "DELETED_AT_ONCE", 2)
        store = Store.of(settings)
        sweep(store)
        store.dispose()
        assert db.execute("SELECT key FROM replies ORDER BY key").fetchall() == [("a",), ("f",), ("g",)]
    for key in "fg":
        with pytest.raises(AlreadyAnswered):
            await call(sessions, sid, idempotency_key(key))
    assert (await call(sessions, sid, idempotency_key("b"))).seq == 9


async def test_sweeping_waits_for_better_times(sessions: Sessions, sid: str, settings: Settings) -> None:
    await call(sessions, sid, idempotency_key("k"))
    with raw(settings) as db:
        db.execute("UPDATE replies SET created = ''")
        db.execute("BEGIN IMMEDIATE")
        store = Store.of(settings)
        sweep(store)
        store.dispose()
        db.execute("ROLLBACK")
        assert db.execute("SELECT count(*) FROM replies").fetchone() == (1,)


async def test_one_key_at_two_servers(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, busy_timeout=60.0)
    async with serving(settings) as one, serving(settings) as other:
        sid = (await one.create(LOCAL, "s", TINY)).id
        for number in range(20):
            results = await outcomes(
                *(call(side, sid, idempotency_key(f"{number}")) for side in (one, other) for _ in range(5)),
                *(
                    side.create(LOCAL, None, TINY, preconditions=idempotency_key(f"new-{number}"))
                    for side in (one, other)
                ),
            )
            assert kinds(results) == {"Applied": 1, "AlreadyAnswered": 10, "SessionInfo": 1}
        assert await seqs(one, sid) == list(range(1, 21))


# -- served ------------------------------------------------------------------------------------


def post(client: httpx2.Client, url: str, key: str) -> httpx2.Response:
    return client.post(url, json=PAGE, headers={"Idempotency-Key": key})


def once_in_many_threads(folder: Path, requests: int) -> None:
    """Eight threads, two processes on one file, one key: one effect, and all answers the same bytes."""
    with served(folder) as one, served(folder) as other, httpx2.Client() as client:
        path = one.create()
        urls = [f"{server.base}{path}/alloc_page" for server in (one, other)]
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda n: post(client, urls[n % 2], "key"), range(requests)))
        assert {(a.status_code, a.content, a.headers["etag"]) for a in answers} == {
            (201, answers[0].content, '"1"')
        }
        assert client.get(f"{one.base}{path}").json()["seq"] == 1


@pytest.mark.slow
def test_one_key_in_eight_threads(tmp_path: Path) -> None:
    once_in_many_threads(tmp_path, 200)


@pytest.mark.soak
def test_one_key_a_thousand_times(tmp_path: Path) -> None:
    once_in_many_threads(tmp_path, 1000)


def kill_and_send_again(folder: Path, after: int) -> None:
    """Kills a server under eight writers, then sends everything again, as a client without an answer does."""
    keys = [f"key-{number}" for number in range(200)]
    answers: dict[str, bytes] = {}
    with served(folder) as first, httpx2.Client() as client:
        path = first.create()

        def write(key: str) -> None:
            try:
                answer = post(client, f"{first.base}{path}/alloc_page", key)
            except httpx2.TransportError:
                return
            answers[key] = answer.content
            if len(answers) == after:
                first.process.send_signal(signal.SIGKILL)

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(write, keys))
        first.process.communicate(timeout=PATIENCE)
    assert after <= len(answers) < len(keys)
    with served(folder) as second, httpx2.Client() as client:
        again = {key: post(client, f"{second.base}{path}/alloc_page", key).content for key in keys}
        assert {key: again[key] for key in answers} == answers
        assert len(set(again.values())) == len(keys)
        # Each once: those whose answer was lost too.
        assert client.get(f"{second.base}{path}").json()["seq"] == len(keys)


def test_a_crash_between_the_rows_and_the_answer(tmp_path: Path) -> None:
    kill_and_send_again(tmp_path, 60)


@pytest.mark.soak
@pytest.mark.parametrize("after", range(5, 155, 5))
def test_thirty_crashes(tmp_path: Path, after: int) -> None:
    kill_and_send_again(tmp_path, after)

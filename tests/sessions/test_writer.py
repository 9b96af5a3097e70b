"""The writer: groups, commits that fail, other processes on the same file."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from app.sessions import LOCAL, Busy, Sessions, StorageFull
from app.sessions.batches import RunningBatch
from app.settings import Settings
from app.store import journal
from app.store import sessions as rows_of_sessions
from tests.support.factories import TINY, alloc, database, free, raw, seqs, serving, settings_for
from tests.support.patience import PATIENCE, SOON

# Seconds for which a patient server waits for a lock: a busy machine adds less than as much again.
WAIT = 3.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_for(tmp_path, busy_timeout=0.2)


@pytest.fixture
async def sessions(settings: Settings) -> AsyncIterator[Sessions]:
    async with serving(settings) as sessions:
        yield sessions


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[Sessions, Sessions]]:
    """Two servers on one file, as two processes would be: nothing shared, and patient with each other."""
    settings = settings_for(tmp_path, busy_timeout=60.0)
    async with serving(settings) as one, serving(settings) as other:
        yield one, other


@pytest.fixture
async def sid(sessions: Sessions) -> str:
    return (await sessions.create(LOCAL, "s", TINY)).id


def call(sessions: Sessions, sid: str) -> Any:
    return sessions.apply(LOCAL, sid, "alloc_page", {"gfp": "GFP_KERNEL"})


async def test_many_calls_share_a_commit(
    sessions: Sessions, sid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: list[int] = []
    append = journal.append

    def count(db: Any, rows: Any, made: Any) -> None:
        groups.append(len(rows))
        append(db, rows, made)

    monkeypatch.setattr(journal, "append", count)
    other = (await sessions.create(LOCAL, "other", TINY)).id
    answers = await asyncio.gather(*(call(sessions, s) for s in (sid, other) * 100))
    assert sum(groups) == 200
    assert len(groups) < 100
    assert max(groups) <= 256
    assert [a.seq for a in answers[::2]] == [a.seq for a in answers[1::2]] == list(range(1, 101))
    assert await seqs(sessions, sid) == list(range(1, 101))


async def test_answered_means_committed(sessions: Sessions, sid: str, settings: Settings) -> None:
    for seq in range(1, 6):
        applied = await call(sessions, sid)
        with raw(settings) as db:
            assert db.execute("SELECT max(seq) FROM journal").fetchone() == (seq,)
            assert db.execute("SELECT outcome FROM journal WHERE seq = ?", (seq,)).fetchone() == (
                applied.body,
            )


async def test_a_locked_database_is_busy_and_recovers(
    sessions: Sessions, sid: str, settings: Settings
) -> None:
    await call(sessions, sid)
    with raw(settings) as db:
        db.execute("BEGIN IMMEDIATE")
        results = await asyncio.gather(
            *(call(sessions, sid) for _ in range(5)),
            sessions.create(LOCAL, None, TINY),
            sessions.batch(LOCAL, sid, [alloc()] * 300),
            return_exceptions=True,
        )
        assert {type(result) for result in results} == {Busy}
        # Reading goes on.
        assert await sessions.read(LOCAL, sid, lambda machine: machine.live_blocks) == 1
        assert len((await sessions.list(LOCAL)).items) == 1
        db.execute("ROLLBACK")
    assert (await call(sessions, sid)).seq == 2
    assert await sessions.read(LOCAL, sid, lambda machine: machine.live_blocks) == 2


async def took(answer: Awaitable[Any]) -> tuple[float, Any]:
    """For how long an answer was waited for, and what it was."""
    begun = time.monotonic()
    (result,) = await asyncio.gather(answer, return_exceptions=True)
    return time.monotonic() - begun, result


async def later(seconds: float, answer: Awaitable[Any]) -> tuple[float, Any]:
    await asyncio.sleep(seconds)
    return await took(answer)


@pytest.fixture
async def patient(tmp_path: Path) -> AsyncIterator[Sessions]:
    """A server that waits for a lock for three seconds."""
    async with serving(settings_for(tmp_path, busy_timeout=WAIT)) as sessions:
        yield sessions


async def test_who_comes_while_another_waits_for_the_lock_waits_no_longer(
    patient: Sessions, tmp_path: Path
) -> None:
    """Each has the whole time for itself, from when it came: neither less nor twice as much."""
    sid = (await patient.create(LOCAL, "s", TINY)).id
    with raw(settings_for(tmp_path)) as db:
        db.execute("BEGIN IMMEDIATE")
        answers = await asyncio.gather(*(later(seconds / 5, call(patient, sid)) for seconds in range(9)))
        db.execute("ROLLBACK")
    assert {type(result) for _, result in answers} == {Busy}
    assert all(WAIT <= seconds < 2 * WAIT for seconds, _ in answers), answers
    assert (await call(patient, sid)).seq == 1


async def test_more_than_a_group_waits_no_longer(patient: Sessions, tmp_path: Path) -> None:
    sid = (await patient.create(LOCAL, "s", TINY)).id
    with raw(settings_for(tmp_path)) as db:
        db.execute("BEGIN IMMEDIATE")
        first = asyncio.create_task(took(call(patient, sid)))
        await asyncio.sleep(0.1)
        answers = await asyncio.gather(*(took(call(patient, sid)) for _ in range(1000)))
        db.execute("ROLLBACK")
    assert {type(result) for _, result in [*answers, await first]} == {Busy}
    # If each group waited anew, the last of the four would wait four times as long.
    assert max(seconds for seconds, _ in answers) < 3 * WAIT


async def test_who_has_time_left_is_served_when_the_lock_is_free(patient: Sessions, tmp_path: Path) -> None:
    sid = (await patient.create(LOCAL, "s", TINY)).id
    with raw(settings_for(tmp_path)) as db:
        db.execute("BEGIN IMMEDIATE")
        first = asyncio.create_task(took(call(patient, sid)))
        others = [asyncio.create_task(later(WAIT / 2, call(patient, sid))) for _ in range(300)]
        assert isinstance((await first)[1], Busy)
        db.execute("ROLLBACK")
    results = [(await other)[1] for other in others]
    assert [result.seq for result in results] == list(range(1, 301))


async def test_reading_does_not_wait_for_the_lock(patient: Sessions, tmp_path: Path) -> None:
    """Neither what comes with a call that waits, nor what comes after it."""
    sid = (await patient.create(LOCAL, "s", TINY)).id
    with raw(settings_for(tmp_path)) as db:
        db.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(took(call(patient, sid)))
        for pause in (0.0, 0.1):
            await asyncio.sleep(pause)
            seconds, live = await took(patient.read(LOCAL, sid, lambda machine: machine.live_blocks))
            assert live == 0
            assert seconds < WAIT
        assert not waiting.done()
        assert isinstance((await waiting)[1], Busy)
        db.execute("ROLLBACK")


async def test_who_waits_behind_a_long_batch_waits_no_longer(
    patient: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch is made, and cannot be written: its session is closed to others until it is given up."""
    sid = (await patient.create(LOCAL, "s", TINY)).id
    step = RunningBatch.step
    with raw(settings_for(tmp_path)) as db:

        def lock(self: RunningBatch, calls: int, until: float) -> None:
            if not locked.is_set():
                loop.call_soon_threadsafe(locked.set)
                holding.result(timeout=PATIENCE)
            step(self, calls, until)

        loop, locked, holding = asyncio.get_running_loop(), asyncio.Event(), Future[None]()
        monkeypatch.setattr(RunningBatch, "step", lock)
        batch = asyncio.create_task(took(patient.batch(LOCAL, sid, [alloc()] * 300)))
        await locked.wait()
        db.execute("BEGIN IMMEDIATE")
        holding.set_result(None)
        behind = await asyncio.gather(*(later(seconds, call(patient, sid)) for seconds in (0.0, 0.5)))
        db.execute("ROLLBACK")
    assert {type(result) for _, result in [*behind, await batch]} == {Busy}
    assert all(seconds < 2 * WAIT for seconds, _ in behind), behind
    assert await patient.read(LOCAL, sid, lambda machine: machine.live_blocks) == 0
    assert (await call(patient, sid)).seq == 1


async def test_a_server_ends_while_another_holds_the_lock(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path, busy_timeout=60.0)) as sessions:
        sid = (await sessions.create(LOCAL, "s", TINY)).id
        with raw(settings_for(tmp_path)) as db:
            db.execute("BEGIN IMMEDIATE")
            waiting = asyncio.create_task(took(call(sessions, sid)))
            await asyncio.sleep(0.1)
            assert (await took(sessions.stop()))[0] < SOON
            assert "stopping" in str((await waiting)[1])


@pytest.mark.parametrize("calls", [1, 300], ids=["short", "long"])
@pytest.mark.parametrize(
    ("error", "ours"), [("SQLITE_FULL", StorageFull), ("SQLITE_IOERR", StorageFull), ("SQLITE_BUSY", Busy)]
)
async def test_a_failed_commit_undoes_the_group(
    sessions: Sessions,
    sid: str,
    error: str,
    ours: type[Exception],
    calls: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await sessions.batch(LOCAL, sid, [alloc(0, "p")])
    before = await sessions.dump(LOCAL, sid)
    append = journal.append
    broken = True

    def fail(db: Any, rows: Any, made: Any) -> None:
        append(db, rows, made)
        if broken:
            cause = sqlite3.OperationalError(error)
            cause.sqlite_errorcode = getattr(sqlite3, error)
            from sqlalchemy.exc import OperationalError  # noqa: PLC0415 - the driver's error as it arrives

            raise OperationalError("COMMIT", None, cause)

    monkeypatch.setattr(journal, "append", fail)
    results = await asyncio.gather(
        sessions.batch(LOCAL, sid, [free("$p"), alloc(0, "p"), *[alloc()] * calls]),
        *(call(sessions, sid) for _ in range(5)),
        return_exceptions=True,
    )
    assert {type(result) for result in results} == {ours}
    assert await seqs(sessions, sid) == [1]
    broken = False
    assert await sessions.dump(LOCAL, sid) == before
    assert await sessions.read(LOCAL, sid, lambda machine: machine.live_blocks) == 1
    assert (await sessions.batch(LOCAL, sid, [free("$p")]))[0].seq == 2
    assert await sessions.read(LOCAL, sid, lambda machine: machine.live_blocks) == 0


async def test_a_mistake_of_ours_in_a_statement_fails_it_alone(
    sessions: Sessions, sid: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_db: Any, _session_id: str, _name: str) -> None:
        raise LookupError("a mistake of ours")

    monkeypatch.setattr(rows_of_sessions, "rename", fail)
    results = await asyncio.gather(
        *(call(sessions, sid) for _ in range(5)),
        sessions.rename(LOCAL, sid, "new"),
        *(call(sessions, sid) for _ in range(5)),
        return_exceptions=True,
    )
    (error,) = [result for result in results if isinstance(result, Exception)]
    assert isinstance(error, LookupError)
    assert await seqs(sessions, sid) == list(range(1, 11))
    assert "a statement failed" in caplog.text


@pytest.mark.sqlite
async def test_a_full_disk_is_told_and_recovers(sessions: Sessions, sid: str, settings: Settings) -> None:
    await call(sessions, sid)
    before = await sessions.dump(LOCAL, sid)

    def limit(pages: int) -> None:
        connection = sessions._writer._connection._connection
        assert connection is not None
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.execute(f"PRAGMA max_page_count = {pages}")

    size = database(settings).stat().st_size // 4096
    sessions._writer._queue.put(lambda _: limit(max(size, 30)))
    results = await asyncio.gather(
        *(sessions.batch(LOCAL, sid, [alloc(), *[free("$p")] * 0]) for _ in range(1)),
        sessions.batch(LOCAL, sid, [alloc(0, "p"), free("$p")] * 1000),
        return_exceptions=True,
    )
    assert type(results[1]) is StorageFull
    rows = await seqs(sessions, sid)
    assert rows in ([1], [1, 2])
    # A new connection has no such limit: there is room again.
    assert (await call(sessions, sid)).seq == rows[-1] + 1
    assert await sessions.dump(LOCAL, sid) != before
    assert await sessions.read(LOCAL, sid, lambda machine: machine.live_blocks) == rows[-1] + 1


async def test_too_many_waiting_calls_are_refused(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path, waiting_calls=10)) as sessions:
        sid = (await sessions.create(LOCAL, None, TINY)).id
        results = await asyncio.gather(*(call(sessions, sid) for _ in range(500)), return_exceptions=True)
        kinds = {type(result).__name__ for result in results}
        assert kinds == {"Applied", "Busy"}
        done = [result.seq for result in results if not isinstance(result, BaseException)]
        assert await seqs(sessions, sid) == done == list(range(1, len(done) + 1))


async def test_two_processes_on_one_file(pair: tuple[Sessions, Sessions]) -> None:
    sessions, others = pair
    sid = (await sessions.create(LOCAL, "s", TINY)).id

    async def use(side: Sessions, name: str) -> list[int]:
        made: list[int] = []
        for number in range(40):
            if number % 4 == 3:
                made += [a.seq for a in await side.batch(LOCAL, sid, [alloc(0, name), free(f"${name}")])]
            else:
                made.append((await call(side, sid)).seq)
        return made

    both = await asyncio.gather(
        use(sessions, "a"), use(others, "b"), use(sessions, "c"), use(others, "d"), return_exceptions=True
    )
    lists = [made for made in both if not isinstance(made, BaseException)]
    assert len(lists) == 4, both
    assert sorted(seq for made in lists for seq in made) == list(range(1, 201))
    assert await seqs(sessions, sid) == list(range(1, 201))
    assert await sessions.dump(LOCAL, sid) == await others.dump(LOCAL, sid)
    for side in pair:
        assert await side.read(LOCAL, sid, lambda machine: machine.live_blocks) == 120
        assert set(await side.names(LOCAL, sid)) == {"a", "b", "c", "d"}


async def test_a_long_batch_beside_another_process(pair: tuple[Sessions, Sessions]) -> None:
    sessions, others = pair
    sid = (await sessions.create(LOCAL, "s", TINY)).id
    batch = asyncio.create_task(sessions.batch(LOCAL, sid, [alloc(0, "p"), free("$p")] * 500))
    made = [(await call(others, sid)).seq for _ in range(3)]
    answers = [answer.seq for answer in await batch]
    assert sorted(made + answers) == list(range(1, 1004))
    assert answers == list(range(answers[0], answers[0] + 1000))
    assert await sessions.dump(LOCAL, sid) == await others.dump(LOCAL, sid)


async def test_a_session_deleted_elsewhere_is_gone(sessions: Sessions, sid: str, settings: Settings) -> None:
    await call(sessions, sid)
    async with serving(settings) as others:
        await others.delete(LOCAL, sid)
    with pytest.raises(Exception, match="there is no session"):
        await call(sessions, sid)

"""Requests that wait for a blocked task to be woken."""

import asyncio
import time
from pathlib import Path

import pytest

from app.errors import TaskBlocked
from app.sessions import LOCAL, BatchItem, Sessions, work
from tests.support.factories import TINY, alloc, seqs, serving, settings_for
from tests.support.patience import PATIENCE

# Longer than the test waits: who is not woken before has not been woken.
LONG = 2 * PATIENCE


async def locked(sessions: Sessions) -> str:
    """A session whose page `$p` is locked by `init`, at seq 2."""
    sid = (await sessions.create(LOCAL, "s", TINY)).id
    await sessions.batch(LOCAL, sid, [alloc(0, "p"), BatchItem("lock_page", {"page": "$p"})])
    return sid


async def until(sessions: Sessions, sid: str, seq: int) -> None:
    while (await sessions.get(LOCAL, sid)).seq < seq:  # noqa: ASYNC110 - it is a row that is waited for
        await asyncio.sleep(0.01)


async def test_woken(sessions: Sessions) -> None:
    sid = await locked(sessions)
    waiting = asyncio.create_task(
        sessions.apply(LOCAL, sid, "lock_page", {"page": "$p", "task": "t"}, wait=LONG)
    )
    await until(sessions, sid, 3)
    with pytest.raises(TaskBlocked):
        await sessions.apply(LOCAL, sid, "page_count", {"page": "$p", "task": "t"})
    await sessions.apply(LOCAL, sid, "page_count", {"page": "$p"})
    assert not waiting.done()
    unlocked = await sessions.apply(LOCAL, sid, "unlock_page", {"page": "$p"})
    assert unlocked.outcome["woken"] == ["t"]
    applied = await waiting
    assert (applied.seq, applied.outcome["verdict"], applied.outcome["woken_at"]) == (3, "blocked", 5)
    assert applied.body.endswith(b',"woken_at":5}')
    assert b"woken_at" not in (await sessions.event(LOCAL, sid, 3)).body


async def test_woken_where_the_call_took_long(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that are made beside the writer, and only written by it, wait and wake as others do."""
    sid = await locked(sessions)
    monkeypatch.setattr(work, "heavy", lambda *_: True)
    waiting = asyncio.create_task(
        sessions.apply(LOCAL, sid, "lock_page", {"page": "$p", "task": "t"}, wait=LONG)
    )
    await until(sessions, sid, 3)
    await sessions.apply(LOCAL, sid, "unlock_page", {"page": "$p"})
    assert (await waiting).outcome["woken_at"] == 4


@pytest.mark.parametrize("calls", [2, 300])
async def test_woken_by_a_batch(sessions: Sessions, calls: int) -> None:
    sid = await locked(sessions)
    waiting = asyncio.create_task(
        sessions.apply(LOCAL, sid, "lock_page", {"page": "$p", "task": "t"}, wait=LONG)
    )
    await until(sessions, sid, 3)
    unlock = BatchItem("unlock_page", {"page": "$p"})
    await sessions.batch(LOCAL, sid, [alloc()] * (calls - 1) + [unlock])
    assert (await waiting).outcome["woken_at"] == 3 + calls


async def test_woken_in_the_same_group(sessions: Sessions) -> None:
    sid = await locked(sessions)
    blocked, unlocked = await asyncio.gather(
        sessions.apply(LOCAL, sid, "lock_page", {"page": "$p", "task": "t"}, wait=LONG),
        sessions.apply(LOCAL, sid, "unlock_page", {"page": "$p"}),
    )
    assert (blocked.outcome["woken_at"], unlocked.seq) == (4, 4)


async def test_not_woken_in_time(sessions: Sessions) -> None:
    sid = await locked(sessions)
    began = time.monotonic()
    applied = await sessions.apply(LOCAL, sid, "lock_page", {"page": "$p", "task": "t"}, wait=0.3)
    assert 0.3 <= time.monotonic() - began < PATIENCE
    assert applied.outcome["woken_at"] is None
    assert await seqs(sessions, sid) == [1, 2, 3]


async def test_what_need_not_wait_does_not(sessions: Sessions) -> None:
    sid = await locked(sessions)
    applied = await sessions.apply(LOCAL, sid, "trylock_page", {"page": "$p"}, wait=LONG)
    assert "woken_at" not in applied.outcome
    applied = await sessions.apply(LOCAL, sid, "lock_page", {"page": "$p", "task": "t"})
    assert (applied.outcome["verdict"], "woken_at" in applied.outcome) == ("blocked", False)


async def test_a_killed_task_is_not_waited_for(sessions: Sessions) -> None:
    sid = await locked(sessions)
    waiting = asyncio.create_task(
        sessions.apply(LOCAL, sid, "lock_page", {"page": "$p", "task": "t"}, wait=LONG)
    )
    await until(sessions, sid, 3)
    await sessions.apply(LOCAL, sid, "kill_task", {"task": "t"})
    assert (await asyncio.wait_for(waiting, PATIENCE)).outcome["woken_at"] is None


async def test_who_waits_in_a_deleted_session_waits_no_longer(sessions: Sessions) -> None:
    sid = await locked(sessions)
    waiting = asyncio.create_task(
        sessions.apply(LOCAL, sid, "lock_page", {"page": "$p", "task": "t"}, wait=LONG)
    )
    await until(sessions, sid, 3)
    await sessions.delete(LOCAL, sid)
    done, _ = await asyncio.wait({waiting}, timeout=PATIENCE)
    assert done
    assert (await waiting).outcome["woken_at"] is None


async def test_hanging_up_changes_nothing(sessions: Sessions) -> None:
    sid = await locked(sessions)
    waiting = asyncio.create_task(
        sessions.apply(LOCAL, sid, "lock_page", {"page": "$p", "task": "t"}, wait=LONG)
    )
    await until(sessions, sid, 3)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not sessions._waits
    unlocked = await sessions.apply(LOCAL, sid, "unlock_page", {"page": "$p"})
    assert (unlocked.seq, unlocked.outcome["woken"]) == (4, ["t"])


async def test_woken_by_another_process(tmp_path: Path, sessions: Sessions) -> None:
    sid = await locked(sessions)
    waiting = asyncio.create_task(
        sessions.apply(LOCAL, sid, "lock_page", {"page": "$p", "task": "t"}, wait=LONG)
    )
    await until(sessions, sid, 3)
    async with serving(settings_for(tmp_path)) as others:
        await others.apply(LOCAL, sid, "unlock_page", {"page": "$p"})
        assert (await asyncio.wait_for(waiting, PATIENCE)).outcome["woken_at"] == 4


async def test_the_end_ends_the_waiting(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path)) as sessions:
        sid = await locked(sessions)
        waiting = asyncio.create_task(
            sessions.apply(LOCAL, sid, "lock_page", {"page": "$p", "task": "t"}, wait=LONG)
        )
        await until(sessions, sid, 3)
        sessions.release()
        applied = await asyncio.wait_for(waiting, PATIENCE)
        assert (applied.outcome["verdict"], applied.outcome["woken_at"]) == ("blocked", None)

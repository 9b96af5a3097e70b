"""Following a session: each row once, in order, with the journal's bytes; and what a reader costs."""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import from_json

from app.sessions import LOCAL, Reader, Sessions, TooMany, feed
from app.sessions.errors import Busy, NotFound
from app.sessions.feed import NOTHING_NEW, Channel
from tests.support.factories import TINY, alloc, raw, serving, settings_for
from tests.support.patience import PATIENCE

EVENT = re.compile(rb"(?:event: (?P<name>\w+)\n)?id: (?P<id>\d+)\ndata: (?P<data>[^\n]*)\n\n")


@asynccontextmanager
async def following(sessions: Sessions, sid: str, after: int | None = None) -> AsyncIterator[Reader]:
    """A reader that has been greeted."""
    reader = await sessions.follow(LOCAL, sid, after)
    try:
        assert str(await reader.next(), "ascii").startswith("retry: 1000\n")
        yield reader
    finally:
        reader.close()


async def take(reader: Reader, count: int) -> list[tuple[int, bytes]]:
    """So many rows, which must be rows."""
    found: list[tuple[int, bytes]] = []
    while len(found) < count:
        part = await asyncio.wait_for(reader.next(), PATIENCE)
        assert part is not None
        assert EVENT.sub(b"", part) == b""
        for event in EVENT.finditer(part):
            assert event["name"] is None, part[:100]
            found.append((int(event["id"]), event["data"]))
    assert len(found) == count
    return found


async def call(sessions: Sessions, sid: str, times: int = 1) -> None:
    for _ in range(times):
        await sessions.apply(LOCAL, sid, "alloc_page", {"gfp": "GFP_KERNEL"})


async def create(sessions: Sessions) -> str:
    return (await sessions.create(LOCAL, "t", TINY)).id


async def journal(sessions: Sessions, sid: str, after: int = 0) -> list[tuple[int, bytes]]:
    return [(row.seq, row.body) for row in await sessions.events(LOCAL, sid, after, 1000)]


def channel(sessions: Sessions, sid: str) -> Channel:
    return sessions._feed._channels[sid]


async def show(sessions: Sessions, sid: str, seq: int) -> None:
    """What collects would be shown at the tick; here it is once it has come."""
    while channel(sessions, sid).seen < seq:  # noqa: ASYNC110
        await asyncio.sleep(0)
    channel(sessions, sid).show()


async def test_each_row_once_in_the_bytes_of_the_journal(sessions: Sessions) -> None:
    sid = await create(sessions)
    await call(sessions, sid)
    async with following(sessions, sid) as reader:
        await sessions.apply(LOCAL, sid, "alloc_page", {"gfp": "GFP_KERNEL"}, counters=True)
        assert await take(reader, 1) == await journal(sessions, sid, 1)
        await sessions.batch(LOCAL, sid, [alloc(name="p")] * 300)
        await call(sessions, sid, 3)
        assert await take(reader, 303) == await journal(sessions, sid, 2)


async def test_the_first_row_comes_at_once_and_others_collect(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "TICK_SECONDS", 600.0)
    sid = await create(sessions)
    async with following(sessions, sid) as reader:
        await call(sessions, sid)
        await take(reader, 1)
        await call(sessions, sid, 5)
        assert channel(sessions, sid).head == 1
        await show(sessions, sid, 6)
        part = await reader.next()
        assert part is not None
        assert len(EVENT.findall(part)) == 5


async def test_readers_share_the_bytes(sessions: Sessions) -> None:
    sid = await create(sessions)
    readers = [await sessions.follow(LOCAL, sid) for _ in range(50)]
    for reader in readers:
        await reader.next()
    await call(sessions, sid)
    parts = [await reader.next() for reader in readers]
    assert len({id(part) for part in parts}) == 1
    for reader in readers:
        reader.close()
    assert sessions._feed._channels == {}
    assert sessions._feed._readers.total() == 0


async def test_from_any_place(sessions: Sessions) -> None:
    sid = await create(sessions)
    await call(sessions, sid, 20)
    rows = await journal(sessions, sid)
    for after in (0, 7, 19, 20):
        async with following(sessions, sid, after) as reader:
            assert await take(reader, 20 - after) == rows[after:]


async def test_who_joins_in_the_middle_of_a_chunk(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "TICK_SECONDS", 600.0)
    sid = await create(sessions)
    async with following(sessions, sid) as first:
        await call(sessions, sid)
        await take(first, 1)
        await call(sessions, sid, 4)
        async with following(sessions, sid, 3) as second:
            await call(sessions, sid, 2)
            await show(sessions, sid, 7)
            rows = await journal(sessions, sid)
            assert await take(first, 6) == rows[1:]
            assert await take(second, 4) == rows[3:]
            assert second.at == first.at


async def test_a_place_that_does_not_exist(sessions: Sessions) -> None:
    sid = await create(sessions)
    await call(sessions, sid, 3)
    reader = await sessions.follow(LOCAL, sid, 40)
    assert await reader.next() == b'retry: 1000\n\nevent: resync\nid: 3\ndata: {"seq": 3}\n\n'
    await call(sessions, sid)
    assert await take(reader, 1) == await journal(sessions, sid, 3)
    reader.close()


@pytest.mark.parametrize("lost", [20, 21])
async def test_who_is_too_far_behind_is_told(tmp_path: Path, lost: int) -> None:
    async with serving(settings_for(tmp_path, stream_behind=20)) as sessions:
        sid = await create(sessions)
        await call(sessions, sid, lost)
        async with following(sessions, sid, 0) as reader:
            if lost > 20:
                assert await reader.next() == b'event: resync\nid: 21\ndata: {"seq": 21}\n\n'
                await call(sessions, sid)
                lost, seq = 1, 21
            else:
                seq = 0
            assert await take(reader, lost) == await journal(sessions, sid, seq)


async def test_a_slow_reader_is_told_and_holds_nothing(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path, stream_behind=20)) as sessions:
        sid = await create(sessions)
        async with following(sessions, sid) as slow, following(sessions, sid) as quick:
            for _ in range(5):
                await sessions.batch(LOCAL, sid, [alloc()] * 19)
                await take(quick, 19)
            assert list(channel(sessions, sid).chunks) == [76]
            assert await slow.next() == b'event: resync\nid: 95\ndata: {"seq": 95}\n\n'
            await call(sessions, sid)
            assert await take(slow, 1) == await take(quick, 1)


async def test_chunks_are_bounded_in_bytes(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "CHUNK", 2000)
    monkeypatch.setattr(feed, "CHUNK_MEMORY", 8000)
    sid = await create(sessions)
    async with following(sessions, sid) as reader:
        await sessions.batch(LOCAL, sid, [alloc()] * 150)
        assert await take(reader, 150) == await journal(sessions, sid)
        kept = channel(sessions, sid).chunks.values()
        assert 0 < sum(len(chunk.data) for chunk in kept) <= 8000
        assert all(len(chunk.data) <= 2000 for chunk in kept)


async def test_rows_of_another_process(tmp_path: Path, sessions: Sessions) -> None:
    sid = await create(sessions)
    async with serving(settings_for(tmp_path)) as others, following(sessions, sid) as reader:
        await call(others, sid, 2)
        assert await take(reader, 2) == await journal(sessions, sid)
        # Ours behind theirs come only after theirs.
        await call(others, sid)
        await call(sessions, sid)
        await others.batch(LOCAL, sid, [alloc()] * 250)
        await call(sessions, sid)
        assert await take(reader, 253) == await journal(sessions, sid, 2)


async def test_too_many_rows_of_another_process(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, stream_behind=20)
    async with serving(settings) as sessions, serving(settings) as others:
        sid = await create(sessions)
        async with following(sessions, sid) as reader:
            await others.batch(LOCAL, sid, [alloc()] * 30)
            assert await reader.next() == b'event: resync\nid: 30\ndata: {"seq": 30}\n\n'
            await call(others, sid)
            assert await take(reader, 1) == await journal(sessions, sid, 30)


async def test_rewinds_are_rows_too(tmp_path: Path, sessions: Sessions) -> None:
    sid = await create(sessions)
    async with serving(settings_for(tmp_path)) as others, following(others, sid) as other:
        async with following(sessions, sid) as reader:
            await call(sessions, sid, 3)
            await sessions.rewind(LOCAL, sid, 1)
            await sessions.undo(LOCAL, sid)
            await call(sessions, sid)
            rows = await journal(sessions, sid)
            assert await take(reader, 6) == await take(other, 6) == rows
        assert [name for _, body in rows if (name := from_json(body)["call"]) != "alloc_page"] == [
            "rewind",
            "undo",
        ]


async def test_a_fork_is_followed_from_where_it_begins(sessions: Sessions) -> None:
    sid = await create(sessions)
    await call(sessions, sid, 3)
    fork = (await sessions.fork(LOCAL, sid)).id
    await call(sessions, fork, 2)
    for after in (0, 2, 3):
        async with following(sessions, fork, after) as reader:
            assert [seq for seq, _ in await take(reader, 2)] == [4, 5]


async def test_resuming_under_load(sessions: Sessions) -> None:
    """Readers hang up at any moment and come back with what they have had."""
    sid = await create(sessions)
    draw = random.Random(5)

    async def reads(total: int) -> list[tuple[int, bytes]]:
        rows: list[tuple[int, bytes]] = []
        while len(rows) < total:
            async with following(sessions, sid, rows[-1][0] if rows else 0) as reader:
                for _ in range(draw.randrange(1, 6)):
                    part = await asyncio.wait_for(reader.next(), PATIENCE)
                    assert part is not None
                    rows += [(int(event["id"]), event["data"]) for event in EVENT.finditer(part)]
                    if len(rows) >= total:
                        break
        return rows

    async def calls() -> None:
        for _ in range(20):
            await call(sessions, sid, 5)
            await sessions.batch(LOCAL, sid, [alloc()] * draw.randrange(1, 4) + [alloc(11)])

    readers = [asyncio.create_task(reads(140)) for _ in range(10)]
    await asyncio.gather(calls(), calls())
    rows = await journal(sessions, sid)
    for reader in readers:
        found = await asyncio.wait_for(reader, PATIENCE)
        assert found == rows[: len(found)]


async def test_something_is_sent_when_nothing_happens(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "KEEP_ALIVE_SECONDS", 0.01)
    sid = await create(sessions)
    async with following(sessions, sid) as reader:
        assert await reader.next() == NOTHING_NEW
        assert NOTHING_NEW.startswith(b":")
        await call(sessions, sid)
        while (part := await reader.next()) == NOTHING_NEW:
            pass
        assert part is not None
        assert EVENT.fullmatch(part)


async def test_the_end_of_a_session_ends_its_streams(sessions: Sessions) -> None:
    sid = await create(sessions)
    async with following(sessions, sid) as reader:
        await sessions.delete(LOCAL, sid)
        assert await asyncio.wait_for(reader.next(), PATIENCE) is None
    with pytest.raises(NotFound):
        await sessions.follow(LOCAL, sid)


async def test_the_end_of_the_server_ends_all_streams(sessions: Sessions) -> None:
    sid = await create(sessions)
    async with following(sessions, sid) as reader:
        waiting = asyncio.create_task(reader.next())
        await asyncio.sleep(0)
        sessions.release()
        assert await asyncio.wait_for(waiting, PATIENCE) is None
        with pytest.raises(Busy):
            await sessions.follow(LOCAL, sid)


async def test_streams_are_counted(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path, streams_per_principal=2, streams=3)) as sessions:
        sid = await create(sessions)
        async with following(sessions, sid), following(sessions, sid):
            with pytest.raises(TooMany, match="2 event streams"):
                await sessions.follow(LOCAL, sid)
        async with following(sessions, sid):
            pass
    async with serving(settings_for(tmp_path, streams=1)) as sessions, following(sessions, sid):
        with pytest.raises(Busy, match="1 event streams"):
            await sessions.follow(LOCAL, sid)


async def test_the_journal_cannot_be_read_for_a_while(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    sid = await create(sessions)
    await call(sessions, sid, 3)
    sound = sessions._feed._read_rows
    failures = [Busy("held"), Busy("held")]

    async def read(*args: Any) -> Any:
        if failures:
            raise failures.pop()
        return await sound(*args)

    monkeypatch.setattr(sessions._feed, "_read_rows", read)
    async with following(sessions, sid, 0) as reader:
        assert await take(reader, 3) == await journal(sessions, sid)


def test_nothing_is_read_twice(tmp_path: Path) -> None:
    """Rows as the driver would give them: in bytes, up to a bound, at least one."""

    async def run() -> None:
        settings = settings_for(tmp_path)
        async with serving(settings) as sessions:
            sid = await create(sessions)
            await call(sessions, sid, 9)
            with raw(settings) as db:
                sizes = [n for (n,) in db.execute("SELECT length(outcome) FROM journal ORDER BY seq")]
            for most, count in ((1, 1), (sizes[0], 1), (sizes[0] + 1, 2), (1 << 20, 8)):
                with sessions._store.reading() as connection:
                    rows = feed.journal.some(connection, sid, 0, 8, most)
                assert [seq for seq, _ in rows] == list(range(1, count + 1))

    asyncio.run(run())

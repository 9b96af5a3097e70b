"""The event stream over real HTTP: its form, what it refuses, what slow readers cost, and how it ends."""

import base64
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from tests.support.patience import PATIENCE
from tests.support.served import BASE, build, listening, problem, protected
from tests.support.streams import Event, events, silent, stream


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return build(tmp_path_factory.mktemp("stream"), stream_behind=400, streams_per_principal=60)


@pytest.fixture(scope="module")
def address(application: FastAPI) -> Iterator[str]:
    with listening(application) as address:
        yield address


@pytest.fixture
def session(address: str) -> str:
    return create(address)


def create(address: str, profile: str = "tiny-16m") -> str:
    made = httpx2.post(f"{address}{BASE}/sessions", json={"machine": {"profile": profile}})
    return f"{address}{BASE}/sessions/{made.json()['id']}"


def call(session: str, name: str = "alloc_page", **body: Any) -> httpx2.Response:
    answer = httpx2.post(f"{session}/{name}", json=body or {"gfp": "GFP_KERNEL"})
    assert answer.status_code == 201, answer.text
    return answer


def journal(session: str, after: int = 0) -> list[Event]:
    answer = httpx2.get(f"{session}/events?after={after}", headers={"Accept": "application/x-ndjson"})
    return [Event(seq, line) for seq, line in enumerate(answer.content.splitlines(), after + 1)]


def until(condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_its_headers_and_its_first_words(session: str) -> None:
    with stream(session) as following:
        protected(following.response)
        headers = following.response.headers
        assert headers["content-type"].startswith("text/event-stream")
        assert headers["cache-control"] == "no-store"
        assert headers["x-accel-buffering"] == "no"
        assert "content-length" not in headers
    with httpx2.stream("GET", f"{session}/events/stream") as response:
        first = next(response.iter_raw())
    assert first == b"retry: 1000\nid: 0\n\n"


def test_each_row_in_its_bytes(session: str) -> None:
    with stream(session) as following:
        answered = call(session).content
        assert following.take(1) == [Event(1, answered)]
        call(session, gfp="GFP_KERNEL", counters=True)
        call(session, "lock_page", pfn=300)
        assert following.take(2) == journal(session, 1)


def test_resuming(session: str) -> None:
    for _ in range(5):
        call(session)
    rows = journal(session)
    for after, last in ((0, None), (3, None), (None, 3), (1, 3), (4, 0)):
        place = last if last is not None else after or 0
        with stream(session, after, last) as following:
            assert following.take(5 - place) == rows[place:]


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "1e3", "9" * 17, "٣"])
def test_a_place_that_is_no_seq(session: str, last: str) -> None:
    for headers, query in (({"Last-Event-ID": last.encode()}, ""), ({}, f"?after={last}")):
        answer = httpx2.get(f"{session}/events/stream{query}", headers=headers)  # type: ignore[arg-type]
        problem(answer, 422, *(("query", "after") if query else ("header", "last-event-id")))


def test_who_may_not_follow_is_told_before_the_stream(address: str) -> None:
    problem(httpx2.get(f"{address}{BASE}/sessions/nobody/events/stream"), 404)


def test_a_place_that_does_not_exist_or_is_too_far_back(session: str) -> None:
    httpx2.post(f"{session}/calls", content="alloc_page(GFP_KERNEL)\n" * 401, headers=TEXT).raise_for_status()
    for place in (402, 0):
        with stream(session, last=place) as following:
            assert following.take(1) == [Event(401, b'{"seq": 401}', "resync")]
    with stream(session, last=402) as following:
        following.take(1)
        call(session)
        assert following.take(1) == journal(session, 401)


TEXT = {"Content-Type": "text/plain"}


def test_as_many_as_are_given(session: str, application: FastAPI) -> None:
    feed = application.state.sessions._feed
    until(lambda: not feed._readers)
    with ThreadPoolExecutor(60) as pool:
        enough = threading.Event()
        opened = threading.Semaphore(0)

        def follow() -> None:
            with stream(session):
                opened.release()
                enough.wait(PATIENCE)

        open_ = [pool.submit(follow) for _ in range(60)]
        for _ in open_:
            assert opened.acquire(timeout=PATIENCE)
        refused = httpx2.get(f"{session}/events/stream")
        assert "60 event streams" in problem(refused, 429)["detail"]
        assert int(refused.headers["retry-after"]) > 0
        enough.set()
        for following in open_:
            following.result()
    # Who hangs up is not counted any longer.
    until(lambda: not feed._readers)
    assert feed._channels == {}


@pytest.mark.slow
def test_fifty_watchers_get_identical_bytes_while_many_call(session: str) -> None:
    rows = 120

    def watch() -> list[Event]:
        with stream(session, after=0) as following:
            return following.take(rows)

    with ThreadPoolExecutor(54) as pool:
        watching = [pool.submit(watch) for _ in range(50)]
        calling = [pool.submit(lambda: [call(session) for _ in range(rows // 4)]) for _ in range(4)]
        for caller in calling:
            caller.result()
        watched = [watcher.result() for watcher in watching]
    expected = journal(session)
    assert len(expected) == rows
    assert all(seen == expected for seen in watched)


@pytest.mark.slow
def test_a_slow_reader_is_told_and_costs_little(tmp_path: Path) -> None:
    application = build(tmp_path, stream_behind=60)
    with listening(application) as address:
        slow_reader(application, create(address, "x86_64-1g"))


def slow_reader(application: FastAPI, session: str) -> None:
    """Rows of 20 KB, until neither the kernel nor the server takes more of them for one who does not read."""
    fragmented = "fill = alloc_pages(GFP_KERNEL, 0) * 3000\n__free_pages(fill[::2], 0)\n"
    httpx2.post(f"{session}/calls", content=fragmented, headers=TEXT).raise_for_status()
    again = "rest = alloc_pages(GFP_KERNEL, 0) * 1400\n__free_pages(rest, 0)\n" * 25
    with silent(session) as connection, stream(session) as quick:
        feed = application.state.sessions._feed
        (channel,) = feed._channels.values()
        until(lambda: len(channel.readers) == 2)
        slow = min(channel.readers, key=lambda reader: reader.at)
        sent = 0
        while channel.head - slow.at <= feed.behind:
            httpx2.post(f"{session}/calls", content=again, headers=TEXT).raise_for_status()
            sent += sum(len(event.data) for event in quick.take(50))
            slow = min(channel.readers, key=lambda reader: reader.at)
            held = sum(len(chunk.data) for chunk in channel.chunks.values())
            assert held < 64 << 20
        head = channel.head
        # What the kernel has taken already comes first; then that rows are missing; then the present.
        lines = connection.makefile("r", newline="\n")
        while lines.readline() != "\r\n":
            pass
        following = events(line.rstrip("\r\n") for line in lines if not line.endswith("\r\n"))
        last = 2
        for event in following:
            if event.name:
                break
            last += 1
            assert event.id == last
        assert event == Event(head, b'{"seq": %d}' % head, "resync")
        answered = call(session).content
        assert next(following).data == answered == quick.take(1)[0].data


def states(session: str) -> bytes:
    """The dominant state of each frame."""
    found = httpx2.get(f"{session}/zonemap?start=0&shift=0&cells=8192").json()
    names = [name.encode() for name in found["states"]]
    return b" ".join(names[cell] for cell in base64.b64decode(found["cells"]))


def test_a_follower_knows_the_map(session: str) -> None:
    """Who starts with a map and applies `changed`, row by row, has the map that the server would give."""
    draw = random.Random(8)
    cells = states(session).split(b" ")
    lines = []
    for number in range(150):
        lines.append(f"p{number} = alloc_pages(GFP_KERNEL|__GFP_NOWARN, {draw.choice((0, 0, 1, 2, 3, 5))})")
        if number % 3 == 0:
            lines.append(f"k{number} = kmalloc({draw.randrange(1, 9000)}, GFP_KERNEL)")
        if number % 5 == 4:
            lines.append(f"v{number} = vmalloc({draw.randrange(1, 60000)})")
            lines.append(f"vfree(v{number})")
        if number % 4 == 3:
            lines.append(f"put_page(p{draw.randrange(max(0, number - 20), number)})")
        if number % 9 == 8:
            lines.append(f"kfree(k{number - number % 3 - 3})")
    with stream(session) as following:
        answer = httpx2.post(f"{session}/calls", content="\n".join(lines), headers=TEXT)
        assert answer.status_code == 201, answer.text
        for event in following.take(len(lines)):
            changed = event.outcome["changed"]
            if changed is None:
                pytest.fail("so many runs in one call")
            for pfn, frames, state in changed:
                cells[pfn : pfn + frames] = [state.encode()] * frames
    assert b" ".join(cells) == states(session)


def test_a_deleted_session_ends_the_stream(session: str) -> None:
    with stream(session) as following:
        httpx2.delete(session).raise_for_status()
        assert list(following) == []


def test_the_end_of_the_server_ends_the_stream(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        with listening(build(tmp_path)) as address:
            session = create(address)
            opened = threading.Event()

            def follow() -> list[Event]:
                with stream(session) as following:
                    opened.set()
                    return list(following)

            following = pool.submit(follow)
            assert opened.wait(PATIENCE)
        assert following.result(timeout=PATIENCE) == []

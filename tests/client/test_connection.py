"""What the client does when a server is busy, goes away, or is none, and what it tells whom."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import IO, Any

import pytest
from kmemlab_client import Machine, Outcome, Refused, Unreachable, connection
from kmemlab_client.connection import TRIES, Connection

from tests.support.served import build, listening
from tests.support.two_labs import make

Answer = tuple[int, dict[str, str], bytes]

BUSY: Answer = (503, {"retry-after": "7"}, b'{"detail": "busy"}')
DONE: Answer = (201, {}, b'{"seq": 1}')
# The connection is closed without an answer.
GONE: Answer = (0, {}, b"")


class Scripted(ThreadingHTTPServer):
    """A server that answers as it is told, one request after the other. heard: what it was sent."""

    daemon_threads = True

    def __init__(self, *answers: Answer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = iter(answers)
        self.heard: list[tuple[str, dict[str, str]]] = []
        self.address = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Scripted

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.heard.append((self.path, {key.lower(): value for key, value in self.headers.items()}))
        status, headers, body = next(self.server.answers)
        if not status:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - named by its base class

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def scripted(*answers: Answer) -> Iterator[Scripted]:
    with Scripted(*answers) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the client has waited between attempts; no test waits."""
    waited: list[float] = []
    monkeypatch.setattr(connection.time, "sleep", waited.append)
    return waited


def test_a_request_is_made_again_under_its_key(pauses: list[float]) -> None:
    with scripted(BUSY, GONE, (429, {}, b""), DONE, DONE) as server:
        to = Connection(server.address)
        assert to.post("/x", {"a": 1}) == {"seq": 1}
        assert to.post("/x", {"a": 1}) == {"seq": 1}
    keys = [headers["idempotency-key"] for _, headers in server.heard]
    assert len({*keys[:4]}) == 1
    assert keys[4] != keys[3]
    assert pauses == [7, 0.4, 0.8]


@pytest.mark.parametrize("asked", ["never", "-5", "1e9", "nan"])
def test_a_server_does_not_decide_how_long_we_hang(asked: str, pauses: list[float]) -> None:
    with scripted((503, {"retry-after": asked}, b""), DONE) as server:
        Connection(server.address).post("/x")
    assert 0 <= pauses[0] <= 30


def test_a_server_that_starts_again_is_waited_for(
    pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    with scripted(GONE, DONE) as server:
        to = Connection(server.address)
        opened = to.open
        failures = iter([None, ConnectionRefusedError(), None])

        def open_(*request: Any) -> IO[bytes]:
            if (failure := next(failures)) is not None:
                raise failure
            return opened(*request)

        monkeypatch.setattr(to, "open", open_)
        assert to.post("/x") == {"seq": 1}
    assert len(pauses) == 2


@pytest.mark.parametrize("path", ["/a b", "/a\r\nx: y"])
def test_an_address_that_cannot_be_is_not_tried_again(path: str, pauses: list[float]) -> None:
    with scripted() as server, pytest.raises(Unreachable, match="control characters"):
        Connection(server.address).get(path)
    assert not pauses


def test_it_gives_up(pauses: list[float]) -> None:
    with scripted(*[BUSY] * TRIES) as server, pytest.raises(Refused, match="busy"):
        Connection(server.address).get("/x")
    with scripted(*[GONE] * TRIES) as server, pytest.raises(Unreachable):
        Connection(server.address).get("/x")
    assert len(pauses) == 2 * (TRIES - 1)


@pytest.mark.parametrize("status", [400, 401, 404, 409, 412, 422, 500, 507])
def test_other_refusals_are_raised_at_once(status: int, pauses: list[float]) -> None:
    with scripted((status, {}, b"<html>")) as server, pytest.raises(Refused) as refused:
        Connection(server.address).post("/x")
    assert str(refused.value) == f"the server answers {status}"
    assert not pauses


@pytest.mark.parametrize("body", [b'["detail"]', b'{"detail": 5, "errors": 5}', b"\xff", b"null"])
def test_a_strange_refusal_is_one_all_the_same(body: bytes) -> None:
    with scripted((422, {}, body)) as server, pytest.raises(Refused) as refused:
        Connection(server.address).get("/x")
    assert refused.value.errors == []


def test_what_is_no_server_of_kmemlab() -> None:
    with scripted((200, {}, b"<html>")) as server, pytest.raises(Unreachable, match="no kmemlab server"):
        Connection(server.address).get("/x")
    with scripted((200, {}, b"[]")) as server, pytest.raises(Unreachable, match="no kmemlab server"):
        Machine("some", server.address)


def test_the_token_goes_nowhere_else() -> None:
    with scripted(DONE) as other, scripted((302, {"location": other.address}, b"")) as server:
        with pytest.raises(Refused, match="302"):
            Connection(server.address, "kml_secret").get("/x")
        assert server.heard[0][1]["authorization"] == "Bearer kml_secret"
        assert other.heard == []


def test_a_token_by_parameter_or_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make(tmp_path)
    session, token = world.sessions["copy"], world.tokens["owner"]
    with listening(build(tmp_path, lab=True)) as address:
        with pytest.raises(Refused) as refused:
            Machine(session, address)
        assert refused.value.status == 401
        assert Machine(session, address, token).drain_all_pages()
        monkeypatch.setenv("KMEMLAB_TOKEN", token)
        assert Machine(session, address).drain_all_pages()


def event(seq: int, name: str = "", **data: Any) -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}id: {seq}\ndata: {json.dumps({'seq': seq, **data})}\n\n".encode()


ROW = {"call": "drain_all_pages", "ret": None, "verdict": "ok"}
STREAM = {"content-type": "text/event-stream"}


def journal(*seqs: int) -> Answer:
    rows = [{"seq": seq, **ROW} for seq in seqs]
    return (200, {}, json.dumps({"items": rows, "next": None}).encode())


def test_a_stream_goes_on_where_it_broke(pauses: list[float]) -> None:
    broken = (200, STREAM, b"retry: 1000\n\n: nothing new\n\n" + event(3, **ROW) + b'id: 4\ndata: {"se')
    answers = [broken, GONE, BUSY, (200, STREAM, event(4, **ROW) + event(5, **ROW))]
    with scripted(*described(), *answers) as server:
        assert seqs(Machine("s", server.address).events(after=2), 3) == [3, 4, 5]
    assert [path.partition("?")[2] for path, _ in server.heard[2:]] == ["after=2", *["after=3"] * 3]
    assert pauses == [0.2, 0.2, 7]


def test_rows_that_a_stream_leaves_out_come_from_the_journal() -> None:
    left_out = (200, STREAM, event(1, **ROW) + event(4, "resync") + event(5, **ROW))
    with scripted(*described(), left_out, journal(2, 3, 4, 5)) as server:
        assert seqs(Machine("s", server.address).events(after=0), 5) == [1, 2, 3, 4, 5]


def test_new_rows_alone_begin_at_the_head() -> None:
    head = (200, STREAM, b"id: 7\n\n")
    with scripted(*described(), head, (200, STREAM, event(8, **ROW))) as server:
        assert seqs(Machine("s", server.address).events(), 1) == [8]
    assert [path.partition("?")[2] for path, _ in server.heard[2:]] == ["", "after=7"]


def test_a_stream_ends_with_its_session_or_its_server() -> None:
    for last, error in ([[(404, {}, b"")], Refused], [[GONE] * TRIES, Unreachable]):
        answers: list[Answer] = [(200, STREAM, event(1, **ROW)), *last]
        with scripted(*described(), *answers) as server:
            heard = Machine("s", server.address).events(after=0)
            assert next(heard).seq == 1
            with pytest.raises(error):
                next(heard)


def described() -> list[Answer]:
    """What a machine asks when it is made."""
    return [(200, {}, b'{"calls": []}'), (200, {}, b"{}")]


def seqs(heard: Iterator[Outcome], count: int) -> list[int]:
    return [row.seq for row in islice(heard, count)]

"""What one connection may cost a real server: sizes, times, pipelining, unread answers, numbers."""

import json
import select
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from tests.support.patience import PATIENCE, SOON
from tests.support.raw import Raw, memory
from tests.support.served_process import Served, served

MIB = 1 << 20

# Seconds that this server gives a head, a body, and the reader of an answer.
QUICK = 1.5


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with the usual limits."""
    with served(tmp_path_factory.mktemp("usual")) as process:
        yield process
        said = process.end()
        assert "Traceback" not in said, said[-3000:]


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with little patience, and room for few connections."""
    times = dict.fromkeys(("KMEMLAB_HEAD_TIME", "KMEMLAB_UPLOAD_IDLE", "KMEMLAB_ANSWER_IDLE"), str(QUICK))
    with served(tmp_path_factory.mktemp("quick"), **times, KMEMLAB_CONNECTIONS="40") as process:
        yield process
        said = process.end()
        assert "Traceback" not in said, said[-3000:]


def alive(server: Served) -> None:
    """Somebody honest is served."""
    assert httpx2.get(f"{server.address}/healthz").status_code == 200


# -- the size of a head --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_large_head_is_taken_up_to_the_limit(server: Served) -> None:
    with Raw(server.address) as raw:
        raw.ask("GET", "/healthz", f"X-Large: {'x' * 60_000}")
        assert raw.answer()[0] == 200
        raw.ask("GET", "/healthz", *(f"X-{n}: {n}" for n in range(90)))
        assert raw.answer()[0] == 200


def test_a_head_that_is_too_large(server: Served) -> None:
    with Raw(server.address) as raw:
        raw.ask("GET", "/healthz", *(f"X-{n}: {'x' * 1000}" for n in range(66)))
        assert "65536 bytes" in raw.problem(431)


def test_too_many_headers(server: Served) -> None:
    with Raw(server.address) as raw:
        raw.ask("GET", "/healthz", *(f"X-{n}: {n}" for n in range(100)))
        assert "100 headers" in raw.problem(431)


def test_an_address_that_is_too_long(server: Served) -> None:
    with Raw(server.address) as raw:
        raw.ask("GET", f"/healthz?{'a' * 20_000}")
        assert "16384 bytes" in raw.problem(414)


@pytest.mark.parametrize(
    ("begin", "endless"),
    [
        ("GET / HTTP/1.1\r\n", "X-Header: abcdefghijklmnopqrstuvwxyz\r\n"),
        ("GET / HTTP/1.1\r\n", "a:\r\n"),
        ("GET / HTTP/1.1\r\nX-Header: ", "x" * 1000),
        ("GET / HTTP/1.1\r\n", "x" * 1000),
        ("GET /", "x" * 1000),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;x=", "x" * 1000),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X-Trailer: abcdefghijklmnop\r\n"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: ", "x" * 1000),
        ("\r\n", "\r\n" * 500),
    ],
)
def test_what_does_not_end_takes_no_memory(server: Served, begin: str, endless: str) -> None:
    alive(server)
    before = memory(server.process.pid)
    with Raw(server.address) as raw:
        raw.send(begin.encode())
        raw.flood(endless.encode() * (MIB // len(endless)), 64 * MIB)
        alive(server)
        assert memory(server.process.pid) - before < 40 * MIB


def test_a_trailer_is_no_header(server: Served) -> None:
    """What has been checked does not change afterwards."""
    with Raw(server.address) as raw:
        raw.send(
            raw.head(
                "POST", "/api/v1/sessions", "Content-Type: application/json", "Transfer-Encoding: chunked"
            )
        )
        body = json.dumps({"machine": {"profile": "tiny-16m"}}).encode()
        raw.send(
            b"%x\r\n%s\r\n0\r\nHost: evil.example\r\nOrigin: https://evil.example\r\n\r\n" % (len(body), body)
        )
        assert raw.answer()[0] == 201


@pytest.mark.parametrize(
    "words",
    [
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET  HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET http:// HTTP/1.1\r\n\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ],
)
def test_what_is_no_http(server: Served, words: bytes) -> None:
    with Raw(server.address) as raw:
        raw.send(words)
        status, headers, body = raw.answer()
        assert (status, headers["content-type"]) == (400, "text/plain; charset=utf-8"), body
        assert raw.ended()
    alive(server)


def test_another_protocol_is_not_spoken_and_nothing_is_lost(server: Served) -> None:
    with Raw(server.address) as raw:
        upgrade = raw.head("GET", "/healthz", "Connection: Upgrade", "Upgrade: h2c")
        raw.send(upgrade + raw.head("GET", "/readyz") + upgrade)
        assert [raw.answer()[0] for _ in range(3)] == [200, 200, 200]


# -- pipelining ----------------------------------------------------------------------------------------------


def test_pipelined_requests_are_answered_in_order(server: Served) -> None:
    """Also where they come in pieces of any size, with bodies between them."""
    path = f"/api/v1{server.create()}/alloc_pages"
    with Raw(server.address) as raw:
        body = b'{"gfp": "GFP_KERNEL", "order": 0}'
        kind = "Content-Type: application/json"
        requests = b"".join(
            raw.head("POST", path, kind, f"Content-Length: {len(body)}") + body
            if n % 3
            else raw.head("GET", f"/nothing/{n}")
            for n in range(600)
        )
        sender = threading.Thread(target=send_pieces, args=(raw, requests))
        sender.start()
        seq = 0
        for n in range(600):
            status, _, answer = raw.answer()
            if n % 3:
                seq += 1
                assert (status, json.loads(answer)["seq"]) == (201, seq)
            else:
                assert status == 404
        sender.join()


def send_pieces(raw: Raw, data: bytes) -> None:
    for at in range(0, len(data), 7919):
        raw.send(data[at : at + 7919])


@pytest.mark.slow
def test_pipelining_without_reading_takes_no_memory(server: Served) -> None:
    alive(server)
    before = memory(server.process.pid)
    with ExitStack() as stack:
        for path in ("/healthz", "/api/v1/openapi.json", "/api/v1/calls"):
            for _ in range(3):
                raw = stack.enter_context(Raw(server.address, buffer=4096))
                raw.flood(raw.head("GET", path) * 2000, 64 * MIB)
        alive(server)
        assert memory(server.process.pid) - before < 60 * MIB


def test_nonsense_after_requests_is_answered_after_them(server: Served) -> None:
    with Raw(server.address) as raw:
        raw.send(raw.head("GET", "/healthz") * 3 + b"NONSENSE\r\n\r\n")
        assert [raw.answer()[0] for _ in range(4)] == [200, 200, 200, 400]
        assert raw.ended()


# -- time ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_connection_that_does_not_begin_is_closed(quick: Served) -> None:
    with Raw(quick.address) as silent, Raw(quick.address) as empty_lines:
        empty_lines.send(b"\r\n" * 10)
        assert silent.ended()
        assert empty_lines.ended()


def test_a_head_has_to_come_in_time(quick: Served) -> None:
    with Raw(quick.address) as raw:
        raw.send(b"GET / HTTP/1.1\r\nHost: 127")
        assert f"{QUICK:g} s" in raw.problem(408)


def test_a_head_that_comes_drop_by_drop(quick: Served) -> None:
    """Also the second one of a connection."""
    with Raw(quick.address) as raw:
        raw.ask("GET", "/healthz")
        assert raw.answer()[0] == 200
        raw.socket.settimeout(QUICK / 6)
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            raw.send(b"G" if not raw.come else b"")
            try:
                assert raw.answer()[0] in (400, 408)
                break
            except TimeoutError:
                continue
        assert time.monotonic() < until


@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api/v1/sessions", "application/json"),
        ("/api/v1{sid}/alloc_pages", "application/json"),
        ("/api/v1{sid}/calls", "text/plain"),
        ("{sid}/rename", "application/x-www-form-urlencoded"),
        ("/sessions", "application/x-www-form-urlencoded"),
    ],
)
def test_a_body_has_to_come_in_time(quick: Served, path: str, kind: str, framing: str) -> None:
    sid = quick.create()
    with Raw(quick.address) as raw:
        raw.ask("POST", path.format(sid=sid), f"Content-Type: {kind}", framing)
        assert raw.answer()[0] == 408
        assert raw.ended()


def test_a_body_that_nobody_reads_has_to_come_in_time(quick: Served) -> None:
    with Raw(quick.address) as raw:
        raw.ask("POST", "/nothing", "Content-Length: 1000")
        assert raw.answer()[0] in (404, 405)
        assert raw.ended()


@pytest.mark.slow
def test_an_answer_that_nobody_reads_is_cut_off(quick: Served, long: str) -> None:
    with Raw(quick.address, buffer=4096) as raw:
        raw.send(raw.head("GET", long) * 20)
        hung_up = select.poll()
        hung_up.register(raw.socket, select.POLLHUP)
        assert hung_up.poll(PATIENCE * 1000)
    alive(quick)


def test_a_slow_reader_who_goes_on_gets_all_of_it(quick: Served, long: str) -> None:
    whole = httpx2.get(quick.address + long, headers={"accept-encoding": "identity"}).content
    with Raw(quick.address, buffer=1 << 16) as raw:
        raw.ask("GET", long)
        came = b""
        while len(came) < len(whole):
            time.sleep(QUICK / 20)
            came += raw.socket.recv(1 << 16)
        assert came.endswith(whole)


@pytest.fixture(scope="module")
def long(quick: Served) -> str:
    """Where an answer of some megabytes is."""
    sid = quick.create("x86_64-1g")
    call = {"gfp": "GFP_KERNEL", "order": 0, "repeat": 100_000}
    httpx2.post(f"{quick.base}{sid}/alloc_pages", json=call).raise_for_status()
    return f"/api/v1{sid}/dump"


# -- numbers -------------------------------------------------------------------------------------------------


def test_idle_connections_give_way(quick: Served) -> None:
    """Somebody holds more than there may be: who asks for something is served all the while."""
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(Raw(quick.address)).send(b"GET / HT")
        alive(quick)


@pytest.mark.slow
def test_where_all_connections_are_busy_a_new_one_is_told(quick: Served) -> None:
    sid = quick.create()
    with ExitStack() as stack:
        for _ in range(40):
            raw = stack.enter_context(Raw(quick.address))
            raw.ask("GET", f"/api/v1{sid}/events/stream")
            raw._more()
        with Raw(quick.address) as refused:
            refused.ask("GET", "/healthz")
            status, headers, body = refused.answer()
            assert status == 503
            assert int(headers["retry-after"]) > 0
            assert "40 connections" in json.loads(body)["detail"]
            assert refused.ended()
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            alive(quick)
            break
        except (AssertionError, httpx2.HTTPError):
            time.sleep(0.1)
    alive(quick)


@pytest.mark.slow
def test_connections_leave_files_for_everything_else(tmp_path: Path) -> None:
    """A reader may have to come again, but never hears that the database cannot be opened."""
    with served(tmp_path, files=128) as server, ExitStack() as stack:
        path = f"/api/v1{server.create()}"
        heard = []
        for _ in range(100):
            for what in ("/events/stream", "/zones"):
                raw = stack.enter_context(Raw(server.address))
                try:
                    raw.ask("GET", path + what)
                    while b"\r\n\r\n" not in raw.come:
                        raw._more()
                except ConnectionError:
                    continue
                heard.append(raw.come.split()[1])
        assert set(heard) == {b"200", b"503"}
        assert heard.count(b"200") >= 64


@pytest.mark.slow
def test_the_server_ends_soon_with_hostile_connections(tmp_path: Path) -> None:
    with served(tmp_path) as server, ExitStack() as stack:
        sid = server.create()
        for kind in (
            "GET / HTTP/1.1\r\nHost: ",
            "POST /api/v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{",
            f"GET /api/v1{sid}/events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 500,
            "NONSENSE\r\n\r\n",
            "",
        ):
            for _ in range(20):
                stack.enter_context(Raw(server.address, buffer=4096)).send(kind.encode())
        alive(server)
        began = time.monotonic()
        server.end()
        assert time.monotonic() - began < SOON
        assert server.process.returncode == -signal.SIGTERM

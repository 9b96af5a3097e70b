"""Uploads that hang on purpose, at both faces, and places for uploads that others want too."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import httpx2
import pytest
from fastapi import FastAPI

from app.sessions import Busy, Principal, Sessions
from app.sessions.errors import TooMany
from app.store import Store
from tests.support.exported import exported, filled
from tests.support.factories import settings_for
from tests.support.patience import PATIENCE
from tests.support.served import BASE, build, client_of, listening

IDLE, WHOLE = 0.6, 2.0

# Where an upload goes, of which type it is, and of which type the refusal.
FACES = {
    "api": (f"{BASE}/sessions", "application/x-ndjson", "application/problem+json"),
    "form": ("/sessions", "multipart/form-data; boundary=x", "text/html; charset=utf-8"),
}
# The form's own words around a file.
BEFORE = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
AFTER = b"\r\n--x--\r\n"

faces = pytest.mark.parametrize("face", FACES)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    with client_of(build(tmp_path_factory.mktemp("origin"))) as client:
        return exported(client, filled(client))


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    folder = tmp_path_factory.mktemp("uploads")
    return build(folder, upload_idle=IDLE, upload_time=WHOLE)


@pytest.fixture(scope="module")
def server(app: FastAPI) -> Iterator[str]:
    """A server with little patience; its address."""
    with listening(app) as address:
        yield address


class Upload:
    """An upload by hand: how fast it comes is the test's affair."""

    def __init__(self, server: str, face: str, length: int) -> None:
        host, port = server.removeprefix("http://").split(":")
        self.connection = socket.create_connection((host, int(port)), timeout=PATIENCE)
        path, kind, _ = FACES[face]
        self.send(
            f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {length}\r\n\r\n".encode()
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def send(self, part: bytes) -> None:
        self.connection.sendall(part)

    def head(self) -> tuple[int, dict[str, str]]:
        """The answer's status and headers, when they have come."""
        came = b""
        while b"\r\n\r\n" not in came:
            part = self.connection.recv(65536)
            assert part, came
            came += part
        first, *lines = came.partition(b"\r\n\r\n")[0].decode().split("\r\n")
        return int(first.split()[1]), {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }

    def ended(self) -> bool:
        """Whether the server closes the connection by itself."""
        while self.connection.recv(65536):
            pass
        return True


def body_of(face: str, file: bytes) -> bytes:
    return file if face == "api" else BEFORE + file + AFTER


def sent(server: str, face: str, file: bytes) -> httpx2.Response:
    path, kind, _ = FACES[face]
    return httpx2.post(f"{server}{path}", content=body_of(face, file), headers={"content-type": kind})


@faces
@pytest.mark.parametrize("begun", [0, 100])
def test_one_that_stands_still_is_given_up(server: str, face: str, begun: int, file: bytes) -> None:
    body = body_of(face, file)
    with Upload(server, face, len(body)) as upload:
        upload.send(body[:begun])
        since = time.monotonic()
        status, headers = upload.head()
        assert IDLE - 0.1 < time.monotonic() - since < WHOLE
        assert status == 408
        assert headers["content-type"] == FACES[face][2]
        assert headers["connection"] == "close"
        assert upload.ended()


@faces
def test_one_that_comes_drop_by_drop_is_given_up(server: str, face: str, file: bytes) -> None:
    body = body_of(face, file)
    with Upload(server, face, len(body)) as upload:
        since = time.monotonic()
        upload.connection.settimeout(IDLE / 4)
        for drop in body:
            upload.send(bytes([drop]))
            try:
                status, _ = upload.head()
            except TimeoutError:
                continue
            break
        assert status == 408
        assert WHOLE - 0.1 < time.monotonic() - since < WHOLE + 2


@faces
def test_a_slow_one_that_comes_steadily_is_taken(server: str, face: str, file: bytes) -> None:
    """It takes longer than it may stand still."""
    body = body_of(face, file)
    part = len(body) // 4 + 1
    with Upload(server, face, len(body)) as upload:
        for at in range(0, len(body), part):
            time.sleep(IDLE / 3)
            upload.send(body[at : at + part])
        status, _ = upload.head()
    assert status == (201 if face == "api" else 303)


@pytest.mark.parametrize("other", FACES)
@faces
def test_one_person_has_two_places_until_they_are_given_up(
    server: str, face: str, other: str, file: bytes
) -> None:
    with Upload(server, face, 1000) as one, Upload(server, other, 1000) as two:
        time.sleep(IDLE / 4)
        refused = sent(server, face, file)
        assert refused.status_code == 429
        assert refused.headers["content-type"] == FACES[face][2]
        assert int(refused.headers["retry-after"]) > 0
        assert "2 sessions already" in refused.text
        assert [upload.head()[0] for upload in (one, two)] == [408, 408]
    assert sent(server, face, file).status_code in (201, 303)


@faces
def test_who_hangs_up_gives_the_place_back(server: str, face: str, file: bytes) -> None:
    for _ in range(4):
        with Upload(server, face, 1000) as upload:
            upload.send(b"{")
        time.sleep(IDLE / 4)
    assert sent(server, face, file).status_code in (201, 303)


def test_nobody_alone_has_all_places(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, uploads=4)
    sessions = Sessions(settings, Store.of(settings))
    ann, bob, eve = Principal("ann"), Principal("bob"), Principal("eve")
    with ExitStack() as places:
        for who in (ann, ann, bob):
            places.enter_context(sessions.upload_slot(who))
        with pytest.raises(TooMany), sessions.upload_slot(ann):
            pass
        with ExitStack() as last:
            last.enter_context(sessions.upload_slot(bob))
            with pytest.raises(Busy, match="4 sessions are being imported"), sessions.upload_slot(eve):
                pass
        # What was refused took nothing; what was given back can be had by anybody.
        with sessions.upload_slot(eve):
            pass
    with (
        sessions.upload_slot(ann),
        sessions.upload_slot(ann),
        sessions.upload_slot(bob),
        sessions.upload_slot(eve),
    ):
        pass


def test_no_lab_alone_has_all_places(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, uploads=4)
    sessions = Sessions(settings, Store.of(settings))
    theirs = [Principal(name, lab="a") for name in ("ann", "bob", "eve")]
    with sessions.upload_slot(theirs[0]), sessions.upload_slot(theirs[1]):
        with pytest.raises(Busy, match="your lab imports 2 sessions"), sessions.upload_slot(theirs[2]):
            pass
        with sessions.upload_slot(Principal("dan", lab="b")), sessions.upload_slot(Principal("instructor")):
            pass
    with sessions.upload_slot(theirs[2]):
        pass


@faces
def test_a_full_server_is_busy(face: str, tmp_path: Path, file: bytes) -> None:
    app = build(tmp_path, uploads=1)
    path, kind, refusal = FACES[face]
    with client_of(app) as client, app.state.sessions.upload_slot(Principal("somebody else")):
        answer = client.post(path, content=body_of(face, file), headers={"content-type": kind})
        assert answer.status_code == 503
        assert answer.headers["content-type"] == refusal
        assert int(answer.headers["retry-after"]) > 0

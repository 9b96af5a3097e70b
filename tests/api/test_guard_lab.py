"""Lab mode: who says nothing gets to the entrance and no further; what a proxy says is not believed."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.cookies import COOKIE, SECURE_COOKIE, cookie_name
from app.guard import PUBLIC_PATHS, is_public
from app.settings import Settings
from tests.support.classroom import first_instructor, labs_of
from tests.support.factories import settings_for
from tests.support.served import BASE, ORIGIN, build, client_of, problem, protected

JSON = {"content-type": "application/json"}


async def prepare(folder: Path) -> str:
    """An instructor's token."""
    async with labs_of(settings_for(folder, lab=True)) as (_, labs):
        return await labs.authentication.renew(await first_instructor(labs), "script")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def token(folder: Path) -> str:
    return asyncio.run(prepare(folder))


@pytest.fixture(scope="module")
def application(folder: Path, token: str) -> FastAPI:
    return build(folder, lab=True, rate_per_second=5, rate_burst=40, public_url="http://lab.example.org")


@pytest.fixture(scope="module")
def client(application: FastAPI) -> Iterator[TestClient]:
    with client_of(application) as client:
        yield client


@pytest.fixture
def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize("path", ["/sessions", "/sessions/x", "/sessions/x/alloc_page", "/labs", "/nothing"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_program_is_told_to_say_who_it_is(client: TestClient, method: str, path: str) -> None:
    answer = client.request(method, BASE + path)
    problem(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_person_is_led_to_the_entrance_and_back(client: TestClient) -> None:
    answer = client.get("/sessions/abc?zone=DMA&at=3")
    protected(answer)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/join?back=/sessions/abc%3Fzone%3DDMA%26at%3D3"
    assert client.get("/").headers["location"] == "/join"
    assert client.post("/sessions/abc/undo").headers["location"] == "/join"


def test_what_everybody_may_see(client: TestClient) -> None:
    for path in sorted(PUBLIC_PATHS - {"/favicon.ico", "/preferences", "/join", "/signin", "/metrics"}):
        if "join" not in path and "signin" not in path:
            assert client.get(path).status_code == 200, path
    assert not any(is_public(path) for path in ("/", "/sessions", "/labs", "/joined", "/staticx", "/me"))


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer ", "Bearer kml_wrong", "Basic eDp5", "Bearer \xff"])
def test_what_is_no_token(client: TestClient, given: str) -> None:
    problem(client.get(f"{BASE}/sessions", headers={"authorization": given.encode("latin-1")}), 401)  # type: ignore[dict-item]


def test_a_token_opens_as_header_and_as_cookie(client: TestClient, token: str) -> None:
    for headers in (
        {"authorization": f"Bearer {token}"},
        {"authorization": f"bearer {token}"},
        {"cookie": f"theme=dark; {COOKIE}={token}"},
    ):
        assert client.get(f"{BASE}/sessions", headers=headers).status_code == 200
    wrong = {"authorization": "Bearer kml_wrong", "cookie": f"{COOKIE}={token}"}
    problem(client.get(f"{BASE}/sessions", headers=wrong), 401)  # who names a token means it
    problem(client.get(f"{BASE}/sessions", headers={"cookie": f"{SECURE_COOKIE}={token}"}), 401)


def test_of_several_cookies_the_first_counts(client: TestClient, token: str) -> None:
    good, wrong = f"{COOKIE}={token}", f"{COOKIE}=kml_wrong"
    apart = [("cookie", "theme=dark"), ("cookie", good), ("cookie", wrong)]
    for headers in (apart, [("cookie", f"theme=dark; {good}; {wrong}")]):
        assert client.get(f"{BASE}/sessions", headers=headers).status_code == 200
    for headers in (apart[::-1], [("cookie", f"{wrong}; {good}")]):
        problem(client.get(f"{BASE}/sessions", headers=headers), 401)


def test_the_cookie_is_bound_to_tls_where_there_is_tls() -> None:
    assert cookie_name(Settings()) == COOKIE
    assert cookie_name(Settings(public_url="http://lab.example.org")) == COOKIE
    assert cookie_name(Settings(public_url="https://lab.example.org")) == SECURE_COOKIE


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("lab.example.org", True),
        ("LAB.example.org", True),
        ("127.0.0.1:8000", True),
        ("localhost", True),
        ("10.0.0.7:8000", True),
        ("[2001:db8::7]:8000", True),
        ("evil.example", False),
        ("lab.example.org.evil.example", False),
        ("10.0.0.7.evil.example", False),
        ("lab.example.org:8001", False),
        ("[evil]", False),
        ("", False),
    ],
)
def test_hosts(client: TestClient, host: str, own: bool) -> None:
    answer = client.get("/healthz", headers={"host": host})
    if own:
        assert answer.status_code == 200
    else:
        assert "KMEMLAB_PUBLIC_URL" in problem(answer, 400)["detail"]


def test_what_a_proxy_says_is_not_believed(client: TestClient, bearer: dict[str, str]) -> None:
    said = {
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "https",
        "x-forwarded-for": "127.0.0.1",
        "forwarded": "for=127.0.0.1;host=evil.example",
        "via": "1.1 proxy",
    }
    answer = client.get("/sessions/x", headers=said)
    assert (answer.status_code, answer.headers["location"]) == (303, "/join?back=/sessions/x")
    assert client.get(f"{BASE}/sessions", headers={**said, **bearer}).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "same-origin", "origin": "http://evil.example"},
    ],
)
def test_other_sites_change_nothing(client: TestClient, token: str, sent: dict[str, str]) -> None:
    headers = {**sent, **JSON, "cookie": f"{COOKIE}={token}"}
    problem(client.post(f"{BASE}/sessions", json={}, headers=headers), 403)
    for path in ("/api/v1/join", "/join", "/signin"):
        assert client.post(path, headers=sent).status_code == 403


def test_at_the_public_address_a_page_over_another_scheme_is_of_elsewhere(client: TestClient) -> None:
    host = {"host": "lab.example.org"}
    for origin, other in (("http://lab.example.org", False), ("https://lab.example.org", True)):
        assert (client.post("/join", headers=host | {"origin": origin}).status_code == 403) == other
    for origin in (ORIGIN.replace("http", "ftp"), ORIGIN.removeprefix("http:"), ORIGIN.removeprefix("http")):
        assert client.post("/join", headers={"origin": origin}).status_code == 403


def test_strangers_use_up_nobodys_rate(client: TestClient, bearer: dict[str, str]) -> None:
    assert {client.get(f"{BASE}/gfp?mask=1").status_code for _ in range(60)} == {200}
    assert {client.get(f"{BASE}/sessions").status_code for _ in range(60)} == {401}
    codes = [client.get(f"{BASE}/sessions", headers=bearer).status_code for _ in range(60)]
    assert 429 in codes
    assert codes[0] == 200


def test_the_address_is_the_publics(client: TestClient) -> None:
    assert client.get("/healthz", headers={"host": ORIGIN.removeprefix("http://")}).status_code == 200


@pytest.mark.parametrize("kind", ["sessions", "labs"])
def test_a_stream_ends_that_is_opened_while_its_reader_signs_out(tmp_path: Path, kind: str) -> None:
    token = asyncio.run(prepare(tmp_path))
    application = build(tmp_path, lab=True)
    sessions, labs = application.state.sessions, application.state.labs
    source = {"sessions": sessions, "labs": labs.news}[kind]
    follow = source.follow

    async def follow_late(*args: Any) -> Any:
        await labs.authentication.leave(token)
        return await follow(*args)

    bearer = {"authorization": f"Bearer {token}"}
    with client_of(application) as client:
        body = {"sessions": {"machine": {"profile": "tiny-16m"}}, "labs": {"title": "Ended"}}[kind]
        made = client.post(f"{BASE}/{kind}", json=body, headers=bearer)
        assert made.status_code == 201, made.text
        source.follow = follow_late
        path = f"{BASE}/{kind}/{made.json()['id']}/events/stream"
        with client.stream("GET", path, headers=bearer) as answer:
            assert answer.status_code == 200
            assert b"".join(answer.iter_bytes()) == b""  # and it is over
        problem(client.get(path, headers=bearer), 401)

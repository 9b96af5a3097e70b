"""What every request must pass and every answer carries: Host, Origin, proxies, bodies, headers."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import Request
from starlette.testclient import TestClient

from app.guard import Guard
from app.settings import Settings
from tests.support.served import BASE, build, client_of, problem, protected

pytest_plugins = ("tests.support.clients",)

JSON = {"content-type": "application/json"}


async def nobody(_token: str) -> None:
    """Nobody holds any token."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A server with low limits and a public address."""
    app = build(
        tmp_path_factory.mktemp("small"),
        body_limit=1000,
        batch_body_limit=2000,
        dump_limit=3000,
        public_url="https://lab.example.org",
    )
    with client_of(app) as client:
        yield client


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:1", "127.9.9.9:8000", "[::1]", "[::1]:8000"],
)
def test_this_computer_is_answered(client: TestClient, host: str) -> None:
    assert client.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "evil.example:8000",
        "10.0.0.1",
        "0.0.0.0",
        "[::2]",
        "::1",
        "localhost:",
        "localhost:x",
        "localhost:123456",
        "",
        "lab.example.org",
    ],
)
def test_a_foreign_host_is_refused(client: TestClient, host: str) -> None:
    detail = problem(client.get("/healthz", headers={"host": host}), 400)["detail"]
    assert "http://127.0.0.1" in detail
    assert "KMEMLAB_PUBLIC_URL" in detail


def test_two_hosts_are_refused(client: TestClient) -> None:
    request = client.build_request("GET", "/healthz", headers=[("host", "localhost"), ("host", "127.0.0.1")])
    problem(client.send(request), 400)


def test_the_public_address_is_answered(small: TestClient) -> None:
    assert small.get("/healthz", headers={"host": "lab.example.org"}).status_code == 200
    assert small.get("/healthz", headers={"host": "Lab.Example.Org"}).status_code == 200
    problem(small.get("/healthz", headers={"host": "lab.example.org:8000"}), 400)
    problem(small.get("/healthz", headers={"host": "www.lab.example.org"}), 400)


@pytest.mark.parametrize(
    "header",
    ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "Via", "X-Real-IP"],
)
def test_a_proxy_is_refused(client: TestClient, header: str) -> None:
    detail = problem(client.get("/healthz", headers={header: "x"}), 400)["detail"]
    assert header.lower() in detail


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:3000"},
        {"origin": "http://localhost:8000"},
        {"origin": "null"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:8000"},
        {"sec-fetch-site": "same-origin", "origin": "http://evil.example"},
    ],
)
def test_another_sites_page_may_change_nothing(client: TestClient, headers: dict[str, str]) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        problem(client.request(method, f"{BASE}/sessions", headers=headers), 403)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://127.0.0.1:8000"},
        {"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
    ],
)
def test_our_own_pages_and_scripts_may(client: TestClient, headers: dict[str, str]) -> None:
    body = {"machine": {"profile": "tiny-16m"}}
    assert client.post(f"{BASE}/sessions", json=body, headers=headers).status_code == 201


def test_another_sites_page_may_follow_a_link(client: TestClient) -> None:
    assert client.get("/healthz", headers={"sec-fetch-site": "cross-site"}).status_code == 200


@pytest.mark.parametrize(
    ("path", "limit"),
    [(f"{BASE}/sessions/x/kmalloc", 1000), (f"{BASE}/sessions/x/calls", 2000), (f"{BASE}/sessions", 3000)],
)
def test_bodies_are_bounded(small: TestClient, path: str, limit: int) -> None:
    fits, too_long = b"x" * limit, b"x" * (limit + 1)
    assert str(limit) in problem(small.post(path, content=too_long, headers=JSON), 413)["detail"]
    problem(small.post(path, content=iter([too_long[:600], too_long[600:]]), headers=JSON), 413)
    assert small.post(path, content=fits, headers=JSON).status_code == 400
    assert small.post(path, content=iter([fits[:600], fits[600:]]), headers=JSON).status_code == 400


@pytest.mark.parametrize("length", ["-1", "1e3", "9" * 30, "x", ""])
def test_an_odd_length_is_too_long(client: TestClient, length: str) -> None:
    request = Request(
        "POST", f"http://127.0.0.1:8000{BASE}/sessions", headers={**JSON, "content-length": length}
    )
    problem(client.send(request), 413)


def test_every_answer_is_protected(client: TestClient, at: Any) -> None:
    for response in (
        client.get(at("")),
        client.post(at("/alloc_page"), json={"gfp": "GFP_KERNEL"}),
        client.get(at("/events"), headers={"accept": "application/x-ndjson"}),
        client.delete(at("")),
        client.get("/healthz"),
        client.get("/nowhere"),
    ):
        protected(response)
        assert response.headers["cache-control"] == "no-store"


def test_our_own_mistake_is_protected_and_says_nothing(tmp_path: Path) -> None:
    app = build(tmp_path)

    @app.get("/api/v1/broken")
    async def broken() -> None:
        raise RuntimeError("the inside of kmemlab")

    with client_of(app) as client:
        document = problem(client.get("/api/v1/broken"), 500)
    assert "inside" not in str(document)


def test_every_request_has_its_own_id(client: TestClient) -> None:
    ids = {client.get("/healthz").headers["x-request-id"] for _ in range(20)}
    assert len(ids) == 20


def test_the_principal_is_in_the_scope() -> None:
    seen: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope["state"])

    headers = [(b"host", b"localhost")]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers}
    asyncio.run(Guard(app, Settings(), nobody)(scope, None, None))  # type: ignore[arg-type]
    assert seen["principal"].id == "local"
    assert seen["request_id"]


def test_start_and_stop_pass(application: FastAPI) -> None:
    passed = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope["type"])

    asyncio.run(Guard(app, Settings(), nobody)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert passed == ["lifespan"]

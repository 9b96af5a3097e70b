"""What opens a door is kept nowhere, told to nobody else, and opens nothing once it is taken back."""

import logging
import uuid
import zlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.support import postgresql
from tests.support.factories import raw, settings_for
from tests.support.served import BASE, problem, protected
from tests.support.two_labs import PASSWORD, TwoLabs, by_token, make, sent, serving

PAST = "2020-01-01T00:00:00.000Z"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> TwoLabs:
    return make(tmp_path_factory.mktemp("secrets"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "served"


@pytest.fixture
def client(world: TwoLabs, folder: Path) -> Iterator[TestClient]:
    with serving(world, folder) as client:
        yield client


def everything_given_out(client: TestClient, world: TwoLabs) -> list[str]:
    """All secrets that there are, and those that are had by asking for more."""
    key = str(uuid.uuid4())
    found = [PASSWORD, key, *world.secrets]
    body = {"code": world.ids["code"], "nickname": "Kim"}
    for _ in range(2):
        joined = client.post(f"{BASE}/join", json=body, headers={"idempotency-key": key}).json()
        found += [joined["token"], joined["entry"].rpartition("/")[2]]
    member, teacher = joined["token"], world.tokens["instructor"]
    found.append(sent(client, member, "POST", "/me/entry")["entry"].rpartition("/")[2])
    found.append(sent(client, member, "POST", "/me/token")["token"])
    found.append(sent(client, teacher, "POST", "/invitations")["url"].rpartition("/")[2])
    found.append(sent(client, None, "POST", "/signin", {"name": "Ada", "password": PASSWORD})["token"])
    return found


def kept(folder: Path) -> bytes:
    """All bytes of the database's files, and what is packed in them."""
    with raw(settings_for(folder)) as db:
        bodies = [zlib.decompress(body) for (body,) in db.execute("SELECT body FROM replies").fetchall()]
        rows = "\n".join(db.iterdump()).encode()
    files = rows if postgresql.ON else b"".join(path.read_bytes() for path in folder.iterdir())
    assert bodies
    return b"\0".join([files, *bodies])


def test_only_hashes_are_kept(client: TestClient, world: TwoLabs, folder: Path) -> None:
    given = everything_given_out(client, world)
    here = kept(folder)
    assert [secret for secret in given if secret.encode() in here] == []
    assert [secret for secret in given if secret.removeprefix("kml_").encode() in here] == []
    assert sha256(given[-1].encode()).hexdigest().encode() in here
    assert b"$argon2id$" in here


def test_no_secret_is_written_into_the_log(
    client: TestClient, world: TwoLabs, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    given = everything_given_out(client, world)
    for secret in given:
        client.get(f"{BASE}/me", headers=by_token(secret))
        client.post(f"{BASE}/join", json={"code": secret, "nickname": secret})
        client.post(f"{BASE}/signin", json={"name": "Ada", "password": secret})
    assert [secret for secret in given if secret in caplog.text] == []


def test_no_refusal_tells_a_secret(client: TestClient, world: TwoLabs) -> None:
    secret = world.tokens["owner"]
    for answer in (
        client.get(f"{BASE}/labs/nobody0knows", headers=by_token(secret)),
        client.get(f"{BASE}/labs?x=1", headers=by_token(secret)),
        client.get(f"{BASE}/me", headers=by_token(secret + "x")),
        client.post(f"{BASE}/signin", json={"name": "Ada", "password": secret}),
        client.post(f"{BASE}/signin", json={"name": "Ada", "password": {"x": secret}}),
        client.post(f"{BASE}/labs", json={"title": "x"}, headers=by_token(secret)),
    ):
        assert answer.status_code >= 400
        assert secret not in answer.text
        protected(answer)


@pytest.mark.parametrize("role", ["owner", "instructor"])
def test_a_token_that_has_expired(world: TwoLabs, folder: Path, role: str) -> None:
    with serving(world, folder) as client:
        with raw(client.app.state.settings) as db:  # type: ignore[attr-defined]
            db.execute("UPDATE tokens SET expires = ?", (PAST,))
        problem(client.get(f"{BASE}/me", headers=by_token(world.tokens[role])), 401)
        problem(client.post(f"{BASE}/labs", json={}, headers=by_token(world.tokens[role])), 401)


def test_a_token_that_was_taken_back(client: TestClient, world: TwoLabs) -> None:
    teacher, owner = world.tokens["instructor"], world.tokens["owner"]
    cookie = {"cookie": f"kmemlab={owner}"}
    assert client.get(f"{BASE}/me", headers=cookie).status_code == 200
    sent(client, owner, "POST", "/me/token")
    for headers in (by_token(owner), cookie):
        problem(client.get(f"{BASE}/me", headers=headers), 401)
    assert client.get("/", headers=cookie).headers["location"].startswith("/join")
    member = world.tokens["member"]
    assert sent(client, member, "GET", "/me")["number"] == 2
    sent(client, teacher, "DELETE", f"/labs/{world.ids['lab']}/members/2")
    problem(client.get(f"{BASE}/me", headers=by_token(member)), 401)
    sent(client, teacher, "DELETE", f"/labs/{world.ids['lab']}")
    problem(client.get(f"{BASE}/me", headers=by_token(world.tokens["watcher"])), 401)


def test_links_are_no_tokens(client: TestClient, world: TwoLabs) -> None:
    entry = sent(client, world.tokens["owner"], "POST", "/me/entry")["entry"].rpartition("/")[2]
    url = sent(client, world.tokens["instructor"], "POST", "/invitations")["url"]
    for secret in (entry, url.rpartition("/")[2]):
        problem(client.get(f"{BASE}/me", headers=by_token(secret)), 401)
        problem(client.get(f"{BASE}/me", headers={"cookie": f"kmemlab={secret}"}), 401)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": "Basic {token}"},
        {"authorization": "Bearer {token} {token}"},
        {"authorization": "Bearer {TOKEN}"},
        {"authorization": "Bearer {hash}"},
        {"cookie": "kmemlab={token}x"},
        {"cookie": "__Host-kmemlab={token}"},
        {"cookie": "xkmemlab={token}"},
        {"x-token": "{token}"},
    ],
    ids=str,
)
def test_what_is_no_token(client: TestClient, world: TwoLabs, headers: dict[str, str]) -> None:
    token = world.tokens["owner"]
    words = {"token": token, "TOKEN": token.upper(), "hash": sha256(token.encode()).hexdigest()}
    given = {name: value.format(**words) for name, value in headers.items()}
    problem(client.get(f"{BASE}/me", headers=given), 401)
    problem(client.get(f"{BASE}/me?token={token}"), 401)


def test_behind_tls_only_the_cookie_of_this_host_counts(world: TwoLabs, folder: Path) -> None:
    with serving(world, folder, public_url="https://lab.example.org") as client:
        token = world.tokens["owner"]
        problem(client.get(f"{BASE}/me", headers={"cookie": f"kmemlab={token}"}), 401)
        assert client.get(f"{BASE}/me", headers={"cookie": f"__Host-kmemlab={token}"}).status_code == 200


def test_every_refusal_in_lab_mode_is_protected(world: TwoLabs, folder: Path) -> None:
    with serving(world, folder, rate_per_second=0.001, rate_burst=8, body_limit=1000) as client:
        headers = by_token(world.tokens["owner"])
        answers = [
            client.get(f"{BASE}/me"),
            client.get(f"{BASE}/nowhere", headers=headers),
            client.put(f"{BASE}/me", headers=headers),
            client.post(f"{BASE}/labs", content=b"x" * 1001, headers=headers),
            client.post(f"{BASE}/labs", content=b"x", headers=headers),
            client.post(f"{BASE}/join", json={}),
            client.get("/nowhere", headers={"cookie": f"kmemlab={world.tokens['owner']}"}),
            *(client.get(f"{BASE}/me", headers=headers) for _ in range(8)),
        ]
        assert {answer.status_code for answer in answers} >= {401, 404, 405, 413, 415, 422, 429}
        for answer in answers:
            protected(answer)
            assert answer.headers["cache-control"] == "no-store"

"""Requests on preconditions over HTTP: `If-Match` and `Idempotency-Key` on every route that takes them."""

from collections.abc import Callable
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from tests.support.served import BASE, problem, protected

pytest_plugins = ("tests.support.clients",)

At = Callable[[str], str]

PAGE = {"gfp": "GFP_KERNEL"}
BATCH = {"calls": [{"call": "alloc_page", **PAGE}] * 3}
LINES = b'{"call": "alloc_page", "gfp": "GFP_KERNEL"}\n' * 2


def head(client: TestClient, at: At) -> int:
    return int(client.get(at("")).json()["seq"])


def same(first: Response, second: Response) -> None:
    """Both answers are one, but for what is each request's own."""
    assert second.content == first.content
    assert second.status_code == first.status_code == 201
    own = {"x-request-id", "date"}
    assert [h for h in second.headers.items() if h[0] not in own] == [
        h for h in first.headers.items() if h[0] not in own
    ]
    protected(second)


# -- If-Match ---------------------------------------------------------------------------------


def test_a_call_at_its_seq(client: TestClient, at: At) -> None:
    for seq in range(3):
        made = client.post(at("/alloc_page"), json=PAGE, headers={"If-Match": f'"{seq}"'})
        assert (made.status_code, made.json()["seq"]) == (201, seq + 1)
        assert made.headers["etag"] == f'"{seq + 1}"'
    made = client.post(at("/calls"), json=BATCH, headers={"If-Match": made.headers["etag"]})
    assert made.status_code == 201
    assert made.headers["etag"] == '"6"' == client.get(at("")).headers["etag"]
    assert client.post(at("/alloc_page"), json=PAGE, headers={"If-Match": "*"}).status_code == 201


def test_a_fork_at_its_seq(client: TestClient, at: At) -> None:
    client.post(at("/calls"), json=BATCH)
    stale = client.post(at("/fork"), json={}, headers={"If-Match": '"2"'})
    problem(stale, 412)
    assert stale.headers["etag"] == '"3"'
    made = client.post(at("/fork"), json={}, headers={"If-Match": '"3"'})
    assert (made.status_code, made.json()["origin"]["seq"]) == (201, 3)


@pytest.mark.parametrize("seq", [0, 1, 3, 10**14])
def test_at_another_seq_nothing_is_done(client: TestClient, at: At, seq: int) -> None:
    for _ in range(2):
        client.post(at("/alloc_page"), json=PAGE)
    tag = {"If-Match": f'"{seq}"'}
    for answer in (
        client.post(at("/alloc_page"), json=PAGE, headers=tag),
        client.post(at("/calls"), json=BATCH, headers=tag),
        client.post(at("/calls"), content=b"drain_all_pages()\n" * 300, headers={**tag, **TEXT}),
        client.patch(at(""), json={"name": "other"}, headers=tag),
        client.delete(at(""), headers=tag),
    ):
        detail = problem(answer, 412, "header", "if-match")["detail"]
        assert "seq 2" in detail
        assert answer.headers["etag"] == '"2"'
    session = client.get(at("")).json()
    assert (session["seq"], session["name"]) == (2, "t")


TEXT = {"content-type": "text/plain"}


def test_a_session_at_its_seq(client: TestClient, at: At) -> None:
    client.post(at("/alloc_page"), json=PAGE)
    renamed = client.patch(at(""), json={"name": "other"}, headers={"If-Match": '"1"'})
    assert (renamed.status_code, renamed.headers["etag"]) == (200, '"1"')
    assert client.delete(at(""), headers={"If-Match": '"1"'}).status_code == 204
    problem(client.get(at("")), 404)


@pytest.mark.parametrize("tag", ["0", 'W/"0"', '"x"', "'0'", '"-1"', '""', '"0', "", '"1", "2"', '"1.0"'])
def test_a_malformed_tag(client: TestClient, at: At, tag: str) -> None:
    headers = {"If-Match": tag}
    problem(client.post(at("/alloc_page"), json=PAGE, headers=headers), 422, "header", "if-match")
    problem(client.post(at("/calls"), json=BATCH, headers=headers), 422, "header", "if-match")
    problem(client.patch(at(""), json={"name": "x"}, headers=headers), 422, "header", "if-match")
    problem(client.delete(at(""), headers=headers), 422, "header", "if-match")
    assert head(client, at) == 0


def test_a_bad_call_at_another_seq_is_only_late(client: TestClient, at: At) -> None:
    problem(client.post(at("/alloc_page"), json={"gfp": "NO"}, headers={"If-Match": '"9"'}), 412)
    problem(client.post(at("/alloc_page"), json={"gfp": "NO"}, headers={"If-Match": '"0"'}), 422, "gfp")


# -- Idempotency-Key --------------------------------------------------------------------------


def requests(at: At) -> list[tuple[str, dict[str, Any]]]:
    """One of each kind that may be sent again."""
    return [
        (f"{BASE}/sessions", {"json": {"name": "once", "machine": {"profile": "tiny-16m"}}}),
        (at("/alloc_page"), {"json": PAGE}),
        (at("/alloc_page"), {"json": {**PAGE, "counters": True}}),
        (at("/calls"), {"json": BATCH}),
        (at("/calls"), {"content": LINES, "headers": {"content-type": "application/x-ndjson"}}),
        (at("/calls"), {"content": b"p = alloc_pages(GFP_KERNEL, 0)\n" * 300, "headers": TEXT}),
    ]


def send(client: TestClient, key: str, request: tuple[str, dict[str, Any]], **headers: str) -> Response:
    path, body = request
    given = {"Idempotency-Key": key, **headers, **body.get("headers", {})}
    return client.post(path, **{**body, "headers": given})


@pytest.mark.parametrize("kind", range(6))
def test_sent_again_it_is_answered_again(client: TestClient, at: At, kind: int) -> None:
    request = requests(at)[kind]
    key = f"again-{kind}-{at('')}"
    count = len(client.get(f"{BASE}/sessions?limit=1000").json()["items"])
    first = send(client, key, request)
    seq = head(client, at)
    for _ in range(3):
        same(first, send(client, key, request))
    assert head(client, at) == seq
    assert len(client.get(f"{BASE}/sessions?limit=1000").json()["items"]) == count + (kind == 0)
    # Another key is another request.
    other = send(client, key + "!", request)
    assert other.status_code == 201
    assert other.content != first.content


def test_another_request_under_the_key(client: TestClient, at: At) -> None:
    key = f"other-{at('')}"
    kinds = requests(at)
    assert send(client, key, kinds[1]).status_code == 201
    changed = [*kinds[2:], kinds[0], (at("/alloc_page") + "?wait=0", {"json": PAGE})]
    changed += [(at("/alloc_page"), {"content": b'{"gfp": "GFP_KERNEL" }', "headers": JSON})]
    changed += [(at("/get_zeroed_page"), {"json": PAGE})]
    for request in changed:
        problem(send(client, key, request), 422, "header", "idempotency-key")
    assert head(client, at) == 1


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "\x7f", "é"])
def test_no_key(client: TestClient, at: At, key: str) -> None:
    for path, body in requests(at):
        headers = {**body.get("headers", {}), "Idempotency-Key": key.encode("latin-1")}
        answer = client.post(path, **{**body, "headers": headers})
        problem(answer, 422, "header", "idempotency-key")
    assert head(client, at) == 0


def test_the_longest_key_and_every_character(client: TestClient, at: At) -> None:
    for number, key in enumerate(("x" * 255, "".join(map(chr, range(0x21, 0x7F))))):
        first = send(client, key, (at("/alloc_page"), {"json": PAGE}))
        assert first.json()["seq"] == number + 1
        same(first, send(client, key, (at("/alloc_page"), {"json": PAGE})))


def test_given_twice(client: TestClient, at: At) -> None:
    for name, value in (("If-Match", '"0"'), ("Idempotency-Key", "k")):
        answer = client.post(at("/alloc_page"), json=PAGE, headers=[(name, value), (name, value)])
        problem(answer, 422, "header", name.lower())
    assert head(client, at) == 0


def test_refusals_are_not_kept(client: TestClient, at: At) -> None:
    key = f"refused-{at('')}"
    wrong = (at("/alloc_page"), {"json": {"gfp": "NO"}})
    problem(send(client, key, wrong), 422, "gfp")
    late = (at("/alloc_page"), {"json": PAGE})
    problem(send(client, key, late, **{"If-Match": '"5"'}), 412)
    assert send(client, key, late).json()["seq"] == 1


def test_done_before_goes_before_the_seq(client: TestClient, at: At) -> None:
    request = (at("/alloc_page"), {"json": PAGE})
    key = f"both-{at('')}"
    first = send(client, key, request, **{"If-Match": '"0"'})
    client.post(at("/alloc_page"), json=PAGE)
    same(first, send(client, key, request, **{"If-Match": '"0"'}))
    problem(send(client, key + "!", request, **{"If-Match": '"0"'}), 412)
    assert head(client, at) == 2


def test_a_deleted_session(client: TestClient, at: At) -> None:
    request = requests(at)[0]
    key = f"gone-{at('')}"
    made = send(client, key, request)
    call = (made.headers["location"] + "/alloc_page", {"json": PAGE})
    assert send(client, key + "!", call).status_code == 201
    client.delete(made.headers["location"])
    # That a session was made remains true; what was done to it is gone with it.
    same(made, send(client, key, request))
    problem(send(client, key + "!", call), 404)
    assert send(client, key + "!", (at("/alloc_page"), {"json": PAGE})).status_code == 201


def test_a_blocked_call_is_waited_for_again(client: TestClient, at: At) -> None:
    pfn = client.post(at("/alloc_page"), json=PAGE).json()["page"]["pfn"]
    client.post(at("/lock_page"), json={"pfn": pfn, "task": "a"})
    request = (at("/lock_page?wait=0.5"), {"json": {"pfn": pfn, "task": "b"}})
    key = f"wait-{at('')}"
    first = send(client, key, request)
    assert (first.json()["verdict"], first.json()["woken_at"]) == ("blocked", None)
    same(first, send(client, key, request))
    assert head(client, at) == 3
    client.post(at("/calls"), content=b"drain_all_pages()\n" * 1200, headers=TEXT)
    woken = client.post(at("/unlock_page"), json={"pfn": pfn, "task": "a"}).json()
    assert woken["woken"] == ["b"]
    client.post(at("/unlock_page"), json={"pfn": pfn, "task": "b"})
    again = send(client, key, request)
    assert again.json() == {**first.json(), "woken_at": woken["seq"]}
    assert again.headers["etag"] == first.headers["etag"]


# -- where they are taken ---------------------------------------------------------------------


# What is answered there must not be kept, is nothing, or is computed anew each time: nothing is made there.
KEYLESS = {
    f"{BASE}/{path}"
    for path in (
        "signin",
        "signout",
        "me/token",
        "me/entry",
        "invitations",
        "replacement",
        "exercises/check",
        "sessions/{id}/exercise/answers",
        "sessions/{id}/exercise/check",
        "sessions/{id}/exercise/hints",
        "variants/{variant}/check",
    )
}


def test_every_post_that_makes_something_takes_a_key(client: TestClient) -> None:
    paths = client.get(f"{BASE}/openapi.json").json()["paths"]
    for path, item in paths.items():
        for method, operation in item.items():
            if method == "parameters":
                continue
            names = {parameter["name"] for parameter in operation.get("parameters", ())}
            takes = method == "post" and path not in KEYLESS
            assert ("Idempotency-Key" in names) == takes, (method, path)
    assert set(paths) >= KEYLESS


def test_elsewhere_they_are_refused(client: TestClient, at: At) -> None:
    for path in (at(""), at("/zones"), f"{BASE}/gfp", f"{BASE}/sessions"):
        for name, value in (("If-Match", '"0"'), ("Idempotency-Key", "k")):
            problem(client.get(path, headers={name: value}), 422, "header", name.lower())
    problem(client.post(f"{BASE}/sessions", json={}, headers={"If-Match": '"0"'}), 422, "header", "if-match")
    problem(client.delete(at(""), headers={"Idempotency-Key": "k"}), 422, "header", "idempotency-key")

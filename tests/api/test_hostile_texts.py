"""Texts that nobody would type, in every string of every JSON body and in every field of every form.

Each is answered, none with a 500, and none is normalised or looked at character by character before it was
measured.
"""

import json
import unicodedata
from collections.abc import Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from httpx2 import Response
from starlette.testclient import TestClient

from app import text
from tests.support.roles import EXERCISE, TABLE, Asked
from tests.support.served import BASE, ORIGIN, problem
from tests.support.two_labs import PASSWORD, TwoLabs, by_token, make, serving

Route = tuple[str, str]

TEXTS = {
    "marks": "a" + "\u0315\u0300" * 25_000,  # more than may be looked at one by one
    "letters": "x" * 900_000,
    "blanks": " " * 900_000,
    "NUL": "a\0b",
    "surrogate": "\ud800",
    "digits": "9" * 5_000,
}

# What forms have beside what the table sends.
MORE_FIELDS = (
    "view",
    "back",
    "name",
    "title",
    "text",
    "here",
    "seq",
    "to",
    "at",
    "part",
    "as",
    "until",
    "task",
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> TwoLabs:
    return make(tmp_path_factory.mktemp("two_labs"))


@pytest.fixture(scope="module")
def client(world: TwoLabs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with serving(world, tmp_path_factory.mktemp("hostile")) as client:
        begun = client.post(
            f"{BASE}/exercises/{EXERCISE}/practice",
            json={"variant": 7},
            headers=by_token(world.tokens["owner"]),
        )
        world.sessions["practice"] = begun.json()["session"]["id"]
        yield client


class Work:
    """Counts what costs more than one pass."""

    def __init__(self) -> None:
        self.longest = 0
        self.characters = 0

    def normalize(self, form: Any, given: str) -> str:
        self.longest = max(self.longest, len(given))
        return unicodedata.normalize(form, given[:10_000])

    def category(self, character: str) -> str:
        self.characters += 1
        return unicodedata.category(character)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    work = Work()
    monkeypatch.setattr(
        text, "unicodedata", SimpleNamespace(normalize=work.normalize, category=work.category)
    )
    return work


def person_at(route: Route) -> str:
    """Somebody who may do it. Nobody may practise on a session that was not made for it."""
    if practises(route):
        return "owner"
    _, outcomes = TABLE[route].rule
    return next(role for role in ("instructor", "owner", "anonymous") if outcomes[role] == "yes")


def practises(route: Route) -> bool:
    """Whether it is asked of a session that was made to practise."""
    return "/exercise/" in route[1]


def place_of(world: TwoLabs, route: Route, path: str) -> str:
    """The path, at what is there for who may do it."""
    found = world.at(person_at(route), path)
    if practises(route):
        found = found.replace(world.sessions["copy"], world.sessions["practice"])
    return found


def replaced(body: Any, hostile: str) -> Iterator[Any]:
    """The body with one of its strings replaced, for each of them; and with one more member of that name."""
    if isinstance(body, str):
        yield hostile
    elif isinstance(body, dict):
        for name, value in body.items():
            yield from ({**body, name: other} for other in replaced(value, hostile))
    elif isinstance(body, list):
        for place, value in enumerate(body):
            yield from ([*body[:place], other, *body[place + 1 :]] for other in replaced(value, hostile))


def fields_of(client: TestClient, route: Route, asked: Asked) -> set[str]:
    """The fields of a form: those that the table sends, and those that the route declares."""
    assert isinstance(client.app, FastAPI)
    found = set(asked.form or ()) | set(MORE_FIELDS)
    for context in iter_route_contexts(client.app.router.routes):
        if isinstance(context.route, APIRoute) and context.path == route[1]:
            found |= {field.alias for field in context.route.dependant.body_params}
    return found


@cache
def quoted(kind: str) -> str:
    """A text as a form has it, made once: that takes longer than most answers."""
    return quote_plus(TEXTS[kind])


def check(answer: Response, work: Work, what: object) -> None:
    assert answer.status_code < 500, (what, answer.text[:500])
    if answer.headers.get("content-type") == "application/problem+json":
        assert len(answer.content) <= 16 << 10, what
    assert len(answer.content) <= 2 << 20, (what, len(answer.content))
    assert work.longest <= text.COMPARED, what
    assert work.characters <= 40_000, what
    work.longest = work.characters = 0


def send_json(client: TestClient, world: TwoLabs, route: Route, body: bytes) -> Response:
    role = person_at(route)
    method, path = route
    headers = by_token(world.tokens.get(role)) | {"content-type": "application/json"}
    answer = client.request(method, place_of(world, route, path), content=body, headers=headers)
    client.cookies.clear()
    return answer


JSON_ROUTES = [route for route, asked in TABLE.items() if asked.json is not None]
FORM_ROUTES = [
    route for route, asked in TABLE.items() if route[0] == "POST" and not route[1].startswith(BASE)
]


@pytest.mark.sampled(8)
@pytest.mark.parametrize("route", JSON_ROUTES, ids=" ".join)
@pytest.mark.parametrize("kind", TEXTS)
def test_json(client: TestClient, world: TwoLabs, work: Work, route: Route, kind: str) -> None:
    asked, hostile = TABLE[route], TEXTS[kind]
    body = world.filled(person_at(route), asked.json)
    bodies = [*replaced(body, hostile), {**body, hostile: 1}, {**body, "name": hostile}, hostile, [hostile]]
    for sent in bodies:
        raw = json.dumps(sent, ensure_ascii=kind == "surrogate").encode()
        answer = send_json(client, world, route, raw)
        if kind == "surrogate":
            problem(answer, 400)
        check(answer, work, (route, kind))


@pytest.mark.sampled(8)
@pytest.mark.parametrize("route", FORM_ROUTES, ids=" ".join)
@pytest.mark.parametrize("kind", ["marks", "blanks", "NUL", "digits"])
def test_forms(client: TestClient, world: TwoLabs, work: Work, route: Route, kind: str) -> None:
    asked = TABLE[route]
    if asked.spoils and asked.form is None:
        pytest.skip("another test's world would be gone")
    role = person_at(route)
    token = world.tokens.get(role)
    headers = {"sec-fetch-site": "same-origin", "origin": ORIGIN}
    headers["content-type"] = "application/x-www-form-urlencoded"
    if token is not None:
        headers["cookie"] = f"kmemlab={token}"
    usual = world.filled(role, asked.form or {})
    for name in sorted(fields_of(client, route, asked)):
        form = [(other, value) for other, value in usual.items() if other != name]
        raw = f"{urlencode(form)}&{quote_plus(name)}={quoted(kind)}".encode()
        answer = client.post(place_of(world, route, asked.path or route[1]), content=raw, headers=headers)
        client.cookies.clear()
        check(answer, work, (route, name, kind))


@pytest.mark.parametrize("kind", ["marks", "blanks", "digits"])
def test_queries_and_headers(client: TestClient, world: TwoLabs, work: Work, kind: str) -> None:
    """An address is bounded as a whole; a header is bounded where it is looked at."""
    hostile = TEXTS[kind]
    token = by_token(world.tokens["instructor"])
    for path in (f"{BASE}/sessions", f"{BASE}/gfp", "/", "/gfp", "/join", "/audit"):
        for name in ("after", "mask", "code", "back", "before", "limit", hostile[:5_000]):
            for length in (1_500, 50_000):
                query = urlencode({name: hostile[:length]})[:60_000]
                answer = client.get(f"{path}?{query}", headers=token)
                if len(query) > 8192:
                    assert answer.status_code == 414
                check(answer, work, (path, name, kind))
    for header in ("if-match", "idempotency-key", "last-event-id", "accept-language", "x-anything"):
        for path in (f"{BASE}/sessions", "/labs"):
            sent = {name.encode(): value.encode() for name, value in token.items()}
            sent[header.encode()] = hostile.encode()[:60_000].strip()
            check(client.post(path, headers=sent, json={}), work, (path, header, kind))


def test_a_long_password_is_hashed_as_a_short_one(client: TestClient, work: Work) -> None:
    answer = client.post(f"{BASE}/signin", json={"name": "Ada", "password": PASSWORD * 100})
    problem(answer, 403)
    answer = client.post(f"{BASE}/signin", json={"name": "Ada", "password": PASSWORD * 40_000})
    problem(answer, 413)
    answer = client.post(f"{BASE}/signin", json={"name": TEXTS["marks"][:2000], "password": PASSWORD})
    problem(answer, 403)
    check(answer, work, "name")


@pytest.mark.slow
def test_a_body_of_unknown_members_has_a_short_answer(client: TestClient, world: TwoLabs) -> None:
    body = json.dumps({f"member{number}": number for number in range(40_000)}).encode()
    for route in JSON_ROUTES:
        document = problem(send_json(client, world, route, body), 422)
        if "arguments of one call" in document["detail"]:
            continue  # which is judged before each of them is looked at
        assert len(document["errors"]) == 20
        assert document["more"] >= 39_980
        assert f"and {document['more']:,} more" in document["detail"]


def test_faults_of_many_calls(client: TestClient, world: TwoLabs) -> None:
    route = "POST", f"{BASE}/sessions/{{id}}/calls"
    calls = [{"call": "alloc_pages", "gfp": "é" * 60, "x" * 90: n} for n in range(10_000)]
    document = problem(send_json(client, world, route, json.dumps({"calls": calls}).encode()), 422)
    assert len(document["errors"]) + document["more"] == 30_000
    calls = list(range(10_000))
    document = problem(send_json(client, world, route, json.dumps({"calls": calls}).encode()), 422)
    assert document["more"] == 9_980

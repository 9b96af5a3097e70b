"""Every route as everybody: who may do what is declared in tests/support/roles.py, and holds."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import anyio
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from httpx2 import Response
from starlette.routing import Mount
from starlette.testclient import TestClient

from app.api.calls import hot_route
from app.machine.entry import CALLS
from tests.support.factories import raw, tables
from tests.support.roles import ONE, READ, TABLE, WAIT, WHO, YES, Asked
from tests.support.served import BASE, ORIGIN, problem, protected
from tests.support.two_labs import ROLES, TwoLabs, by_token, make, serving

Route = tuple[str, str]

UNSAFE = [route for route in TABLE if route[0] != "GET"]

# What stands there is nobody's work: states that are kept to be quick, and answers that are kept for a day.
DERIVED = {"snapshots", "states", "replies", "clock"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> TwoLabs:
    return make(tmp_path_factory.mktemp("two_labs"))


@pytest.fixture(scope="module")
def client(world: TwoLabs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """For everything that spoils nothing."""
    with serving(world, tmp_path_factory.mktemp("shared")) as client:
        yield client


def served(app: FastAPI) -> Iterator[Route]:
    """Every method and path at which anybody is answered."""
    for context in iter_route_contexts(app.router.routes):
        route, path = context.route, context.path
        assert path is not None
        if isinstance(route, Mount):
            yield "GET", re.sub(r"^/static/.*", "/static/{file}", path)
        elif path == hot_route.path:
            yield from (("POST", f"{ONE}/{call}") for call in CALLS)
        else:
            plain = re.sub(r":\w+", "", path)
            if plain.removeprefix(f"{ONE}/") not in CALLS:  # the two kinds of fork have one path
                yield from product(sorted(context.methods or ()), [plain])


def test_every_route_is_declared_and_no_other(client: TestClient) -> None:
    assert isinstance(client.app, FastAPI)
    here = list(served(client.app))
    assert sorted(here) == sorted(set(here))
    assert set(here) - set(TABLE) == set()
    assert set(TABLE) - set(here) == set()


def is_api(path: str) -> bool:
    return path.startswith(("/api/", "/healthz", "/readyz", "/metrics"))


def ask(client: TestClient, world: TwoLabs, route: Route, role: str, **more: str) -> Response:
    """Send what the table says, as somebody: a script to the API, a browser to pages."""
    method, path = route
    asked = TABLE[route]
    path = asked.path or path
    if path == "{asset}":
        path = client.app.state.assets.url("css/base.css")  # type: ignore[attr-defined]
    token = world.tokens.get(role)
    headers = by_token(token)
    if not is_api(path):
        headers = {"sec-fetch-site": "same-origin", "origin": ORIGIN}
        if token is not None:
            headers["cookie"] = f"kmemlab={token}"
    body: dict[str, Any] = {}
    if asked.json is not None:
        body = {"json": world.filled(role, asked.json)}
    elif asked.form is not None:
        body = {"data": world.filled(role, asked.form)}
    path = world.at(role, path)
    if asked.endless:
        return first_part(client, path, headers | more)
    answer = client.request(method, path, headers=headers | more, **body)
    client.cookies.clear()
    return answer


@pytest.mark.parametrize("role", ROLES)
def test_the_accesses_of_a_session_are_compared_for_who_may_read_it(
    client: TestClient, world: TwoLabs, role: str
) -> None:
    """The session is named in a body and in a query, where no path says whose it is."""
    outcome = READ[1][role]
    token = world.tokens.get(role)
    string = world.filled(role, {"session": "{session}", "task": "init"})
    sent = client.post(f"{BASE}/replacement", json={"string": string, "frames": [1]}, headers=by_token(token))
    assert right(sent, f"{BASE}/replacement", outcome, world.ids["lab"]), sent.text
    cookie = {} if token is None else {"cookie": f"kmemlab={token}"}
    shown = client.get("/replacement", params={"of": "session", **string, "task": ""}, headers=cookie)
    client.cookies.clear()
    assert right(shown, "/replacement", outcome, world.ids["lab"]), shown.text


def first_part(client: TestClient, path: str, headers: dict[str, str]) -> Response:
    """The beginning of an answer that has no end."""

    async def run() -> Response:
        started, answers = anyio.Event(), []

        async def receive() -> dict[str, Any]:
            await started.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            answers.append(message)
            started.set()

        request = client.build_request("GET", path, headers=headers)
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "http_version": "1.1",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "server": ("127.0.0.1", 8000),
            "client": ("127.0.0.1", 1),
        }
        await client.app(scope, receive, send)
        body = b"".join(message.get("body", b"") for message in answers)
        return Response(answers[0]["status"], headers=answers[0]["headers"], content=body, request=request)

    assert client.portal is not None
    return client.portal.call(run)


def done(answer: Response, *, out: bool = False) -> bool:
    """Whether the request has had its effect: nobody was sent to the entrance. out: a cookie is gone."""
    if out and "max-age=0" not in answer.headers.get("set-cookie", "").lower():
        return False
    return answer.status_code < 400 and not answer.headers.get("location", "").startswith("/join")


def right(answer: Response, path: str, outcome: Any, lab: str) -> bool:
    if outcome == YES:
        return done(answer)
    if outcome == WHO and is_api(path):
        return answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
    if outcome == WAIT and is_api(path):
        return answer.status_code == 403 and "you wait to be admitted" in answer.text
    if outcome == WAIT:
        return answer.status_code == 303 and answer.headers["location"] == "/labs/" + lab
    if outcome == WHO:
        return answer.status_code == 303 and answer.headers["location"].startswith("/join")
    return bool(answer.status_code == outcome)


def rows(client: TestClient) -> dict[str, Any]:
    """Everything that stands in the database, but what is derived, and what follows the clock."""
    with raw(client.app.state.settings) as db:  # type: ignore[attr-defined]
        found = {
            name: sorted(db.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in tables(db)
        }
    return {name: rows for name, rows in found.items() if name not in DERIVED}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("route", TABLE, ids=" ".join)
def test_who_may(client: TestClient, world: TwoLabs, tmp_path: Path, route: Route) -> None:
    asked: Asked = TABLE[route]
    _, outcomes = asked.rule
    before = rows(client)
    for role in ROLES:
        if outcomes[role] != YES:
            answer = ask(client, world, route, role)
            assert right(answer, route[1], outcomes[role], world.ids["lab"]), (
                role,
                answer.status_code,
                answer.text,
            )
            protected(answer)
    assert rows(client) == before  # a refusal changes nothing
    for role in ROLES:
        if outcomes[role] == YES and not asked.spoils:
            succeeds(ask(client, world, route, role), route, role)
        elif outcomes[role] == YES:
            with serving(world, tmp_path / role) as another:
                succeeds(ask(another, world, route, role), route, role)


def succeeds(answer: Response, route: Route, role: str) -> None:
    assert done(answer, out=TABLE[route].out), (role, answer.status_code, answer.text)
    protected(answer)
    if is_api(route[1]):
        assert answer.headers["cache-control"] == "no-store"
        assert "set-cookie" not in answer.headers  # programs have tokens
    for cookie in answer.headers.get_list("set-cookie"):
        assert {"httponly", "samesite=lax", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}


# -- attacks ---------------------------------------------------------------------------------------------

# What a browser says of a request that a page of another site has made it send.
FROM_ELSEWHERE = (
    {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("route", UNSAFE, ids=" ".join)
def test_another_sites_page_can_do_nothing_with_a_cookie(
    client: TestClient, world: TwoLabs, route: Route
) -> None:
    before = rows(client)
    for headers in FROM_ELSEWHERE:
        own = {} if "origin" in headers else {"origin": ORIGIN}
        cookie = {"authorization": "", "cookie": f"kmemlab={world.tokens['instructor']}"}
        answer = ask(client, world, route, "instructor", **cookie, **own, **headers)
        problem(answer, 403)
    assert rows(client) == before


@pytest.mark.sampled(2)
@pytest.mark.parametrize("route", [route for route in TABLE if not TABLE[route].endless], ids=" ".join)
def test_a_foreign_host_is_answered_nowhere(client: TestClient, world: TwoLabs, route: Route) -> None:
    problem(ask(client, world, route, "instructor", host="evil.example"), 400)

"""`/calls.http`: an editor can send every request of it, one after the other, and each is done."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.machine.entry import CALLS
from tests.support.served import BASE, ORIGIN, build, client_of
from tests.support.two_labs import by_token, make

FILE = f"{BASE}/calls.http"
VARIABLE = re.compile(r"\{\{([^}]*)\}\}")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_of(build(tmp_path_factory.mktemp("http"))) as client:
        yield client


@dataclass
class Request:
    title: str
    name: str | None
    method: str
    url: str
    headers: dict[str, str]
    body: str


class Editor:
    """Reads a file as an editor does: variables, requests with names, and answers that others refer to."""

    def __init__(self, client: TestClient, text: str) -> None:
        self.client = client
        self.variables = dict(re.findall(r"^@(\w+) = (.*)$", text, re.MULTILINE))
        self.requests = [*map(request, re.split(r"^### ", text, flags=re.MULTILINE)[1:])]
        self.answers: dict[str, Any] = {}

    def filled(self, text: str) -> str:
        return VARIABLE.sub(lambda found: self.filled(self.value(found[1])), text)

    def value(self, name: str) -> str:
        if name in self.variables:
            return self.variables[name]
        request, member = name.split(".response.body.$.")
        return str(self.answers[request][member])

    def send(self, request: Request) -> Any:
        url, body = self.filled(request.url), self.filled(request.body)
        assert "{{" not in url + body
        headers = {name: self.filled(value) for name, value in request.headers.items()}
        answer = self.client.request(request.method, url, content=body or None, headers=headers)
        assert answer.is_success, f"{request.title}: {answer.text}"
        if request.name is not None:
            self.answers[request.name] = answer.json()
        return answer


def request(text: str) -> Request:
    head, _, body = text.strip().partition("\n\n")
    title, *lines = head.split("\n")
    name = None
    if lines[0].startswith("# @name "):
        name = lines.pop(0).removeprefix("# @name ")
    method, url = lines.pop(0).split(" ")
    return Request(title, name, method, url, dict(line.split(": ", 1) for line in lines), body)


def test_every_request_is_done(client: TestClient) -> None:
    editor = Editor(client, client.get(FILE).text)
    assert editor.variables["api"] == f"{ORIGIN}{BASE}"
    for each in editor.requests:
        editor.send(each)
    outcomes = {name: answer for name, answer in editor.answers.items() if name in CALLS}
    assert set(outcomes) == set(CALLS)
    assert {
        name: outcome["verdict"] for name, outcome in outcomes.items() if outcome["verdict"] != "ok"
    } == {}
    assert not [outcome for outcome in outcomes.values() if "cause" in outcome]


def test_bodies_are_json_once_they_are_filled(client: TestClient) -> None:
    editor = Editor(client, client.get(FILE).text)
    for each in editor.requests:
        if each.headers.get("content-type") == "application/json":
            json.loads(VARIABLE.sub("1", each.body))


def test_in_lab_mode_everybody_says_who_they_are(tmp_path: Path) -> None:
    world = make(tmp_path)
    with client_of(build(tmp_path, lab=True)) as client:
        editor = Editor(client, client.get(FILE).text)
        assert editor.variables["token"] == "kml_"
        editor.variables["token"] = world.tokens["owner"]
        for each in editor.requests[:10]:
            editor.send(each)
        assert all(
            each.headers.get("authorization") == "Bearer {{token}}"
            for each in editor.requests
            if "session" in each.url
        )
        listed = client.get(f"{BASE}/sessions", headers=by_token(world.tokens["owner"])).json()["items"]
        assert "from an editor" in {session["name"] for session in listed}

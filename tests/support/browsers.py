"""A class in this process: an instructor with a lab, and students, each with their own browser."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from httpx2 import Response
from starlette.testclient import TestClient

from app.labs import secret
from app.store import Store, people
from app.store.people import TokenRow
from tests.support.served import ORIGIN, build, client_of

PASSWORD = "correct horse battery"


class Class:
    """One server in lab mode. first: the browser of its first instructor."""

    def __init__(self, app: FastAPI, first: TestClient) -> None:
        self.app = app
        self.first = first

    def browser(self) -> TestClient:
        """Another browser, with no cookie yet, in the same event loop."""
        browser = TestClient(
            self.app, base_url=str(self.first.base_url), raise_server_exceptions=False, follow_redirects=False
        )
        browser.portal = self.first.portal
        return browser

    def lab(self, title: str = "Buddy allocator", text: str = "") -> str:
        """A new lab of the first instructor: its path."""
        return at(self.first.post("/labs", data={"title": title, "text": text}))

    def session(self, lines: str = "p = alloc_pages(GFP_KERNEL, 3)", name: str = "machine") -> str:
        """A new session of the first instructor: its id."""
        made = self.first.post(
            "/api/v1/sessions", json={"name": name, "machine": {"profile": "tiny-16m", "lecture": True}}
        )
        sid = str(made.json()["id"])
        if lines:
            run(self.first, sid, lines)
        return sid

    def machine(self, lab: str, session: str, kind: str = "prepared", **more: str) -> str:
        """Put a session into a lab: the machine's id."""
        answer = self.first.post(f"{lab}/machines", data={"session": session, "kind": kind, **more})
        assert answer.status_code == 303, answer.text
        return str(
            re.findall(r'id="machine-(\w+)"', self.first.get(lab).text)[-1 if kind == "prepared" else 0]
        )

    def code(self, lab: str) -> str:
        """The code with which students join."""
        found = re.search(r'class="code-large mono">([^<]+)<', self.first.get(lab).text)
        assert found is not None
        return found[1]

    def student(self, lab: str, nickname: str = "Kim") -> TestClient:
        """Somebody who has joined."""
        browser = self.browser()
        answer = browser.post("/join", data={"code": self.code(lab), "nickname": nickname})
        assert (answer.status_code, answer.headers.get("location")) == (303, lab), answer.text
        return browser


def at(response: Response) -> str:
    """Where a form has led."""
    assert response.status_code == 303, response.text
    return str(response.headers["location"])


def run(browser: TestClient, session: str, lines: str) -> Any:
    """Calls as lines of text, through the API."""
    answer = browser.post(
        f"/api/v1/sessions/{session}/calls", content=lines, headers={"Content-Type": "text/plain"}
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


@contextmanager
def class_of(folder: Path, **settings: Any) -> Iterator[Class]:
    """A server with one instructor, Ada, who has signed in."""
    app = build(folder, lab=True, **settings)
    with client_of(app) as first:
        first.base_url = settings.get("public_url", ORIGIN)
        assert first.portal is not None
        invitation = first.portal.call(app.state.labs.authentication.first_invitation)
        answer = first.post(f"/setup/{invitation}", data={"name": "Ada", "password": PASSWORD})
        assert at(answer) == "/labs"
        yield Class(app, first)


def invitation(app: FastAPI) -> str:
    """A link's secret with which an instructor comes in, for a server that runs elsewhere."""
    made = secret.new_secret()
    store = Store.of(app.state.settings)
    with store.writing() as db:
        people.add_token(
            db,
            TokenRow(secret.digest(made), "invite", None, secret.days_from_now(0), secret.days_from_now(1)),
        )
    store.dispose()
    return made

"""Two labs on one server, and somebody in each role: what the table in tests/support/roles.py is tried on.

Everything is made over the API, once, and kept as a database; `serving` begins from a copy of it, so that who
deletes something spoils nobody else's world.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from httpx2 import Response
from starlette.testclient import TestClient

from tests.support import postgresql
from tests.support.factories import raw
from tests.support.served import BASE, build, client_of

PASSWORD = "correct horse battery"
MACHINE = {"profile": "x86_64-1g"}
UNLIMITED = {"rate_per_second": 1e6, "rate_burst": 1_000_000}

# Who tries, and at which of the lab's sessions where an address names one: `copy` is the owner's.
SESSION_OF = {
    "anonymous": "copy",
    "foreign": "copy",
    "waiting": "copy",
    "member": "copy",
    "watcher": "watch",
    "operator": "operate",
    "owner": "copy",
    "instructor": "copy",
    "other": "copy",
}
ROLES = tuple(SESSION_OF)


@dataclass
class TwoLabs:
    """Two labs in a database: their tokens, ids and secrets."""

    # Where the database is.
    folder: Path
    # By role.
    tokens: dict[str, str] = field(default_factory=dict)
    # Of what is in the lab.
    ids: dict[str, Any] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    # The owner's, of the sheet's exercises.
    of_exercises: list[str] = field(default_factory=list)
    # All given out.
    secrets: list[str] = field(default_factory=list)

    def at(self, role: str, path: str) -> str:
        """A path of the table, at what is there for the role."""
        task = self.ids["task_of_operator"] if role == "operator" else "alice"
        ids = {**self.ids, "session": self.sessions[SESSION_OF[role]], "task": task}
        where = re.sub(r"(labs|sessions)/\{id\}", r"\1/{\1}", path)
        known = {**ids, "labs": ids["lab"], "sessions": ids["session"]}
        known |= {f"{name}_id": value for name, value in ids.items()}
        return where.format_map(known)

    def filled(self, role: str, body: Any) -> Any:
        """A body of the table, as the role would send it."""
        if isinstance(body, dict):
            return {name: self.filled(role, value) for name, value in body.items()}
        if isinstance(body, str) and body.startswith("{"):
            return self.at(role, body)
        return body


@contextmanager
def serving(world: TwoLabs, folder: Path, **more: Any) -> Iterator[TestClient]:
    """A server with a world of its own. more: settings."""
    folder.mkdir(parents=True, exist_ok=True)
    if postgresql.ON:
        postgresql.copied(world.folder, folder)
    else:
        shutil.copy(database_of(world.folder), database_of(folder))
    with client_of(build(folder, lab=True, **{**UNLIMITED, **more})) as client:
        yield client


def database_of(folder: Path) -> Path:
    return folder / "kmemlab.db"


def by_token(token: str | None) -> dict[str, str]:
    """As a script says who it is."""
    return {} if token is None else {"authorization": f"Bearer {token}"}


def make(folder: Path) -> TwoLabs:
    """The world, and nothing running."""
    world = TwoLabs(folder)
    app = build(folder, lab=True, **UNLIMITED)
    with client_of(app) as client:
        set_up(world, app, client)
        furnish(world, client)
    with raw(app.state.settings) as database:
        # As if the lab had been full then. It is not, so that who joins in a test is a member.
        database.execute("UPDATE members SET waiting = joined WHERE nickname = 'waiting'")
        if not postgresql.ON:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return world


def set_up(world: TwoLabs, app: FastAPI, client: TestClient) -> None:
    """Both instructors."""
    assert client.portal is not None
    entrance = app.state.labs.authentication
    invitation = client.portal.call(entrance.first_invitation)
    entered = client.portal.call(entrance.set_up, invitation, "Ada", PASSWORD)
    world.secrets += [invitation, entered.secret]
    world.tokens["instructor"] = signed_in(client, "Ada")
    invited = sent(client, world.tokens["instructor"], "POST", "/invitations")["url"].rpartition("/")[2]
    entered = client.portal.call(entrance.set_up, invited, "Bea", PASSWORD)
    world.secrets += [invited, entered.secret]
    world.tokens["other"] = signed_in(client, "Bea")


def furnish(world: TwoLabs, client: TestClient) -> None:
    """Labs, machines, and members."""

    def teach(method: str, path: str, body: Any = None) -> Any:
        return sent(client, world.tokens["instructor"], method, path, body)

    lab = teach("POST", "/labs", {"title": "Buddies", "text": "Split and *merge*"})
    elsewhere = sent(client, world.tokens["other"], "POST", "/labs", {"title": "Elsewhere"})
    here = f"/labs/{lab['id']}"
    for name in ("prepared", "watch", "operate"):
        made = teach("POST", "/sessions", {"name": name, "machine": MACHINE})
        world.sessions[name] = made["id"]
        for _ in range(4):
            teach("POST", f"/sessions/{made['id']}/alloc_page", {"gfp": "GFP_KERNEL"})
        given = {"session": made["id"], "kind": name, **({"seq": 1} if name == "prepared" else {})}
        machine = teach("POST", f"{here}/machines", given)
        if name == "prepared":
            mark = {"seq": 3, "title": "two pages"}
            checkpoint = teach("POST", f"{here}/machines/{machine['id']}/checkpoints", mark)
            world.ids |= {"machine": machine["id"], "checkpoint": checkpoint["id"]}
    for role in ("owner", "member", "watcher", "operator", "waiting", "foreign"):
        code = elsewhere["code"] if role == "foreign" else lab["code"]
        joined = sent(client, None, "POST", "/join", {"code": code, "nickname": role})
        world.tokens[role] = joined["token"]
        world.ids[f"task_of_{role}"] = f"m{joined['member']['number']}"
        world.secrets += [joined["token"], joined["entry"].rpartition("/")[2]]
    entry = sent(client, world.tokens["owner"], "POST", "/me/entry")["entry"]
    invitation = teach("POST", "/invitations")["url"]
    world.ids |= {"entry": entry.rpartition("/")[2], "invitation": invitation.rpartition("/")[2]}
    world.secrets += [world.ids["entry"], world.ids["invitation"]]
    copy = sent(client, world.tokens["owner"], "POST", f"{here}/machines/{world.ids['machine']}/copy")
    for _ in range(2):
        path = f"/sessions/{copy['id']}/alloc_page"
        sent(client, world.tokens["owner"], "POST", path, {"gfp": "GFP_KERNEL"})
    world.sessions["copy"] = copy["id"]
    asked = {"session": world.sessions["watch"], "line": "alloc_page(GFP_KERNEL)", "predict": "verdict"}
    poll = teach("POST", f"{here}/polls", asked)
    teach("PUT", f"{here}/polls/{poll['id']}/state", {"state": "vote1"})
    world.ids |= {"poll": poll["id"], "task_for_class": "what-a-split-leaves:1"}
    set_exercises(world, client, here)
    world.secrets += world.tokens.values()
    world.ids |= {"lab": lab["id"], "code": lab["code"], "number": 1, "prepared": world.sessions["prepared"]}
    world.ids["view"] = f"/sessions/{world.sessions['watch']}?panel=lists"
    world.ids |= {"pfn": 256, "file": "buddyinfo", "name": "kmalloc-64", "seq": 2}


def set_exercises(world: TwoLabs, client: TestClient, here: str) -> None:
    """A sheet, and the owner's variants of its exercises."""
    items = [{"exercise": "what-a-split-leaves"}, {"exercise": "half-free-and-still-null"}]
    given = {"title": "Sheet 1", "mode": "graded", "due": "2099-01-01T00:00:00Z", "items": items}
    sheet = sent(client, world.tokens["instructor"], "POST", f"{here}/sheets", given)
    world.ids |= {"sheet": sheet["id"], "item": sheet["items"][0]["id"], "hint": 1}
    for name, item in zip(("variant", "goal"), sheet["items"], strict=True):
        path = f"{here}/sheets/{sheet['id']}/items/{item['id']}/variants"
        made = sent(client, world.tokens["owner"], "POST", path)
        world.ids[name] = made["id"]
        world.of_exercises.append(made["session"])


def signed_in(client: TestClient, name: str) -> str:
    return str(sent(client, None, "POST", "/signin", {"name": name, "password": PASSWORD})["token"])


def sent(client: TestClient, token: str | None, method: str, path: str, body: Any = None) -> Any:
    """What the API answers, which must have done it."""
    answer: Response = client.request(method, f"{BASE}{path}", json=body, headers=by_token(token))
    assert answer.status_code in (200, 201, 204), (method, path, answer.text)
    return answer.json() if answer.content else None

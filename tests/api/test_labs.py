"""Labs over the API: what is answered, to whom, once or again, and what may not stand in a body."""

import csv
import io
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from app.labs import attempts, csvfile
from app.rates import Rates
from tests.api.test_openapi import DRAFT
from tests.support.roles import LABS
from tests.support.served import BASE, problem
from tests.support.two_labs import TwoLabs, by_token, make, sent, serving

NDJSON = {"content-type": "application/x-ndjson"}

Ask = Callable[..., Response]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> TwoLabs:
    return make(tmp_path_factory.mktemp("labs"))


@pytest.fixture
def client(world: TwoLabs, tmp_path: Path) -> Iterator[TestClient]:
    with serving(world, tmp_path / "served") as client:
        yield client


@pytest.fixture
def ask(client: TestClient, world: TwoLabs) -> Ask:
    """`ask("owner", "GET", "/labs/{lab}")`, with what the world has in the braces."""

    def send(role: str, method: str, path: str, body: Any = None, **headers: str) -> Response:
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.request(
            method,
            BASE + world.at(role, path),
            json=world.filled(role, body),
            headers=by_token(world.tokens.get(role)) | headers,
        )

    return send


# -- entering --------------------------------------------------------------------------------------------


def test_joining(ask: Ask, client: TestClient, world: TwoLabs) -> None:
    body = {"code": str(world.ids["code"]).lower().replace("-", " "), "nickname": "  Kim  "}
    joined = ask("anonymous", "POST", "/join", body)
    assert joined.status_code == 201
    assert "set-cookie" not in joined.headers
    given = joined.json()
    assert (given["member"]["nickname"], given["lab"]["title"]) == ("Kim", "Buddies")
    me = sent(client, given["token"], "GET", "/me")
    assert (me["kind"], me["name"], me["lab"]) == ("member", "Kim", world.ids["lab"])
    assert me["by"] == f"m{me['number']}" == f"m{given['member']['number']}"
    assert given["entry"].startswith("http://127.0.0.1:8000/enter/kml_")
    assert ask("anonymous", "POST", "/join", body).json()["member"]["nickname"] == "Kim (2)"


def test_a_draft_lets_nobody_in_until_it_is_opened(ask: Ask) -> None:
    lab = ask("instructor", "POST", "/labs", {"title": "Next week", "draft": True}).json()
    here, body = f"/labs/{lab['id']}", {"code": lab["code"], "nickname": "Kim"}
    assert lab["draft"] is True
    assert "not open yet" in problem(ask("anonymous", "POST", "/join", body), 409)["detail"]
    opened = ask("instructor", "PATCH", here, {"draft": False}).json()
    assert (opened["draft"], opened["code"]) == (False, lab["code"])
    assert opened["code_expires"] > lab["code_expires"]  # the week begins when it is opened
    assert ask("anonymous", "POST", "/join", body).status_code == 201
    assert ask("instructor", "PATCH", here, {"draft": False}).json() == opened
    problem(ask("instructor", "PATCH", here, {"draft": True}), 422)


def test_joining_a_full_lab(ask: Ask, client: TestClient) -> None:
    lab = ask("instructor", "POST", "/labs", {"title": "Full", "expected": 1}).json()
    here = f"/labs/{lab['id']}"
    assert lab["expected"] == 1

    def join(nickname: str, key: str) -> Any:
        body = {"code": lab["code"], "nickname": nickname}
        answer = client.post(f"{BASE}/join", json=body, headers={"Idempotency-Key": key})
        assert answer.status_code == 201
        return answer.json()

    assert "waiting" not in join("Kim", str(uuid.uuid4()))["member"]
    key = str(uuid.uuid4())
    first, again = join("Lee", key), join("Lee", key)
    assert first["member"] == again["member"] == {**again["member"], "number": 2, "waiting": True}
    problem(client.get(f"{BASE}/me", headers=by_token(first["token"])), 401)  # the newer token ends it
    me = by_token(again["token"])
    assert client.get(f"{BASE}/me", headers=me).json()["waiting"] is True
    for method, path in (("GET", "/labs"), ("GET", here), ("GET", "/sessions"), ("POST", "/me/entry")):
        refused = problem(client.request(method, BASE + path, headers=me), 403)
        assert "Ask for your place" in refused["detail"]
    assert client.get(f"{BASE}/profiles", headers=me).status_code == 200
    roster = ask("instructor", "GET", f"{here}/members").json()["items"]
    assert [row["nickname"] for row in roster] == ["Kim"]
    waiting = ask("instructor", "GET", f"{here}/waiting?limit=1").json()
    assert (waiting["items"], waiting["next"]) == ([again["member"]], None)
    wall = ask("instructor", "GET", f"{here}/wall").json()
    assert (wall["members"], wall["waiting"], wall["newest"]) == (1, 1, ["Lee"])
    assert ask("instructor", "POST", f"{here}/waiting/admit", {"numbers": [2, 3]}).json() == {"admitted": [2]}
    assert client.get(f"{BASE}/me", headers=me).json()["waiting"] is False
    assert client.get(BASE + here, headers=me).status_code == 200
    assert "waiting" not in join("Lee", key)["member"]


def test_turning_away_and_removing(ask: Ask) -> None:
    lab = ask("instructor", "POST", "/labs", {"title": "Full", "expected": 2}).json()
    here = f"/labs/{lab['id']}"
    for nickname in "abcdef":
        assert ask("anonymous", "POST", "/join", {"code": lab["code"], "nickname": nickname}).is_success
    assert ask("instructor", "DELETE", f"{here}/waiting/3").status_code == 204
    problem(ask("instructor", "DELETE", f"{here}/waiting/3"), 404)
    problem(ask("instructor", "DELETE", f"{here}/waiting/1"), 404)  # a member
    assert ask("instructor", "PATCH", here, {"expected": 3}).json()["expected"] == 3
    assert ask("instructor", "DELETE", f"{here}/waiting").status_code == 204
    assert ask("instructor", "GET", f"{here}/waiting").json()["items"] == []
    key = {"Idempotency_Key": "k" * 22}
    for _ in range(2):  # once, however often it is sent
        removed = ask("instructor", "POST", f"{here}/members/remove_idle", {}, **key)
        assert removed.json() == {"removed": 3}
    assert ask("instructor", "POST", f"{here}/members/remove_idle").json() == {"removed": 0}


@pytest.mark.parametrize("numbers", [[], [True], ["1"], [-1], [2**53], [1.5], {}, None, 1, [1] * 1001])
def test_numbers_that_cannot_be(ask: Ask, numbers: Any) -> None:
    answer = ask("instructor", "POST", "/labs/{lab}/waiting/admit", {"numbers": numbers})
    assert problem(answer, 422)["errors"][0]["loc"] == ["numbers"]


@pytest.mark.parametrize("expected", [0, -1, 501, 2**60, 1.5, True, "12", None])
def test_expected_members_that_cannot_be(ask: Ask, expected: Any) -> None:
    for method, path in (("POST", "/labs"), ("PATCH", "/labs/{lab}")):
        answer = ask("instructor", method, path, {"title": "x", "expected": expected})
        assert problem(answer, 422)["errors"][0]["loc"] == ["expected"]


def test_links_are_those_of_the_public_address(world: TwoLabs, tmp_path: Path) -> None:
    with serving(world, tmp_path, public_url="https://lab.example.org/") as client:
        token = world.tokens["instructor"]
        assert sent(client, token, "POST", "/invitations")["url"].startswith(
            "https://lab.example.org/setup/kml_"
        )


@pytest.mark.parametrize("code", ["", "0000-0000", "K7QM2XHV" * 20, "'; --", "\u202e", "😀"])
def test_no_such_code(ask: Ask, code: str) -> None:
    problem(ask("anonymous", "POST", "/join", {"code": code, "nickname": "Kim"}), 404)


def test_a_code_that_was_renewed_or_closed(ask: Ask, world: TwoLabs) -> None:
    old = world.ids["code"]
    lab = ask("instructor", "POST", "/labs/{lab}/code", {"days": 0.04}).json()
    assert lab["code"] != old
    problem(ask("anonymous", "POST", "/join", {"code": old, "nickname": "Kim"}), 404)
    assert ask("anonymous", "POST", "/join", {"code": lab["code"], "nickname": "Kim"}).status_code == 201
    assert ask("instructor", "DELETE", "/labs/{lab}/code").status_code == 204
    problem(ask("anonymous", "POST", "/join", {"code": lab["code"], "nickname": "Lee"}), 404)


def test_who_joins_again_under_a_key_is_the_same_member_with_a_new_token(
    ask: Ask, client: TestClient, world: TwoLabs
) -> None:
    body = {"code": world.ids["code"], "nickname": "Kim"}
    key = str(uuid.uuid4())
    first = ask("anonymous", "POST", "/join", body, idempotency_key=key).json()
    again = ask("anonymous", "POST", "/join", body, idempotency_key=key)
    assert again.status_code == 201
    second = again.json()
    assert (second["member"], second["lab"]) == (first["member"], first["lab"])
    assert {first["token"], first["entry"]}.isdisjoint({second["token"], second["entry"]})
    assert client.get(f"{BASE}/me", headers=by_token(first["token"])).status_code == 401
    assert sent(client, second["token"], "GET", "/me")["number"] == first["member"]["number"]
    problem(
        ask("anonymous", "POST", "/join", {**body, "nickname": "Lee"}, idempotency_key=key),
        422,
        "header",
        "idempotency-key",
    )
    ask("instructor", "POST", "/labs/{lab}/code")  # the code need not be good any more
    assert ask("anonymous", "POST", "/join", body, idempotency_key=key).status_code == 201
    ask("instructor", "DELETE", f"/labs/{{lab}}/members/{first['member']['number']}")
    problem(ask("anonymous", "POST", "/join", body, idempotency_key=key), 404)


def test_joining_again_counts_like_joining(ask: Ask, client: TestClient, world: TwoLabs) -> None:
    client.app.state.labs.authentication._joins = Rates(0.001, 2)  # type: ignore[attr-defined]
    body, key = {"code": world.ids["code"], "nickname": "Kim"}, str(uuid.uuid4())
    answers = [ask("anonymous", "POST", "/join", body, idempotency_key=key) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[2].headers["retry-after"] == "1"


@pytest.mark.parametrize("key", ["short", "x" * 21, "x" * 256, "no blanks in a key, however long"])
def test_a_key_to_join_cannot_be_guessed(ask: Ask, world: TwoLabs, key: str) -> None:
    body = {"code": world.ids["code"], "nickname": "Kim"}
    problem(ask("anonymous", "POST", "/join", body, idempotency_key=key), 422, "header", "idempotency-key")


@pytest.mark.parametrize("path", ["/signin", "/signout", "/me/token", "/me/entry", "/invitations"])
def test_answers_with_a_secret_are_not_kept(ask: Ask, path: str) -> None:
    answer = ask("owner", "POST", path, {}, idempotency_key="x" * 30)
    problem(answer, 422, "header", "idempotency-key")


def test_signing_in(ask: Ask, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    token = ask("anonymous", "POST", "/signin", {"name": "ADA", "password": "correct horse battery"}).json()
    assert sent(client, token["token"], "GET", "/me")["name"] == "Ada"
    monkeypatch.setattr(attempts, "utc", lambda: datetime(2026, 11, 30, tzinfo=UTC))
    wrong = {"name": "Ada", "password": "wrong horse"}
    nobody = {"name": "Nobody", "password": "wrong horse"}
    answers = [ask("anonymous", "POST", "/signin", body) for body in (wrong, nobody)]
    assert [problem(answer, 403)["detail"] for answer in answers] == [answers[0].json()["detail"]] * 2
    for _ in range(5):
        last = ask("anonymous", "POST", "/signin", wrong)
    assert int(last.headers["retry-after"]) >= 1
    problem(last, 429)


def test_a_new_token_ends_the_old_one(ask: Ask, client: TestClient, world: TwoLabs) -> None:
    fresh = ask("owner", "POST", "/me/token").json()["token"]
    problem(ask("owner", "GET", "/me"), 401)
    assert sent(client, fresh, "GET", "/me")["lab"] == world.ids["lab"]


def test_signing_out_ends_one_token(ask: Ask, client: TestClient) -> None:
    other = ask("anonymous", "POST", "/signin", {"name": "Ada", "password": "correct horse battery"}).json()
    assert ask("instructor", "POST", "/signout").status_code == 204
    problem(ask("instructor", "GET", "/me"), 401)
    assert sent(client, other["token"], "GET", "/me")["kind"] == "instructor"


# -- labs ------------------------------------------------------------------------------------------------


def test_a_lab_as_its_instructor_and_its_members_see_it(ask: Ask, world: TwoLabs) -> None:
    taught, seen = ask("instructor", "GET", "/labs/{lab}").json(), ask("owner", "GET", "/labs/{lab}").json()
    assert taught["code"] == world.ids["code"]
    assert (seen["code"], seen["code_expires"]) == (None, None)
    sessions = {machine["kind"]: machine["session"] for machine in taught["machines"]}
    assert sessions == {kind: world.sessions[kind] for kind in ("prepared", "watch", "operate")}
    sessions = {machine["kind"]: machine["session"] for machine in seen["machines"]}
    assert sessions == {
        "prepared": None,
        "watch": world.sessions["watch"],
        "operate": world.sessions["operate"],
    }
    assert seen["text"] == "Split and *merge*"
    assert [lab["id"] for lab in ask("owner", "GET", "/labs").json()["items"]] == [world.ids["lab"]]
    assert ask("owner", "GET", "/labs/{lab}/machines").json()["items"] == seen["machines"]


def test_a_lab_is_made_once_under_a_key(ask: Ask) -> None:
    body = {"title": "Slabs", "text": "# x"}
    first = ask("instructor", "POST", "/labs", body, idempotency_key="a")
    again = ask("instructor", "POST", "/labs", body, idempotency_key="a")
    assert (first.status_code, first.content) == (201, again.content)
    assert first.headers["location"] == again.headers["location"] == f"{BASE}/labs/{first.json()['id']}"
    assert len(ask("instructor", "GET", "/labs").json()["items"]) == 2
    problem(ask("instructor", "POST", "/labs", {"title": "x"}, idempotency_key="a"), 422)
    assert ask("other", "POST", "/labs", body, idempotency_key="a").json()["id"] != first.json()["id"]


def test_changes_are_made_together_or_not_at_all(ask: Ask) -> None:
    changed = ask("instructor", "PATCH", "/labs/{lab}", {"title": "Slabs", "frozen": True}).json()
    assert (changed["title"], changed["frozen"]) == ("Slabs", True)
    problem(ask("owner", "POST", "/sessions/{session}/alloc_page", {"gfp": "GFP_KERNEL"}), 409)
    problem(ask("instructor", "PATCH", "/labs/{lab}", {"frozen": False, "title": "\n"}), 422, "title")
    closed = ask("instructor", "PATCH", "/labs/{lab}", {"closed": True}).json()
    assert (closed["frozen"], closed["code"]) == (False, None)
    problem(ask("instructor", "PATCH", "/labs/{lab}", {"title": "New", "frozen": True}), 409)
    assert ask("instructor", "GET", "/labs/{lab}").json()["title"] == "Slabs"
    problem(ask("instructor", "PATCH", "/labs/{lab}", {"title": "New"}), 409)
    problem(ask("instructor", "PATCH", "/labs/{lab}", {"closed": False}), 422, "closed")


def test_every_list_comes_in_parts(ask: Ask, client: TestClient, world: TwoLabs) -> None:
    made = ask("instructor", "POST", "/labs", {"title": "Slabs"}).json()["id"]
    for path, key in (("/labs", "id"), ("/labs/{lab}/machines", "id"), ("/labs/{lab}/activity", "number")):
        whole = ask("instructor", "GET", path).json()
        assert whole["next"] is None
        found, onward = [], f"{path}?limit=1"
        while onward is not None:
            part = ask("instructor", "GET", onward.removeprefix(BASE)).json()
            assert len(part["items"]) == 1
            found += part["items"]
            onward = part["next"]
        assert found == whole["items"]
        assert len(found) > 1
        assert len({item[key] for item in found}) == len(found)
    assert ask("instructor", "GET", "/labs?limit=1").json()["items"][0]["id"] == made  # the newest first
    problem(ask("instructor", "GET", "/labs?after=nothing"), 422, "query", "after")
    problem(ask("instructor", "GET", "/labs?limit=0"), 422, "query", "limit")


def test_what_is_done_to_others_stands_in_the_audit_log(ask: Ask, world: TwoLabs) -> None:
    def acts() -> list[tuple[str, str]]:
        return [(one["act"], one["target"]) for one in ask("instructor", "GET", "/audit").json()["items"]]

    copy = world.sessions["copy"]
    assert ask("owner", "PATCH", f"/sessions/{copy}", {"name": "mine"}).status_code == 200
    before = acts()
    assert ask("instructor", "PATCH", f"/sessions/{copy}", {"name": "seen"}).status_code == 200
    for path in ("/labs/{lab}/members/1/export", "/labs/{lab}/export"):
        assert ask("instructor", "GET", path).status_code == 200
    assert ask("owner", "GET", "/labs/{lab}/members/1/export").status_code == 200
    assert ask("instructor", "DELETE", f"/sessions/{copy}").status_code == 204
    new = acts()[: -len(before)]
    assert [act for act, _ in new] == [
        "delete a machine",
        "export a lab",
        "export a member",
        "rename a machine",
    ]
    assert new[0][1] == new[3][1] == copy
    own = world.sessions["prepared"]
    assert ask("instructor", "PATCH", f"/sessions/{own}", {"name": "own"}).status_code == 200
    assert acts()[: -len(before)] == new


def test_a_token_that_opens_nothing_is_said_to(ask: Ask, client: TestClient) -> None:
    none = problem(ask("anonymous", "GET", "/sessions"), 401)["detail"]
    bad = problem(client.get(f"{BASE}/sessions", headers={"authorization": "Bearer kml_x"}), 401)["detail"]
    assert "opens nothing" in bad
    assert "opens nothing" not in none


def test_the_roster_in_parts(ask: Ask, client: TestClient, world: TwoLabs) -> None:
    names, path = [], "/labs/{lab}/members?limit=3"
    for _ in range(2):
        part = ask("instructor", "GET", path).json()
        names += [member["nickname"] for member in part["items"]]
        path = (part["next"] or "").removeprefix(BASE)
    assert path == ""
    assert names == ["owner", "member", "watcher", "operator"]
    for query, name in (("limit=0", "limit"), ("limit=1001", "limit"), ("after=-1", "after")):
        problem(ask("instructor", "GET", f"/labs/{{lab}}/members?{query}"), 422, "query", name)


def test_one_member(ask: Ask, world: TwoLabs) -> None:
    for role in ("owner", "instructor"):
        seen = ask(role, "GET", "/labs/{lab}/members/1").json()
        assert (seen["nickname"], [one["id"] for one in seen["sessions"]]) == (
            "owner",
            [world.sessions["copy"], *world.of_exercises],
        )
    for number in ("99", "0", "999999999999999"):
        problem(ask("instructor", "GET", f"/labs/{{lab}}/members/{number}"), 404)


def test_a_member_who_is_deleted_is_gone(ask: Ask) -> None:
    assert ask("instructor", "DELETE", "/labs/{lab}/members/1").status_code == 204
    problem(ask("owner", "GET", "/me"), 401)
    problem(ask("instructor", "GET", "/sessions/{session}"), 404)
    problem(ask("instructor", "GET", "/labs/{lab}/members/1"), 404)
    acts = [act["act"] for act in ask("instructor", "GET", "/audit").json()["items"]]
    assert acts[0] == "delete a member"


def test_a_members_file(ask: Ask, client: TestClient, world: TwoLabs) -> None:
    mine = {"session": "{session}", "checkpoint": "{checkpoint}"}
    assert ask("owner", "POST", "/labs/{lab}/catch_up", mine).status_code == 201
    shared = f"{BASE}/sessions/{world.sessions['operate']}/alloc_page"
    for role in ("operator", "owner", "owner"):
        client.post(shared, json={"gfp": "GFP_KERNEL"}, headers=by_token(world.tokens[role]))
    answer = ask("owner", "GET", "/labs/{lab}/members/1/export")
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = answer.text.splitlines()
    head, session, *rest = map(json.loads, lines)
    assert (head["kind"], head["nickname"], head["lab"]["id"]) == ("member", "owner", world.ids["lab"])
    assert [step["how"] for step in head["checkpoints"]] == ["caught up"]
    assert session["kind"] == "session"
    assert [line["outcome"]["by"] for line in rest[-2:]] == ["m1", "m1"]
    assert {line["session"] for line in rest[-2:]} == {world.sessions["operate"]}
    # Exported sessions as a whole, the copy and the machines of exercises, which can be imported.
    ends = [place for place, line in enumerate(rest[:-2]) if "sha256" in line]
    assert len(ends) == 1 + len(world.of_exercises)
    headers = by_token(world.tokens["owner"]) | NDJSON
    first = 1
    for end in ends:
        part = "".join(f"{line}\n" for line in lines[first : end + 3])
        first = end + 3
        assert client.post(f"{BASE}/sessions", content=part, headers=headers).status_code == 201
    assert first == len(lines) - 2


def test_a_labs_file(ask: Ask, world: TwoLabs) -> None:
    answer = ask("instructor", "GET", "/labs/{lab}/export")
    assert answer.headers["content-type"] == "application/x-ndjson"
    head, *lines = map(json.loads, answer.text.splitlines())
    assert (head["kind"], {machine["kind"] for machine in head["machines"]}) == (
        "lab",
        {"prepared", "operate", "watch"},
    )
    kinds = [line["kind"] for line in lines if "kind" in line]
    machines = len({machine["session"] for machine in head["machines"]})
    assert kinds[:machines] == ["session"] * machines
    members = ask("instructor", "GET", "/labs/{lab}/members").json()["items"]
    assert kinds.count("member") == len(members)
    assert [line["nickname"] for line in lines if line.get("kind") == "member"] == [
        member["nickname"] for member in members
    ]


# -- machines --------------------------------------------------------------------------------------------


def test_copies_are_made_once_under_a_key(ask: Ask) -> None:
    path = "/labs/{lab}/machines/{machine}/copy"
    first = ask("member", "POST", path, idempotency_key="k")
    assert first.headers["location"] == f"{BASE}/sessions/{first.json()['id']}"
    assert ask("instructor", "DELETE", "/labs/{lab}/machines/{machine}").status_code == 204
    assert ask("member", "POST", path, idempotency_key="k").content == first.content
    problem(ask("member", "POST", path), 404)


def test_machines_are_added_once_under_a_key(ask: Ask) -> None:
    body = {"session": "{prepared}", "kind": "prepared", "seq": 2, "title": "Two"}
    first = ask("instructor", "POST", "/labs/{lab}/machines", body, idempotency_key="k")
    assert first.status_code == 201
    again = ask("instructor", "POST", "/labs/{lab}/machines", body, idempotency_key="k")
    assert again.content == first.content
    assert len(ask("instructor", "GET", "/labs/{lab}/machines").json()["items"]) == 4


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"session": "nobody0knows", "kind": "prepared"}, "session"),
        ({"session": "{prepared}", "kind": "shared"}, "kind"),
        ({"session": "{prepared}", "kind": "prepared", "seq": 99}, "seq"),
        ({"session": "{prepared}", "kind": "prepared", "seq": True}, "seq"),
        ({"session": "{prepared}", "kind": "prepared", "title": ""}, "title"),
        ({"session": "{prepared}", "kind": "prepared", "names": {}}, "names"),
        ({"kind": "prepared"}, "session"),
    ],
)
def test_machines_that_cannot_be_added(ask: Ask, body: Any, loc: str) -> None:
    problem(ask("instructor", "POST", "/labs/{lab}/machines", body), 422, loc)


def test_a_shared_machine_is_not_copied(ask: Ask, world: TwoLabs) -> None:
    machines = ask("member", "GET", "/labs/{lab}/machines").json()["items"]
    shared = next(machine["id"] for machine in machines if machine["kind"] == "watch")
    problem(ask("member", "POST", f"/labs/{{lab}}/machines/{shared}/copy"), 422, "machine")


def test_catching_up_and_resetting(ask: Ask) -> None:
    mine = {"session": "{session}"}
    first = ask("owner", "POST", "/labs/{lab}/catch_up", mine, idempotency_key="k")
    assert first.json()["checkpoint"]["title"] == "two pages"
    seq = ask("owner", "GET", "/sessions/{session}").json()["seq"]
    assert ask("owner", "POST", "/labs/{lab}/catch_up", mine, idempotency_key="k").content == first.content
    assert ask("owner", "GET", "/sessions/{session}").json()["seq"] == seq
    problem(ask("owner", "POST", "/labs/{lab}/catch_up", mine), 409)  # no further one
    reset = ask("instructor", "POST", "/labs/{lab}/sessions/{session}/reset", idempotency_key="r")
    assert (reset.json()["call"], reset.json()["by"]) == ("rewind", "i1")
    again = ask("instructor", "POST", "/labs/{lab}/sessions/{session}/reset", idempotency_key="r")
    assert again.content == reset.content
    acts = [act["act"] for act in ask("instructor", "GET", "/audit").json()["items"]]
    assert acts.count("reset a machine") == 1


def test_locking(ask: Ask) -> None:
    call = ("POST", "/sessions/{session}/alloc_page", {"gfp": "GFP_KERNEL"})
    assert ask("instructor", "POST", "/labs/{lab}/sessions/{session}/lock").status_code == 204
    problem(ask("owner", *call), 409)
    assert ask("instructor", *call).status_code == 201
    assert ask("instructor", "POST", "/labs/{lab}/sessions/{session}/unlock").status_code == 204
    assert ask("owner", *call).status_code == 201


# -- activity --------------------------------------------------------------------------------------------


def test_activity_is_the_same_as_a_table(ask: Ask, world: TwoLabs) -> None:
    for nickname in ('=HYPERLINK("http://evil")', "+1", "-1", "@x", "a,b", 'say "hi"'):
        ask("anonymous", "POST", "/join", {"code": world.ids["code"], "nickname": nickname})
    items = ask("instructor", "GET", "/labs/{lab}/activity").json()["items"]
    answer = ask("instructor", "GET", "/labs/{lab}/activity.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["content-disposition"].startswith("attachment")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    # 5 only waits to be admitted.
    numbers = [1, 2, 3, 4, *range(6, 12)]
    assert [int(row["number"]) for row in rows] == [item["number"] for item in items] == numbers
    assert [(row["calls"], row["seq"]) for row in rows[:2]] == [("2", "3"), ("0", "")]
    assert [row["nickname"] for row in rows[4:]] == [
        '\'=HYPERLINK("http://evil")',
        "'+1",
        "'-1",
        "'@x",
        "a,b",
        'say "hi"',
    ]


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "＝1", "＋1", "－1", "＠x"])
def test_no_cell_is_a_formula(cell: str) -> None:
    ((found, number),) = list(
        csv.reader(io.StringIO(csvfile.table(["a", "b"], [(cell, -1)]).decode(), newline=""))
    )[1:]
    assert (found, number) == (f"'{cell}", "-1")


@pytest.mark.parametrize("end", [";", ",", "|", "\t"])
@pytest.mark.parametrize("before", ["x{end}", "{end}", 'x"{end}"', "x{end}  "])
@pytest.mark.parametrize("formula", ["=1", "+1", "-1", "@x", "＝1"])
def test_no_cell_is_a_formula_where_something_else_ends_one(end: str, before: str, formula: str) -> None:
    table = csvfile.table(["a", "b"], [("m", before.format(end=end) + formula)]).decode()
    (_, *cells) = list(csv.reader(io.StringIO(table, newline=""), delimiter=end))[1]
    assert cells
    assert not [cell for cell in cells if cell.strip(' \t"').startswith(formula)]


def test_acts_in_parts(ask: Ask) -> None:
    everything = ask("instructor", "GET", "/audit").json()["items"]
    assert [act["id"] for act in everything] == sorted((act["id"] for act in everything), reverse=True)
    found, path = [], "/audit?limit=3"
    while path:
        part = ask("instructor", "GET", path).json()
        found += part["items"]
        path = (part["next"] or "").removeprefix(BASE)
    assert found == everything
    assert not {"owner", "member", "Ada"} & {word for act in found for word in act.values()}


# -- described -------------------------------------------------------------------------------------------

ANSWERED = [
    ("GET", "/me", None),
    ("POST", "/join", {"code": "{code}", "nickname": "Kim"}),
    ("POST", "/signin", {"name": "Ada", "password": "correct horse battery"}),
    ("POST", "/me/token", None),
    ("POST", "/invitations", None),
    ("GET", "/labs", None),
    ("POST", "/labs", {"title": "x"}),
    ("GET", "/labs/{id}", None),
    ("PATCH", "/labs/{id}", {"title": "x"}),
    ("POST", "/labs/{id}/code", None),
    ("GET", "/labs/{id}/members", None),
    ("GET", "/labs/{id}/members/{number}", None),
    ("GET", "/labs/{id}/machines", None),
    ("GET", "/labs/{id}/activity", None),
    ("GET", "/audit", None),
]


@pytest.mark.sampled(5)
@pytest.mark.parametrize(("method", "path", "body"), ANSWERED)
def test_answers_are_as_described(ask: Ask, client: TestClient, method: str, path: str, body: Any) -> None:
    answer = ask("instructor", method, path, body)
    document = client.get(f"{BASE}/openapi.json").json()
    described = document["paths"][f"{BASE}{path}"][method.lower()]["responses"][str(answer.status_code)]
    schema = described["content"]["application/json"]["schema"]
    jsonschema_rs.validate({"$schema": DRAFT, **schema, "components": document["components"]}, answer.json())


def test_every_answer_of_labs_has_an_example_that_fits(client: TestClient) -> None:
    document = client.get(f"{BASE}/openapi.json").json()
    for (method, path), asked in LABS.items():
        for status, answer in document["paths"][path][method.lower()]["responses"].items():
            told_elsewhere = asked.endless or path.endswith(("/copy", "/reset"))
            if status in ("200", "201") and not told_elsewhere:
                ((kind, content),) = answer["content"].items()
                schema = {"$schema": DRAFT, **content["schema"], "components": document["components"]}
                if content["schema"].get("format") != "binary":
                    assert jsonschema_rs.is_valid(schema, content["example"]), (path, kind)


# -- bodies ----------------------------------------------------------------------------------------------

BODIES: list[bytes] = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"x"',
    b"NaN",
    b'{"title": NaN}',
    b'{"title": "x", "title": "y"}',
    b'{"title": "\\ud800"}',
    b"\xff\xfe",
    b"[" * 5_000,
    json.dumps({"unknown": 1}).encode(),
]
VALUES: list[Any] = [
    None,
    True,
    -1,
    1.5,
    10**400,
    2**63,
    "",
    "\0",
    "\u202e",
    "x" * 30_000,
    [],
    {},
    ["x"],
    "../..",
]
WITH_BODY = [route for route, asked in LABS.items() if route[0] in ("POST", "PATCH", "PUT")]


@pytest.mark.sampled(5)
@pytest.mark.parametrize("route", WITH_BODY, ids=" ".join)
def test_odd_bodies(ask: Ask, client: TestClient, world: TwoLabs, route: tuple[str, str]) -> None:
    method, path = route
    asked = LABS[route]
    bodies = list(BODIES)
    for name in asked.json or {"unknown": 0}:
        for value in VALUES:
            given = {**world.filled("instructor", asked.json or {}), name: value}
            bodies.append(json.dumps(given).encode())
    for role in ("instructor", "owner", "anonymous"):
        for body in bodies:
            answer = client.request(
                method,
                world.at(role, path),
                content=body,
                headers=by_token(world.tokens.get(role)) | {"content-type": "application/json"},
            )
            assert answer.status_code < 500, (role, body[:100], answer.text)
            if answer.status_code >= 400:
                problem(answer, answer.status_code)

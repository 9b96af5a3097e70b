"""Creating, listing, renaming and deleting sessions."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.api import models
from app.machine import boot
from tests.support.served import BASE, problem

pytest_plugins = ("tests.support.clients",)

SESSIONS = f"{BASE}/sessions"
JSON = {"content-type": "application/json"}


def create(client: TestClient, **body: Any) -> dict[str, Any]:
    answer = client.post(SESSIONS, json=body)
    assert answer.status_code == 201, answer.text
    session: dict[str, Any] = answer.json()
    return session


@pytest.mark.parametrize("profile", [profile["profile"] for profile in boot.profiles()])
def test_every_profile_can_be_created(client: TestClient, profile: str) -> None:
    answer = client.post(SESSIONS, json={"name": profile, "machine": {"profile": profile}})
    assert answer.status_code == 201
    session = answer.json()
    models.Session.model_validate(session)
    assert answer.headers["location"] == f"{SESSIONS}/{session['id']}"
    assert answer.headers["etag"] == '"0"'
    assert (session["name"], session["seq"], session["owner"]) == (profile, 0, "local")
    assert session["origin"] is None
    assert session["machine"]["profile"] == profile
    assert session["machine"]["kernel"] == "6.1.192"
    got = client.get(answer.headers["location"])
    assert got.json() == session
    assert got.headers["etag"] == '"0"'


def test_overrides(client: TestClient) -> None:
    machine = {
        "profile": "x86_64-1g",
        "memory": "2G",
        "cpus": 3,
        "debug": False,
        "transparent_hugepage": "madvise",
        "hugepages": 4,
        "sysctl": {"min_free_kbytes": 8192},
    }
    shape = create(client, machine=machine)["machine"]
    assert (shape["memory"], shape["cpus"]) == (2 << 30, 3)
    assert (shape["transparent_hugepage"], shape["hugepages"]) == ("madvise", 4)
    assert (shape["swap"], shape["reclaim"]) == (0, True)


def test_struct_page_overhead_is_stated_as_the_lecture_does(client: TestClient) -> None:
    shape = create(client, machine={"profile": "x86_64-8g"})["machine"]
    stated = {line["bytes"]: line for line in shape["struct_page_overhead"]}
    assert set(stated) == {36, 40, 64}
    assert stated[64]["share"] == pytest.approx(64 / 4096)
    assert stated[36]["share"] == pytest.approx(36 / 4096)


def test_everything_has_a_default(client: TestClient) -> None:
    session = create(client)
    assert session["machine"]["profile"] == "x86_64-8g"
    assert session["name"]


def test_a_session_starts_from_a_dump(client: TestClient, at: Callable[[str], str]) -> None:
    client.post(at("/alloc_pages"), json={"gfp": "GFP_KERNEL", "order": 3})
    dump = client.get(at("/dump")).json()
    copy = create(client, name="copy", machine={"dump": dump})
    assert copy["seq"] == 0
    assert client.get(f"{SESSIONS}/{copy['id']}/dump").json() == dump


def test_listing_pages_through_all(client: TestClient) -> None:
    made = [create(client, name=f"list {n}", machine={"profile": "tiny-16m"})["id"] for n in range(5)]
    found: list[str] = []
    url: str | None = f"{SESSIONS}?limit=2"
    while url is not None:
        page = client.get(url).json()
        assert set(page) == {"items", "next"}
        assert len(page["items"]) <= 2
        found += [session["id"] for session in page["items"]]
        url = page["next"]
    assert len(found) == len(set(found))
    assert [sid for sid in found if sid in made] == made[::-1]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=-1", "limit"),
        ("limit=1_0", "limit"),
        ("limit=1.0", "limit"),
        ("limit=", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("after=rubbish", "after"),
        ("after=%00", "after"),
        ("after=" + "x" * 300, "after"),
        ("after=x&after=y", "after"),
    ],
)
def test_a_list_that_cannot_be(client: TestClient, query: str, name: str) -> None:
    problem(client.get(f"{SESSIONS}?{query}"), 422, "query", name)


def test_renaming(client: TestClient, at: Callable[[str], str]) -> None:
    answer = client.patch(at(""), json={"name": "  Übung 3 – Fragmentierung 🧩 "})
    assert answer.status_code == 200
    assert answer.json()["name"] == client.get(at("")).json()["name"] == "Übung 3 – Fragmentierung 🧩"
    models.Session.model_validate(answer.json())


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({}, ["name"]),
        ({"name": None}, ["name"]),
        ({"name": 3}, ["name"]),
        ({"name": ""}, ["name"]),
        ({"name": "   "}, ["name"]),
        ({"name": "x" * 101}, ["name"]),
        ({"name": "a\nb"}, ["name"]),
        ({"name": "a\u0000b"}, ["name"]),
        ({"name": "x", "seq": 3}, ["seq"]),
        ([], []),
    ],
)
def test_a_name_that_cannot_be(
    client: TestClient, at: Callable[[str], str], body: Any, loc: list[str]
) -> None:
    document = problem(client.patch(at(""), json=body), 422)
    assert [fault["loc"] for fault in document["errors"]] == [loc]
    assert client.get(at("")).json()["name"] == "t"


def test_deleting(client: TestClient, at: Callable[[str], str]) -> None:
    answer = client.delete(at(""))
    assert (answer.status_code, answer.content) == (204, b"")
    problem(client.get(at("")), 404)
    problem(client.delete(at("")), 404)
    problem(client.post(at("/drain_all_pages")), 404)


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"machine": {"profile": "x86_64-3t"}}, ["machine", "profile"]),
        ({"machine": {"profile": 3}}, ["machine", "profile"]),
        ({"machine": {"profile": None}}, ["machine", "profile"]),
        ({"machine": {"profile": "tiny-16m", "color": "red"}}, ["machine", "color"]),
        ({"machine": {"cpus": 0}}, ["machine", "cpus"]),
        ({"machine": {"cpus": True}}, ["machine", "cpus"]),
        ({"machine": {"cpus": "2"}}, ["machine", "cpus"]),
        ({"machine": {"nodes": -1}}, ["machine", "nodes"]),
        ({"machine": {"nodes": 1 << 63}}, ["machine", "nodes"]),
        ({"machine": {"memory": "lots"}}, ["machine", "memory"]),
        ({"machine": {"memory": -5}}, ["machine", "memory"]),
        ({"machine": {"memory": "9" * 4000}}, ["machine", "memory"]),
        ({"machine": {"memory": 1e999}}, ["machine", "memory"]),
        ({"machine": {"movablecore": []}}, ["machine", "movablecore"]),
        ({"machine": {"lecture": "yes"}}, ["machine", "lecture"]),
        ({"machine": {"sysctl": []}}, ["machine", "sysctl"]),
        ({"machine": {"sysctl": {"laptop_mode": 3}}}, ["machine", "sysctl", "laptop_mode"]),
        ({"machine": []}, ["machine"]),
        ({"machine": None}, ["machine"]),
        ({"machine": {"dump": []}}, ["machine", "dump"]),
        ({"name": 3}, ["name"]),
        ({"name": "x" * 101}, ["name"]),
        ({"name": "x", "owner": "me"}, ["owner"]),
        ([], []),
        ("x", []),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_machine_that_cannot_be(client: TestClient, body: Any, loc: list[str]) -> None:
    content = b'{"machine":{"memory":1e999}}' if "inf" in str(body) else None
    if content is not None:
        problem(client.post(SESSIONS, content=content, headers=JSON), 422, *loc)
    else:
        problem(client.post(SESSIONS, json=body), 422, *loc)


@pytest.mark.parametrize(
    "dump", [{}, {"kernel": {}}, {"zones": 3}, {"kernel": None, "zones": [None]}, {"x": 1}]
)
def test_a_dump_that_cannot_be(client: TestClient, dump: Any) -> None:
    document = problem(client.post(SESSIONS, json={"machine": {"dump": dump}}), 422)
    assert all(fault["loc"][:2] == ["machine", "dump"] for fault in document["errors"])


def test_several_fields_are_named_at_once(client: TestClient) -> None:
    problem(client.post(SESSIONS, json={"name": 1, "machine": 2, "x": 3}), 422, "name")
    problem(client.post(SESSIONS, json={"name": 1, "machine": 2, "x": 3}), 422, "machine")
    problem(client.post(SESSIONS, json={"name": 1, "machine": 2, "x": 3}), 422, "x")


def test_a_machine_of_a_long_dump_is_whole(client: TestClient) -> None:
    """The document is emptied when the machine is made."""
    made = client.post(f"{BASE}/sessions", json={"machine": {"profile": "x86_64-1g"}}).json()["id"]
    dump = client.get(f"{BASE}/sessions/{made}/dump").json()
    dump["kernel"]["comment"] = [["kept", [1]]] * 50_000  # it is longer than what is read at once
    answer = client.post(f"{BASE}/sessions", json={"machine": {"dump": dump}})
    assert answer.status_code == 201, answer.text
    again = client.get(f"{BASE}/sessions/{answer.json()['id']}/dump").json()
    assert again == dump


BUDDYINFO = (
    "Node 0, zone      DMA      0      0      0      0      0      1      1      1      0      1      3 \n"
    "Node 0, zone    DMA32     53     21      8      4      1      1      7      5      3      2      4 \n"
)
TEXT = {"content-type": "text/plain"}


def test_a_machine_from_proc_texts_plays_back_forks_and_goes_into_a_file(client: TestClient) -> None:
    """As a text, as JSON by name, and as JSON in one text."""
    plain = client.post(SESSIONS, content=BUDDYINFO, headers=TEXT)
    named = client.post(SESSIONS, json={"machine": {"proc": {"buddyinfo": BUDDYINFO}}})
    whole = client.post(SESSIONS, json={"machine": {"proc": BUDDYINFO}})
    for answer in (plain, named, whole):
        assert answer.status_code == 201, answer.text
        models.Session.model_validate(answer.json())
        assert client.get(f"{answer.headers['location']}/proc/buddyinfo").text.split() == BUDDYINFO.split()
    path = plain.headers["location"]
    before = client.get(f"{path}/dump").json()
    client.post(f"{path}/alloc_pages", json={"gfp": "GFP_KERNEL", "order": 3})
    client.post(f"{path}/undo")
    assert client.get(f"{path}/dump").json() == before
    fork = client.post(f"{path}/fork", json={"at": 1, "name": "its"}).headers["location"]
    exported = client.get(f"{fork}/export").content
    again = client.post(SESSIONS, content=exported, headers={"content-type": "application/x-ndjson"})
    assert again.status_code == 201
    assert client.get(f"{again.headers['location']}/dump").json() == client.get(f"{fork}/dump").json()


@pytest.mark.parametrize(
    ("content", "status", "place"),
    [
        (b"Node 0, zone DMA 1 2 3\n", 422, ["line", 1]),
        (BUDDYINFO.encode() + b"and more\n", 422, ["line", 3]),
        (b"p = alloc_page(GFP_KERNEL)\n", 422, ["line", 1]),
        (b"", 422, ["line", 1]),
        (b"\xff", 400, None),
    ],
)
def test_a_proc_text_at_fault_is_refused_by_line(
    client: TestClient, content: bytes, status: int, place: list[Any] | None
) -> None:
    answer = client.post(SESSIONS, content=content, headers=TEXT)
    found = problem(answer, status)
    assert place is None or found["errors"][0]["loc"] == place

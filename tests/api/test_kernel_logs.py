"""A kernel's log over the API and by the command: as a body, in a document, once, and what is refused."""

import gzip
import json
import random
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.ftrace.test_logs import MARKS, alloc, dump, free, real
from tests.support.served import BASE, problem
from tests.support.served_process import kmemlab, served

pytest_plugins = ("tests.support.clients",)

FTRACE = {"content-type": "text/x-ftrace"}
LOG = alloc(0x400, 1) + free(0x400, 1) + "nonsense\n"


def count(client: TestClient) -> int:
    return len(client.get(f"{BASE}/sessions?limit=1000").json()["items"])


def test_as_a_body(client: TestClient) -> None:
    answer = client.post(f"{BASE}/sessions?profile=tiny-16m", content=LOG, headers=FTRACE)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert answer.headers["location"] == f"{BASE}/sessions/{made['id']}"
    assert (made["seq"], made["machine"]["profile"]) == (2, "tiny-16m")
    shown = made["trace"]
    assert (shown["lines"], shown["events"], shown["calls"], shown["unread"]) == (3, 2, 2, [[3, 3]])
    (row, _) = client.get(f"{BASE}/sessions/{made['id']}/events").json()["items"]
    assert (row["call"], row["args"]["gfp"], row["verdict"]) == ("alloc_pages", "GFP_KERNEL", "ok")


def test_in_a_document_with_its_dump(client: TestClient) -> None:
    trace = {"log": real(), "from": MARKS[0], "to": MARKS[1]}
    body = {"name": "a shell", "machine": {"dump": dump("before")}, "trace": trace}
    made = client.post(f"{BASE}/sessions", json=body).json()
    assert (made["name"], made["trace"]["agreeing"], made["trace"]["allocations"]) == ("a shell", 2395, 2395)


def test_once_by_its_key(client: TestClient) -> None:
    headers = {**FTRACE, "idempotency-key": "one log"}
    headers["idempotency-key"] = "one-log"
    before = count(client)
    answers = [client.post(f"{BASE}/sessions", content=LOG, headers=headers) for _ in range(3)]
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].status_code == 201
    assert count(client) == before + 1


@pytest.mark.parametrize(
    ("query", "body", "place"),
    [
        ("", "", "log"),
        ("", "nonsense", "log"),
        ("", "\x00\x01", "log"),
        ("?from=nowhere", LOG, "from"),
        ("?to=nowhere", LOG, "to"),
        ("?profile=nowhere", LOG, "machine"),
        ("?from=", LOG, "from"),
    ],
)
def test_what_is_refused(client: TestClient, query: str, body: str, place: str) -> None:
    before = count(client)
    answer = client.post(f"{BASE}/sessions{query}", content=body, headers=FTRACE)
    assert place in [fault["loc"][0] for fault in problem(answer, 422)["errors"]]
    assert count(client) == before


def test_parameters_and_documents_that_mean_nothing(client: TestClient) -> None:
    problem(client.post(f"{BASE}/sessions?from=x", json={}), 422, "query", "from")
    problem(client.post(f"{BASE}/sessions?at=1", content=LOG, headers=FTRACE), 422, "query", "at")
    for trace, place in ((7, ()), ({}, ("log",)), ({"log": 7}, ("log",)), ({"log": "", "x": 1}, ("x",))):
        problem(client.post(f"{BASE}/sessions", json={"trace": trace}), 422, "trace", *place)
    late = alloc(1, head="a-1 [003] ..... 1.5: ")
    machine = {"profile": "tiny-16m", "cpus": 1}
    refused = client.post(f"{BASE}/sessions", json={"machine": machine, "trace": {"log": late}})
    problem(refused, 422, "log", "line", 1, "cpu")
    not_text = client.post(f"{BASE}/sessions", content=b"\xff\xfe", headers=FTRACE)
    problem(not_text, 400)


def test_a_dump_that_is_wrong_is_refused(client: TestClient) -> None:
    for pages in ([[[1]]], [[{}, 0]], [[3, -1]], 7):
        machine = {"dump": {**dump("before"), "pages": pages}}
        refused = client.post(f"{BASE}/sessions", json={"machine": machine, "trace": {"log": LOG}})
        assert refused.status_code == 422, refused.text


@pytest.mark.parametrize("seed", range(12))
def test_broken_logs_are_made_or_refused(client: TestClient, seed: int) -> None:
    chance = random.Random(seed)
    start = chance.randrange(len(real()) - 20_000)
    text = list(real()[start : start + 20_000])
    for _ in range(chance.choice((1, 20, 300))):
        pieces = ("", "\n", "0", "\x00", "9" * 30, "|", "pfn=", "[999999]", "²", "\u2028", "order=10 ")
        text[chance.randrange(len(text))] = chance.choice(pieces)
    body = {"machine": {"dump": dump("before")}, "trace": {"log": "".join(text)}}
    assert client.post(f"{BASE}/sessions", json=body).status_code in (201, 422)


def test_by_the_command(tmp_path: Path) -> None:
    (tmp_path / "log.gz").write_bytes(gzip.compress(real().encode()))
    (tmp_path / "before.json").write_text(json.dumps(dump("before")))
    (tmp_path / "short").write_text(LOG + free(0x77))
    with served(tmp_path) as server:
        at = ("--server", server.address)
        marks = ("--from", MARKS[0], "--to", MARKS[1])
        said = kmemlab(tmp_path, "import-trace", "log.gz", "--dump", "before.json", *marks, *at)
        assert said.returncode == 0, said.stderr
        assert (
            "2,395 of 2,395 allocations got the kernel's own frame; 6 frames were in use before"
            in said.stdout
        )
        assert said.stdout.splitlines()[-1].startswith(f"{server.address}/sessions/")
        said = kmemlab(tmp_path, "import-trace", "short", "--name", "short", *at)
        assert "line 1 (#1): 0x400 there, 0x" in said.stdout
        assert "not used: 1 × a free of pages that were in use before the log began (line 4)" in said.stdout
        assert "lines that are no events: 3" in said.stdout
        said = kmemlab(tmp_path, "import-trace", "short", "--from", "nowhere", *at)
        assert (said.returncode, "has the mark 'nowhere'" in said.stderr) == (1, True)
        said = kmemlab(tmp_path, "import-trace", "short", "--dump", "short", *at)
        assert (said.returncode, "not JSON" in said.stderr) == (1, True)
    said = kmemlab(tmp_path, "import-trace", "short", *at)
    assert (said.returncode, "refused" in said.stderr) == (1, True)

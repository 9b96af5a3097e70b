"""Processes over HTTP: a program, its pages, a fork and its end, with what each call tells."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from app.api import models
from tests.support.served import BASE, problem

pytest_plugins = ("tests.support.clients",)

Answer = dict[str, Any]
RW = "PROT_READ|PROT_WRITE"
ANONYMOUS = "MAP_PRIVATE|MAP_ANONYMOUS"


class Room:
    """A session in which calls are made."""

    def __init__(self, client: TestClient, profile: str = "x86_64-1g") -> None:
        self.client = client
        created = client.post(f"{BASE}/sessions", json={"name": "p", "machine": {"profile": profile}})
        assert created.status_code == 201, created.text
        self.base = f"{BASE}/sessions/{created.json()['id']}"

    def post(self, call: str, **args: Any) -> Any:
        return self.client.post(f"{self.base}/{call}", json=args)

    def call(self, call: str, **args: Any) -> Answer:
        answer = self.post(call, **args)
        assert answer.status_code == 201, answer.text
        found: Answer = answer.json()
        models.Outcome.model_validate(found)
        return found

    def line(self, text: str) -> Answer:
        answer = self.client.post(f"{self.base}/calls", content=text, headers={"content-type": "text/plain"})
        assert answer.status_code == 201, answer.text
        found: Answer = answer.json()["outcomes"][-1]
        return found


@pytest.fixture
def room(client: TestClient) -> Room:
    return Room(client)


def test_two_processes_have_two_values_at_one_address(room: Room) -> None:
    started = room.call("execve", task="a", path="/bin/hello")
    assert (started["ret"], started["faults"]["maj"]) == (0, 1)
    area = room.call("mmap", task="a", length=32768, prot=RW, flags=ANONYMOUS)
    assert (area["ret"], area["access"], area["pte"]) == ("0x7ffff7ff1000", [], [])
    assert area["vma"] == [["a", "0x7ffff7ff1000", "0x7ffff7ff9000", "rw-p"]]
    stored = room.call("store", task="a", addr=area["ret"], value=7)
    (access,) = stored["access"]
    assert (access["fault"], access["new_tables"], access["mode"]) == ("anon_page", ["pte"], "user")
    assert [level for level, _, _ in access["walk"]] == ["pgd", "pud", "pmd", "pte"]
    assert stored["faults"] == {"min": 1, "maj": 0}
    child = room.call("fork", task="a", child="b")
    assert child["ret"] > 1000
    copied = room.call("store", task="b", addr=area["ret"], value=9)
    assert copied["access"][0]["fault"] == "cow_copy"
    assert copied["access"][0]["pfn"] != access["pfn"]
    for task, value in (("a", 7), ("b", 9)):
        loaded = room.call("load", task=task, addr=area["ret"])
        assert (loaded["ret"], loaded["access"][0]["fault"]) == (value, "none")
    reused = room.call("store", task="a", addr=area["ret"], value=8)
    assert reused["access"][0]["fault"] == "cow_reuse"
    assert room.call("exit", task="b")["mm"] is None
    assert room.call("exit", task="a")["pte"][-1][3] == "none"


def test_a_fault_is_explained_and_shown(room: Room) -> None:
    room.line("a: execve()")
    room.line(f"a: p = mmap(NULL, 32K, {RW}, {ANONYMOUS})")
    stored = room.line("a: store(p)")
    explained = room.client.get(f"{room.base}/events/{stored['seq']}/explain").json()
    models.Explanation.model_validate(explained)
    pfn = stored["access"][0]["pfn"]
    assert explained["conclusion"].startswith(
        f"A minor fault: the first write gets a zeroed page of its own, frame {pfn:#x}"
    )
    assert explained["steps"][explained["deciding"] - 1]["fn"] == "do_anonymous_page"
    assert "page_fault_user: address=0x7ffff7ff1000 ip=0x401042 error_code=0x6" in explained["tracepoints"][0]
    page = room.client.get(f"{room.base.removeprefix('/api/v1')}/explain/{stored['seq']}")
    assert page.status_code == 200
    assert "steps of the allocator" in page.text


def test_fork_with_child_is_the_system_call_and_without_copies_the_session(room: Room) -> None:
    room.call("execve", task="a")
    copied = room.post("fork", name="copy")
    assert (copied.status_code, copied.json()["name"]) == (201, "copy")
    problem(room.post("fork", task="a", child="b", at=1), 422, "at")
    assert room.call("fork", task="a", child="b")["call"] == "fork"


def test_what_is_reopened_answers_alike(room: Room) -> None:
    for text in ("a: execve()", f"a: p = mmap(NULL, 1M, {RW}, {ANONYMOUS})", "a: store(p) * 100",
                 "a: b = fork()", "b: *(p+4096) = 1"):  # fmt: skip
        room.line(text)
    document = room.client.get(f"{room.base}/dump").json()
    created = room.client.post(f"{BASE}/sessions", json={"name": "again", "machine": {"dump": document}})
    assert created.status_code == 201, created.text
    again = Room(room.client)
    again.base = f"{BASE}/sessions/{created.json()['id']}"
    assert again.client.get(f"{again.base}/dump").json() == document
    for call in ({"call": "store", "addr": "0x7ffff7f00000", "task": "a"}, {"call": "exit", "task": "b"}):
        name, args = call["call"], {key: value for key, value in call.items() if key != "call"}
        ours, theirs = room.call(name, **args), again.call(name, **args)
        for key in ("ret", "changed", "access", "pte", "lru", "mm"):
            assert ours[key] == theirs[key], key


def test_a_wild_address_ends_the_process_and_frees_its_name(room: Room) -> None:
    room.call("execve", task="a")
    dead = room.call("load", task="a", addr="0x10")
    assert (dead["verdict"], dead["ret"], dead["mm"]) == ("ok", None, None)
    assert dead["access"][0] | {"walk": []} == {
        "addr": "0x10", "write": False, "mode": "user", "fault": "none", "major": False,
        "signal": "SIGSEGV", "code": "SEGV_MAPERR", "pfn": None, "walk": [], "new_tables": [],
        "mapped_around": 0,
    }  # fmt: skip
    assert "segfault at 10" in dead["log"][0]
    assert "access" not in room.call("alloc_page", task="a", gfp="GFP_KERNEL")


def test_a_kernel_thread_is_told_what_it_lacks(room: Room) -> None:
    answer = room.call("mmap", task="k", length=4096, prot=RW, flags=ANONYMOUS)
    assert (answer["ret"], answer["verdict"]) == (-14, "null")
    assert "execve" in answer["cause"]["text"]
    stays = room.call("exit")
    assert (stays["verdict"], "init does not exit" in stays["log"][0]) == ("warn", True)


def test_a_child_needs_a_name_that_nobody_has(room: Room) -> None:
    room.call("execve", task="a")
    problem(room.post("fork", task="a", child="init"), 409)
    assert room.call("fork", task="a", child="b")["seq"] == 2

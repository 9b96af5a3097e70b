"""Reading processes over HTTP: areas, walks, tables, lists, files, and who maps a frame."""

import struct
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from app.api import vm_models
from tests.support.served import BASE, problem

pytest_plugins = ("tests.support.clients",)

LINES = """\
a: execve()
a: p = mmap(NULL, 64K, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS)
a: store(p) * 8
a: b = fork()
b: store(p)
a: f = open("/data/a", 0)
a: read(f, 40000)
a: q = mmap(NULL, 64K, PROT_READ, MAP_SHARED, f, 0)
a: load(q)
"""
HERE = 0x7FFFF7FE9000


def session(client: TestClient, lines: str, profile: str = "x86_64-1g") -> str:
    made = client.post(f"{BASE}/sessions", json={"machine": {"profile": profile}}).json()["id"]
    sent = client.post(f"{BASE}/sessions/{made}/calls", content=lines, headers={"content-type": "text/plain"})
    assert sent.status_code == 201, sent.text
    return f"{BASE}/sessions/{made}"


@pytest.fixture(scope="module")
def room(client: TestClient) -> str:
    """Two processes: the second has written one of the pages that they share, and the first maps a file."""
    return session(client, LINES)


def read(client: TestClient, path: str, model: Any = None) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    if model is not None:
        model.model_validate(answer.json())
    return answer.json()


def test_a_task_is_told_with_its_address_space_and_files(client: TestClient, room: str) -> None:
    listed = read(client, f"{room}/tasks", vm_models.Processes)["tasks"]
    assert [(task["name"], task["parent"], task["mm"] is None) for task in listed] == [
        ("init", 0, True), ("a", 0, False), ("b", listed[1]["pid"], False),
    ]  # fmt: skip
    a = read(client, f"{room}/tasks/a", vm_models.OneProcess)
    assert (a["faults"], a["mm"]["resident"], a["children"]) == ({"min": 10, "maj": 1}, 25, ["b"])
    assert a["fds"] == [{"fd": 3, "path": "/data/a", "pos": 40000, "flags": 0, "references": 2}]
    folded = {name: a["rss"][name] + a["mm"]["rss_not_folded"][name] for name in a["rss"]}
    assert folded == {"anon": 9, "file": 16, "shmem": 0, "swap": 0}
    assert a["oom_score"] == 666
    problem(client.get(f"{room}/tasks/nobody"), 404)


def test_areas_say_what_is_in_memory_and_agree_with_smaps(client: TestClient, room: str) -> None:
    found = read(client, f"{room}/tasks/a/maps", vm_models.Maps)
    assert (found["total"], found["next"]) == (10, None)
    of = {vma["start"]: vma for vma in found["vmas"]}
    written, mapped = of[f"{HERE:#x}"], of["0x7ffff7fd9000"]
    assert (written["resident"], written["dirty"], written["swapped"]) == (8, 8, 0)
    assert (mapped["file"], mapped["resident"], mapped["dirty"], mapped["prot"]) == ("/data/a", 15, 0, "r--s")
    smaps = client.get(f"{room}/tasks/a/proc/smaps").text
    rss = [int(line.split()[1]) for line in smaps.splitlines() if line.startswith("Rss:")]
    assert [4 * vma["resident"] for vma in found["vmas"]] == rss
    lines = client.get(f"{room}/tasks/a/proc/maps").text.splitlines()
    assert [line.split()[0] for line in lines] == [
        f"{int(vma['start'], 16):08x}-{int(vma['end'], 16):08x}" for vma in found["vmas"]
    ]
    first = read(client, f"{room}/tasks/a/maps?limit=4")
    rest = read(client, first["next"].replace("limit=4", "limit=1000"))
    assert first["vmas"] + rest["vmas"] == found["vmas"]
    problem(client.get(f"{room}/tasks/a/maps?limit=0"), 422, "query", "limit")


def test_the_walk_ends_at_the_frame_or_says_why_not(client: TestClient, room: str) -> None:
    found = read(client, f"{room}/tasks/a/walk?addr={HERE + 0x1008:#x}", vm_models.Walk)
    assert [(level["level"], level["index"]) for level in found["levels"]] == [
        ("pgd", 255), ("pud", 511), ("pmd", 447), ("pte", 490),
    ]  # fmt: skip
    assert sum(bits["index"] << bits["to"] for bits in found["bits"]) == HERE + 0x1008
    assert found["levels"][3]["entry"] == f"{found['pfn'] << 12 | 0x8000000000000865:#x}"
    assert found["page"]["physical"] == f"{(found['pfn'] << 12) + 8:#x}"
    for address, why in (
        (HERE + 0x9000, "has not been touched"),
        (0x10, "SEGV_MAPERR"),
        (1 << 47, "not canonical"),
        (0x7FFFFFFD0000, "the stack"),
    ):
        none = read(client, f"{room}/tasks/a/walk?addr={address}", vm_models.Walk)
        assert none["pfn"] is None
        assert why in none["why"], none["why"]
    assert "kernel thread" in read(client, f"{room}/tasks/init/walk?addr=0")["why"]
    for wrong in ("", "x", "-1", "0x1g", "0x1ffffffffffffffff", "99999999999999999999999"):
        problem(client.get(f"{room}/tasks/a/walk?addr={wrong}"), 422, "query", "addr")


def test_tables_are_counted_by_level(client: TestClient, room: str) -> None:
    found = read(client, f"{room}/tasks/a/pagetables", vm_models.PageTables)
    assert [(one["level"], one["tables"], one["used"]) for one in found["levels"]] == [
        ("pgd", 1, 2), ("pud", 2, 2), ("pmd", 2, 3), ("pte", 3, 25),
    ]  # fmt: skip
    assert found["pgtables_bytes"] == 4096 * 7
    assert sum(table["used"] for table in found["tables"] if table["level"] == "pte") == 25
    assert len({table["pfn"] for table in found["tables"]}) == 8
    assert read(client, f"{room}/tasks/init/pagetables")["tables"] == []


def test_who_maps_a_frame_is_found_through_its_mapping(client: TestClient, room: str) -> None:
    pfn = read(client, f"{room}/tasks/b/walk?addr={HERE + 0x1000:#x}")["pfn"]
    shared = read(client, f"{room}/anon_vma/{pfn}", vm_models.WhoMaps)
    assert (shared["kind"], shared["mapcount"], shared["truncated"]) == ("anon", 2, False)
    assert [(place["task"], int(place["addr"], 16)) for place in shared["mapped_by"]] == [
        ("a", HERE + 0x1000), ("b", HERE + 0x1000),
    ]  # fmt: skip
    page = read(client, f"{room}/pages/{pfn}")
    assert page["struct_page"]["mapping"] == shared["mapping"]
    assert int(shared["mapping"], 16) == int(shared["anon_vma"]["address"], 16) + 1
    assert page["struct_page"]["index"] == HERE + 0x1000 >> 12
    assert page["struct_page"]["_mapcount"] == 1
    assert page["meaning"]["_mapcount"] == "1 + 1 = 2 page table entries"
    assert page["mapped_by"] == shared["mapped_by"]
    alone = read(client, f"{room}/tasks/b/walk?addr={HERE:#x}")["pfn"]
    assert [one["task"] for one in read(client, f"{room}/anon_vma/{alone}")["mapped_by"]] == ["b"]
    assert read(client, f"{room}/anon_vma/1", vm_models.WhoMaps)["kind"] == "none"
    problem(client.get(f"{room}/anon_vma/{1 << 40}"), 404)


def test_a_file_shows_its_cached_pages_and_its_window(client: TestClient, room: str) -> None:
    listed = {one["path"]: one for one in read(client, f"{room}/files", vm_models.Files)["files"]}
    assert (listed["/data/a"]["cached"], listed["/data/b"]["cached"]) == (32, 0)
    found = read(client, f"{room}/files/data/a", vm_models.OneFile)
    assert [page["index"] for page in found["pages"]] == list(range(32))
    assert [page["index"] for page in found["pages"] if page["readahead"]] == [found["readahead"][0]["mark"]]
    first = found["pages"][0]
    page = read(client, f"{room}/pages/{first['pfn']}")
    assert page["meaning"]["mapping"] == "the address_space of the file /data/a (inode 14, ext4)"
    assert page["struct_page"]["_refcount"] == first["refcount"] == 2
    part = read(client, f"{room}/files/data/a?limit=10&after=5")
    assert [page["index"] for page in part["pages"]] == list(range(6, 16))
    assert read(client, part["next"])["pages"][0]["index"] == 16
    problem(client.get(f"{room}/files/data/none"), 404)


def test_a_cold_machine_has_the_same_files(client: TestClient) -> None:
    cold = session(client, "alloc_page(GFP_KERNEL)")
    before = read(client, f"{cold}/files", vm_models.Files)
    assert read(client, f"{cold}/files/data/a", vm_models.OneFile)["pages"] == []
    client.post(f"{cold}/execve", json={"task": "a"})
    after = read(client, f"{cold}/files")
    known = ("path", "fs", "ino", "size", "nr_pages")
    assert [[one[key] for key in known] for one in before["files"]] == [
        [one[key] for key in known] for one in after["files"]
    ]


def test_lists_are_told_from_head_to_tail(client: TestClient, room: str) -> None:
    found = read(client, f"{room}/lru")
    size = {one["name"]: one for one in found["lists"]}
    whole = read(client, f"{room}/lru?node=0&list=inactive_file", vm_models.LruPart)
    assert [len(whole["items"]), whole["next"]] == [size["inactive_file"]["pages"], None]
    pfns = [item["pfn"] for item in whole["items"]]
    assert (pfns[0], pfns[-1]) == (size["inactive_file"]["head"], size["inactive_file"]["tail"])
    parts = read(client, f"{room}/lru?list=inactive_file&limit=20")
    assert [item["pfn"] for item in parts["items"] + read(client, parts["next"])["items"]] == pfns
    cached = {page["pfn"]: page for page in read(client, f"{room}/files/data/a")["pages"]}
    for item in whole["items"]:
        if item["pfn"] in cached:
            page = cached[item["pfn"]]
            assert (item["referenced"], item["mapped"]) == (page["referenced"], page["mapcount"])
    waiting = {one["name"]: one["pages"] for one in found["batches"]}
    last = read(client, f"{room}/pages/{waiting['lru_add'][-1]}")
    assert (last["lru"], last["struct_page"]["_refcount"]) == ("batch lru_add", 2)
    for query, field in (("list=none", "list"), ("node=1&list=inactive_anon", "node"), ("after=3", "after"),
                         ("node=1", "node"), ("list=inactive_anon&after=3", "after")):  # fmt: skip
        problem(client.get(f"{room}/lru?{query}"), 422, "query", field)


def test_files_of_proc_of_a_kernel_thread_are_empty(client: TestClient, room: str) -> None:
    for file in ("maps", "smaps", "smaps_rollup"):
        assert client.get(f"{room}/tasks/init/proc/{file}").text == ""
    assert client.get(f"{room}/tasks/init/proc/statm").text == "0 0 0 0 0 0 0\n"
    assert client.get(f"{room}/tasks/init/proc/oom_score").text == "0\n"
    assert "VmRSS" not in client.get(f"{room}/tasks/init/proc/status").text
    assert client.get(f"{room}/tasks/a/proc/status").text.startswith("Name:\ta\n")
    problem(client.get(f"{room}/tasks/a/proc/none"), 404)
    assert client.get(f"{room}/proc/swaps").text.startswith("Filename\t")
    none = {"swaps": [], "total": 0, "free": 0, "cached": 0, "stocks": []}
    assert read(client, f"{room}/swaps", vm_models.Swaps) == none


def test_the_past_has_its_own_processes(client: TestClient, room: str) -> None:
    assert [task["name"] for task in read(client, f"{room}/tasks?at=3")["tasks"]] == ["init", "a"]
    problem(client.get(f"{room}/tasks/b?at=3"), 404)
    assert read(client, f"{room}/tasks/a/maps?at=1")["total"] == 8


def test_i386_walks_three_levels(client: TestClient) -> None:
    room = session(client, "a: execve()", "i386-1g")
    found = read(client, f"{room}/tasks/a/walk?addr=0x8049000", vm_models.Walk)
    assert [level["level"] for level in found["levels"]] == ["pgd", "pmd", "pte"]
    assert [bits["from"] for bits in found["bits"]] == [31, 29, 20, 11]
    assert found["levels"][0]["table_pfn"] is None
    problem(client.get(f"{room}/tasks/a/walk?addr=0x100000000"), 422, "query", "addr")


def words(answer: Response) -> list[int]:
    return list(struct.unpack(f"<{len(answer.content) // 8}Q", answer.content))


def test_pagemap_is_read_by_range(client: TestClient, room: str) -> None:
    path = f"{room}/tasks/a/proc/pagemap"
    first = HERE >> 12
    answer = client.get(path, headers={"range": f"bytes={first * 8}-{(first + 16) * 8 - 1}"})
    assert (answer.status_code, len(answer.content)) == (206, 128)
    assert answer.headers["content-range"] == f"bytes {first * 8}-{first * 8 + 127}/{0x7FFFFFFFF * 8}"
    found = words(answer)
    pfn = read(client, f"{room}/tasks/a/walk?addr={HERE + 0x1000:#x}")["pfn"]
    assert found[1] == 1 << 63 | 1 << 55 | pfn
    assert found[0] & 1 << 56
    assert found[8:] == [1 << 55] * 8
    whole = client.get(
        path, headers={"range": f"bytes={(first - 1000) * 8}-{(first - 1000) * 8 + 2**20 - 1}"}
    )
    assert words(whole)[1000:1016] == found
    for given in (None, "bytes=0-", "bytes=0-1048583", "bytes=1-8", "bytes=0-6", "bytes=8-7", "words=0-7",
                  "bytes=0-7,16-23", f"bytes={2**50}-"):  # fmt: skip
        answer = client.get(path, headers={} if given is None else {"range": given})
        assert problem(answer, 416)["detail"].startswith("Range: ")
        assert answer.headers["content-range"] == f"bytes */{0x7FFFFFFFF * 8}"
    assert client.get(f"{room}/tasks/init/proc/pagemap").content == b""


def test_a_word_for_each_frame(client: TestClient, room: str) -> None:
    pfn = read(client, f"{room}/tasks/a/walk?addr={HERE + 0x1000:#x}")["pfn"]
    table = read(client, f"{room}/tasks/a/pagetables")["tables"][0]["pfn"]
    flags, counts = f"{room}/proc/kpageflags", f"{room}/proc/kpagecount"
    here = {"range": f"bytes={pfn * 8}-{pfn * 8 + 7}"}
    assert words(client.get(counts, headers=here)) == [2]
    (word,) = words(client.get(flags, headers=here))
    assert [bit for bit in range(64) if word >> bit & 1] == [3, 5, 11, 12, 14]
    assert words(client.get(flags, headers={"range": f"bytes={table * 8}-{table * 8 + 7}"}))[0] & 1 << 26
    last = client.get(flags, headers={"range": "bytes=-8"})
    assert (last.status_code, last.headers["content-range"]) == (206, "bytes 2097144-2097151/2097152")
    problem(client.get(flags, headers={"range": "bytes=2097152-"}), 416)


def test_the_whole_file_comes_in_parts_of_one_moment(client: TestClient) -> None:
    small = session(client, "a: execve()", "tiny-16m")
    whole = client.get(f"{small}/proc/kpagecount")
    assert (whole.status_code, len(whole.content)) == (200, 32768 * 8)
    parts = b"".join(
        client.get(f"{small}/proc/kpagecount", headers={"range": f"bytes={at}-{at + 65535}"}).content
        for at in range(0, 32768 * 8, 1 << 16)
    )
    assert parts == whole.content
    assert sum(words(whole)) >= read(client, f"{small}/tasks/a")["mm"]["resident"]


def told(client: TestClient, path: str) -> list[tuple[int, str, list[str]]]:
    found = read(client, path, vm_models.Life)
    return [(event["seq"], event["call"], event["what"]) for event in found["events"]]


def test_a_page_has_a_life(client: TestClient, room: str) -> None:
    assert told(client, f"{room}/life?task=a&addr={HERE:#x}") == [
        (3, "store", ["mapped", "dirtied"]),
        (4, "fork", ["shared", "protected"]),
        (5, "store", ["unshared", "moved"]),
    ]
    assert told(client, f"{room}/life?task=b&addr={HERE:#x}") == [
        (4, "fork", ["mapped", "shared", "dirtied"]),
        (5, "store", ["copied", "writable"]),
        (7, "read", ["moved"]),  # the batch was full
    ]
    assert told(client, f"{room}/life?task=nobody&addr=0") == []


def test_a_frame_has_a_life_from_one_owner_to_the_next(client: TestClient) -> None:
    here = session(client, "\n".join(LINES.splitlines()[:3]))
    pfn = read(client, f"{here}/tasks/a/walk?addr={HERE + 0x1000}")["pfn"]
    for call, body in (
        ("fork", {"task": "a", "child": "b"}),
        ("exit", {"task": "a"}),
        ("exit", {"task": "b"}),
    ):
        assert client.post(f"{here}/{call}", json=body).status_code == 201
    whole = told(client, f"{here}/life?pfn={pfn}")
    assert whole == [
        (3, "store", ["allocated", "mapped", "dirtied", "moved"]),
        (4, "fork", ["shared"]),
        (5, "exit", ["unshared", "moved"]),
        (6, "exit", ["freed"]),
    ]
    client.post(f"{here}/undo", json={})
    assert told(client, f"{here}/life?pfn={pfn}") == whole[:3]
    assert told(client, f"{here}/life?pfn={pfn}&at=6") == whole
    first = read(client, f"{here}/life?pfn={pfn}&limit=2&at=6")
    assert told(client, first["next"]) == whole[2:]
    assert told(client, f"{here}/life?pfn={pfn}&after=4&at=6") == whole[2:]
    assert first["events"][0]["before"]["mapcount"] == 0


def test_a_life_is_of_one_frame_or_of_one_page(client: TestClient, room: str) -> None:
    for query, field in (("", "pfn"), ("task=a", "addr"), ("addr=0", "task"), ("pfn=1&task=a&addr=0", "task"),
                         (f"pfn={2**40}", "pfn"), ("pfn=x", "pfn"), ("pfn=1&at=99", "at")):  # fmt: skip
        problem(client.get(f"{room}/life?{query}"), 422, "query", field)

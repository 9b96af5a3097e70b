"""Reading a session: each view has the shape that the description gives it."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel
from starlette.testclient import TestClient

from app.api import models, reading, vm_models
from app.machine import leaks
from tests.support.served import BASE, problem

pytest_plugins = ("tests.support.clients",)

At = Callable[[str], str]

STATES = {
    "free", "pcp", "reserved", "unmovable", "movable", "reclaimable", "highatomic", "slab", "vmalloc",
    "pagetable", "lost", "locked", "anon", "file", "shmem", "swapcache", "hugetlb", "unevictable", "dirty",
    "writeback",
}  # fmt: skip

VIEWS: dict[str, type[BaseModel]] = {
    "/zones": models.Zones,
    "/zonemap": models.ZoneMap,
    "/series?names=node0.DMA.free,node0.DMA.extfrag3,slab&from=1&points=2": models.SeriesOverTime,
    "/pages/256": models.StructPage,
    "/caches": models.Caches,
    "/caches/kmalloc-64": models.Cache,
    "/vmap_areas": models.VmapAreas,
    "/tasks": vm_models.Processes,
    "/log": models.Log,
    "/dump": models.Dump,
    "/events": models.OutcomeList,
    "/events/1": models.Outcome,
}


def run(client: TestClient, at: At, text: str) -> list[dict[str, Any]]:
    answer = client.post(at("/calls"), content=text, headers={"content-type": "text/plain"})
    assert answer.status_code == 201, answer.text
    outcomes: list[dict[str, Any]] = answer.json()["outcomes"]
    return outcomes


@pytest.mark.parametrize("path", VIEWS)
def test_shape(client: TestClient, at: At, path: str) -> None:
    run(
        client,
        at,
        "p = alloc_pages(GFP_KERNEL, 3)\nalice: lock_page(p)\na = kmalloc(60, GFP_KERNEL)\nv = vmalloc(64K)",
    )
    answer = client.get(at(path))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    VIEWS[path].model_validate(answer.json())


def test_zones(client: TestClient, at: At) -> None:
    before = client.get(at("/zones")).json()["zones"]
    assert [zone["name"] for zone in before] == ["DMA"]
    run(client, at, "alloc_pages(GFP_KERNEL, 4)")
    after = client.get(at("/zones")).json()["zones"]
    assert after[0]["free"] == before[0]["free"] - 16
    assert len(after[0]["nr_free"]) == 11


def test_zonemap(client: TestClient, at: At) -> None:
    pfn = run(client, at, "alloc_pages(GFP_KERNEL, 3)")[0]["page"]["pfn"]
    drawn = client.get(at(f"/zonemap?zone=DMA&node=0&start={pfn}&shift=0&cells=8")).json()
    assert (drawn["start"], drawn["shift"]) == (pfn, 0)
    assert set(drawn["states"]) <= STATES
    cells, fill = (base64.b64decode(drawn[key], validate=True) for key in ("cells", "fill"))
    assert {drawn["states"][cell] for cell in cells} == {"unmovable"}
    assert (len(cells), set(fill)) == (8, {255})


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("cells=0", "cells"),
        ("cells=65537", "cells"),
        ("cells=x", "cells"),
        ("shift=-1", "shift"),
        ("shift=41", "shift"),
        ("shift=9999999999999999999", "shift"),
        ("start=-1", "start"),
        ("start=0x100", "start"),
        ("start=", "start"),
        ("node=one", "node"),
        ("node=9007199254740992", "node"),
        ("zone=Normal", "zone"),
        ("zone=" + "x" * 20, "zone"),
        ("zone=", "zone"),
        ("zone=DMA&node=7", "zone"),
    ],
)
def test_a_map_that_cannot_be(client: TestClient, at: At, query: str, name: str) -> None:
    problem(client.get(at(f"/zonemap?{query}")), 422, "query", name)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("names=free", "names"),
        ("names=", "names"),
        ("names=slab,slab", "names"),
        ("names=slab,", "names"),
        (
            "names="
            + ",".join(
                f"node0.DMA.{kind}{order}" for kind in ("order", "extfrag", "unusable") for order in range(11)
            ),
            "names",
        ),
        ("names=" + "x" * 2001, "names"),
        ("from=1", "from"),
        ("from=-1", "from"),
        ("to=2", "to"),
        ("to=x", "to"),
        ("points=0", "points"),
        ("points=1001", "points"),
        ("at=0", "at"),
    ],
)
def test_series_that_cannot_be(client: TestClient, at: At, query: str, name: str) -> None:
    problem(client.get(at(f"/series?{query}")), 422, "query", name)


def test_series(client: TestClient, at: At) -> None:
    before = client.get(at("/zones")).json()["zones"][0]["free"]
    run(client, at, "p = alloc_pages(GFP_KERNEL, 4)\n__free_pages(p, 4)")
    found = client.get(at("/series?names=node0.DMA.free&points=1")).json()
    assert found == {
        "from": 0,
        "to": 2,
        "width": 4,
        "seqs": [0],
        "series": [
            {
                "name": "node0.DMA.free",
                "unit": "pages",
                "min": [before - 16],
                "max": [before],
                "last": [before],
            }
        ],
    }
    named = {one["name"] for one in client.get(at("/series")).json()["series"]}
    assert named == {"node0.DMA.free", "slab", "vmalloc"}


def test_a_page_frame(client: TestClient, at: At) -> None:
    outcome = run(client, at, "alice: alloc_pages(GFP_KERNEL, 3)")[0]
    pfn = outcome["page"]["pfn"]
    frame = client.get(at(f"/pages/{pfn}")).json()
    assert (frame["pfn"], frame["zone"], frame["page"]) == (pfn, "DMA", outcome["ret"])
    assert (frame["block"]["task"], frame["block"]["seq"]) == ("alice", 1)


NO_FRAMES = [
    "4096",
    "9007199254740991",
    "1" * 40,
    "-1",
    "0x100",
    "1.0",
    "x",
    "%20",
    "%00",
    "1_0",
    "+1",
    "%C2%B2",
]


@pytest.mark.parametrize("pfn", NO_FRAMES)
def test_no_such_page_frame(client: TestClient, at: At, pfn: str) -> None:
    problem(client.get(at(f"/pages/{pfn}")), 404)


@pytest.mark.parametrize("name", ["nobody", "kmalloc-63", "%00", "ä", "%20"])
def test_no_such_cache(client: TestClient, at: At, name: str) -> None:
    problem(client.get(at(f"/caches/{name}")), 404)


def test_a_large_cache_comes_in_parts(client: TestClient, at: At) -> None:
    run(client, at, "kmalloc(2K, GFP_KERNEL) * 100")
    whole = client.get(at("/caches/kmalloc-2k")).json()
    assert whole["next"] is None
    found: list[dict[str, Any]] = []
    url = at("/caches/kmalloc-2k?limit=2")
    while url is not None:
        part = client.get(url).json()
        assert len(part["slabs"]) <= 2
        found += part["slabs"]
        url = part["next"]
    assert found == whole["slabs"]
    assert len(found) > 4
    for query, name in (
        ("start=-1", "start"),
        ("start=x", "start"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
    ):
        problem(client.get(at(f"/caches/kmalloc-2k?{query}")), 422, "query", name)


def test_tasks_and_log(client: TestClient, at: At) -> None:
    run(
        client,
        at,
        "p = alloc_page(GFP_KERNEL)\nalice: lock_page(p)\nbob: lock_page(p)\nalloc_pages(GFP_KERNEL, 11)",
    )
    tasks = {task["name"]: task for task in client.get(at("/tasks")).json()["tasks"]}
    assert set(tasks) == {"init", "alice", "bob"}
    assert client.get(at("/log")).json()["lines"]


def test_dumps_are_equal_when_nothing_happened(client: TestClient, at: At) -> None:
    run(client, at, "p = alloc_pages(GFP_KERNEL, 3)\nkmalloc(100, GFP_KERNEL)")
    first = client.get(at("/dump"))
    for path in VIEWS:
        client.get(at(path))
    assert client.get(at("/dump")).content == first.content
    run(client, at, "put_page(p)")
    assert client.get(at("/dump")).content != first.content


def test_events_page_through_the_journal(client: TestClient, at: At) -> None:
    outcomes = run(client, at, "p = alloc_page(GFP_KERNEL)\nput_page(p)\n" * 5)
    found: list[dict[str, Any]] = []
    url = at("/events?limit=4")
    while url is not None:
        page = client.get(url).json()
        found += page["items"]
        url = page["next"]
    assert found == outcomes
    assert client.get(at("/events?after=7")).json() == {"items": outcomes[7:], "next": None}
    assert client.get(at("/events?after=99")).json() == {"items": [], "next": None}


def test_the_whole_journal_as_lines(client: TestClient, at: At) -> None:
    outcomes = run(client, at, "p = alloc_page(GFP_KERNEL)\nput_page(p)\n" * 700)
    answer = client.get(at("/events"), headers={"accept": "application/x-ndjson"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert len(answer.content) > reading.STREAMED
    assert [json.loads(line) for line in answer.text.splitlines()] == outcomes
    rest = client.get(at("/events?after=990"), headers={"accept": "application/x-ndjson"})
    assert [json.loads(line)["seq"] for line in rest.text.splitlines()] == list(range(991, 1401))
    none = client.get(at("/events?after=9999"), headers={"accept": "application/x-ndjson"})
    assert (none.status_code, none.content) == (200, b"")


def test_a_list_of_long_rows_ends_early(client: TestClient, at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = run(client, at, "p = alloc_page(GFP_KERNEL)\nput_page(p)\n" * 10)
    monkeypatch.setattr(reading, "MOST_BYTES", 1200)
    found, url = [], at("/events?limit=1000")
    while url:
        page = client.get(url).json()
        assert 0 < len(page["items"]) < 6
        found += page["items"]
        url = page["next"]
    assert found == outcomes


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("after=-1", "after"),
        ("after=9007199254740992", "after"),
    ],
)
def test_events_that_cannot_be(client: TestClient, at: At, query: str, name: str) -> None:
    problem(client.get(at(f"/events?{query}")), 422, "query", name)
    lines = {"accept": "application/x-ndjson"}
    problem(client.get(at(f"/events?{query}"), headers=lines), 422, "query", name)


@pytest.mark.parametrize("seq", ["0", "2", "9007199254740991", "-1", "x", "1.0", "%00", "1" * 40])
def test_no_such_row(client: TestClient, at: At, seq: str) -> None:
    client.post(at("/drain_all_pages"))
    problem(client.get(at(f"/events/{seq}")), 404)


def test_nobodys_journal_as_lines(client: TestClient) -> None:
    lines = {"accept": "application/x-ndjson"}
    problem(client.get(f"{BASE}/sessions/nobody/events", headers=lines), 404)


def test_the_text_of_leaks_names_where_it_goes_on(
    client: TestClient, at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(client, at, "p = alloc_page(GFP_KERNEL) * 5\n__free_pages(p, 0)")
    monkeypatch.setattr(leaks, "MAX_RECORDS", 3)
    first = client.get(at("/leaks?format=page_owner&at=1"))
    assert first.headers["content-type"].startswith("text/plain")
    more = client.get(first.links["next"]["url"])
    assert (first.text.count("PFN"), more.text.count("PFN"), "link" in more.headers) == (3, 2, False)
    assert client.get(at("/leaks?format=page_owner")).text == ""

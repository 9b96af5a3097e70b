"""No page grows with what a machine holds, and no look on the writer's thread takes long."""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Any

import pytest
from pydantic_core import to_json
from starlette.testclient import TestClient

from app.api.tree import archive
from app.machine import file_views, leaks, lru_views, rmap_views, show, show_cost, vm_views, zonemap
from app.machine.machine import Machine
from app.mm import proc
from app.sessions import Event
from app.sessions.longviews import SHORT_LOOK
from app.web import reading, shownrows
from app.web.address import Address
from app.web.contexts.base import Fact
from app.web.journal import outcome_view
from app.web.panels import PANELS
from app.web.reading import View
from app.web.recipes import Api
from app.web.views import VIEWS
from tests.support.heavy_machines import LARGE, MACHINES, built
from tests.support.rings import slow
from tests.support.served import BASE, build, client_of

FRAMES = VIEWS["frames"]
# One process with many pages and tables, and one with many areas; a file in memory.
PROCESSES = [
    "a: execve()",
    "a: p = mmap(NULL, 40M, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_POPULATE)",
    "a: q = mmap(NULL, 500G, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE)",
    "a: store(q, 1, 400, 1073741824)",
    'a: f = open("/data/a", 0)',
    "a: read(f, NULL, 16777216, 0)",
    "b: execve()",
    "b: p = mmap(NULL, 16M, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS)",
    *(f"b: mprotect(p+{2 * page * 4096}, 4096, PROT_READ)" for page in range(300)),
]

MOST = 300_000  # bytes of a page
LINES = 120_000  # of Python that one look on the writer's thread runs


def lines_run(look: Callable[[], object]) -> int:
    """How many lines of Python a look runs: the same on every computer."""
    count = 0

    def local(_frame: FrameType, event: str, _arg: object) -> Any:
        nonlocal count
        count += event == "line"
        return local

    before = sys.gettrace()
    sys.settrace(lambda *_: local)
    try:
        look()
    finally:
        sys.settrace(before)
    return count


@pytest.fixture(scope="module", params=[*MACHINES, "locks", "processes"])
def machine(request: pytest.FixtureRequest) -> Machine:
    if request.param == "processes":
        return built(PROCESSES)
    if request.param != "locks":
        return built(MACHINES[request.param])
    m = built(["alloc_page(GFP_KERNEL) * 30000", "alice: alloc_page(GFP_KERNEL)"])
    for pfn in m.pages:
        m.lock_holders.take(pfn, m.tasks["alice"].pid)
    return m


def views(m: Machine) -> Iterator[tuple[str, Callable[[], int], Callable[[], object]]]:
    """Each look that is made on the writer's thread, with what it is said to cost."""
    pfn = max(m.pages, default=0x1000)
    area = next((f"{va.va_start:#x}" for va in m.vmap.busy), None)
    slab = next((f"{s.base:#x}" for s in m.slabs.values()), None)
    largest = max(m.caches.values(), key=lambda s: len(s.slabs)).name
    for name, panel in PANELS.items():
        for here in (Address("S"), Address("S", row=10**6), Address("S", area=area, slabs=largest)):
            yield (
                f"panel {name}",
                partial(reading.cost, m, View(here, FRAMES, panel)),
                partial(reading.look, m, View(here, FRAMES, panel)),
            )
    for here in (Address("S", pfn=pfn), Address("S", obj=area), Address("S", obj=slab)):
        view = View(here, FRAMES, PANELS["lists"])
        yield f"{here.href}", partial(reading.cost, m, view), partial(reading.look, m, view)
    for name in proc.FILES:
        view = View(Address("S", file=name), FRAMES, PANELS["proc"])
        yield f"panel {name}", partial(reading.cost, m, view), partial(reading.look, m, view)
        yield name, partial(show_cost.proc_file, m, name), partial(proc.FILES[name], m)
    for start, shift, cells in ((None, None, 4096), (pfn, 0, 2048), (0, 1, 65_536), (0, 12, 4096)):
        window = {"start": start, "shift": shift, "cells": cells}
        yield "map", partial(show_cost.zonemap, m, **window), partial(show.zonemap, m, **window)
    in_zone: dict[str, Any] = {"zone": "Normal", "start": 0, "shift": 3, "cells": 65_536}
    yield "map of a zone", partial(show_cost.zonemap, m, **in_zone), partial(show.zonemap, m, **in_zone)
    yield "areas", partial(show_cost.nothing, m), partial(show.vmap_areas, m, 500, 1000)
    yield "caches", partial(show_cost.listed_caches, m), partial(show.caches, m)
    yield "cache", partial(show_cost.slabs_of, m, largest, 1000), partial(show.cache, m, largest)
    yield "leaks", partial(show_cost.leaks, m), partial(leaks.leaks, m)
    yield "tree", partial(show_cost.tree, m, False), partial(archive, m, frames=False, time=0)
    yield "pages held", partial(show_cost.held_pages, m), partial(leaks.held_pages, m)
    yield "tasks", partial(show_cost.tasks, m), partial(show.tasks, m)
    yield "frame", partial(show_cost.nothing, m), partial(show.page, m, pfn)
    yield from process_views(m)
    yield "zones", partial(show_cost.nothing, m), partial(show.zones, m)
    yield "log", partial(show_cost.nothing, m), partial(show.log, m)


def process_views(m: Machine) -> Iterator[tuple[str, Callable[[], int], Callable[[], object]]]:
    """The looks at processes, files and lists."""
    yield "lru", partial(show_cost.lru_summary, m), partial(lru_views.summary, m, None)
    yield "a list", partial(show_cost.lru, m, 600), partial(lru_views.some, m, 0, "inactive_anon", None, 600)
    yield "files", partial(show_cost.files, m, 0, 1000), partial(file_views.files, m, 0, 1000)
    for limit in (10, 1000):
        yield (
            "a file",
            partial(show_cost.file, m, "/data/a", limit),
            partial(file_views.file, m, "/data/a", None, limit),
        )
    for name in list(m.tasks)[:3]:
        yield "a task", partial(show_cost.task, m, name), partial(show.task, m, name)
        yield "a walk", partial(show_cost.nothing, m), partial(vm_views.walk, m, name, 0x7FFFF7FF0000)
        for limit in (1, 1000):
            some: dict[str, Any] = {"name": name, "start": 0, "limit": limit}
            yield "areas", partial(show_cost.maps, m, **some), partial(vm_views.maps, m, **some)
        yield (
            "tables",
            partial(show_cost.pagetables, m, name),
            partial(vm_views.pagetables, m, name, 0, 1000),
        )
        for file in proc.OF_TASKS:
            yield (
                file,
                partial(show_cost.task_file, m, name, file),
                partial(vm_views.task_file, m, name, file),
            )
    pfn = next((number << 9 | 5 for number in m.vm.sections), 0x1000)
    yield "who maps", partial(show_cost.rmap, m, pfn), partial(rmap_views.anon_vma, m, pfn, 1000)


def test_a_look_on_the_writers_thread_is_short(machine: Machine) -> None:
    for painted in (False, True):  # the map of a large machine is painted elsewhere, and given to it
        if painted:
            zonemap.states_of(machine)
        for name, cost, look in views(machine):
            if cost() <= SHORT_LOOK:
                assert lines_run(look) <= LINES, (name, cost())
            assert lines_run(cost) <= LINES // 10, name


def test_what_most_machines_hold_is_looked_at_where_it_is() -> None:
    m = built(["alloc_page(GFP_KERNEL) * 500", "vmalloc(64K) * 20", "kmalloc(100, GFP_KERNEL) * 500"])
    long = {name for name, cost, _ in views(m) if cost() > SHORT_LOOK}
    assert long <= {"map", "map of a zone", "pages held", "tree"}


# -- pages ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_of(build(tmp_path_factory.mktemp("bounds"))) as client:
        yield client


# The machines that others are enough like for most days.
ALIKE = ("areas", "scattered", "caches", "names")


@pytest.fixture(scope="module", params=[*(name for name in MACHINES if name not in ALIKE), *slow(*ALIKE)])
def session(request: pytest.FixtureRequest, client: TestClient) -> str:
    """The path of a session with a heavy machine."""
    made = client.post(f"{BASE}/sessions", json={"machine": LARGE}).json()["id"]
    done = client.post(
        f"{BASE}/sessions/{made}/calls",
        content="\n".join(MACHINES[request.param]),
        headers={"content-type": "text/plain"},
    )
    assert done.status_code == 201, done.text[:500]
    return f"/sessions/{made}"


@pytest.mark.sampled(4)
def test_every_page_is_small(client: TestClient, session: str) -> None:
    head = client.get(f"{BASE}{session}").json()["seq"]
    pfn = client.get(f"{BASE}{session}/zones").json()["zones"][-1]["start_pfn"]
    caches = client.get(f"{BASE}{session}/caches").json()["caches"]
    largest = max(caches, key=lambda cache: cache["num_slabs"])["name"]
    slabs = client.get(f"{BASE}{session}/caches/{largest}?limit=1").json()["slabs"]
    areas = client.get(f"{BASE}{session}/vmap_areas?limit=5").json()["areas"]
    queries: list[dict[str, Any]] = [{}, {"find": "a"}, {"outcome": 1}, {"start": hex(pfn), "shift": 0}]
    queries += [{"panel": panel} for panel in PANELS] + [{"panel": panel, "row": 10**6} for panel in PANELS]
    queries += [{"panel": "proc", "file": name} for name in proc.FILES]
    queries += [{"panel": "slab", "slabs": largest, "start": hex(pfn), "shift": 0}]
    queries += [{"obj": slab["address"], "slabs": largest, "panel": "slab"} for slab in slabs]
    queries += [{"obj": area["address"], "area": area["address"], "panel": "vmalloc"} for area in areas[3:4]]
    queries += [{"pfn": hex(pfn + 5), "shift": 1, "at": max(0, head - 1)}]
    paths = [(session, query) for query in queries]
    paths += [(f"{session}/explain/{seq}", query) for seq in (1, head) for query in ({}, {"only": 1})]
    paths += [(f"{session}/explain/1", {"decision": 150, "all": 1}), ("/", {}), (f"{session}/delete", {})]
    for path, query in paths:
        answer = client.get(path, params=query)
        assert answer.status_code == 200, (path, query)
        assert len(answer.content) <= MOST, (path, query)
    assert len(client.get(f"{session}/thumbnail.svg").content) <= MOST


def test_every_view_is_answered(client: TestClient, session: str) -> None:
    for path in ("zones", "zonemap", "caches", "vmap_areas", "tasks", "log", "dump", "events/1/explain"):
        assert client.get(f"{BASE}{session}/{path}").status_code == 200, path
    for name in proc.FILES:
        assert client.get(f"{BASE}{session}/proc/{name}").status_code == 200, name


@pytest.mark.parametrize("name", ["caches", "vmap_areas"])
def test_lists_come_in_parts(client: TestClient, session: str, name: str) -> None:
    key = "areas" if name == "vmap_areas" else name
    found: list[dict[str, Any]] = []
    url: str | None = f"{BASE}{session}/{name}?limit=997"
    while url is not None:
        part = client.get(url).json()
        found += part[key]
        url = part["next"]
    assert len({entry["address" if key == "areas" else "name"] for entry in found}) == len(found)
    assert found[:50] == client.get(f"{BASE}{session}/{name}?limit=50").json()[key]
    if key == "areas":
        text = client.get(f"{BASE}{session}/proc/vmallocinfo").text
        assert len(found) == part["total"] == len(text.splitlines())


# -- rows of a journal -----------------------------------------------------------------------------------


def old_row(outcome: dict[str, Any]) -> dict[str, Any]:
    """A row as it was written when lists of any length stood in rows."""
    return {
        "seq": 1,
        "call": "__free_pages",
        "args": {"page": [[4096 + 2 * i, 1] for i in range(100_000)], "order": 0, "task": "init"},
        "ret": None,
        "verdict": "ok",
        "time": "2026-11-22T14:00:00Z",
        "by": None,
        "log": [f"[    0.000001] line {i} of a long log" for i in range(3_000)],
        "changed": None,
        **outcome,
    }


@pytest.mark.sampled(4)
@pytest.mark.parametrize("outcome", [{}, {"runs": [[i, 1] for i in range(100_000)], "ret": 100_000}])
def test_a_long_row_is_shown_shortened(outcome: dict[str, Any]) -> None:
    (shown,) = shownrows.decoded([Event(1, to_json(old_row(outcome)))])
    view = outcome_view(shown, Address("S"), Api("http://here", token=False), [])
    assert view.text == "__free_pages([100,000 blocks], 0)"
    assert len(to_json(shown)) < 1 << 16
    assert (len(view.log), view.log_more is not None) == (shownrows.LINES, True)
    assert view.curl == "curl -s 'http://here/events/1'"
    if outcome:
        assert view.ret == "100,000 blocks"
        assert Fact("blocks", "100,000", href="/api/v1/sessions/S/events/1") in view.facts


def test_a_list_that_is_kept_elsewhere_is_linked() -> None:
    row = old_row({"args": {"gfp": "GFP_KERNEL"}, "call": "alloc_page", "runs": None, "ret": 100_000})
    row |= {"log": None, "log_count": 700}
    view = outcome_view(row, Address("S"), Api("http://here", token=False), [])
    assert Fact("blocks", "100,000", href="/api/v1/sessions/S/events/1/runs") in view.facts
    assert view.log_more is not None
    assert view.log_more.href == "/api/v1/sessions/S/events/1/log"
    assert "700" in view.log_more.text

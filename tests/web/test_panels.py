"""What the panels draw: objects of a slab, the vmalloc strip, wait queues and deadlocks, files of /proc."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.machine import boot, parsing, show
from app.machine.calltext import parse_line
from app.machine.machine import Machine
from app.web.address import Address
from app.web.panels import slab, tasks, vmalloc
from app.web.panels.slab import SlabGrid
from app.web.panels.vmalloc import VmallocStrip
from tests.support.served import build, client_of

HERE = Address("S")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_of(build(tmp_path_factory.mktemp("panels"))) as client:
        yield client


def machine(*lines: str, **shape: Any) -> Machine:
    """A machine on which these lines have been called."""
    found = boot.boot({"profile": "x86_64-1g", **shape})
    names: dict[str, Any] = {}
    for seq, text in enumerate(lines, 1):
        line = parse_line(text)
        call = parsing.parse(str(line.name), line.body, found.model, names).resolve(names, found.model)
        outcome = found.apply(call, seq)
        if line.as_name:
            names[line.as_name] = outcome.named
    return found


def grid(m: Machine, cache: str, **view: Any) -> SlabGrid:
    doc = slab.read_cache(m, HERE.to(slabs=cache, **view))
    assert doc is not None
    return slab.slab_grid(doc, HERE.to(slabs=cache, **view))


def strip(m: Machine, area: str | None = None) -> VmallocStrip:
    here = HERE.to(area=area)
    doc = vmalloc.read(m, here, {})
    found = vmalloc.vmalloc_strip(doc["drawn"], doc["total"], show.zones(m)["zones"], here)
    assert found is not None
    return found


# -- slabs ----------------------------------------------------------------------------------------------


def test_the_turns_of_free_objects_are_the_order_in_which_they_go() -> None:
    m = machine("a = kmalloc(100, GFP_KERNEL) * 9", "kfree(a[::3])", debug=False)
    (slab,) = grid(m, "kmalloc-128").slabs
    turns = {cell.text: cell.index for cell in slab.objects if cell.kind in ("cpu", "free")}
    base = int(slab.address, 16)
    for turn in ("1", "2", "3"):
        outcome = m.apply(parsing.parse("kmalloc", {"size": 100, "flags": "GFP_KERNEL"}, m.model), 100)
        assert int(str(outcome.ret), 16) == base + 128 * turns[turn]


def test_every_object_leads_to_the_inspector() -> None:
    m = machine("alice: kmalloc(100, GFP_KERNEL)")
    (slab,) = grid(m, "kmalloc-128").slabs
    (taken,) = [cell for cell in slab.objects if cell.kind == "allocated"]
    assert taken.words.endswith("allocated by alice at #1")
    base = int(slab.address, 16)
    assert [cell.href.partition("obj=")[2] for cell in slab.objects] == [
        f"{base + 128 * index:#x}" for index in range(32)
    ]


def test_what_is_left_at_the_end_of_a_slab_is_said() -> None:
    m = machine("kmalloc(96, GFP_KERNEL)", debug=False)
    (slab,) = grid(m, "kmalloc-96").slabs
    assert slab.waste == f"{4096 - 42 * 96} bytes at its end hold no object"
    assert (slab.allocated, slab.inuse) == (1, "inuse is 42: what a CPU holds counts")


def test_many_slabs_are_shown_part_by_part() -> None:
    m = machine("kmalloc(4096, GFP_KERNEL) * 100")
    seen: list[str] = []
    view: int | None = 0
    while view is not None:
        part = grid(m, "kmalloc-4k", slab=view)
        seen += [slab.address for slab in part.slabs]
        found = re.search(r"slab=(\d+)", part.later.href or "")
        view = None if found is None else int(found[1])
    assert len(seen) == len(set(seen)) == part.total
    assert part.earlier.href is not None


def test_a_cache_that_is_not_there_shows_the_table() -> None:
    assert slab.read_cache(machine(), HERE.to(slabs="nothing")) is None


# -- vmalloc --------------------------------------------------------------------------------------------


def test_an_area_and_its_frames() -> None:
    m = machine("fill = alloc_page(GFP_KERNEL) * 200", "__free_pages(fill[::2], 0)", "vmalloc(300K)")
    (area,) = show.vmap_areas(m)["areas"]
    found = strip(m)
    (box,) = found.boxes
    assert box.x == 0
    assert box.width == pytest.approx(vmalloc.WIDTH)
    assert box.guard_x + box.guard == pytest.approx(vmalloc.WIDTH)
    assert f"{box.words}".startswith(area["address"])
    runs = list(vmalloc.runs_of(area["pfns"]))
    assert [pfn + i for _, pfn, length in runs for i in range(length)] == area["pfns"]
    assert len(found.arcs) == len(runs) > 10
    assert (found.first, found.last) == (f"{min(area['pfns']):#07x}", f"{max(area['pfns']):#07x}")


def test_the_newest_area_is_shown_unless_another_is_chosen() -> None:
    m = machine("v = vmalloc(8K)", "w = vmalloc(800K)", "vfree(v)")
    lazy, newest = strip(m).boxes
    assert (lazy.lazy, lazy.current, newest.lazy, newest.current) == (True, False, False, True)
    first = show.vmap_areas(m)["areas"][-1]["address"]
    lazy, newest = strip(m, first).boxes
    assert (lazy.current, newest.current) == (True, False)
    assert strip(m, first).arcs == []


def test_of_very_many_areas_those_around_the_chosen_one_are_drawn() -> None:
    m = machine("vmalloc(4K) * 60")
    areas = sorted(area["address"] for area in show.vmap_areas(m)["areas"])
    found = strip(m, areas[50])
    assert found.hidden == 60 - vmalloc.DRAWN
    assert [box.words.partition("–")[0] for box in found.boxes if box.current] == [areas[50]]
    assert strip(m, areas[0]).boxes[0].current


# -- tasks ----------------------------------------------------------------------------------------------


def test_queues_stand_in_the_order_of_waiting() -> None:
    m = machine(
        "p = alloc_page(GFP_KERNEL)",
        "alice: lock_page(p)",
        "carol: wait_on_page_locked(p)",
        "bob: lock_page(p)",
    )
    (queue,) = tasks.queues(show.sleepers(m), show.locks(m, tasks.SHOWN), HERE).pages
    assert queue.holder == "alice"
    assert [(w.name, w.wants) for w in queue.waiters] == [
        ("carol", "wait_on_page_locked"),
        ("bob", "lock_page"),
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_deadlock_is_found_once_however_many_wait_beside_it(size: int) -> None:
    lines = [f"p{i} = alloc_page(GFP_KERNEL)" for i in range(size)]
    lines += [f"t{i}: lock_page(p{i})" for i in range(size)]
    lines += [f"t{i}: lock_page(p{(i + 1) % size})" for i in range(size)]
    m = machine(*lines, "other: lock_page(p0)", "another: wait_on_page_locked(p0)")
    (circle,) = tasks.queues(show.sleepers(m), show.locks(m, tasks.SHOWN), HERE).circles
    assert sorted(node.name for node in circle.nodes) == [f"t{i}" for i in range(size)]
    assert len({(node.x, node.y) for node in circle.nodes}) == size
    assert all(0 < node.x < 400 and 0 < node.y < 260 for node in circle.nodes)


def test_waiting_alone_is_no_deadlock() -> None:
    m = machine(
        "p = alloc_page(GFP_KERNEL)", "alice: lock_page(p)", "bob: lock_page(p)", "carol: lock_page(p)"
    )
    assert tasks.queues(show.sleepers(m), show.locks(m, tasks.SHOWN), HERE).circles == []


# -- pages ----------------------------------------------------------------------------------------------


def test_a_file_of_proc_is_shown_as_it_is(client: TestClient) -> None:
    made = client.post("/api/v1/sessions", json={"machine": {"profile": "tiny-16m"}}).json()["id"]
    text = client.get(f"/api/v1/sessions/{made}/proc/zoneinfo").text
    shown = client.get(f"/sessions/{made}?panel=proc&file=zoneinfo").text
    assert text in unescape(shown)
    assert f"/api/v1/sessions/{made}/proc/zoneinfo" in shown
    assert "Node 0, zone" in unescape(client.get(f"/sessions/{made}?panel=proc&file=nonsense").text)


def test_the_files_of_a_process_are_shown_as_they_are(client: TestClient) -> None:
    made = client.post("/api/v1/sessions", json={"machine": {"profile": "tiny-16m"}}).json()["id"]
    nobody = client.get(f"/sessions/{made}?panel=proc&file=maps").text
    assert "Files of the process" not in nobody
    plain = {"content-type": "text/plain"}
    told = client.post(f"/api/v1/sessions/{made}/calls", content="a: execve()\na: b = fork()", headers=plain)
    child = told.json()["outcomes"][-1]["ret"]
    for file in ("maps", "smaps_rollup", "status", "statm"):
        text = client.get(f"/api/v1/sessions/{made}/tasks/b/proc/{file}").text
        shown = unescape(client.get(f"/sessions/{made}?panel=proc&file={file}&pid={child}").text)
        assert text in shown
        assert f'aria-current="true">/proc/{child}/{file}</a>' in shown
        assert f'aria-current="true">b ({child})</a>' in shown
        assert f"/api/v1/sessions/{made}/tasks/b/proc/{file}'" in shown
    assert "/proc/1001/maps" in client.get(f"/sessions/{made}?panel=proc&file=maps&pid=77").text


def test_the_panels_on_pages(client: TestClient) -> None:
    made = client.post("/api/v1/sessions", json={"machine": {"profile": "x86_64-1g"}}).json()["id"]
    lines = (
        "kmalloc(100, GFP_KERNEL)\nvmalloc(40K)\np = alloc_page(GFP_KERNEL)\na: lock_page(p)\na: lock_page(p)"
    )
    client.post(f"/api/v1/sessions/{made}/calls", content=lines, headers={"content-type": "text/plain"})
    caches = client.get(f"/sessions/{made}?panel=slab").text
    assert "slabs=kmalloc-128" in caches
    assert (
        'class="object object-allocated"' in client.get(f"/sessions/{made}?panel=slab&slabs=kmalloc-128").text
    )
    assert 'class="guard"' in client.get(f"/sessions/{made}?panel=vmalloc").text
    assert "Deadlock." in client.get(f"/sessions/{made}?panel=tasks").text

"""The machine page as it is laid out: layouts, views, what stands beside the map, what newcomers are told."""

import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from itertools import product
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.machine import boot, parsing, show
from app.machine.machine import Machine
from app.machine.outcome import Outcome
from app.web import closeup, layouts, physical, views
from app.web.address import Address, parse
from app.web.framemap import window_of
from app.web.preferences import Preferences
from tests.support.served import build, client_of

BASE = "/api/v1"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_of(build(tmp_path_factory.mktemp("layouts"))) as client:
        yield client


def machine(client: TestClient, lines: str = "", **shape: Any) -> str:
    """The path of a new machine on which lines were called."""
    shape = shape or {"profile": "tiny-16m", "lecture": True}
    path = f"/sessions/{client.post(f'{BASE}/sessions', json={'machine': shape}).json()['id']}"
    if lines:
        sent = client.post(f"{BASE}{path}/calls", content=lines, headers={"Content-Type": "text/plain"})
        assert sent.status_code == 201, sent.text
    return path


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", html)))


# -- layouts and views -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "projector", "layout"),
    [
        ("", False, "work"),
        ("", True, "stage"),
        ("demo=split-and-merge", False, "stage"),
        ("demo=split-and-merge&layout=work", True, "work"),
        ("layout=stage", False, "stage"),
        ("layout=poster", False, "work"),
    ],
)
def test_the_purpose_chooses_the_layout_unless_the_address_does(
    query: str, projector: bool, layout: str
) -> None:
    here = parse("s", query)
    assert layouts.layout_of(here, Preferences(projector=projector)) == layout
    chosen = [link.text for link in layouts.layout_links(here, layout) if link.current]
    assert chosen == [layout.capitalize()]


def test_the_layout_is_in_the_page_and_kept_in_its_links(client: TestClient) -> None:
    path = machine(client)
    html = client.get(f"{path}?layout=stage&panel=log").text
    assert 'class="machine-page layout-stage focus-panels"' in html
    tabs = re.findall(r'href="([^"]+)#panels"', html)
    assert tabs
    assert all("layout=stage" in tab for tab in tabs)


def test_a_second_view_is_an_entry_and_the_head_switches(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = machine(client)
    other = replace(views.frames.VIEW, name="others", title="Others")
    monkeypatch.setitem(views.VIEWS, "others", other)
    html = client.get(f"{path}?view=others").text
    head = html.partition('id="views"')[2].partition("</nav>")[0]
    assert re.findall(r'href="[^"]*view=(\w+)"[^>]*?( aria-current="true")?>(\w+)<', head) == [
        ("frames", "", "Frames"),
        ("vm", "", "Processes"),
        ("others", ' aria-current="true"', "Others"),
    ]


# -- all memory, and one block of it -----------------------------------------------------------------------


def call(m: Machine, name: str, **body: Any) -> Outcome:
    return m.apply(parsing.parse(name, body, m.model), 1)


def bar_of(m: Machine) -> Any:
    zones = show.zones(m)["zones"]
    return physical.physical_bar(zones, zones[-1], window_of(zones[-1], Address("s")))


@pytest.mark.parametrize("profile", ["x86_64-8g", "x86_64-64g", "i386-1g", "x86_64-1g", "tiny-16m"])
def test_what_the_map_shows_lies_on_the_bar_of_its_zone(profile: str) -> None:
    zones = show.zones(boot.boot({"profile": profile}))["zones"]
    for zone, shift in product(zones, (0, 4, None)):
        bar = physical.physical_bar(zones, zone, window_of(zone, Address("s", shift=shift)))
        drawn = next(each for each in bar.zones if each.current)
        assert bar.window_x >= drawn.x - physical.NARROWEST
        assert bar.window_x + bar.window_width <= min(100, drawn.x + drawn.width + physical.NARROWEST)


def test_near_the_end_a_mark_has_its_label_before_it() -> None:
    marks = bar_of(boot.boot({"profile": "i386-1g"})).marks
    assert [(mark.label, mark.anchor, mark.tick) for mark in marks] == [
        ("16 MB", "start", True), ("896 MB", "end", True), ("1 GiB", "end", False)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("profile", "zones", "borders"),
    [
        ("x86_64-8g", ["DMA", "DMA32", "Normal"], ["16 MB", "4 GB"]),
        ("i386-1g", ["DMA", "Normal", "HighMem"], ["16 MB", "896 MB"]),
        ("tiny-16m", ["DMA"], []),
    ],
)
def test_all_memory_is_one_bar_with_the_addresses_that_part_zones(
    profile: str, zones: list[str], borders: list[str]
) -> None:
    bar = bar_of(boot.boot({"profile": profile}))
    assert [zone.name for zone in bar.zones] == zones
    assert [mark.label for mark in bar.marks if mark.label][: len(borders)] == borders
    assert all(0 <= zone.x <= zone.x + zone.width <= 100.5 for zone in bar.zones)
    assert [zone.current for zone in bar.zones] == [False] * (len(zones) - 1) + [True]


def test_nodes_are_named_on_it() -> None:
    bar = bar_of(boot.boot({"profile": "x86_64-8g", "nodes": 2}))
    assert {zone.name for zone in bar.zones} >= {"DMA, node 0", "Normal, node 1"}


def test_a_split_is_seen_close_up_with_true_halves() -> None:
    m = boot.boot({"profile": "tiny-16m", "lecture": True})
    outcome = call(m, "alloc_pages", gfp="GFP_KERNEL", order=3)
    assert outcome.page is not None
    pfn = outcome.page["pfn"]
    drawn = closeup.close_up(closeup.read(m, pfn), [[pfn, 8, "unmovable"]])
    assert (drawn.first, drawn.last) == (pfn, pfn + 1023)
    assert dict(drawn.looks)["unmovable"] == "M0 0h8v10h-8z"
    assert {f"free-{order}" for order in range(3, 10)} < dict(drawn.looks).keys()
    assert dict(drawn.looks)["free-9"] == "M512 0h512v10h-512z"
    assert drawn.changed == "M0 0h8v10h-8z"
    assert [label.text for label in drawn.labels] == ["6", "7", "8", "9"]
    assert drawn.words.startswith(f"{pfn:#07x} unmovable, 2^3 frames; ")


def test_however_many_blocks_there_are_the_close_up_is_short() -> None:
    m = boot.boot({"profile": "tiny-16m", "lecture": True})
    call(m, "alloc_page", gfp="GFP_KERNEL", repeat=1024)
    drawn = closeup.close_up(closeup.read(m, 0x400), [])
    assert len(drawn.edges) + sum(len(path) for _look, path in drawn.looks) < 40_000
    assert len(drawn.words) < 600


def test_the_legend_has_what_is_there_with_counts(client: TestClient) -> None:
    path = machine(client, "alloc_pages(GFP_KERNEL, 3)")
    html = client.get(path).text
    legend = text_of(html.partition('id="legend"')[2].partition("</ul>")[0])
    assert re.findall(r"(\w+) ([\d,]+)", legend) == [
        ("free", "3,064"), ("reserved", "1,023"), ("unmovable", "8"),
    ]  # fmt: skip


def test_blocks_have_borders_and_free_ones_a_lightness_by_order(client: TestClient) -> None:
    html = client.get(machine(client, "alloc_pages(GFP_KERNEL, 3)") + "?shift=0&start=0x400").text
    assert {f"cell-free-{order}" for order in range(3, 10)} <= set(re.findall(r"cell-free-\d+", html))
    assert 'class="block-edge strong"' in html.partition('id="map-picture"')[2]


# -- zones -------------------------------------------------------------------------------------------------


def test_free_memory_over_the_last_calls_is_a_line(client: TestClient) -> None:
    path = machine(client, "p = alloc_pages(GFP_KERNEL, 3)\n__free_pages(p, 3)\nalloc_page(GFP_KERNEL)")
    html = client.get(path).text
    assert "Free after each of the last 3 calls: from 3,064 to 3,071, at least 3,064" in html
    assert '<polyline points="0,10.0 1,0.0 2,1.2">' in html
    assert (
        "spark" not in client.get(machine(client)).text.partition('id="zones"')[2].partition("</section>")[0]
    )


# -- newcomers ---------------------------------------------------------------------------------------------


def test_three_verbs_until_the_third_call(client: TestClient) -> None:
    for calls in range(5):
        html = client.get(machine(client, "alloc_page(GFP_KERNEL)\n" * calls)).text
        assert ('class="verbs"' in html) == (calls < 3)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("at=99999", "Row #99,999 does not exist; the last is #1."),
        ("outcome=7", "Row #7 does not exist; the last is #1."),
        ("panel=history&against=8", "Row #8 does not exist; the last is #1."),
        ("panel=history&since=x1", "This link says since=x1, which is no number: it is left out."),
        ("pfn=0xzz", "This link says pfn=0xzz, which is no number: it is left out."),
        ("at=x", "This link says at=x, which is no number: it is left out."),
        ("zone=Nowhere", "This machine has no zone Nowhere; it has DMA."),
        ("panel=nothing", "There is no panel nothing."),
    ],
)
def test_a_wrong_link_says_what_is_wrong(client: TestClient, query: str, words: str) -> None:
    path = machine(client, "alloc_page(GFP_KERNEL)")
    assert words in text_of(client.get(f"{path}?{query}").text)
    assert words not in text_of(client.get(f"{path}?at=1&pfn=0x400&zone=DMA&panel=log").text)


def test_home_begins_with_what_it_recommends(client: TestClient) -> None:
    html = client.get("/").text
    assert 'value="tiny-16m" checked' in html
    assert 'name="lecture" value="on" checked' in html
    refused = client.post("/sessions", data={"profile": "x86_64-8g", "memory": "banana"}).text
    assert 'value="x86_64-8g" checked' in refused
    assert 'name="lecture" value="on" checked' not in refused

"""The explanation page at its steps: the machine on the way, and splits, merges and pageblocks drawn."""

import re
from collections.abc import Iterator
from html import unescape
from itertools import groupby
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.machine import boot, parsing, zonemap
from app.machine.block_orders import NO_ORDER
from app.machine.calltext import parse_line
from app.machine.dump import dump
from app.machine.loading import load
from app.machine.trace import Trace
from app.web import blocks, stepping
from app.web.address import Address
from app.web.framemap import map_view
from app.web.stepping import StepAddress
from tests.support.explainer import Explainer, only
from tests.support.served import build, client_of

BASE = "/api/v1"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_of(build(tmp_path_factory.mktemp("explain"))) as client:
        yield client


def session(client: TestClient, *lines: str, **machine: Any) -> str:
    """A session on which these lines have been called; its path."""
    made = client.post(
        f"{BASE}/sessions", json={"name": "x", "machine": {"profile": "tiny-16m", "lecture": True} | machine}
    )
    path = f"/sessions/{made.json()['id']}"
    for line in lines:
        call(client, path, line)
    return path


def call(client: TestClient, path: str, line: str) -> None:
    answer = client.post(f"{BASE}{path}/calls", content=line, headers={"Content-Type": "text/plain"})
    assert answer.status_code == 201, answer.text


def drawing(html: str) -> str:
    """The map."""
    return html.partition('class="map-svg"')[2].partition("</svg>")[0]


def cells(html: str) -> dict[str, int]:
    """Drawn rectangles of each state."""
    states = re.findall(r'class="cell cell-(\w+)"', drawing(html))
    return {state: states.count(state) for state in states}


def way(html: str, name: str) -> str | None:
    found = re.search(rf'id="moment-{name}" href="([^"]+)"', html)
    return unescape(found[1]) if found else None


# -- stepping ----------------------------------------------------------------------------------------------


def test_the_map_goes_through_a_call_without_script(client: TestClient) -> None:
    machine = session(client, "p = alloc_pages(GFP_KERNEL, 3)")
    html = client.get(f"{machine}/explain/1").text
    seen = []
    assert "The machine before the call" in html
    assert way(html, "earlier") is None
    while (href := way(html, "later")) is not None:
        seen.append(cells(html))
        html = client.get(href).text
    assert way(html, "end") is None
    assert "The machine as the call left it" in html
    total = len(client.get(f"{BASE}{machine}/events/1/explain").json()["steps"])
    assert len(seen) == total
    assert "pcp" in seen[total - 1]
    assert "pcp" not in seen[0] | cells(html)
    assert cells(html)["unmovable"] == 1
    assert 'aria-current="step"' in html
    back = client.get(str(way(html, "start"))).text
    assert drawing(back) == drawing(client.get(f"{machine}/explain/1").text)
    assert 'aria-current="step"' not in back


def test_what_a_step_did_is_outlined(client: TestClient) -> None:
    machine = session(client, "p = alloc_pages(GFP_KERNEL, 3)")
    steps = client.get(f"{BASE}{machine}/events/1/explain").json()["steps"]
    outlined = {
        step["fn"]: client.get(f"{machine}/explain/1?decision={number}").text.count('class="changed"')
        for number, step in enumerate(steps, 1)
    }
    assert outlined["zone_watermark_fast"] == 0
    assert outlined["__rmqueue_smallest"] == 1  # the block that was found
    assert outlined["rmqueue_bulk"] == 1
    assert outlined["expand"] == len(only(steps, "expand")["changed"])


@pytest.mark.parametrize("decision", ["999999999", "7"])
def test_a_step_behind_the_last_is_the_last(client: TestClient, decision: str) -> None:
    machine = session(client, "p = alloc_pages(GFP_KERNEL, 3)")
    assert "7 of 7" in client.get(f"{machine}/explain/1?decision={decision}").text


@pytest.mark.parametrize("decision", ["-1", "x", ""])
def test_what_is_no_step_is_the_beginning(client: TestClient, decision: str) -> None:
    machine = session(client, "p = alloc_pages(GFP_KERNEL, 3)")
    assert "0 of 7" in client.get(f"{machine}/explain/1?decision={decision}").text


def test_the_window_can_be_moved_and_keeps_its_step(client: TestClient) -> None:
    machine = session(client, "p = alloc_pages(GFP_KERNEL, 3)")
    html = client.get(f"{machine}/explain/1?decision=5").text
    found = re.search(r'href="([^"]+)" id="map-out"', html)
    assert found
    moved = client.get(unescape(found[1])).text
    assert "5 of 7" in moved
    assert "1 cell = 4 frames" in moved


def test_a_long_call_is_listed_in_parts_and_the_fold_of_the_step_is_open(client: TestClient) -> None:
    machine = session(client, "alloc_page(GFP_KERNEL) * 500")
    total = len(client.get(f"{BASE}{machine}/events/1/explain").json()["steps"])
    html = client.get(f"{machine}/explain/1?decision=450").text
    assert f"401 to 500 of {total:,}" in html
    assert html.count('<li class="decision"') == 100
    assert len(re.findall(r'<li class="decision" id="step-450"[^>]* aria-current="step"', html)) == 1
    assert html.count('<details class="rounds" open>') == 1
    alone = client.get(f"{machine}/explain/1?decision=450&only=1").text
    assert re.findall(r'<li class="decision" id="(\S+)"', alone) == ["step-450"]
    assert len(alone) < len(html) / 2


def test_a_rewind_shows_the_machine_before_and_behind_it(client: TestClient) -> None:
    machine = session(client, "p = alloc_pages(GFP_KERNEL, 3)")
    client.post(f"{BASE}{machine}/rewind", json={"to": 0})
    before = client.get(f"{machine}/explain/2").text
    assert "What #2 did" in before
    assert "unmovable" in cells(before)
    assert "unmovable" not in cells(client.get(f"{machine}/explain/2?decision=1").text)
    assert f'href="{machine}?at=0' in before


def test_the_rows_of_a_branch_begin_behind_its_origin(client: TestClient) -> None:
    machine = session(client, "p = alloc_pages(GFP_KERNEL, 3)", "alloc_page(GFP_KERNEL)")
    fork = client.post(f"{BASE}{machine}/fork", json={"at": 1}).json()["id"]
    call(client, f"/sessions/{fork}", "alloc_page(GFP_KERNEL)")
    html = client.get(f"/sessions/{fork}/explain/2").text
    assert 'rel="prev"' not in html
    assert "unmovable" in cells(html)
    assert client.get(f"/sessions/{fork}/explain/1").status_code == 404


# -- the map with steps drawn over it ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "shape"),
    [
        (["alloc_pages(GFP_KERNEL, 3)"], {"lecture": True}),
        (["p = alloc_pages(GFP_KERNEL, 3)", "__free_pages(p, 3)"], {"lecture": True}),
        (["alloc_pages(GFP_HIGHUSER_MOVABLE, 0)"], {}),
        (["p = alloc_page(GFP_KERNEL)", "__free_pages(p, 0)"], {}),
        (["kmalloc(3000, GFP_KERNEL)"], {}),
        (["vmalloc(40000)"], {}),
    ],
)
@pytest.mark.parametrize("shift", [0, 4])
def test_all_steps_drawn_over_the_machine_are_the_machine_behind_the_call(
    lines: list[str], shape: dict[str, Any], shift: int
) -> None:
    m = boot.boot({"profile": "tiny-16m", **shape})
    names: dict[str, Any] = {}
    trace = None
    for seq, text in enumerate(lines, 1):
        line = parse_line(text)
        call = parsing.parse(str(line.name), line.body, m.model, names).resolve(names, m.model)
        if seq == len(lines):
            before = zonemap.zonemap(m, shift=shift)
            drawn_over = load(dump(m))
            trace = m.trace = Trace(m)
        outcome = m.apply(call, seq)
        if line.as_name:
            names[line.as_name] = outcome.named
    assert trace is not None
    over = [tuple(run) for step in trace.steps for run in step["changed"]]
    assert over
    drawn = zonemap.zonemap(drawn_over, shift=shift, over=over, reshaped=stepping.reshaped(trace.steps))
    after = zonemap.zonemap(m, shift=shift)
    assert bordered(drawn.pop("orders"), shift) == bordered(after.pop("orders"), shift)
    assert drawn == after
    assert zonemap.zonemap(drawn_over, shift=shift) == before


def bordered(orders: bytes, shift: int) -> list[int | None]:
    """The orders of blocks that have borders of their own: those of several cells."""
    return [order if order != NO_ORDER and order > shift else None for order in orders]


def test_on_the_way_the_halves_of_a_split_have_borders() -> None:
    explainer = Explainer("tiny-16m", lecture=True)
    before = load(dump(explainer.m))
    steps = explainer.call("alloc_pages", gfp="GFP_KERNEL", order=3)
    place = [step["fn"] for step in steps].index("expand")
    here = Address("s", start=0x400, shift=0)
    whole = stepping.look(before, here, steps[:place], ())
    halved = stepping.look(before, here, steps[: place + 1], ())
    assert set(whole.cells["orders"][: 1 << 10]) == {10}
    assert [order for order, _cells in groupby(halved.cells["orders"][: 1 << 10])] == [*range(3, 10)]
    strong, path = map_view(halved, (), here).edges[0]
    assert strong
    assert path.count("M") > 6


# -- drawings ----------------------------------------------------------------------------------------------


def test_a_split_puts_back_the_upper_halves_and_gives_out_the_lowest() -> None:
    steps = Explainer("tiny-16m", lecture=True).call("alloc_pages", gfp="GFP_KERNEL", order=3)
    found = blocks.blocks(only(steps, "expand"))
    assert found is not None
    assert [level.order for level in found.levels] == [10, 9, 8, 7, 6, 5, 4, 3, 3]
    assert [level.label for level in found.levels[1:3]] == ["0x00600 put back", "0x00500 put back"]
    assert found.levels[-1].label == "0x00400 given out"
    assert "0x408 of order 3" in found.words
    # Each half is half as wide, down to what can be seen at all.
    for row, level in enumerate(found.levels[1:-1], 1):
        kept, back = level.boxes
        assert kept.x + kept.width == pytest.approx(back.x)
        assert kept.width == back.width == pytest.approx(max(2, blocks.WIDTH / 2**row), abs=0.1)


def test_a_merge_names_the_buddy_at_each_order_and_its_side() -> None:
    machine = Explainer("tiny-16m", lecture=True)
    machine.call("alloc_pages", gfp="GFP_KERNEL", order=1)
    machine.call("alloc_pages", gfp="GFP_KERNEL", order=0)
    pfn = machine.names["it"].pfn
    step = only(machine.call("__free_pages", page="$it", order=0), "__free_one_page")
    found = blocks.blocks(step)
    assert found is not None
    assert pfn is not None
    assert step["numbers"]["freed_pfn"] == pfn
    for level in found.levels[:-1]:
        block, by, buddy = (int(part, 16) for part in re.split(r" [\^=] ", level.label))
        own, other = level.boxes
        assert by == 1 << level.order
        assert block ^ by == buddy
        assert (other.x < own.x) == (buddy < block)
    assert len(found.levels) == step["numbers"]["merges"] + 1


def test_a_block_without_a_free_buddy_is_not_drawn() -> None:
    step = {"fn": "__free_one_page", "numbers": {"merges": 0}}
    assert blocks.blocks(step) is None


@pytest.mark.parametrize(("free", "alike", "claimed"), [(200, 56, True), (200, 55, False)])
def test_the_two_counts_of_a_pageblock_are_drawn(free: int, alike: int, claimed: bool) -> None:
    numbers = {"pageblock": 0x400, "free_pages": free, "alike_pages": alike, "threshold": 256}
    found = blocks.pageblock({"fn": "steal_suitable_fallback", "numbers": numbers})
    assert found is not None
    assert found.claimed is claimed
    assert found.threshold == pytest.approx(blocks.WIDTH / 2)
    assert (found.free + found.alike >= found.threshold) is claimed


def test_a_page_with_many_splits_draws_the_first_and_the_one_that_is_shown(client: TestClient) -> None:
    machine = session(client, "alloc_page(GFP_KERNEL)", profile="x86_64-1g", lecture=False)
    steps = client.get(f"{BASE}{machine}/events/1/explain").json()["steps"]
    splits = [number for number, step in enumerate(steps, 1) if step["fn"] == "expand"]
    assert len(splits) > 10
    page = client.get(f"{machine}/explain/1").text
    drawn = page.count('<figure class="blocks blocks-split"')
    shown = client.get(f"{machine}/explain/1?decision={splits[-1]}").text
    assert shown.count('<figure class="blocks blocks-split"') == drawn + 1 < 10
    assert 'role="img" aria-label="The block ' in page


def test_the_panel_of_free_lists_leads_to_the_drawing(client: TestClient) -> None:
    machine = session(client, "alloc_page(GFP_KERNEL)")
    html = client.get(machine).text
    details = html.partition('<details class="last-drawing">')[2].partition("</details>")[0]
    assert f'href="{machine}/explain/1"' in details
    assert 'class="last-drawing"' not in client.get(session(client)).text


def test_a_pageblock_that_is_not_claimed_shows_the_losing_counts(client: TestClient) -> None:
    machine = session(
        client,
        "m = alloc_pages(GFP_HIGHUSER_MOVABLE, 0) * 3000",
        "__free_pages(m[0:3000:3], 0)",
        "__free_pages(m[1:3000:3], 0)",
        "alloc_pages(GFP_KERNEL|__GFP_RECLAIMABLE, 0) * 600",
        lecture=False,
        reclaim=False,
    )
    parts = [
        client.get(f"{machine}/explain/4", params={"decision": first}).text for first in range(1, 2000, 100)
    ]
    html = "".join(part.partition('class="explain-steps"')[2] for part in dict.fromkeys(parts))
    kept = re.findall(r'<em class="losing">(free \d+ \+ alike \d+)</em> &lt; 256', html)
    claimed = re.findall(r"free \d+ \+ alike \d+ ≥ 256", html)
    assert kept or claimed
    assert html.count('class="blocks pageblock"') == len(kept) + len(claimed)


def test_addresses_of_steps_leave_the_row_to_the_path() -> None:
    here = StepAddress("S", outcome=4, decision=2, shift=1)
    assert here.href == "/sessions/S/explain/4?shift=1&decision=2"
    assert here.step_to(0) == "/sessions/S/explain/4?shift=1#moment"
    assert here.at(0x400) == "/sessions/S?pfn=0x400&outcome=4"
    assert stepping.touched_by({"fn": "x", "changed": [], "numbers": {}}) == []


def test_what_came_of_a_fault_is_said_once(client: TestClient) -> None:
    path = session(client, 'a: execve("/bin/hello")', "a: store(0x600000)", profile="x86_64-1g")
    html = client.get(f"{path}/explain/1").text
    answer = html.partition('<div class="answer')[2].partition("</div>")[0]
    assert answer.count("answer-why") == 1
    assert "A new address space" in answer

"""Pages of a machine that reclaims: what a row did beside its call, lists, kswapd, swap, evicted pages."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest

from app.web import reclaim_words, zones
from app.web.address import Address
from app.web.panels import swap
from tests.support.served import build, client_of
from tests.web.test_processes import ANONYMOUS, RW, Machine, plain

SMALL: dict[str, Any] = {"memory": "96M", "reclaim": True, "swap": 1024}
# The kernel has taken most of it. What was read first goes, then some of what was written is swapped out.
SHORT = f"""
alloc_pages(GFP_KERNEL, 8) * 38
a: execve("/bin/hello")
a: f = open("/data/a", O_RDWR)
a: read(f, 4M)
a: x = mmap(NULL, 12M, {RW}, {ANONYMOUS})
a: store(x) * 1200
a: store(x+5M) * 1200
"""


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with client_of(build(tmp_path_factory.mktemp("reclaim"))) as client:
        yield Machine(client, SHORT, **SMALL)


FIGURES = {"scanned": 64, "reclaimed": 32, "swapped_out": 3, "written": 5, "priority": 9}


WORDS = "64 pages looked at, 32 reclaimed, 3 of them to swap, 2 to files, down to priority 9"


def panel(machine: Machine, query: str) -> str:
    return machine.page(query).partition('id="panels"')[2].partition('id="journal-title"')[0]


def row(machine: Machine, seq: int) -> dict[str, Any]:
    found: dict[str, Any] = machine.client.get(f"/api/v1{machine.path}/events/{seq}").json()
    return found


# -- what a row did beside its call ----------------------------------------------------------------


def test_a_row_says_what_kswapd_did_at_its_end(short: Machine) -> None:
    outcome = row(short, 7)
    runs = [entry for entry in outcome["background"] if entry["task"] == "kswapd0"]
    freed = sum(entry["reclaim"]["reclaimed"] for entry in runs)
    assert freed
    page = short.page("&outcome=7")
    banner = plain(page.partition('class="answer-beside"')[2].partition("</ul>")[0])
    assert re.search(r"kswapd0 \(low mark of [^)]*DMA32", banner)
    assert f"{freed:,} reclaimed" in banner
    listed = plain(page.partition('id="journal"')[2])
    assert f"kswapd0: {freed:,} pages" in listed
    found = plain(short.page("&find=kswapd0").partition('id="journal"')[2])
    assert "#7" in found
    assert "#2" not in found


@pytest.mark.parametrize(
    ("outcome", "words", "brief"),
    [
        (
            {"args": {"task": "a"}, "reclaim": FIGURES},
            [f"a reclaimed itself: {WORDS}"],
            ["direct reclaim: 32 pages, 5 written"],
        ),
        (
            {"args": {}, "background": [{"task": "flusher", "why": "dirty pages", "written": 1}]},
            ["flusher (dirty pages): 1 page written"],
            ["flusher: 1 written"],
        ),
        (
            {
                "args": {},
                "background": [{"task": "kcompactd0", "why": "a block of order 9"}],
                "killed": list("abcde"),
            },
            ["kcompactd0 ran (a block of order 9)"],
            ["killed: a, b, c, d, …", "kcompactd0 ran"],
        ),
    ],
)
def test_what_was_done_beside_a_call_is_one_line_each(
    outcome: dict[str, Any], words: list[str], brief: list[str]
) -> None:
    assert reclaim_words.lines(outcome) == words
    assert reclaim_words.brief(outcome) == brief


# -- the lists -------------------------------------------------------------------------------------


def test_the_lists_say_who_goes_next_and_why(short: Machine) -> None:
    lists = panel(short, "&panel=lru")
    summary = short.client.get(f"/api/v1{short.path}/lru").json()
    (node,) = summary["reclaim"]
    text = plain(lists)
    for name in ("inactive_anon", "inactive_file"):
        for ahead in node["next"][name]:
            assert f"{ahead['pfn']:#07x}" in text
    first = node["next"]["inactive_anon"][0]
    assert f"{first['pfn']:#07x} a: {first['owner']['addr']} " in text
    assert f"anon_cost {node['anon_cost']:,}" in text
    assert "active pages stay" in text or "active pages are made inactive" in text
    scan = node["lists"]["inactive_anon"]
    assert f"looked at from priority {scan['priority']} on: {scan['pages']} page" in text
    # The picture has both ends, and the same of each page in its table.
    drawn = re.findall(
        r'<a class="page-cell[^"]*" href="[^"]*pfn=(0x[0-9a-f]+)[^"]*" data-stay title="', lists
    )
    twin = lists.partition('id="lru-twin"')[2]
    assert len(drawn) <= 4 * 40
    assert all(
        int(pfn, 16) in {int(found, 16) for found in re.findall(r">(0x[0-9a-f]+)<", twin)} for pfn in drawn
    )


# -- kswapd in its zone ----------------------------------------------------------------------------


def test_kswapd_stands_in_its_zone_with_what_it_did_last(short: Machine) -> None:
    zones = short.page().partition('id="zones"')[2].partition("</section>")[0]
    highest, lower = re.findall(r"<article.*?</article>", zones, re.DOTALL)
    scanned = sum(entry["reclaim"]["scanned"] for entry in row(short, 7)["background"])
    assert f"kswapd0 asleep · ran at #7 : {scanned:,} pages looked at" in plain(highest)
    assert "/explain/7?" in highest
    assert "kswapd0" not in plain(lower)
    for zone in (highest, lower):
        assert "kswapd-range" in zone
    # As it was before: it ran for the first time at the end of the first call.
    then = plain(short.page("&at=3").partition('id="zones"')[2].partition("</article>")[0])
    assert "ran at #1" in then


def test_the_line_of_free_memory_says_when_kswapd_ran() -> None:
    marks = {"min": 10, "low": 12, "high": 14}
    line = zones.spark([20, 11, 20], marks, [1])
    assert line is not None
    assert line.ran == [1]
    assert line.words.endswith("kswapd ran at the end of 1 of them")
    quiet = zones.spark([20, 11, 20], marks)
    assert quiet is not None
    assert "kswapd" not in quiet.words


def test_what_kswapd_did_in_a_row_that_was_undone_is_not_its_last() -> None:
    def ran(seq: int) -> dict[str, Any]:
        entry = {"task": "kswapd0", "why": "low", "reclaim": FIGURES}
        return {"seq": seq, "call": "alloc_page", "args": {}, "background": [entry]}

    undo = {"seq": 5, "call": "undo", "args": {"to": 3}}
    rows = [undo, ran(4), {"seq": 3, "call": "free_page", "args": {}}, ran(2)]
    found = reclaim_words.last_run(rows, "kswapd0")
    assert found is not None
    assert found["seq"] == 2
    assert reclaim_words.last_run(rows, "kswapd1") is None


def test_a_machine_that_takes_nothing_back_only_says_that_kswapd_is_woken() -> None:
    zone = {"node": 0, "task": "kswapd0", "reclaims": False, "woken": False, "given_up": False, "last": None}
    assert zones.kswapd_view(zone, Address("s")) is None
    view = zones.kswapd_view({**zone, "woken": True}, Address("s"))
    assert view is not None
    assert "takes nothing back" in view.state
    tired = zones.kswapd_view({**zone, "reclaims": True, "given_up": True}, Address("s"))
    assert tired is not None
    assert "given up" in tired.state


# -- page cache ------------------------------------------------------------------------------------


def test_a_page_that_was_evicted_says_what_would_become_of_it_now(short: Machine) -> None:
    file = short.client.get(f"/api/v1{short.path}/files/data/a").json()
    assert file["evicted"] > 1024
    cache = panel(short, "&panel=pagecache&cached=/data/a")
    assert f"evicted {file['evicted']:,}" in plain(cache)
    crossed = re.findall(r'class="page-cell absent evicted[^"]*" title="page (\d+): evicted ([\d,]+) ', cache)
    assert len(crossed) == 128
    assert "read now, it would be" in cache
    # The older one is further away; each eviction since counts.
    distances = [int(distance.replace(",", "")) for _, distance in crossed]
    assert distances == sorted(distances, reverse=True)
    # It is read, and what was said comes true.
    active = "it would be active at once" in cache.partition("page 127: evicted")[2].partition('"')[0]
    copy = short.client.post(f"/api/v1{short.path}/fork", json={}).json()["id"]
    short.client.post(
        f"/api/v1/sessions/{copy}/calls",
        content="a: read(f, count=4K, offset=508K)",
        headers={"content-type": "text/plain"},
    )
    (page,) = [
        page
        for page in short.client.get(f"/api/v1/sessions/{copy}/files/data/a?after=126").json()["pages"]
        if page["index"] == 127
    ]
    assert page["active"] == active


# -- swap ------------------------------------------------------------------------------------------


def test_slots_say_whose_pages_they_hold(short: Machine) -> None:
    (area,) = short.client.get(f"/api/v1{short.path}/swaps").json()["swaps"]
    shown = panel(short, "&panel=swap")
    text = plain(shown)
    assert f"/dev/vdb {area['used']} of 1,023 slots used, priority -2, a disk that turns" in text
    pattern = r'class="page-cell slot slot-(\w+)[^"]*"(?: href="([^"]*)")? ?(?:data-stay )?title="'
    slots = re.findall(pattern, shown)
    assert len(slots) == 128
    assert {state for state, _ in slots} == {"swapped"}
    # The walk of the address that the first slot leads to ends in that slot.
    (start,) = re.findall(r"slot 1: holds a page that is not in memory, a: (0x[0-9a-f]+)", shown)
    assert f"va={start}" in unescape(slots[0][1])
    walk = short.client.get(f"/api/v1{short.path}/tasks/a/walk?addr={start}").json()
    assert "slot 1 of swap area 0" in walk["why"]
    assert f"1 holds a page that is not in memory a: {start} 1" in plain(shown.partition('id="swap-twin"')[2])
    taken = sum(run[1] for run in short.client.get(f"/api/v1{short.path}/swaps").json()["stocks"][0]["slots"])
    first = area["used"] - taken + 1
    assert f"CPU 0: taken in advance: slots {first}–{area['used']}" in text
    assert "897 to 1,023 of 1,023" in plain(panel(short, "&panel=swap&row=1000"))
    assert "slot-stock" in panel(short, f"&panel=swap&row={first}")


def test_a_slot_may_be_a_page_of_a_file_or_of_many(short: Machine) -> None:
    here = Address("s")
    slot = {"slot": 9, "state": "kept", "named": 2, "pfn": 0x400, "owner": {"file": "/tmp/x", "index": 3}}
    cell = swap.cell(slot, here, [(8, 10)])
    assert cell.words.endswith("/tmp/x, page 3, named by 2 entries, frame 0x00400")
    assert cell.came
    assert cell.href == here.at(0x400)
    assert swap.brought({"swap": [[1, 5, "swapped"], [7, 2, "free", 1]]}, 1) == [(7, 9)]


def test_without_swap_the_panel_says_how_to_get_some(short: Machine) -> None:
    bare = Machine(short.client)
    assert "There is no swap" in plain(panel(bare, "&panel=swap"))

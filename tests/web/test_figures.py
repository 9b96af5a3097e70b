"""Figures of the dashboard: what is drawn says what the machine says."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.machine.block_orders import NO_ORDER
from app.web import framemap, wording, zones
from app.web.address import Address
from app.web.frame_states import FRAME_STATES, LETTERS
from app.web.framemap import CELLS, COLUMNS
from app.web.stepping import MomentReading

STATES = list(LETTERS)


def zone(start: int, spanned: int, **more: Any) -> dict[str, Any]:
    return {
        "name": "Normal", "node": 0, "zid": 2, "start_pfn": start, "spanned": spanned, "managed": spanned,
        "free": spanned, "min": 100, "low": 125, "high": 150, "boost": 0, "pcp": [],
        "lowmem_reserve": [0, 0, 0],
        "fallback": [], **more,
    }  # fmt: skip


PLACES = st.integers(0, 1 << 28)


@given(st.integers(0, 1 << 22), st.integers(1, 1 << 28), st.none() | PLACES, st.none() | st.integers(0, 60))
def test_a_window_lies_in_its_zone_and_begins_at_a_row(
    start: int, spanned: int, asked: int | None, shift: int | None
) -> None:
    it = zone(start, spanned)
    window = framemap.window_of(it, Address("s", start=asked, shift=shift))
    assert 1 <= window.cells <= CELLS
    assert window.start % (COLUMNS << window.shift) == 0
    assert window.start < start + spanned
    assert window.end > start
    assert window.end - (1 << window.shift) < start + spanned


@given(st.integers(0, 1 << 22), st.integers(1, 1 << 28))
def test_without_a_wish_the_whole_zone_is_shown(start: int, spanned: int) -> None:
    window = framemap.window_of(zone(start, spanned), Address("s"))
    assert window.start <= start
    assert window.end >= start + spanned


def view(it: dict[str, Any], cells: list[int], fill: list[int], changed: Any = (), **asked: Any) -> Any:
    here = Address("s", **asked)
    window = framemap.window_of(it, here)
    doc = {
        "states": STATES,
        "cells": bytes(cells),
        "fill": bytes(fill),
        "orders": bytes([NO_ORDER] * len(cells)),
    }
    return framemap.map_view(MomentReading([it], it, window, doc), changed, here)


@given(st.lists(st.integers(0, len(STATES) - 1), min_size=1, max_size=CELLS), st.integers(0, COLUMNS - 1))
def test_drawing_and_table_say_the_same(cells: list[int], offset: int) -> None:
    it = zone(offset, len(cells) - offset) if offset < len(cells) else zone(0, len(cells))
    shown = view(it, cells, [0] * len(cells), shift=0)
    assert sum(tile.width for tile in shown.tiles) == 12 * len(cells)
    assert sum(row.frames for row in shown.rows) <= it["spanned"]
    if not shown.hidden_rows:
        assert sum(row.frames for row in shown.rows) == it["spanned"]
    drawn = {tile.state for tile in shown.tiles} - {"outside"}
    assert {row.state for row in shown.rows} <= drawn


def test_a_cell_that_is_only_partly_free_shows_how_much_is_used() -> None:
    shown = view(zone(0, 4), [0, 0, 0, 0], [0, 128, 255, 1], shift=0)
    assert [tile.used for tile in shown.tiles] == [0, 6, 10, 2]


def test_what_changed_is_outlined_row_by_row() -> None:
    shown = view(zone(0, 128), [0] * 128, [0] * 128, [[60, 8, "unmovable"]], shift=0)
    assert shown.outlines == [(720, 0, 48, 12), (0, 12, 48, 12)]
    assert [row.changed for row in shown.rows] == [True]


def test_what_changed_elsewhere_is_not() -> None:
    shown = view(zone(0, 1 << 20), [0] * CELLS, [0] * CELLS, [[1 << 19, 1, "free"]], shift=0, start=0)
    assert shown.outlines == []


def test_zooming_in_keeps_the_inspected_frame_in_view() -> None:
    it = zone(0, 1 << 20)
    link = view(it, [0] * CELLS, [0] * CELLS, pfn=777_777).zoom_in
    assert link.href is not None
    start = int(link.href.partition("start=")[2].partition("&")[0], 16)
    shift = int(link.href.partition("shift=")[2].partition("&")[0])
    assert start <= 777_777 < start + (CELLS << shift)


def test_every_state_has_a_meaning_and_no_two_share_a_letter() -> None:
    assert all(state.meaning for state in FRAME_STATES)
    letters = [letter for letter in LETTERS.values() if letter]
    assert len(set(letters)) == len(letters)


@pytest.mark.parametrize(
    ("free", "words", "low"),
    [(99, "below min: only the reserves are left", True), (100, "above min", False),
     (126, "above low", False),
     (150, "above high", False), (450, "free = 3 × high", False)],
)  # fmt: skip
def test_where_free_memory_stands(free: int, words: str, low: bool) -> None:
    it = zone(0, 1000, free=free)
    (shown,) = zones.zone_views([it], it, Address("s"))
    assert (shown.level, shown.low_level) == (words, low)
    assert [(mark.x, mark.anchor) for mark in shown.marks] == [
        (33.3, "end"),
        (41.6, "middle"),
        (50.0, "start"),
    ]
    assert shown.cut == (free > 300)


def test_reserves_are_named_by_whom_they_keep_out() -> None:
    dma = zone(0, 10, name="DMA", zid=0, lowmem_reserve=[0, 5, 7, 7])
    dma32 = zone(10, 10, name="DMA32", zid=1)
    normal = zone(20, 10)
    shown = zones.zone_views([dma, dma32, normal], normal, Address("s"))
    assert [view.name for view in shown] == ["Normal", "DMA32", "DMA"]
    assert shown[2].reserve == [("DMA32", 5), ("Normal", 7)]


def test_what_is_not_nothing_is_seen() -> None:
    assert zones.thousandths(0, 1 << 30) == 0
    assert zones.thousandths(1, 1 << 30) == 4
    assert zones.thousandths(2, 1) == 1000
    assert zones.thousandths(1, 0) == 0


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (16 << 20, "16 MiB"),
        (1536 << 20, "1.5 GiB"),
        (1 << 40, "1 TiB"),
    ],
)
def test_sizes(number: int, text: str) -> None:
    assert wording.size(number) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"), [(0, 0, "0.0 %"), (1, 10_000, "< 0.1 %"), (1, 64, "1.6 %"), (1, 2, "50 %")]
)
def test_shares(part: int, whole: int, text: str) -> None:
    assert wording.percent(part, whole) == text


def test_every_zone_says_what_is_tried_after_it() -> None:
    low = {"name": "DMA32", "node": 0}
    far = {"name": "Normal", "node": 1}
    machine = [zone(0, 64, name="DMA32"), zone(64, 64, fallback=[low])]
    assert [view.fallback for view in zones.zone_views(machine, machine[0], Address("s"))] == [["DMA32"], []]
    there = zone(64, 64, fallback=[low, far])
    assert zones.zone_view(there, [there], True, Address("s"), []).fallback == [
        "DMA32",
        "Normal (node 1)",
    ]

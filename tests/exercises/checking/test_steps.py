"""Steps of an explanation, found by a line."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from app.exercises import explained, steps
from app.exercises.playground import Playground
from tests.exercises.checking.goals import FRAGMENTED, TINY


@cache
def made(*lines: str, profile: str = "tiny-16m") -> list[Any]:
    """The steps of the last of some lines."""
    place = Playground.boot({**TINY, "profile": profile})
    place.make(lines[:-1])
    return explained.act(place, lines[-1])[1]


def found(check: str, listed: list[Any]) -> list[tuple[str, str | None]]:
    """Function and verdict of the steps that a line means."""
    return [
        (listed[place - 1]["fn"], listed[place - 1]["verdict"]) for place in steps.parse(check).places(listed)
    ]


FAILS = (*FRAGMENTED, "alloc_pages(GFP_NOWAIT, 1)")
AT_THE_MARK = ("f = alloc_page(GFP_NOWAIT) until NULL", "alloc_page(GFP_NOWAIT)")


def test_what_decided() -> None:
    """X13: the last look at the zone; enough is free, but in single frames."""
    listed = made(*FAILS)
    (place,) = steps.parse("last zone_watermark_fast verdict no").places(listed)
    assert listed[place - 1]["numbers"]["free"] == 1536
    assert listed[place - 1]["numbers"]["suitable_block"] is None
    assert steps.parse("last zone_watermark_fast verdict no free > watermark").places(listed) == [place]
    assert steps.parse("last zone_watermark_fast free <= min_with_reserves").places(listed) == []
    (first,) = steps.parse("first zone_watermark_fast mark = low").places(listed)
    assert first < place
    assert steps.parse("last zone_watermark_fast mark = min").places(listed) == [place]
    assert steps.parse("every zone_watermark_fast").places(listed) == [first, place - 1, place]
    assert steps.parse("2nd zone_watermark_fast").places(listed) == [place - 1]


def test_what_decided_at_the_mark() -> None:
    listed = made(*AT_THE_MARK)
    last = steps.parse("last zone_watermark_fast verdict no").places(listed)
    assert len(last) == 1
    assert steps.parse("last zone_watermark_fast free <= min_with_reserves").places(listed) == last
    assert steps.parse("last zone_watermark_fast free = 108 watermark = 110").places(listed) == last
    assert steps.parse("last zone_watermark_fast free > watermark").places(listed) == []


SPLIT = "alloc_pages(GFP_KERNEL|__GFP_DMA, 3)"


@pytest.mark.parametrize(
    ("check", "fns"),
    [
        ("first expand", ["expand"]),
        ("every expand", ["expand"]),
        ("2nd expand", []),
        ("1st expand", ["expand"]),
        ("2nd __alloc_pages", ["__alloc_pages"]),
        ("first buffered_rmqueue", ["rmqueue_pcplist"]),
        ("first __alloc_pages_nodemask", ["__alloc_pages"]),
        ("first verdict ok", ["zone_watermark_fast"]),
        ("last verdict ok", ["__alloc_pages"]),
        ("first expand from_order = 8", ["expand"]),
        ("first expand from_order > 8", []),
        ("first expand from_order > to_order", ["expand"]),
        ("first expand to_order >= from_order", []),
        ("first expand no_such = 3", []),
        ("first expand from_order = low", []),
        ("first zone_watermark_fast mark != min", ["zone_watermark_fast"]),
        ("first zone_watermark_fast mark < 3", []),
        ("first zone_watermark_fast suitable_block = 8", []),
        ("first zone DMA32", []),
        ("first __alloc_pages gfp = 0xcc1", ["__alloc_pages"]),
        ("first __rmqueue_smallest migratetype = Unmovable", ["__rmqueue_smallest"]),
        ("first order = 3 before expand", ["__alloc_pages"]),
        ("last order = 3 before expand", ["__rmqueue_smallest"]),
        ("first order = 3 after expand", ["rmqueue_bulk"]),
        ("first expand before rmqueue_bulk after __rmqueue_smallest", ["expand"]),
        ("first expand after rmqueue_bulk", []),
        ("first expand after __alloc_pages_slowpath", []),
        ("every zone DMA after __rmqueue_smallest before rmqueue_bulk", ["expand"]),
    ],
)
def test_which_step_is_meant(check: str, fns: list[str]) -> None:
    assert [fn for fn, _ in found(check, made(SPLIT, profile="x86_64-1g"))] == fns


def test_blanks_in_verdicts_and_answers_that_are_yes_or_no() -> None:
    listed = made("k = kmalloc(64, GFP_KERNEL)")
    assert found("first verdict new_slab", listed)[0][1] == "new slab"
    freed = made("p = alloc_pages(GFP_KERNEL, 8)", "__free_pages(p, 8)")
    assert {fn for fn, _ in found("every to_tail = no", freed)} == {"__free_one_page"}
    assert found("every to_tail = yes", freed) == []


def test_the_step_that_the_explanation_calls_deciding() -> None:
    check = steps.parse("deciding")
    assert check.places([], 7) == [7]
    assert check.places([]) == []

"""The zone map and `changed`, held against the slow way: each single frame's state, read off the tables."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.machine import boot, changes, frame_states
from app.machine.block_orders import NO_ORDER
from app.machine.frame_states import RESERVED, STATE_INDEX
from app.machine.machine import Machine
from app.machine.zonemap import census, states_of, zonemap
from app.mm import page_ref
from app.mm.mmzone import MAX_ORDER, PINDEX_ORDER, Zone
from app.mm.page import STATES, PG_locked
from tests.support.lab import Lab
from tests.support.random_calls import RandomCalls

MACHINES: tuple[dict[str, Any], ...] = (
    {"profile": "tiny-16m", "cpus": 2},
    {"profile": "tiny-16m", "lecture": True, "debug": False},
    {"profile": "tiny-32m", "debug": False, "cpus": 2},
    {"profile": "x86_64-1g", "memory": "256M"},
    {"profile": "x86_64-1g", "memory": "256M", "debug": False},
    {"profile": "x86_64-1g", "memory": "512M", "nodes": 2, "cpus": 2},
    {"profile": "i386-1g", "debug": False},
)


def slow_states(m: Machine, zones: Sequence[Zone]) -> bytearray:
    """The state of each frame; of zones that were not asked for only what is in use."""
    states = bytearray([RESERVED]) * m.model.spans[-1][1]

    def draw(pfn: int, order: int, state: str) -> None:
        states[pfn : pfn + (1 << order)] = bytes([STATE_INDEX[state]]) * (1 << order)

    for zone in zones:
        for order in range(11):
            for migratetype in range(5):
                for pfn in zone.free_list_pfns(order, migratetype):
                    draw(pfn, order, "free")
        for pcp in zone.pcp:
            for index, pages in enumerate(pcp.lists):
                for pfn in pages:
                    draw(pfn, PINDEX_ORDER[index], "pcp")
    for page in m.pages.values():
        draw(page.pfn, page.order, "locked" if page.flags & PG_locked else page.state)
    for pfn, stray in m.stray.items():
        if stray.flags & PG_locked:
            draw(pfn, 0, "locked")
    return states


def slow_cells(states: bytearray, start: int, shift: int, count: int) -> tuple[bytes, bytes]:
    """Dominant state and fill of each cell, frame by frame; behind the end everything is reserved."""
    size = 1 << shift
    shown, fill = bytearray(), bytearray()
    for cell in range(count):
        first = start + (cell << shift)
        frames = states[first : first + size]
        counts = [frames.count(state) for state in range(len(STATES))]
        counts[RESERVED] += size - len(frames)
        shown.append(max(range(len(STATES)), key=lambda state: (counts[state], state)))
        fill.append((size - counts[STATE_INDEX["free"]]) * 255 // size)
    return bytes(shown), bytes(fill)


def check(m: Machine, **asked: Any) -> None:
    drawn = zonemap(m, **asked)
    zone, node = asked.get("zone"), asked.get("node")
    zones = [z for z in m.zones if zone in (None, z.name) and node in (None, z.nid)]
    shown, fill = slow_cells(slow_states(m, zones), drawn["start"], drawn["shift"], len(drawn["cells"]))
    assert (drawn["cells"], drawn["fill"]) == (shown, fill), asked
    for cell, order in enumerate(drawn["orders"]):
        assert order == slow_order(m, zones, drawn, cell), (asked, cell)
    for each in zones:
        assert census(m, each.name, each.nid) == states_of(m).count(each.start_pfn, each.end_pfn)


def slow_order(m: Machine, zones: list[Zone], drawn: dict[str, Any], cell: int) -> int:
    """The order of the block around a cell, by looking it up as a page is."""
    shift = drawn["shift"]
    first = drawn["start"] + (cell << shift)
    zone = next((each for each in zones if each.spans_pfn(first)), None)
    if zone is None:
        # A cell that begins before its zone is looked at where the zone's own part of the cell is.
        return int(drawn["orders"][cell])
    if STATES[drawn["cells"][cell]] == "free":
        free = zone.free_block_at(first)
        order = free[1] if free is not None and not drawn["fill"][cell] else None
    else:
        page = page_ref.block_of(m, first)
        order = None if page is None or STATES[drawn["cells"][cell]] in ("pcp", "reserved") else page.order
    return NO_ORDER if order is None or order < min(shift, MAX_ORDER - 1) else order


@given(
    description=st.sampled_from(MACHINES),
    seed=st.integers(0, 1 << 20),
    looks=st.lists(
        st.tuples(
            st.integers(0, 60),  # how many calls before it
            st.integers(0, 10),
            st.integers(0, 1 << 18),
            st.sampled_from((None, *range(14), 20, 40)),
            st.sampled_from((1, 7, 64, 300, 1000)),
        ),
        min_size=1,
        max_size=6,
    ),
)
@settings(max_examples=25, deadline=None)
def test_every_window_shows_what_the_tables_say(
    description: dict[str, Any], seed: int, looks: list[tuple[int, int, int, int | None, int]]
) -> None:
    m = boot.boot(description)
    calls = RandomCalls(m, seed)
    for before, pick, place, shift, cells in looks:
        for _ in calls.outcomes(before):
            pass
        zone = ([None] * 2 + [*m.zones])[pick % (len(m.zones) + 2)]
        asked: dict[str, Any] = {"shift": shift, "cells": cells}
        if zone is not None:
            asked |= {"zone": zone.name, "node": zone.nid} if pick % 3 else {"node": zone.nid}
        end = max(z.end_pfn for z in m.zones if asked.get("node") in (None, z.nid))
        if zone is not None and "zone" in asked:
            end = zone.end_pfn
        asked["start"] = None if place % 3 == 0 else place % end
        check(m, **asked)


def test_a_map_is_put_together_once_and_then_follows() -> None:
    lab = Lab(profile="x86_64-1g")
    assert lab.m.frame_states is None
    lab("alloc_pages", gfp="GFP_KERNEL", order=0)
    assert lab.m.frame_states is None
    zonemap(lab.m)
    first = lab.m.frame_states
    pfn = lab("alloc_pages", gfp="GFP_KERNEL", order=2).page["pfn"]  # type: ignore[index]
    drawn = zonemap(lab.m, start=pfn, shift=0, cells=4)
    assert [STATES[state] for state in drawn["cells"]] == ["unmovable"] * 4
    assert lab.m.frame_states is first


def test_whoever_was_away_for_long_looks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_states, "MAX_NEWS", 100)
    lab = Lab(profile="tiny-16m")
    zonemap(lab.m)
    lab("alloc_pages", gfp="GFP_KERNEL", order=0, repeat=500)
    assert lab.m.frame_states is None
    check(lab.m)


def test_a_large_machine_costs_what_was_touched() -> None:
    m = boot.boot({"profile": "x86_64-1t"})
    for _ in RandomCalls(m, 1).outcomes(300):
        pass
    zonemap(m)
    assert m.frame_states is not None
    touched = sum(isinstance(strip, bytearray) for strip in m.frame_states.strips.values())
    assert touched < 200
    assert len(m.frame_states.strips) < 2_000


def test_a_lock_shows_over_whatever_it_is_on() -> None:
    lab = Lab(profile="tiny-16m", debug=False)
    plain = lab("alloc_pages", gfp="GFP_KERNEL", order=2).page["pfn"]  # type: ignore[index]
    zonemap(lab.m)
    reserved = next(pfn for pfn in range(*lab.m.model.spans[0]) if page_ref.is_reserved(lab.m, pfn))
    free = next(iter(lab.m.zones[0].buddy))
    for pfn in (plain + 1, reserved, free):
        assert lab("lock_page", pfn=pfn).changed == [[pfn, 1, "locked"]]
        assert zonemap(lab.m, start=pfn, shift=0, cells=1)["cells"] == bytes([STATE_INDEX["locked"]])
    check(lab.m, shift=0)
    unlocked = lab("unlock_page", pfn=plain + 1)
    assert unlocked.changed == [[plain + 1, 1, "unmovable"]]
    check(lab.m, shift=0)


# -- followers -------------------------------------------------------------------------------------


class Follower:
    """Somebody's own copy of the map, kept by what the calls' outcomes say alone."""

    def __init__(self, m: Machine) -> None:
        self.m = m
        self.read_again = 0
        self.read()

    def read(self) -> None:
        self.states = slow_states(self.m, self.m.zones)

    def hear(self, changed: list[list[Any]] | None) -> None:
        if changed is None:
            self.read_again += 1
            self.read()
            return
        assert len(changed) <= changes.MAX_RUNS
        assert changed == sorted(changed)
        for pfn, frames, state in changed:
            self.states[pfn : pfn + frames] = bytes([STATE_INDEX[state]]) * frames


def follow(description: dict[str, Any], seed: int, count: int, every: int = 20) -> None:
    m = boot.boot(description)
    follower = Follower(m)
    zonemap(m)
    if m.model.spans[-1][1] <= 8_192:
        every = 1
    for made, outcome in enumerate(RandomCalls(m, seed).outcomes(count)):
        follower.hear(outcome.changed)
        if made % every:
            continue
        fresh = slow_states(m, m.zones)
        if follower.states != fresh:
            wrong = [
                (hex(pfn), STATES[ours], STATES[theirs])
                for pfn, (ours, theirs) in enumerate(zip(follower.states, fresh, strict=True))
                if ours != theirs
            ]
            raise AssertionError((outcome.as_json(m.model), wrong[:10]))
    fresh = slow_states(m, m.zones)
    assert follower.states == fresh
    assert follower.read_again < count // 20
    check(m, shift=0, cells=65_536)
    check(m)
    if len(fresh) <= 8_192:
        for pfn in filter(m.model.pfn_valid, range(len(fresh))):
            alone = "locked" if page_ref.page_flags(m, pfn) & PG_locked else page_ref.state_of(m, pfn)
            assert STATES[fresh[pfn]] in (alone, "locked")


@pytest.mark.parametrize("description", MACHINES, ids=str)
def test_whoever_follows_what_changed_has_the_map(description: dict[str, Any]) -> None:
    follow(description, 1, 600)


# Locks that mistakes have left: on a frame that a slab gets, and within a block that falls to pieces.
LEFT_LOCKED = (
    ({"profile": "i386-1g", "debug": False}, 5),
    ({"profile": "tiny-32m", "debug": False, "cpus": 2}, 5),
)


@pytest.mark.slow
@pytest.mark.parametrize(("description", "seed"), LEFT_LOCKED, ids=["a slab", "pieces"])
def test_a_lock_that_was_left_shows_on_whatever_a_frame_becomes(
    description: dict[str, Any], seed: int
) -> None:
    follow(description, seed, 5_000)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(2, 8))
@pytest.mark.parametrize("description", MACHINES, ids=str)
def test_whoever_follows_for_long_has_the_map(description: dict[str, Any], seed: int) -> None:
    follow(description, seed, 5_000)

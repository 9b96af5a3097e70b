"""A machine's state as it is kept: the dump in another form, and as much the machine."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import BadArgument
from app.machine import boot, invariants
from app.machine.machine import Machine
from app.sessions import snapshots
from tests.machine.test_frame_states import MACHINES
from tests.support.lab import Lab
from tests.support.random_calls import RandomCalls


def after(description: dict[str, Any], seed: int, calls: int) -> Machine:
    m = boot.boot(description)
    for _ in RandomCalls(m, seed).outcomes(calls):
        pass
    return m


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


@given(description=st.sampled_from(MACHINES), seed=st.integers(0, 1 << 20), calls=st.integers(0, 200))
@settings(max_examples=25, deadline=None)
def test_the_state_gives_the_same_machine(description: dict[str, Any], seed: int, calls: int) -> None:
    m = after(description, seed, calls)
    again = boot.restore(through_json(m.state()))
    assert again.dump() == m.dump()
    assert again.state() == m.state()
    assert invariants.verify(again) == []
    assert boot.load(through_json(m.dump())).dump() == m.dump()


def test_it_goes_on_alike() -> None:
    m = after({"profile": "tiny-32m", "cpus": 2}, 3, 300)
    again = boot.restore(through_json(m.state()))
    answers = [
        [outcome.as_json(one.model) for outcome in RandomCalls(one, 9).outcomes(200)] for one in (m, again)
    ]
    assert answers[0] == answers[1]
    assert m.dump() == again.dump()


def test_equal_machines_are_kept_as_equal_bytes() -> None:
    description = {"profile": "x86_64-1g"}
    m = after(description, 5, 200)
    kept = snapshots.encode(m.state())
    assert json.dumps(snapshots.decode(kept).dump()) == json.dumps(m.dump())
    assert snapshots.encode(after(description, 5, 200).state()) == kept
    assert snapshots.encode(snapshots.decode(kept).state()) == kept
    one_more = after(description, 5, 200)
    RandomCalls(one_more, 6).call("alloc_pages", {"gfp": "GFP_KERNEL", "order": 0})
    assert snapshots.encode(one_more.state()).sha256 != kept.sha256


def test_a_state_kept_as_a_dump_can_still_be_read() -> None:
    m = after({"profile": "tiny-16m"}, 5, 200)
    assert snapshots.decode(snapshots.encode(m.dump())).dump() == m.dump()


def test_a_state_is_no_dump() -> None:
    """Whoever sends one could make it say anything: only what was kept here is trusted."""
    with pytest.raises(BadArgument, match="pages"):
        boot.load(through_json(Lab().m.state()))


# -- dumps, whose long tables are checked by the column ---------------------------------------------


def dumped() -> dict[str, Any]:
    lab = Lab(profile="tiny-16m")
    for order in (0, 1, 2, 3):
        lab("alloc_pages", gfp="GFP_KERNEL", order=order)
    document: dict[str, Any] = through_json(lab.m.dump())
    return document


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (0, 1 << 33),
        (0, 1 << 31),
        (0, None),
        (0, True),
        (1, 11),
        (2, 1 << 31),
        (3, -1),
        (4, 1 << 32),
        (5, "busy"),
        (5, []),
        (6, "two words"),
        (6, "x" * 33),
        (7, -1),
        (8, 1.5),
    ],
)
def test_the_place_of_a_wrong_value_is_named(column: int, value: Any) -> None:
    document = dumped()
    document["pages"][2][column] = value
    with pytest.raises(BadArgument) as refused:
        boot.load(document)
    assert refused.value.faults[0].loc == ("dump", "pages", 2, column)


@pytest.mark.parametrize("line", [None, [], [1, 2], {"pfn": 1}, "line"])
def test_a_line_of_another_shape_is_named(line: Any) -> None:
    document = dumped()
    document["pages"][1] = line
    with pytest.raises(BadArgument) as refused:
        boot.load(document)
    assert refused.value.faults[0].loc[:3] == ("dump", "pages", 1)


def test_a_table_in_another_order_or_notation_is_the_same() -> None:
    document = dumped()
    usual = boot.load(document).dump()
    turned = through_json(document)
    turned["pages"].reverse()
    assert boot.load(turned).dump() == usual
    for line in document["pages"]:
        line[0] = f"{line[0]:#x}"
    assert boot.load(document).dump() == usual


def test_a_block_on_two_free_lists_is_refused() -> None:
    document = dumped()
    lists = next(zone["free_list"] for zone in document["zones"] if zone["free_list"])
    key = next(key for key in lists if len(lists[key]) and key.startswith("10"))
    lists[key].append(lists[key][0])
    with pytest.raises(BadArgument, match="once"):
        boot.load(document)


def test_the_work_of_a_call_is_counted_by_what_it_touches() -> None:
    lab = Lab(profile="x86_64-1g")
    one = lab("alloc_page", gfp="GFP_KERNEL")
    many = lab("alloc_page", gfp="GFP_KERNEL", repeat=1000)
    objects = lab("kmalloc", size=64, flags="GFP_KERNEL", repeat=1000)
    reported = lab("__free_pages", pfn=5000, order=1)
    assert 8 < one.work < 200
    assert 3_000 < many.work < 6_000
    assert 2_000 < objects.work < 3_000
    assert reported.work == 8 + len(reported.mentions) + 25 * len(reported.log)
    again = Lab(profile="x86_64-1g")
    assert again("alloc_page", gfp="GFP_KERNEL").work == one.work

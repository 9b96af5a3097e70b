"""A machine without a session does with a line what a session does."""

import pytest

from app.demos.demo import Step
from app.demos.playing import items
from app.exercises import facts
from app.exercises.playground import Playground, Refused
from app.exercises.starting import BadMachine, Starts
from app.sessions import LOCAL, Sessions

MACHINE = {"profile": "tiny-16m", "lecture": True}
LINES = (
    "p = alloc_pages(GFP_KERNEL, 3)",
    "alice: lock_page(p+1)",
    "bob@0: wait_on_page_locked(p+1)",
    "f = alloc_page(GFP_NOWAIT) * 40",
    "__free_pages(f[::2], 0)",
    "q = kmalloc(100, GFP_KERNEL)",
    "c = kmem_cache_create(inodes, 600)",
    "o = kmem_cache_alloc(c, GFP_KERNEL)",
    "kmem_cache_free(inodes, o)",
    "v = vmalloc(64K)",
    "n = alloc_pages(GFP_NOWAIT, 10)",
    "kfree(q)",
    "vfree(v)",
    "/hardirq: w = vmalloc(4K)",
    "alice: unlock_page(p+1)",
)


async def test_lines_come_to_the_same_as_in_a_session(sessions: Sessions) -> None:
    place = Playground.boot(MACHINE)
    rows = place.make(LINES)
    session = (await sessions.create(LOCAL, None, MACHINE)).id
    step = Step("", 1, "", "", "", "", LINES, "", {}, ())
    applied = [one.outcome for one in await sessions.batch(LOCAL, session, items(step))]
    same = ("seq", "call", "ret", "verdict", "changed", "log", "woken", "page", "area", "object")
    for row, outcome in zip(rows, applied, strict=True):
        mine = {"seq": row.seq, **row.outcome}
        assert {key: mine.get(key) for key in same} == {key: outcome.get(key) for key in same}
    assert place.machine.dump() == await sessions.read(LOCAL, session, lambda machine: machine.dump())


def test_a_copy_goes_its_own_way() -> None:
    place = Playground.boot(MACHINE)
    place.make(LINES[:6])
    before = place.machine.dump()
    one, other = place.copy(), place.copy()
    one.make(["kfree(q)", "r = alloc_pages(GFP_KERNEL, 2)", "__free_pages(f[1::2], 0)"])
    assert place.machine.dump() == other.machine.dump() == before
    assert "r" not in other.names
    assert other.make(["kfree(q)"])[0].seq == place.seq + 1
    assert one.machine.dump() != before


def test_a_line_without_a_call_makes_nothing() -> None:
    place = Playground.boot(MACHINE)
    assert place.make(["", "# only a remark"]) == []
    assert place.seq == 0


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("alloc_page(GFP_KERNEL", "line 2, 'alloc_page(GFP_KERNEL': the closing parenthesis is missing"),
        ("kfree(nothing)", "line 2, 'kfree(nothing)': "),
        ("bob: kfree(NULL)", "line 2, 'bob: kfree(NULL)': bob has been asleep since #3"),
    ],
)
def test_what_is_refused_is_said_with_its_line(line: str, why: str) -> None:
    place = Playground.boot(MACHINE)
    place.make(LINES[:3])
    with pytest.raises(Refused) as refused:
        place.make(["kfree(NULL)", line])
    assert str(refused.value).startswith(why)


# -- beginnings -------------------------------------------------------------------------------------------


def test_everybody_gets_a_machine_of_ones_own() -> None:
    starts = Starts()
    one, *others = (starts.at(MACHINE, LINES[:2]) for _ in range(4))
    at_first = one.machine.dump()
    one.make(["alloc_page(GFP_KERNEL)"])
    for other in others:
        assert other.seq == 2
        assert other.machine.dump() == at_first
        other.make(["alloc_page(GFP_KERNEL)"])
        assert other.machine.dump() == one.machine.dump()


def test_a_long_beginning_is_kept_once_it_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.exercises.starting.FEW_CALLS", 1)
    starts = Starts()
    assert starts.at(MACHINE, LINES[:2]).state is None
    kept = starts.at(MACHINE, LINES[:2]).state
    assert kept is not None
    assert starts.at(MACHINE, LINES[:2]).state is kept
    assert starts.at(MACHINE, LINES[:1]).state is None


def test_only_so_many_beginnings_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.exercises.starting.FEW_CALLS", -1)
    monkeypatch.setattr("app.exercises.starting.MOST_KEPT", 2)
    starts = Starts()
    for lines in (LINES[:0], LINES[:1], LINES[:2]) * 2:
        starts.at(MACHINE, lines)
    one, two = (starts.at(MACHINE, lines).state for lines in (LINES[:1], LINES[:2]))
    starts.at(MACHINE)
    assert starts.at(MACHINE, LINES[:2]).state is two
    assert starts.at(MACHINE, LINES[:1]).state is not one


def test_a_beginning_with_many_blocks_pushes_others_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.exercises.starting.FEW_CALLS", -1)
    monkeypatch.setattr("app.exercises.starting.BLOCKS_KEPT", 30)
    starts = Starts()
    for lines in (LINES[:0], LINES[3:4]) * 2:
        starts.at(MACHINE, lines)
    large = starts.at(MACHINE, LINES[3:4]).state
    assert starts.at(MACHINE, LINES[3:4]).state is large
    starts.at(MACHINE)
    assert starts.at(MACHINE, LINES[3:4]).state is not large


def test_the_machine_that_was_booted_for_its_facts_is_handed_out_once() -> None:
    starts = Starts()
    known = starts.facts(MACHINE)
    one, other = starts.at(MACHINE), starts.at(MACHINE)
    assert known == {name: facts.of(one.machine)(name) for name in facts.names(one.machine)}
    assert one.machine is not other.machine
    assert starts.facts(MACHINE) is known


def test_a_machine_that_cannot_be_is_told() -> None:
    with pytest.raises(BadMachine, match="profile"):
        Starts().at({"profile": "none"})

"""A machine without a session does with a line what a session does."""

import pytest

from app.demos.demo import Step
from app.demos.playing import items
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


def test_a_beginning_is_made_once_and_handed_out_as_copies() -> None:
    starts = Starts()
    one = starts.at(MACHINE, LINES[:2])
    one.make(["alloc_page(GFP_KERNEL)"])
    other = starts.at(MACHINE, LINES[:2])
    assert other.seq == 2
    assert other.machine.dump() != one.machine.dump()
    assert starts.look(MACHINE, LINES[:2]) is starts.look(MACHINE, LINES[:2])


def test_only_so_many_beginnings_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.exercises.starting.MOST_KEPT", 2)
    starts = Starts()
    first = starts.look(MACHINE)
    starts.look(MACHINE, LINES[:1])
    starts.look(MACHINE, LINES[:2])
    assert starts.look(MACHINE) is not first


def test_a_beginning_with_many_blocks_pushes_others_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.exercises.starting.BLOCKS_KEPT", 30)
    starts = Starts()
    first = starts.look(MACHINE)
    large = starts.look(MACHINE, LINES[3:4])
    assert starts.look(MACHINE, LINES[3:4]) is large
    assert starts.look(MACHINE) is not first


def test_a_machine_that_cannot_be_is_told() -> None:
    with pytest.raises(BadMachine, match="profile"):
        Starts().at({"profile": "none"})

"""A whole goal: points, alternatives, whose rows, what was undone, and what bounds it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.exercises import checks
from app.exercises.checks import BadCheck
from app.exercises.exercise import Check
from app.exercises.playground import Playground
from app.exercises.rows import MadeRow, effective
from app.machine.calls import BlockList
from tests.exercises.checking.goals import FRAGMENTED, LEAK, TINY, as_checks, evaluated, row

X09 = {"profile": "x86_64-8g", "lecture": True}
DMA32_ONLY = (
    Check("live frames in DMA32 >= 64", points=3),
    Check("live frames in DMA = 0"),
    Check("live frames in Normal = 0"),
    Check("no verdict warn"),
)


def found(lines: tuple[str, ...]) -> list[bool]:
    """Which checks of X09 hold."""
    return [result.holds for result in evaluated(lines, DMA32_ONLY, machine=X09).results]


def test_from_dma32_only() -> None:
    """X09: the solution, and the three ways that do not lead there."""
    assert found(("f = alloc_page(GFP_KERNEL|__GFP_DMA32) * 64",)) == [True, True, True, True]
    assert found(("f = alloc_page(GFP_KERNEL|__GFP_DMA32) * 63",)) == [False, True, True, True]
    assert found(("k = kmalloc(256K, GFP_DMA32)",)) == [False, True, False, False]
    assert found(("f = alloc_page(GFP_KERNEL|GFP_DMA) * 64",)) == [False, False, True, True]
    assert found(("v = vmalloc(256K)",)) == [False, True, False, True]
    lines = ("f = alloc_page(GFP_KERNEL|__GFP_DMA32) * 64", "__free_pages(f[::2], 0)")
    assert found(lines) == [False, True, True, True]


def test_half_free_and_still_null() -> None:
    """X12 as its file has it."""
    goal = (
        Check("some alloc_pages order 1 gfp GFP_NOWAIT null while free DMA >= 45%", points=3),
        Check("no verdict bug"),
        Check("rows <= 3", bonus=True, points=2),
    )
    made = evaluated((*FRAGMENTED, "alloc_pages(GFP_NOWAIT, 1)"), goal)
    assert (made.reached, made.points, made.bonus, made.most, made.rows) == (True, 4, 2, 4, 3)
    longer = evaluated((*FRAGMENTED, "alloc_pages(GFP_NOWAIT, 2)", "alloc_pages(GFP_NOWAIT, 1)"), goal)
    assert (longer.reached, longer.points, longer.bonus, longer.rows) == (True, 4, 0, 4)
    in_one_piece = ("f = alloc_page(GFP_ATOMIC|__GFP_MEMALLOC) until NULL", "__free_pages(f[:1536], 0)")
    merged = evaluated((*in_one_piece, "alloc_pages(GFP_NOWAIT, 1)"), goal)
    assert (merged.reached, merged.points, merged.bonus) == (False, 1, 0)
    at_the_mark = evaluated(("f = alloc_page(GFP_NOWAIT) until NULL", "alloc_pages(GFP_NOWAIT, 1)"), goal)
    assert (at_the_mark.reached, at_the_mark.points) == (False, 1)
    forbidden = evaluated(("sysctl(min_free_kbytes, 12288)", "alloc_pages(GFP_NOWAIT, 1)"), goal)
    assert forbidden.reached  # which is why a goal names what may be called


def test_what_the_student_reads() -> None:
    results = evaluated(("alloc_page(GFP_KERNEL)",), ["rows = 1", "rows = 2", "free DMA = 3"]).results
    assert [result.otherwise for result in results] == ["", "not rows = 2", "not free DMA = 3"]
    assert [result.found for result in results] == ["", "it is 1", "it is 3,071"]


def test_one_of_several_is_enough() -> None:
    either = Check("", any=("rows = 1", "rows = 2"), points=2, otherwise="neither")
    for rows, holds in ((0, False), (1, True), (2, True), (3, False)):
        (result,) = evaluated(("alloc_page(GFP_KERNEL)",) * rows, [either]).results
        assert result.holds is holds
        assert result.otherwise == ("" if holds else "neither")
    assert result.found == "it is 3; it is 3"


def test_a_goal_is_not_reached_without_rows() -> None:
    made = evaluated((), ["some alloc_page", "leak none"])
    assert [result.holds for result in made.results] == [False, True]
    assert (made.rows, made.points) == (0, 1)


def test_a_line_that_is_no_check_is_raised() -> None:
    with pytest.raises(BadCheck):
        evaluated((), ["rows = many"])


# -- undo and rewind -----------------------------------------------------------------------------------------


def seqs(*rows: MadeRow) -> tuple[list[int], list[int], int | None]:
    """Those kept, those undone, and the row that went too far."""
    history = effective(rows)
    outside = None if history.outside is None else history.outside.seq
    return [one.seq for one in history.kept], [one.seq for one in history.undone], outside


def test_the_effective_history() -> None:
    a, b, c = row(5, "alloc_page"), row(6, "alloc_page"), row(7, "alloc_page")
    assert seqs() == ([], [], None)
    assert seqs(a, b, c) == ([5, 6, 7], [], None)
    assert seqs(a, b, row(7, "undo", to=5)) == ([5], [6], None)
    assert seqs(a, b, row(7, "undo", to=5), row(8, "kfree")) == ([5, 8], [6], None)
    assert seqs(a, b, row(7, "rewind", to=4)) == ([], [5, 6], None)
    assert seqs(a, row(6, "undo", to=4), row(7, "rewind", to=5)) == ([5], [], None)
    # To the state after a rewind.
    assert seqs(a, b, row(7, "undo", to=5), row(8, "kfree"), row(9, "rewind", to=7)) == ([5], [6, 8], None)
    assert seqs(a, row(6, "undo", to=4), row(7, "kfree"), row(8, "rewind", to=6)) == ([], [5, 7], None)
    # Before the task began, and back again.
    assert seqs(a, row(6, "rewind", to=3)) == ([], [5], 6)
    assert seqs(a, row(6, "rewind", to=3), row(7, "kfree")) == ([7], [5], 6)
    assert seqs(a, row(6, "rewind", to=3), row(7, "kfree"), row(8, "rewind", to=5)) == ([5], [7], None)


def test_rows_that_were_undone_do_not_count_but_are_counted() -> None:
    place = Playground.boot(TINY)
    start = place.copy().machine
    (first,) = place.make(["p = alloc_pages(GFP_KERNEL, 3)"])
    before = place.copy()
    (second,) = place.make(["alice/softirq: kmalloc(64, GFP_KERNEL)"])
    undo = row(3, "undo", to=1)
    before.seq = 3
    (fourth,) = before.make(["get_page(p)"])
    goal = ["no bug", "undone = 1", "rows = 2", "live frames = 8", "extra refs = 1", "rows = 3"]
    made = checks.evaluate(as_checks(goal), start, [first, second, undo, fourth])
    assert [result.holds for result in made.results] == [True, True, True, True, True, False]
    assert made.differs is None
    assert start.state() == before.machine.state()


def test_who_goes_back_before_the_task_cannot_be_checked() -> None:
    place = Playground.boot(TINY)
    start = place.copy().machine
    rows = [*place.make(["alloc_page(GFP_KERNEL)"] * 2), row(3, "rewind", to=-1), row(4, "kfree")]
    made = checks.evaluate(as_checks(["rows = 1", "leak none"]), start, rows)
    assert not made.reached
    assert (made.points, made.most) == (0, 2)
    assert made.refused == "row 3 has gone back to before the task began: undo that, or begin the task again"
    assert [result.otherwise for result in made.results] == [made.refused] * 2


# -- whose rows ---------------------------------------------------------------------------------------------


def by(rows: list[MadeRow], *names: str) -> list[MadeRow]:
    """The same rows, made by others."""
    return [MadeRow(r.seq, r.name, r.body, r.outcome, name) for r, name in zip(rows, names, strict=True)]


def test_only_the_members_own_rows_are_the_set() -> None:
    place = Playground.boot(TINY)
    machines = [place.copy().machine for _ in range(4)]
    lines = (
        "p = alloc_page(GFP_KERNEL)",
        "get_page(p)",
        "q = alloc_pages(GFP_KERNEL, 1)",
        "alloc_page(GFP_NOWAIT)",
    )
    rows = by(place.make(lines), "m1", "m2", "m2", "m1")
    rows.append(MadeRow(5, "undo", {"to": 3}, {}, "m1"))
    goal = [
        *("rows = 1", "undone = 1", "live frames = 1", "live blocks = 1", "never get_page"),
        *("some alloc_page while rows = 0", "extra refs = 1", "free DMA -3", "blocks = 1"),
    ]
    mine, theirs, all_of_them, nobodys = (
        checks.evaluate(as_checks(goal), machine, rows, by=who)
        for machine, who in zip(machines, ("m1", "m2", None, "m3"), strict=True)
    )
    assert [result.found for result in mine.results] == [""] * 9
    assert [result.holds for result in theirs.results] == [
        *(False, False, False, True, False),
        *(False, True, True, True),
    ]
    assert (mine.rows, theirs.rows, all_of_them.rows, nobodys.rows) == (1, 2, 3, 0)
    assert machines[0].state() == machines[2].state()


# -- made again ----------------------------------------------------------------------------------------------


def test_the_machine_is_as_after_the_last_row() -> None:
    place = Playground.boot(TINY)
    start = place.copy().machine
    rows = place.make(LEAK)
    made = checks.evaluate(as_checks(["leak none"]), start, rows)
    assert made.differs is None
    assert start.state() == place.machine.state()


def test_lists_by_the_rows_that_returned_them() -> None:
    """As the journal of a session has them, also those from before the task."""
    place = Playground.boot(TINY)
    place.make(["f = alloc_page(GFP_KERNEL) * 4"])
    start = place.copy().machine
    made, *freed = place.make(
        ["g = alloc_page(GFP_KERNEL) * 6", "__free_pages(g[::2], 0)", "__free_pages(f, 0)"]
    )
    bodies = (
        {"page": {"seq": 2}, "start": 0, "step": 2, "count": 3, "order": 0},
        {"page": {"seq": 1}, "start": 0, "step": 1, "count": 4, "order": 0},
    )
    rows = [MadeRow(r.seq, r.name, body, r.outcome) for r, body in zip(freed, bodies, strict=True)]
    earlier = {1: BlockList("pages", 0, 1, ((1024, 4),))}
    result = checks.evaluate(as_checks(["live frames = 3"]), start, [made, *rows], lists=earlier.get)
    assert result.reached
    assert result.differs is None
    assert start.state() == place.machine.state()


def test_a_row_that_ends_otherwise_now_is_told() -> None:
    place = Playground.boot(TINY)
    start = place.copy().machine
    rows = place.make(["p = alloc_page(GFP_KERNEL)", "get_page(p)", "put_page(p)"])
    rows[1] = MadeRow(2, "get_page", rows[1].body, {**rows[1].outcome, "verdict": "bug"})
    made = checks.evaluate(as_checks(["rows = 3"]), start, rows)
    assert made.reached
    assert made.differs == 2


def test_a_row_that_cannot_be_made_again_fails_all() -> None:
    start = Playground.boot(TINY).machine
    made = checks.evaluate(as_checks(["rows = 1"]), start, [row(1, "get_page", pfn=1 << 40)])
    assert made.refused.startswith("a row cannot be made again: pfn: page frame")
    assert not made.reached


# -- bounds --------------------------------------------------------------------------------------------------


def test_more_than_20_000_rows_are_not_checked() -> None:
    start = Playground.boot(TINY).machine
    rows = [row(seq, "drain_all_pages") for seq in range(1, 20_002)]
    made = checks.evaluate(as_checks(["rows > 1"]), start, rows)
    assert made.refused == "more than 20,000 rows are not checked"
    undone = [*rows, row(20_002, "rewind", to=5)]
    assert checks.evaluate(as_checks(["rows = 5"]), start, undone).reached


class Stopped(Exception):  # noqa: N818 - as the others are named
    """Somebody has given the evaluation up."""


@pytest.mark.parametrize(
    ("lines", "calls"), [(("alloc_page(GFP_KERNEL)",) * 30, 30), (("alloc_page(GFP_KERNEL) * 2900",), 40)]
)
def test_it_can_be_given_up_between_rows_and_within_a_loop(lines: tuple[str, ...], calls: int) -> None:
    place = Playground.boot(TINY)
    start, other = place.copy().machine, place.copy().machine
    rows = place.make(lines)
    seen: list[int] = []
    made = checks.evaluate(as_checks(["rows > 0"]), start, rows, go_on=lambda: seen.append(1))
    assert made.reached
    assert len(seen) >= calls
    turns = stop_after(20)
    with pytest.raises(Stopped):
        checks.evaluate(as_checks(["rows > 0"]), other, rows, go_on=lambda: next(turns))


def stop_after(calls: int) -> Iterator[None]:
    """Raises at the next."""
    for _ in range(calls):
        yield None
    raise Stopped

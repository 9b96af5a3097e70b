"""Lists of blocks as runs: what is chosen by arithmetic is what would be chosen one by one."""

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from app.machine import runs

RUNS = st.lists(
    st.tuples(st.integers(0, 500), st.integers(1, 30), st.integers(1, 9)), min_size=0, max_size=12
)


def one_by_one(given_: list[runs.Run]) -> list[int]:
    return [first + place * distance for first, blocks, distance in given_ for place in range(blocks)]


@given(RUNS, st.integers(0, 80), st.integers(1, 9), st.none() | st.integers(0, 60))
def test_what_is_selected_is_what_a_slice_would_give(
    given_: list[runs.Run], start: int, step: int, count: int | None
) -> None:
    picked = runs.select(given_, start, step, count)
    expected = list(islice(one_by_one(given_), start, None, step))[:count]
    assert list(runs.each(picked)) == expected
    assert runs.length(picked) == len(expected) == runs.chosen(runs.length(given_), start, step, count)
    assert len(picked) <= max(1, len(given_))


@given(RUNS)
def test_a_list_of_neighbours_is_one_run(given_: list[runs.Run]) -> None:
    picked = runs.select([(first, 1, 1) for first in range(7, 107)])
    assert picked == ((7, 100, 1),)
    again = runs.select(given_)
    assert runs.select(again) == again


@given(
    st.tuples(st.integers(0, 90), st.integers(1, 40), st.integers(1, 9)),
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 60)), max_size=3),
)
def test_the_first_value_outside_all_spans(run: runs.Run, gaps: list[tuple[int, int]]) -> None:
    spans, end = [], 0
    for gap, length in gaps:
        spans.append((end + gap, end + gap + length))
        end += gap + length
    outside = [value for value in runs.each([run]) if not any(a <= value < b for a, b in spans)]
    assert runs.first_outside(run, spans) == (outside[0] if outside else None)


def test_a_hundred_thousand_blocks_cost_no_more_than_ten() -> None:
    # Walked one by one, this would not end.
    huge = [(16, 1 << 60, 1)]
    assert runs.select(huge, start=1 << 50, step=1 << 40, count=3) == ((16 + (1 << 50), 3, 1 << 40),)
    assert runs.first_outside((0, 1 << 60, 1), [(0, 1 << 61)]) is None

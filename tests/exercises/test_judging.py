"""What an answer is worth, over attempts, with hints, late or not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.exercises import judging
from app.exercises.judging import Tried, score, value, worth

ATTEMPTS = (100, 60, 30)
TRIES = st.lists(
    st.builds(Tried, st.integers(0, 1000), st.integers(0, 100), st.sampled_from((100, 50, 0))), max_size=6
)


@pytest.mark.parametrize(
    ("tries", "count", "expected"),
    [
        ([], "best", 0),
        ([Tried(1000)], "best", 4000),
        ([Tried(0), Tried(1000)], "best", 2400),
        ([Tried(0), Tried(0), Tried(1000)], "best", 1200),
        ([Tried(0), Tried(0), Tried(0), Tried(1000)], "best", 0),
        ([Tried(500), Tried(700)], "best", 2000),
        ([Tried(1000, hints=20)], "best", 3200),
        ([Tried(500, hints=60)], "best", 0),
        ([Tried(1000), Tried(1000, hints=100)], "best", 4000),
        ([Tried(1000, late=50)], "best", 2000),
        ([Tried(1000, hints=20, late=50)], "best", 1600),
        ([Tried(0), Tried(1000)], "first", 0),
        ([Tried(1000), Tried(0)], "first", 4000),
        ([Tried(1000), Tried(500)], "last", 1200),
    ],
)
def test_what_tries_are_worth(tries: list[Tried], count: str, expected: int) -> None:
    assert score(4000, ATTEMPTS, tries, count) == expected


def test_without_a_list_each_attempt_is_worth_all() -> None:
    assert [value((), number) for number in (1, 2, 99)] == [100, 100, 100]


@given(tries=TRIES, later=TRIES, most=st.integers(1, 100_000))
def test_a_later_try_never_lowers_a_score(tries: list[Tried], later: list[Tried], most: int) -> None:
    for count in ("best", "first"):
        before, after = (score(most, ATTEMPTS, each, count) for each in (tries, [*tries, *later]))
        if tries:
            assert 0 <= before <= after <= most


@given(points=st.integers(1, 1000), weights=st.lists(st.integers(1, 100), min_size=1, max_size=12))
def test_tasks_together_are_worth_the_points_exactly(points: int, weights: list[int]) -> None:
    parts = [worth(points, weights, number) for number in range(1, len(weights) + 1)]
    assert sum(parts) == 1000 * points
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - 1000 * points * weight / sum(weights)) <= 1


def test_a_try_says_what_it_is_worth() -> None:
    assert judging.earned(4000, ATTEMPTS, 2, Tried(500, hints=10, late=50)) == 400

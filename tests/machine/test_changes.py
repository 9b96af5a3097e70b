"""The runs of what a call changed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.machine import changes
from app.machine.changes import MAX_RUNS, Mention
from app.mm.page import STATES
from tests.support.lab import Lab

mentions = st.lists(
    st.tuples(st.integers(0, 5_000), st.integers(1, 2_500), st.sampled_from(STATES[:4])), max_size=40
)


def slow_runs(said: list[Mention]) -> list[list[object]]:
    """Frame by frame: the last mention counts."""
    states = {frame: state for pfn, frames, state in said for frame in range(pfn, pfn + frames)}
    runs: list[list[object]] = []
    before = (-2, "")
    for frame, state in sorted(states.items()):
        if before == (frame - 1, state):
            runs[-1][1] += 1  # type: ignore[operator]
        else:
            runs.append([frame, 1, state])
        before = (frame, state)
    return runs


@settings(deadline=None)
@given(mentions)
def test_few_and_many_mentions_say_the_same(said: list[Mention]) -> None:
    expected = slow_runs(said)
    with pytest.MonkeyPatch.context() as patch:
        for many in (0, 1_000):
            patch.setattr(changes, "MANY", many)
            if len(said) != 1:
                assert changes.runs(said) == expected


@pytest.mark.parametrize("many", [0, 10_000])
def test_more_runs_than_are_told(monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    monkeypatch.setattr(changes, "MANY", many)
    said: list[Mention] = [(2 * place, 1, "free") for place in range(MAX_RUNS)]
    assert changes.runs(said) == [list(mention) for mention in said]
    assert changes.runs([*said, (2 * MAX_RUNS, 1, "free")]) is None


def test_a_large_area_is_a_few_runs() -> None:
    """More than 30 MiB are tens of thousands of mentions, and yet lie in a few stretches."""
    lab = Lab(profile="x86_64-1g")
    outcome = lab("vmalloc", size=100 << 20)
    assert len(outcome.mentions) > 50_000
    assert outcome.changed is not None
    assert sum(frames for _, frames, state in outcome.changed if state == "vmalloc") >= 100 << 20 >> 12
    freed = lab("vfree", addr=outcome.ret)
    assert freed.changed is not None

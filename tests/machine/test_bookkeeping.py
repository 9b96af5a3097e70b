"""What a machine keeps beside its state from call to call, so that most calls need not look at it."""

from typing import Any

import pytest

from app.machine import boot, parsing
from app.mm.kernel import Current
from tests.support.random_calls import RandomCalls

FEW_COME_TO = (
    "alloc_warned", "background", "bad_pages", "killed", "memalloc", "mistakes", "panicked", "printed",
    "reclaims", "woken",
)  # fmt: skip


@pytest.mark.parametrize(
    ("profile", "most"),
    [
        (
            {"profile": "tiny-16m", "cpus": 2, "reclaim": False},
            {"mistakes", "printed", "panicked", "bad_pages"},
        ),
        ({"profile": "tiny-16m", "debug": False, "swap": 1_000}, {"mistakes", "background", "reclaims"}),
    ],
    ids=["without reclaim", "with swap"],
)
def test_free_frames_and_what_few_calls_come_to_are_noted_after_any_call(
    profile: dict[str, Any], most: set[str]
) -> None:
    m = boot.boot(profile)
    untouched = Current()
    seen: set[str] = set()
    for made in RandomCalls(m, 11).outcomes(2_000):
        assert m.after_calls[-1].free == [zone.nr_free_pages for zone in m.zones], made.call
        found = {name for name in FEW_COME_TO if getattr(m.current, name) != getattr(untouched, name)}
        assert m.current.eventful or not found, (found, made.call)
        seen |= found
    assert most <= seen


def test_which_kswapd_ran_stands_beside_the_free_frames_of_the_same_call() -> None:
    m = boot.boot({"profile": "tiny-16m", "reclaim": True, "swap": 1_000})
    m.apply(parsing.parse("execve", {"task": "hog"}, m.model), 1)
    ran = []
    for seq in range(2, 30):
        made = m.apply(parsing.parse("alloc_page", {"gfp": "GFP_KERNEL", "repeat": 100}, m.model), seq)
        document = {} if made.reclaimed is None else made.reclaimed.document
        threads = [entry["task"] for entry in document.get("background", ()) if "reclaim" in entry]
        assert list(m.after_calls[-1].ran) == threads
        ran += threads
        assert len(m.after_calls) == seq
    assert "kswapd0" in ran

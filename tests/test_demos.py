"""The guided demos: each is played through the sessions' door, and does what its prose says."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app import paths
from app.demos import Demo, Library, read
from app.demos.expect import counters, unmet
from app.mm import calltext
from app.sessions import LOCAL, BatchItem, Sessions
from tests.factories import serving, settings_for

FILES = sorted(paths.DEMOS.glob("*.toml"))
DEMOS = Library().demos()
TITLES = [
    "Split and merge",
    "The per-CPU list hides it",
    "The first steal",
    "Where: zone modifiers",
    "Fallback and lowmem_reserve",
    "Who fails first",
    "kmalloc size classes",
    "Fragmentation, and vmalloc wins",
    "References",
    "The lock's queue",
]


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    async with serving(settings_for(tmp_path)) as sessions:
        yield sessions


def items(lines: tuple[str, ...]) -> list[BatchItem]:
    read = [calltext.parse_line(line) for line in lines]
    return [BatchItem(str(line.name), line.body, line.as_name) for line in read]


async def play(sessions: Sessions, demo: Demo) -> list[str]:
    """Every expectation that is not met."""
    faults = []
    for part in demo.parts:
        session = (await sessions.create(LOCAL, demo.title, part.machine)).id
        for number, step in enumerate(demo.steps[part.first : part.end], part.first + 1):
            before = await sessions.read(LOCAL, session, counters)
            applied = await sessions.batch(LOCAL, session, items(step.calls)) if step.calls else []
            after = await sessions.read(LOCAL, session, counters)
            outcomes = [one.outcome for one in applied]
            faults += [
                f"step {number}: {expected.text}: {found}"
                for expected in step.expect
                if (found := unmet(expected, outcomes, before, after))
            ]
    return faults


# -- those that ship ----------------------------------------------------------------------------------------


def test_ten_ship_in_the_lectures_order() -> None:
    assert [demo.title for demo in DEMOS.values()] == TITLES
    assert [read(path) for path in FILES] == list(DEMOS.values())


@pytest.mark.parametrize("name", DEMOS)
async def test_a_demo_does_what_it_says(name: str, sessions: Sessions) -> None:
    assert await play(sessions, DEMOS[name]) == []


@pytest.mark.parametrize("name", DEMOS)
def test_every_step_is_held_to_something(name: str) -> None:
    for step in DEMOS[name].steps:
        assert step.expect
        assert step.why
        assert step.notice
        assert step.look
    assert DEMOS[name].steps[-1].you

"""Plays a demo on a session, and finds what is not as its file says."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from app.demos.demo import Demo, Step
from app.demos.expect import counters, unmet
from app.errors import BadArgument, MachinePanicked, TaskBlocked
from app.machine import calltext
from app.sessions import BatchItem, Principal, Sessions


def items(step: Step) -> list[BatchItem]:
    """The step's calls as one batch."""
    lines = [calltext.parse_line(line) for line in step.calls]
    return [BatchItem(line.name, line.body, line.as_name) for line in lines if line.name is not None]


async def play(sessions: Sessions, who: Principal, demo: Demo) -> list[str]:
    """Every expectation that is not met, and every step that is refused."""
    faults: list[str] = []
    for part in demo.parts:
        session = (await sessions.create(who, None, part.machine)).id
        for number, step in enumerate(demo.steps[part.first : part.end], part.first + 1):
            faults += [f"step {number}: {fault}" for fault in await play_step(sessions, who, session, step)]
    return faults


async def play_step(sessions: Sessions, who: Principal, session: str, step: Step) -> Iterable[str]:
    """One step."""
    count = partial(counters, expected=step.expect)
    before = await sessions.read(who, session, count)
    try:
        applied = await sessions.batch(who, session, items(step)) if step.calls else []
    except (BadArgument, MachinePanicked, TaskBlocked) as error:
        return [f"refused: {error}"]
    after = await sessions.read(who, session, count)
    outcomes = [one.outcome for one in applied]
    found = [(expected, unmet(expected, outcomes, before, after)) for expected in step.expect]
    return [f"{expected.text}: {instead}" for expected, instead in found if instead]

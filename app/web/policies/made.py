"""Makes the runs that the page of replacement policies shows; away from the server's loop, in turn."""

from __future__ import annotations

from typing import Final, NamedTuple

from app.errors import BadArgument
from app.machine.replacement import ReferenceString, Result, comparison, opinion, pasted, run, traces
from app.machine.replacement.steps import Step, steps
from app.sessions.reference_strings import Found
from app.sessions.scheduler import go_on
from app.web.policies import table
from app.web.policies.asked import Asked

# Where nobody says how far the curve shall go: what takes some seconds.
CURVE_WORK: Final = 8 * 10**6
CURVE_FRAMES: Final = 32


class Made(NamedTuple):
    """What was run."""

    string: ReferenceString
    """the references"""
    trace: traces.Trace | None
    """what was read of a trace"""
    journal: Found | None
    """what was read of a session’s journal"""
    results: list[Result]
    """each policy of the curve with each number of frames"""
    result: Result
    """the policy whose steps are shown"""
    steps: list[Step]
    """the part of its steps that is shown"""
    opinion: tuple[opinion.Opinion, opinion.Verdict, Step | None] | None
    """what was pasted, what came of it, and our own step where they part"""
    refused: BadArgument | None
    """why what was pasted cannot be compared: the rest is shown all the same"""


def make(asked: Asked, journal: Found | None) -> Made | None:
    """All runs; None where a session's process has made no access. Raises BadArgument by field."""
    trace = None
    if journal is not None:
        string = ReferenceString(journal)
    elif asked.source == "trace":
        trace = traces.read(asked.text, go_on)
        if trace is None or not trace.references:
            raise BadArgument.at("trace", f"lines of {traces.FORMS}")
        string = ReferenceString(trace.references)
    else:
        string = pasted.read(asked.text, go_on)
    if not string:
        return None
    results = curve_of(string, asked)
    found = next((r for r in results if (r.policy, r.frames) == (asked.policy, asked.frames)), None)
    result = found or run(string, asked.policy, asked.frames, asked.load_bit, go_on)
    first = table.first_of(asked.row, len(string))
    judgement, refused = None, None
    try:
        judgement = judged(string, asked) if asked.opinion else None
    except BadArgument as error:
        refused = error
    return Made(
        string=string,
        trace=trace,
        journal=journal,
        results=results,
        result=result,
        steps=steps(string, asked.policy, asked.frames, asked.load_bit, first, table.ROWS, go_on),
        opinion=judgement,
        refused=refused,
    )


def curve_of(string: ReferenceString, asked: Asked) -> list[Result]:
    """Each policy from one frame up to as many as are asked for. Raises BadArgument at `to`."""
    to = asked.to
    if to is None:
        most = CURVE_WORK // (len(string) * len(asked.policies))
        to = min(len(string.names), CURVE_FRAMES, max(most, 2))
    try:
        return comparison.compare(string, asked.policies, range(1, to + 1), asked.load_bit, go_on)
    except BadArgument as error:
        raise BadArgument.at("to", error.faults[0].msg) from None


def judged(string: ReferenceString, asked: Asked) -> tuple[opinion.Opinion, opinion.Verdict, Step | None]:
    """What somebody else says, beside ours. Raises BadArgument at `opinion`."""
    if len(string) > opinion.MOST_STEPS:
        raise BadArgument.at("opinion", f"the string has more than {opinion.MOST_STEPS} references")
    said = opinion.read(asked.opinion)
    verdict = opinion.verdict(string, asked.policy, asked.frames, asked.load_bit, said, go_on)
    difference, ours = verdict.difference, None
    if difference is not None and difference.what in ("mark", "victim"):
        at = difference.at - 1
        ours = steps(string, asked.policy, asked.frames, asked.load_bit, at, 1, go_on)[0]
    return said, verdict, ours

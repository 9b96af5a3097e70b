"""The answer first: what an explanation comes to, and which of its steps decided it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.machine import process_text

Step = Mapping[str, Any]

ZONE_TRIED: Final = "zone_watermark_fast"
ZONES_NAMED: Final = 4

# Verdicts of steps that decide against a call, and of those that decide for it.
AGAINST: Final = frozenset({"no", "none", "no slot", "nothing free", "oom", "hang", "bad"})
FOR: Final = ("steal", "hit", "ok", "last", "held", "tail", "taken", "wake", "in place", "moves", "captured")
# Steps in which the OOM killer says whom it takes.
CHOOSES: Final = ("select_bad_process", "oom_kill_process")
# Steps that say what is returned: how it ended, not why.
ENDS: Final = frozenset({"__alloc_pages", "__kmalloc", "kmem_cache_alloc"})


def of(
    outcome: Mapping[str, Any],
    steps: Sequence[Step],
    cause: Mapping[str, Any] | None,
    found: Mapping[str, int],
) -> tuple[str, int | None]:
    """A sentence, and the number of the deciding step; None where nothing was decided.

    cause: of a mistake. found: by mistake, the step that found it.
    """
    if cause is not None:
        return cause["text"], found.get(cause["mistake"], len(steps) or None)
    if outcome.get("killed") and outcome["verdict"] != "panic" and (place := last_choice(steps)) is not None:
        return f"{', '.join(outcome['killed'][:ZONES_NAMED])} killed: {steps[place]['what']}.", place + 1
    if (said := process_text.sentence(outcome)) is not None:
        return said, process_text.deciding(outcome, steps)
    verdict = outcome["verdict"]
    if not steps:
        if process_text.is_error(outcome):
            return f"{answer(outcome)}: refused before anything is looked at.", None
        return ENDED.get(verdict, "The call does its one thing whatever the machine is like."), None
    place = deciding(verdict, steps)
    return f"{answer(outcome)}: {reasons(steps, place)}.", place + 1


def last_choice(steps: Sequence[Step]) -> int | None:
    """Where somebody was last chosen to be killed."""
    places = [
        place for place, step in enumerate(steps) if step["fn"] in CHOOSES and step["verdict"] != "none"
    ]
    return places[-1] if places else None


ENDED: Final = {
    "null": "It returns NULL.",
    "blocked": "The task sleeps.",
    "bug": "The kernel stops the task.",
}
ANSWERS: Final = {
    "null": "NULL",
    "blocked": "The task sleeps",
    "warn": "The kernel warns",
    "bug": "The kernel reports a bug",
    "oom": "Out of memory",
    "hang": "It never returns",
    "panic": "The machine stops",
}


def answer(outcome: Mapping[str, Any]) -> str:
    """The verdict in a word or two, with what was returned."""
    verdict, ret = outcome["verdict"], outcome["ret"]
    if verdict == "null" and isinstance(ret, int) and not isinstance(ret, bool) and ret < 0:
        return f"Error {ret}"
    if verdict == "null" and "runs" in outcome:
        return f"{ret:,} blocks, then NULL"
    if verdict in ANSWERS:
        return ANSWERS[verdict]
    if isinstance(ret, bool) or ret is None:
        return "Done" if ret is None else ("True" if ret else "False")
    return f"{ret:,}" if isinstance(ret, int) else str(ret)


def deciding(verdict: str, steps: Sequence[Step]) -> int:
    """Which step decided: the last that was against the call, or the last that was for it."""
    if verdict == "panic":
        return max((place for place, step in enumerate(steps) if step["verdict"] == "panic"), default=0)
    if verdict in ("null", "oom", "hang"):
        places = [place for place, step in enumerate(steps) if step["verdict"] in AGAINST]
        # Memory was short, or in pieces: what else was tried then could not help.
        places = [place for place in places if steps[place]["fn"] == ZONE_TRIED] or places
        return last_round(steps, places) if places else len(steps) - 1
    if verdict == "blocked":
        asleep = [
            place for place, step in enumerate(steps) if step["verdict"] in ("queued", "deadlock", "no slot")
        ]
        return asleep[-1] if asleep else len(steps) - 1
    places = [
        place
        for place, step in enumerate(steps)
        if step["verdict"] in FOR and not (step["fn"] in ENDS and place == len(steps) - 1)
    ]
    return places[-1] if places else len(steps) - 1


def reasons(steps: Sequence[Step], place: int) -> str:
    """What the deciding step says; of zones that were tried one after the other, what each of them says."""
    step = steps[place]
    if step["fn"] != ZONE_TRIED or step["verdict"] != "no":
        return str(step["what"])
    said = [f"{step['zone']}: {step['what']}"]
    for other in steps[place + 1 : place + ZONES_NAMED]:
        if (other["fn"], other["verdict"]) != (ZONE_TRIED, "no"):
            break
        said.append(f"{other['zone']}: {other['what']}")
    return "; ".join(said)


def last_round(steps: Sequence[Step], places: Sequence[int]) -> int:
    """The first of the last steps in a row that were against the call."""
    place = places[-1]
    for other in reversed(places[:-1]):
        if other != place - 1 or steps[other]["fn"] != steps[place]["fn"]:
            break
        place = other
    return place

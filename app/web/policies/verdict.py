"""A second opinion in words: where other steps and ours part, and which convention would make those."""

from __future__ import annotations

from typing import Any

from app.machine.replacement.opinion import Difference, Explanation, Opinion, Verdict
from app.machine.replacement.steps import Step
from app.web import wording
from app.web.contexts.replacement import SecondOpinion
from app.web.language import _, ngettext
from app.web.policies import words


def second_opinion(opinion: Opinion, verdict: Verdict, step: Step | None) -> SecondOpinion:
    """Show it. step: our own at the difference, where there is one."""
    difference = verdict.difference
    ignored = (
        ngettext(
            "%(num)s line is no step and was left out.",
            "%(num)s lines are no steps and were left out.",
            opinion.ignored,
        )
        if opinion.ignored
        else ""
    )
    if difference is None:
        return SecondOpinion(
            agrees=True,
            verdict=_("The number of faults is the same.")
            if opinion.total is not None
            else ngettext("The step is the same.", "All %(num)s steps are the same.", len(opinion.steps)),
            theirs="",
            ours="",
            explanations=(),
            rest=ignored,
        )
    explained = [explanation(each) for each in verdict.explanations]
    looked_for = difference.what not in ("page", "length")
    rest = _("None of the conventions that are known here makes these steps.") if looked_for else ""
    return SecondOpinion(
        agrees=False,
        verdict=where(difference),
        theirs=theirs(difference),
        ours=ours(difference, step),
        explanations=explained,
        rest=" ".join(filter(None, ("" if explained else rest, ignored))),
    )


def where(difference: Difference) -> str:
    """Which step is the first that differs."""
    match difference.what:
        case "total":
            return _("The numbers of faults differ.")
        case "length":
            return _("All steps are the same, as far as both go.")
        case "page":
            return _(
                "Reference %(at)s is to another page: these are not the steps of this string.",
                at=wording.count(difference.at),
            )
        case _:
            return _("The first step that differs is reference %(at)s.", at=wording.count(difference.at))


def theirs(difference: Difference) -> str:
    """What the others say there."""
    return stated(difference.what, difference.theirs)


def ours(difference: Difference, step: Step | None) -> str:
    """What we say there, and why."""
    said = stated(difference.what, difference.ours)
    because = "" if step is None else words.why(step.why)
    if difference.what in ("mark", "victim") and step is not None and step.victim is not None:
        return _("%(page)s goes: %(because)s", page=words.page(step.victim), because=because)
    return f"{said}: {because}" if because and difference.what == "mark" else said


def stated(what: str, value: Any) -> str:
    """A mark, a victim, a page or a number in words."""
    match what:
        case "mark":
            return _("a fault") if value else _("a hit")
        case "victim":
            return _("no page goes") if value is None else _("%(page)s goes", page=words.page(value))
        case "page":
            return _("page %(page)s", page=words.page(value))
        case "length":
            return ngettext("%(num)s step", "%(num)s steps", value)
        case _:
            return ngettext("%(num)s fault", "%(num)s faults", value)


def explanation(found: Explanation) -> str:
    """What would have to be otherwise."""
    said = _(" and ").join(words.otherwise(name, value) for name, value in found.changes.items())
    if found.whole:
        return _("It would be the same if %(this)s.", this=said)
    return _(
        "It would be the same up to reference %(until)s if %(this)s.",
        until=wording.count(found.until),
        this=said,
    )

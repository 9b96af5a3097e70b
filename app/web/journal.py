"""Rows of the journal in words: the list of rows, and the banner of one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from errno import errorcode
from typing import Any, Final

from app.machine.entry import CALLS
from app.machine.vocabulary import Returns
from app.mm.mmzone import MAX_ORDER
from app.sessions.row_text import BACKWARDS
from app.web import mistakes, recipes, reclaim_words, shownrows, sleeping, wording
from app.web.address import Address
from app.web.contexts.base import Fact, Link
from app.web.contexts.journal import Change, JournalRow, OutcomeView
from app.web.frame_states import LETTERS
from app.web.language import N_, _
from app.web.nicknames import Names, called
from app.web.recipes import Api
from app.web.shownrows import LINES, block_count
from app.web.vm import fault_words

Outcome = Mapping[str, Any]

CHANGES_SHOWN: Final = 12
NAMES_SHOWN: Final = 16
NO_RETURN: Final = {
    "blocked": N_("asleep"),
    "hang": N_("never returns"),
    "panic": N_("never returns"),
}

HEADLINES: Final = {
    "ok": ("", ""),
    "null": (
        N_("The kernel’s answer is NULL."),
        N_("NULL is a valid answer: the caller must check for it."),
    ),
    "blocked": (
        N_("The task sleeps."),
        N_("It waits in the page’s queue until somebody unlocks; it can make no other call."),
    ),
    "warn": (N_("The kernel warned and went on."), N_("What it says is in its log.")),
    "bug": (
        N_("The kernel reports a bug."),
        N_("A real kernel would kill the calling task here; this one goes on."),
    ),
    "oom": (
        N_("Out of memory."),
        N_(
            "Here the kernel would run the OOM killer. The tasks of this machine have no memory that it "
            "could free, so the kernel panics. A real one stops there for good; here calls go on."
        ),
    ),
    "hang": (N_("This would never return."), N_("Here the kernel would loop for ever.")),
    "panic": (
        N_("The machine has stopped."),
        N_("There was no memory and nobody left to be killed. No further call can be made; undo this one."),
    ),
}

# Of many mistakes the kernel only complains. These lines are followed by the end of the task.
FATAL: Final = ("kernel BUG at", "Oops: ")
COMPLAINT: Final = N_("It says so in its log and goes on, as a real one would.")

# And this is of a call that a real kernel would not come back from until somebody wakes it.
ATOMIC: Final = "BUG: scheduling while atomic"
NOT_ASLEEP: Final = N_(
    "A real kernel would now sleep in the interrupt until it is woken. "
    "Here the call comes back, without what it waited for."
)


def ret_text(outcome: Outcome) -> str:
    """What the C function returned, as C would write it."""
    value = outcome["ret"]
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return nothing_text(outcome)
    if "runs" in outcome:
        return block_count(value)
    return str(value)


def nothing_text(outcome: Outcome) -> str:
    """Why there is no value: the call sleeps or never ends, C has none for it, or it is the NULL pointer."""
    if outcome["verdict"] in NO_RETURN:
        return _(NO_RETURN[outcome["verdict"]])
    if outcome["call"] in BACKWARDS:
        return "void"
    if outcome["call"] == "load" and outcome["verdict"] == "ok":
        return _("a byte that is not kept")
    spec = CALLS.get(outcome["call"])
    returns = Returns.ADDRESS if spec is None else spec.returns
    if returns.null == "NULL":
        return "NULL"
    if returns.null is not None and outcome["verdict"] == "null":
        return returns.null
    return "void" if returns is Returns.NOTHING and outcome["verdict"] != "bug" else _("did not return")


def call_text(outcome: Outcome) -> str:
    """The call as a line; a list in it is only counted."""
    if outcome["call"] in BACKWARDS:
        return _("%(call)s to #%(seq)s", call=outcome["call"], seq=wording.count(outcome["args"]["to"]))
    return shownrows.call_text(outcome)


def pfn_of(outcome: Outcome) -> int | None:
    """The frame that an outcome is about."""
    for part, key in (("page", "pfn"), ("object", "slab_pfn")):
        found = outcome.get(part)
        if found and found.get(key) is not None:
            return int(found[key])
    return None


def ret_href(outcome: Outcome, here: Address) -> str | None:
    """What a returned pointer leads to: the object or area at an address, else a page's frame."""
    if isinstance(outcome["ret"], str) and (outcome.get("object") or outcome.get("area")):
        return here.inspect(outcome["ret"]).href
    pfn = pfn_of(outcome)
    return here.at(pfn) if pfn is not None and isinstance(outcome["ret"], str) else None


def journal_row(outcome: Outcome, here: Address) -> JournalRow:
    """Make a row of the list."""
    return JournalRow(
        seq=outcome["seq"],
        href=here.to(outcome=outcome["seq"]).href + "#outcome",
        text=call_text(outcome),
        ret=ret_text(outcome),
        ret_href=ret_href(outcome, here),
        verdict=outcome["verdict"],
        by=outcome.get("by"),
        current=outcome["seq"] == here.outcome,
        explain=here.explain(outcome["seq"]),
        beside=reclaim_words.brief(outcome),
        lost=mistakes.lost(outcome["cause"]) if mistakes.tone(outcome) == "lost" else "",
    )


def headlines(
    outcome: Outcome, tasks: Sequence[Outcome] | None = None, people: Names | None = None
) -> tuple[str, str]:
    """Say the verdict in words. tasks: those that sleep now, where that is known."""
    if outcome["verdict"] == "blocked" and tasks is not None:
        return sleeping.why(outcome, tasks, people or {})
    if outcome.get("killed") and outcome["verdict"] != "panic":
        return killed(outcome, people or {})
    if outcome["verdict"] == "ok" and "access" in outcome:
        return fault_words.sentence(outcome)
    headline, reason = map(_, HEADLINES.get(outcome["verdict"], ("", "")))
    if outcome["verdict"] == "bug" and any(ATOMIC in line for line in outcome["log"] or ()):
        return headline, _(NOT_ASLEEP)
    if outcome["verdict"] == "bug" and not any(
        word in line for line in outcome["log"] or () for word in FATAL
    ):
        return headline, _(COMPLAINT)
    if outcome["verdict"] != "null":
        return headline, reason
    if isinstance(outcome["ret"], int) and outcome["ret"] < 0:
        name = errorcode.get(-outcome["ret"], -outcome["ret"])
        headline = _("The kernel’s answer is −%(error)s.", error=name)
    order = outcome["args"].get("order")
    if isinstance(order, int) and order >= MAX_ORDER:
        reason = _(
            "No block is larger than order %(order)s. The kernel warns of the first such call only.",
            order=MAX_ORDER - 1,
        )
    return headline, reason


def some_names(tasks: Sequence[str], people: Names) -> list[str]:
    """Tasks for people; of many the first, and how many more there are."""
    names = [called(people, task) for task in tasks[:NAMES_SHOWN]]
    if len(tasks) > NAMES_SHOWN:
        names.append(_("and %(more)s more", more=wording.count(len(tasks) - NAMES_SHOWN)))
    return names


def killed(outcome: Outcome, people: Names) -> tuple[str, str]:
    """Who had to die for a call, and why."""
    names = ", ".join(some_names(outcome["killed"], people))
    headline = _("The OOM killer has ended %(tasks)s.", tasks=names)
    if outcome["args"]["task"] in outcome["killed"]:
        return headline, _("The caller was taken itself: its call is over, and its memory is free.")
    return headline, _(
        "No memory could be taken back any more. Its end brings the most; the log has the report."
    )


def outcome_view(
    outcome: Outcome,
    here: Address,
    api: Api,
    tasks: Sequence[Outcome],
    people: Names | None = None,
    head: int = 0,
    freed: Mapping[str, Any] | None = None,
) -> OutcomeView:
    """Make the banner. api: the session's address. tasks: those that sleep now. people: nicknames.

    head: the session's last row. freed: the row that freed before what this one frees again.
    """
    headline, reason = headlines(outcome, tasks, people)
    body = {} if outcome["call"] == "undo" else outcome["args"]
    changed: Sequence[Sequence[Any]] | None = outcome["changed"]
    lines: Sequence[str] = (outcome["log"] or ())[:LINES]
    if shownrows.is_long(body) or not outcome.get("whole", True):
        curl = recipes.curl_file(f"events/{outcome['seq']}", api)
        python = recipes.python_file(f"events/{outcome['seq']}", api)
    else:
        curl = recipes.curl(outcome["call"], body, api)
        python = recipes.python(outcome["call"], body, api)
    return OutcomeView(
        seq=outcome["seq"],
        text=call_text(outcome),
        ret=ret_text(outcome),
        href=ret_href(outcome, here),
        verdict=outcome["verdict"],
        headline=headline,
        reason=reason,
        facts=facts(outcome, here, people or {}),
        changes=[change(run, here) for run in (changed or ())[:CHANGES_SHOWN]],
        more_changes=max(0, len(changed or ()) - CHANGES_SHOWN),
        many=changed is None and outcome["call"] not in BACKWARDS,
        restored=outcome["args"]["to"] if outcome["call"] in BACKWARDS else None,
        log=lines,
        log_more=log_more(outcome, lines, here),
        curl=curl,
        python=python,
        explain=here.explain(outcome["seq"]),
        tone=mistakes.tone(outcome),
        cause=mistakes.cause_view(outcome, here, head, freed),
        beside=reclaim_words.lines(outcome),
    )


def change(run: Sequence[Any], here: Address) -> Change:
    """A run of frames, and where to look at it frame by frame."""
    pfn, frames, state = run
    text = wording.pfn(pfn) if frames == 1 else f"{wording.pfn(pfn)} +{wording.count(frames)}"
    return Change(text, state, LETTERS.get(state, ""), here.at(pfn))


def facts(outcome: Outcome, here: Address, people: Names) -> list[Fact]:
    """List what else the outcome says. people: nicknames of tasks."""
    found: list[Fact] = []
    if page := outcome.get("page"):
        found += page_facts(page, here)
    if thing := outcome.get("object"):
        found += object_facts(thing, here)
    if area := outcome.get("area"):
        found += area_facts(area)
    if "access" in outcome:
        found += fault_facts(outcome, here)
    if "runs" in outcome and outcome["runs"] is None:
        found.append(Fact(_("blocks"), wording.count(outcome["ret"]), href=list_href(outcome, "runs", here)))
    if woken := outcome.get("woken"):
        found.append(Fact(_("woken"), ", ".join(some_names(woken, people))))
    return found


def fault_facts(outcome: Outcome, here: Address) -> list[Fact]:
    """Where an access ended, and what the kernel counted."""
    pfn = fault_words.frame(outcome)
    counted = Fact(_("faults"), fault_words.faults(outcome))
    return [counted] if pfn is None else [Fact(_("frame"), wording.pfn(pfn), href=here.at(pfn)), counted]


def list_href(outcome: Outcome, name: str, here: Address) -> str:
    """Where a list can be read that is too long for the row; of a row that was shortened here, in the row."""
    row = f"/api/v1/sessions/{here.id}/events/{outcome['seq']}"
    return row if "text" in outcome else f"{row}/{name}"


def log_more(outcome: Outcome, shown: Sequence[str], here: Address) -> Link | None:
    """The way to all that the call printed, where only its beginning is shown."""
    whole = outcome["log"]
    lines = outcome.get("log_count", len(whole or ()))
    if whole is not None and len(shown) == lines:
        return None
    words = _("All %(lines)s lines that the call printed", lines=wording.count(lines))
    return Link(words, list_href(outcome, "log", here))


def page_facts(page: Outcome, here: Address) -> list[Fact]:
    """Where a page is and who holds it."""
    # Of a free frame there is nothing that knew how large the block was.
    order = [Fact(_("order"), str(page["order"]))] if page["refcount"] else []
    return [
        Fact(_("frame"), wording.pfn(page["pfn"]), href=here.at(page["pfn"])),
        *order,
        Fact(_("in"), _("%(zone)s, node %(node)s", zone=page["zone"], node=page["node"])),
        Fact(_("address"), page["address"] or _("none: HIGHMEM, not mapped")),
        Fact("_refcount", str(page["refcount"]), "_count"),
    ]


def object_facts(thing: Outcome, here: Address) -> list[Fact]:
    """A slab object, or what kmalloc took straight from the page allocator."""
    found = [
        Fact(_("cache"), thing["cache"] or (_("none: whole pages") if thing["ksize"] else "ZERO_SIZE_PTR")),
        Fact(_("usable"), wording.in_bytes(thing["ksize"])),
    ]
    if thing.get("slab_pfn") is not None:
        found.append(Fact(_("slab"), wording.pfn(thing["slab_pfn"]), href=here.at(thing["slab_pfn"])))
    if thing.get("index") is not None:
        found.append(
            Fact(
                _("object"),
                _(
                    "%(index)s at offset %(offset)s",
                    index=thing["index"],
                    offset=wording.count(thing["offset"]),
                ),
            )
        )
    return found


def area_facts(area: Outcome) -> list[Fact]:
    """A vmalloc area."""
    return [
        Fact(_("area"), f"{area['address']}, {wording.size(area['size'])}"),
        Fact(_("frames"), wording.count(area["nr_pages"])),
        Fact(_("page-table writes"), wording.count(area["page_table_writes"])),
    ]

"""What a call reclaimed itself, what kernel threads did at its end, and who was killed for it, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from app.sessions.row_text import BACKWARDS
from app.web import wording
from app.web.language import N_, _, ngettext

Doc = Mapping[str, Any]

# What threads are woken for: the text, and how the kernel's own words begin.
REASONS: Final[Mapping[str, str]] = {
    N_("low mark of %(what)s"): "low mark of ",
    N_("a block of order %(what)s"): "a block of order ",
    N_("boosted marks"): "boosted marks",
    N_("high mark"): "high mark",
    N_("dirty pages"): "dirty pages",
}
FIGURES: Final = ("scanned", "reclaimed", "swapped_out", "written")
NAMES_SHOWN: Final = 4


def lines(outcome: Doc) -> list[str]:
    """What was done beside the call itself: a line for the caller, and one for each kernel thread."""
    found = []
    if direct := outcome.get("reclaim"):
        who = outcome["args"].get("task", "")
        found.append(_("%(task)s reclaimed itself: %(what)s", task=who, what=figures(direct)))
    return found + [thread(entries) for entries in by_thread(outcome)]


def by_thread(outcome: Doc) -> Iterable[Sequence[Doc]]:
    """The entries of `background`, of each thread together: it may have run after each access of a call."""
    found: dict[str, list[Doc]] = {}
    for entry in outcome.get("background") or ():
        found.setdefault(entry["task"], []).append(entry)
    return found.values()


def thread(entries: Sequence[Doc]) -> str:
    """What a kernel thread did."""
    task, why = entries[0]["task"], reason(entries[0]["why"])
    if len(entries) > 1:
        why = ngettext("%(why)s, %(num)s run", "%(why)s, %(num)s runs", len(entries), why=why)
    reclaimed = [entry["reclaim"] for entry in entries if "reclaim" in entry]
    written = sum(entry.get("written", 0) for entry in entries)
    if reclaimed:
        what = figures(together(reclaimed))
    elif written:
        what = ngettext("%(num)s page written", "%(num)s pages written", written)
    else:
        return _("%(task)s ran (%(why)s)", task=task, why=why)
    return _("%(task)s (%(why)s): %(what)s", task=task, why=why, what=what)


def reason(why: str) -> str:
    """What a thread was woken for, as app.mm.kthreads says it, in the reader's language."""
    for words, start in REASONS.items():
        if why.startswith(start):
            return _(words, what=why.removeprefix(start))
    return why


def together(parts: Sequence[Doc]) -> Doc:
    """The figures of several runs as one; of the priorities the lowest."""
    found: dict[str, Any] = {name: sum(part[name] for part in parts) for name in FIGURES}
    return found | {"priority": min(part["priority"] for part in parts)}


def figures(reclaim: Doc) -> str:
    """How many pages were looked at, and what became of them."""
    found = [
        ngettext("%(num)s page looked at", "%(num)s pages looked at", reclaim["scanned"]),
        _("%(pages)s reclaimed", pages=wording.count(reclaim["reclaimed"])),
    ]
    if reclaim["swapped_out"]:
        found.append(_("%(pages)s of them to swap", pages=wording.count(reclaim["swapped_out"])))
    files = reclaim["written"] - reclaim["swapped_out"]
    if files > 0:
        found.append(_("%(pages)s to files", pages=wording.count(files)))
    found.append(_("down to priority %(priority)s", priority=reclaim["priority"]))
    return ", ".join(found)


def last_run(rows: Iterable[Doc], task: str) -> dict[str, Any] | None:
    """What a kernel thread reclaimed last, by the newest row that says so and was not taken back.

    rows: newest first.
    """
    reached: int | None = None
    for row in rows:
        if row["call"] in BACKWARDS:
            reached = row["args"]["to"] if reached is None or row["seq"] <= reached else reached
        elif reached is None or row["seq"] <= reached:
            entries = [
                each for each in row.get("background") or () if each["task"] == task and "reclaim" in each
            ]
            if entries:
                figures = together([entry["reclaim"] for entry in entries])
                return {"seq": row["seq"], "why": entries[0]["why"], "reclaim": figures}
    return None


def brief(outcome: Doc) -> list[str]:
    """The same for a row of the journal."""
    found = []
    if killed := outcome.get("killed"):
        names = ", ".join(killed[:NAMES_SHOWN])
        found.append(_("killed: %(tasks)s", tasks=names + (", …" if len(killed) > NAMES_SHOWN else "")))
    if direct := outcome.get("reclaim"):
        found.append(shortly(_("direct reclaim"), [direct]))
    return found + [
        shortly(entries[0]["task"], [entry.get("reclaim", entry) for entry in entries])
        for entries in by_thread(outcome)
    ]


def shortly(who: str, parts: Sequence[Doc]) -> str:
    """Who reclaimed or wrote how many pages."""
    reclaimed = sum(part.get("reclaimed", 0) for part in parts)
    written = sum(part.get("written", 0) for part in parts)
    pages = ngettext("%(num)s page", "%(num)s pages", reclaimed)
    what = []
    if any("reclaimed" in part for part in parts):
        what.append(pages)
    if written:
        what.append(_("%(pages)s written", pages=wording.count(written)))
    if not what:
        return _("%(who)s ran", who=who)
    return _("%(who)s: %(what)s", who=who, what=", ".join(what))

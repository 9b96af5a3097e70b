"""The walk of one address: its bits, the table and entry of each level, and the frame at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.web import wording
from app.web.address import Address
from app.web.contexts.base import Link
from app.web.contexts.processes import Walk, WalkLevel
from app.web.language import N_, _
from app.web.vm.cells import letter, state_words
from app.web.vm.strip import at_address

Doc = Mapping[str, Any]

# Which of the kernel's five levels an architecture has not.
FOLDED: Final = {4: N_("P4D folded"), 3: N_("P4D and PUD folded")}
REACH: Final = {12: "4 KiB", 21: "2 MiB", 30: "1 GiB"}


def walk(doc: Doc, here: Address, task: str, shown: Doc | None) -> Walk:
    """Show it. shown: the last call, which may have made some of the tables."""
    page, address = doc["page"], doc["addr"]
    made = tables_made(doc, task, shown)
    levels: Sequence[Doc] = doc["levels"]
    end = doc["end"]
    pfn = page["pfn"]
    return Walk(
        address=f"{address:#x}",
        levels=[level(each, here, made=each["level"] in made) for each in levels],
        offset=f"{doc['offset']:0{end}b}",
        offset_words=_("+%(offset)s, %(bits)s bits", offset=f"{doc['offset']:#x}", bits=end),
        folded=_(FOLDED[doc["top"]]),
        end=None if pfn is None else Link(wording.pfn(pfn), here.at(pfn, "#inspector")),
        end_state="" if pfn is None else page["state"],
        end_letter="" if pfn is None else letter(page["state"]),
        words=words(doc),
        steps=[
            Link(_("◂ page"), at_address(here, max(0, address - 4096)), hint=_("The page before")),
            Link(_("page ▸"), at_address(here, address + 4096), hint=_("The page behind")),
        ],
    )


def level(doc: Doc, here: Address, *, made: bool) -> WalkLevel:
    """One table."""
    table = doc["table"]
    return WalkLevel(
        name=doc["level"].upper(),
        bits=doc["bits"],
        index=doc["index"],
        table=Link("cr3", None) if table is None else Link(wording.pfn(table), here.at(table, "#inspector")),
        entry=f"{doc['entry']:#x}",
        flags=doc["flags"].replace("|", " "),
        used=doc["used"],
        made=made,
        stops=not doc["entry"],
    )


def tables_made(doc: Doc, task: str, shown: Doc | None) -> frozenset[str]:
    """Levels whose tables the shown call made, where it was about this very page."""
    if not shown or shown.get("task") != task:
        return frozenset()
    page = doc["addr"] >> 12
    made = (each["new_tables"] for each in shown.get("access") or () if int(each["addr"], 16) >> 12 == page)
    return frozenset(name for names in made for name in names)


def words(doc: Doc) -> str:
    """Where the walk ends and why."""
    page, area, levels = doc["page"], doc["area"], doc["levels"]
    if page["pfn"] is not None:
        if doc["end"] > 12:
            return _(
                "%(level)s %(index)s maps %(reach)s itself: the walk ends early, %(bits)s bits are left.",
                level=levels[-1]["level"].upper(),
                index=levels[-1]["index"],
                reach=REACH[doc["end"]],
                bits=doc["end"],
            )
        return _(
            "Frame %(pfn)s: %(what)s.",
            pfn=wording.pfn(page["pfn"]),
            what=state_words(page["state"]),
        )
    if not doc["user"]:
        return _("No address of a process: the upper part is the kernel’s. An access ends in SIGSEGV.")
    last = levels[-1]
    where = _("%(level)s %(index)s is empty", level=last["level"].upper(), index=last["index"])
    if area is None:
        return _("%(where)s, and no area is here: an access ends in SIGSEGV.", where=where)
    if area["rights"].startswith("---"):
        return _("%(where)s, and the area allows no access: SIGSEGV.", where=where)
    return _("%(where)s: the first access is a page fault.", where=where)

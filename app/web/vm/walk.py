"""The walk of one address: its bits, the table and entry of each level, and the frame at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.web import life, wording
from app.web.address import Address
from app.web.contexts.base import Link
from app.web.contexts.processes import Walk, WalkLevel
from app.web.language import N_, _
from app.web.vm.cells import letter, state_words
from app.web.vm.strip import at_address

Doc = Mapping[str, Any]

# Which of the kernel's five levels an architecture has not, by how many it has.
FOLDED: Final[Mapping[int, str]] = {4: N_("P4D folded"), 3: N_("P4D and PUD folded")}
REACH: Final = {"4K": "4 KiB", "2M": "2 MiB", "1G": "1 GiB"}
HIGHEST: Final = 1 << 64


def walk(doc: Doc, here: Address, task: str, shown: Doc | None) -> Walk:
    """Show it. shown: the last call, which may have made some of the tables."""
    end, address = doc["end"], doc["end"]["addr"]
    levels: Sequence[Doc] = doc["levels"]
    bits = {part["level"]: part for part in doc["bits"]}
    made = tables_made(address, task, shown)
    pfn = end["pfn"]
    left = left_over(doc)
    offset = address & (1 << left) - 1
    return Walk(
        address=doc["addr"],
        levels=[
            level(each, bits[each["level"]], used, here, made=each["level"] in made)
            for each, used in zip(levels, doc["used"], strict=True)
        ],
        offset=f"{offset:0{left}b}",
        offset_words=_("+%(offset)s, %(bits)s bits", offset=f"{offset:#x}", bits=left),
        folded=_(FOLDED[len(bits) - 1]),
        end=None if pfn is None else Link(wording.pfn(pfn), here.at(pfn, "#inspector")),
        end_state="" if pfn is None else end["state"],
        end_letter="" if pfn is None else letter(end["state"]),
        words=words(doc),
        life=life.of_page(here, task, address),
        steps=[
            Link(_("◂ page"), at_address(here, max(0, address - 4096)), hint=_("The page before")),
            Link(_("page ▸"), at_address(here, min(address + 4096, HIGHEST - 1)), hint=_("The page behind")),
        ],
    )


def left_over(doc: Doc) -> int:
    """How many bits of the address no table has used: a huge page leaves more of them."""
    last = doc["levels"][-1]["level"]
    used: int = next(part["to"] for part in doc["bits"] if part["level"] == last)
    return used


def level(doc: Doc, bits: Doc, used: int, here: Address, *, made: bool) -> WalkLevel:
    """One table."""
    table = doc["table_pfn"]
    width = bits["from"] - bits["to"] + 1
    return WalkLevel(
        name=doc["level"].upper(),
        bits=f"{bits['index']:0{width}b}",
        index=doc["index"],
        table=Link("cr3", None) if table is None else Link(wording.pfn(table), here.at(table, "#inspector")),
        entry=doc["entry"],
        flags=doc["flags"].replace("|", " "),
        used=used,
        made=made,
        stops=doc["maps"] == "nothing",
    )


def tables_made(address: int, task: str, shown: Doc | None) -> frozenset[str]:
    """Levels whose tables the shown call made, where it was about this very page."""
    if not shown or (shown.get("mm") or {}).get("task") != task:
        return frozenset()
    page = address >> 12
    made = (each["new_tables"] for each in shown.get("access") or () if int(each["addr"], 16) >> 12 == page)
    return frozenset(name for names in made for name in names)


def words(doc: Doc) -> str:
    """Where the walk ends and why."""
    end, page, area, last = doc["end"], doc["page"], doc["vma"], doc["levels"][-1]
    name = last["level"].upper()
    if page is not None:
        what = _("Frame %(pfn)s: %(what)s.", pfn=wording.pfn(page["pfn"]), what=state_words(end["state"]))
        if page["size"] == "4K":
            return what
        early = _(
            "%(level)s %(index)s maps %(reach)s itself: the walk ends early.",
            level=name,
            index=last["index"],
            reach=REACH[page["size"]],
        )
        return f"{early} {what}"
    if not doc["canonical"]:
        return _("The address is not canonical: no walk, an access ends in SIGSEGV (SI_KERNEL).")
    if not doc["user"]:
        return _("The upper part of all addresses is the kernel’s: an access ends in SIGSEGV.")
    where = _("%(level)s %(index)s is empty", level=name, index=last["index"])
    if last["maps"] == "swap":
        return _("The page is in swap: an access is a major fault.")
    if area is None:
        return _("%(where)s, and no area is here: an access ends in SIGSEGV.", where=where)
    if area["prot"].startswith("---"):
        return _("%(where)s, and the area allows no access: SIGSEGV.", where=where)
    return _("%(where)s: the first access is a page fault.", where=where)

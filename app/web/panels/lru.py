"""The panel of the LRU lists: which pages stand where, from the head to the tail that reclaim takes first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from app.machine import lru_views, show_cost
from app.machine.machine import Machine
from app.mm.vmstat import LRU_NAMES
from app.web import wording
from app.web.address import Address
from app.web.contexts.base import Fact, Link
from app.web.contexts.panels import PanelView, TablePanel
from app.web.language import N_, _, ngettext
from app.web.panels.base import Panel, Seen
from app.web.vm import fate_words

Doc = Mapping[str, Any]

# Pages that are drawn of a list: at its head, and at its tail, where reclaim looks.
FIRST: Final = 14
LAST: Final = 26
BATCH: Final = 15
# Of unevictable pages the kernel keeps no order.
ORDERED: Final = tuple(name for name in LRU_NAMES if name != "unevictable")
INACTIVE: Final = ("inactive_anon", "inactive_file")


@dataclass(frozen=True, slots=True)
class ListedPage:
    """A page on a list."""

    href: str
    """the frame in the inspector"""
    state: str
    """the state of the frame"""
    words: str
    """frame and flags"""
    referenced: bool
    """True where it was referenced since it came to its place"""
    accessed: bool
    """True where an entry says that it was used since reclaim last looked"""
    moved: bool
    """True where the shown call brought it here"""
    fate: str
    """what would become of it; empty where nobody asks yet"""


@dataclass(frozen=True, slots=True)
class LruRow:
    """One list."""

    name: str
    """its name"""
    size: int
    """how many pages stand on it"""
    folded: str
    """how many decisions see, where that is another number"""
    pages: Sequence[ListedPage]
    """the first from its head on, or all"""
    between: int
    """how many are left out"""
    last: Sequence[ListedPage]
    """the last ones, where some are left out"""
    came: str
    """how many pages the shown call brought here"""


@dataclass(frozen=True, slots=True)
class Tail:
    """The next pages of an inactive list."""

    name: str
    """the list"""
    when: str
    """when it is looked at, and how many of its pages then"""
    table: TablePanel
    """the pages"""


@dataclass(frozen=True, slots=True)
class LruPanel(PanelView):
    """The LRU lists, what waits in batches, and who goes next."""

    TEMPLATE: ClassVar[str] = "machine/panels/lru.html"
    node: str
    """the node whose lists they are, on a machine with several"""
    lists: Sequence[LruRow]
    """the lists"""
    batches: Sequence[tuple[str, int, Sequence[Link]]]
    """what waits in each batch that is not empty"""
    idle: str
    """which batches are empty"""
    rules: Sequence[str]
    """the ratio of active to inactive pages, for each kind"""
    facts: Sequence[Fact]
    """what decides between the kinds"""
    balance: str
    """which kinds are looked at"""
    tails: Sequence[Tail]
    """who goes next; nothing on a machine that takes nothing back"""
    table: TablePanel
    """the drawn pages as a table"""


def read(machine: Machine, _here: Address, zone: Doc) -> dict[str, Any]:
    """Read both ends of each list of the node that the map shows."""
    node = zone["node"] if machine.vm.reclaim else 0
    return {
        "node": node if len(machine.nodes) > 1 else None,
        "summary": lru_views.summary(machine, node),
        "lists": {name: lru_views.ends(machine, node, name, FIRST, LAST) for name in ORDERED},
    }


def cost(machine: Machine, _here: Address) -> int:
    """About how much work that is."""
    return show_cost.lru_summary(machine) + len(ORDERED) * show_cost.lru_ends(machine, FIRST + LAST)


def view(seen: Seen) -> LruPanel:
    """Show them."""
    doc, here = seen.doc, seen.here
    summary: Doc = doc["summary"]
    sizes = {line["name"]: line for line in summary["lists"]}
    came = brought(seen.shown)
    reclaim: Doc = next(iter(summary.get("reclaim") or ()), {})
    ahead = {page["pfn"]: page for pages in reclaim.get("next", {}).values() for page in pages}
    drawn = {
        name: (
            [listed(page, name, here, came, ahead) for page in ends["head"]],
            [listed(page, name, here, came, ahead) for page in ends["tail"]],
        )
        for name, ends in doc["lists"].items()
    }
    rows = [
        row(sizes[name], (first, last), doc["lists"][name]["between"], came)
        for name, (first, last) in drawn.items()
    ]
    if sizes["unevictable"]["pages"]:
        rows.append(row(sizes["unevictable"], ((), ()), sizes["unevictable"]["pages"], came))
    waiting = [batch for batch in summary["batches"] if batch["pages"]]
    return LruPanel(
        node="" if doc["node"] is None else _("node %(node)s", node=doc["node"]),
        lists=rows,
        batches=[
            (
                batch["name"],
                len(batch["pages"]),
                [Link(wording.pfn(pfn), here.at(pfn)) for pfn in batch["pages"][:BATCH]],
            )
            for batch in waiting
        ],
        idle=", ".join(batch["name"] for batch in summary["batches"] if not batch["pages"]),
        rules=[rule(kind, summary["ratio"][kind]) for kind in ("anon", "file")],
        facts=costs(reclaim) if reclaim else (),
        balance=fate_words.balance(reclaim["balance"]) if reclaim else "",
        tails=[tail(name, reclaim, here) for name in INACTIVE] if reclaim else (),
        table=table(doc["lists"], here),
    )


# -- the lists -------------------------------------------------------------------------------------


def brought(shown: Doc | None) -> Mapping[int, str]:
    """The list or batch to which the shown call brought pages, by their first frame."""
    return {pfn: where for pfn, _frames, where in (shown or {}).get("lru") or ()}


def row(
    size: Doc,
    ends: tuple[Sequence[ListedPage], Sequence[ListedPage]],
    between: int,
    came: Mapping[int, str],
) -> LruRow:
    """One list."""
    new = sum(where == size["name"] for where in came.values())
    folded = size["folded"] != size["pages"]
    first, last = ends
    return LruRow(
        name=size["name"],
        size=size["pages"],
        folded=_("decisions see %(pages)s", pages=wording.count(size["folded"])) if folded else "",
        pages=first or last,
        between=between,
        last=last if first else (),
        came=ngettext("%(num)s came by this call", "%(num)s came by this call", new) if new else "",
    )


def listed(
    page: Doc, name: str, here: Address, came: Mapping[int, str], ahead: Mapping[int, Doc]
) -> ListedPage:
    """One page."""
    fate = ahead.get(page["pfn"])
    words = "" if fate is None else fate_words.fate(fate["what"], fate["why"])
    parts = [_("frame %(pfn)s", pfn=wording.pfn(page["pfn"])), *marks(page)]
    moved = came.get(page["pfn"]) == name
    if moved:
        parts.append(_("came here by this call"))
    return ListedPage(
        href=here.at(page["pfn"]),
        state=page["state"],
        words=f"{', '.join(parts)}{'; ' if words else ''}{words}",
        referenced=page["referenced"],
        accessed=bool(page["accessed"]),
        moved=moved,
        fate="" if fate is None else fate["what"],
    )


def marks(page: Doc) -> list[str]:
    """What is true of a page."""
    found = [ngettext("mapped %(num)s time", "mapped %(num)s times", page["mapped"])]
    for key, words in (
        ("referenced", _("referenced")),
        ("accessed", _("accessed")),
        ("dirty", _("dirty")),
        ("writeback", _("being written")),
        ("workingset", _("was active before")),
    ):
        if page[key]:
            found.append(words)
    return found


def table(lists: Mapping[str, Doc], here: Address) -> TablePanel:
    """The drawn pages as a table."""
    return TablePanel(
        caption=_("Pages at both ends of each list, from the head on"),
        columns=((_("List"), False), (_("Place"), False), (_("Frame"), False), (_("Flags"), False)),
        rows=[
            (
                name,
                place(name_of_end, at, len(ends[name_of_end])),
                Link(wording.pfn(page["pfn"]), here.at(page["pfn"])),
                ", ".join(marks(page)),
            )
            for name, ends in lists.items()
            for name_of_end in ("head", "tail")
            for at, page in enumerate(ends[name_of_end])
        ],
        empty=_("No page stands on a list yet: they wait in batches of 15 first."),
    )


def place(end: str, at: int, pages: int) -> str:
    """Where a page stands."""
    if end == "head":
        return _("head + %(pages)s", pages=at) if at else _("head")
    behind = pages - 1 - at
    return _("tail − %(pages)s", pages=behind) if behind else _("tail")


# -- what decides ----------------------------------------------------------------------------------


def rule(kind: str, ratio: Doc) -> str:
    """Whether active pages are made inactive, with the numbers that decide."""
    given = {
        "kind": kind,
        "inactive": wording.count(ratio["inactive"]),
        "active": wording.count(ratio["active"]),
        "ratio": ratio["inactive_ratio"],
    }
    if ratio["inactive_is_low"]:
        return _(
            "%(kind)s: inactive %(inactive)s × %(ratio)s < active %(active)s: active pages are made inactive",
            **given,
        )
    return _("%(kind)s: inactive %(inactive)s × %(ratio)s ≥ active %(active)s: active pages stay", **given)


def costs(reclaim: Doc) -> list[Fact]:
    """What reclaim has cost lately, and how many pages came back."""
    age = _("pages that were evicted or activated since boot: the clock of refaults")
    back = _("refaults that activated, of anonymous and of file pages, when reclaim last ended")
    cost = _("what reclaim of this kind has cost lately: writes, and pages that came back")
    return [
        Fact("anon_cost", wording.count(reclaim["anon_cost"]), hint=cost),
        Fact("file_cost", wording.count(reclaim["file_cost"]), hint=cost),
        Fact("nonresident_age", wording.count(reclaim["nonresident_age"]), hint=age),
        Fact(
            "refaults",
            f"{wording.count(reclaim['refaults']['anon'])}, {wording.count(reclaim['refaults']['file'])}",
            hint=back,
        ),
    ]


def tail(name: str, reclaim: Doc, here: Address) -> Tail:
    """Who goes next of a list."""
    return Tail(
        name=name,
        when=when(reclaim["lists"][name]) if reclaim["next"][name] else "",
        table=TablePanel(
            caption=_("The next pages of %(list)s, that of the tail first", list=name),
            columns=((_("Frame"), False), (_("Whose"), False), (_("What becomes of it"), False)),
            rows=[
                (
                    Link(wording.pfn(page["pfn"]), here.at(page["pfn"])),
                    whose(page["owner"], here),
                    fate_words.fate(page["what"], page["why"]),
                )
                for page in reclaim["next"][name]
            ],
            empty=_("No page stands on this list."),
        ),
    )


def when(scan: Doc | None) -> str:
    """When a list is looked at."""
    if scan is None:
        return _("not looked at as things are")
    return ngettext(
        "looked at from priority %(priority)s on: %(num)s page then",
        "looked at from priority %(priority)s on: %(num)s pages then",
        scan["pages"],
        priority=scan["priority"],
    )


def whose(owner: Doc, here: Address) -> str | Link:
    """Whose page it is: a file's, which the page cache shows, or a process's."""
    if "file" in owner:
        text = _("%(file)s, page %(index)s", file=owner["file"], index=owner["index"])
        return Link(text, here.to(panel="pagecache", cached=owner["file"], row=None).href)
    if owner.get("task"):
        there = here.to(view="vm", pid=owner["pid"], va=owner["addr"], beside=None)
        return Link(f"{owner['task']}: {owner['addr']}", there.href)
    return ""


PANEL: Final = Panel("lru", N_("LRU"), read, view, cost)

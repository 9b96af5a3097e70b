"""The pages of an area: cell by cell, of a large one first in cells of several pages, and as a table."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from app.machine import vm_windows
from app.machine.machine import Machine
from app.mm.mm_types import MmStruct
from app.web import wording
from app.web.address import Address
from app.web.contexts.base import Fact, Link
from app.web.contexts.processes import AreaPages, PageCell, PageRow, PageTwin
from app.web.frame_states import LETTERS
from app.web.language import N_, _, ngettext
from app.web.vm.strip import at_address, name

Doc = Mapping[str, Any]

CELLS: Final = 32
ALL: Final = CELLS << 12
NOTHING: Final = "none"
# What is mapped and is no frame state of its own.
ZERO: Final = "zero"

WORDS: Final[Mapping[str, str]] = {
    NOTHING: N_("not present"),
    ZERO: N_("the zero page: nothing has been written here"),
    "anon": N_("anonymous page"),
    "file": N_("page of a file"),
    "shmem": N_("page of shared memory"),
    "hugetlb": N_("huge page of the pool"),
    "unevictable": N_("page kept by mlock"),
    "dirty": N_("page of a file, newer than the disk"),
    "writeback": N_("page of a file, being written to the disk"),
    "swapcache": N_("anonymous page with a place in swap"),
    "reserved": N_("a page of the kernel’s own"),
}


# The same in fewer words, beside a cell that is alike.
SHORT: Final[Mapping[str, str]] = {
    **WORDS,
    ZERO: N_("zero page"),
    "anon": N_("anonymous"),
    "file": N_("of a file"),
    "reserved": N_("the kernel’s own"),
}


def letter(state: str) -> str:
    """The letter of a state in a cell."""
    return "Z" if state == ZERO else LETTERS.get(state, "")


# -- reading ---------------------------------------------------------------------------------------


def read(machine: Machine, mm: MmStruct, address: int) -> Doc | None:
    """Read the pages of the area around an address: all in CELLS cells, and CELLS single ones."""
    at = vm_windows.area_at(mm, address)
    if at is None:
        return None
    vma = mm.mmap[at]
    start, first = vma.vm_start, window(vma.vm_start, vma.vm_end, address)
    shift = max(0, (vma.pages - 1).bit_length() - CELLS.bit_length() + 1)
    single = min(CELLS, (vma.vm_end - first) >> 12)
    return {
        "area": vm_windows.area(vma),
        "first": first,
        "single": vm_windows.pages(machine, mm, first, single),
        "shift": shift,
        "whole": vm_windows.cells(machine, mm, start, shift, -(-vma.pages >> shift)) if shift else None,
    }


def window(start: int, end: int, address: int) -> int:
    """Where the single pages around an address begin: of a long area whole stretches of CELLS are shown."""
    if end - start <= ALL:
        return start
    return max(start, min(start + (address - start) // ALL * ALL, end - 1 & -4096))


# -- showing ---------------------------------------------------------------------------------------


def area_pages(doc: Doc, here: Address, address: int, changed: Collection[int]) -> AreaPages:
    """Show them. changed: addresses of pages whose entries the shown call changed."""
    area, first = doc["area"], doc["first"]
    single: Sequence[Doc] = doc["single"]
    whole: Sequence[Doc] | None = doc["whole"]
    return AreaPages(
        name=name(area),
        range=f"{area['start']:#x}–{area['end']:#x}",
        rights=area["rights"],
        facts=facts(doc),
        whole=None if whole is None else whole_row(whole, doc["shift"], here, address),
        single=PageRow(
            title=_("one cell a page"),
            start=f"{first:#x}",
            cells=[cell(page, here, address, changed) for page in single],
            earlier=Link("◂", at_address(here, max(area["start"], first - ALL)), hint=_("Pages before"))
            if first > area["start"]
            else None,
            later=Link("▸", at_address(here, first + ALL), hint=_("Pages behind"))
            if first + (len(single) << 12) < area["end"]
            else None,
        ),
        key=key([*single, *(whole or ())]),
        rows=[twin(page, here) for page in single if page["pfn"] is not None],
    )


def key(pages: Sequence[Doc]) -> list[PageCell]:
    """One cell of each kind that is shown, with what it means."""
    states = dict.fromkeys(page["state"] for page in pages)
    found = [PageCell("", state, _(SHORT.get(state, state)), False) for state in states]
    protected = next((page["state"] for page in pages if page.get("protected")), None)
    if protected is not None:
        words = _("underlined: copied by the first write")
        found.append(PageCell("", protected, words, False, protected=True))
    return found


def facts(doc: Doc) -> list[Fact]:
    """How large the area is, how much of it is present, and what file stands behind it."""
    area = doc["area"]
    pages = (area["end"] - area["start"]) >> 12
    shown = doc["whole"]
    present = (
        sum(page["pfn"] is not None for page in doc["single"])
        if shown is None
        else sum(each["present"] for each in shown)
    )
    found = [
        Fact(
            _("present"),
            _("%(present)s of %(pages)s pages", present=wording.count(present), pages=wording.count(pages)),
        )
    ]
    if area["file"]:
        found.append(Fact(_("file"), f"{area['name']} +{area['offset']:#x}"))
    return found


def whole_row(cells: Sequence[Doc], shift: int, here: Address, address: int) -> PageRow:
    """The whole area, several pages in a cell."""
    size = 1 << shift + 12
    return PageRow(
        title=ngettext("one cell is %(num)s page", "one cell is %(num)s pages", 1 << shift),
        start=f"{cells[0]['addr']:#x}",
        cells=[
            PageCell(
                href=at_address(here, each["addr"]),
                state=each["state"],
                words=_(
                    "%(address)s: %(present)s of %(pages)s pages present",
                    address=f"{each['addr']:#x}",
                    present=wording.count(each["present"]),
                    pages=wording.count(each["pages"]),
                ),
                current=each["addr"] <= address < each["addr"] + size,
                part=-(-10 * each["present"] // each["pages"]),
            )
            for each in cells
        ],
        earlier=None,
        later=None,
    )


def cell(page: Doc, here: Address, address: int, changed: Collection[int]) -> PageCell:
    """One page as a cell."""
    at = page["addr"]
    return PageCell(
        href=at_address(here, at),
        state=page["state"],
        words=f"{at:#x}: {what(page)}",
        current=at <= address < at + 4096,
        protected=bool(page.get("protected")),
        changed=at in changed,
    )


def state_words(state: str) -> str:
    """What a page in that state is, in words."""
    return _(WORDS.get(state, state))


def what(page: Doc) -> str:
    """What is at a page, in words."""
    words = state_words(page["state"])
    if page["pfn"] is None:
        return words
    found = [words, _("frame %(pfn)s", pfn=wording.pfn(page["pfn"]))]
    if page["maps"] > 1:
        found.append(ngettext("mapped %(num)s time", "mapped %(num)s times", page["maps"]))
    if page.get("protected"):
        found.append(_("write-protected: the first write copies it"))
    return ", ".join(found)


def twin(page: Doc, here: Address) -> PageTwin:
    """The same as a row of the table."""
    pfn = page["pfn"]
    return PageTwin(
        address=f"{page['addr']:#x}",
        href=at_address(here, page["addr"]),
        what=state_words(page["state"]),
        frame=Link(wording.pfn(pfn), here.at(pfn)),
        share=f"1/{page['maps']}" if page["maps"] else "",
        flags=page["flags"],
    )


def changed_pages(shown: Doc | None, task: str, first: int) -> set[int]:
    """Addresses of single pages in the window from `first` on whose entries the shown call changed."""
    found: set[int] = set()
    for name_, at, pages, _what in (shown or {}).get("pte") or ():
        start = int(at, 16)
        if name_ == task:
            low, high = max(start, first), min(start + (pages << 12), first + ALL)
            found.update(range(low, high, 4096))
    return found

"""The panel of the page cache: files with what is cached of each, and the pages of one by their index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from app.machine import file_views, show_cost
from app.machine.machine import Machine
from app.web import wording
from app.web.address import Address
from app.web.contexts.base import Fact, Link, TablePart
from app.web.contexts.panels import PanelView, TablePanel
from app.web.language import N_, _, ngettext
from app.web.panels.base import Panel, Seen
from app.web.tableparts import first_of, part_of

Doc = Mapping[str, Any]

FILES: Final = 40
PAGES: Final = 128
# What is said of a cached page, in the order of the kernel's flags.
FLAGS: Final[Mapping[str, str]] = {
    "locked": N_("locked"),
    "referenced": N_("referenced"),
    "dirty": N_("newer than the disk"),
    "active": N_("active"),
    "writeback": N_("being written"),
    "readahead": N_("its use starts the next read-ahead"),
}


@dataclass(frozen=True, slots=True)
class CachedPage:
    """A page of the file that is shown."""

    href: str | None
    """the frame in the inspector; None for a page that is not cached"""
    state: str
    """`file`, `dirty`, `writeback`, `evicted` or `none`"""
    words: str
    """index, frame and flags"""
    ahead: bool
    """True for pages that the last read-ahead brought"""
    mark: bool
    """True where the next read-ahead begins"""
    referenced: bool = False
    """True where it was used once since it came to its place"""


@dataclass(frozen=True, slots=True)
class CachedFile:
    """The file whose pages are shown."""

    path: str
    """its path"""
    facts: Sequence[Fact]
    """cached, dirty and mapped"""
    pages: Sequence[CachedPage]
    """a stretch of its pages"""
    evicted: int
    """how many of them reclaim has taken"""
    part: TablePart | None
    """the way to the others"""
    rows: TablePanel
    """the cached ones of them as a table"""


@dataclass(frozen=True, slots=True)
class PageCachePanel(PanelView):
    """The page cache by file."""

    TEMPLATE: ClassVar[str] = "machine/panels/pagecache.html"
    file: CachedFile | None
    """the file whose pages are shown"""
    table: TablePanel
    """the files"""


def read(machine: Machine, here: Address, _zone: Doc) -> dict[str, Any]:
    """Read the files, and a stretch of the pages of one: of the one that is named, else the first cached."""
    files = file_views.files(machine, 0, FILES)
    found: Sequence[Doc] = files["files"]
    path = chosen(machine, here, found)
    if path is None:
        return {"files": files, "file": None, "first": 0}
    line = file_views.file(machine, path, None, 0)
    first = first_of(here.row or 0, line["nr_pages"], PAGES)
    return {
        "files": files,
        "file": file_views.file(machine, path, first - 1, PAGES),
        "first": first,
        "evicted": file_views.evicted(machine, path, first, first + PAGES),
    }


def chosen(machine: Machine, here: Address, files: Sequence[Doc]) -> str | None:
    """The file whose pages are shown."""
    if here.cached is not None and here.cached in machine.vm.inodes:
        return here.cached
    return next((line["path"] for line in files if line["cached"]), None)


def cost(machine: Machine, here: Address) -> int:
    """About how much work that is: of the shown file all cached pages are looked at."""
    inode = machine.vm.inodes.get(here.cached or "")
    largest = max((len(each.i_pages) for each in machine.vm.inodes.values()), default=0)
    cached = largest if inode is None else len(inode.i_pages)
    return show_cost.files(machine, 0, FILES) + 4 * PAGES + 2 * cached // show_cost.COUNTED


def view(seen: Seen) -> PageCachePanel:
    """Show the files, and the pages of one."""
    doc, here = seen.doc, seen.here
    file = doc["file"]
    return PageCachePanel(
        file=None if file is None else cached_file(file, doc["first"], doc["evicted"], here),
        table=files_table(doc["files"], file and file["path"], here),
    )


def files_table(files: Doc, path: str | None, here: Address) -> TablePanel:
    """The files."""
    return TablePanel(
        caption=_("Files: what was read once stays in memory until that is needed for something else."),
        columns=(
            (_("File"), False),
            (_("On"), False),
            (_("Pages"), True),
            (_("Cached"), True),
            (_("Evicted"), True),
            (_("Open"), True),
            (_("Areas"), True),
        ),
        rows=[
            (
                Link(line["path"], here.to(cached=line["path"], row=None).href, line["path"] == path),
                line["fs"],
                wording.count(line["nr_pages"]),
                wording.count(line["cached"]),
                wording.count(line["evicted"]),
                wording.count(line["opens"]),
                wording.count(line["mapped_by"]),
            )
            for line in files["files"]
        ],
        empty=_("There are no files."),
    )


def cached_file(file: Doc, first: int, evicted: Mapping[int, Doc], here: Address) -> CachedFile:
    """A stretch of a file's pages."""
    end = min(file["nr_pages"], first + PAGES)
    cached = {page["index"]: page for page in file["pages"] if page["index"] < end}
    windows: Sequence[Doc] = file["readahead"]
    return CachedFile(
        path=file["path"],
        facts=facts(file),
        pages=[
            cell(index, cached.get(index), evicted.get(index), windows, here) for index in range(first, end)
        ],
        evicted=len(evicted),
        part=part_of(lambda row: here.to(row=row or None).href, first, file["nr_pages"], PAGES),
        rows=pages_table(list(cached.values()), evicted, here),
    )


def facts(file: Doc) -> list[Fact]:
    """How much of the file is cached, dirty, being written."""
    found = [
        Fact(
            _("cached"),
            _(
                "%(cached)s of %(pages)s pages",
                cached=wording.count(file["cached"]),
                pages=wording.count(file["nr_pages"]),
            ),
        ),
        Fact(_("newer than the disk"), wording.count(file["dirty"])),
    ]
    if file["evicted"]:
        hint = _("pages that reclaim took; it remembers when, to know a page that comes back too soon")
        found.append(Fact(_("evicted"), wording.count(file["evicted"]), hint=hint))
    if file["writeback"]:
        found.append(Fact(_("being written"), wording.count(file["writeback"])))
    found += [
        Fact(
            _("read ahead for %(task)s", task=window["task"]),
            window_words(window),
        )
        for window in file["readahead"]
        if window["size"]
    ]
    return found


def window_words(window: Doc) -> str:
    """Which pages the last read-ahead was for, and where the next one begins."""
    pages = f"{window['start']}–{window['start'] + window['size'] - 1}"
    if window["mark"] is None:
        return pages
    return _("%(pages)s, the next when page %(mark)s is used", pages=pages, mark=window["mark"])


def cell(
    index: int, page: Doc | None, evicted: Doc | None, windows: Sequence[Doc], here: Address
) -> CachedPage:
    """One page of the file. evicted: what reclaim remembers of it."""
    ahead = any(window["start"] <= index < window["start"] + window["size"] for window in windows)
    mark = any(window["mark"] == index for window in windows)
    if page is not None:
        return CachedPage(here.at(page["pfn"]), state(page), words(page), ahead, mark, page["referenced"])
    if evicted is None:
        return CachedPage(None, "none", _("page %(index)s: not cached", index=index), ahead, mark)
    return CachedPage(None, "evicted", evicted_words(index, evicted), ahead, mark)


def evicted_words(index: int, evicted: Doc) -> str:
    """What would become of a page that reclaim took, were it read now."""
    given = {
        "index": index,
        "distance": wording.count(evicted["distance"]),
        "size": wording.count(evicted["size"]),
    }
    if evicted["active"]:
        return _(
            "page %(index)s: evicted %(distance)s evictions and activations ago; read now, it would be "
            "active at once: it competes with %(size)s pages",
            **given,
        )
    return _(
        "page %(index)s: evicted %(distance)s evictions and activations ago, more than the %(size)s pages "
        "with which it competes; read now, it would begin inactive",
        **given,
    )


def state(page: Doc) -> str:
    """What a cached page is shown as."""
    if page["writeback"]:
        return "writeback"
    return "dirty" if page["dirty"] else "file"


def words(page: Doc) -> str:
    """One cached page, in words."""
    return ", ".join(
        [
            _("page %(index)s", index=page["index"]),
            _("frame %(pfn)s", pfn=wording.pfn(page["pfn"])),
            ngettext("mapped %(num)s time", "mapped %(num)s times", page["mapcount"]),
            *flags(page),
        ]
    )


def flags(page: Doc) -> list[str]:
    """What else is true of it."""
    return [_(text) for name, text in FLAGS.items() if page[name]]


def pages_table(pages: Sequence[Doc], evicted: Mapping[int, Doc], here: Address) -> TablePanel:
    """The cached pages as a table, and those that were evicted."""
    rows: dict[int, Sequence[str | Link]] = {
        index: (str(index), "", "", _("evicted"), evicted_words(index, page))
        for index, page in evicted.items()
    }
    for page in pages:
        rows[page["index"]] = (
            str(page["index"]),
            Link(wording.pfn(page["pfn"]), here.at(page["pfn"])),
            wording.count(page["mapcount"]),
            page["lru"] or "",
            ", ".join(flags(page)),
        )
    return TablePanel(
        caption=_("The cached and evicted pages of this stretch"),
        columns=(
            (_("Page"), True),
            (_("Frame"), False),
            (_("Mapped"), True),
            (_("List"), False),
            (_("Flags"), False),
        ),
        rows=[rows[index] for index in sorted(rows)],
        empty=_("No page of this stretch is cached."),
    )


PANEL: Final = Panel("pagecache", N_("Page cache"), read, view, cost)

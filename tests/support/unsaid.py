"""What a page says that nobody could translate: it is in no brackets where `pseudo` is the language."""

import re
from collections.abc import Iterable
from html.parser import HTMLParser

from app.demos import Library
from app.exercises.library import Library as Exercises
from app.machine import boot
from app.machine.entry import CALLS
from app.mm import gfp
from app.mm.page import PAGE_FLAG_NAMES
from app.web.fields import beside
from app.web.frame_states import LETTERS
from app.web.panels.lists import TYPES
from tests.support.pseudo import CLOSE, OPEN

READ_OUT = ("title", "aria-label", "placeholder", "alt", "aria-valuetext")
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}

# Whose words are not the pages': by element, where all of these names are around it, …
ALLOWED = [
    set(names.split())
    for names in (
        *("code", "pre", "kbd", "option", "datalist", ".mono", ".mark", ".c-type"),  # code, numbers, names
        *(
            ".verdict",
            ".state",
            ".map-svg title",
            ".vmspace a",
            ".chain-name",
            ".mark-name",
            ".physical-label",
        ),  # the API's words
        *(".refusal li", ".timeline .refusal", ".fault", ".task", ".deadlock text"),  # … details, typed names
        *(".step-what p", ".step-file", ".step-numbers", ".moment-what"),  # the kernel's decisions
        *(".asked", ".zone-name"),  # what an exercise asks, whose clock
        *(".prose", ".profiles .soft", "#new-name"),  # demos, what a profile is, an example
    )
]

# … by word …
NAMES = re.compile(r"\b0x[0-9a-f]+\b|\b\w*_\w*\b|\b([KMGT]iB|kmemlab|DMA|DMA32|Normal|HighMem|Movable)\b")


def vocabulary() -> set[str]:
    """… and by text: what the kernel, the API and the demos call things, and what they say of them."""
    args = [arg for spec in CALLS.values() for arg in spec.args]
    demos = Library().demos().values()
    exercises = Exercises().exercises().values()
    said = {
        *(spec.doc for spec in CALLS.values()),
        *(text for arg in args for text in (arg.name, arg.doc)),
        *(name.doc for name in gfp.NAMES),
        *(str(profile[key]) for profile in boot.profiles() for key in ("name", "note")),
        *(text for demo in demos for text in (demo.title, demo.teaser, *(step.title for step in demo.steps))),
        *(text for one in exercises for text in (one.title, one.teaser, f"{one.title}, owner")),
        *(*LETTERS, *TYPES, *PAGE_FLAG_NAMES, *beside(CALLS["alloc_pages"]), *beside(CALLS["__free_pages"])),
        *("struct page", "struct page *", "mapping", "index", "virtual", "pageblock", "ksize", "krealloc…"),
        *("/proc", "pid", "NULL", "Linux 6.1.192", "movablecore", "kmalloc-256", "demo"),
        *("min", "low", "high"),  # marks of a zone
        # The API's details.
        *("this path takes another method: see Allow", "only an instructor may do this"),
        "only the lab's instructor may do this",
        "b at 4",  # a fork of session b
    }  # fmt: skip
    return {plain(text) for text in said if text}


def plain(text: str) -> str:
    """What is left of a text without names and numbers."""
    return NAMES.sub("", text).strip(" \n·:,–")


class Unsaid(HTMLParser):
    """What of a page stands outside of the brackets, with the element that it is in."""

    def __init__(self, known: set[str]) -> None:
        super().__init__()
        self.known = known
        self.found: list[tuple[str, str]] = []
        self.stack: list[set[str]] = []
        self.depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        names = {tag, *(f".{name}" for name in given.get("class", "").split()), f"#{given.get('id', '')}"}
        self.stack.append(names)
        for name in READ_OUT:
            if name in given:
                self.look(name, self.outside(given[name], 0)[0])
        if tag in VOID:
            self.stack.pop()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.stack.pop()

    def handle_endtag(self, tag: str) -> None:
        while self.stack and tag not in self.stack.pop():
            pass

    def handle_data(self, data: str) -> None:
        if data.isspace():
            return
        text, self.depth = self.outside(data, self.depth)
        self.look("", text)
        for number in re.findall(r"\b\d{1,3},\d{3}\b", data):
            self.look("is grouped as in English:", f"number {number}")

    def outside(self, text: str, depth: int) -> tuple[str, int]:
        """The part of a text that is in no brackets; how deep its end is in them."""
        found = []
        for part in re.split(f"([{OPEN}{CLOSE}])", text):
            depth += (part == OPEN) - (part == CLOSE)
            found += [part] if not depth and part != CLOSE else []
        return "".join(found), depth

    def look(self, attribute: str, text: str) -> None:
        left = plain(text)
        if not re.search(r"[^\W\d_]{2}", left) or left in self.known:
            return
        around = set().union(*self.stack)
        if not any(names <= around for names in ALLOWED):
            where = " ".join(sorted(max(names_, key=len) for names_ in self.stack[-3:]))
            self.found.append((f"{where} {attribute}", left))


def unsaid(pages: Iterable[tuple[str, str]], typed: Iterable[str] = ()) -> dict[tuple[str, str], str]:
    """By element and text, the first page on which it is. typed: what a person has called things."""
    known = vocabulary() | {plain(text) for text in typed}
    found: dict[tuple[str, str], str] = {}
    for name, page in pages:
        parser = Unsaid(known)
        parser.feed(page)
        assert parser.depth == 0, name
        for one in parser.found:
            found.setdefault(one, name)
    return found

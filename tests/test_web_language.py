"""The pages in another language: one that is made for the test, in which every text stands in ⟦brackets⟧."""

import json
import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po
from starlette.testclient import TestClient

from app.demos import Library
from app.mm import boot, gfp
from app.mm.page import PAGE_FLAG_NAMES
from app.mm.vocabulary import CALLS
from app.web.assets import FOR_GOOD
from app.web.fields import beside
from app.web.framemap import LETTERS
from app.web.language import ENGLISH, N_, _, decimal, ngettext, speaking
from app.web.languages import DIRECTORY, TEMPLATE, Languages, wanted
from app.web.lists import TYPES
from tests.every_page import every_page, made
from tests.pseudo import CLOSE, OPEN, bracketed, known
from tests.served import build, client_of
from tests.text import template


@pytest.fixture(scope="module")
def languages(tmp_path_factory: pytest.TempPathFactory) -> Languages:
    return bracketed(tmp_path_factory.mktemp("locale"))


@pytest.fixture(scope="module")
def client(languages: Languages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with known(languages), client_of(build(tmp_path_factory.mktemp("pages"))) as client:
        yield client


# -- catalogues ----------------------------------------------------------------------------------------------


def test_the_template_is_what_the_sources_say() -> None:
    assert (DIRECTORY / TEMPLATE).read_bytes() == template(), "make text"


def test_catalogues_are_right() -> None:
    assert [wrong for path in DIRECTORY.glob("*.po") for wrong in wrong_in(path)] == []


def wrong_in(path: Path) -> list[str]:
    """Translations with other placeholders or tags than what they translate: a page would break."""
    with path.open("rb") as file:
        messages = [message for message in read_po(file, path.stem) if message.id and message.string]
    return [
        f"{path.name}: {message.id}"
        for message in messages
        if marks_in(message.id) != marks_in(message.string)
    ]


def marks_in(texts: str | Iterable[str]) -> set[str]:
    """The placeholders and tags of a text, or of all forms of one."""
    forms = [texts] if isinstance(texts, str) else list(texts)
    return {mark for form in forms for mark in re.findall(r"%\(\w+\)s|<[^>]*>", form)}


@pytest.mark.parametrize(
    ("text", "said"),
    [("%(n)s frames", "Frames"), ("%(n)s frames", "%(m)s Frames"), ("<b>now</b>", "<i>jetzt</i>")],
)
def test_wrong_catalogues_are_noticed(text: str, said: str, tmp_path: Path) -> None:
    catalogue = Catalog(locale="de")
    catalogue.add(text, said)
    with (tmp_path / "de.po").open("wb") as file:
        write_po(file, catalogue)
    assert wrong_in(tmp_path / "de.po")


# -- saying --------------------------------------------------------------------------------------------------


def test_english_needs_no_catalogue() -> None:
    assert _("100 % of %(name)s") == "100 % of %(name)s"
    assert _("%(name)s’s pages", name="bob") == "bob’s pages"
    assert _("") == ""
    assert N_("later") == "later"
    assert [ngettext("%(num)s frame", "%(num)s frames", number) for number in (1, 4096)] == [
        "1 frame",
        "4,096 frames",
    ]
    assert (decimal(1310720), decimal(15.94, 1)) == ("1,310,720", "15.9")


def test_another_language_has_words_and_numbers_of_its_own(languages: Languages) -> None:
    token = speaking.set(languages.known["de"])
    try:
        assert _("Your sessions") == "⟦Your sessions⟧"
        assert _("nobody says this") == "nobody says this"
        assert _("") == ""
        assert (decimal(1310720), decimal(15.94, 1)) == ("1.310.720", "15,9")
    finally:
        speaking.reset(token)


@pytest.mark.parametrize(
    ("accepted", "code"),
    [
        ("", "en"), ("*", "en"), ("de", "de"), ("de-AT, en;q=0.5", "de"), ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("fr, de;q=0.1", "de"), ("de;q=0", "en"), ("de;q=x", "en"), (";;q=,,", "en"), ("x" * 9000, "en"),
    ],
)  # fmt: skip
def test_a_request_is_answered_in_the_language_that_it_wants_most(
    languages: Languages, accepted: str, code: str
) -> None:
    assert languages.of(accepted).code == code


def test_wishes_are_read_in_order() -> None:
    assert wanted("a;q=0.1, b , c;q=0.9,d;q=0") == ["b", "c", "a"]


# -- pages ---------------------------------------------------------------------------------------------------


def test_a_page_says_its_language_and_is_kept_by_nobody(client: TestClient) -> None:
    for accepted, code in (("de", "de"), ("fr", "en")):
        answer = client.get("/", headers={"Accept-Language": accepted})
        assert f'<html lang="{code}"' in answer.text
        assert "Accept-Language" in answer.headers["vary"]
        assert answer.headers["cache-control"] == "no-store"
    assert '<html lang="de"' in client.get("/nowhere", headers={"Accept-Language": "de"}).text


def test_a_refusal_is_titled_in_the_language(client: TestClient) -> None:
    path, _seq = made(client, "f", {"profile": "tiny-16m"}, [])
    answer = client.post(f"{path}/undo", data={"view": ""}, headers={"Accept-Language": "de"})
    assert "<b>⟦Nothing was taken back⟧.</b>" in answer.text
    answer = client.post("/sessions", files={"file": ("x", b"[")}, headers={"Accept-Language": "de"})
    assert "⟦No machine was created⟧" in answer.text
    assert "<code>⟦line 1⟧</code>: ⟦this file is not JSON: " in answer.text


def test_a_picture_is_described_in_the_language_of_who_looks(client: TestClient) -> None:
    path, _seq = made(client, "f", {"profile": "tiny-16m"}, [])
    for accepted, said in (
        ("de", "⟦25 % in use; cells of reserved 25 %⟧"),
        ("en", "25 % in use; cells of reserved 25 %"),
    ):
        answer = client.get(f"{path}/thumbnail.svg?seq=0", headers={"Accept-Language": accepted})
        assert "Accept-Language" in answer.headers["vary"]
        assert f'aria-label="{said}"' in answer.text


def test_one_request_does_not_speak_for_the_next(client: TestClient) -> None:
    assert "⟦Your sessions⟧" in client.get("/", headers={"Accept-Language": "de"}).text
    assert OPEN not in client.get("/").text
    assert speaking.get() is ENGLISH


def test_scripts_have_a_file_of_their_texts(client: TestClient, languages: Languages) -> None:
    page = client.get("/", headers={"Accept-Language": "de"}).text
    (address,) = set(re.findall(r'data-texts="([^"]*)"', page))
    assert f'href="{address}" as="fetch"' in page
    answer = client.get(address)
    assert answer.headers["cache-control"] == FOR_GOOD
    said = answer.json()
    assert said["Copied"] == "⟦Copied⟧"
    assert "Your sessions" not in said
    assert client.get("/texts/de-0000000000000000.json").status_code == 404
    assert "data-texts" not in client.get("/").text


def test_a_form_of_a_word_has_the_name_that_browsers_give_it(tmp_path: Path) -> None:
    one, other = "%(num)s frame", "%(num)s frames"
    catalogue = Catalog(locale="pl")
    catalogue.add((one, other), ("ramka", "ramki", "ramek"))
    with (tmp_path / "pl.po").open("wb") as file:
        write_po(file, catalogue)
    template_ = Catalog()
    template_.add((one, other), locations=[("static/js/map.js", 1)])
    with (tmp_path / TEMPLATE).open("wb") as file:
        write_po(file, template_)
    scripts = Languages(tmp_path).known["pl"].scripts
    assert scripts is not None
    assert json.loads(scripts.content)[one] == {"one": "ramka", "few": "ramki", "many": "ramek"}


# -- every page ----------------------------------------------------------------------------------------------

READ_OUT = ("title", "aria-label", "placeholder", "alt", "aria-valuetext")
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}

# Whose words are not the pages': by element, where all of these names are around it, …
ALLOWED = [
    set(names.split())
    for names in (
        *("code", "pre", "kbd", "option", "datalist", ".mono", ".mark", ".c-type"),  # code, numbers, names
        *(".verdict", ".state", ".map-svg title", ".vmspace a", ".chain-name", ".marks"),  # the API's words
        *(".refusal li", ".timeline .refusal", ".fault", ".task", ".deadlock text"),  # … details, typed names
        *(".step-what p", ".step-file", ".step-numbers", ".moment-what"),  # the kernel's decisions
        *(".prose", ".profiles .soft", "#new-name"),  # demos, what a profile is, an example
    )
]

# … by word …
NAMES = re.compile(r"\b0x[0-9a-f]+\b|\b\w*_\w*\b|\b([KMGT]iB|kmemlab|DMA|DMA32|Normal|HighMem|Movable)\b")


def vocabulary() -> set[str]:
    """… and by text: what the kernel, the API and the demos call things, and what they say of them."""
    args = [arg for spec in CALLS.values() for arg in spec.args]
    demos = Library().demos().values()
    said = {
        *(spec.doc for spec in CALLS.values()),
        *(text for arg in args for text in (arg.name, arg.doc)),
        *(name.doc for name in gfp.NAMES),
        *(str(profile[key]) for profile in boot.profiles() for key in ("name", "note")),
        *(text for demo in demos for text in (demo.title, demo.teaser, *(step.title for step in demo.steps))),
        *(*LETTERS, *TYPES, *PAGE_FLAG_NAMES, *beside(CALLS["alloc_pages"]), *beside(CALLS["__free_pages"])),
        *("struct page", "struct page *", "mapping", "index", "virtual", "pageblock", "ksize", "krealloc…"),
        *("/proc", "pid", "NULL", "Linux 6.1.192", "movablecore", "kmalloc-256", "demo"),
        "this path takes another method: see Allow",
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
            self.look(name, self.outside(given.get(name, ""), 0)[0])
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
        around, left = set().union(*self.stack), plain(text)
        if not re.search(r"[^\W\d_]{2}", left) or left in self.known:
            return
        if not any(names <= around for names in ALLOWED):
            where = " ".join(sorted(max(names_, key=len) for names_ in self.stack[-3:]))
            self.found.append((f"{where} {attribute}", left))


def test_nothing_is_said_that_cannot_be_translated(client: TestClient) -> None:
    client.headers["Accept-Language"] = "de"
    known, unsaid = vocabulary(), {}
    for name, page in every_page(client):
        parser = Unsaid(known)
        parser.feed(page)
        for found in parser.found:
            unsaid.setdefault(found, name)
    del client.headers["Accept-Language"]
    assert unsaid == {}

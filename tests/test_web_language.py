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

from app.web.assets import FOR_GOOD
from app.web.language import (
    DIRECTORY,
    ENGLISH,
    N_,
    TEMPLATE,
    Languages,
    _,
    decimal,
    ngettext,
    speaking,
    wanted,
)
from tests.every_page import every_page
from tests.served import build, client_of
from tests.text import template

OPEN, CLOSE = "⟦", "⟧"


def bracketed(folder: Path, code: str = "de") -> Path:
    """A folder with the template, and a language that says everything in brackets."""
    with (DIRECTORY / TEMPLATE).open("rb") as file:
        messages = list(read_po(file))
    catalogue = Catalog(locale=code)
    for message in filter(lambda message: message.id, messages):
        ids = [message.id] if isinstance(message.id, str) else list(message.id)
        said = [f"{OPEN}{text}{CLOSE}" for text in ids]
        catalogue.add(message.id, said[0] if isinstance(message.id, str) else tuple(said))
    with (folder / f"{code}.po").open("wb") as file:
        write_po(file, catalogue)
    (folder / TEMPLATE).write_bytes((DIRECTORY / TEMPLATE).read_bytes())
    return folder


@pytest.fixture(scope="module")
def languages(tmp_path_factory: pytest.TempPathFactory) -> Languages:
    return Languages(bracketed(tmp_path_factory.mktemp("locale")))


@pytest.fixture(scope="module")
def client(languages: Languages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.web.Languages", lambda: languages)
        with client_of(build(tmp_path_factory.mktemp("pages"))) as client:
            yield client


# -- catalogues ----------------------------------------------------------------------------------------------


def test_the_template_is_what_the_sources_say() -> None:
    assert (DIRECTORY / TEMPLATE).read_bytes() == template(), "make text"


def test_catalogues_are_right() -> None:
    assert [wrong for path in DIRECTORY.glob("*.po") for wrong in wrong_in(path)] == []


def wrong_in(path: Path) -> list[str]:
    """Translations with other placeholders or other tags than what they translate, which would break a page."""
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

# Whose words are not the pages': code and identifiers, what a person typed, and what the kernel and the API say.
ALLOWED = {
    *("code", "pre", "kbd", "option", "datalist", "script", ".mono", ".mark", ".c-type"),
    *(".verdict", ".state", ".cell-state"),
}
WORDS = re.compile(
    r"\b0x[0-9a-f]+\b|\b(B|KiB|MiB|GiB|TiB|DMA|DMA32|Normal|HighMem|Movable|kmemlab|NULL)\b", re.IGNORECASE
)


class Unsaid(HTMLParser):
    """What of a page stands outside of the brackets, with the element that it is in."""

    def __init__(self) -> None:
        super().__init__()
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

    def outside(self, text: str, depth: int) -> tuple[str, int]:
        """The part of a text that is in no brackets; how deep its end is in them."""
        found = ""
        for char in text:
            depth += (char == OPEN) - (char == CLOSE)
            found += char if not depth and char != CLOSE else ""
        return found, depth

    def look(self, attribute: str, text: str) -> None:
        names = set().union(*self.stack)
        if re.search(r"[^\W\d_]{2}", WORDS.sub("", text)) and not names & ALLOWED:
            where = " ".join(sorted(max(names_, key=len) for names_ in self.stack[-3:]))
            self.found.append((f"{where} {attribute}", text.strip()))


def test_nothing_is_said_that_cannot_be_translated(client: TestClient) -> None:
    client.headers["Accept-Language"] = "de"
    unsaid: dict[tuple[str, str], str] = {}
    for name, page in every_page(client):
        parser = Unsaid()
        parser.feed(page)
        for found in parser.found:
            unsaid.setdefault(found, name)
    del client.headers["Accept-Language"]
    assert unsaid == {}

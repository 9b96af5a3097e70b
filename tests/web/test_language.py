"""The pages in another language: one that is made for the test, in which every text stands in ⟦brackets⟧."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po
from starlette.testclient import TestClient

from app.web.assets import FOR_GOOD
from app.web.language import ENGLISH, N_, _, decimal, ngettext, speaking
from app.web.languages import DIRECTORY, TEMPLATE, Languages, wanted
from tests.support import two_labs
from tests.support.every_page import every_page, every_page_of_a_lab, made
from tests.support.pseudo import OPEN, bracketed, known
from tests.support.served import build, client_of
from tests.support.text import template
from tests.support.unsaid import unsaid


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
        messages = [message for message in read_po(file, path.stem) if message.id and all(forms(message))]
    return [
        f"{path.name}: {message.id}"
        for message in messages
        if marks_in(message.id) != marks_in(forms(message))
    ]


def forms(message: Message) -> list[str]:
    """What is said for a text in each of its forms; an empty one is not translated yet."""
    return [message.string] if isinstance(message.string, str) else list(message.string or [""])


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


def test_what_is_not_translated_yet_is_english(tmp_path: Path) -> None:
    catalogue = Catalog(locale="ko")
    catalogue.add(("%(num)s frame", "%(num)s frames"), ("",))
    catalogue.add("Copy", "")
    catalogue.add("Save", "저장?", flags=["fuzzy"])
    with (tmp_path / "ko.po").open("wb") as file:
        write_po(file, catalogue)
    (tmp_path / TEMPLATE).write_bytes((DIRECTORY / TEMPLATE).read_bytes())
    assert wrong_in(tmp_path / "ko.po") == []
    token = speaking.set(Languages(tmp_path).known["ko"])
    try:
        assert [_("Copy"), _("Save"), ngettext("%(num)s frame", "%(num)s frames", 2)] == [
            "Copy",
            "Save",
            "2 frames",
        ]
    finally:
        speaking.reset(token)


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


def test_what_cannot_be_translated_is_noticed() -> None:
    page = '<h2>Zones <b>⟦of <i>all</i> nodes⟧</b></h2><code>kfree</code><input title="Close"><p>⟦4,096⟧</p>'
    found = {text for _where, text in unsaid([("page", page)])}
    assert found == {"Zones", "Close", "number 4,096"}


@pytest.mark.slow
def test_nothing_is_said_that_cannot_be_translated(client: TestClient) -> None:
    client.headers["Accept-Language"] = "de"
    assert unsaid(every_page(client)) == {}
    del client.headers["Accept-Language"]


@pytest.mark.slow
def test_nothing_is_said_in_a_lab_that_cannot_be_translated(
    languages: Languages, tmp_path_factory: pytest.TempPathFactory
) -> None:
    world = two_labs.make(tmp_path_factory.mktemp("labs"))
    with known(languages), two_labs.serving(world, tmp_path_factory.mktemp("served")) as client:
        client.headers["Accept-Language"] = "de"
        teacher = two_labs.by_token(world.tokens["instructor"])
        acts = client.get("/api/v1/audit", headers=teacher).json()["items"]
        done = {str(act[part]) for act in acts for part in ("act", "detail")}
        typed = {
            "Buddies",
            "Split and *merge*",
            "two pages",
            "prepared, owner",
            "member, watcher, operator",  # who have done nothing
            "Ada",
            "Sheet 1",
            *("m1 owner", "1.1 What a split leaves", "m1 owner: 1.1 What a split leaves"),
            *("first", "second", "third", "order"),  # values of the exercise
            *world.sessions,
            *two_labs.ROLES,
        }
        assert unsaid(every_page_of_a_lab(client, world), typed | done) == {}

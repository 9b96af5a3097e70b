"""What scripts say in another language, in Chromium; in English they ask the server for nothing."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.patience import PATIENCE_MS
from tests.support.pseudo import bracketed, known
from tests.support.served import build, listening


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    languages = bracketed(tmp_path_factory.mktemp("locale"))
    with known(languages), listening(build(tmp_path_factory.mktemp("language"))) as address:
        yield address


@pytest.fixture
def german(browser: Browser) -> Iterator[Page]:
    """A page of somebody who reads German, on which nothing may be complained of."""
    context = browser.new_context(locale="de-AT")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    said: list[str] = []
    page.on(
        "console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None
    )
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    assert [text for text in said if not text.startswith("Failed to load resource")] == []


def create(page: Page, address: str, lines: list[str]) -> str:
    """A small machine; its address."""
    made = page.request.post(f"{address}/api/v1/sessions", data={"machine": {"profile": "tiny-16m"}})
    path = f"/sessions/{made.json()['id']}"
    for line in lines:
        page.request.post(f"{address}/api/v1{path}/calls", data=line, headers={"Content-Type": "text/plain"})
    return address + path


def test_scripts_speak_the_language_of_the_page(german: Page, address: str) -> None:
    german.goto(create(german, address, ["p = alloc_pages(GFP_KERNEL, 3)"]))
    expect(german.locator("html")).to_have_attribute("lang", "de")
    expect(german.locator("#live")).to_have_text("⟦live⟧")
    expect(german.locator("#live")).to_have_attribute("title", "⟦Calls of others are shown as they are made⟧")
    expect(german.locator("#call .copy").first).to_have_text("⟦Copy⟧")
    canvas = german.locator("#map-picture canvas")
    expect(canvas).to_have_attribute("aria-label", re.compile(r"^⟦Frame map\. .*⟧$"))
    canvas.focus()
    german.keyboard.press("End")
    expect(german.locator("#map-readout")).to_have_text(
        re.compile(r"^⟦0x[0-9a-f]+–0x[0-9a-f]+, \d+ frames: mostly free⟧; ⟦0 % in use⟧$")
    )
    german.locator("#view-menu summary").click()
    expect(german.locator("[name=theme][value=light]")).to_have_text("⟦light⟧")


@pytest.mark.slow
def test_refusals_of_scripts_speak_it_too(german: Page, address: str) -> None:
    german.goto(create(german, address, []))
    german.locator("html[data-ready]").wait_for()
    german.locator("#line").fill("alloc_pages(nonsense, 0)")
    german.keyboard.press("Enter")
    expect(german.locator("#console-answer")).to_contain_text("⟦Not sent to the kernel⟧.")
    german.locator("#call-gfp").fill("nonsense")
    german.locator("#call form[data-call] button.primary").click()
    expect(german.locator("#call-refused h2")).to_have_text("⟦Not sent to the kernel⟧")


@pytest.mark.slow
def test_numbers_of_scripts_are_grouped_as_the_language_does_it(german: Page, address: str) -> None:
    german.goto(create(german, address, ["alloc_page(GFP_KERNEL) * 2"] + ["page_count(0x400)"] * 1001))
    german.locator("html[data-ready]").wait_for()
    expect(german.locator("#head-seq")).to_have_text(re.compile(r"^#1\.\d{3}$"))
    german.locator("#time-at").focus()
    german.keyboard.press("ArrowLeft")
    expect(german.locator(".timeline output")).to_have_text(re.compile(r"^#1\.\d{3}$"))


@pytest.mark.slow
def test_english_is_in_the_scripts_and_what_cannot_be_fetched_is_english(
    page: Page, german: Page, address: str
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    where = create(page, address, [])
    page.goto(where)
    expect(page.locator("#live")).to_have_text("live")
    assert not [url for url in asked if "/texts/" in url]
    german.route("**/texts/*", lambda route: route.fulfill(status=404, body="gone"))
    german.goto(where)
    expect(german.locator("#live")).to_have_text("live")

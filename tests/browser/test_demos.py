"""Guided demos in Chromium: one played to its end with and without script, and read by everyone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from app.demos import Library
from tests.support.axe import serious
from tests.support.rings import slow
from tests.support.served import build, listening

SIZES = {"wide": (1440, 900), "middle": (1024, 768), "phone": (390, 844)}
STEPS = Library().demos()["split-and-merge"].steps


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening(build(tmp_path_factory.mktemp("demos"))) as address:
        yield address


@pytest.fixture
def silent(page: Page) -> Iterator[Page]:
    """A page on which nothing may be complained of."""
    said: list[str] = []
    page.on(
        "console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    assert said == []


def begin(page: Page, address: str, title: str) -> Locator:
    """Open a demo from the home page; its panel."""
    page.goto(address)
    page.get_by_role("button", name=f"Open {title}").click()
    panel = page.get_by_role("complementary")
    expect(panel.get_by_role("heading", name=title)).to_be_visible()
    return panel


def play(page: Page, address: str) -> None:
    """Split and merge, to its end."""
    panel = begin(page, address, "Split and merge")
    calls = 0
    for number, step in enumerate(STEPS, 1):
        expect(panel.get_by_role("heading", name=step.title)).to_be_visible()
        expect(panel.locator("[aria-current=step]")).to_contain_text(str(number))
        if step.calls:
            panel.get_by_role("button", name="Run this step").click()
            calls += len(step.calls)
            expect(panel.locator(".demo-results li")).to_have_count(len(step.calls))
            expect(page.locator("#head-seq")).to_contain_text(f"#{calls}")
            expect(panel.get_by_role("button", name="Run this step")).to_have_count(0)
        if number < len(STEPS):
            panel.get_by_role("link", name="Next").click()
    expect(panel.locator(".dot.done")).to_have_count(sum(bool(step.calls) for step in STEPS))
    expect(panel.get_by_role("link", name="All demos")).to_be_visible()


@pytest.mark.slow
def test_played_to_the_end(silent: Page, address: str) -> None:
    loads: list[str] = []
    silent.on("load", lambda page: loads.append(page.url))
    play(silent, address)
    assert len(loads) == 2  # the list and the machine; every step came in place


@pytest.mark.slow
def test_played_to_the_end_without_script(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    play(context.new_page(), address)
    context.close()


@pytest.mark.slow
def test_with_the_keyboard_alone(silent: Page, address: str) -> None:
    panel = begin(silent, address, "The per-CPU list hides it")
    panel.get_by_role("button", name="Run this step").focus()
    silent.keyboard.press("Enter")
    expect(panel.locator(".demo-results li")).to_have_count(1)
    # The button is gone; who pressed it is still in the panel, and goes on from there.
    for _ in range(30):
        if "Next" in str(silent.evaluate("document.activeElement.textContent")).split():
            break
        silent.keyboard.press("Tab")
    silent.keyboard.press("Enter")
    expect(panel.get_by_role("heading", name="The next one costs nothing")).to_be_visible()


@pytest.mark.slow
def test_back_and_forward(silent: Page, address: str) -> None:
    panel = begin(silent, address, "Split and merge")
    panel.get_by_role("link", name="Next").click()
    panel.get_by_role("button", name="Run this step").click()
    expect(panel.locator(".demo-results li")).to_have_count(1)
    panel.get_by_role("link", name="Next").click()
    expect(panel.get_by_role("heading", name="Take its buddy")).to_be_visible()
    silent.go_back()
    expect(panel.get_by_role("heading", name="Take one page frame")).to_be_visible()
    expect(panel.locator(".demo-results li")).to_have_count(1)


def test_asked_first_and_told_after(silent: Page, address: str) -> None:
    panel = begin(silent, address, "Split and merge")
    panel.get_by_role("button", name="Ask me first").click()
    expect(panel.get_by_role("button", name="Ask me first")).to_have_attribute("aria-pressed", "true")
    panel.get_by_role("link", name="Next").click()
    expect(panel.get_by_role("heading", name="What will it do?")).to_be_visible()
    expect(panel.get_by_text("What to notice")).to_have_count(0)
    panel.get_by_label("The number of its frame").fill("0x401")
    silent.keyboard.press("Enter")
    expect(panel.get_by_role("heading", name="Take one page frame")).to_be_visible()
    expect(panel.get_by_text("0 of 1 prediction right")).to_be_in_viewport()
    expect(panel.get_by_text("What to notice")).to_be_visible()
    expect(panel.locator(".marked-wrong")).to_contain_text("0x400")
    # The next step asks again; nobody has to answer.
    panel.get_by_role("link", name="Next").click()
    expect(panel.get_by_label("The number of its frame")).to_have_value("")
    panel.get_by_role("button", name="Run without predicting").click()
    expect(panel.get_by_role("heading", name="Take its buddy")).to_be_visible()
    expect(panel.get_by_text("Predicted")).to_have_count(0)


def test_what_to_look_at_is_marked(silent: Page, address: str) -> None:
    panel = begin(silent, address, "The lock's queue")
    panel.get_by_role("link", name="Look at: tasks").click()
    expect(silent.locator("#panels")).to_have_css("outline-style", "solid")
    expect(silent.locator("#panels")).to_be_in_viewport()


@pytest.mark.slow
def test_a_panel_that_can_be_copied_is_marked_too(silent: Page, address: str) -> None:
    panel = begin(silent, address, "The first steal")
    expect(silent.locator("html[data-ready]")).to_be_attached()
    for _ in range(2):  # the second time the address is there already
        panel.get_by_role("link", name="Look at: /proc").click()
        expect(silent.locator("html[data-ready]")).to_be_attached()
        expect(silent.locator("#panels .copy").first).to_be_attached()
        expect(silent.locator("#panels")).to_have_css("outline-style", "solid")


@pytest.mark.slow
def test_a_demo_is_left_and_the_machine_stays(silent: Page, address: str) -> None:
    panel = begin(silent, address, "Split and merge")
    panel.get_by_role("link", name="Close the demo").click()
    expect(silent.locator("#demo")).to_have_count(0)
    expect(silent.locator("#zones")).to_be_visible()


@pytest.mark.parametrize("size", [*slow(*list(SIZES)[:-1]), list(SIZES)[-1]])
def test_it_fits_and_axe_finds_nothing_serious(size: str, browser: Browser, address: str) -> None:
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        reduced_motion="reduce",
        bypass_csp=True,  # axe itself is injected
    )
    page = context.new_page()
    panel = begin(page, address, "The lock's queue")
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    for _ in range(2):
        assert serious(page, narrow=size != "wide") == []
        assert page.evaluate(overflow) == 0
        page.emulate_media(color_scheme="dark")
        assert size != "wide" or serious(page, dark=True) == []
        page.emulate_media(color_scheme="light")
        if panel.locator(".demo-results li").count() == 0:
            panel.get_by_role("button", name="Run this step").click()
            expect(panel.locator(".demo-results li")).to_have_count(2)
    context.close()


def test_by_keyboard_a_step_leads_to_the_next(silent: Page, address: str) -> None:
    panel = begin(silent, address, "Split and merge")
    expect(silent.locator("html[data-ready]")).to_be_attached()
    first = next(number for number, step in enumerate(STEPS) if step.calls)
    for _ in range(first):
        panel.get_by_role("link", name="Next").press("Enter")
    panel.get_by_role("button", name="Run this step").press("Enter")
    expect(panel.get_by_role("link", name="Next")).to_be_focused()

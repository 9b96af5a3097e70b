"""Exercises in Chromium: one task of each form, with and without script, by keyboard, small."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.axe import serious
from tests.support.rings import slow
from tests.support.served import build, listening

OWN = Path(__file__).parents[1] / "web" / "exercises"
SIZES = {"wide": (1366, 768), "phone": (390, 844), "narrow": (320, 568)}
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
LISTS = ["1", "1", "1", "0", "1", "1", "1", "1", "1", "1", "2"]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening(build(tmp_path_factory.mktemp("exercises"), exercises=OWN)) as address:
        yield address


@pytest.fixture
def silent(page: Page) -> Iterator[Page]:
    """A page on which nothing may be complained of but what was refused on purpose."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    assert [line for line in said if "422" not in line] == []


def begin(page: Page, address: str, *, script: bool = True) -> Locator:
    """Practise variant 7; the panel."""
    made = page.request.post(f"{address}/exercises/every-form", form={"variant": "7"}, max_redirects=0)
    page.goto(address + made.headers["location"])
    if script:
        expect(page.locator("html[data-ready]")).to_be_attached()
    return page.get_by_role("complementary")


def solve(page: Page, panel: Locator) -> None:
    """Every task, one after the other."""
    verdict, following = panel.locator("#exercise-said"), panel.get_by_role("link", name="Next")

    def answered(calls: bool = True) -> None:
        name = "Predict" if panel.get_by_role("button", name="Predict").count() else "Answer"
        panel.get_by_role("button", name=name, exact=True).click()
        expect(verdict).to_have_text("Right, at the first try.")
        if calls:
            panel.get_by_role("button", name="Make the calls").click()
            expect(panel.locator("ol.exercise-calls")).to_be_visible()
        following.click()

    panel.get_by_label("Your answer").fill("0x401-0x407")
    answered()
    expect(panel.get_by_text("2 of 10")).to_be_visible()
    panel.get_by_label("First frame").fill("0x408")
    for order, count in enumerate(LISTS):
        panel.get_by_label(f"Blocks of order {order}", exact=True).fill(count)
    answered()
    panel.get_by_role("radio", name="null").check()
    answered()
    panel.get_by_label("Your answer").fill("12 KiB")
    answered(calls=False)
    panel.get_by_role("checkbox", name="/softirq: b").check()
    answered()
    panel.get_by_role("checkbox", name="zone_watermark_fast").check()
    answered()
    panel.get_by_role("button", name="Take it back").click()
    panel.get_by_label("Place 1").select_option("bob")
    panel.get_by_label("Place 2").select_option("carol")
    answered()
    for flag in ("__GFP_IO", "__GFP_DIRECT_RECLAIM"):
        panel.get_by_role("checkbox", name=flag).check()
    answered(calls=False)
    panel.get_by_role("button", name="Take it back").click()
    expect(panel.get_by_text("0 of at most 3 calls made")).to_be_visible()
    page.locator("#line").fill("alloc_pages(GFP_KERNEL, 3)")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(panel.get_by_text("1 of at most 3 calls made")).to_be_visible()
    panel.get_by_role("button", name="Check").click()
    expect(verdict).to_have_text("Right, at the first try.")
    following.click()
    panel.get_by_label("Your answer").fill("3055")
    panel.get_by_role("button", name="Predict").click()
    expect(verdict).to_have_text("Right, at the first try.")
    expect(panel.locator(".task-solved")).to_have_count(10)
    expect(panel.get_by_text("solved once")).to_be_visible()


@pytest.mark.slow
def test_a_task_of_each_form(silent: Page, address: str) -> None:
    loads: list[str] = []
    panel = begin(silent, address)
    silent.on("load", lambda page: loads.append(page.url))
    solve(silent, panel)
    assert loads == []  # every step came in place


@pytest.mark.slow
def test_a_task_of_each_form_without_script(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    solve(page, begin(page, address, script=False))
    context.close()


def test_a_frame_is_pointed_at(silent: Page, address: str) -> None:
    panel = begin(silent, address)
    field = panel.get_by_label("Your answer")
    canvas = silent.locator("#map-picture canvas")
    box = canvas.bounding_box()
    assert box is not None
    cell = box["width"] / 64

    def press(frame: int) -> None:
        canvas.click(position={"x": (frame % 64 + 0.5) * cell, "y": cell / 2})

    press(1)  # the map begins at 0x400
    expect(field).to_have_value("0x401")
    press(2)
    expect(field).to_have_value("0x401-0x402")
    press(1)
    expect(field).to_have_value("0x402")
    # Others have called meanwhile: what is typed stays.
    session = silent.url.split("/sessions/")[1].split("?")[0]
    silent.request.post(f"{address}/api/v1/sessions/{session}/alloc_page", data={"gfp": "GFP_KERNEL"})
    expect(panel.get_by_text("The machine has gone on since")).to_be_visible()
    expect(field).to_have_value("0x402")


@pytest.mark.slow
def test_a_column_of_the_lists_leads_to_its_box(silent: Page, address: str) -> None:
    panel = begin(silent, address)
    panel.get_by_role("button", name="Show me").click()
    expect(panel.locator("ol.exercise-calls")).to_be_visible()
    panel.get_by_role("link", name="Next").click()
    expect(panel.get_by_label("Blocks of order 3", exact=True)).to_be_visible()
    silent.locator(".orders thead th").nth(4).click()
    expect(panel.get_by_label("Blocks of order 3", exact=True)).to_be_focused()


@pytest.mark.slow
def test_what_was_predicted_is_drawn_over_what_is(silent: Page, address: str) -> None:
    panel = begin(silent, address)
    panel.get_by_label("Your answer").fill("0x400-0x407")
    panel.get_by_role("button", name="Predict").click()
    expect(panel.get_by_text("Not yet.")).to_be_focused()
    expect(silent.locator("#map-picture")).to_have_attribute("data-guessed", "1024+8")
    panel.get_by_role("button", name="Show me").click()
    expect(panel.get_by_text("you: 0x400-0x407 the machine: 0x401-0x407")).to_be_visible()
    panel.get_by_role("link", name="Explain #3 what decided").or_(
        panel.get_by_role("link", name="Explain #3")
    ).first.click()
    expect(silent.get_by_role("heading", level=1)).to_be_visible()
    assert "/explain/3?" in silent.url
    assert "exercise=every-form" in silent.url


def test_what_is_no_answer_is_said_at_its_field(silent: Page, address: str) -> None:
    panel = begin(silent, address)
    panel.get_by_label("Your answer").fill("0x407-0x400")
    panel.get_by_role("button", name="Predict").press("Enter")
    expect(panel.get_by_text("goes backwards")).to_be_visible()
    expect(panel.get_by_label("Your answer")).to_be_focused()
    expect(panel.get_by_label("Your answer")).to_have_value("0x407-0x400")


@pytest.mark.slow
def test_with_the_keyboard_alone(silent: Page, address: str) -> None:
    panel = begin(silent, address)
    panel.get_by_label("Your answer").focus()
    silent.keyboard.type("0x401-0x407")
    silent.keyboard.press("Enter")
    expect(panel.locator("#exercise-said")).to_be_focused()
    for _ in range(20):
        silent.keyboard.press("Tab")
        if silent.evaluate("document.activeElement.textContent").strip() == "Make the calls":
            break
    silent.keyboard.press("Enter")
    expect(panel.locator("ol.exercise-calls")).to_be_visible()
    for _ in range(20):
        silent.keyboard.press("Tab")
        if "Next" in silent.evaluate("document.activeElement.textContent"):
            break
    silent.keyboard.press("Enter")
    expect(panel.get_by_text("2 of 10")).to_be_visible()


@pytest.mark.parametrize("size", [*slow("wide", "narrow"), "phone"])
def test_it_fits_and_axe_finds_nothing_serious(size: str, browser: Browser, address: str) -> None:
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        reduced_motion="reduce",
        bypass_csp=True,  # axe itself is injected
    )
    page = context.new_page()
    panel = begin(page, address)

    def looked_at() -> None:
        assert serious(page, part="#exercise", narrow=size != "wide") == []
        assert page.evaluate(OVERFLOW) == 0
        page.emulate_media(color_scheme="dark")
        assert size != "wide" or serious(page, part="#exercise", dark=True) == []
        page.emulate_media(color_scheme="light")

    looked_at()
    if size != "narrow":  # the question and its answer are on one screen
        expect(panel.get_by_role("button", name="Predict")).to_be_in_viewport(ratio=1)
    panel.get_by_label("Your answer").fill("0x400-0x407")
    panel.get_by_role("button", name="Predict").click()
    expect(panel.get_by_text("Not yet.")).to_be_visible()
    looked_at()
    panel.get_by_role("button", name="Show me").click()
    expect(panel.locator("ol.exercise-calls")).to_be_visible()
    panel.get_by_role("link", name="Next").click()
    expect(panel.get_by_label("First frame")).to_be_visible()
    looked_at()
    page.locator("#exercise .dots a").nth(8).click()
    expect(panel.get_by_role("button", name="Take it back")).to_be_visible()
    looked_at()
    context.close()


@slow
def test_options_stand_beside_their_boxes_and_fit_a_phone(browser: Browser, address: str) -> None:
    for width, height in (SIZES["phone"], SIZES["narrow"]):
        page = browser.new_page(viewport={"width": width, "height": height})
        made = page.request.post(f"{address}/exercises/what-decided", form={"variant": "7"}, max_redirects=0)
        page.goto(address + made.headers["location"])
        expect(page.locator("html[data-ready]")).to_be_attached()
        options = page.locator("#exercise label.option")
        assert options.count() > 5
        for option in options.filter(has=page.locator(".option-text")).all():
            box, text = option.locator("input").bounding_box(), option.locator(".option-text").bounding_box()
            assert box is not None
            assert text is not None
            assert text["x"] - (box["x"] + box["width"]) < 48
        assert page.evaluate(OVERFLOW) <= 0
        page.close()

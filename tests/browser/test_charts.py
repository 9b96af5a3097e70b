"""The pictures of a session's history in Chromium: they read out, lead to a row, and come closer."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_dashboard import silent  # noqa: F401 - a fixture
from tests.browser.test_live import call, create
from tests.support.served import build, listening

LINES = "\n".join(f"p{number} = alloc_pages(GFP_KERNEL, {number % 4})" for number in range(100))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening(build(tmp_path_factory.mktemp("charts"))) as address:
        yield address


def test_a_picture_is_pointed_at_dragged_over_and_clicked(silent: Page, address: str) -> None:  # noqa: F811
    page, machine = silent, create(address)
    call(address, machine, LINES)
    page.goto(f"{address}{machine}?panel=history")
    drawn = page.locator("[data-charts][data-drawn]")
    expect(drawn).to_have_count(1)
    expect(page.locator(".chart canvas")).to_have_count(page.locator(".chart").count())

    over = page.locator(".chart .u-over").first
    reading = page.locator(".chart .reading").first
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None
    middle, down = box["x"] + box["width"] / 2, box["y"] + 60
    page.mouse.move(middle, down)
    expect(reading).to_have_text(re.compile(r"^#\d+: free [\d,]+ · min [\d,]+ · low [\d,]+ · high [\d,]+$"))

    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 3 / 4, down, steps=3)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"since=50&until=7\d$"))
    expect(page.locator("[data-charts]")).to_have_attribute("data-from", "50")
    expect(drawn).to_have_count(1)

    box = page.locator(".chart .u-over").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 60)
    expect(page).to_have_url(re.compile(r"at=6\d"))
    expect(page.locator(".past-bar")).to_contain_text("You are at #6")
    expect(drawn).to_have_attribute("data-at", re.compile(r"6\d"))
    page.locator("#panels a", has_text="All rows").click()
    expect(page.locator("[data-charts]")).to_have_attribute("data-from", "0")
    # A new row is drawn when it comes.
    page.locator("#to-live").click()
    call(address, machine, "alloc_pages(GFP_KERNEL, 0)")
    expect(page.locator("[data-charts][data-drawn]")).to_have_attribute("data-to", "101")

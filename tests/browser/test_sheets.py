"""A sheet in Chromium, on a phone: from the lab's list to an answer and back, with script and without."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.axe import serious
from tests.support.patience import PATIENCE_MS
from tests.support.served import build, listening
from tests.support.sheets import write_files
from tests.support.walls import Hall, hall

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
PHONE = {"width": 390, "height": 844}
SMALL = {"width": 320, "height": 568}


class Room:
    """A lab with a sheet, served."""

    def __init__(self, browser: Browser, address: str, made: Hall) -> None:
        self.browser, self.address, self.made = browser, address, made
        self.lab = f"/labs/{made.lab}"
        context = self.context(made.token)
        items = [{"exercise": "split", "points": 4}, {"exercise": "hold", "points": 4}]
        given = {"title": "One", "mode": "graded", "due": "2099-01-01T00:00:00Z", "items": items}
        made_sheet = context.request.post(f"{address}/api/v1{self.lab}/sheets", data=given)
        assert made_sheet.ok, made_sheet.text()
        context.close()

    def context(self, token: str, **how: Any) -> Any:
        context = self.browser.new_context(reduced_motion="reduce", bypass_csp=True, **how)
        context.add_cookies([{"name": "kmemlab", "value": token, "url": self.address}])
        return context

    def student(self, **how: Any) -> Page:
        page = self.context(self.made.tokens[0], **how).new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{self.address}{self.lab}/sheets")
        return page


@pytest.fixture
def room(browser: Browser, tmp_path: Path) -> Iterator[Room]:
    own = write_files(tmp_path / "exercises")
    made = hall(tmp_path, 2)
    with listening(build(tmp_path, lab=True, exercises=own)) as address:
        yield Room(browser, address, made)


def fits(page: Page, *, dark: bool = False) -> None:
    assert page.evaluate(OVERFLOW) <= 0, page.url
    assert serious(page, dark=dark) == [], page.url


def begin(page: Page) -> None:
    """From the list to the first exercise."""
    fits(page)
    page.get_by_role("link", name="One").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("One")
    fits(page)
    page.get_by_role("button", name="Begin").first.click()
    expect(page.locator("#exercise")).to_be_visible()


def test_a_student_answers_on_a_phone(room: Room) -> None:
    page = room.student(viewport=PHONE, has_touch=True, is_mobile=True)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    begin(page)
    expect(page.locator("html[data-ready]")).to_be_attached()
    fits(page)
    panel = page.locator("#exercise")
    panel.get_by_label("Your answer").fill("no frame")
    panel.get_by_role("button", name="Predict", exact=True).click()
    expect(panel.locator("[aria-invalid=true]")).to_be_focused()
    expect(panel).to_contain_text("3 attempts left")
    panel.get_by_label("Your answer").fill("0x1")
    panel.get_by_role("button", name="Predict", exact=True).click()
    expect(panel).to_contain_text("2 attempts left")
    fits(page)
    page.goto(f"{room.address}{room.lab}/sheets")
    page.get_by_role("link", name="One").click()
    expect(page.get_by_role("main")).to_contain_text("1 attempt")
    expect(page.get_by_role("link", name="Go on")).to_be_visible()
    assert faults == []
    page.context.close()


def test_a_student_answers_without_script_on_a_small_dark_screen(room: Room) -> None:
    page = room.student(viewport=SMALL, java_script_enabled=False)
    page.get_by_role("link", name="One").click()
    page.get_by_role("button", name="Begin").first.click()
    panel = page.locator("#exercise")
    panel.get_by_label("Your answer").fill("0x1")
    panel.get_by_role("button", name="Predict", exact=True).click()
    expect(panel).to_contain_text("2 attempts left")
    seen = room.student(viewport=SMALL, color_scheme="dark")
    seen.goto(page.url)
    expect(seen.locator("html[data-ready]")).to_be_attached()
    fits(seen, dark=True)
    for one in (page, seen):
        one.context.close()

"""Results in Chromium: they follow what the class does, lead to the evidence, and need no script."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.support.axe import serious
from tests.support.patience import PATIENCE_MS
from tests.support.served import build, listening
from tests.support.sheets import write_files
from tests.support.walls import Hall, hall


class Sitting:
    """A class with a sheet, of whom the first works on it."""

    def __init__(self, browser: Browser, address: str, made: Hall, folder: Path) -> None:
        self.browser, self.address, self.hall, self.folder = browser, address, made, folder
        self.contexts: list[BrowserContext] = []
        self.lab = f"/labs/{made.lab}"
        items = [{"exercise": "split", "points": 4}]
        self.teacher = self.context(made.token).request
        sheet = self.teacher.post(
            f"{address}/api/v1{self.lab}/sheets", data={"title": "One", "mode": "graded", "items": items}
        ).json()
        self.results = f"{address}{self.lab}/sheets/{sheet['id']}/results"
        self.kim = self.context(made.tokens[0]).request
        path = f"{self.lab}/sheets/{sheet['id']}/items/{sheet['items'][0]['id']}/variants"
        self.variant = self.kim.post(f"{address}/api/v1{path}").json()["id"]

    def context(self, token: str, **how: Any) -> BrowserContext:
        context = self.browser.new_context(reduced_motion="reduce", bypass_csp=True, **how)
        context.add_cookies([{"name": "kmemlab", "value": token, "url": self.address}])
        self.contexts.append(context)
        return context

    def page(self, path: str = "", **how: Any) -> Page:
        page = self.context(self.hall.token, **how).new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(self.results + path)
        return page

    def answer(self, beside: int) -> None:
        """Kim answers so many frames beside what is right."""
        with sqlite3.connect(self.folder / "kmemlab.db") as database:
            (sealed,) = database.execute("SELECT sealed FROM variants").fetchone()
        database.close()
        pfn = json.loads(sealed)["tasks"][0][0]["right"] + beside
        given = {"task": 1, "given": [f"{pfn:#x}"]}
        answer = self.kim.post(f"{self.address}/api/v1/variants/{self.variant}/answers", data=given)
        assert answer.ok, answer.text()


@pytest.fixture
def sitting(browser: Browser, tmp_path: Path) -> Iterator[Sitting]:
    own = write_files(tmp_path / "exercises")
    made = hall(tmp_path, 2)
    with listening(build(tmp_path, lab=True, exercises=own)) as address:
        sitting = Sitting(browser, address, made, tmp_path)
        yield sitting
        for context in sitting.contexts:
            context.close()


def test_results_follow_the_class_and_lead_to_the_evidence(sitting: Sitting) -> None:
    page = sitting.page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    expect(page.locator("html[data-ready]")).to_be_attached()
    cell = page.locator("#results-matrix tbody tr").first.locator(".result-cell").first
    expect(cell).to_contain_text("opened, no answer yet")
    cell.get_by_role("link").focus()
    sitting.answer(1)
    expect(cell).to_contain_text("wrong so far")
    expect(cell.get_by_role("link")).to_be_focused()
    sitting.answer(0)
    expect(cell).to_contain_text("right in the end")
    assert serious(page) == []
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Kim")
    assert serious(page) == []
    page.get_by_role("table").get_by_role("link").first.click()
    expect(page.locator("#journal")).to_be_attached()
    assert faults == []


def test_results_without_script_on_a_small_dark_screen(sitting: Sitting) -> None:
    sitting.answer(1)
    for path in ("", "?show=attempts&sort=-1.1", "/tasks/1.1", "/members/1/1.1"):
        page = sitting.page(path, viewport={"width": 320, "height": 640}, color_scheme="dark")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
        assert serious(page, dark=True) == []
    plain = sitting.page("", java_script_enabled=False)
    plain.get_by_role("link", name="attempts", exact=True).click()
    expect(plain.locator(".result-cell").first).to_contain_text("1×")
    plain.get_by_role("link", name="Look again").click()
    plain.locator("#results-tasks").get_by_role("link").first.click()
    expect(plain.get_by_role("img")).to_be_visible()

"""A full lab in Chromium: the page of somebody who waits goes on by itself, and the instructor decides."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.support.axe import violations
from tests.support.browsers import PASSWORD, invitation
from tests.support.patience import PATIENCE_MS
from tests.support.served import build, listening

SIZES = ((1440, 900), (1024, 768), (390, 844))
HOSTILE = "<b>x</b> & {{7*7}} %(num)s %s"


class FullLab:
    """A lab that expects one member, who is there."""

    def __init__(self, address: str, link: str, browser: Browser) -> None:
        self.address = address
        self.browser = browser
        self.contexts: list[BrowserContext] = []
        self.teacher = self.new()
        self.teacher.goto(f"{address}/setup/{link}")
        self.teacher.get_by_label("Name").fill("Prof. Noether")
        self.teacher.get_by_label("Password", exact=True).fill(PASSWORD)
        self.teacher.get_by_role("button", name="Make the account").click()
        self.teacher.get_by_label("Title").fill("Week 4")
        self.teacher.get_by_label("Expected members").fill("1")
        self.teacher.get_by_role("button", name="Open the lab").click()
        expect(self.teacher.get_by_role("heading", name="Week 4")).to_be_visible()
        self.lab = self.teacher.url
        self.code = self.teacher.locator(".code-large").inner_text()
        self.join("Early")

    def new(self, **how: Any) -> Page:
        """Another browser."""
        context = self.browser.new_context(reduced_motion="reduce", **how)
        self.contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        return page

    def join(self, nickname: str, **how: Any) -> Page:
        """Somebody who joins by the link."""
        page = self.new(**how)
        page.goto(f"{self.address}/join/{self.code}")
        page.get_by_label("Nickname").fill(nickname)
        page.get_by_role("button", name="Join", exact=True).click()
        page.wait_for_url(self.lab)
        return page


@pytest.fixture
def full(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FullLab]:
    app = build(tmp_path_factory.mktemp("full"), lab=True, rate_per_second=1e6, rate_burst=1_000_000)
    with listening(app) as address:
        full = FullLab(address, invitation(app), browser)
        yield full
        for context in full.contexts:
            context.close()


@pytest.mark.slow
def test_the_page_goes_on_by_itself(full: FullLab) -> None:
    kim, bo = full.join("Kim"), full.join("Bo")
    for page, name in ((kim, "Kim"), (bo, "Bo")):
        expect(page.locator("#waiting")).to_contain_text(f"{name}, you wait for your place.")
        expect(page.locator("#waiting")).to_contain_text("Ask for your place: Prof. Noether sees your name")
    full.teacher.goto(f"{full.lab}/wall")
    seen = full.teacher.get_by_role("link", name="2 wait: Bo, Kim")
    expect(seen).to_be_visible()
    seen.click()
    full.teacher.get_by_label("Kim").check()
    full.teacher.get_by_role("button", name="Admit the chosen").click()
    expect(kim.get_by_role("heading", name="Week 4")).to_be_visible()
    expect(kim.get_by_text("There is no machine here yet")).to_be_visible(timeout=PATIENCE_MS)
    expect(bo.locator("#waiting")).to_be_visible()
    full.teacher.get_by_role("button", name="Turn all away").click()
    expect(bo.get_by_role("heading", name="Join a lab")).to_be_visible(timeout=PATIENCE_MS)


@pytest.mark.slow
def test_the_wall_hears_who_comes(full: FullLab) -> None:
    full.teacher.goto(f"{full.lab}/wall")
    expect(full.teacher.locator("#wall-waiting")).to_be_hidden()
    full.join(HOSTILE)
    said = full.teacher.locator("#wall-waiting")
    expect(said).to_have_text(f"1 waits: {HOSTILE}", timeout=PATIENCE_MS)


@pytest.mark.slow
def test_without_script(full: FullLab) -> None:
    kim = full.join("Kim", java_script_enabled=False)
    expect(kim.get_by_text("This page goes on by itself")).to_be_hidden()
    kim.get_by_role("link", name="Look again").click()
    expect(kim.locator("#waiting")).to_be_visible()
    full.teacher.reload()
    full.teacher.get_by_role("button", name="Admit all").click()
    expect(full.teacher.get_by_role("link", name="2 members")).to_be_visible()
    kim.get_by_role("link", name="Look again").click()
    expect(kim.get_by_text("There is no machine here yet")).to_be_visible()


def test_giving_up(full: FullLab) -> None:
    kim = full.join("Kim")
    kim.get_by_role("link", name="Wait no longer").click()
    kim.get_by_role("link", name="Go on waiting").click()
    kim.get_by_role("link", name="Wait no longer").click()
    kim.get_by_role("main").get_by_role("button", name="Sign out").click()
    expect(kim.get_by_role("heading", name="Join a lab")).to_be_visible()
    full.teacher.reload()
    expect(full.teacher.get_by_text("waits to be admitted")).to_have_count(0)


@pytest.mark.slow
def test_pages_fit_every_width_and_axe_finds_nothing_serious(full: FullLab) -> None:
    kim = full.join("Kim")
    full.join("W" * 40)
    wrong: list[tuple[Any, ...]] = []
    for page, address in (
        (kim, full.lab),
        (kim, f"{full.address}/signout"),
        (full.teacher, full.lab),
        (full.teacher, f"{full.lab}/members"),
        (full.teacher, f"{full.lab}/members/remove-idle"),
        (full.teacher, f"{full.lab}/wall"),
        (full.teacher, f"{full.address}/labs"),
    ):
        page.goto(address)
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            if wide > 0:
                wrong.append((address, width, wide))
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        wrong += violations(page, part="html")
        page.emulate_media(color_scheme="dark")
        wrong += violations(page, part="html", dark=True)
    assert wrong == []

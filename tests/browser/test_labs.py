"""A lab in Chromium: coming in, copying, calling, catching up, meeting on a lock; by keyboard too."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.sessions.access import LOCKED, WHY_HELD
from tests.support.axe import violations
from tests.support.browsers import PASSWORD, invitation
from tests.support.patience import PATIENCE_MS
from tests.support.rings import slow
from tests.support.served import build, listening

SIZES = {"wide": (1440, 900), "middle": (1024, 768), "phone": (390, 844)}
TEXT = """# Today

Split *and* merge:

- `alloc_pages`
- [slides](https://example.org/)

| a | b |
|---|---|
| 1 | 2 |
"""


class Room:
    """A lab with machines. contexts: those who are there, the teacher first."""

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
        self.teacher.get_by_label("Text for the students").fill(TEXT)
        self.teacher.get_by_role("button", name="Open the lab").click()
        expect(self.teacher.get_by_role("heading", name="Week 4")).to_be_visible()
        self.lab = self.teacher.url
        self.code = self.teacher.locator(".code-large").inner_text()
        self.sessions = {kind: self.machine(kind) for kind in ("prepared", "operate", "watch")}
        self.teacher.goto(self.lab)
        self.teacher.get_by_text("Mark a checkpoint").click()
        self.teacher.locator(".manage[open]").get_by_label("Title").fill("two more pages")
        self.teacher.get_by_label("Row", exact=True).fill("3")
        self.teacher.get_by_role("button", name="Mark it").click()
        expect(self.teacher.get_by_role("button", name="Remove two more pages")).to_be_visible()

    def new(self, **how: Any) -> Page:
        """Another browser."""
        context = self.browser.new_context(reduced_motion="reduce", **how)
        self.contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        return page

    def machine(self, kind: str) -> str:
        """A machine of the teacher's, put into the lab; its address."""
        machine = {"profile": "tiny-16m", "lecture": True}
        made = self.teacher.request.post(
            f"{self.address}/api/v1/sessions", data={"name": kind, "machine": machine}
        ).json()
        lines = "p = alloc_page(GFP_KERNEL)\nalloc_page(GFP_KERNEL)\nalloc_page(GFP_KERNEL)"
        at = f"{self.address}/api/v1/sessions/{made['id']}/calls"
        assert self.teacher.request.post(at, data=lines, headers={"Content-Type": "text/plain"}).ok
        self.teacher.goto(self.lab)
        adding = self.teacher.locator("details", has=self.teacher.get_by_text("Add a machine"))
        if adding.get_attribute("open") is None:
            adding.get_by_text("Add a machine").click()
        adding.get_by_label("One of your machines").select_option(made["id"])
        adding.get_by_label("For the class").select_option(kind)
        adding.get_by_label("At row").fill("1" if kind == "prepared" else "")
        adding.get_by_role("button", name="Add it").click()
        expect(self.teacher.get_by_role("link", name=kind, exact=True)).to_be_visible()
        return f"{self.address}/sessions/{made['id']}"

    def student(self, nickname: str, **how: Any) -> Page:
        """Somebody who joins by the link."""
        page = self.new(**how)
        page.goto(f"{self.address}/join/{self.code}")
        page.get_by_label("Nickname").fill(nickname)
        page.get_by_role("button", name="Join", exact=True).click()
        expect(page.get_by_text(f"You are {nickname}")).to_be_visible()
        return page


@pytest.fixture(scope="module")
def room(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    app = build(tmp_path_factory.mktemp("labs"), lab=True, rate_per_second=1e6, rate_burst=1_000_000)
    with listening(app) as address:
        room = Room(address, invitation(app), browser)
        yield room
        for context in room.contexts:
            context.close()


@pytest.fixture(autouse=True)
def everybody_leaves(room: Room) -> Iterator[None]:
    """Of those who come in during a test nobody is there in the next."""
    before = len(room.contexts)
    yield
    while len(room.contexts) > before:
        room.contexts.pop().close()


def make(page: Page, line: str) -> None:
    """A call in the console."""
    before = str(page.locator("#head-seq").text_content())
    page.get_by_label("A call as a line of text").fill(line)
    page.keyboard.press("Enter")
    expect(page.locator("#head-seq")).not_to_have_text(before)


@pytest.mark.parametrize("script", [True, *slow(False)], ids=["script", "plain"])
def test_join_copy_call_and_catch_up(room: Room, script: bool) -> None:
    kim = room.student(f"Kim {script}", java_script_enabled=script)
    kim.get_by_role("button", name="My copy").click()
    expect(kim.get_by_text("only you and the instructor can call it")).to_be_visible()
    if script:
        expect(kim.locator("html[data-ready]")).to_be_attached()
    kim.get_by_role("button", name="Call alloc_pages").click()
    expect(kim.locator("#head-seq")).to_have_text("#2")
    expect(kim.locator("#journal")).to_contain_text("Kim")
    kim.get_by_role("button", name="Catch up to “two more pages”").click()
    expect(kim.locator("#head-seq")).to_have_text("#5")
    expect(kim.locator("#journal .row").first).to_contain_text("Prof. Noether")
    expect(kim.get_by_role("button", name="Catch up")).to_have_count(0)
    kim.get_by_role("link", name="Lab", exact=True).click()
    expect(kim.locator(".stages")).to_contain_text("caught up")
    kim.reload()
    assert room.lab == kim.url


@pytest.mark.slow
def test_two_meet_on_a_lock_and_one_is_released(room: Room) -> None:
    ada, bo = room.student("Ada"), room.student("Bo")
    for page in (ada, bo):
        page.goto(room.sessions["operate"])
        expect(page.locator("html[data-ready]")).to_be_attached()
        make(page, "lock_page(0x600)")
    expect(bo.locator("#outcome")).to_contain_text("Ada (m")
    expect(bo.locator("#belonging")).to_contain_text("You sleep there")
    expect(ada.locator("#journal")).to_contain_text("Bo")  # live, on the page of somebody else
    bo.locator("#belonging").get_by_role("button", name="Release").click()
    expect(bo.locator("#belonging")).not_to_contain_text("You sleep there")
    expect(bo.locator("#outcome")).to_contain_text("kill_task")


@pytest.mark.slow
def test_a_call_that_is_refused_is_told_where_it_was_made_and_stays_typed(room: Room) -> None:
    kim = room.student("Locked")
    kim.get_by_role("button", name="My copy").click()
    expect(kim.locator("html[data-ready]")).to_be_attached()
    machine = kim.url.rpartition("/")[2]
    held = {"type": "about:blank", "title": "Conflict", "status": 409, "detail": WHY_HELD[LOCKED]}
    refused: dict[str, Any] = {
        "status": 409,
        "content_type": "application/problem+json",
        "body": json.dumps(held),
    }
    # A lock that has been set, and of which the page has not heard yet.
    kim.route("**/api/v1/sessions/*/calls", lambda route: route.fulfill(**refused), times=2)
    kim.get_by_label("order").fill("2")
    expect(kim.locator("[data-line]")).to_contain_text(", 2)")
    expect(kim.locator("[data-curl]")).to_contain_text(' -H "Authorization: Bearer $KMEMLAB_TOKEN" -H')
    expect(kim.locator("[data-python]")).to_contain_text('"Authorization": f"Bearer {token}"}).json()')
    kim.get_by_role("button", name="Call alloc_pages").click()
    expect(kim.locator("#call-refused")).to_contain_text("The machine takes no calls now: nothing happened")
    expect(kim.locator("#call-refused")).to_contain_text("locked")
    expect(kim.get_by_label("order")).to_have_value("2")
    line = kim.get_by_label("A call as a line of text")
    line.fill("alloc_page(GFP_KERNEL)")
    kim.keyboard.press("Enter")
    expect(kim.locator("#console-answer")).to_contain_text("locked")
    expect(line).to_have_value("alloc_page(GFP_KERNEL)")
    at = f"{room.lab}/sessions/{machine}/lock"
    assert room.teacher.request.post(at, form={"locked": "on"}, max_redirects=0).status == 303
    expect(kim.get_by_role("button", name="Call alloc_pages")).to_be_disabled()
    expect(kim.locator("#belonging")).to_contain_text("locked")
    expect(line).to_have_value("alloc_page(GFP_KERNEL)")


@pytest.mark.slow
def test_who_was_signed_out_elsewhere_is_told_so_and_where_to_come_in(room: Room) -> None:
    kim = room.student("Gone")
    kim.get_by_role("button", name="My copy").click()
    expect(kim.locator("html[data-ready]")).to_be_attached()
    assert kim.request.post(f"{room.address}/me/leave", max_redirects=0).status == 303
    kim.get_by_label("A call as a line of text").fill("alloc_page(GFP_KERNEL)")
    kim.keyboard.press("Enter")
    expect(kim.locator("#console-answer")).to_have_text("You are signed out here. Come in again")
    expect(kim.locator("#console-answer a")).to_have_attribute("href", "/join")
    expect(kim.locator("#live")).to_contain_text("You are signed out here. Come in again")


@pytest.mark.slow
def test_on_a_phone_nothing_of_the_roster_and_the_kinds_is_out_of_sight(room: Room) -> None:
    kim = room.student("Phoned")
    kim.get_by_role("button", name="My copy").click()
    expect(kim.get_by_text("only you and the instructor can call it")).to_be_visible()
    teacher = room.teacher
    teacher.set_viewport_size({"width": 390, "height": 844})
    try:
        teacher.goto(f"{room.lab}/members")
        row = teacher.locator("tr", has_text="Phoned")
        for action in (
            row.get_by_role("button", name="Lock"),
            row.get_by_role("link", name="Reset"),
            row.get_by_role("link", name="Delete"),
        ):
            box = action.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
        teacher.goto(room.lab)
        teacher.get_by_text("Add a machine").click()
        assert teacher.locator("#add-kind").evaluate(
            """select => {
              const pen = document.createElement("canvas").getContext("2d");
              pen.font = getComputedStyle(select).font;
              const words = [...select.options].map((option) => pen.measureText(option.text).width);
              return Math.max(...words) <= select.clientWidth - 16;
            }"""
        )
    finally:
        teacher.set_viewport_size({"width": 1280, "height": 720})


@pytest.mark.slow
def test_frozen_is_seen_at_once_and_leaves_what_was_typed(room: Room) -> None:
    kim = room.student("Frozen")
    kim.get_by_role("button", name="My copy").click()
    expect(kim.locator("html[data-ready]")).to_be_attached()
    line = kim.get_by_label("A call as a line of text")
    line.fill("alloc_page(GFP_KERNEL)")
    room.teacher.goto(room.lab)
    room.teacher.get_by_role("button", name="Freeze all calls").click()
    try:
        expect(kim.get_by_role("button", name="Call alloc_pages")).to_be_disabled()
        expect(kim.locator("#belonging")).to_contain_text("frozen")
        expect(line).to_be_disabled()
        expect(line).to_have_value("alloc_page(GFP_KERNEL)")
    finally:
        room.teacher.get_by_role("button", name="Resume calls").click()
    expect(line).to_be_enabled()


@pytest.mark.slow
def test_a_lock_is_seen_at_once_by_whom_it_stops(room: Room) -> None:
    kim, lee = room.student("Locked"), room.student("Free")
    for page in (kim, lee):
        page.get_by_role("button", name="My copy").click()
        expect(page.locator("html[data-ready]")).to_be_attached()
    line = kim.get_by_label("A call as a line of text")
    line.fill("alloc_page(GFP_KERNEL)")
    reads: list[str] = []
    lee.on("request", lambda request: reads.append(request.url))
    machine = f"#machine-{kim.url.partition('/sessions/')[2].partition('?')[0]}"
    room.teacher.goto(f"{room.lab}/members")
    room.teacher.locator(machine).get_by_role("button", name="Lock").click()
    expect(kim.get_by_role("button", name="Call alloc_pages")).to_be_disabled()
    expect(line).to_be_disabled()
    expect(line).to_have_value("alloc_page(GFP_KERNEL)")
    expect(kim.locator("#belonging")).to_contain_text("locked")
    room.teacher.locator(machine).get_by_role("button", name="Unlock").click()
    expect(line).to_be_enabled()
    expect(kim.locator("#belonging")).not_to_contain_text("locked")
    # From the machine's own page too, which stays where it is.
    room.teacher.goto(kim.url)
    expect(room.teacher.locator("html[data-ready]")).to_be_attached()
    typed = room.teacher.get_by_label("A call as a line of text")
    typed.fill("alloc_page(GFP_ATOMIC)")
    room.teacher.locator("#belonging").get_by_role("button", name="Lock").click()
    expect(room.teacher.locator("#belonging").get_by_role("button", name="Unlock")).to_be_enabled()
    expect(typed).to_have_value("alloc_page(GFP_ATOMIC)")
    expect(line).to_be_disabled()
    room.teacher.locator("#belonging").get_by_role("button", name="Unlock").click()
    expect(line).to_be_enabled()
    # Nobody else's page is read again for it.
    assert not [url for url in reads if "/sessions/" in url and "/api/" not in url]


@pytest.mark.slow
def test_by_keyboard_alone(room: Room) -> None:
    page = room.new()
    page.goto(f"{room.address}/join/{room.code}")
    expect(page.get_by_label("Nickname")).to_be_focused()
    page.keyboard.type("Keys")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Join", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("You are Keys")).to_be_visible()
    copy = page.get_by_role("button", name="My copy")
    for _ in range(40):
        page.keyboard.press("Tab")
        if copy.evaluate("button => button === document.activeElement"):
            break
    expect(copy).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#belonging")).to_contain_text("Your machine")


def test_a_password_can_be_looked_at(room: Room) -> None:
    page = room.new()
    page.goto(f"{room.address}/signin")
    field = page.get_by_label("Password", exact=True)
    field.fill("a few words")
    page.get_by_role("button", name="Show").click()
    expect(field).to_have_attribute("type", "text")
    page.get_by_role("button", name="Hide").click()
    expect(field).to_have_attribute("type", "password")


@pytest.mark.slow
def test_a_token_is_copied_and_a_personal_link_works_on_a_phone(room: Room) -> None:
    kim = room.student("Keyed")
    kim.get_by_role("link", name="You are Keyed").click()
    kim.get_by_role("button", name="Make a new token").click()
    expect(kim.get_by_label("Token")).to_contain_text("kml_")
    expect(kim.get_by_role("button", name="Copy").first).to_be_visible()
    kim.get_by_role("button", name="Make a new personal link").click()
    link = kim.get_by_label("Personal link").inner_text()
    phone = room.new(viewport={"width": 390, "height": 844})
    phone.goto(link)
    phone.get_by_role("button", name="Come in as Keyed").click()
    expect(phone.get_by_text("You are Keyed")).to_be_visible()


@pytest.fixture(scope="module")
def pages(room: Room) -> dict[str, list[Page]]:
    """Every page of a lab, and a browser that may see it."""
    student = room.student("Axe")
    student.get_by_role("button", name="My copy").click()
    copy = student.url
    student.goto(room.sessions["operate"])
    student.get_by_label("A call as a line of text").fill("lock_page(0x700)")
    student.keyboard.press("Enter")
    teacher, stranger, lab = room.teacher, room.new(), room.lab
    machine = copy.rpartition("/")[2]
    return {
        f"{room.address}/join": [stranger, student],
        f"{room.address}/join/{room.code}": [stranger],
        f"{room.address}/join/0000-0000": [stranger],
        f"{room.address}/signin": [stranger],
        f"{room.address}/setup/none": [stranger],
        f"{room.address}/enter/none": [stranger],
        f"{room.address}/": [teacher, student],
        f"{room.address}/labs": [teacher],
        f"{room.address}/me": [teacher, student],
        f"{room.address}/me/leave": [teacher],
        f"{room.address}/signout": [student],
        f"{room.address}/audit": [teacher],
        lab: [teacher, student],
        f"{lab}/board": [teacher],
        f"{lab}/members": [teacher],
        f"{lab}/activity": [teacher],
        f"{lab}/close": [teacher],
        f"{lab}/delete": [teacher],
        f"{lab}/members/1/delete": [teacher],
        f"{lab}/sessions/{machine}/reset": [teacher],
        copy: [student, teacher],
        f"{room.sessions['operate']}?panel=tasks": [student],
        room.sessions["watch"]: [student],
    }


@pytest.mark.slow
def test_every_page_fits_every_width_and_axe_finds_nothing_serious(
    room: Room, pages: dict[str, list[Page]]
) -> None:
    wrong: list[tuple[Any, ...]] = []
    for address, browsers in pages.items():
        for page in browsers:
            page.emulate_media(color_scheme="light", reduced_motion="reduce")
            page.goto(address)
            for name, (width, height) in SIZES.items():
                page.set_viewport_size({"width": width, "height": height})
                wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                if wide > 0:
                    wrong.append((address, name, wide))
            page.set_viewport_size({"width": 1440, "height": 900})
            page.evaluate("for (const one of document.querySelectorAll('main details')) one.open = true")
            # All but the bar above them is on the machine whose tasks are shown, too.
            alike = address.startswith(f"{room.address}/sessions/") and "panel=" not in address
            part = "#belonging" if alike else "html"
            wrong += violations(page, part=part)
            page.emulate_media(color_scheme="dark")
            wrong += violations(page, part=part, dark=True)
    assert wrong == []


def test_the_bar_of_a_machine_is_one_line(room: Room) -> None:
    kim = room.student("A nickname of forty characters, or so.")
    kim.set_viewport_size({"width": 1440, "height": 900})
    kim.get_by_role("button", name="My copy").click()
    # Boxes are those of one page at one size: not of the one that is left, or is still being built.
    expect(kim).to_have_url(re.compile("/sessions/"))
    expect(kim.locator("#map-picture canvas")).to_be_visible()
    bar = kim.locator("header.bar").bounding_box()
    assert bar is not None
    assert bar["height"] < 50
    boxes = [
        box
        for item in kim.locator("header.bar > *, header.bar .place > *").all()
        if (box := item.bounding_box())
    ]
    assert all(box["x"] + box["width"] <= 1440.5 for box in boxes)
    place, nav = (kim.locator(part).bounding_box() for part in (".bar .place", ".bar-nav"))
    assert place is not None
    assert nav is not None
    assert place["x"] + place["width"] <= nav["x"] + 1

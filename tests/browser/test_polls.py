"""A question in Chromium: on phones, projector and desk, with script and without, by keyboard too."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.support.axe import serious
from tests.support.patience import PATIENCE_MS
from tests.support.served import build, listening
from tests.support.walls import Hall, hall
from tests.support.wire import relayed

MEMBERS = 6
# Bytes over the wire for a phone that was never there.
MOST = 40_000
FULL = "f = alloc_page(GFP_ATOMIC|__GFP_MEMALLOC) until NULL\n__free_pages(f[::2], 0)"


class Class:
    """A class with phones, a projector and a desk."""

    def __init__(self, browser: Browser, address: str, made: Hall) -> None:
        self.browser = browser
        self.address = address
        self.hall = made
        self.lab = f"{address}/labs/{made.lab}"
        self.contexts: list[BrowserContext] = []
        self.desk = self.page(made.token, 1366, 768)
        self.faults: list[str] = []

    def page(self, token: str, width: int, height: int, **how: object) -> Page:
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            reduced_motion="reduce",
            **how,  # type: ignore[arg-type]
        )
        context.add_cookies([{"name": "kmemlab", "value": token, "url": self.address}])
        self.contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        return page

    def phone(self, number: int, width: int = 320, **how: object) -> Page:
        page = self.page(self.hall.tokens[number], width, 640, **how)
        page.goto(f"{self.lab}/polls")
        return page

    def ask(self, line: str = "alloc_pages(GFP_NOWAIT, 1)") -> str:
        """Type a call beside the console of a machine, and ask what comes of it. The poll's address."""
        api = f"{self.address}/api/v1/sessions"
        machine = {"profile": "tiny-16m", "lecture": True, "reclaim": False}
        made = self.desk.request.post(api, data={"name": "half free", "machine": machine}).json()["id"]
        at = f"{api}/{made}/calls"
        assert self.desk.request.post(at, data=FULL, headers={"Content-Type": "text/plain"}).ok
        self.desk.goto(f"{self.address}/sessions/{made}")
        expect(self.desk.locator("html[data-ready]")).to_be_attached()
        self.desk.get_by_label("A call as a line of text").fill(line)
        self.desk.get_by_role("button", name="Ask the class").click()
        expect(self.desk.get_by_label("Call", exact=True)).to_have_value(line)
        self.desk.get_by_role("button", name="Prepare the question").click()
        expect(self.desk.locator("#poll-heading")).to_have_text("Draft")
        return self.desk.url.removesuffix("/desk")

    def step(self, name: str, heading: str) -> None:
        self.desk.get_by_role("button", name=name, exact=True).click()
        expect(self.desk.locator("#poll-heading")).to_have_text(heading)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Hall, Path]]:
    folder = tmp_path_factory.mktemp("polls")
    made = hall(folder, MEMBERS)
    with listening(build(folder, lab=True)) as address:
        yield address, made, folder


@pytest.fixture
def room(browser: Browser, served: tuple[str, Hall, Path]) -> Iterator[Class]:
    address, made, _ = served
    room = Class(browser, address, made)
    yield room
    running = room.desk.request.get(f"{address}/api/v1/labs/{made.lab}/polls").json()["items"]
    for poll in running:
        room.desk.request.delete(f"{address}/api/v1/labs/{made.lab}/polls/{poll['id']}")
    assert room.faults == []
    for context in room.contexts:
        context.close()


def vote(phone: Page, letter: str, how: str) -> None:
    phone.get_by_role("radio", name=re.compile(f"^{letter} ")).check()
    phone.get_by_role("button", name=how, exact=True).click()
    expect(phone.locator("#said")).to_contain_text(f"You chose {letter}: ")


def test_from_the_console_to_the_row_that_answers(room: Class) -> None:
    kim, lee = room.phone(0), room.phone(1, 390)
    expect(kim.get_by_role("heading", name="No question now")).to_be_visible()
    poll = room.ask()
    projector = room.page(room.hall.token, 1920, 1080)
    projector.goto(f"{poll}/projector")
    room.step("Vote", "First vote")
    # The question comes by itself, with an address of its own.
    for phone in (kim, lee):
        expect(phone.locator("#heading")).to_have_text("First vote")
        expect(phone.get_by_role("radio")).to_have_count(4)
        expect(phone).to_have_url(poll)
        expect(phone.locator("#names")).to_have_text("Your name is not shown with your answer.")
    vote(kim, "A", "rather sure")
    vote(lee, "B", "sure")
    expect(projector.locator("#poll-voted")).to_have_text(f"2 of {MEMBERS} have voted")
    for words in ("✓", "right", "Right in"):
        expect(projector.locator("#poll")).not_to_contain_text(words)
    expect(room.desk.locator("#desk-count")).to_contain_text("1 of 2 right: 50 %")
    expect(room.desk.locator(".desk-advice")).to_contain_text("Let them discuss")
    # It is remembered, and can be changed until it is closed.
    kim.reload()
    expect(kim.locator("#said")).to_contain_text("You chose A: ok (rather sure)")
    expect(kim.get_by_role("radio", name=re.compile("^A "))).to_be_checked()
    room.step("Discuss", "Discuss")
    expect(kim.locator("#own")).to_contain_text("Find somebody with another answer")
    expect(kim.locator("#own-letter")).to_have_text("A")
    expect(kim.locator("#ballot")).to_be_hidden()
    expect(projector.get_by_text("Find somebody with another answer")).to_be_visible()
    room.step("Vote again", "Second vote")
    vote(kim, "B", "sure")
    vote(lee, "B", "sure")
    room.step("Reveal: make the call", "The answer")
    expect(kim.locator("#right")).to_have_text("B: null")
    expect(kim.locator("#votes li")).to_have_text(
        [re.compile("A: ok .* not right"), re.compile("B: null .* right")]
    )
    expect(projector.get_by_role("heading", name="The machine’s answer: B: null")).to_be_visible()
    expect(projector.locator(".poll-row")).to_contain_text("#3")
    expect(projector.locator(".poll-chart")).to_have_attribute(
        "aria-label", "Right in the first round: 1 of 2. Right in the second: 2 of 2."
    )
    expect(projector.locator(".poll-chart .flow-gained[d]")).to_have_count(1)
    expect(room.desk.locator(".desk-shift")).to_contain_text("wrong before")
    expect(room.desk.get_by_text("Normalized gain: +1.00")).to_be_visible()
    room.step("End", "Over")
    expect(kim.locator("#heading")).to_have_text("Over")
    # The next one comes to the same page.
    second = room.ask()
    room.step("Vote", "First vote")
    expect(kim).to_have_url(second)
    expect(kim.locator("#result")).to_be_hidden()
    expect(kim.locator("#said")).to_be_empty()
    vote(kim, "D", "a guess")


def test_without_script_there_is_a_form_and_a_link_to_look_again(room: Class) -> None:
    poll = room.ask()
    room.step("Vote", "First vote")
    kim = room.phone(2, java_script_enabled=False)
    expect(kim).to_have_url(poll)
    kim.get_by_role("button", name="sure", exact=True).click()
    expect(kim.get_by_role("alert")).to_contain_text("Your vote was not counted")
    kim.get_by_role("radio", name=re.compile("^B ")).check()
    kim.get_by_role("button", name="a guess").click()
    expect(kim.locator("#said")).to_contain_text("You chose B: null (a guess)")
    # The desk works without script, too.
    desk = room.page(room.hall.token, 1366, 768, java_script_enabled=False)
    desk.goto(f"{poll}/desk")
    expect(desk.locator("#desk-count")).to_contain_text("1 of 1 right")
    desk.get_by_role("button", name="Reveal: make the call").click()
    expect(desk.locator("#poll-heading")).to_have_text("The answer")
    kim.get_by_role("link", name="Look again").click()
    expect(kim.locator("#right")).to_have_text("B: null")


def test_a_phone_gets_few_bytes_and_large_targets_and_nothing_is_out_of_sight(room: Class) -> None:
    poll = room.ask()
    room.step("Vote", "First vote")
    with relayed(room.address) as wire:
        context = room.browser.new_context(viewport={"width": 320, "height": 640})
        context.add_cookies([{"name": "kmemlab", "value": room.hall.tokens[3], "url": wire.address}])
        phone = context.new_page()
        phone.goto(f"{wire.address}/labs/{room.hall.lab}/polls")
        expect(phone.locator("html[data-ready]")).to_be_attached()
        phone.wait_for_timeout(500)
        size = wire.received
        assert phone.evaluate("document.documentElement.scrollWidth") <= 320
        small = phone.evaluate(
            """() => [...document.querySelectorAll(".choice, button, #again, header a")]
              .filter((node) => node.getBoundingClientRect().height < 44).map((node) => node.outerHTML)"""
        )
        context.close()
    print(f"{size:,} bytes over the wire")
    assert size <= MOST
    assert small == []
    assert poll


def test_by_keyboard_alone(room: Class) -> None:
    room.ask()
    room.step("Vote", "First vote")
    kim = room.phone(4)
    kim.get_by_role("radio").first.focus()
    kim.keyboard.press("Space")
    kim.keyboard.press("ArrowDown")
    expect(kim.get_by_role("radio", name=re.compile("^B "))).to_be_checked()
    kim.keyboard.press("Tab")
    expect(kim.get_by_role("button", name="sure", exact=True)).to_be_focused()
    kim.keyboard.press("Tab")
    kim.keyboard.press("Enter")
    expect(kim.locator("#said")).to_contain_text("You chose B: null (rather sure)")
    room.desk.get_by_role("button", name="Close the vote").focus()
    room.desk.keyboard.press("Enter")
    expect(room.desk.locator("#poll-heading")).to_have_text("The vote is closed")
    expect(kim.locator("#heading")).to_have_text("The vote is closed")


def test_a_vote_that_does_not_reach_the_server_is_sent_again(room: Class) -> None:
    room.ask()
    room.step("Vote", "First vote")
    kim = room.phone(5)
    expect(kim.locator("html[data-ready]")).to_be_attached()
    kim.route("**/vote", lambda route: route.abort())
    kim.get_by_role("button", name="sure", exact=True).click()
    expect(kim.locator("#said")).to_have_text("Choose an answer first.")
    kim.get_by_role("radio", name=re.compile("^C ")).check()
    kim.get_by_role("button", name="sure", exact=True).click()
    expect(kim.locator("#said")).to_contain_text("is sent again")
    kim.unroute("**/vote")
    expect(kim.locator("#said")).to_contain_text("You chose C: bug (sure)")


def test_nothing_serious_is_found_by_axe(room: Class) -> None:
    poll = room.ask()
    room.step("Vote", "First vote")
    kim = room.phone(0, bypass_csp=True)
    vote(kim, "A", "sure")
    found = serious(kim)
    teacher = room.page(room.hall.token, 1366, 768, bypass_csp=True)
    for path in ("/projector", "/desk"):
        teacher.goto(poll + path)
        found += serious(teacher)
    room.step("Reveal: make the call", "The answer")
    expect(kim.locator("#right")).to_be_visible()
    found += serious(kim)
    for path in (f"{poll}/projector", f"{poll}/desk", f"{room.lab}/polls", f"{room.lab}/participation"):
        teacher.goto(path)
        found += serious(teacher)
    dark = room.page(room.hall.token, 1366, 768, bypass_csp=True, color_scheme="dark")
    for path in ("/projector", "/desk"):
        dark.goto(poll + path)
        found += serious(dark, dark=True)
    darkened = room.page(room.hall.tokens[0], 320, 640, bypass_csp=True, color_scheme="dark")
    darkened.goto(poll)
    found += serious(darkened, dark=True)
    assert found == []

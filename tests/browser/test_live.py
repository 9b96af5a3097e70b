"""The machine page follows its session: calls of others appear in it, and it says whether it is live."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.support.patience import PATIENCE_MS
from tests.support.served import build, listening


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return build(tmp_path_factory.mktemp("live"))


@pytest.fixture(scope="module")
def address(application: FastAPI) -> Iterator[str]:
    with listening(application) as address:
        yield address


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What the pages complained of: nothing may be."""
    said: list[str] = []
    yield said
    assert said == []


@pytest.fixture
def open_page(context: BrowserContext, said: list[str]) -> Callable[[str], Page]:
    def open_(url: str) -> Page:
        page = context.new_page()
        page.on("console", lambda m: said.append(m.text) if m.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(url)
        return page

    return open_


def create(address: str, **machine: object) -> str:
    """A machine's path."""
    described = {"profile": "tiny-16m", "lecture": True, **machine}
    made = httpx2.post(f"{address}/api/v1/sessions", json={"name": "shared", "machine": described})
    return f"/sessions/{made.json()['id']}"


def call(address: str, machine: str, lines: str) -> None:
    """As somebody else would, with curl."""
    answer = httpx2.post(
        f"{address}/api/v1{machine}/calls", content=lines, headers={"Content-Type": "text/plain"}
    )
    assert answer.status_code == 201, answer.text


def is_live(page: Page) -> None:
    expect(page.locator("#live")).to_have_text("live")


def test_a_call_of_someone_else_appears(address: str, open_page: Callable[[str], Page]) -> None:
    machine = create(address)
    page = open_page(address + machine)
    is_live(page)
    canvas = page.locator("#map-picture canvas")
    expect(canvas).to_be_visible()
    page.evaluate("window.before = document.querySelector('#map-picture canvas').toDataURL()")
    page.locator("#call-order").fill("5")
    page.evaluate("scrollTo(0, 200)")
    top = page.evaluate("scrollY")
    call(address, machine, "p = alloc_pages(GFP_KERNEL, 3)")
    expect(page.locator("#head-seq")).to_have_text("#1")
    expect(page.locator("#outcome")).to_contain_text("alloc_pages(GFP_KERNEL, 3)")
    expect(page.locator("#journal")).to_contain_text("alloc_pages(GFP_KERNEL, 3)")
    expect(page.locator("#live-said")).to_contain_text("#1")
    expect(page.locator("#names")).to_contain_text("p")
    page.wait_for_function(
        "() => document.querySelector('#map-picture canvas').toDataURL() !== window.before"
    )
    # What was being typed, and where the page was, is left alone.
    expect(page.locator("#call-order")).to_have_value("5")
    assert page.evaluate("scrollY") == top


def test_who_is_woken_reads_it_in_the_dock(address: str, open_page: Callable[[str], Page]) -> None:
    machine = create(address)
    call(address, machine, "p = alloc_page(GFP_KERNEL)\nalice: lock_page(p)")
    page = open_page(address + machine)
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator("html[data-ready]")).to_be_attached()
    page.get_by_label("A call as a line of text").fill("bob: lock_page(p)")
    page.keyboard.press("Enter")
    expect(page.locator("#outcome")).to_contain_text("blocked")
    call(address, machine, "alloc_page(GFP_KERNEL)")
    expect(page.locator("#head-seq")).to_have_text("#4")
    dock = page.locator("#console-answer")
    expect(dock).to_have_text(re.compile("#3 .*blocked"))
    call(address, machine, "alice: unlock_page(p)")
    expect(dock).to_have_text("bob is awake (#3): it holds the lock of 0x00400")
    expect(dock).to_be_visible()


@pytest.mark.slow
def test_a_view_is_kept(address: str, open_page: Callable[[str], Page]) -> None:
    machine = create(address)
    call(address, machine, "p = alloc_pages(GFP_KERNEL, 0)\nq = alloc_pages(GFP_KERNEL, 1)")
    page = open_page(f"{address}{machine}?outcome=1&panel=log&shift=0&start=0x400")
    is_live(page)
    call(address, machine, "get_page(p)")
    expect(page.locator("#head-seq")).to_have_text("#3")
    expect(page.locator("#outcome .answer-line")).to_contain_text("#1")
    expect(page.locator("#map-head")).to_contain_text("1 cell = 1 frame")
    assert page.url.endswith("?outcome=1&panel=log&shift=0&start=0x400")


@pytest.mark.slow
def test_many_calls_are_not_read_out_one_by_one(address: str, open_page: Callable[[str], Page]) -> None:
    machine = create(address)
    page = open_page(address + machine)
    is_live(page)
    page.evaluate(
        """() => {
          window.sentences = 0;
          const said = document.getElementById("live-said");
          new MutationObserver(() => window.sentences++).observe(said, { childList: true });
          window.loads = 0;
          new PerformanceObserver((list) => {
            window.loads += list.getEntries().filter((entry) => entry.initiatorType === "fetch").length;
          }).observe({ type: "resource" });
        }"""
    )
    for _ in range(100):
        call(address, machine, "p = alloc_page(GFP_KERNEL)\n__free_page(p)")
    expect(page.locator("#head-seq")).to_have_text("#200")
    assert page.evaluate("window.sentences") <= 3
    assert page.evaluate("window.loads") < 150
    assert page.locator("#outcome .answer").get_attribute("aria-live") == "off"


def test_ones_own_call_is_shown_once(address: str, open_page: Callable[[str], Page]) -> None:
    machine = create(address)
    page = open_page(address + machine)
    is_live(page)
    loads: list[str] = []
    page.on(
        "request", lambda request: loads.append(request.url) if request.url == address + machine else None
    )
    line = page.get_by_label("A call as a line of text")
    for number in range(1, 4):
        line.fill("alloc_page(GFP_KERNEL)")
        page.keyboard.press("Enter")
        expect(page.locator("#console-answer")).to_have_text(re.compile(f"^#{number} "))
        expect(page.locator("#head-seq")).to_have_text(f"#{number}")
    call(address, machine, "alloc_page(GFP_KERNEL)")
    expect(page.locator("#head-seq")).to_have_text("#4")
    assert len(loads) == 4


@pytest.mark.slow
def test_ten_pages_share_one_stream(
    address: str, open_page: Callable[[str], Page], application: FastAPI
) -> None:
    streams = application.state.sessions._feed._readers
    machine = create(address)
    pages = [open_page(address + machine) for _ in range(10)]
    for page in pages:
        is_live(page)
    call(address, machine, "alloc_page(GFP_KERNEL)")
    for page in pages:
        expect(page.locator("#head-seq")).to_have_text("#1")
    assert streams.total() == 1
    for page in pages[:9]:
        page.close()
    call(address, machine, "alloc_page(GFP_KERNEL)")
    expect(pages[9].locator("#head-seq")).to_have_text("#2")
    pages[9].goto(address)
    while streams.total():
        pages[9].wait_for_timeout(20)


@pytest.mark.slow
def test_many_machines_leave_room_for_pages(address: str, open_page: Callable[[str], Page]) -> None:
    """A browser has six connections for a site. Pages beyond the fourth machine wait to be looked at."""
    machines = [create(address) for _ in range(8)]
    pages = [open_page(address + machine) for machine in machines]
    for page in pages[4:]:
        is_live(page)
    for page in pages[:4]:
        expect(page.locator("#live")).to_have_text("stale Reload")
    call(address, machines[0], "alloc_page(GFP_KERNEL)")
    pages[0].evaluate("window.dispatchEvent(new Event('focus'))")
    expect(pages[0].locator("#head-seq")).to_have_text("#1")
    is_live(pages[0])


@pytest.mark.slow
def test_without_shared_workers_each_page_follows(
    address: str, context: BrowserContext, open_page: Callable[[str], Page]
) -> None:
    context.add_init_script("delete window.SharedWorker")
    machine = create(address)
    pages = [open_page(address + machine) for _ in range(2)]
    for page in pages:
        is_live(page)
    call(address, machine, "alloc_page(GFP_KERNEL)")
    for page in pages:
        expect(page.locator("#head-seq")).to_have_text("#1")
    hide(pages[0], hidden=True)
    call(address, machine, "alloc_page(GFP_KERNEL)")
    expect(pages[1].locator("#head-seq")).to_have_text("#2")
    expect(pages[0].locator("#head-seq")).to_have_text("#1")
    hide(pages[0], hidden=False)
    expect(pages[0].locator("#head-seq")).to_have_text("#2")


def hide(page: Page, *, hidden: bool) -> None:
    """Chromium without windows never hides a page by itself."""
    page.evaluate(
        """(hidden) => {
          Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def test_a_server_that_goes_and_comes_back(tmp_path: Path, context: BrowserContext) -> None:
    """Not in `said`: Chromium writes each connection that fails into the console."""
    page = context.new_page()
    app = build(tmp_path)
    with listening(app) as address:
        machine = create(address)
        page.goto(address + machine)
        is_live(page)
        port = int(address.rpartition(":")[2])
    expect(page.locator("#live")).to_have_text("reconnecting")
    with listening(build(tmp_path), port):
        call(address, machine, "alloc_page(GFP_KERNEL)")
        expect(page.locator("#head-seq")).to_have_text("#1")
        is_live(page)


def test_without_script_a_link_loads_again(browser: Browser, address: str) -> None:
    machine = create(address)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}{machine}?panel=log")
    call(address, machine, "alloc_page(GFP_KERNEL)")
    page.get_by_role("link", name="Reload").click()
    expect(page.locator("#head-seq")).to_have_text("#1")
    assert page.url.endswith("?panel=log")
    context.close()


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0, 2])
def test_the_map_of_a_follower_is_a_fresh_one(
    address: str, open_page: Callable[[str], Page], shift: int
) -> None:
    machine = create(address)
    page = open_page(f"{address}{machine}?shift={shift}&start=0x0")
    is_live(page)
    for number in range(30):
        order = number % 6
        lines = f"p = alloc_pages(GFP_KERNEL, {order})\nkmalloc(5000, GFP_KERNEL)\n__free_pages(p, {order})"
        call(address, machine, lines)
    expect(page.locator("#head-seq")).to_have_text("#90")
    page.wait_for_timeout(2500)  # then the outline of the last change is thin
    followed = page.locator("#map-picture canvas").evaluate("canvas => canvas.toDataURL()")
    page.reload()
    page.wait_for_function(
        "followed => document.querySelector('#map-picture canvas')?.toDataURL() === followed", arg=followed
    )

"""What a page cannot fetch is said where it would stand; the page stays, and has it later."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.patience import PATIENCE_MS
from tests.support.served import build, listening


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def opened(page: Page, address: str) -> str:
    """A machine's page, ready; its path."""
    machine = {"profile": "tiny-16m", "lecture": True}
    made = page.request.post(f"{address}/api/v1/sessions", data={"name": "demo", "machine": machine})
    path = f"/sessions/{made.json()['id']}"
    page.request.post(
        f"{address}/api/v1{path}/calls", data="vmalloc(64K)", headers={"Content-Type": "text/plain"}
    )
    page.goto(address + path)
    expect(page.locator("html[data-ready]")).to_be_attached()
    return path


def test_a_tab_comes_when_the_server_is_back(page: Page, tmp_path: Path) -> None:
    port = free_port()
    with listening(build(tmp_path), port) as address:
        opened(page, address)
    page.locator("#line").fill("p = alloc_pages(GFP_KERNEL, 3")
    page.locator("#call input[name=order]").fill("7")
    panels = page.locator("#panels")
    panels.get_by_role("link", name="vmalloc").click()
    expect(panels.get_by_role("alert")).to_contain_text("could not be loaded: the server does not answer")
    expect(panels.get_by_role("button", name="Try again")).to_be_visible()
    assert "panel=vmalloc" in page.url
    panels.get_by_role("link", name="Slab").click()
    expect(panels.get_by_role("alert")).to_have_count(1)
    with listening(build(tmp_path), port):
        expect(panels.get_by_role("alert")).to_have_count(0)
        expect(panels.get_by_role("link", name="Slab")).to_have_attribute("aria-current", "true")
        expect(panels.locator("caption")).to_contain_text("Slab caches")
        expect(page.locator(".lacking")).to_have_count(0)
        # What was typed is still there, and so is the page that it was typed on.
        expect(page.locator("#line")).to_have_value("p = alloc_pages(GFP_KERNEL, 3")
        expect(page.locator("#call input[name=order]")).to_have_value("7")


@pytest.mark.slow
def test_the_button_tries_again_at_once(page: Page, tmp_path: Path) -> None:
    port = free_port()
    page.clock.install()
    with listening(build(tmp_path), port) as address:
        opened(page, address)
    page.locator("#map-picture").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("could not be loaded")
    with listening(build(tmp_path), port):
        alert.get_by_role("button").click()
        expect(alert).to_have_count(0)
        expect(page.locator("#inspector")).to_contain_text("struct page")


@pytest.mark.slow
def test_a_step_of_an_explanation_comes_when_the_server_is_back(page: Page, tmp_path: Path) -> None:
    port = free_port()
    with listening(build(tmp_path), port) as address:
        path = opened(page, address)
        page.goto(f"{address}{path}/explain/1")
        expect(page.locator("#moment-later")).to_be_visible()
        page.wait_for_load_state("networkidle")
    page.locator("#moment-later").click()
    expect(page.locator("#moment").get_by_role("alert")).to_contain_text("could not be loaded")
    with listening(build(tmp_path), port):
        expect(page.get_by_role("alert")).to_have_count(0)
        expect(page.locator("#moment")).to_have_attribute("data-step", "1")


def test_a_failure_of_the_server_leaves_the_page(page: Page, tmp_path: Path) -> None:
    with listening(build(tmp_path)) as address:
        opened(page, address)
        page.route(
            "**/sessions/*?panel=tasks*", lambda route: route.fulfill(status=503, body="<h1>Busy</h1>")
        )
        panels = page.locator("#panels")
        panels.get_by_role("link", name="Tasks").click()
        expect(panels.get_by_role("alert")).to_contain_text("could not be loaded: Busy.")
        page.unroute("**/sessions/*?panel=tasks*")
        expect(panels.locator("caption")).to_contain_text("Tasks")


def test_a_step_of_a_demo_that_fails_leaves_the_page(page: Page, tmp_path: Path) -> None:
    with listening(build(tmp_path)) as address:
        path = opened(page, address)
        page.goto(f"{address}{path}?demo=split-and-merge&step=1")
        page.route("**/demo", lambda route: route.fulfill(status=503, body="<h1>Busy</h1>"))
        page.locator("#demo form[data-demo] button.primary").click()
        expect(page.locator("#console-answer")).to_contain_text("The server can make no call now")
        assert "demo=split-and-merge" in page.url
        expect(page.locator("#demo")).to_be_visible()


def test_the_button_to_copy_covers_no_text(page: Page, tmp_path: Path) -> None:
    with listening(build(tmp_path)) as address:
        path = opened(page, address)
        page.goto(f"{address}{path}?panel=proc&file=buddyinfo")
        box = page.locator("#panels .copyable").first
        button, text = box.locator(".copy").bounding_box(), box.locator("pre").bounding_box()
        assert button is not None
        assert text is not None
        assert button["y"] + button["height"] <= text["y"]

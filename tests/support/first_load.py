"""A page's first load in a browser that was never there: bytes over the wire, and when it is seen."""

from dataclasses import dataclass

from playwright.sync_api import Browser, expect

from tests.support.wire import relayed

PAINT = "() => performance.getEntriesByName('first-paint')[0]?.startTime ?? null"


@dataclass(frozen=True, slots=True)
class FirstLoad:
    """How large and how slow the first load of a page was."""

    # Bytes, headers and all, until the page is live.
    size: int
    # Milliseconds until something is seen.
    paint: float


def first_load(browser: Browser, address: str, path: str) -> FirstLoad:
    """Open a machine page with nothing in any cache; everything that it fetches by itself counts."""
    with relayed(address) as wire:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.goto(wire.address + path)
        expect(page.locator("html[data-ready]")).to_be_attached()
        expect(page.locator("#live")).to_have_text("live")
        before = -1
        while before != wire.received:  # what comes last is the map's cells and the worker's stream
            before = wire.received
            page.wait_for_timeout(400)
        found = FirstLoad(wire.received, page.evaluate(PAINT))
        context.close()
    return found


def first_paint(browser: Browser, url: str) -> float:
    """Milliseconds until anything of a page is seen."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(url)
    page.wait_for_function(PAINT)
    found: float = page.evaluate(PAINT)
    context.close()
    return found

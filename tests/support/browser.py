"""A pytest plugin (`-p` in pyproject.toml): Chromium through Playwright's synchronous API.

`browser` is one Chromium per test process, `page` a fresh page of it without cookies. Tests that use either
are marked `browser`. Without a Chromium they are skipped; with CI=true they fail.
"""

import asyncio
import os
import shutil
from collections.abc import Generator, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.support.patience import PATIENCE_MS

# Debian's package of the same Chromium without windows comes first: it takes two thirds of the time.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")

# --headless is Playwright's. These do without the sandbox, which root cannot have, and without calls home;
# the pages of a context share one renderer, of which each takes half a second to start.
FLAGS = (
    "--process-per-site",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str | None:
    """$KMEMLAB_CHROMIUM, or the first Chromium in PATH."""
    names = (os.environ.get("KMEMLAB_CHROMIUM", ""), *NAMES)
    return next((path for name in names if name and (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def chromium() -> str:
    path = find_chromium()
    if path is None:
        missing = "no Chromium in PATH or $KMEMLAB_CHROMIUM (apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return path


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        loop = asyncio._get_running_loop()
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        expect.set_options(timeout=PATIENCE_MS)
        yield browser
        asyncio._set_running_loop(loop)
        browser.close()


@pytest.fixture(scope="session")
def warm(browser: Browser) -> BrowserContext:
    """A context with the dashboard's files in its cache: fetching them is half of what a short test takes."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    return context


@pytest.fixture
def page(warm: BrowserContext) -> Iterator[Page]:
    warm.clear_cookies()
    yield warm.new_page()
    for page in warm.pages:
        page.close()


def _drives_browser(item: pytest.Item) -> bool:
    return "browser" in getattr(item, "fixturenames", ())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _drives_browser(item):
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Hide Playwright's event loop from the other tests.

    Between two calls of the synchronous API its loop stays marked as the running one of this thread, and
    asyncio.run() or anyio's runner would refuse to start.
    """
    if _drives_browser(item):
        return (yield)
    loop = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        return (yield)
    finally:
        asyncio._set_running_loop(loop)

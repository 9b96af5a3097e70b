"""Long work in Chromium: how far it is stands above the console, and a button ends it."""

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect

from app.sessions import batches
from tests.browser.test_dashboard import silent  # noqa: F401 - a fixture
from tests.browser.test_live import create
from tests.support.patience import PATIENCE
from tests.support.served import build, listening


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening(build(tmp_path_factory.mktemp("longwork"))) as address:
        yield address


def test_a_long_loop_is_seen_and_stopped(
    silent: Page,  # noqa: F811 - the fixture
    address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sound = batches.can_be_stopped

    @contextmanager
    def held(progress: batches.RunningBatch) -> Iterator[None]:
        """After some rounds the loop waits until it is told to stop."""
        rounds, until = itertools.count(), time.monotonic() + PATIENCE

        def stopped() -> bool:
            while next(rounds) >= 9 and not progress.stopping and time.monotonic() < until:
                time.sleep(0.01)
            return progress.stopping

        with sound(progress):
            progress.live.machine.stopped = stopped
            yield

    monkeypatch.setattr(batches, "can_be_stopped", held)
    page = silent
    page.goto(address + create(address))
    page.locator("#line").fill("fill = alloc_page(GFP_KERNEL) * 3000")
    page.locator("#line").press("Enter")
    work = page.locator("#long-work")
    expect(work).to_contain_text("alloc_page")
    expect(work).to_contain_text("of 3,000")
    expect(work.locator("progress")).to_have_attribute("max", "3000")
    work.get_by_role("button", name="Stop").click()
    expect(page.locator("#outcome")).to_contain_text("* 640")
    expect(work).to_be_hidden()

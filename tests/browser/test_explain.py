"""An explanation gone through in Chromium: by keys and by mouse, with the map following."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.axe import serious
from tests.support.rings import slow
from tests.support.served import build, listening

TEXT = {"Content-Type": "text/plain"}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening(build(tmp_path_factory.mktemp("explain"))) as address:
        yield address


@pytest.fixture
def silent(page: Page) -> Iterator[Page]:
    """A page on which nothing may be complained of."""
    said: list[str] = []
    page.on("console", lambda line: said.append(line.text) if line.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    assert said == []


def session(page: Page, address: str, *lines: str) -> str:
    machine = {"profile": "tiny-16m", "lecture": True}
    made = page.request.post(f"{address}/api/v1/sessions", data={"name": "steps", "machine": machine})
    path = f"/sessions/{made.json()['id']}"
    for line in lines:
        assert page.request.post(f"{address}/api/v1{path}/calls", data=line, headers=TEXT).ok
    return address + path


def test_the_map_follows_the_keys(silent: Page, address: str) -> None:
    machine = session(silent, address, "p = alloc_pages(GFP_KERNEL, 3)")
    silent.goto(f"{machine}/explain/1")
    silent.evaluate("window.stays = true")
    moment, count = silent.locator("#moment"), silent.locator("#moment .moment-count")
    given = moment.locator(".cell-pcp, .cell-unmovable")
    current = silent.locator(".decision[aria-current]")
    expect(count).to_have_text("0 of 7")
    expect(given).to_have_count(0)
    silent.keyboard.press("ArrowRight")
    expect(count).to_have_text("1 of 7")
    expect(current).to_have_id("step-1")
    for step in range(2, 7):
        silent.keyboard.press(".")
        expect(count).to_have_text(f"{step} of 7")
    expect(current).to_have_id("step-6")
    expect(current).to_contain_text("rmqueue_bulk")
    expect(moment.locator(".cell-pcp")).to_have_count(1)
    expect(moment.locator("svg .changed")).to_have_count(1)
    silent.keyboard.press("ArrowRight")
    expect(moment.locator(".cell-unmovable")).to_have_count(1)
    expect(moment.get_by_role("heading")).to_have_text("The machine as the call left it")
    silent.keyboard.press("ArrowRight")
    expect(count).to_have_text("7 of 7")
    silent.keyboard.press(",")
    expect(count).to_have_text("6 of 7")
    expect(silent).to_have_url(f"{machine}/explain/1?decision=6#moment")
    silent.go_back()
    expect(count).to_have_text("7 of 7")
    silent.locator("#step-2 .step-number").click()
    expect(count).to_have_text("2 of 7")
    expect(silent.locator("#step-2 .step-number")).to_be_focused()
    assert silent.evaluate("window.stays")


def test_a_step_inside_a_fold_unfolds_it(silent: Page, address: str) -> None:
    machine = session(silent, address, "alloc_page(GFP_KERNEL) * 40")
    silent.goto(f"{machine}/explain/1")
    fold = silent.locator("details.rounds").first
    inside = fold.locator(".decision").first
    expect(inside).to_be_hidden()
    step = str(inside.get_attribute("value"))
    silent.goto(f"{machine}/explain/1?decision={int(step) - 1}")
    silent.keyboard.press("ArrowRight")
    expect(silent.locator(f"#step-{step}")).to_be_visible()
    expect(silent.locator(".decision[aria-current]")).to_have_id(f"step-{step}")


def test_the_last_split_is_drawn_on_the_machine_page(silent: Page, address: str) -> None:
    machine = session(silent, address, "p = alloc_pages(GFP_KERNEL, 3)")
    silent.goto(machine)
    figures = silent.locator(".drawings figure")
    expect(figures).to_have_count(0)
    silent.get_by_text("Drawing of the split or merge in #1").click()
    expect(figures).to_have_count(1)
    expect(figures.first).to_contain_text("0x00400 given out")
    # The next call's is drawn in its place.
    silent.get_by_label("A call as a line of text").fill("__free_pages(p, 3)")
    silent.keyboard.press("Enter")
    expect(figures.first).to_contain_text("0x00400 ^ 0x8 = 0x00408")


@pytest.mark.parametrize("width", [*slow(1440), 390])
def test_it_fits_and_axe_finds_nothing_serious(silent: Page, address: str, width: int) -> None:
    lines = ("p = alloc_pages(GFP_KERNEL, 3)", "__free_pages(p, 3)")
    machine = session(silent, address, *lines)
    silent.set_viewport_size({"width": width, "height": 900})
    for seq in (1, 2):
        silent.emulate_media(color_scheme="light", reduced_motion="reduce")
        silent.goto(f"{machine}/explain/{seq}?decision=5")
        assert serious(silent, narrow=width == 390) == []
        assert silent.evaluate("document.documentElement.scrollWidth <= innerWidth")
        silent.emulate_media(color_scheme="dark")
        assert width == 390 or serious(silent, dark=True) == []

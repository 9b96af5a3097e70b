"""The frame map in Chromium: it zooms and pans in place, and wherever it looks it shows what the API says."""

import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.test_dashboard import silent  # noqa: F401 - a fixture
from tests.browser.test_live import call, create
from tests.support.motion import frame_times
from tests.support.served import build, listening

CELLS = 1280

# Nothing is being drawn any longer.
STILL = """() => new Promise(done => {
  const canvas = document.querySelector('#map-picture canvas');
  const before = canvas.toDataURL();
  setTimeout(() => done(canvas.toDataURL() === before), 150);
})"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening(build(tmp_path_factory.mktemp("map"))) as address:
        yield address


@pytest.fixture(scope="module")
def large(address: str) -> str:
    """The path of a machine with 16 million frames."""
    machine = create(address, profile="x86_64-64g", lecture=False)
    call(address, machine, "p = alloc_pages(GFP_KERNEL, 3)\nq = alloc_pages(GFP_HIGHUSER_MOVABLE, 10) * 300")
    call(address, machine, "__free_pages(q[::3], 10)")
    return machine


def opened(page: Page, address: str) -> Locator:
    page.goto(address)
    expect(page.locator("#live")).to_have_text("live")
    canvas = page.locator("#map-picture canvas")
    expect(canvas).to_be_visible()
    return canvas


def looks_at(page: Page) -> tuple[str, int, int]:
    """Zone, first frame and level of the map at rest."""
    page.wait_for_function(STILL)
    box = page.locator("#map-picture")
    zone, start, shift = (str(box.get_attribute(f"data-{name}")) for name in ("zone", "start", "shift"))
    return zone, int(start), int(shift)


def at_level(page: Page, shift: int) -> None:
    """The page has come to rest there, and its address leads there."""
    expect(page.locator("#map-picture")).to_have_attribute("data-shift", str(shift))
    expect(page).to_have_url(re.compile(rf"[?&]shift={shift}\b"))


def level(page: Page) -> int:
    return int(str(page.locator("#map-picture").get_attribute("data-shift")))


def whole(page: Page) -> int:
    return int(str(page.locator("#map-picture").get_attribute("data-max-shift")))


def zonemap(address: str, machine: str, zone: str, start: int, shift: int, **more: Any) -> dict[str, Any]:
    window = {"zone": zone, "node": 0, "start": start, "shift": shift, "cells": 1, **more}
    found: dict[str, Any] = httpx2.get(f"{address}/api/v1{machine}/zonemap", params=window).json()
    return found


def read_out(page: Page) -> tuple[int, int, str]:
    """First and last frame that the cursor is on, and their state."""
    words = str(page.locator("#map-readout").text_content())
    found = re.match(r"(0x[0-9a-f]+)(?:–(0x[0-9a-f]+), [\d,]+ frames)?: (?:mostly )?(\w+)", words)
    assert found, words
    first = int(found[1], 16)
    return first, int(found[2], 16) if found[2] else first, found[3]


def agrees(page: Page, address: str, machine: str, **more: Any) -> None:
    """What is read out at the cursor is what the API says of that cell."""
    zone, _, shift = looks_at(page)
    first, last, state = read_out(page)
    doc = zonemap(address, machine, zone, first >> shift << shift, shift, **more)
    assert state == doc["states"][b64decode(doc["cells"])[0]]
    assert last - first < 1 << shift


# -- zooming -----------------------------------------------------------------------------------------------


def test_by_keyboard_from_the_whole_to_a_frame(silent: Page, address: str, large: str) -> None:  # noqa: F811
    canvas = opened(silent, f"{address}{large}?zone=Normal&node=0")
    canvas.focus()
    for _ in range(12):
        silent.keyboard.press("-")
    expect(silent.locator("#map-picture")).to_have_attribute("data-shift", str(whole(silent)))
    agrees(silent, address, large)
    seen = [whole(silent)]
    while seen[-1]:
        silent.keyboard.press("+")
        expect(silent.locator("#map-picture")).not_to_have_attribute("data-shift", str(seen[-1]))
        seen.append(level(silent))
        at_level(silent, seen[-1])
        agrees(silent, address, large)
        expect(canvas).to_be_focused()
    assert seen == sorted(seen, reverse=True)
    assert all(before - after <= 2 for before, after in pairwise(seen))
    silent.reload()
    expect(silent.locator("#map-head")).to_contain_text("1 cell = 1 frame")


@pytest.mark.slow
def test_zooming_in_keeps_the_frame_under_the_cursor(silent: Page, address: str, large: str) -> None:  # noqa: F811
    silent.emulate_media(reduced_motion="reduce")
    for steps in (3, 11, 35):
        canvas = opened(silent, f"{address}{large}?zone=Normal&node=0")
        canvas.focus()
        for _ in range(steps):
            silent.keyboard.press("ArrowRight")
        first, last, _state = read_out(silent)
        for _ in range(3):
            before = level(silent)
            silent.keyboard.press("+")
            expect(silent.locator("#map-picture")).not_to_have_attribute("data-shift", str(before))
            now = read_out(silent)
            assert first <= now[0] <= now[1] <= last
            first, last = now[:2]


def test_the_wheel_zooms_where_it_points(silent: Page, address: str, large: str) -> None:  # noqa: F811
    canvas = opened(silent, f"{address}{large}?zone=Normal&node=0&shift=10&start=0x400000")
    at_level(silent, 10)
    box = canvas.bounding_box()
    assert box is not None
    silent.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] / 2)
    first, last, _ = read_out(silent)
    top = silent.evaluate("scrollY")
    silent.keyboard.down("Control")
    silent.mouse.wheel(0, -100)
    at_level(silent, 9)
    silent.mouse.wheel(0, -100)
    at_level(silent, 8)
    silent.keyboard.up("Control")
    silent.mouse.move(box["x"] + box["width"] * 0.3 + 1, box["y"] + box["height"] / 2)
    inner = read_out(silent)
    # The corner begins a row, so a frame may end up a row beside where it was.
    assert first - (64 << 8) <= inner[0] <= last + (64 << 8)
    assert silent.evaluate("scrollY") == top
    assert silent.evaluate("visualViewport.scale") == 1
    agrees(silent, address, large)


@pytest.mark.slow
def test_the_wheel_alone_scrolls_the_page(silent: Page, address: str, large: str) -> None:  # noqa: F811
    """Unless the map has the focus: then it pans."""
    canvas = opened(silent, f"{address}{large}?zone=Normal&node=0&shift=4&start=0x400000")
    _, start, _ = looks_at(silent)
    box = canvas.bounding_box()
    assert box is not None
    silent.mouse.move(box["x"] + 50, box["y"] + 50)
    silent.mouse.wheel(0, 120)
    assert looks_at(silent)[1] == start
    silent.evaluate("scrollTo(0, 0)")
    canvas.focus()
    silent.mouse.wheel(0, 300)
    expect(silent).not_to_have_url(re.compile("start=0x400000"))
    expect(silent.locator("#map-picture")).not_to_have_attribute("data-start", str(start))
    assert looks_at(silent)[1] > start


@pytest.mark.slow
def test_by_buttons_and_slider(silent: Page, address: str, large: str) -> None:  # noqa: F811
    opened(silent, f"{address}{large}?zone=Normal&node=0&shift=6&start=0x400000")
    silent.locator("#map-in").click()
    at_level(silent, 4)
    silent.locator("#map-later").click()
    expect(silent).not_to_have_url(re.compile("start=0x400000"))
    silent.locator("#map-out").click()
    at_level(silent, 6)
    slider = silent.locator("#map-zoom")
    slider.focus()
    silent.keyboard.press("ArrowRight")
    at_level(silent, 5)
    silent.keyboard.press("ArrowRight")
    at_level(silent, 4)
    expect(slider).to_be_focused()
    silent.locator("#map-whole").click()
    at_level(silent, whole(silent))
    expect(slider).to_have_value("0")


# -- panning -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_by_dragging(silent: Page, address: str, large: str) -> None:  # noqa: F811
    canvas = opened(silent, f"{address}{large}?zone=Normal&node=0&shift=4&start=0x400000")
    _, start, _ = looks_at(silent)
    box = canvas.bounding_box()
    assert box is not None
    x, y = box["x"] + 100, box["y"] + 60
    row = box["width"] / 64
    silent.mouse.move(x, y + 6 * row)
    silent.mouse.down()
    silent.mouse.move(x, y, steps=8)
    silent.mouse.up()
    expect(silent).to_have_url(re.compile(f"start={start + 6 * 64 * 16:#x}"))
    expect(silent.get_by_role("heading", name="Inspector")).to_be_visible()  # a drag is no click
    silent.mouse.move(x, y)
    silent.mouse.down()
    silent.mouse.up()
    expect(silent.get_by_role("heading", name="Frame 0x")).to_be_visible()


@pytest.mark.slow
def test_the_cursor_goes_over_the_edge(silent: Page, address: str, large: str) -> None:  # noqa: F811
    canvas = opened(silent, f"{address}{large}?zone=Normal&node=0&shift=0&start=0x400000")
    canvas.focus()
    silent.keyboard.press("End")
    first, _, _ = read_out(silent)
    _, start, _ = looks_at(silent)
    assert first == start + CELLS - 1
    silent.keyboard.press("ArrowRight")
    assert read_out(silent)[0] == first + 1
    silent.keyboard.press("ArrowDown")
    assert read_out(silent)[0] == first + 65
    for key in ("ArrowDown", "ArrowUp"):
        for _ in range(40):
            silent.keyboard.press(key)
    assert read_out(silent)[0] == first + 65
    agrees(silent, address, large)
    silent.keyboard.press("Enter")
    expect(silent.get_by_role("heading", name=f"Frame {first + 65:#07x}")).to_be_visible()


# -- what it shows -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_calls_of_others_are_drawn(silent: Page, address: str) -> None:  # noqa: F811
    machine = create(address)
    call(address, machine, "p = alloc_pages(GFP_KERNEL, 5)")
    canvas = opened(silent, f"{address}{machine}?shift=0&start=0x400")
    pfn = httpx2.get(f"{address}/api/v1{machine}/events/1").json()["page"]["pfn"]
    silent.goto(f"{address}{machine}?shift=0&pfn={pfn:#x}&start={pfn:#x}")
    expect(silent.locator("#live")).to_have_text("live")
    canvas.focus()
    expect(silent.locator("#map-readout")).to_contain_text(f"{pfn:#07x}: unmovable")
    call(address, machine, "__free_pages(p, 5)")
    silent.keyboard.press("ArrowRight")
    silent.keyboard.press("ArrowLeft")
    expect(silent.locator("#map-readout")).to_contain_text("free; changed by the last call")
    agrees(silent, address, machine)


def test_the_past_is_drawn_at_every_zoom(silent: Page, address: str) -> None:  # noqa: F811
    machine = create(address)
    call(address, machine, "p = alloc_pages(GFP_KERNEL, 5)\n__free_pages(p, 5)")
    pfn = httpx2.get(f"{address}/api/v1{machine}/events/1").json()["page"]["pfn"]
    canvas = opened(silent, f"{address}{machine}?at=1&shift=2&pfn={pfn:#x}")
    canvas.focus()
    expect(silent.locator("#map-readout")).to_contain_text("unmovable")
    agrees(silent, address, machine, at=1)
    silent.keyboard.press("+")
    at_level(silent, 0)
    agrees(silent, address, machine, at=1)
    expect(silent.locator("#map-readout")).to_contain_text("unmovable")
    expect(silent).to_have_url(re.compile(r"[?&]at=1\b"))
    silent.keyboard.press("L")
    expect(silent.locator("#map-readout")).to_contain_text("free")
    agrees(silent, address, machine)


@pytest.mark.slow
def test_the_cursor_reads_out_order_and_owner(silent: Page, address: str) -> None:  # noqa: F811
    machine = create(address)
    call(address, machine, "p = alloc_pages(GFP_KERNEL, 3)\nalice: q = alloc_page(GFP_KERNEL)")
    first, single = (
        httpx2.get(f"{address}/api/v1{machine}/events/{seq}").json()["page"]["pfn"] for seq in (1, 2)
    )
    canvas = opened(silent, f"{address}{machine}?shift=0&pfn={first:#x}&start={first:#x}")
    more = silent.locator("#map-more")
    canvas.focus()
    expect(more).to_have_text(f"order 3, the head of {first:#07x}; GFP_KERNEL, by init at #1")
    silent.keyboard.press("ArrowRight")
    expect(more).to_have_text(f"order 3, page 1 of {first:#07x}; GFP_KERNEL, by init at #1")
    for _ in range(single - first - 1):
        silent.keyboard.press("ArrowRight")
    expect(more).to_have_text("order 0; GFP_KERNEL, by alice at #2")
    silent.keyboard.press("ArrowRight")
    expect(more).to_have_text(re.compile(r"^order \d+, .*on the Unmovable list$|^order 0, on the"))
    # Of a cell of several frames it says what they are.
    silent.keyboard.press("-")
    at_level(silent, whole(silent))
    doc = zonemap(address, machine, "DMA", single & ~3, 0, cells=4)
    states = {doc["states"][index] for index in b64decode(doc["cells"])}
    assert len(states) == 2
    box = silent.locator("#map-picture")
    start, shift = (int(str(box.get_attribute(f"data-{name}"))) for name in ("start", "shift"))
    silent.keyboard.press("Home")
    for _ in range(single // 256 - start // 256):
        silent.keyboard.press("ArrowDown")
    for _ in range((single >> shift) % 64):
        silent.keyboard.press("ArrowRight")
    expect(more).to_have_text(re.compile(r"^\d (free|unmovable), \d (free|unmovable)$"))


def test_what_a_split_made_is_outlined_for_two_seconds_without_motion_too(
    silent: Page,  # noqa: F811
    address: str,
) -> None:
    silent.emulate_media(reduced_motion="reduce")
    opened(silent, f"{address}{create(address)}?shift=0&start=0x400")
    silent.evaluate(
        """() => {
          window.bold = [];
          new MutationObserver((changes) => {
            for (const { target } of changes) window.bold.push(target.hasAttribute('data-fresh'));
          }).observe(document.body, { subtree: true, attributeFilter: ['data-fresh'] });
        }"""
    )
    silent.get_by_label("A call as a line of text").fill("p = alloc_pages(GFP_KERNEL, 3)")
    silent.keyboard.press("Enter")
    silent.wait_for_function("() => window.bold.length === 2")
    assert silent.evaluate("window.bold") == [True, False]
    # Each half is a block of its own, as wide as it is long.
    expect(silent.locator("#close-up .close-up-order")).to_have_text(["6", "7", "8", "9"])


# -- motion ------------------------------------------------------------------------------------------------


def test_reduced_motion_jumps(silent: Page, address: str, large: str) -> None:  # noqa: F811
    silent.emulate_media(reduced_motion="reduce")
    canvas = opened(silent, f"{address}{large}?zone=Normal&node=0&shift=8&start=0x400000")
    canvas.focus()
    silent.wait_for_function(STILL)
    drawn = silent.evaluate(
        """() => {
          const slider = document.querySelector('#map-zoom');
          const range = document.querySelector('#map-head .window');
          const before = range.textContent;
          const canvas = document.querySelector('#map-picture canvas');
          canvas.dispatchEvent(new KeyboardEvent('keydown', { key: '+', bubbles: true, cancelable: true }));
          return [before, range.textContent, slider.value, slider.max];
        }"""
    )
    assert drawn[0] != drawn[1]  # at once, within the same turn
    at_level(silent, 6)
    assert silent.locator("#map-head .window").text_content() == drawn[1]


@pytest.mark.slow
def test_it_moves_smoothly(
    silent: Page,  # noqa: F811
    address: str,
    large: str,
    record_property: Callable[[str, object], None],
) -> None:
    """Frame times of a scripted zoom and pan are put on record; what is asserted is far from the aim."""
    canvas = opened(silent, f"{address}{large}?zone=Normal&node=0")
    silent.wait_for_function(STILL)
    times = frame_times(canvas)
    median, late = times[len(times) // 2], times[len(times) * 95 // 100]
    words = f"{len(times)} frames: median {median:.1f} ms, 95 % {late:.1f} ms, worst {times[-1]:.1f} ms"
    record_property("map_motion", words)
    print(words)
    assert median < 1000

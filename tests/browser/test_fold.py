"""What is on one screen: what is asked, what happened and what it is about, at each size in each theme."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsers import PASSWORD, invitation
from tests.support.rings import slow
from tests.support.served import build, listening

WORK = ((1440, 900), (1366, 768), (1280, 720), (1024, 768))
PHONE = ((390, 844), (320, 568))
# The end of each part on the screen; the first that a selector finds.
ENDS = (
    """(parts) => parts.map((part) => document.querySelector(part)?.getBoundingClientRect().bottom ?? null)"""
)
ROW = "#panels tbody tr"
TYPE = "parseFloat(getComputedStyle(document.querySelector('.demo .prose')).fontSize)"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening(build(tmp_path_factory.mktemp("fold"))) as address:
        yield address


def machine(page: Page, address: str, **machine: Any) -> str:
    """The id of a machine on which something was called."""
    made = page.request.post(f"{address}/api/v1/sessions", data={"machine": machine}).json()
    line = "p = alloc_pages(GFP_KERNEL, 3)"
    at = f"{address}/api/v1/sessions/{made['id']}/calls"
    assert page.request.post(at, data=line, headers={"Content-Type": "text/plain"}).ok
    return str(made["id"])


def look(page: Page, address: str, theme: str) -> None:
    """Open a page and wait until it answers by itself."""
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce")
    page.goto(address)
    expect(page.locator("html[data-ready]")).to_be_attached()
    expect(page.locator("#map-picture canvas")).to_be_visible()


def fits(page: Page, size: tuple[int, int], *parts: str) -> None:
    """At a size, each part ends above the console, and nothing is pushed sideways."""
    width, height = size
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    console = page.locator(".console").bounding_box()
    assert console is not None
    assert page.evaluate("document.documentElement.scrollWidth") <= width, size
    ends = dict(zip(parts, page.evaluate(ENDS, list(parts)), strict=True))
    assert {part: end for part, end in ends.items() if end is None or end > console["y"] + 1} == {}, size


def works(page: Page) -> None:
    """In Work: the form with its button, the outcome, the map, and the panel down to its first row."""
    for size in WORK:
        fits(page, size, "#call .go button", "#outcome .answer", "#map-picture canvas", "#close-up", ROW)


def carries(page: Page) -> None:
    """On a telephone: what happened and the way to why come first; the bar and the dock are a row each."""
    for size in PHONE:
        fits(page, size, "#outcome .answer-line", "#outcome .explain")
        for part, most in ((".bar", 50), (".console", 60)):
            box = page.locator(part).bounding_box()
            assert box is not None
            assert box["height"] <= most, (part, size)


@pytest.mark.parametrize(
    ("profile", "theme"), [("x86_64-8g", "light"), *slow(("x86_64-8g", "dark"), ("i386-1g", "dark"))]
)
def test_form_outcome_map_and_panel_are_on_one_screen(
    page: Page, address: str, profile: str, theme: str
) -> None:
    look(page, f"{address}/sessions/{machine(page, address, profile=profile)}", theme)
    works(page)
    carries(page)
    # A call leaves its answer in sight, and the button where it was.
    button = page.get_by_role("button", name="Call alloc_pages")
    button.click()
    expect(page.locator("#head-seq")).to_have_text("#2")
    expect(page.locator("#outcome .explain")).to_be_in_viewport()
    page.set_viewport_size({"width": 1366, "height": 768})
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(page.locator("#outcome .answer-line")).to_be_in_viewport()
    # What is gone to is not left under it.
    for width, height in ((1366, 768), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("scrollTo(0, 0)")
        page.get_by_role("link", name="/proc", exact=True).click()
        page.evaluate("location.hash = ''; location.hash = 'panels'")
        page.locator("#panels .tabs a[aria-current]").click(trial=True)


@pytest.mark.parametrize(
    ("demo", "theme", "part"),
    [
        ("split-and-merge", "light", ROW),
        *slow(("split-and-merge", "dark", ROW), ("who-fails-first", "light", "#zones .zone:last-child")),
    ],
)
def test_a_demo_has_a_stage(page: Page, address: str, demo: str, theme: str, part: str) -> None:
    """What the step is about, the map and the way on are on one screen; the step opens what it names."""
    page.goto(address)
    page.locator(f"#demo-{demo} button").click()
    if page.get_by_role("link", name="Next").is_visible():
        page.get_by_role("link", name="Next").click()
        expect(page.locator(".dot[aria-current]")).to_have_text("Step 2: Take one page frame")
    look(page, page.url, theme)
    page.get_by_role("button", name="Run this step").click()
    expect(page.locator(".demo-results")).to_be_visible()
    for size in ((1920, 1080), *WORK):
        fits(page, size, "#outcome .answer-line", "#map-picture canvas", ".demo-foot", part)
    large = page.evaluate(TYPE)
    for size in PHONE:
        fits(page, size, ".demo-head", ".dots", ".demo-foot")
    if demo == "split-and-merge":
        # The inspector stands where the panel stood; nothing lies over the outcome.
        page.get_by_role("link", name="Next").click()
        expect(page.locator("body.focus-inspector #inspector h2")).to_be_visible()
        for size in WORK:
            fits(page, size, "#outcome .answer-line", "#inspector h2", "#map-picture canvas", ".demo-foot")
            assert page.locator("#outcome .explain").click(trial=True) is None
    # Work is one press away, and kept in the address.
    page.set_viewport_size({"width": 1366, "height": 768})
    page.get_by_text("View", exact=True).click()
    page.get_by_role("link", name="Work").click()
    expect(page.locator("body.layout-work")).to_be_attached()
    assert large == page.evaluate(TYPE) * 1.5
    assert "layout=work" in page.url
    expect(page.locator("#call .go button")).to_be_in_viewport()


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_machine_of_a_lab_fits_too(
    page: Page, tmp_path_factory: pytest.TempPathFactory, theme: str
) -> None:
    app = build(tmp_path_factory.mktemp("fold-lab"), lab=True)
    with listening(app) as address:

        def send(path: str, **form: str | float | bool) -> str:
            answer = page.request.post(address + path, form=form, max_redirects=0)
            assert answer.status == 303, answer.text()
            return answer.headers["location"]

        send(f"/setup/{invitation(app)}", name="Prof. Noether", password=PASSWORD)
        lab = send("/labs", title="Week 4")
        session = machine(page, address, profile="x86_64-8g")
        send(f"{lab}/machines", session=session, kind="operate", title="Together", seq="")
        look(page, f"{address}/sessions/{session}", theme)
        works(page)
        carries(page)
        # What is presented is a stage, whose strip about the lab is one row.
        look(page, f"{address}/sessions/{session}?layout=stage", theme)
        for size in ((1920, 1080), *WORK):
            fits(page, size, ".in-lab", "#outcome .answer-line", ROW, "#map-picture canvas", "#close-up")

"""Time travel in Chromium: keys, slider and buttons lead through the past and back; nothing else moves."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.test_dashboard import silent  # noqa: F401 - a fixture
from tests.browser.test_live import call, create
from tests.support.served import build, listening

LINES = """
p = alloc_pages(GFP_KERNEL, 3)
q = alloc_pages(GFP_KERNEL, 2)
__free_pages(p, 3)
alloc_pages(GFP_KERNEL, 5)
kmalloc(100, GFP_KERNEL)
""".strip()

Where = tuple[str, str]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening(build(tmp_path_factory.mktemp("history"))) as address:
        yield address


@pytest.fixture
def there(silent: Page, address: str) -> Where:  # noqa: F811 - the fixture
    """Address and path of a session with five rows; the page shows it, and follows."""
    machine = create(address)
    call(address, machine, LINES)
    silent.goto(address + machine)
    expect(silent.locator("#live")).to_have_text("live")
    expect(silent.locator("#map-picture canvas")).to_be_visible()
    return address, machine


def at(page: Page, seq: int, head: int = 5) -> None:
    """The page shows that moment, in all its parts, and its address says so."""
    expect(page.locator("#timeline")).to_have_attribute("data-at", str(seq))
    expect(page.locator("#head-seq")).to_have_text(f"#{head}")
    expect(page.locator("#time-at")).to_have_value(str(seq))
    if seq == head:
        expect(page.locator(".past-bar")).to_have_count(0)
        expect(page.locator("body")).not_to_have_class(re.compile("past"))
        expect(page).not_to_have_url(re.compile(r"[?&]at="))
        expect(page.locator("#line")).to_be_enabled()
    else:
        expect(page.locator(".past-bar")).to_contain_text(f"You are at #{seq} of {head}")
        expect(page.locator("body")).to_have_class(re.compile("past"))
        expect(page).to_have_url(re.compile(rf"[?&]at={seq}\b"))
        expect(page.locator("#line")).to_be_disabled()


def picture(page: Page) -> str:
    return str(page.locator("#map-picture canvas").evaluate("canvas => canvas.toDataURL()"))


def settled(page: Page) -> str:
    """The map when nothing about it changes any longer: what the last call did is bold for two seconds."""
    page.wait_for_timeout(2100)
    page.wait_for_function(
        "() => new Promise(done => { const canvas = document.querySelector('#map-picture canvas');"
        " const before = canvas.toDataURL(); setTimeout(() => done(canvas.toDataURL() === before), 200) })"
    )
    return picture(page)


def test_by_keys(silent: Page, there: Where) -> None:  # noqa: F811
    silent.keyboard.press("[")
    at(silent, 4)
    expect(silent.locator("#journal .row.current .row-seq")).to_have_text("#4")
    expect(silent.locator("#outcome")).to_contain_text("alloc_pages(GFP_KERNEL, 5)")
    silent.keyboard.press("[")
    at(silent, 3)
    silent.keyboard.press("]")
    at(silent, 4)
    silent.keyboard.press("]")
    at(silent, 5)
    silent.keyboard.press("]")
    at(silent, 5)
    silent.keyboard.press("[")
    at(silent, 4)
    silent.keyboard.press("L")
    at(silent, 5)
    silent.keyboard.press("u")
    at(silent, 6, 6)
    expect(silent.locator("#outcome")).to_contain_text("undo to #4")


def test_which_moment_it_is_stays_in_view(silent: Page, there: Where) -> None:  # noqa: F811
    silent.keyboard.press("[")
    at(silent, 4)
    silent.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(silent.locator(".past-bar")).to_be_in_viewport()
    expect(silent.get_by_role("link", name="Back to live (L)")).to_be_in_viewport()


@pytest.mark.slow
def test_two_presses_are_two_steps(silent: Page, there: Where) -> None:  # noqa: F811
    silent.keyboard.press("[")
    silent.keyboard.press("[")
    at(silent, 3)
    silent.keyboard.press("[")
    silent.keyboard.press("[")
    silent.keyboard.press("[")
    silent.keyboard.press("[")
    silent.keyboard.press("[")
    at(silent, 0)
    silent.keyboard.press("]")
    silent.keyboard.press("]")
    silent.keyboard.press("[")
    at(silent, 1)


def test_steps_that_arrive_in_the_wrong_order(silent: Page, there: Where) -> None:  # noqa: F811
    """The first answer comes last; what was asked for last is shown, and is the address."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    silent.route(re.compile(r"at=4"), hold)
    silent.keyboard.press("[")
    silent.keyboard.press("[")
    at(silent, 3)
    with silent.expect_response(re.compile(r"at=4")):
        for route in held:
            route.continue_()
    settled(silent)
    at(silent, 3)


@pytest.mark.slow
def test_the_map_is_of_that_moment(silent: Page, there: Where) -> None:  # noqa: F811
    drawn = {5: settled(silent)}
    for seq in (4, 3, 2):
        silent.keyboard.press("[")
        at(silent, seq)
        drawn[seq] = settled(silent)
    assert len(set(drawn.values())) == len(drawn)
    address, machine = there
    silent.goto(f"{address}{machine}?at=3")
    at(silent, 3)
    assert settled(silent) == drawn[3]
    silent.keyboard.press("L")
    at(silent, 5)


def test_the_slider(silent: Page, there: Where) -> None:  # noqa: F811
    slider = silent.locator("#time-at")
    slider.focus()
    for _ in range(3):
        silent.keyboard.press("ArrowLeft")
    expect(silent.locator(".timeline output")).to_have_text("#2")
    at(silent, 2)
    expect(slider).to_be_focused()
    silent.keyboard.press("End")
    at(silent, 5)
    expect(slider).to_be_focused()


@pytest.mark.slow
def test_the_slider_is_dragged(silent: Page, there: Where) -> None:  # noqa: F811
    """It is not taken out of one's hand when the page follows, or when others call meanwhile."""
    address, machine = there
    box = silent.locator("#time-at").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    silent.mouse.move(box["x"] + box["width"] - 4, middle)
    silent.mouse.down()
    silent.mouse.move(box["x"] + box["width"] / 2, middle, steps=4)
    expect(silent.locator("body")).to_have_class(re.compile("past"))
    call(address, machine, "alloc_page(GFP_KERNEL)")
    expect(silent.locator("#head-seq")).to_have_text("#6")
    silent.mouse.move(box["x"] + 2, middle, steps=4)
    expect(silent.locator("#time-at")).to_have_value("0")
    silent.mouse.up()
    at(silent, 0, 6)


@pytest.mark.slow
def test_the_browser_goes_back_and_forward(silent: Page, there: Where) -> None:  # noqa: F811
    silent.keyboard.press("[")
    at(silent, 4)
    silent.locator("#journal").get_by_role("link", name="#2", exact=True).click()
    at(silent, 2)
    silent.go_back()
    at(silent, 4)
    silent.go_back()
    at(silent, 5)
    silent.go_forward()
    at(silent, 4)


@pytest.mark.slow
def test_what_others_do_meanwhile(silent: Page, there: Where) -> None:  # noqa: F811
    address, machine = there
    silent.keyboard.press("[")
    silent.keyboard.press("[")
    at(silent, 3)
    before = settled(silent)
    outcome = silent.locator("#outcome").inner_text()
    call(address, machine, "alloc_pages(GFP_KERNEL, 6)\nalloc_pages(GFP_KERNEL, 7)")
    at(silent, 3, 7)  # only the number of rows grows
    assert settled(silent) == before
    assert silent.locator("#outcome").inner_text() == outcome
    silent.keyboard.press("L")
    at(silent, 7, 7)
    expect(silent.locator("#outcome")).to_contain_text("alloc_pages(GFP_KERNEL, 7)")
    assert settled(silent) != before
    call(address, machine, "alloc_pages(GFP_KERNEL, 1)")
    at(silent, 8, 8)
    expect(silent.locator("#outcome")).to_contain_text("alloc_pages(GFP_KERNEL, 1)")


def test_nothing_typed_is_lost(silent: Page, there: Where) -> None:  # noqa: F811
    silent.locator("#line").fill("half = alloc_pages(")
    silent.locator("#call-order").fill("7")
    silent.locator("#call-as").fill("mine")
    silent.keyboard.press("Escape")
    silent.keyboard.press("[")
    at(silent, 4)
    expect(silent.locator("#line")).to_have_value("half = alloc_pages(")
    expect(silent.locator("#call-order")).to_have_value("7")
    expect(silent.get_by_role("button", name="Call alloc_pages")).to_be_disabled()
    silent.keyboard.press("L")
    at(silent, 5)
    expect(silent.locator("#line")).to_have_value("half = alloc_pages(")
    expect(silent.locator("#call-order")).to_have_value("7")
    expect(silent.locator("#call-as")).to_have_value("mine")
    silent.get_by_role("button", name="Call alloc_pages").click()
    at(silent, 6, 6)
    expect(silent.locator("#names")).to_contain_text("mine")


def test_undo_and_rewind_by_button(silent: Page, there: Where) -> None:  # noqa: F811
    silent.get_by_role("button", name="Undo").click()
    at(silent, 6, 6)
    expect(silent.locator("#outcome")).to_contain_text("undo to #4")
    expect(silent.get_by_role("button", name="Undo")).to_be_enabled()
    silent.locator("#journal").get_by_role("link", name="#1", exact=True).click()
    at(silent, 1, 6)
    silent.get_by_role("button", name="Rewind to here").click()
    at(silent, 7, 7)
    expect(silent.locator("#outcome")).to_contain_text("rewind to #1")
    for head in (8, 9):
        silent.keyboard.press("u")
        at(silent, head, head)
        if head == 8:
            expect(silent.locator("#outcome")).to_contain_text("undo to #0")
            break
    silent.keyboard.press("u")
    expect(silent.locator("#timeline [role=alert]")).to_contain_text("Nothing was taken back.")
    at(silent, 8, 8)


@pytest.mark.slow
def test_fork_from_here(silent: Page, there: Where) -> None:  # noqa: F811
    address, machine = there
    silent.locator("#journal").get_by_role("link", name="#2", exact=True).click()
    at(silent, 2)
    silent.get_by_role("button", name="Copy session").click()
    expect(silent.get_by_role("link", name="from #2")).to_be_visible()
    at(silent, 2, 2)
    assert machine not in silent.url
    silent.get_by_label("A call as a line of text").fill("alloc_page(GFP_KERNEL)")
    silent.keyboard.press("Enter")
    at(silent, 3, 3)
    silent.get_by_role("link", name="from #2").click()
    expect(silent).to_have_url(f"{address}{machine}?at=2")
    at(silent, 2)


@pytest.mark.slow
def test_the_filter_looks_through_all_rows_and_stays_when_there_are_more(
    silent: Page,  # noqa: F811
    there: Where,
) -> None:
    address, machine = there
    call(address, machine, "alloc_page(GFP_ATOMIC)\n" * 60)
    rows = silent.locator("#journal .row")
    expect(silent.locator("#head-seq")).to_have_text("#65")
    silent.keyboard.press("/")
    silent.keyboard.type("alloc_pages kernel")  # on the second page
    expect(rows).to_have_count(3)
    expect(silent).to_have_url(re.compile(r"find=alloc_pages\+kernel"))
    call(address, machine, "alloc_pages(GFP_KERNEL, 1)\nalloc_page(GFP_ATOMIC)")
    expect(rows).to_have_count(4)
    expect(silent.locator("#journal-filter")).to_be_focused()
    rows.nth(1).locator(".row-seq").click()
    at(silent, 4, 67)
    expect(rows).to_have_count(4)
    silent.get_by_label("Filter the journal").fill("")
    expect(rows).to_have_count(29)  # those around the moment

"""The wall in Chromium, live; and a class that follows its presenter, each in a browser of their own."""

import re
from collections.abc import Callable, Iterator

import httpx2
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.support.axe import serious
from tests.support.patience import PATIENCE_MS
from tests.support.served import build, listening
from tests.support.walls import Hall, hall

MEMBERS = 30


Enter = Callable[..., Page]


@pytest.fixture(scope="module")
def class_(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Hall]]:
    folder = tmp_path_factory.mktemp("wall")
    made = hall(folder, MEMBERS)
    with listening(build(folder, lab=True)) as address:
        yield address, made


@pytest.fixture
def enter(browser: Browser, class_: tuple[str, Hall]) -> Iterator[Enter]:
    """Opens a path as somebody, in a browser of their own. Nothing may be complained of there."""
    address, _ = class_
    contexts: list[BrowserContext] = []
    said: list[str] = []

    def open_(token: str, path: str, **how: object) -> Page:
        context = browser.new_context(**how)  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.add_cookies([{"name": "kmemlab", "value": token, "url": address}])
        page = context.new_page()
        page.on("console", lambda m: said.append(m.text) if m.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(address + path)
        if how.get("java_script_enabled", True):
            page.wait_for_selector("html[data-ready]", state="attached")
        return page

    httpx2.delete(
        f"{address}/api/v1/labs/{class_[1].lab}/presenting",
        headers={"Authorization": f"Bearer {class_[1].token}"},
    )
    yield open_
    for context in contexts:
        context.close()
    assert said == []


def call(class_: tuple[str, Hall], number: int, line: str) -> None:
    """As a member would, with curl."""
    address, made = class_
    answer = httpx2.post(
        f"{address}/api/v1/sessions/{made.machines[number - 1]}/calls",
        content=line,
        headers={"Content-Type": "text/plain", "Authorization": f"Bearer {made.tokens[number - 1]}"},
    )
    assert answer.status_code == 201, answer.text


def tile(page: Page, number: int):  # type: ignore[no-untyped-def]
    return page.locator(f'[data-number="{number}"]')


def order(page: Page) -> list[int]:
    found = page.locator("#tiles [data-number]").evaluate_all("tiles => tiles.map(t => +t.dataset.number)")
    return [int(number) for number in found]


# -- the wall ----------------------------------------------------------------------------------------------


def test_a_call_appears_in_its_tile_and_nothing_moves(class_: tuple[str, Hall], enter: Enter) -> None:
    _, made = class_
    page = enter(made.token, f"/labs/{made.lab}/wall")
    expect(page.locator("#tiles > li")).to_have_count(MEMBERS)
    third = tile(page, 3)
    expect(third.locator("svg path").first).to_be_attached()
    third.get_by_role("link").focus()
    before = order(page)
    picture = third.locator("svg").inner_html()
    box = third.bounding_box()
    call(class_, 3, "alloc_pages(GFP_KERNEL, 9)")
    expect(third.locator("[data-part=call]")).to_have_text("alloc_pages(GFP_KERNEL, 9)")
    expect(third.locator("[data-part=seq]")).to_have_text("#3")
    expect(third.locator("svg")).to_have_attribute("aria-label", re.compile("in use; of 64 cells"))
    assert third.locator("svg").inner_html() != picture
    assert third.bounding_box() == box
    assert order(page) == before
    assert page.evaluate("document.activeElement.closest('[data-number]').dataset.number") == "3"
    # What is drawn in place is what the server draws.
    drawn = third.locator("svg").inner_html()
    page.reload()
    assert re.sub(r"\s", "", tile(page, 3).locator("svg").inner_html()) == re.sub(r"\s", "", drawn)
    # A small class takes the whole wall, and reads what came of each last call.
    sentence = tile(page, 5).locator("[data-part=sentence]")
    expect(sentence).to_be_hidden()
    page.evaluate(
        "document.querySelectorAll('#tiles > li:nth-child(n + 7)').forEach((tile) => tile.remove())"
    )
    expect(sentence).to_be_visible()
    boxes = [box for number in range(1, 7) if (box := tile(page, number).bounding_box())]
    assert page.viewport_size is not None
    assert max(box["x"] + box["width"] for box in boxes) > page.viewport_size["width"] - 40
    assert max(box["y"] + box["height"] for box in boxes) > 0.75 * page.viewport_size["height"]


@pytest.mark.slow
def test_orders_are_asked_for_and_kept(class_: tuple[str, Hall], enter: Enter) -> None:
    _, made = class_
    page = enter(made.token, f"/labs/{made.lab}/wall")
    plain = enter(made.token, f"/labs/{made.lab}/wall", java_script_enabled=False)
    orders = page.get_by_role("navigation", name="Order")
    others = plain.get_by_role("navigation", name="Order")
    for name in ("trouble first", "trouble first", "nickname", "progress", "row", "number", "number"):
        orders.get_by_role("link", name=name).click()
        others.get_by_role("link", name=name).click()
        for bar, seen in ((orders, page), (others, plain)):
            expect(bar.get_by_role("link", name=name)).to_have_attribute("aria-current", "true")
            # Without script, a click ends when the new page begins to arrive.
            expect(seen.locator("#tiles [data-number]")).to_have_count(MEMBERS)
        # With and without script, it is one order; who is equal in it stands by number.
        assert order(page) == order(plain), name
        assert page.url.partition("?")[2] == plain.url.partition("?")[2]
    orders.get_by_role("link", name="trouble first").click()
    assert tile(page, order(page)[0]).get_attribute("data-trouble") == "1"
    page.get_by_role("link", name="As a table").click()
    expect(page.locator("#tiles tr").first).to_contain_text(re.compile(r"."))
    assert "sort=trouble" in page.url


def test_the_table_follows_too(class_: tuple[str, Hall], enter: Enter) -> None:
    _, made = class_
    page = enter(made.token, f"/labs/{made.lab}/wall?as=table")
    row = tile(page, 4)
    expect(row.get_by_role("link")).to_have_attribute("href", f"/sessions/{made.machines[3]}")
    call(class_, 4, "kmalloc(64, GFP_KERNEL)")
    expect(row.locator("[data-part=call]")).to_have_text("kmalloc(64, GFP_KERNEL)")
    expect(row.locator("[data-part=words]")).to_contain_text("in use")


@pytest.mark.slow
def test_a_click_or_a_key_opens_the_machine(class_: tuple[str, Hall], enter: Enter) -> None:
    _, made = class_
    page = enter(made.token, f"/labs/{made.lab}/wall")
    tile(page, 1).get_by_role("link").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent") == "Noor"
    page.keyboard.press("End")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    columns = int(page.evaluate("document.activeElement.closest('[data-number]').dataset.number")) - 1
    assert columns > 2
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/sessions/{made.machines[0]}")
    page.go_back()
    tile(page, 2).click()
    page.wait_for_url(f"**/sessions/{made.machines[1]}")


def test_freezing_from_the_wall(class_: tuple[str, Hall], enter: Enter) -> None:
    _, made = class_
    page = enter(made.token, f"/labs/{made.lab}/wall")
    page.get_by_role("button", name="Freeze all calls").click()
    expect(page.locator("#wall-frozen")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "wall-thaw"
    page.get_by_role("button", name="Resume calls").click()
    expect(page.locator("#wall-frozen")).to_be_hidden()
    expect(page.get_by_role("button", name="Freeze all calls")).to_be_visible()


def test_a_freeze_that_cannot_be_sent_leaves_the_wall(class_: tuple[str, Hall], browser: Browser) -> None:
    address, made = class_
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    context.add_cookies([{"name": "kmemlab", "value": made.token, "url": address}])
    page = context.new_page()
    page.goto(f"{address}/labs/{made.lab}/wall")
    expect(page.locator("html[data-ready]")).to_be_attached()
    page.evaluate("window.stays = true")
    page.route("**/wall/freeze", lambda route: route.abort())
    page.get_by_role("button", name="Freeze all calls").click()
    expect(page.locator("#wall-said")).to_have_text("The server does not answer.")
    # Its legend has what its pictures have, and no more.
    expect(page.locator(".legend [data-state=reserved]")).to_be_visible()
    expect(page.locator(".legend [data-state=writeback]")).to_be_hidden()
    expect(tile(page, 1)).to_be_visible()
    page.unroute("**/wall/freeze")
    page.get_by_role("button", name="Freeze all calls").click()
    expect(page.locator("#wall-frozen")).to_be_visible()
    page.get_by_role("button", name="Resume calls").click()
    expect(page.locator("#wall-frozen")).to_be_hidden()
    assert page.evaluate("window.stays")
    context.close()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("view", ["", "?as=table"])
def test_it_fits_and_axe_finds_nothing_serious(class_: tuple[str, Hall], enter: Enter, view: str) -> None:
    _, made = class_
    page = enter(made.token, f"/labs/{made.lab}/wall{view}", reduced_motion="reduce", bypass_csp=True)
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.emulate_media(color_scheme="dark")
    assert serious(page, dark=True) == []


# -- following the presenter -------------------------------------------------------------------------------


def present(page: Page) -> None:
    page.get_by_role("button", name="Present").click()
    expect(page.get_by_role("button", name="Present")).to_have_attribute("aria-pressed", "true")


def view_of(page: Page) -> re.Pattern[str]:
    """The address that a page shows: the part of the page that was gone to is not presented."""
    return re.compile(re.escape(page.url.partition("#")[0]) + "$")


def following(page: Page) -> None:
    expect(page.locator("#follow")).to_have_attribute("aria-pressed", "true")


def alone(page: Page) -> None:
    expect(page.locator("#follow")).to_have_attribute("aria-pressed", "false")


def test_members_follow_until_they_look_elsewhere(class_: tuple[str, Hall], enter: Enter) -> None:
    address, made = class_
    shared = f"/sessions/{made.shared}"
    teacher = enter(made.token, shared)
    member = enter(made.tokens[0], f"/sessions/{made.machines[0]}")
    expect(member.locator("#follow")).to_be_hidden()
    present(teacher)
    # From a machine of their own to the shared one.
    member.get_by_role("button", name="Follow the presenter").click()
    member.wait_for_url(f"{address}{shared}?layout=stage")
    following(member)
    # In place from then on.
    member.evaluate("window.stayed = true")
    teacher.get_by_role("link", name="Slab").first.click()
    expect(teacher).to_have_url(re.compile("panel=slab"))
    expect(member).to_have_url(re.compile("panel=slab"))
    teacher.locator("#map-picture canvas").click(position={"x": 40, "y": 20})
    expect(teacher).to_have_url(re.compile("pfn="))
    expect(member).to_have_url(view_of(teacher))
    # The address is there before the page: a link that is clicked while it is replaced is not followed.
    expect(member.locator("#inspector")).to_contain_text("pfn")
    assert member.evaluate("window.stayed")
    # It is taken back by looking elsewhere, which is said; then the presenter goes alone.
    member.get_by_role("link", name="Tasks").first.click()
    alone(member)
    expect(member.locator("#stage-said")).to_have_text("You look around by yourself now")
    there = member.url
    teacher.get_by_role("link", name="Log").first.click()
    expect(teacher).to_have_url(re.compile("panel=log"))
    member.wait_for_timeout(800)
    assert member.url == there
    # And taken up again, and given back by the button.
    member.get_by_role("button", name="Follow the presenter").click()
    expect(member).to_have_url(view_of(teacher))
    member.get_by_role("button", name="Following the presenter").click()
    alone(member)
    member.get_by_role("button", name="Follow the presenter").click()
    following(member)
    # Who goes to another page by themselves is not fetched back.
    member.goto(f"{address}/sessions/{made.machines[0]}")
    alone(member)
    expect(member.locator("#stage-said")).to_have_text("You look around by yourself now")
    member.get_by_role("button", name="Follow the presenter").click()
    member.wait_for_url(view_of(teacher))
    following(member)
    teacher.get_by_role("button", name="Present").click()
    expect(member.locator("#stage-said")).to_have_text("The presenter has stopped; you stay where you are")
    expect(member.locator("#follow")).to_be_hidden()


@pytest.mark.slow
def test_an_explanation_is_followed_step_by_step(class_: tuple[str, Hall], enter: Enter) -> None:
    address, made = class_
    shared = f"/sessions/{made.shared}"
    made_call = httpx2.post(
        f"{address}/api/v1{shared}/calls",
        content="alloc_pages(GFP_KERNEL, 3)",
        headers={"Content-Type": "text/plain", "Authorization": f"Bearer {made.token}"},
    )
    seq = made_call.json()["outcomes"][0]["seq"]
    teacher = enter(made.token, shared)
    present(teacher)
    member = enter(made.tokens[3], shared)
    member.get_by_role("button", name="Follow the presenter").click()
    following(member)
    teacher.goto(f"{address}{shared}/explain/{seq}")
    member.wait_for_url(f"**{shared}/explain/{seq}")
    following(member)
    member.evaluate("window.stayed = true")
    for step in (1, 2, 3):
        teacher.keyboard.press(".")
        expect(member).to_have_url(re.compile(f"decision={step}"))
        expect(member.locator(f"#step-{step}")).to_have_attribute("aria-current", "step")
    assert member.evaluate("window.stayed")
    member.keyboard.press(",")
    alone(member)
    expect(member.locator("#stage-said")).to_have_text("You look around by yourself now")


@pytest.mark.slow
def test_presenting_goes_on_after_a_reload_and_ends_where_another_page_begins(
    class_: tuple[str, Hall], enter: Enter
) -> None:
    _, made = class_
    teacher = enter(made.token, f"/sessions/{made.shared}")
    present(teacher)
    teacher.reload()
    expect(teacher.get_by_role("button", name="Present")).to_have_attribute("aria-pressed", "true")
    other = enter(made.token, f"/sessions/{made.shared}?panel=slab")
    present(other)
    expect(teacher.locator("#stage-said")).to_have_text("Another page presents now")
    expect(teacher.get_by_role("button", name="Present")).to_have_attribute("aria-pressed", "false")
    other.get_by_role("button", name="Present").click()
    expect(other.get_by_role("button", name="Present")).to_have_attribute("aria-pressed", "false")


@pytest.mark.slow
def test_what_did_not_reach_the_server_is_sent_again(class_: tuple[str, Hall], enter: Enter) -> None:
    _, made = class_
    teacher = enter(made.token, f"/sessions/{made.shared}")
    teacher.route("**/presenting", lambda route: route.abort("aborted"), times=1)
    member = enter(made.tokens[0], f"/sessions/{made.machines[0]}")
    present(teacher)
    expect(teacher.locator("#stage-said")).to_have_text("The server could not be reached; it is tried again")
    expect(member.locator("#follow")).to_be_visible()
    expect(teacher.locator("#stage-said")).to_have_text("You present what you look at")
    # To stop did not reach it either: it still shows what it showed.
    teacher.route("**/presenting", lambda route: route.abort("aborted"), times=1)
    button = teacher.get_by_role("button", name="Present")
    button.click()
    expect(teacher.locator("#stage-said")).to_have_text("The server could not be reached: you still present")
    expect(button).to_have_attribute("aria-pressed", "true")
    button.click()
    expect(teacher.locator("#stage-said")).to_have_text("You present no more")
    expect(member.locator("#follow")).to_be_hidden()
    # A refusal is no broken line: the page does not go on. (That the browser complains of it is right.)
    other = teacher.context.new_page()
    other.goto(teacher.url)
    refusal = {"status": 409, "json": {"detail": "this lab is closed"}}
    other.route("**/presenting", lambda route: route.fulfill(**refusal))  # type: ignore[arg-type]
    present(other)
    expect(other.locator("#stage-said")).to_have_text("this lab is closed")
    expect(other.get_by_role("button", name="Present")).to_have_attribute("aria-pressed", "false")


@pytest.mark.slow
def test_without_script_there_is_a_form_and_a_link(class_: tuple[str, Hall], enter: Enter) -> None:
    address, made = class_
    shared = f"/sessions/{made.shared}?panel=tasks"
    teacher = enter(made.token, shared, java_script_enabled=False)
    teacher.get_by_role("button", name="Present").click()
    assert teacher.url.startswith(address + shared)
    expect(teacher.get_by_role("button", name="Present")).to_have_attribute("aria-pressed", "true")
    member = enter(made.tokens[1], f"/sessions/{made.machines[1]}", java_script_enabled=False)
    member.get_by_role("link", name="To what is presented").click()
    assert member.url == teacher.url
    teacher.get_by_role("button", name="Present").click()
    member.reload()
    expect(member.locator("#to-presenter")).to_be_hidden()


def test_freezing_and_checkpoints_are_heard_on_members_pages(class_: tuple[str, Hall], enter: Enter) -> None:
    address, made = class_
    member = enter(made.tokens[2], f"/sessions/{made.machines[2]}")
    member.locator("#call-order").fill("5")
    # Without the worker it must be heard too.
    other = enter(made.tokens[6], f"/sessions/{made.machines[6]}")
    other.add_init_script("delete window.SharedWorker")
    other.reload()
    other.wait_for_selector("html[data-ready]", state="attached")
    with httpx2.Client(headers={"Authorization": f"Bearer {made.token}"}) as client:
        wall = f"{address}/labs/{made.lab}/wall/freeze"
        assert client.post(wall, data={"frozen": "on"}).status_code == 303
        for page in (member, other):
            expect(page.locator("#stage-said")).to_have_text("The lab is frozen: calls are stopped for now")
        assert client.post(wall, data={"frozen": "off"}).status_code == 303
        for page in (member, other):
            expect(page.locator("#stage-said")).to_have_text("Calls go on")
        lab = client.get(f"{address}/api/v1/labs/{made.lab}").json()
        machine = lab["machines"][0]
        call = client.post(
            f"{address}/api/v1/sessions/{made.prepared}/calls",
            content="alloc_page(GFP_KERNEL)",
            headers={"Content-Type": "text/plain"},
        )
        assert call.status_code == 201
        seq = call.json()["outcomes"][0]["seq"]
        marked = client.post(
            f"{address}/api/v1/labs/{made.lab}/machines/{machine['id']}/checkpoints",
            json={"seq": seq, "title": "a fourth"},
        )
        assert marked.status_code == 201, marked.text
        for page in (member, other):
            expect(page.locator("#stage-said")).to_have_text("New checkpoint: a fourth")
    expect(member.locator("#call-order")).to_have_value("5")


@pytest.mark.slow
def test_a_lab_and_its_machines_share_four_streams(
    class_: tuple[str, Hall], browser: Browser, enter: Enter
) -> None:
    """Ten pages of one browser stay live, and the lab's stream is not the one that is given up."""
    address, made = class_
    first = enter(made.token, f"/sessions/{made.shared}")
    context = first.context
    pages = [first]
    for session in [made.shared] * 4 + [machine for machine in made.machines if machine][:5]:
        page = context.new_page()
        page.goto(f"{address}/sessions/{session}")
        page.wait_for_selector("html[data-ready]", state="attached")
        pages.append(page)
    for page in pages[-3:]:
        expect(page.locator("#live")).to_have_text("live")
    with httpx2.Client(headers={"Authorization": f"Bearer {made.token}"}) as client:
        client.post(f"{address}/labs/{made.lab}/wall/freeze", data={"frozen": "on"})
        for page in pages:
            expect(page.locator("#stage-said")).to_have_text("The lab is frozen: calls are stopped for now")
        client.post(f"{address}/labs/{made.lab}/wall/freeze", data={"frozen": "off"})
        expect(pages[0].locator("#stage-said")).to_have_text("Calls go on")

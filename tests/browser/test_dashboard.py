"""The dashboard in Chromium against a real server: what a person sees, presses and hears read out."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect

from tests.support.axe import serious
from tests.support.served import build, listening

# What the pages that are looked at have in them: slabs, areas, a deadlock, tasks that sleep, a past.
BUSY = """
p = alloc_pages(GFP_KERNEL, 3)
alice: lock_page(p)
objects = kmalloc(100, GFP_KERNEL) * 20
kfree(objects[::3])
area = vmalloc(64K)
vmalloc(200K)
vfree(area)
q = alloc_page(GFP_KERNEL)
bob: lock_page(q)
carol: lock_page(p)
alice: lock_page(q)
bob: lock_page(p)
""".strip()

SIZES = {"wide": (1440, 900), "middle": (1024, 768), "phone": (390, 844)}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening(build(tmp_path_factory.mktemp("dashboard"))) as address:
        yield address


@pytest.fixture
def silent(page: Page) -> Iterator[Page]:
    """A page on which nothing may be complained of: no error, no warning, nothing that the policy blocks.

    That a request was refused is no complaint of the page, though Chromium writes each into the console.
    """
    said: list[str] = []
    page.on(
        "console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None
    )
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    assert [
        text for text in said if not text.startswith("Failed to load resource: the server responded with")
    ] == []


def create(page: Page, address: str, profile: str = "tiny-16m", *, lecture: bool = True) -> None:
    """Open a new machine. Until its modules are there, a page works as it does without."""
    machine = {"profile": profile, "lecture": lecture}
    made = page.request.post(f"{address}/api/v1/sessions", data={"name": "demo", "machine": machine})
    page.goto(f"{address}/sessions/{made.json()['id']}")
    expect(page.locator("html[data-ready]")).to_be_attached()


def create_by_form(page: Page, address: str) -> None:
    """The same as a person does it."""
    page.goto(address)
    page.get_by_role("radio", name="tiny-16m").check()
    page.locator("#new-name").fill("demo")
    page.get_by_label("Lecture view").set_checked(True)
    page.get_by_role("button", name="Create machine").click()
    expect(page.get_by_role("heading", name="demo")).to_be_visible()


def console(page: Page, line: str) -> None:
    before = page.locator("#head-seq").text_content()
    typed = page.get_by_label("A call as a line of text")
    typed.fill(line)
    page.keyboard.press("Enter")
    expect(page.locator("#head-seq")).not_to_have_text(str(before))
    expect(typed).to_have_value("")


def busy(page: Page, address: str) -> tuple[str, ...]:
    """Every page, and every view of the shown machine that differs from the others; their addresses."""
    machine = page.url.partition("?")[0]
    made = page.request.post(
        f"{machine.replace(address, address + '/api/v1')}/calls",
        data=BUSY,
        headers={"Content-Type": "text/plain"},
    )
    assert made.ok, made.text()
    demo = page.request.post(f"{address}/demos/split-and-merge")
    return (
        address, machine, f"{machine}?pfn=0x400", f"{machine}?at=3", f"{machine}?at=4&pfn=0x400&panel=slab",
        f"{machine}?panel=slab&slabs=kmalloc-128", f"{machine}?panel=vmalloc", f"{machine}?panel=tasks",
        f"{machine}?panel=log", f"{machine}?panel=proc", f"{machine}?panel=proc&file=slabinfo",
        f"{machine}/delete", f"{machine}/explain/1", f"{machine}/explain/3",
        f"{machine}?pfn=0xfffffff", f"{machine}?names=lecture&pfn=0x400", f"{machine}?panel=vmalloc&at=6",
        demo.url, f"{demo.url}&step=2", f"{address}/sessions/nothing", f"{address}/calls",
        f"{address}/gfp", f"{address}/gfp?mask=GFP_ATOMIC", f"{address}/gfp?mask=GFP_LUNCH",
    )  # fmt: skip


def canvas(page: Page) -> Locator:
    return page.locator("#map-picture canvas")


def picture(page: Page) -> str:
    expect(canvas(page)).to_be_visible()
    return str(canvas(page).evaluate("canvas => canvas.toDataURL()"))


def moved(page: Page, what: str) -> float:
    box = page.locator(what).bounding_box()
    assert box is not None
    return box["y"]


def test_create_allocate_see_the_map_change(silent: Page, address: str) -> None:
    create_by_form(silent, address)
    expect(silent.locator("html[data-ready]")).to_be_attached()
    before = picture(silent)
    silent.get_by_label("order").fill("3")
    silent.get_by_role("button", name="Call alloc_pages").click()
    expect(silent.locator("#head-seq")).to_have_text("#1")
    outcome = silent.locator("#outcome")
    expect(outcome).to_contain_text("alloc_pages(GFP_KERNEL, 3)")
    expect(outcome).to_contain_text("ok")
    assert picture(silent) != before
    expect(silent.locator("#journal")).to_contain_text("alloc_pages(GFP_KERNEL, 3)")
    expect(silent.get_by_label("order")).to_have_value("3")


@pytest.mark.slow
def test_the_page_stays_where_it_is(silent: Page, address: str) -> None:
    create(silent, address)
    console(silent, "alloc_pages(GFP_KERNEL, 3)")
    places = {what: moved(silent, what) for what in ("#map-picture", "#panels", "#zones", "#call")}
    console(silent, "alloc_pages(GFP_KERNEL, 2)")
    assert places == {what: moved(silent, what) for what in places}


def test_a_refused_request_says_so_and_loses_nothing(silent: Page, address: str) -> None:
    create(silent, address)
    silent.get_by_label("gfp", exact=False).first.fill("GFP_NONSENSE")
    with silent.expect_response("**/calls") as answered:
        silent.get_by_role("button", name="Call alloc_pages").click()
    assert answered.value.status == 422
    expect(silent.locator("#call-refused")).to_contain_text("Not sent to the kernel")
    expect(silent.locator(".field-gfp .fault")).to_contain_text("unknown flag")
    expect(silent.locator(".field-gfp input")).to_have_value("GFP_NONSENSE")
    expect(silent.locator(".field-gfp input")).to_be_focused()
    expect(silent.locator("#head-seq")).to_have_text("#0")
    silent.locator(".field-gfp input").fill("GFP_KERNEL")
    silent.get_by_role("button", name="Call alloc_pages").click()
    expect(silent.locator("#head-seq")).to_have_text("#1")
    expect(silent.locator(".fault")).to_have_count(0)


@pytest.mark.slow
def test_a_call_that_works_leaves_no_complaint_and_frees_the_name(silent: Page, address: str) -> None:
    create(silent, address)
    silent.get_by_label("gfp").fill("GFP_LUNCH")
    silent.get_by_label("result name").fill("lunch")
    silent.get_by_role("button", name="Call alloc_pages").click()
    faulty = silent.locator("#call .field-gfp .fault")
    expect(faulty.get_by_role("link", name="/gfp")).to_be_visible()
    console(silent, "alloc_page(GFP_KERNEL)")
    expect(faulty).to_have_count(0)
    expect(silent.get_by_label("gfp")).to_have_value("GFP_LUNCH")
    expect(silent.get_by_label("result name")).to_have_value("lunch")
    silent.get_by_label("gfp").fill("GFP_KERNEL")
    silent.get_by_role("button", name="Call alloc_pages").click()
    expect(silent.locator("#names")).to_contain_text("lunch")
    expect(silent.get_by_label("result name")).to_have_value("")


@pytest.mark.slow
def test_the_console_speaks_of_the_line_alone(silent: Page, address: str) -> None:
    create(silent, address)
    typed = silent.get_by_label("A call as a line of text")
    for line, words in (
        ("alloc_pages(GFP_KERNEL, x)", r"^Not sent to the kernel\. order: "),
        ("alloc_pages(", r"^Not sent to the kernel\. the closing parenthesis is missing"),
    ):
        typed.fill(line)
        silent.keyboard.press("Enter")
        expect(silent.locator("#console-answer")).to_have_text(re.compile(words))
    for line in ("p = alloc_page(GFP_KERNEL)", "alice: lock_page(p)", "bob: lock_page(p)"):
        console(silent, line)
    typed.fill("bob: page_count(p)")
    silent.keyboard.press("Enter")
    answer = silent.locator("#console-answer")
    expect(answer).to_have_text(
        re.compile(r"^The task sleeps: nothing happened\. bob has been asleep since #\d+")
    )


def test_a_look_elsewhere_leaves_a_half_filled_form(silent: Page, address: str) -> None:
    create(silent, address)
    silent.fill("#call-order", "5")
    silent.get_by_role("link", name="Slab", exact=True).click()
    expect(silent.locator("#panels")).to_contain_text("No cache has a slab yet.")
    expect(silent.locator("#call-order")).to_have_value("5")


def test_null_is_an_answer(silent: Page, address: str) -> None:
    create(silent, address)
    console(silent, "alloc_pages(GFP_KERNEL|__GFP_NOWARN, 11)")
    expect(silent.locator("#outcome")).to_contain_text("The kernel’s answer is NULL.")
    expect(silent.locator("#outcome .null")).to_have_text("NULL")


def test_the_form_and_the_console_say_the_same_line(silent: Page, address: str) -> None:
    create(silent, address)
    silent.get_by_text("curl, Python, C and source").click()
    silent.get_by_label("order").fill("2")
    silent.get_by_label("result name").fill("p")
    silent.get_by_text("Run as: task, CPU, context", exact=True).click()
    silent.get_by_label("task").fill("alice")
    silent.get_by_label("context").select_option("softirq")
    line = "alice/softirq: p = alloc_pages(GFP_KERNEL, 2)"
    expect(silent.locator("[data-line]")).to_have_text(line)
    expect(silent.locator("[data-curl]")).to_contain_text(f"--data-binary '{line}'")
    expect(silent.locator("[data-curl]")).to_contain_text(f"curl -s {address}/api/v1/sessions/")
    expect(silent.locator("[data-python]")).to_contain_text(f'content="{line}"')


@pytest.mark.slow
def test_the_mask_is_built_by_ticks(silent: Page, address: str) -> None:
    create(silent, address)
    silent.get_by_text("GFP builder").click()
    silent.get_by_label("COMP", exact=True).check()
    mask = silent.locator("#call-gfp")
    expect(mask).to_have_value("GFP_KERNEL|__GFP_COMP")
    silent.get_by_label("DIRECT_RECLAIM", exact=True).uncheck()
    expect(mask).to_have_value("GFP_NOWAIT|__GFP_IO|__GFP_FS|__GFP_COMP")
    mask.fill("GFP_KERNEL")
    expect(silent.get_by_label("KERNEL", exact=True)).to_be_checked()
    silent.get_by_text("Run as: task, CPU, context", exact=True).click()
    silent.get_by_label("context").select_option("softirq")
    expect(silent.locator(".builder-meaning .fault")).to_contain_text("softirq may not")
    silent.get_by_label("context").select_option("process")
    expect(silent.locator(".builder-meaning .fault")).to_have_count(0)


@pytest.mark.slow
def test_another_call_is_chosen_in_place(silent: Page, address: str) -> None:
    create(silent, address)
    silent.locator("#picker summary").click()
    silent.get_by_role("link", name="__free_pages", exact=True).click()
    expect(silent.get_by_role("button", name="Call __free_pages")).to_be_visible()
    assert "call=__free_pages" in silent.url
    silent.go_back()
    expect(silent.get_by_role("button", name="Call alloc_pages")).to_be_visible()


@pytest.mark.slow
def test_the_map_by_keyboard(silent: Page, address: str) -> None:
    create(silent, address)
    console(silent, "p = alloc_pages(GFP_KERNEL, 3)")
    silent.keyboard.press("Escape")
    silent.keyboard.press("m")
    expect(canvas(silent)).to_be_focused()
    readout = silent.locator("#map-readout")
    expect(readout).to_contain_text("changed by the last call")
    for _ in range(3):
        silent.keyboard.press("+")
    expect(silent.locator("#map-head")).to_contain_text("1 cell = 1 frame")
    expect(canvas(silent)).to_be_focused()
    expect(readout).to_have_text(re.compile("^0x[0-9a-f]+: unmovable"))
    first = readout.text_content()
    silent.keyboard.press("ArrowRight")
    expect(readout).not_to_have_text(str(first))
    silent.keyboard.press("ArrowLeft")
    expect(readout).to_have_text(str(first))
    silent.keyboard.press("Enter")
    expect(silent.get_by_role("heading", name="Frame 0x")).to_be_visible()
    assert "pfn=0x" in silent.url
    silent.keyboard.press("Escape")
    expect(silent.get_by_role("heading", name="Inspector")).to_be_visible()


def test_keys(silent: Page, address: str) -> None:
    create(silent, address)
    expect(canvas(silent)).to_be_visible()
    silent.keyboard.press("?")
    expect(silent.get_by_role("dialog")).to_be_visible()
    silent.keyboard.press("Escape")
    expect(silent.get_by_role("dialog")).to_be_hidden()
    silent.keyboard.press("c")
    line = silent.get_by_label("A call as a line of text")
    expect(line).to_be_focused()
    silent.keyboard.type("alloc_page(GFP_KERNEL)")
    silent.keyboard.press("Enter")
    expect(silent.locator("#head-seq")).to_have_text("#1")
    expect(line).to_have_value("")
    silent.keyboard.press("ArrowUp")
    expect(line).to_have_value("alloc_page(GFP_KERNEL)")
    silent.keyboard.press("Escape")
    silent.keyboard.press("/")
    expect(silent.get_by_label("Filter the journal")).to_be_focused()
    silent.keyboard.type("put_page")
    expect(silent.locator("#journal .row:visible")).to_have_count(0)
    expect(silent.locator("#journal-none")).to_be_visible()
    silent.keyboard.press("Escape")  # which empties the field
    expect(silent.locator("#journal .row")).to_have_count(1)
    silent.keyboard.press("e")
    expect(silent.get_by_role("heading", name="Why #1")).to_be_visible()
    silent.go_back()
    expect(silent.locator("html[data-ready]")).to_be_attached()
    silent.keyboard.press("c")
    silent.keyboard.press("ArrowUp")
    expect(line).to_have_value("alloc_page(GFP_KERNEL)")


@pytest.mark.slow
def test_a_call_is_explained_by_keyboard(silent: Page, address: str) -> None:
    create(silent, address)
    console(silent, "p = alloc_pages(GFP_KERNEL, 3)")
    console(silent, "alloc_pages(GFP_KERNEL, 11)")
    silent.locator("body").press("Escape")
    silent.keyboard.press("e")
    expect(silent.get_by_role("heading", name="Why #2")).to_be_visible()
    silent.wait_for_load_state()
    silent.keyboard.press("[")
    expect(silent.get_by_role("heading", name="Why #1")).to_be_visible()
    expect(silent.get_by_role("listitem").filter(has_text="__rmqueue_smallest").first).to_be_visible()
    silent.get_by_text("Numbers").first.click()
    expect(silent.get_by_text("alloc_flags").first).to_be_visible()
    silent.wait_for_load_state()
    silent.keyboard.press("]")
    expect(silent.get_by_role("heading", name="Why #2")).to_be_visible()
    silent.wait_for_load_state()
    silent.keyboard.press("Escape")
    expect(silent.locator("#outcome")).to_contain_text("#2")


def test_clicking_a_cell_inspects_what_the_call_changed(silent: Page, address: str) -> None:
    create(silent, address, "x86_64-8g", lecture=False)
    console(silent, "p = alloc_pages(GFP_KERNEL, 4)")
    silent.locator("#outcome .changes a").first.click()
    expect(silent.get_by_role("heading", name="Frame 0x")).to_be_visible()
    silent.get_by_role("link", name="Show its surroundings").click()
    expect(silent.locator("#map-head")).to_contain_text("1 cell = 1 frame")
    silent.get_by_role("button", name="get_page", exact=True).click()
    expect(silent.locator("#inspector")).to_contain_text(re.compile(r"_refcount _count\s*2"))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("script", [True, False])
def test_what_was_refused_on_the_list_is_in_view(browser: Browser, address: str, script: bool) -> None:
    context = browser.new_context(java_script_enabled=script, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    for _ in range(12):
        page.request.post(f"{address}/api/v1/sessions", data={"machine": {"profile": "tiny-16m"}})
    page.goto(address)
    page.get_by_text("Change the machine").click()
    page.get_by_label("Memory", exact=True).fill("banana")
    page.get_by_role("button", name="Create machine").click()
    expect(page.locator("#refusal-profile")).to_contain_text("No machine was created")
    expect(page.locator("#refusal-profile")).to_be_in_viewport()
    context.close()


@pytest.mark.slow
def test_the_address_is_shared(browser: Browser, address: str) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    create(page, address)
    page.get_by_role("link", name="Kernel log").click()
    expect(page).to_have_url(re.compile("panel=log"))
    page.get_by_role("button", name="Share").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    context.close()


@pytest.mark.slow
def test_someone_elses_call_is_seen_on_return(silent: Page, address: str) -> None:
    create(silent, address)
    path = silent.url.removeprefix(address)
    silent.request.post(f"{address}/api/v1{path}/alloc_page", data={"gfp": "GFP_KERNEL"})
    silent.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(silent.locator("#head-seq")).to_have_text("#1")


@pytest.mark.slow
def test_the_theme_changes_at_once_and_stays(silent: Page, address: str) -> None:
    create(silent, address)
    before = picture(silent)
    silent.get_by_text("View", exact=True).click()
    button = silent.get_by_role("button", name="dark")
    with silent.expect_response("**/preferences"):
        button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    silent.keyboard.press("Escape")
    expect(button).to_be_hidden()
    expect(silent.locator("#view-menu summary")).to_be_focused()
    assert picture(silent) != before
    silent.reload()
    expect(silent.locator("html")).to_have_attribute("data-theme", "dark")


def test_without_script_everything_still_works(browser: Browser, address: str) -> None:
    context: BrowserContext = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    create_by_form(page, address)
    page.get_by_label("order").fill("3")
    page.get_by_role("button", name="Call alloc_pages").click()
    expect(page.locator("#outcome")).to_contain_text("alloc_pages(GFP_KERNEL, 3)")
    expect(page.locator("#map-picture svg")).to_be_visible()
    page.get_by_text("The same as a table").click()
    expect(page.locator("#map-table")).to_contain_text("unmovable")
    page.locator("#map-table a").first.click()
    expect(page.get_by_role("heading", name="Frame 0x")).to_be_visible()
    page.get_by_label("A call as a line of text").fill("alloc_pages(GFP_KERNEL, x)")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#call-refused")).to_contain_text("Not sent to the kernel")
    page.get_by_role("link", name="Zoom in").click()
    page.get_by_role("link", name="Kernel log").click()
    page.get_by_text("View", exact=True).click()
    page.get_by_role("button", name="light").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    assert page.locator("button[data-open]").is_hidden()
    context.close()


@pytest.mark.sampled(16)
@pytest.mark.parametrize("first", range(16))
def test_every_page_fits_and_axe_finds_nothing_serious(silent: Page, address: str, first: int) -> None:
    create(silent, address, "x86_64-8g", lecture=False)
    found: list[object] = []
    for path in busy(silent, address)[first::16]:
        part = part_of(path)
        silent.emulate_media(color_scheme="light", reduced_motion="reduce")
        for size in ("phone", "middle", "wide"):  # it is loaded on a phone, and turned wider
            width, height = SIZES[size]
            silent.set_viewport_size({"width": width, "height": height})
            if size == "phone":
                silent.goto(path)
                found += serious(silent, part=part, narrow=True)
            if silent.evaluate("document.documentElement.scrollWidth") > width:
                found.append((path, size))
        found += serious(silent, part=part)
        silent.emulate_media(color_scheme="dark")
        found += serious(silent, part=part, dark=True)
    assert found == []


def part_of(path: str) -> str:
    """What is on this page alone: the rest is as on another that is looked at."""
    if "at=" in path or "demo=" in path:
        return "html"
    return "#panels" if "panel=" in path else "#inspector" if "pfn=" in path else "html"


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.textContent.trim() || document.activeElement.id"))


@pytest.mark.slow
def test_who_calls_by_keyboard_can_call_again(silent: Page, address: str) -> None:
    """A button keeps the focus while its request is on its way, and after it."""
    create(silent, address)
    button = silent.get_by_role("button", name="Call alloc_pages")
    button.focus()
    for seq in (1, 2):
        silent.keyboard.press("Enter")
        expect(silent.locator("#head-seq")).to_have_text(f"#{seq}")
        expect(silent.locator("#call form")).not_to_have_attribute("aria-busy", "true")
        expect(button).to_be_focused()
    undo = silent.locator("#undo")
    undo.focus()
    for seq in (3, 4):
        silent.keyboard.press("Enter")
        expect(silent.locator("#head-seq")).to_have_text(f"#{seq}")
        expect(undo).to_be_focused()
    # What cannot be pressed any more hands the focus to the part that it stands in.
    silent.locator("#time-before").focus()
    silent.locator("#time-before").press("Enter")
    expect(silent.locator("#time-after")).to_be_visible()
    silent.locator("#time-after").press("Enter")
    expect(silent.locator("body")).not_to_have_class(re.compile("past"))
    assert silent.evaluate("document.activeElement !== document.body"), focused(silent)


def test_an_answer_that_is_lost_is_not_taken_for_a_call_that_was_not_made(silent: Page, address: str) -> None:
    create(silent, address)

    def lose(route: Route) -> None:
        route.fetch()
        route.abort("aborted")

    silent.route("**/calls", lose, times=1)
    silent.get_by_role("button", name="Call alloc_pages").click()
    expect(silent.locator("#call-refused")).to_contain_text("No answer from the server")
    expect(silent.locator("#call-refused")).to_contain_text(
        "The journal will show whether the call was made."
    )
    expect(silent.locator("#head-seq")).to_have_text("#1")
    busy = {"status": 503, "json": {"title": "Busy", "status": 503, "detail": "try again"}}
    silent.route("**/calls", lambda route: route.fulfill(**busy), times=1)  # type: ignore[arg-type]
    silent.get_by_role("button", name="Call alloc_pages").click()
    expect(silent.locator("#call-refused")).to_contain_text(
        "The server can make no call now: nothing happened"
    )
    # What works afterwards leaves no old complaint standing in the console.
    silent.get_by_label("A call as a line of text").fill("alloc_pages(")
    silent.keyboard.press("Enter")
    expect(silent.locator("#console-answer")).to_contain_text("Not sent to the kernel")
    silent.locator("#undo").click()
    expect(silent.locator("#head-seq")).to_have_text("#2")
    expect(silent.locator("#console-answer")).to_be_empty()


def test_a_page_that_was_refused_is_an_answer(silent: Page, address: str) -> None:
    """Undo leads to a page: what that says, without a machine, is no broken line."""
    create(silent, address)
    console(silent, "alloc_page(GFP_KERNEL)")
    busy = {"status": 503, "content_type": "text/html", "body": "<h1>Busy</h1>"}
    silent.route("**/undo", lambda route: route.fulfill(**busy), times=1)  # type: ignore[arg-type]
    silent.locator("#undo").click()
    answer = silent.locator("#console-answer")
    expect(answer).to_have_text("The server can make no call now: nothing happened. Busy")
    silent.route("**/undo", lambda route: route.fulfill(status=200, body="<h1>Join</h1>"), times=1)
    silent.locator("#undo").click()
    expect(answer).to_have_text("You are signed out here. Come in again")


def test_a_machine_that_was_deleted_elsewhere_is_not_there_any_more(silent: Page, address: str) -> None:
    create(silent, address)
    machine = silent.url.replace(f"{address}/", f"{address}/api/v1/")
    assert silent.request.delete(machine).ok
    expect(silent.locator("#live")).to_contain_text("gone")
    expect(silent.locator("#live-said")).to_have_text("This machine is not there any more.")
    expect(silent.get_by_role("button", name="Call alloc_pages")).to_be_disabled()
    expect(silent.get_by_role("button", name="Copy session")).to_be_disabled()
    silent.get_by_role("link", name="To your sessions").click()
    expect(silent.get_by_role("heading", name="Your sessions")).to_be_visible()


def test_on_a_phone_a_frame_that_is_tapped_is_told_about(silent: Page, address: str) -> None:
    silent.set_viewport_size({"width": 390, "height": 844})
    create(silent, address)
    canvas(silent).click(position={"x": 40, "y": 40})
    expect(silent.locator("#inspector-title")).to_be_in_viewport()


@pytest.mark.slow
def test_long_names_make_no_page_scroll_sideways(silent: Page, address: str) -> None:
    create(silent, address)
    machine = silent.url.replace(f"{address}/", f"{address}/api/v1/")
    for name in ("Memory management week 4, exercise two", "memory_management_week4_exercise2_alice" * 2):
        assert silent.request.patch(machine, data={"name": name}).ok
        for path in ("", "/delete"):
            for width in (320, 390, 1024):
                silent.set_viewport_size({"width": width, "height": 844})
                silent.goto(machine.replace("/api/v1", "") + path)
                assert silent.evaluate("document.documentElement.scrollWidth") <= width, (name, path, width)


@pytest.mark.slow
def test_the_log_is_read_from_its_end(silent: Page, address: str) -> None:
    create(silent, address)
    for order in (10, 10, 10):
        console(silent, f"alloc_pages(GFP_NOWAIT, {order}) * 4")
    silent.get_by_role("link", name="Kernel log").click()
    log = silent.get_by_label("Kernel log", exact=True)
    expect(log).to_contain_text("page allocation failure")
    assert log.evaluate("log => log.scrollHeight - log.clientHeight") > 100
    bottom = "element => element.getBoundingClientRect().bottom"
    silent.wait_for_function(
        f"log => ({bottom})(log.firstElementChild) - ({bottom})(log) < 20", arg=log.element_handle()
    )


@pytest.mark.slow
def test_on_paper_nothing_lies_over_anything(silent: Page, address: str) -> None:
    """And nothing is there that can only be pressed."""
    create(silent, address)
    console(silent, "p = alloc_pages(GFP_KERNEL, 3)")
    silent.goto(f"{silent.url.partition('?')[0]}?pfn=0x400")
    silent.set_viewport_size({"width": 794, "height": 1123})
    silent.emulate_media(media="print")
    expect(silent.get_by_role("heading", name="Frame 0x00400")).to_be_visible()
    fixed = "[...document.querySelectorAll('*')].filter(e => getComputedStyle(e).position === 'fixed').length"
    assert silent.evaluate(fixed) == 0
    for pressed in ("button:visible", "input:visible", "select:visible"):
        expect(silent.locator(pressed)).to_have_count(0)


def test_what_takes_long_is_shown_to_be_under_way(silent: Page, address: str) -> None:
    create(silent, address)
    machine, height = silent.locator("#machine"), moved(silent, "#machine")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    silent.route("**/calls", hold)
    typed = silent.get_by_label("A call as a line of text")
    typed.fill("alloc_page(GFP_KERNEL)")
    silent.keyboard.press("Enter")
    expect(machine).to_have_attribute("aria-busy", "true")
    expect(silent.locator(".bar")).to_have_css("border-bottom-style", "dashed")
    assert moved(silent, "#machine") == height
    typed.fill("and meanwhile the next one")
    held[0].continue_()
    expect(machine).to_have_attribute("aria-busy", "false")
    expect(silent.locator("#head-seq")).to_have_text("#1")
    expect(typed).to_have_value("and meanwhile the next one")


def test_the_bar_is_one_line_where_there_is_room(silent: Page, address: str) -> None:
    machine = {"profile": "x86_64-64g", "cpus": 16, "nodes": 2}
    named = {"name": "fragmentation under a long name", "machine": machine}
    made = silent.request.post(f"{address}/api/v1/sessions", data=named)
    silent.set_viewport_size({"width": 1440, "height": 900})
    silent.goto(f"{address}/sessions/{made.json()['id']}")
    bar = silent.locator(".bar").bounding_box()
    assert bar is not None
    assert bar["height"] < 48
    assert silent.locator(".place h1").get_attribute("title") == named["name"]
    assert silent.evaluate("document.documentElement.scrollWidth") == 1440

"""The view of processes in Chromium: one is started, written, forked and compared, and the page stays."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.axe import serious
from tests.support.served import build, listening


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening(build(tmp_path_factory.mktemp("processes"))) as address:
        yield address


def new(page: Page, address: str, lines: str = "", **machine: Any) -> str:
    made = page.request.post(
        f"{address}/api/v1/sessions", data={"name": "p", "machine": {"profile": "x86_64-1g", **machine}}
    )
    path = f"{address}/sessions/{made.json()['id']}"
    for line in filter(None, lines.splitlines()):
        answer = page.request.post(
            path.replace("/sessions/", "/api/v1/sessions/") + "/calls",
            data=line,
            headers={"Content-Type": "text/plain"},
        )
        assert answer.ok, answer.text()
    return path


def console(page: Page, line: str, seq: int) -> None:
    page.get_by_label("A call as a line of text").fill(line)
    page.keyboard.press("Enter")
    expect(page.locator("#head-seq")).to_have_text(f"#{seq}")


def test_a_process_is_started_written_and_forked_in_place(page: Page, address: str) -> None:
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(new(page, address))
    expect(page.locator("html[data-ready]")).to_be_attached()
    page.get_by_role("link", name="Processes").click()
    expect(page.locator("html[data-ready]")).to_be_attached()
    vm = page.locator("#vm")
    vm.get_by_role("button", name="Start a process").click()
    expect(vm.get_by_role("link", name=re.compile("^a 1"))).to_have_attribute("aria-current", "true")
    # The console speaks for the process that is shown.
    console(page, "x = mmap(NULL, 32K, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS)", 2)
    expect(vm).to_contain_text("PMD 447 is empty: the first access is a page fault.")
    console(page, "store(x)", 3)
    expect(page.locator("#outcome")).to_contain_text("Minor fault: first write to an anonymous page")
    expect(vm.locator(".walk-end .frame")).to_have_text(re.compile("^0x"))
    frame = vm.locator(".walk-end .frame").inner_text()
    # A typed address, and the way back by the history of the browser.
    page.locator("#va").fill("x+4K")
    page.keyboard.press("Enter")
    expect(vm).to_contain_text("PTE 498 is empty")
    page.go_back()
    expect(vm.locator(".walk-end .frame")).to_have_text(frame)
    vm.get_by_role("button", name="fork").click()
    expect(vm.locator(".page-pair.shared")).to_have_count(1)
    console(page, "b: store(x)", 5)
    expect(page.locator("#outcome")).to_contain_text("copy on write")
    expect(vm.locator(".walk-end .frame")).not_to_have_text(frame)
    expect(page.locator("#runs-as")).to_have_text("b:")
    # A cell leads to the walk of its page by keyboard, the frame at its end to the inspector.
    vm.locator(".page-cell").nth(2).focus()
    page.keyboard.press("Enter")
    expect(vm).to_contain_text("PTE 499 is empty")
    page.get_by_role("link", name="Frames", exact=True).click()
    expect(page.locator("html[data-ready]")).to_be_attached()
    expect(page.locator("#map-picture canvas")).to_be_visible()
    assert said == []


def test_the_walk_is_gone_by_keyboard_and_what_is_broken_is_said(page: Page, address: str) -> None:
    lines = f"a: execve()\na: x = {PRIVATE}\na: store(x)\n"
    page.goto(f"{new(page, address, lines)}?view=vm")
    expect(page.locator("html[data-ready]")).to_be_attached()
    levels = page.locator("#vm .walk-level")
    expect(levels).to_have_count(5)
    levels.first.focus()
    for key, at in (
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("ArrowLeft", 1),
        ("End", 4),
        ("ArrowRight", 4),
        ("Home", 0),
    ):
        page.keyboard.press(key)
        expect(levels.nth(at)).to_be_focused()
        expect(levels.nth(at)).to_have_attribute("tabindex", "0")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(page.locator("#inspector")).to_contain_text("anon")
    frame = page.locator("#vm .walk-end .frame").inner_text()
    expect(page.locator("#vm").get_by_role("alert")).to_have_count(0)
    console(page, f"k: put_page(pfn_to_page({frame}))", 4)
    told = page.locator("#vm").get_by_role("alert")
    expect(told).to_contain_text(f"page frame {frame} has 1 references, and 2 who know it")


PRIVATE = "mmap(NULL, 32K, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS)"
BUSY = """a: execve("/bin/hello")
a: x = mmap(NULL, 2M, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS)
a: load(x)
a: store(x+4K, 1, 40)
a: b = fork()
a: f = open("/data/a")
a: q = mmap(NULL, 1M, PROT_READ, MAP_SHARED, f)
a: load(q)
b: store(x+8K)"""


def test_it_fits_every_width_and_axe_finds_nothing_serious(browser: Browser, address: str) -> None:
    context = browser.new_context(reduced_motion="reduce", bypass_csp=True)
    page = context.new_page()
    path = new(page, address, BUSY)
    api = path.replace("/sessions/", "/api/v1/sessions/")
    pid = page.request.get(f"{api}/tasks/a").json()["pid"]
    frame = page.request.get(f"{api}/tasks/a/walk?addr=0x7ffff7dfb000").json()["pfn"]
    for panel in ("pagecache", "lru"):
        query = f"view=vm&pid={pid}&beside={pid + 1}&va=x%2B8K&panel={panel}&cached=/data/a"
        page.goto(f"{path}?{query}")
        expect(page.locator("html[data-ready]")).to_be_attached()
        for width, height in ((1440, 900), (1024, 768), (390, 844)):
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            if width == 1440:
                box = page.locator("#panels").bounding_box()
                assert box is not None
                assert box["y"] < height - 120, "the panel begins on the first screen"
        for details in page.locator("#vm details.twin, #panels details.twin").all():
            details.evaluate("node => node.open = true")
        assert serious(page) == []
    page.request.post(f"{api}/put_page", data={"pfn": frame, "task": "k"})
    page.reload()
    expect(page.locator("#vm").get_by_role("alert")).to_contain_text("in use, and somebody has freed it")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert serious(page, part="#vm") == []
    context.close()


SHORT = """alloc_pages(GFP_KERNEL, 8) * 38
a: execve("/bin/hello")
a: f = open("/data/a", O_RDWR)
a: read(f, 4M)
a: x = mmap(NULL, 12M, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS)
a: store(x) * 1200
a: store(x+5M) * 1000"""


def test_what_is_taken_back_is_seen_where_it_lies(browser: Browser, address: str) -> None:
    context = browser.new_context(reduced_motion="reduce", bypass_csp=True)
    page = context.new_page()
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    machine = {"profile": "x86_64-1g", "memory": "96M", "reclaim": True, "swap": 1024}
    path = new(page, address, SHORT, **machine)
    page.goto(f"{path}?view=vm&panel=lru")
    expect(page.locator("html[data-ready]")).to_be_attached()
    # The console says what kswapd did at the end of the call, as banner and journal do.
    console(page, "a: store(x+10M) * 200", 8)
    for where in ("#console-answer", "#outcome .answer-beside", "#journal .row.current", "#zones .kswapd"):
        expect(page.locator(where)).to_contain_text("kswapd0")
    # Who goes next leads to its page, by keyboard.
    whose = page.locator(".next-lists a", has_text="a: 0x").first
    start = whose.inner_text().removeprefix("a: ")
    whose.press("Enter")
    expect(page.locator("#va")).to_have_value(start)
    for panel in ("lru", "swap", "pagecache"):
        page.goto(f"{path}?view=vm&panel={panel}&cached=/data/a")
        expect(page.locator("html[data-ready]")).to_be_attached()
        for width, height in ((1440, 900), (1024, 768), (390, 844)):
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        for details in page.locator("#panels details.twin").all():
            details.evaluate("node => node.open = true")
        assert serious(page, part="#panels", narrow=True) == []
    assert serious(page, part="#zones") == []
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"{path}?view=vm&panel=lru")
    expect(page.locator("html[data-ready]")).to_be_attached()
    assert serious(page, part="#panels", dark=True) == []
    assert said == []
    context.close()


def test_its_accesses_are_compared_and_a_second_opinion_given(browser: Browser, address: str) -> None:
    context = browser.new_context(reduced_motion="reduce", bypass_csp=True)
    page = context.new_page()
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"{new(page, address, BUSY)}?view=vm")
    expect(page.locator("html[data-ready]")).to_be_attached()
    page.locator("#vm").get_by_role("link", name="Replacement").click()
    answer = page.locator(".replacement-answer")
    expect(answer).to_contain_text("The machine itself had 1 page fault at")
    # By keyboard to a list; the fields of the others are not in the way.
    page.get_by_label("The accesses of a process").focus()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_label("Process", exact=True)).to_be_hidden()
    page.get_by_label("Pages", exact=True).fill("1 2 3 4 1 2 5 1 2 3 4 5")
    page.get_by_label("Step by step", exact=True).select_option("fifo")
    page.get_by_role("button", name="Compare").press("Enter")
    expect(answer).to_contain_text("Belady’s anomaly: FIFO has 9 faults with 3 frames, and 10 with 4.")
    expect(page).to_have_url(re.compile("string=1\\+2\\+3"))
    steps = page.get_by_label("Its steps for FIFO with 3 frames")
    steps.fill("nine\nfaults")
    page.get_by_role("button", name="Find the first difference").click()
    expect(page.locator(".refusal")).to_contain_text("a line for each reference")
    expect(page.locator(".refusal")).to_be_focused()
    expect(steps).to_have_value("nine\nfaults")
    steps.fill("10")
    page.get_by_role("button", name="Find the first difference").click()
    expect(page.locator("#opinion")).to_contain_text("It would be the same if")
    for width, height in ((1440, 900), (1024, 768), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert serious(page, narrow=True) == []
    page.set_viewport_size({"width": 1440, "height": 900})
    assert serious(page) == []
    page.emulate_media(color_scheme="dark")
    assert serious(page, dark=True) == []
    assert said == []
    context.close()

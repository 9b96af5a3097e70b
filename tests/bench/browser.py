"""The machine page in a browser: its first load, when it is seen, and how smoothly the map moves."""

import os
import statistics
import tempfile
from pathlib import Path

import httpx2
from playwright.sync_api import Browser, sync_playwright

from tests.bench.figures import Figure
from tests.support.browser import FLAGS, find_chromium
from tests.support.first_load import first_load, first_paint
from tests.support.motion import frame_times
from tests.support.served_process import Served, served

LARGE = "x86_64-64g"
BLOCKS = "q = alloc_pages(GFP_HIGHUSER_MOVABLE, 10) * 300\n__free_pages(q[::3], 10)"


def compare(rounds: int) -> list[Figure]:
    """Nothing where there is no Chromium: a server needs none."""
    chromium = find_chromium()
    if chromium is None:
        print("no Chromium in PATH or $KMEMLAB_CHROMIUM: not measured")
        return []
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        found = [*loaded(browser, server, rounds), called(browser, server), moved(browser, server)]
        browser.close()
    return found


def loaded(browser: Browser, server: Served, rounds: int) -> list[Figure]:
    """The first load, beside that of the smallest document that the server has."""
    machine = server.create("x86_64-8g")
    first_load(browser, server.address, machine)  # what the server prepares once is no browser's first load
    loads = [first_load(browser, server.address, machine) for _ in range(rounds)]
    least = statistics.median(first_paint(browser, f"{server.address}/healthz") for _ in range(rounds))
    size = loads[-1].size / 1000
    paint = statistics.median(load.paint for load in loads)
    print(f"first load {size:.0f} kB; first paint {paint:.0f} ms, of a line of text {least:.0f} ms")
    return [
        Figure("the machine page's first load, over the wire", size, 200, 150, " kB", more=False),
        Figure(
            "the machine page's first paint", paint, 1000, 500, " ms",
            f"a line of text: {least:.0f} ms", more=False,
        ),
    ]  # fmt: skip


CALLS = 20


def called(browser: Browser, server: Served) -> Figure:
    """What a call made in the page's console costs the server: the call, and all that the page shows anew."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{server.address}{server.create('x86_64-8g')}")
    page.locator("html[data-ready]").wait_for()
    console = page.get_by_label("A call as a line of text")
    for number in range(CALLS + 1):
        if number == 1:  # the first draws the map
            page.wait_for_timeout(1000)
            before = cpu_of(server.process.pid)
        console.fill("alloc_pages(GFP_KERNEL, 2)")
        console.press("Enter")
        page.locator("#journal").get_by_role("link", name=f"#{number + 1}", exact=True).wait_for()
    page.wait_for_timeout(1000)
    spent = 1e3 * (cpu_of(server.process.pid) - before) / CALLS
    page.close()
    return Figure("the server's CPU for a call made on the page", spent, 50, 25, " ms", more=False)


def cpu_of(pid: int) -> float:
    """User and system seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def moved(browser: Browser, server: Served) -> Figure:
    """A map of 16.7 million frames, zoomed and panned from the whole zone to single frames."""
    machine = server.create(LARGE)
    lines = {"content": BLOCKS, "headers": {"Content-Type": "text/plain"}}
    httpx2.post(f"{server.base}{machine}/calls", timeout=60, **lines).raise_for_status()
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{server.address}{machine}?zone=Normal&node=0")
    page.locator("html[data-ready]").wait_for()
    page.wait_for_timeout(500)
    times = frame_times(page.locator("#map-picture canvas"))
    median, late = times[len(times) // 2], times[len(times) * 95 // 100]
    page.close()
    print(f"the map in motion, {len(times)} pictures: median {median:.1f} ms, worst {times[-1]:.1f} ms")
    return Figure(
        "zooming and panning a map of 64 GiB, from one picture to the next, p95",
        late, 50, 17, " ms", f"median {median:.1f} ms; no graphics card", more=False,
    )  # fmt: skip

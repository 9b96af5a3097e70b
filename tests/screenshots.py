"""Pictures of the dashboard, at three sizes and in both themes, of a server started for them.

python -m tests.screenshots [FOLDER]     # `make screenshots`; the folder is build/screenshots unless given
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import FLAGS, find_chromium
from tests.served import build, listening

SIZES = {"1440x900": (1440, 900), "1024x768": (1024, 768), "390x844": (390, 844)}
THEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")

MACHINES = {
    "buddy allocator": (
        {"profile": "tiny-16m", "lecture": True},
        """
        p = alloc_pages(GFP_KERNEL, 3)
        movable = alloc_pages(GFP_HIGHUSER_MOVABLE, 2) * 40
        fill = alloc_page(GFP_KERNEL) * 300
        object = kmalloc(200, GFP_KERNEL)
        area = vmalloc(200K)
        __free_pages(fill[::2], 0)
        cache = alloc_pages(GFP_KERNEL|__GFP_RECLAIMABLE, 4) * 6
        get_page(p)
        lock_page(p)
        alloc_pages(GFP_KERNEL, 4)
        """,
    ),
    "fallback on 32 bits": (
        {"profile": "i386-1g"},
        """
        high = alloc_pages(GFP_HIGHUSER, 0)
        page_address(high)
        kmap(high)
        fill = alloc_pages(GFP_HIGHUSER|__GFP_NORETRY, 8) * 150
        alloc_pages(GFP_KERNEL, 11)
        """,
    ),
    "a deadlock": (
        {"profile": "x86_64-1g", "debug": False},
        """
        p = alloc_page(GFP_KERNEL)
        q = alloc_page(GFP_KERNEL)
        objects = kmalloc(100, GFP_KERNEL) * 60
        kfree(objects[::3])
        first = vmalloc(64K)
        second = vmalloc(300K)
        third = vmalloc(16K)
        vfree(first)
        alice: lock_page(p)
        bob: lock_page(q)
        carol: lock_page(p)
        alice: lock_page(q)
        bob: lock_page(p)
        """,
    ),
    "a whole computer": (
        {"profile": "x86_64-8g"},
        """
        p = alloc_pages(GFP_KERNEL, 0)
        blocks = alloc_pages(GFP_HIGHUSER_MOVABLE, 10) * 200
        __free_pages(blocks[::3], 10)
        """,
    ),
}


def make(page: Page, address: str) -> list[str]:
    """The machines, through the API; their paths, the first one made first."""
    paths = []
    for name, (machine, lines) in MACHINES.items():
        made = page.request.post(f"{address}/api/v1/sessions", data={"name": name, "machine": machine})
        paths.append(f"/sessions/{made.json()['id']}")
        for line in filter(None, map(str.strip, lines.splitlines())):
            answer = page.request.post(
                f"{address}/api/v1{paths[-1]}/calls", data=line, headers={"Content-Type": "text/plain"}
            )
            if not answer.ok:
                raise RuntimeError(f"{line}: {answer.text()}")
    return paths


def demo(page: Page, address: str, name: str, steps: int) -> str:
    """A guided demo with its first steps run; its path."""
    page.goto(address)
    page.locator(f"#demo-{name} button").click()
    for _ in range(steps):
        page.get_by_role("link", name="Next").click()
        page.get_by_role("button", name="Run this step").click()
        page.locator(".demo-results").wait_for()
    return page.url.removeprefix(address).partition("#")[0]


def views(page: Page, address: str) -> Iterator[tuple[str, str]]:
    """What is pictured: a name and its address."""
    tiny, small, asleep, large = make(page, address)
    yield "home", "/"
    yield "machine", f"{tiny}?shift=0"
    yield "inspector", f"{tiny}?shift=0&pfn=0x400&call=put_page&page=p"
    yield "explain", f"{tiny}/explain/10"
    yield "null", small
    yield "whole", large
    yield "past", f"{tiny}?at=6&shift=0&pfn=0x400"
    yield "slabs", f"{asleep}?panel=slab&slabs=kmalloc-128#panels"
    yield "vmalloc", f"{asleep}?panel=vmalloc#panels"
    yield "deadlock", f"{asleep}?panel=tasks#panels"
    yield "proc", f"{asleep}?panel=proc&file=slabinfo#panels"
    yield "demo", demo(page, address, "split-and-merge", 2)
    yield "gfp", "/gfp?mask=GFP_ATOMIC"
    yield "calls", "/calls"
    yield "delete", f"{tiny}/delete"
    yield "error", "/sessions/nothing"


def ready(page: Page) -> None:
    """Return when nothing is on its way but the stream of a page that follows its session."""
    page.wait_for_function("document.fonts.status === 'loaded'")
    if page.locator("#map-picture").count():
        page.locator("#map-picture canvas").wait_for()
        page.locator("#live[data-state=live]").wait_for()
        page.wait_for_timeout(300)


def picture(browser: Browser, address: str, folder: Path) -> None:
    """Every view at every size in both themes: what is seen first, on narrow screens all of it."""
    page = browser.new_page()
    todo = list(views(page, address))
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        for theme in THEMES:
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            for name, path in todo:
                page.goto(address + path)
                ready(page)
                page.screenshot(path=folder / f"{name}-{size}-{theme}.png", full_page=width < 1200)
    page.close()


def main() -> None:
    """Start a server on an empty database, and take the pictures."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        database = stack.enter_context(tempfile.TemporaryDirectory())
        address = stack.enter_context(listening(build(Path(database))))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        picture(browser, address, folder)
        browser.close()
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")


if __name__ == "__main__":
    main()

"""Pictures of the dashboard, at seven sizes and in both themes, of a server started for them.

python -m tests.support.screenshots [FOLDER]     # `make screenshots`; FOLDER: else build/screenshots
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.browser import FLAGS, find_chromium
from tests.support.browsers import invitation
from tests.support.served import build, listening

SIZES = {
    f"{width}x{height}": (width, height)
    for width, height in (
        (1920, 1080), (1440, 900), (1366, 768), (1280, 720), (1024, 768), (390, 844), (320, 568)
    )
}  # fmt: skip
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
    "processes": (
        {"profile": "x86_64-1g"},
        """
        a: execve("/bin/hello")
        a: x = mmap(NULL, 2M, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS)
        a: load(x)
        a: store(x+4K, 1, 12)
        a: b = fork()
        a: f = open("/data/a")
        a: q = mmap(NULL, 1M, PROT_READ, MAP_SHARED, f)
        a: load(q)
        b: store(x+8K, 9)
        """,
    ),
    "short of memory": (
        {"profile": "x86_64-1g", "memory": "96M", "reclaim": True, "swap": 1024},
        """
        alloc_pages(GFP_KERNEL, 8) * 38
        a: execve("/bin/hello")
        a: f = open("/data/a")
        a: read(f, 4M)
        a: x = mmap(NULL, 12M, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS)
        a: store(x) * 1200
        a: store(x+5M) * 1200
        a: b = fork()
        a: load(x) * 20
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
        page.get_by_role("link", name="Next").wait_for()
    return page.url.removeprefix(address).partition("#")[0]


def exercise(page: Page, address: str, name: str) -> str:
    """An exercise that is practised; its path."""
    return send(page, f"{address}/exercises/{name}").partition("#")[0]


def views(page: Page, address: str) -> Iterator[tuple[str, str]]:
    """What is pictured: a name and its address."""
    tiny, small, asleep, processes, short, large = make(page, address)
    yield "home", "/"
    yield "machine", f"{tiny}?shift=0"
    yield "inspector", f"{tiny}?shift=0&pfn=0x400&call=put_page&page=p"
    yield "explain", f"{tiny}/explain/10"
    yield "stage", f"{tiny}?layout=stage"
    yield "split", f"{tiny}/explain/1?decision=5"
    yield "history", f"{tiny}?panel=history#panels"
    yield "moments", f"{tiny}?panel=history&against=4#compare"
    yield "null", small
    yield "whole", large
    yield "past", f"{tiny}?at=6&shift=0&pfn=0x400"
    yield "slabs", f"{asleep}?panel=slab&slabs=kmalloc-128#panels"
    yield "vmalloc", f"{asleep}?panel=vmalloc#panels"
    yield "deadlock", f"{asleep}?panel=tasks#panels"
    yield "processes", f"{processes}?view=vm"
    yield "compared", f"{processes}?view=vm&pid=1001&beside=1002&va=x%2B8K&panel=lru"
    yield "page-cache", f"{processes}?view=vm&panel=pagecache&cached=/data/a#panels"
    for panel in ("lru", "swap"):
        yield panel, f"{short}?view=vm&panel={panel}#panels"
    yield "evicted", f"{short}?view=vm&panel=pagecache&cached=/data/a#panels"
    yield "life", f"{processes}/life?task=b&addr=0x7ffff7dfb000&view=vm"
    yield "proc", f"{asleep}?panel=proc&file=slabinfo#panels"
    yield "demo", demo(page, address, "split-and-merge", 2)
    yield "exercise", exercise(page, address, "what-a-split-leaves")
    yield "gfp", "/gfp?mask=GFP_ATOMIC"
    belady = "of=list&string=1+2+3+4+1+2+5+1+2+3+4+5"
    yield "replacement", f"/replacement?{belady}&policy=clock&opinion=FFFFFFFHHFFH"
    yield "calls", "/calls"
    yield "delete", f"{tiny}/delete"
    yield "error", "/sessions/nothing"


LAB_TEXT = """
Today we look at how the **buddy allocator** splits and merges blocks.

1. Take your copy and call `alloc_pages(GFP_KERNEL, 3)`. Which lists change?
2. Free the block. *Predict* first how far it merges.
3. Then meet on the shared machine: who has the lock of page `0x400`?

> The lecture's slides are the [reference](https://example.org/).
"""


def send(browser: Page, address: str, **form: str | float | bool) -> str:
    """Send a form; where it leads."""
    answer = browser.request.post(address, form=form, max_redirects=0)
    if answer.status != 303:
        raise RuntimeError(f"{address}: {answer.status} {answer.text()}")
    return answer.headers["location"]


def lab_machines(page: Page, address: str) -> list[str]:
    """The ids of what the instructor has prepared."""
    return [path.removeprefix("/sessions/") for path in make(page, address)]


def in_lab(page: Page, address: str, lab: str) -> tuple[str, tuple[str, str]]:
    """Fill a lab with machines; the code to join, and the sessions that are shared: to call, to watch."""
    tiny, small, shared, _processes, _short, large = lab_machines(page, address)
    for session, kind, title, seq in (
        (shared, "operate", "Meet on a lock", ""),
        (small, "watch", "On the projector", ""),
        (tiny, "prepared", "Split and merge", "3"),
        (large, "prepared", "A whole computer", "1"),
    ):
        send(page, f"{address}{lab}/machines", session=session, kind=kind, title=title, seq=seq)
    page.goto(address + lab)
    machine = page.locator(".lab-machines > li", has_text="Split and merge").get_attribute("id") or ""
    for seq, title in (("5", "A slab is there"), ("8", "Reclaimable pages"), ("10", "A full zone")):
        at = f"{address}{lab}/machines/{machine.removeprefix('machine-')}/checkpoints"
        send(page, at, seq=seq, title=title)
    return page.locator(".code-large").inner_text(), (shared, small)


def students(browser: Browser, address: str, lab: str, code: str, shared: str) -> Page:
    """A class that has begun to work; the browser of one of them, who sleeps."""
    pages = []
    for nickname in ("Ada", "Bo", "Chiara", "Kim", "Kim", "Zoë"):
        page = browser.new_context(reduced_motion="reduce").new_page()
        send(page, f"{address}/join", code=code, nickname=nickname)
        page.goto(address + lab)
        page.get_by_role("button", name="My copy of Split and merge").click()
        page.wait_for_url("**/sessions/*")
        pages.append(page)
    for page in pages[:4]:
        page.goto(address + lab)
        page.get_by_role("button", name="Catch up").first.click()
        page.wait_for_url("**/sessions/*")
    for page in (pages[0], pages[3]):
        send(page, f"{address}/sessions/{shared}/call/lock_page", page="0x1000", view="")
    return pages[3]


def lab_views(browser: Browser, address: str, invitation: str) -> Iterator[tuple[str, Page, str]]:
    """What is pictured of a lab: a name, whose browser shows it, and the address."""
    teacher = browser.new_context(reduced_motion="reduce").new_page()
    stranger = browser.new_context(reduced_motion="reduce").new_page()
    yield "lab-setup", stranger, f"/setup/{invitation}"
    send(teacher, f"{address}/setup/{invitation}", name="Prof. Noether", password="a few words for it")
    yield "labs-none", teacher, "/labs"
    lab = send(teacher, f"{address}/labs", title="Memory management, week 4", text=LAB_TEXT)
    yield "lab-new", teacher, lab
    code, (shared, watched) = in_lab(teacher, address, lab)
    student = students(browser, address, lab, code, shared)
    send(teacher, f"{address}{lab}/expected", expected="6")
    waiting = browser.new_context(reduced_motion="reduce").new_page()
    send(waiting, f"{address}/join", code=code, nickname="Noor")
    yield "lab-waiting", waiting, lab
    yield "lab-waiting-taught", teacher, lab
    yield "lab-waiting-wall", teacher, f"{lab}/wall"
    yield "lab-remove-idle", teacher, f"{lab}/members/remove-idle"
    yield "lab-join", stranger, "/join"
    yield "lab-join-link", stranger, f"/join/{code}"
    yield "lab-join-unknown", stranger, "/join/0000-0000"
    yield "lab-signin", stranger, "/signin"
    yield "lab-wall", teacher, f"{lab}/wall"
    yield "lab-taught", teacher, lab
    yield "lab-board", teacher, f"{lab}/board"
    yield "lab-members", teacher, f"{lab}/members"
    yield "lab-activity", teacher, f"{lab}/activity"
    yield "lab-audit", teacher, "/audit"
    yield "lab-delete", teacher, f"{lab}/delete"
    yield "labs", teacher, "/labs"
    yield "lab-keys-instructor", teacher, "/me"
    yield "lab-home-instructor", teacher, "/"
    yield "lab-member", student, lab
    yield "lab-keys", student, "/me"
    yield "lab-signout", student, "/signout"
    yield "lab-home", student, "/"
    yield "lab-shared", student, f"/sessions/{shared}?panel=tasks"
    yield "lab-watched", student, f"/sessions/{watched}"
    student.goto(address + lab)
    copy = student.locator(".own a").first.get_attribute("href") or ""
    yield "lab-copy", student, copy
    yield "lab-copy-instructor", teacher, copy
    yield from sheet_views(teacher, student, address, lab)
    yield from poll_views(teacher, student, address, lab)
    send(teacher, f"{address}{lab}/freeze", frozen="on")
    yield "lab-frozen", student, lab
    yield "lab-frozen-copy", student, copy
    send(teacher, f"{address}{lab}/freeze", frozen="off")
    send(teacher, f"{address}{lab}/close")
    yield "lab-closed", student, lab
    yield "lab-closed-instructor", teacher, lab


def sheet_views(teacher: Page, student: Page, address: str, lab: str) -> Iterator[tuple[str, Page, str]]:
    """What is pictured of a sheet."""
    items = [
        {"exercise": "what-a-split-leaves", "points": 4},
        {"exercise": "half-free-and-still-null", "points": 6},
    ]
    made = teacher.request.post(f"{address}/api/v1{lab}/sheets", data={"title": "Buddies", "items": items})
    if not made.ok:
        raise RuntimeError(made.text())
    sheet = made.json()
    at = f"{lab}/sheets/{sheet['id']}"
    yield "lab-sheets-taught", teacher, f"{lab}/sheets"
    yield "lab-sheet-taught", teacher, at
    yield "lab-sheets", student, f"{lab}/sheets"
    yield "lab-sheet", student, at
    path = f"{address}/api/v1{at}/items/{sheet['items'][0]['id']}/variants"
    if not (opened := student.request.post(path)).ok:
        raise RuntimeError(opened.text())
    yield "lab-sheet-begun", student, at
    yield "lab-sheet-results", teacher, f"{at}/results"


def poll_views(teacher: Page, student: Page, address: str, lab: str) -> Iterator[tuple[str, Page, str]]:
    """What is pictured of a question to the class: on a phone, on the projector, on the desk."""
    yield "lab-poll-none", student, f"{lab}/polls"
    desk = send(teacher, f"{address}{lab}/polls", task="what-a-split-leaves:1:1")
    poll = desk.removesuffix("/desk")
    for state in ("vote1", "discuss", "vote2", "reveal"):
        send(teacher, f"{address}{poll}/state", state=state)
        if state.startswith("vote"):
            send(student, f"{address}{poll}/vote", choice="A", confidence="rather", round=state[-1])
        yield f"lab-poll-{state}", student, poll
        yield f"lab-poll-{state}-projector", teacher, f"{poll}/projector"
        yield f"lab-poll-{state}-desk", teacher, desk
    send(teacher, f"{address}{poll}/state", state="done")
    yield "lab-polls", teacher, f"{lab}/polls"
    yield "lab-participation", teacher, f"{lab}/participation"


def ready(page: Page) -> None:
    """Return when nothing is on its way but the stream of a page that follows its session."""
    page.wait_for_function("() => document.fonts.status === 'loaded'")
    if page.locator("#map-picture").count():
        page.locator("#map-picture canvas").wait_for()
        page.locator("#live[data-state=live]").wait_for()
        page.wait_for_timeout(300)


def picture(browser: Browser, address: str, folder: Path) -> None:
    """Every view of open mode."""
    page = browser.new_page()
    for name, path in list(views(page, address)):
        take(page, name, address + path, folder)
    page.close()


def take(page: Page, name: str, address: str, folder: Path) -> None:
    """A view at every size in both themes: what is seen first, on narrow screens all of it."""
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        for theme in THEMES:
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            page.goto(address)
            ready(page)
            page.screenshot(path=folder / f"{name}-{size}-{theme}.png", full_page=width < 1200)


def main() -> None:
    """Start a server on an empty database, and one in lab mode, and take the pictures."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        address = stack.enter_context(
            listening(build(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        )
        picture(browser, address, folder)
        app = build(Path(stack.enter_context(tempfile.TemporaryDirectory())), lab=True)
        address = stack.enter_context(listening(app))
        for name, page, path in lab_views(browser, address, invitation(app)):
            take(page, name, address + path, folder)
        browser.close()
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")


if __name__ == "__main__":
    main()

"""A class of scripted students on a server of its own: `make demo-lab [ARGS="--students 60"]`.

The server starts in lab mode. An instructor follows the link that it prints, prepares a machine and a lab,
and shares another machine. The students join by the code, take their copies, call, meet on one page's lock,
and catch up to a checkpoint. They work on a sheet with an exercise of each kind, and vote twice on a call and
on a task of an exercise. Everything goes over HTTP, as browsers and scripts would do it. What is left:
pictures of the wall, the results and the votes, activity.csv, and results.csv, .json of the first student and
.zip of all, in build/demo-lab unless another folder is named.
"""

import argparse
import asyncio
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from playwright.sync_api import sync_playwright

from tests.support import demo_sheet
from tests.support.browser import FLAGS, find_chromium
from tests.support.served_process import environment

PASSWORD = "correct horse battery"
NAMES = ("Kim", "Lee", "Park", "Choi", "Jung", "Kang", "Cho", "Yoon", "Jang", "Lim", "Han", "Seo", "Shin")
LESSON = """
p = alloc_pages(GFP_KERNEL, 3)
q = alloc_page(GFP_KERNEL)
__free_pages(p, 3)
"""
STEPS = """
fill = alloc_page(GFP_ATOMIC|__GFP_MEMALLOC) * 5000 until NULL
__free_pages(fill[::2], 0)
alloc_pages(GFP_NOWAIT, 1)
"""
OWN = (
    "object = kmalloc(200, GFP_KERNEL)",
    "area = vmalloc(40K)",
    "block = alloc_pages(GFP_KERNEL|__GFP_COMP, 2)",
    "kfree(object)",
    "get_page(block)",
    "put_page(block)",
    "many = alloc_page(GFP_HIGHUSER_MOVABLE) * 100",
)


@contextmanager
def lab_server(folder: Path, **environ: str) -> Iterator[tuple[str, str]]:
    """`kmemlab serve --lab`: its address, and the link for the first instructor."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app", "serve", "--lab", "--port", "0"],
        cwd=folder,
        env=environment(**environ),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        address = re.fullmatch(r"kmemlab serving on (\S+)\n", process.stdout.readline())
        link = re.search(r"(http://\S+/setup/\S+)", process.stdout.readline())
        assert address is not None
        assert link is not None
        yield address[1], link[1]
    finally:
        process.terminate()
        process.communicate(timeout=30)


class Http:
    """One person's way to the API. entered: what they were given when they came in."""

    def __init__(self, address: str, token: str = "", entered: dict[str, Any] | None = None) -> None:
        self.entered = entered or {}
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self.client = httpx2.AsyncClient(base_url=f"{address}/api/v1", headers=headers, timeout=60)

    async def __call__(self, method: str, path: str, lines: str | None = None, **body: Any) -> Any:
        """One request that must succeed; its answer."""
        if lines is None:
            answer = await self.client.request(method, path, json=body if method != "GET" else None)
        else:
            answer = await self.client.request(
                method, path, content=lines, headers={"content-type": "text/plain"}
            )
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


async def enter(address: str, path: str, **body: Any) -> Http:
    """Come in by `/join` or `/signin`, without a token yet. What was answered is `entered`."""
    stranger = Http(address)
    answer = await stranger("POST", path, **body)
    await stranger.client.aclose()
    return Http(address, answer["token"], answer)


async def instructor(address: str, link: str) -> Http:
    """Follows the link, sets name and password, and signs in for scripts."""
    async with httpx2.AsyncClient(timeout=60) as browser:
        made = await browser.post(link, data={"name": "Prof. Kim", "password": PASSWORD})
        assert made.status_code == 303, made.text
        assert (await browser.get(link)).status_code == 404  # once
    return await enter(address, "/signin", name="Prof. Kim", password=PASSWORD)


async def student(address: str, lab: dict[str, Any], given: dict[str, str], number: int) -> Http:
    """Joins, takes a copy, calls some functions on it, and waits for a page that somebody else holds."""
    me = await enter(address, "/join", code=lab["code"], nickname=NAMES[number % len(NAMES)])
    copy = await me("POST", f"/labs/{lab['id']}/machines/{given['machine']}/copy")
    for line in OWN[: 1 + number % len(OWN)]:
        await me("POST", f"/sessions/{copy['id']}/calls", line)
    locked = await me("POST", f"/sessions/{given['shared']}/lock_page?wait=30", pfn=int(given["pfn"]))
    if locked["verdict"] == "blocked":
        assert locked["woken_at"] is not None, locked
    unlocked = await me("POST", f"/sessions/{given['shared']}/unlock_page", pfn=int(given["pfn"]))
    assert unlocked["verdict"] == "ok", unlocked
    if number % 3 == 0:
        await me("POST", f"/labs/{lab['id']}/catch_up", session=copy["id"])
    return me


async def lesson(
    address: str, link: str, students: int, folder: Path, database: Path
) -> tuple[dict[str, str], str]:
    """All of it; the pages of which pictures are made, and the instructor's token."""
    begun = time.perf_counter()

    def say(what: str) -> None:
        print(f"{time.perf_counter() - begun:6.2f} s  {what}", flush=True)

    boss = await instructor(address, link)
    say("the instructor has set up an account by the printed link, which is used up now")
    prepared = await boss(
        "POST", "/sessions", name="buddies", machine={"profile": "tiny-16m", "lecture": True}
    )
    await boss("POST", f"/sessions/{prepared['id']}/calls", LESSON)
    lab = await boss("POST", "/labs", title="Buddies", text="Split, merge, and *fill it with holes*.")
    machine = await boss("POST", f"/labs/{lab['id']}/machines", session=prepared["id"], kind="prepared")
    await boss("POST", f"/sessions/{prepared['id']}/calls", STEPS)
    where = f"/labs/{lab['id']}/machines/{machine['id']}/checkpoints"
    await boss("POST", where, seq=6, title="Half free, and no two are buddies")
    shared = await boss("POST", "/sessions", name="one for all", machine={"profile": "x86_64-1g"})
    await boss("POST", f"/labs/{lab['id']}/machines", session=shared["id"], kind="operate")
    page = await boss("POST", f"/sessions/{shared['id']}/alloc_page", gfp="GFP_KERNEL")
    pfn = page["page"]["pfn"]
    await boss("POST", f"/sessions/{shared['id']}/lock_page", pfn=pfn)
    say(f"the lab is open: code {lab['code']}, one machine to copy, one for all")
    given = {"machine": machine["id"], "shared": shared["id"], "pfn": str(pfn)}
    working = [asyncio.create_task(student(address, lab, given, number)) for number in range(students)]
    while True:
        tasks = (await boss("GET", f"/sessions/{shared['id']}/tasks"))["tasks"]
        blocked = [task for task in tasks if task["waiting_for"] is not None]
        if len(blocked) >= students or all(task.done() for task in working):
            break
        await asyncio.sleep(0.1)
    say(f"{len(blocked)} of {students} students sleep in lock_page on the same page")
    await boss("POST", f"/sessions/{shared['id']}/unlock_page", pfn=pfn)
    people = await asyncio.gather(*working)
    say("each was woken in turn, and a third has caught up to the checkpoint")
    await boss("PATCH", f"/labs/{lab['id']}", frozen=True)
    refused = await people[0].client.post(f"/sessions/{shared['id']}/alloc_page", json={"gfp": "GFP_KERNEL"})
    assert refused.status_code == 409, refused.text
    await boss("PATCH", f"/labs/{lab['id']}", frozen=False)
    say("frozen and thawed: a call in between was refused")
    pages = {"wall": f"/labs/{lab['id']}/wall"}
    sheet = await demo_sheet.set_sheet(boss, lab["id"])
    done = await asyncio.gather(
        *(demo_sheet.work(me, lab["id"], sheet, number, database) for number, me in enumerate(people))
    )
    await demo_sheet.keep_results(boss, lab["id"], sheet["id"], folder)
    pages["results"] = f"/labs/{lab['id']}/sheets/{sheet['id']}/results"
    say(f"{sum(done)} answers to {sheet['title']}; results.csv, .json and .zip are there")
    asked = {"session": prepared["id"], "line": "alloc_pages(GFP_NOWAIT, 2)", "predict": "verdict"}
    for name, about in (("call", asked), ("task", {"exercise": "what-a-split-leaves", "task": 1})):
        poll = await demo_sheet.ask_class(boss, lab["id"], people, **about)
        pages[f"vote-{name}"] = f"/labs/{lab['id']}/polls/{poll['id']}/projector"
        shares = [f"{one['right']} of {one['voted']}" for one in poll["tally"]["rounds"]]
        say(f"a vote on a {name}: right were {', then '.join(shares)}")
    answer = await boss.client.get(f"/labs/{lab['id']}/activity.csv")
    assert answer.status_code == 200, answer.text
    (folder / "activity.csv").write_bytes(answer.content)
    say(f"activity.csv has {len(answer.text.splitlines()) - 1} members")
    token: str = boss.client.headers["authorization"].removeprefix("Bearer ")
    return pages, token


def pictures(address: str, pages: dict[str, str], token: str, folder: Path) -> None:
    """Pages as the instructor sees them."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_cookies([{"name": "kmemlab", "value": token, "url": address}])
        page = context.new_page()
        for name, path in pages.items():
            page.goto(f"{address}{path}")
            # Machines that are closed are drawn one by one.
            page.wait_for_timeout(8000 if name == "wall" else 500)
            page.screenshot(path=folder / f"{name}.png", full_page=True)
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="make demo-lab", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("build/demo-lab"))
    parser.add_argument("--students", type=int, default=60)
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, lab_server(Path(temporary)) as (address, link):
        database = Path(temporary) / "kmemlab.db"
        pages, token = asyncio.run(lesson(address, link, chosen.students, chosen.folder, database))
        pictures(address, pages, token, chosen.folder)
    print(*sorted(str(path) for path in chosen.folder.iterdir()), sep="\n")


if __name__ == "__main__":
    main()

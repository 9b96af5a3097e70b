"""The wall of a class of 300, all of whom call between two looks: its first load, what a refresh takes."""

import statistics
import tempfile
import time
from itertools import cycle
from pathlib import Path

import httpx2
from playwright.sync_api import sync_playwright

from tests.bench.classroom import LINES
from tests.bench.figures import Figure
from tests.bench.service import Server, free_port, process
from tests.support.browser import FLAGS, find_chromium
from tests.support.walls import Hall, hall

MEMBERS = 300
ROUNDS = 6
A_MINUTE = 20  # looks, as static/js/wall.js has them
HEAD = 700  # bytes of an answer and its request beside the body, roughly and rather too many


def compare(members: int = MEMBERS, rounds: int = ROUNDS) -> list[Figure]:
    """A server in lab mode, the class that it finds in its database, and one who looks at it."""
    port = free_port()
    with tempfile.TemporaryDirectory(dir=".") as folder:  # on this disk: /tmp may be memory
        here = Path(folder).resolve()
        made = hall(here, members)
        url = f"sqlite:///{here}/kmemlab.db"
        with process(
            ["app", "serve", "--lab", "--port", str(port)], port, KMEMLAB_DATABASE_URL=url
        ) as started:
            server = Server(started, port, "")
            address = f"http://127.0.0.1:{port}"
            figures = refreshed(server, address, made, rounds)
            return [*loaded(address, made, rounds), *figures]


def refreshed(server: Server, address: str, made: Hall, rounds: int) -> list[Figure]:
    """Everybody calls, then the wall is asked for what has changed."""
    api = f"{address}/api/v1/labs/{made.lab}/wall"
    sizes, spent, took, changed = [], [], [], 0
    with httpx2.Client(headers={"Authorization": f"Bearer {made.token}"}, timeout=60) as teacher:
        version = teacher.get(api).json()["version"]
        for line, _ in zip(cycle(LINES), range(rounds), strict=False):
            called(address, made, line)
            before, begun = server.cpu(), time.perf_counter()
            answer = teacher.get(api, params={"after": version})
            took.append((time.perf_counter() - begun) * 1000)
            spent.append((server.cpu() - before) * 1000)
            sizes.append(int(answer.headers["content-length"]) + HEAD)
            news = answer.json()
            version, changed = news["version"], len(news["tiles"])
    minute = statistics.mean(sizes) * A_MINUTE / 1000
    cpu = statistics.mean(spent)
    shown = f"{changed} tiles changed, answered in {statistics.median(took):.0f} ms"
    print(f"a refresh: {shown}; {minute:.0f} kB a minute, {cpu:.0f} ms of CPU")
    what = f"the wall of {len(made.people)}"
    return [
        Figure(f"{what}, a minute of it over the wire", minute, 300, 200, " kB", shown, more=False),
        Figure(f"{what}, CPU of a refresh", cpu, 150, 60, " ms", "once for all who look", more=False),
    ]


def called(address: str, made: Hall, line: str) -> None:
    """One call of each member."""
    with httpx2.Client(timeout=60) as client:
        for token, machine in zip(made.tokens, made.machines, strict=True):
            if machine:
                client.post(
                    f"{address}/api/v1/sessions/{machine}/calls",
                    content=line,
                    headers={"Content-Type": "text/plain", "Authorization": f"Bearer {token}"},
                )


def loaded(address: str, made: Hall, rounds: int) -> list[Figure]:
    """From the request to a page that is complete, in a browser that has never been here."""
    chromium = find_chromium()
    if chromium is None:
        print("no Chromium in PATH or $KMEMLAB_CHROMIUM: the first load is not measured")
        return []
    times, size = [], 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for _ in range(rounds):
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            context.add_cookies([{"name": "kmemlab", "value": made.token, "url": address}])
            page = context.new_page()
            page.goto(f"{address}/labs/{made.lab}/wall")
            entry = page.evaluate("performance.getEntriesByType('navigation')[0].toJSON()")
            times.append(float(entry["loadEventEnd"] or entry["domComplete"]))
            size = int(entry["transferSize"])
            context.close()
        browser.close()
    first = statistics.median(times)
    print(f"first load: {first:.0f} ms, {size / 1000:.0f} kB of HTML")
    what = f"the wall of {len(made.people)}, first load"
    return [Figure(what, first, 1000, 500, " ms", f"{size / 1000:.0f} kB of HTML", more=False)]

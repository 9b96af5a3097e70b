"""A class with a sheet on one small server: `python -m tests.bench.sheets [--members 300] [--seconds 300]`.

Everybody opens an exercise within a minute, and then the class answers: ten submissions of each, some of them
goals, at a steady pace. Afterwards the instructor takes the tables, and has the sheet marked again by a
mended file. The load is a process of its own.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from tests.bench import result_tables
from tests.bench.classroom import middle_and_end, rss
from tests.bench.figures import Figure
from tests.bench.lab import Class, Figures, Member
from tests.bench.service import free_port, process
from tests.support.classroom import first_instructor, labs_of
from tests.support.factories import settings_for
from tests.support.served import BASE
from tests.support.sheets import FILES, SPLIT, write_files

OPENING = 60.0  # seconds in which everybody opens the first exercise
EACH = 10  # submissions of a member, of which some are goals
GOALS = 2
# Another frame is right as well: many scores change.
MENDED = SPLIT.replace('answer = "1 pfn"', 'answer = "1 pfn"\nwithin = "1"').replace("right + 1", "right + 7")


@dataclass
class SheetFigures(Figures):
    """What the load saw, in milliseconds."""

    opened: int = 0
    submitted: int = 0
    open_p50: float = 0
    open_p99: float = 0
    submit_p50: float = 0
    submit_p99: float = 0
    wide: float = 0
    long: float = 0
    results: float = 0
    regrade: float = 0
    again: float = 0
    changed: int = 0
    changed_again: int = 0


@dataclass
class Worker(Member):
    """A student with their variants, by the exercise's place."""

    variants: dict[int, Any] = field(default_factory=dict)


class Sitting(Class):
    """The load."""

    figures: SheetFigures

    def __init__(self, port: int, given: dict[str, Any]) -> None:
        super().__init__(port, given)
        self.figures = SheetFigures()
        self.workers: list[Worker] = []

    async def enter(self, number: int) -> None:
        """A student joins."""
        connection = await self.connect()
        body = {"code": self.given["code"], "nickname": f"student {number}"}
        _, answer = await self.ask(connection, "POST", f"{BASE}/join", body=body)
        self.workers.append(Worker(connection, json.loads(answer)["token"]))

    async def timed(self, who: Member, method: str, path: str, body: Any = None) -> tuple[float, Any]:
        """A request, how long it took, and what it was answered."""
        who.connection.transport.close()  # as browsers do after some idle seconds
        who.connection = await self.connect()
        begun = time.perf_counter()
        _, answer = await self.ask(who.connection, method, f"{BASE}{path}", who.token, body)
        took = time.perf_counter() - begun
        return took, json.loads(answer) if answer[:1] in (b"{", b"[") else answer

    async def open(self, who: Worker, place: int, within: float) -> float:
        """Open an exercise at some moment."""
        await asyncio.sleep(self.draw.random() * within)
        sheet, item = self.given["sheet"], self.given["items"][place]
        path = f"/labs/{self.given['lab']}/sheets/{sheet}/items/{item}/variants"
        took, who.variants[place] = await self.timed(who, "POST", path)
        self.figures.opened += 1
        return took

    async def work(self, who: Worker, seconds: float, times: list[float]) -> None:
        """All submissions of a student, at a steady pace."""
        every = seconds / EACH
        due = time.perf_counter() + self.draw.random() * every
        for number in range(EACH):
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            # A solved task takes no more answers: only the last ones can be right.
            last = number in (GOALS - 1, EACH - 1)
            near = 0x400 + self.draw.randrange(16) if last else number
            place, given = (1, []) if number < GOALS else (0, [f"{near:#x}"])
            variant = who.variants[place]
            if place == 1 and last:
                path = f"/sessions/{variant['session']}/alloc_page"
                await self.timed(who, "POST", path, {"gfp": "GFP_KERNEL", "repeat": 1 + number})
            body = {"task": 1, "given": given}
            took, _ = await self.timed(who, "POST", f"/variants/{variant['id']}/answers", body)
            times.append(took)
            self.figures.submitted += 1
            due += every

    async def lesson(self, seconds: float) -> None:
        """Open, answer, look."""
        opening = await asyncio.gather(*(self.open(who, 0, OPENING) for who in self.workers))
        self.figures.open_p50, self.figures.open_p99 = middle_and_end(opening)
        await asyncio.gather(*(self.open(who, 1, OPENING) for who in self.workers))
        times: list[float] = []
        await asyncio.gather(*(self.work(who, seconds, times) for who in self.workers))
        self.figures.submit_p50, self.figures.submit_p99 = middle_and_end(times)
        await self.afterwards()

    async def afterwards(self) -> None:
        """What the instructor does."""
        teacher = Member(await self.connect(), self.given["token"])
        here = f"/labs/{self.given['lab']}/sheets/{self.given['sheet']}"
        seen = self.figures
        seen.wide = (await self.timed(teacher, "GET", f"{here}/results.csv"))[0]
        seen.long = (await self.timed(teacher, "GET", f"{here}/results.csv?shape=long"))[0]
        seen.results = (await self.timed(teacher, "GET", f"{here}/results"))[0]
        write_files(Path(self.given["folder"]), {"split": MENDED})
        seen.regrade, done = await self.timed(teacher, "POST", f"{here}/regrade", {"apply": True})
        seen.changed = done["changed"]
        seen.again, done = await self.timed(teacher, "POST", f"{here}/regrade", {"apply": True})
        seen.changed_again = done["changed"]


async def prepare(folder: Path, mode: str) -> dict[str, Any]:
    """A database with an instructor, a lab and a sheet."""
    own = write_files(folder / "exercises")
    async with labs_of(settings_for(folder, lab=True, exercises=own)) as (_, labs):
        who = await first_instructor(labs)
        lab = await labs.rooms.create(who, "A class", expected=500)
        given = {"title": "Sheet", "mode": mode, "items": [{"exercise": name} for name in FILES]}
        sheet = await labs.sheets.create(who, lab.id, given)
        return {
            "code": str(lab.code),
            "lab": lab.id,
            "sheet": sheet.row.id,
            "items": [item.id for item in sheet.items],
            "folder": str(own),
            "token": await labs.authentication.renew(who, "script"),
        }


def measure(members: int, seconds: float) -> tuple[SheetFigures, list[float]]:
    """Serve, put the load on it from another process, and watch the server's memory meanwhile."""
    port = free_port()
    with tempfile.TemporaryDirectory(dir=".") as place:  # on this disk: /tmp may be memory
        folder = Path(place).resolve()
        given = asyncio.run(prepare(folder, "practice"))
        environ = {
            "KMEMLAB_DATABASE_URL": f"sqlite:///{folder}/kmemlab.db",
            "KMEMLAB_LAB": "true",
            "KMEMLAB_EXERCISES": str(folder / "exercises"),
        }
        with process(["app", "serve", "--port", str(port)], port, **environ) as started:
            command = [sys.executable, "-m", "tests.bench.sheets", "--port", str(port)]
            command += ["--given", json.dumps(given), "--members", str(members), "--seconds", str(seconds)]
            sizes = [rss(started.pid)]
            load = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            while load.poll() is None:
                time.sleep(0.5)
                sizes.append(rss(started.pid))
            output = load.communicate()[0]
    if load.returncode:
        raise SystemExit(output)
    return SheetFigures(**json.loads(output)), [sizes[len(sizes) // 3], sizes[-1]]


async def run(port: int, given: dict[str, Any], members: int, seconds: float) -> SheetFigures:
    load = Sitting(port, given)
    for first in range(0, members, 50):
        await asyncio.gather(*(load.enter(number) for number in range(first, min(members, first + 50))))
    await load.lesson(seconds)
    return load.figures


def compare(members: int = 300, seconds: float = 300) -> Sequence[Figure]:
    """As figures for the table."""
    seen, sizes = measure(members, seconds)
    print(f"{asdict(seen)}\nmemory {sizes} MiB\n")
    ms, s = " ms", " s"
    errors = f"{seen.errors} errors"
    changed = f"{seen.changed} scores changed, then {seen.changed_again}; the second time {seen.again:.1f} s"
    tables = f"long {seen.long:.2f} s, as JSON with statistics {seen.results:.2f} s"
    return [
        Figure("300 open an exercise in 60 s, p99", seen.open_p99, 500, 250, ms, errors, more=False),
        Figure("3,000 submissions in 5 minutes, p99", seen.submit_p99, 250, 100, ms, errors, more=False),
        Figure("results.csv of this sheet", seen.wide, 2, 1, s, tables, more=False),
        Figure("3,000 submissions marked again", seen.regrade, 30, 15, s, changed, more=False),
        *result_tables.compare(members),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.sheets", description=__doc__)
    parser.add_argument("--members", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--port", type=int, help="a server that runs already; only the load, as JSON")
    parser.add_argument("--given", type=json.loads, help="what was prepared there, as JSON")
    chosen = parser.parse_args()
    if chosen.port:
        figures = uvloop.run(run(chosen.port, chosen.given, chosen.members, chosen.seconds))
        print(json.dumps(asdict(figures)))
        return
    for figure in compare(chosen.members, chosen.seconds):
        print(figure.row())


if __name__ == "__main__":
    main()

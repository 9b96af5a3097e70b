"""A class at work for a while: sixty students with phones that lose their connection, and an instructor.

Everybody calls their own copy, meets the others on the locks of a shared machine, drops the stream and takes
it up again, and comes in anew by a personal link. Afterwards nothing may be missing, doubled or left hanging.
"""

import asyncio
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.demo_lab import Http, enter, instructor, lab_server
from tests.support.served_process import kmemlab

LINES = (
    "p = alloc_pages(GFP_KERNEL, 2)",
    "get_page(p)",
    "put_page(p)",
    "__free_pages(p, 2)",
    "k = kmalloc(90, 0xcc0)",
)
PAGES = 3


@dataclass
class Student:
    """A member, and what they have seen of the shared machine."""

    http: Http
    entry: str
    copy: str
    draw: random.Random
    seen: list[int] = field(default_factory=list)
    calls: int = 0
    refused: int = 0


@dataclass
class Hour:
    """Where everybody is. until: when the bell rings."""

    address: str
    boss: Http
    lab: dict[str, Any]
    machine: str
    shared: str
    pfns: list[int]
    until: float
    students: list[Student] = field(default_factory=list)

    def on(self) -> bool:
        return time.monotonic() < self.until

    async def come(self, number: int) -> None:
        """A student joins."""
        http = await enter(self.address, "/join", code=self.lab["code"], nickname=f"student {number}")
        copy = await http("POST", f"/labs/{self.lab['id']}/machines/{self.machine}/copy")
        self.students.append(Student(http, http.entered["entry"], copy["id"], random.Random(number)))

    async def work(self, one: Student) -> None:
        """Until the bell: one thing after the other."""
        while self.on():
            act = one.draw.choice((self.call, self.call, self.call, self.meet, self.look, self.reenter))
            await act(one)
            await asyncio.sleep(one.draw.random())

    async def call(self, one: Student) -> None:
        answer = await one.http.client.post(
            f"/sessions/{one.copy}/calls",
            content=LINES[one.calls % len(LINES)],
            headers={"content-type": "text/plain"},
        )
        assert answer.status_code in (201, 409), answer.text
        one.calls += answer.status_code == 201
        one.refused += answer.status_code == 409

    async def meet(self, one: Student) -> None:
        """Wait for a page of the shared machine, and let it go again."""
        pfn = one.draw.choice(self.pfns)
        path = f"/sessions/{self.shared}"
        locked = await one.http.client.post(f"{path}/lock_page?wait=30", json={"pfn": pfn})
        if locked.status_code == 409:  # frozen
            one.refused += 1
            return
        assert locked.status_code == 201, locked.text
        outcome = locked.json()
        if outcome["verdict"] == "blocked" and outcome["woken_at"] is None:
            await one.http("POST", f"{path}/kill_task")
            return
        for _ in range(100):
            if (await one.http.client.post(f"{path}/unlock_page", json={"pfn": pfn})).status_code != 409:
                return
            await asyncio.sleep(0.2)  # frozen
        raise AssertionError("frozen for twenty seconds")

    async def look(self, one: Student) -> None:
        """A page, as a browser that has come in anew asks for it."""
        page = await one.http.client.get(
            f"{self.address}/sessions/{one.draw.choice((one.copy, self.shared))}"
        )
        assert page.status_code == 200, page.text[:300]

    async def reenter(self, one: Student) -> None:
        """Another device."""
        async with httpx2.AsyncClient() as phone:
            assert (await phone.post(one.entry)).status_code == 303
            lab = await phone.get(f"{self.address}/labs/{self.lab['id']}")
            assert lab.status_code == 200

    async def follow(self, one: Student) -> None:
        """The shared machine's stream, dropped every few seconds and taken up where it was."""
        while self.on():
            headers = {"last-event-id": str(one.seen[-1])} if one.seen else {}
            path = f"/sessions/{self.shared}/events/stream?after=0"
            end = time.monotonic() + 2 + 4 * one.draw.random()
            async with one.http.client.stream("GET", path, headers=headers) as stream:
                assert stream.status_code == 200
                lines = stream.aiter_lines()
                try:
                    while time.monotonic() < end:
                        line = await asyncio.wait_for(anext(lines), max(0.01, end - time.monotonic()))
                        if found := re.fullmatch(r"id: (\d+)", line):
                            one.seen.append(int(found[1]))
                except (TimeoutError, StopAsyncIteration):
                    pass

    async def teach(self) -> None:
        """Freezes, thaws, looks at the wall, locks a copy and lets it go."""
        draw = random.Random(0)
        lab = f"/labs/{self.lab['id']}"
        while self.on():
            await self.boss("PATCH", lab, frozen=True)
            await asyncio.sleep(draw.random())
            await self.boss("PATCH", lab, frozen=False)
            one = draw.choice(self.students)
            await self.boss("POST", f"{lab}/sessions/{one.copy}/lock")
            await self.boss("GET", f"{lab}/wall")
            await self.boss("POST", f"{lab}/sessions/{one.copy}/unlock")
            await asyncio.sleep(3 * draw.random())


async def begin(address: str, link: str, seconds: float) -> Hour:
    boss = await instructor(address, link)
    prepared = await boss("POST", "/sessions", machine={"profile": "tiny-16m"})
    lab = await boss("POST", "/labs", title="An hour")
    machine = await boss("POST", f"/labs/{lab['id']}/machines", session=prepared["id"], kind="prepared")
    shared = await boss("POST", "/sessions", machine={"profile": "x86_64-1g"})
    await boss("POST", f"/labs/{lab['id']}/machines", session=shared["id"], kind="operate")
    pages = [
        await boss("POST", f"/sessions/{shared['id']}/alloc_page", gfp="GFP_KERNEL") for _ in range(PAGES)
    ]
    pfns = [page["page"]["pfn"] for page in pages]
    return Hour(address, boss, lab, machine["id"], shared["id"], pfns, time.monotonic() + seconds)


async def at_work(hour: Hour, students: int) -> None:
    for number in range(students):
        await hour.come(number)
    each: list[Callable[[Student], Any]] = [hour.work, hour.follow]
    await asyncio.gather(hour.teach(), *(do(one) for one in hour.students for do in each))


async def judge(hour: Hour) -> None:
    """Nothing is missing, doubled or left hanging."""
    tasks = (await hour.boss("GET", f"/sessions/{hour.shared}/tasks"))["tasks"]
    assert [task for task in tasks if task["waiting_for"] is not None or task["holds"]] == []
    head = (await hour.boss("GET", f"/sessions/{hour.shared}"))["seq"]
    for one in hour.students:
        assert one.seen == list(range(1, len(one.seen) + 1))
        assert len(one.seen) > head / 2
        copy = await one.http("GET", f"/sessions/{one.copy}")
        assert copy["seq"] == one.calls
        await one.http.client.aclose()
    activity = (await hour.boss("GET", f"/labs/{hour.lab['id']}/activity"))["items"]
    assert len(activity) == len(hour.students)
    assert sum(one.refused for one in hour.students) > 0
    await hour.boss.client.aclose()


async def hour_of(folder: Path, students: int, seconds: float) -> None:
    with lab_server(folder) as (address, link):
        hour = await begin(address, link, seconds)
        await at_work(hour, students)
        await judge(hour)
    said = kmemlab(folder, "verify")
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.slow
async def test_a_class_for_some_seconds(tmp_path: Path) -> None:
    await hour_of(tmp_path, 12, 8)


@pytest.mark.soak
async def test_sixty_students_for_minutes(tmp_path: Path) -> None:
    await hour_of(tmp_path, 60, 240)

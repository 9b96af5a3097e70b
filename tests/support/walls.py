"""A lab with an instructor and so many members, made through the same door as everybody's."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from app.labs import Labs, Person
from app.machine import calltext
from app.sessions import BatchItem, Sessions
from app.settings import Settings
from tests.support.factories import serving, settings_for

PASSWORD = "a long enough password"
NICKNAMES = ("Kim", "Ada", "Noor", "Jürgen", "Priya", "Mateo", "Yuki", "Zoë", "Ali", "Chloé", "Ivan", "李雷")

# What members have done, in turn: nothing yet, little, much, and what goes wrong.
DOINGS = (
    "",
    "p = alloc_pages(GFP_KERNEL, 3)",
    "fill = alloc_page(GFP_KERNEL) * 300\nobjects = kmalloc(100, GFP_KERNEL) * 60",
    "movable = alloc_pages(GFP_HIGHUSER_MOVABLE, 4) * 60\narea = vmalloc(600K)",
    "p = alloc_page(GFP_KERNEL)\nalice: lock_page(p)\nlock_page(p)",
    "p = alloc_page(GFP_KERNEL)\n__free_page(p)\n__free_page(p)",
    "all = alloc_pages(GFP_KERNEL, 5) * 90",
    "cache = alloc_pages(GFP_KERNEL|__GFP_RECLAIMABLE, 4) * 70\n__free_pages(cache[::2], 4)",
)


@dataclass
class Hall:
    """A lab that is full."""

    lab: str
    # The instructor's. members: their tokens, and machines: their copies.
    token: str
    teacher: Person
    shared: str
    prepared: str
    tokens: list[str] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    machines: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[Sessions, Labs]]:
    """What one server process does about labs."""
    async with serving(settings) as sessions:
        labs = Labs(settings, sessions)
        await labs.start()
        try:
            yield sessions, labs
        finally:
            await labs.stop()


async def filled(sessions: Sessions, labs: Labs, members: int, profile: str = "tiny-16m") -> Hall:
    """A lab in which some have got further than others."""
    invitation = await labs.authentication.first_invitation()
    assert invitation is not None
    teacher, token = await labs.authentication.set_up(invitation, "Ms Page", PASSWORD)
    lab = await labs.rooms.create(teacher, "Buddy allocator, group A", expected=members + 20)
    machine = {"profile": profile, "lecture": True}
    prepared = await sessions.create(teacher.principal, "first steps", machine)
    shared = await sessions.create(teacher.principal, "on the projector", machine)
    offered = await labs.sharing.add(teacher, lab.id, prepared.id, "prepared")
    await labs.sharing.add(teacher, lab.id, shared.id, "watch")
    for title in ("a block", "an object", "an area"):
        await sessions.batch(teacher.principal, prepared.id, items("alloc_page(GFP_KERNEL)"))
        at = (await sessions.get(teacher.principal, prepared.id)).seq
        await labs.sharing.mark(teacher, lab.id, offered.id, at, title)
    hall = Hall(lab.id, token, teacher, shared.id, prepared.id)
    hall.marks = [mark.id for m in (await labs.rooms.get(teacher, lab.id)).machines for mark in m.checkpoints]
    code = lab.code
    assert code is not None
    for number in range(members):
        (person, secret), _ = await labs.authentication.join(code, NICKNAMES[number % len(NICKNAMES)])
        hall.people.append(person)
        hall.tokens.append(secret)
    for number, person in enumerate(hall.people):
        if number % 12 == 11:  # who has only come in
            hall.machines.append("")
            continue
        copy = await labs.sharing.copy(person, lab.id, offered.id)
        hall.machines.append(copy.id)
        doing = items(DOINGS[number % len(DOINGS)])
        if doing:
            await sessions.batch(person.principal, copy.id, doing)
        for mark in hall.marks[: number % 4]:
            await labs.sharing.done(person, lab.id, mark)
    return hall


def items(lines: str) -> list[BatchItem]:
    """Lines of text as calls."""
    found = []
    for line in lines.splitlines():
        read = calltext.parse_line(line)
        if read.name is not None:
            found.append(BatchItem(read.name, read.body, read.as_name))
    return found


def hall(folder: Path, members: int, profile: str = "tiny-16m") -> Hall:
    """The same in a folder's database, before a server begins to serve it.

    On a thread of its own: in that of a test a browser's event loop may be marked as running.
    """

    async def made() -> Hall:
        async with opened(settings_for(folder, lab=True)) as (sessions, labs):
            return await filled(sessions, labs, members, profile)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(made())).result()

"""A class with a sheet: exercises of its own, small and quick, and one of each kind."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.clock import now
from app.labs.person import Person
from app.labs.sheets import Sheet
from app.labs.submissions import Submitted
from app.labs.worked import Worked
from tests.support.classroom import Class, a_class

# Its first task is asked behind what the prelude has done, its second where the first has left the machine.
SPLIT = """
title   = "Split"
teaser  = "Which block is split?"
topics  = ["buddy"]
minutes = 3
points  = 4

[machine]
profile = "tiny-16m"
lecture = true

[vary]
first = { between = [0, 3] }
order = { between = [0, 4] }

[prelude]
calls = "a = alloc_pages(GFP_KERNEL, {first})"

[[task]]
kind   = "predict"
ask    = "`p = alloc_pages(GFP_KERNEL, {order})`: which frame?"
calls  = "p = alloc_pages(GFP_KERNEL, {order})"
answer = "1 pfn"
form   = "pfn"
wrong  = [ { is = "right + 1", because = "contiguous", say = "It begins one frame before." } ]
hints  = [ { text = "The lower half is yours.", costs = 20 }, { text = "Look at the lists.", costs = 30 } ]
after  = "The rest went onto the lists."
weight = 3

[[task]]
kind   = "ask"
ask    = "How many frames does a block of order {order} have?"
answer = "1 << order"
form   = "number"
"""

GOAL = """
title   = "Hold"
teaser  = "Hold some frames."
topics  = ["buddy"]
minutes = 3
points  = 5

[machine]
profile = "tiny-16m"
lecture = true

[vary]
n = { between = [4, 40] }

[[task]]
kind  = "goal"
ask   = "Hold {n} frames."
allow = ["alloc_page", "alloc_pages", "__free_page", "__free_pages"]
check = [
  { points = 3, is = "live frames >= {n}", else = "You hold too few." },
  { points = 1, is = "no verdict bug", else = "The kernel has complained." },
]
hints = [ { text = "A call can be repeated.", costs = 10 } ]
solution = "f = alloc_page(GFP_KERNEL) * {n}"

[[task]]
kind   = "predict"
ask    = "And now `q = alloc_page(GFP_KERNEL)`. What does it come to?"
calls  = "q = alloc_page(GFP_KERNEL)"
answer = "1 verdict"
form   = "verdict"
fixed  = "there is memory enough"
"""

FILES = {"split": SPLIT, "hold": GOAL}


@dataclass
class Sitting:
    """A class with a sheet, and a member."""

    room: Class
    kim: Person
    sheet: Sheet

    def item(self, place: int) -> str:
        """The id of an exercise of the sheet."""
        return self.sheet.items[place].id

    async def open(self, place: int = 0, person: Person | None = None, time: str | None = None) -> Worked:
        """A member's variant."""
        return await self.room.labs.variants.open(
            person or self.kim, self.room.lab.id, self.sheet.row.id, self.item(place), time or now()
        )

    async def answer(
        self,
        found: Worked,
        task: int,
        *given: str,
        person: Person | None = None,
        time: str | None = None,
        **more: Any,
    ) -> Submitted:
        """Submit an answer."""
        return await self.room.labs.submissions.answer(
            person or self.kim, found.row.id, task, given, time or now(), **more
        )

    async def reveal(self, found: Worked, task: int, **more: Any) -> Worked:
        """Have the calls of a task made."""
        return await self.room.labs.revealing.reveal(self.kim, found.row.id, task, now(), **more)

    async def call(self, found: Worked, call: str, **body: Any) -> dict[str, Any]:
        """A call of the member's on the variant's machine."""
        assert found.row.session_id is not None
        return await self.room.call(self.kim, found.row.session_id, call, **body)


def right_of(found: Worked, task: int) -> list[str]:
    """The right answers, as people write them."""
    fields = found.variant.task(task).fields
    return [field.form.text(field.right, field.shape) for field in fields if field.right is not None]


def wrong_of(found: Worked, task: int) -> list[str]:
    """Answers that are listed as wrong, or another number."""
    fields = found.variant.task(task).fields
    return [field.form.text(field.wrong[0].answer, field.shape) if field.wrong else "3" for field in fields]


def write_files(folder: Path, files: dict[str, str] = FILES) -> Path:
    """A teacher's folder."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text, "utf-8")
    return folder


@asynccontextmanager
async def a_sitting(
    path: Path,
    mode: str = "graded",
    files: dict[str, str] = FILES,
    settings: dict[str, Any] | None = None,
    **given: Any,
) -> AsyncIterator[Sitting]:
    """A class with both exercises, or others, on a sheet that is open. given: fields of the sheet."""
    own = write_files(path / "exercises", files)
    async with a_class(path, exercises=own, **(settings or {})) as room:
        kim = await room.join("Kim")
        items = [{"exercise": name} for name in files]
        made = {"title": "Sheet 1", "items": items, "mode": mode, **given}
        sheet = await room.labs.sheets.create(room.instructor, room.lab.id, made)
        yield Sitting(room, kim, sheet)

"""What the scripted class does with a sheet and with questions: answers right, known wrong and other ones.

What is right is read from the server's database, as no student could.
"""

import asyncio
import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from app.exercises import variant
from app.exercises.library import Library
from app.exercises.sealing import TaskVariant

# One of each kind: ask, predict, explain, debug, goal.
EXERCISES = (
    "what-struct-page-costs",
    "what-a-split-leaves",
    "what-decided",
    "find-who-leaks",
    "half-free-and-still-null",
)
EACH = 2  # exercises that a student does
TRIES = 3
SURE = ("guess", "rather", "sure")


async def set_sheet(boss: Any, lab: str) -> dict[str, Any]:
    """The instructor's sheet."""
    given = {
        "title": "Sheet 1",
        "text": "One exercise of each kind.",
        "mode": "graded",
        "due": "2099-01-01T00:00:00Z",
        "items": [{"exercise": name} for name in EXERCISES],
    }
    made: dict[str, Any] = await boss("POST", f"/labs/{lab}/sheets", **given)
    return made


async def work(me: Any, lab: str, sheet: dict[str, Any], number: int, database: Path) -> int:
    """A student does some exercises of the sheet; how many answers were taken."""
    draw, taken = random.Random(number), 0
    for place in range(number, number + EACH):
        item = sheet["items"][place % len(EXERCISES)]
        opened = await me("POST", f"/labs/{lab}/sheets/{sheet['id']}/items/{item['id']}/variants")
        for task in range(1, len(opened["tasks"]) + 1):
            taken += await answer(me, opened, item["exercise"], task, draw, database)
    return taken


async def answer(
    me: Any, opened: dict[str, Any], name: str, task: int, draw: random.Random, database: Path
) -> int:
    """Try a task until it is solved or given up, and let it be shown; how many answers were taken."""
    path, taken = f"/variants/{opened['id']}", 0
    asked = await asyncio.to_thread(known, database, opened["id"], name, task)
    for attempt in range(draw.randint(1, TRIES)):
        if asked.task.kind == "goal":
            for line in asked.task.solution if attempt or draw.random() < 0.7 else ():
                await me("POST", f"/sessions/{opened['session']}/calls", line)
            given: list[str] = []
        else:
            given = text_of(asked, draw, attempt)
        sent = await me.client.post(f"{path}/answers", json={"task": task, "given": given})
        if sent.status_code == 409:
            return taken
        assert sent.status_code in (201, 422), sent.text
        if sent.status_code == 201:
            taken += 1
            if sent.json()["submission"]["share"] == 1000:
                break
    if asked.task.kind in ("predict", "explain", "debug", "goal"):
        shown = await me.client.post(f"{path}/reveal", json={"task": task, "give_up": True})
        assert shown.status_code in (200, 409), shown.text
    return taken


def known(database: Path, variant_id: str, name: str, task: int) -> TaskVariant:
    """A task with its answers."""
    query = 'select "values", sealed from variants where id = ?'
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        values, sealed = db.execute(query, (variant_id,)).fetchone()
    return variant.load(Library().exercises()[name], json.loads(values), json.loads(sealed)).task(task)


def text_of(asked: TaskVariant, draw: random.Random, attempt: int) -> list[str]:
    """What a student writes: more of them are right with each attempt."""
    kind = draw.random() + 0.2 * attempt
    found = []
    for field in asked.fields:
        if kind >= 0.45 and field.right is not None:
            found.append(field.form.text(field.right, field.shape))
        elif kind >= 0.15 and field.wrong:
            found.append(field.form.text(draw.choice(field.wrong).answer, field.shape))
        else:
            found.append(str(draw.randint(0, 9)))
    return found


async def ask_class(boss: Any, lab: str, people: list[Any], **about: Any) -> dict[str, Any]:
    """A question with both rounds, where four and then eight of ten are right; what came of it."""
    poll = await boss("POST", f"/labs/{lab}/polls", **about)
    path = f"/labs/{lab}/polls/{poll['id']}"
    answers = [poll["right"], *poll["wrong"]]
    for number, right in ((1, 4), (2, 8)):
        draw = random.Random(number)
        await boss("PUT", f"{path}/state", state=f"vote{number}")
        votes = [
            me(
                "PUT",
                f"{path}/vote",
                choice=answers[0] if place % 10 < right else draw.choice(answers[1:]),
                confidence=draw.choice(SURE),
                round=number,
            )
            for place, me in enumerate(people)
        ]
        await asyncio.gather(*votes)
        await boss("PUT", f"{path}/state", state=f"closed{number}")
    told: dict[str, Any] = await boss("PUT", f"{path}/state", state="reveal")
    await boss("PUT", f"{path}/state", state="done")
    return told


async def keep_results(boss: Any, lab: str, sheet: str, folder: Path) -> int:
    """The tables of the sheet, as files; how many students are in them."""
    where = f"/labs/{lab}/sheets/{sheet}"
    for file in ("results.csv", "results.zip", "members/1/results.json"):
        got = await boss.client.get(f"{where}/{file}")
        assert got.status_code == 200, got.text
        (folder / file.rpartition("/")[2]).write_bytes(got.content)
    lines = (folder / "results.csv").read_text("utf-8-sig").splitlines()
    return len(lines) - 1

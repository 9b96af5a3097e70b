"""Tables of a large sheet: `python -m tests.bench.result_tables [--members 300] [--exercises 30]`.

Members and their work are one member's, copied in the database: what is measured is how long the tables take.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, text

from app.labs import Person
from app.labs.result_files import long, wide
from app.sessions import Sessions
from tests.bench.figures import Figure
from tests.support.sheets import SPLIT, Sitting, a_sitting, right_of, wrong_of

MEMBERS = """
WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < :members)
INSERT INTO members (id, lab_id, number, nickname, key, joined)
SELECT 'copy' || i, lab_id, 1000 + i, 'student ' || i, 'student ' || i, joined
FROM members, n WHERE members.id = :of
"""
VARIANTS = """
INSERT INTO variants (id, item_id, member_id, number, "values", sealed, engine, progress, created)
SELECT variants.id || m.id, item_id, m.id, variants.number, "values", sealed, engine, progress, created
FROM variants, members AS m WHERE variants.member_id = :of AND m.id LIKE 'copy%'
"""
SUBMISSIONS = """
INSERT INTO submissions (variant_id, task, number, given, share, score, max, parts, misconception, hints, seq,
                         time, late, seconds, drift)
SELECT s.variant_id || m.id, task, s.number, given, share, score, max, parts, misconception, hints, seq,
       time, late, seconds, drift
FROM submissions AS s JOIN variants AS v ON v.id = s.variant_id, members AS m
WHERE v.member_id = :of AND m.id LIKE 'copy%'
"""


def copied(db: Connection, of: str, members: int) -> None:
    """Give everybody what one member has."""
    for statement in (MEMBERS, VARIANTS, SUBMISSIONS):
        given = {"of": of, "members": members} if ":members" in statement else {"of": of}
        db.execute(text(statement), given)


async def work(sitting: Sitting, places: int) -> None:
    """One member opens every exercise, answers wrong, and then right."""
    for place in range(places):
        found = await sitting.open(place)
        await sitting.answer(found, 1, *wrong_of(found, 1))
        await sitting.answer(found, 1, *right_of(found, 1))


async def measure(folder: Path, members: int, exercises: int) -> tuple[float, float, int]:
    """Seconds for the wide table and for the long one, and lines of the long one."""
    files = {f"split-{number}": SPLIT for number in range(exercises)}
    async with a_sitting(folder, files=files) as sitting:
        await work(sitting, exercises)
        sessions: Sessions = sitting.room.sessions
        await sessions.execute(lambda db: copied(db, sitting.kim.id, members))
        return await times(sitting, sitting.room.instructor)


async def times(sitting: Sitting, who: Person) -> tuple[float, float, int]:
    """Both tables, as the instructor takes them."""
    lab, sheet = sitting.room.lab.id, sitting.sheet.row.id
    took = []
    lines = 0
    for made in (wide, long):
        begun = time.perf_counter()
        results = await sitting.room.labs.grades.of_all(who, lab, sheet)
        lines = len(made(results).splitlines())
        took.append(time.perf_counter() - begun)
    return took[0], took[1], lines


def compare(members: int = 300, exercises: int = 30) -> Sequence[Figure]:
    """As figures for the table."""
    with tempfile.TemporaryDirectory(dir=".") as place:
        wide_took, long_took, lines = asyncio.run(measure(Path(place).resolve(), members, exercises))
    words = f"results.csv of {members} members and {exercises} exercises"
    return [Figure(words, wide_took, 2, 1, " s", f"long, {lines:,} lines: {long_took:.2f} s", more=False)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.result_tables", description=__doc__)
    parser.add_argument("--members", type=int, default=300)
    parser.add_argument("--exercises", type=int, default=30)
    chosen = parser.parse_args()
    for figure in compare(chosen.members, chosen.exercises):
        print(figure.row())


if __name__ == "__main__":
    main()

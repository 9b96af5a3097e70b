"""What an instructor reads of a sheet: the matrix, statistics, tables; and marking it again."""

import csv
import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.clock import after_now
from app.labs.result_files import LONG, WIDE, archive, document, points, table
from app.labs.results import Results
from app.labs.statistics import discrimination, of_task
from app.sessions import Forbidden, NotFound
from app.store import journal, submissions
from tests.support.sheets import GOAL, SPLIT, Sitting, a_sitting, right_of, write_files, wrong_of


async def results(here: Sitting) -> Results:
    return await here.room.labs.grades.of_all(here.room.instructor, here.room.lab.id, here.sheet.row.id)


async def a_class_at_work(here: Sitting) -> None:
    """Kim is right at once, Lee in the end, Max gives up."""
    for nickname, wrong in (("Lee", 1), ("=Max", 3)):
        person = await here.room.join(nickname)
        found = await here.open(person=person)
        for _ in range(wrong):
            await here.answer(found, 1, *wrong_of(found, 1), person=person)
        if wrong < 3:
            await here.answer(found, 1, *right_of(found, 1), person=person)
    found = await here.open()
    await here.answer(found, 1, *right_of(found, 1))
    await here.answer(found, 2, *right_of(found, 2))


async def test_the_matrix_has_everybody_and_every_task(tmp_path: Path) -> None:
    async with a_sitting(tmp_path) as here:
        await a_class_at_work(here)
        found = await results(here)
        assert [column.label for column in found.columns] == ["1.1", "1.2", "2.1", "2.2"]
        assert found.max == 9_000
        assert [(line.member.nickname, line.total) for line in found.lines] == [
            ("Kim", 4_000),
            ("Lee", 1_800),
            ("=Max", 0),
        ]
        kim, lee, gone = (line.cells[0] for line in found.lines)
        assert (kim.first_right, lee.first_right, lee.solved, gone.over, gone.solved) == (
            True,
            False,
            True,
            True,
            False,
        )
        assert found.lines[0].cells[2].variant is None
        told = of_task(found, 0)
        assert (told.opened, told.tried, told.first_right, told.right) == (3, 3, 1, 2)
        assert told.median_attempts == 2.0
        assert sum(one.count for one in told.answers) == 6
        assert {one.misconception for one in told.answers if one.misconception} == {"contiguous"}
        assert {one.name for one in told.values} == {"first", "order"}
        assert told.discrimination is None
        (key,) = await here.room.labs.grades.misconceptions(here.room.instructor, here.room.lab.id)
        assert (key.key, key.members, key.times, key.gone) == ("contiguous", 2, 4, 1)
        (stuck,) = await here.room.labs.grades.stuck(here.room.instructor, found)
        assert (stuck.nickname, stuck.why, stuck.place) == ("=Max", "used up", 0)


async def test_a_member_sees_their_own_alone(tmp_path: Path) -> None:
    async with a_sitting(tmp_path) as here:
        await a_class_at_work(here)
        grades, of = here.room.labs.grades, (here.room.lab.id, here.sheet.row.id)
        assert [line.member.number for line in (await grades.of(here.kim, *of)).lines] == [1]
        assert (await grades.of_member(here.kim, *of, 1)).lines
        with pytest.raises(NotFound):
            await grades.of_member(here.kim, *of, 2)
        with pytest.raises(Forbidden):
            await grades.of_all(here.kim, *of)


async def test_tables_have_a_mark_and_no_formulas(tmp_path: Path) -> None:
    async with a_sitting(tmp_path) as here:
        await a_class_at_work(here)
        found = await results(here)
        wide = table(found, WIDE)
        assert wide.startswith(b"\xef\xbb\xbf")
        assert table(found, WIDE, bom=False) == wide[3:]
        rows = list(csv.DictReader(io.StringIO(wide.decode("utf-8-sig"))))
        assert [row["total"] for row in rows] == ["4", "1.8", "0"]
        assert rows[2]["nickname"] == "'=Max"
        assert (rows[0]["1.1 Split"], rows[0]["2.1 Hold"]) == ("3", "")
        long = list(csv.DictReader(io.StringIO(table(found, LONG).decode("utf-8-sig"))))
        assert len(long) == 7
        assert {row["right"] for row in long} == {"0", "1"}
        assert json.loads(long[0]["values"]).keys() == {"first", "order"}


async def test_results_json_has_the_shape_of_gradescopes(tmp_path: Path) -> None:
    async with a_sitting(tmp_path) as here:
        await a_class_at_work(here)
        found = await results(here)
        made: dict[str, Any] = document(found, found.lines[1])
        assert made.keys() == {
            "score", "execution_time", "output", "output_format", "visibility", "stdout_visibility",
            "extra_data", "tests", "leaderboard",
        }  # fmt: skip
        assert made["score"] == sum(test["score"] for test in made["tests"]) == 1.8
        assert {test["status"] for test in made["tests"]} == {"passed", "failed"}
        assert made["tests"][0]["tags"] == ["buddy"]
        assert "It begins one frame before." in made["tests"][0]["output"]
        with zipfile.ZipFile(io.BytesIO(archive(found))) as packed:
            assert packed.namelist() == ["m1/results.json", "m2/results.json", "m3/results.json"]
            assert json.loads(packed.read("m2/results.json")) == made


def test_points_are_written_exactly() -> None:
    assert [points(n) for n in (0, 1_000, 1_800, 333, 12_050)] == ["0", "1", "1.8", "0.333", "12.05"]


async def test_discrimination_is_said_from_twenty_on(tmp_path: Path) -> None:
    async with a_sitting(tmp_path) as here:
        await a_class_at_work(here)
        found = await results(here)
        few, many = list(found.lines) * 6, list(found.lines) * 7
        assert discrimination(few, 0) is None
        assert discrimination(many, 0) == pytest.approx(0.79, abs=0.1)


# -- again -----------------------------------------------------------------------------------------------

# Another answer is right now: the frame behind it.
MENDED = SPLIT.replace('answer = "1 pfn"', 'answer = "1 pfn"\nwithin = "1"').replace(
    'wrong  = [ { is = "right + 1"', 'wrong  = [ { is = "right + 7"'
)


async def test_a_mended_file_marks_everybody_again_once(tmp_path: Path) -> None:
    async with a_sitting(tmp_path) as here:
        await a_class_at_work(here)
        regrade, of = here.room.labs.regrading.regrade, (here.room.lab.id, here.sheet.row.id)
        same = await regrade(here.room.instructor, *of)
        assert (same.changes, same.edited, same.submissions) == ([], [], 7)
        write_files(tmp_path / "exercises", {"split": MENDED})
        compared = await regrade(here.room.instructor, *of)
        assert (len(compared.changes), compared.edited, compared.unmarked) == (4, ["split"], [])
        assert [line.total for line in (await results(here)).lines] == [4_000, 1_800, 0]
        applied = await regrade(here.room.instructor, *of, apply=True)
        assert [(one.before.score, one.after.score) for one in applied.changes if one.attempt == 1] == [
            (0, 3_000),
            (0, 3_000),
        ]
        assert [line.total for line in (await results(here)).lines] == [4_000, 3_000, 3_000]
        again = await regrade(here.room.instructor, *of, apply=True)
        assert (again.changes, again.edited) == ([], [])
        kept = await here.room.sessions.query(submissions.gradings_of, range(100))
        assert [grading.score for grading in kept] == [0, 0, 0, 0]
        with pytest.raises(Forbidden):
            await regrade(here.kim, *of)


async def test_goals_are_marked_again_from_the_journal(tmp_path: Path) -> None:
    async with a_sitting(tmp_path) as here:
        found = await here.open(1)
        await here.call(found, "alloc_page", gfp="GFP_KERNEL", repeat=40)
        await here.answer(found, 1)
        await here.answer(found, 2, "ok")
        of = here.room.lab.id, here.sheet.row.id
        same = await here.room.labs.regrading.regrade(here.room.instructor, *of, apply=True)
        assert (same.changes, same.unmarked, same.submissions) == ([], [], 2)
        more = GOAL.replace(">= {n}", ">= 100").replace("* {n}", "* 100")
        write_files(tmp_path / "exercises", {"hold": more})
        changed = await here.room.labs.regrading.regrade(here.room.instructor, *of, apply=True)
        assert [(one.before.score, one.after.score) for one in changed.changes] == [(2_500, 625)]
        assert not (await here.room.labs.regrading.regrade(here.room.instructor, *of)).changes


async def test_what_is_due_later_for_one_is_in_the_table(tmp_path: Path) -> None:
    async with a_sitting(tmp_path, due=after_now(timedelta(hours=1))) as here:
        await here.room.labs.sheets.extend(
            here.room.instructor, here.room.lab.id, here.sheet.row.id, 1, "2099-01-01T00:00:00Z", "ill"
        )
        wide = table(await results(here), WIDE, bom=False).decode()
        assert "2099-01-01T00:00:00.000Z" in wide


async def test_a_file_of_a_member_has_their_answers_and_goes_with_them(tmp_path: Path) -> None:
    async with a_sitting(tmp_path) as here:
        await a_class_at_work(here)
        lines = await here.room.labs.exporting.member(here.kim, here.room.lab.id, 1)
        head = json.loads((b"".join([part async for part in lines])).splitlines()[0])
        (mine,) = head["exercises"]
        assert [one["share"] for one in mine["submissions"]] == [1_000, 1_000]
        assert mine["values"].keys() == {"first", "order"}
        await here.room.labs.rooms.delete_member(here.room.instructor, here.room.lab.id, 1)
        assert len((await results(here)).lines) == 2
        left = await here.room.sessions.query(submissions.of_items, [here.item(0), here.item(1)])
        assert len(left) == 5
        await here.room.labs.rooms.delete(here.room.instructor, here.room.lab.id)
        assert not await here.room.sessions.query(submissions.of_items, [here.item(0)])
        assert not await here.room.sessions.query(journal.last_times, [])

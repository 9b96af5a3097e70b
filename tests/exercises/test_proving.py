"""`kmemlab exercises` finds what would be wrong or unfair, and the exercises here are neither."""

from pathlib import Path

import pytest

from app.exercises import proving
from app.exercises.library import shipped
from tests.exercises.test_variant import GOAL, SPLIT, VARY
from tests.support.exercise_files import exercise_of, file_of
from tests.support.served_process import told

VERDICT = """
kind = "predict"
ask = "Now order {order}."
calls = "alloc_pages(GFP_NOWAIT, {order})"
answer = "1 verdict"
form = "verdict"
"""


# So that the split is fair.
MORE = "order = { between = [1, 9] }\nfirst = { between = [0, 6] }"
BEFORE = "a = alloc_pages(GFP_KERNEL, {first})"


def faults(task: str, vary: str, seeds: int = 100, prelude: str = "") -> list[str]:
    return proving.prove(exercise_of(task, vary=vary, prelude=prelude), seeds).faults


# -- those that ship ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped())
def test_an_exercise_is_valid_and_solvable(name: str) -> None:
    report = proving.prove(shipped()[name], 30)
    assert report.faults == []
    assert all(row.answers.total() == 30 for row in report.tasks)


@pytest.mark.slow
def test_no_answer_is_most_peoples() -> None:
    reports = proving.prove_all(list(shipped().values()), 300)
    assert [f"{report.name}: {fault}" for report in reports for fault in report.faults] == []


# -- what is found --------------------------------------------------------------------------------------


def test_an_answer_that_too_many_have_is_a_fault_unless_the_file_says_why() -> None:
    vary = "order = { between = [0, 3] }"
    (fault,) = faults(VERDICT, vary)
    assert fault.startswith('task 1: 100 % of 100 variants have the same answer, ["ok"]; at most 15 %')
    assert faults(f'{VERDICT}fixed = "a vote"', vary) == []
    assert faults(VERDICT, vary, seeds=20) == []
    assert faults(SPLIT, MORE, prelude=BEFORE) == []


def test_a_goal_may_be_reached_by_everybody_alike() -> None:
    report = proving.prove(exercise_of(GOAL, vary="n = { from = [3, 5] }"), 100)
    assert report.faults == []
    (note,) = report.notes
    assert note.endswith(" % have the same answer: a goal's calls are in its journal")


def test_what_a_goal_leaves_open_is_noted() -> None:
    open_goal = GOAL.replace('allow = ["alloc_page", "alloc_pages"]', "")
    report = proving.prove(exercise_of(open_goal, vary="n = { from = [3, 5] }"), 5)
    assert report.notes[0].startswith("task 1: allow is not given")


def test_an_exercise_without_a_variant_is_a_fault() -> None:
    (fault,) = faults(GOAL.replace("* {n}", "* 2"), "n = { from = [3, 4] }")
    assert fault.startswith("seed 0: no variant in 50 draws: a-test: task 1: the solution does not reach")


def test_each_way_of_failing_is_counted() -> None:
    report = proving.prove(exercise_of(SPLIT, vary=VARY), 60)
    assert report.rejected["task 1: a wrong answer is right (one by one)"] > 0


def test_a_report_has_the_variants_and_their_answers_where_that_is_asked_for() -> None:
    report = proving.prove(exercise_of(SPLIT, vary=VARY), 3, keep=True).as_json()
    assert len(report["variants"]) == 3
    assert report["variants"][0]["answers"][0][1].startswith("-")
    assert report["tasks"][0]["questions"] <= 3


# -- the command ----------------------------------------------------------------------------------------


def test_the_command_plays_a_folder(tmp_path: Path) -> None:
    (tmp_path / "90-a-test.toml").write_text(file_of(SPLIT, vary=MORE, prelude=BEFORE), "utf-8")
    done = told(tmp_path, "exercises", ".", "--seeds", "50")
    assert (done.returncode, done.stderr) == (0, "")
    assert "a-test    1     predict  50" in done.stdout
    assert "50 variants of 1 exercises in " in done.stdout


def test_the_command_fails_with_the_faults(tmp_path: Path) -> None:
    (tmp_path / "90-a-test.toml").write_text(file_of(VERDICT, vary="order = { from = [1, 2] }"), "utf-8")
    (tmp_path / "91-none.toml").write_text("title = 3", "utf-8")
    done = told(tmp_path, "exercises", ".", "--seeds", "100")
    assert done.returncode == 1
    assert "91-none.toml: title: a text is needed" in done.stderr
    assert "a-test: task 1: 100 % of 100 variants have the same answer" in done.stderr
    assert told(tmp_path, "exercises", "nowhere").stderr.startswith("kmemlab: nowhere: No such file")


def test_the_command_checks_one_file(tmp_path: Path) -> None:
    file = tmp_path / "90-a-test.toml"
    file.write_text(file_of(SPLIT, vary=VARY), "utf-8")
    done = told(tmp_path, "exercises", "check", file.name)
    assert done.returncode == 0
    assert "order = 3" in done.stdout
    assert len(done.stdout.splitlines()) >= 22
    file.write_text("kind = 1", "utf-8")
    done = told(tmp_path, "exercises", "check", file.name)
    assert (done.returncode, done.stderr[:15]) == (1, "90-a-test.toml:")

"""Results of a sheet as pages: members by tasks, a task, an attempt, misconceptions, marking again."""

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from tests.support.browsers import Class, at, class_of
from tests.support.factories import raw, settings_for
from tests.support.served import BASE, protected
from tests.support.sheets import SPLIT, write_files

NAMES = ("Kim", "Lee", "=Max", "Noor")


@dataclass
class Sitting:
    """A class that works on a sheet. Kim is right at once, Lee in the end, Max never; Noor only looks."""

    room: Class
    teacher: TestClient
    lab: str
    sheet: str
    folder: Path
    members: dict[str, TestClient] = field(default_factory=dict)

    @property
    def results(self) -> str:
        return f"{self.lab}/sheets/{self.sheet}/results"

    def page(self, path: str = "", **query: str) -> Response:
        answer = self.teacher.get(self.results + path, params=query)
        assert answer.status_code == 200, answer.text
        protected(answer)
        return answer


def make(room: Class, folder: Path) -> Sitting:
    lab = room.lab("Week <4>")
    items = [{"exercise": "split", "points": 4}, {"exercise": "hold", "points": 5}]
    given = {"title": "Sheet & 1", "mode": "graded", "items": items}
    sheet = room.first.post(f"{BASE}{lab}/sheets", json=given).json()
    found = Sitting(room, room.first, lab, sheet["id"], folder)
    wrong = {"Kim": 0, "Lee": 1, "=Max": 3}
    for name in NAMES:
        browser = found.members[name] = room.student(lab, name)
        path = f"{BASE}{lab}/sheets/{sheet['id']}/items/{sheet['items'][0]['id']}/variants"
        variant = browser.post(path).json()
        if name in wrong:
            work(browser, variant["id"], right_of(folder, variant["id"]), wrong[name])
    return found


def right_of(folder: Path, variant: str) -> int:
    """The frame that is right in the first task."""
    with raw(settings_for(folder)) as db:
        (sealed,) = db.execute("SELECT sealed FROM variants WHERE id = ?", [variant]).fetchone()
    return int(json.loads(sealed)["tasks"][0][0]["right"])


def work(browser: TestClient, variant: str, right: int, wrong: int) -> None:
    """Answer so often as somebody does who takes the next frame, and then, with an attempt left, right."""
    for pfn in [right + 1] * wrong + [right] * (wrong < 3):
        answer = browser.post(f"{BASE}/variants/{variant}/answers", json={"task": 1, "given": [f"{pfn:#x}"]})
        assert answer.status_code in (200, 201), answer.text


@pytest.fixture(scope="module")
def sitting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sitting]:
    folder = tmp_path_factory.mktemp("results")
    own = write_files(folder / "exercises")
    with class_of(folder, rate_per_second=1e6, rate_burst=1_000_000, exercises=own) as room:
        yield make(room, folder)


def text_of(answer: Response) -> str:
    main = answer.text[answer.text.index("<main") : answer.text.index("</main>")]
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main)))


def order_of(answer: Response) -> list[str]:
    table = answer.text[answer.text.index('id="results-matrix"') :]
    return re.findall(r'<td class="num mono">(m\d)</td>', table[: table.index("</table>")])


def test_members_by_tasks(sitting: Sitting) -> None:
    page = sitting.page()
    words = text_of(page)
    assert "Kim, task 1.1: right at the first try, 3 of 3 points, first try 100 %, 1 attempt" in words
    assert "Lee, task 1.1: right in the end, 1.8 of 3 points, first try 0 %, 2 attempts" in words
    assert "=Max, task 1.1: over, and not right, 0 of 3 points, first try 0 %, 3 attempts" in words
    assert "Noor, task 1.1: opened, no answer yet" in words
    assert "Noor, task 2.1: not opened" in words
    assert "4 of 4 have begun" in words
    assert "Who may need help Number Nickname Task Why" in words
    assert "=Max 1.1 Split no attempt is left" in words
    assert "Sheet &amp; 1" in page.text
    assert "js/results" in page.text


def test_it_is_sorted_and_shown_through_links(sitting: Sitting) -> None:
    assert order_of(sitting.page()) == ["m1", "m2", "m3", "m4"]
    assert order_of(sitting.page(sort="-number")) == ["m4", "m3", "m2", "m1"]
    assert order_of(sitting.page(sort="nickname")) == ["m3", "m1", "m2", "m4"]
    assert order_of(sitting.page(sort="total")) == ["m1", "m2", "m3", "m4"]
    assert order_of(sitting.page(sort="-total"))[-2:] == ["m2", "m1"]
    tries = sitting.page(sort="1.1", show="attempts")
    assert order_of(tries) == ["m3", "m2", "m1", "m4"]
    assert 'aria-sort="descending"' in tries.text
    assert "sort=-1.1&amp;show=attempts" in tries.text
    assert "<b>X</b> 3×" in tries.text
    assert "<b>F</b> 100 %" in sitting.page(show="first").text
    assert order_of(sitting.page(sort="nonsense", show="nonsense")) == ["m1", "m2", "m3", "m4"]


def test_a_task_over_all_members(sitting: Sitting) -> None:
    page = sitting.page("/tasks/1.1")
    words = text_of(page)
    assert "Tried 3" in words
    assert "Right at the first try 1 (33 %)" in words
    assert "Right in the end 2 (67 %)" in words
    assert "Attempts (median) 2" in words
    assert "too few" in words
    assert page.text.count('<rect class="bar"') >= 3
    assert "order = " in words
    assert words.count("m3 =Max") == 3
    assert "vmalloc needs neighbouring frames" in words
    assert f'action="{sitting.lab}/polls"' in page.text
    goal = text_of(sitting.page("/tasks/2.1"))
    assert "there are no answers to count" in goal
    assert "Nobody has answered yet." in text_of(sitting.page("/tasks/1.2"))


def test_an_attempt_with_its_evidence(sitting: Sitting) -> None:
    page = sitting.page("/members/2/1.1")
    words = text_of(page)
    assert "m2 Lee" in words
    assert "right in the end" in words
    assert "It begins one frame before." in words
    assert "1.8 of 3 points" in words
    assert "{" not in words
    evidence = re.findall(r'<a href="(/sessions/\w+\?at=\d+#journal)"', page.text)
    assert len(evidence) == 2
    machine = sitting.teacher.get(evidence[0].partition("#")[0])
    assert machine.status_code == 200
    assert 'id="journal"' in machine.text


def test_what_is_not_there(sitting: Sitting) -> None:
    for path in ("/tasks/9.9", "/members/9/1.1", "/members/4/2.1", "/members/1/9.9", "/members/x/1.1"):
        assert sitting.teacher.get(sitting.results + path).status_code == 404, path
    assert sitting.teacher.get(f"{sitting.lab}/sheets/none/results").status_code == 404


def test_a_member_has_their_own_alone(sitting: Sitting) -> None:
    lee = sitting.members["Lee"]
    page = lee.get(sitting.results)
    words = text_of(page)
    assert page.status_code == 200
    assert "1.8 of 9 points" in words
    assert "Kim" not in words
    assert "neighbouring" not in words
    assert "members/2/results.json" in page.text
    for path in ("/tasks/1.1", "/members/2/1.1"):
        assert lee.get(sitting.results + path).status_code == 403
    assert lee.get(f"{sitting.lab}/misconceptions").status_code == 403


def test_misconceptions_become_a_question(sitting: Sitting) -> None:
    page = sitting.teacher.get(f"{sitting.lab}/misconceptions")
    words = text_of(page)
    assert "vmalloc needs neighbouring frames" in words
    assert "Members 2 Answers 4 Gone 1 (50 %)" in words
    asked = re.findall(r'name="task" value="([^"]+)"', page.text)
    assert asked[0] == "split:1"
    desk = at(sitting.teacher.post(f"{sitting.lab}/polls", data={"task": asked[0]}))
    assert desk.endswith("/desk")
    assert sitting.teacher.get(desk).status_code == 200


def test_marking_again(tmp_path: Path) -> None:
    own = write_files(tmp_path / "exercises")
    with class_of(tmp_path, rate_per_second=1e6, rate_burst=1_000_000, exercises=own) as room:
        sitting = make(room, tmp_path)
        regrade = f"{sitting.lab}/sheets/{sitting.sheet}/regrade"
        assert "Compare" in text_of(sitting.teacher.get(regrade))
        same = text_of(sitting.teacher.post(regrade))
        assert "No score changes: 6 answers were marked." in same
        assert "Take the new" not in same
        write_files(own, {"split": SPLIT.replace("weight = 3", "weight = 1")})
        found = text_of(sitting.teacher.post(regrade))
        assert "6 of 6 answers would have another score, of 3 members." in found
        assert "m1 Kim split: task 1 1 3 of 3 points 2 of 2 points" in found
        assert "3 of 3 points" in text_of(sitting.page("/members/1/1.1"))
        taken = text_of(sitting.teacher.post(regrade, data={"apply": "on"}))
        assert "6 of 6 answers have another score now" in taken
        assert "before: 3" in text_of(sitting.page("/members/1/1.1"))
        again = text_of(sitting.teacher.post(regrade, data={"apply": "on"}))
        assert "No score changes" in again


def test_nothing_yet(tmp_path: Path) -> None:
    own = write_files(tmp_path / "exercises")
    with class_of(tmp_path, exercises=own) as room:
        lab = room.lab()
        assert "None yet" in text_of(room.first.get(f"{lab}/misconceptions"))
        given = {"title": "Later", "items": [{"exercise": "split"}], "opens": "2099-01-01T00:00:00Z"}
        later = room.first.post(f"{BASE}{lab}/sheets", json=given).json()["id"]
        page = room.first.get(f"{lab}/sheets/{later}/results")
        assert "has not opened yet" in text_of(page)
        assert room.first.get(f"{lab}/sheets/{later}/results/tasks/1.1").status_code == 404
        del given["opens"]
        now = room.first.post(f"{BASE}{lab}/sheets", json=given).json()["id"]
        assert "Nobody is in this lab yet." in text_of(room.first.get(f"{lab}/sheets/{now}/results"))
        room.student(lab)
        assert "Nobody has begun yet." in text_of(room.first.get(f"{lab}/sheets/{now}/results"))


def test_another_variant_is_given_instead(tmp_path: Path) -> None:
    own = write_files(tmp_path / "exercises")
    with class_of(tmp_path, rate_per_second=1e6, rate_burst=1_000_000, exercises=own) as room:
        sitting = make(room, tmp_path)
        assert ">My results</a>" in sitting.members["Kim"].get(sitting.results.removesuffix("/results")).text
        page = sitting.page("/members/3/1.1")
        (reset,) = re.findall(r'action="(/variants/\w+/reset)"', page.text)
        at(sitting.teacher.post(reset))
        assert "=Max, task 1.1: not opened" in text_of(sitting.page())
        assert sitting.teacher.get(f"{sitting.results}/members/3/1.1").status_code == 404


def test_who_has_taken_part_is_a_table(sitting: Sitting) -> None:
    page = sitting.teacher.get(f"{sitting.lab}/participation")
    assert f'href="{sitting.lab}/participation.csv"' in page.text
    for base in ("", BASE):
        table = sitting.teacher.get(f"{base}{sitting.lab}/participation.csv")
        assert table.content.decode("utf-8-sig").splitlines() == [
            "number,nickname,polls,votes", "1,Kim,0,0", "2,Lee,0,0", "3,'=Max,0,0", "4,Noor,0,0",
        ]  # fmt: skip
        assert table.content.startswith("\ufeff".encode())
        bare = sitting.teacher.get(f"{base}{sitting.lab}/participation.csv", params={"bom": 0})
        assert table.content == "\ufeff".encode() + bare.content
    assert sitting.members["Lee"].get(f"{sitting.lab}/participation.csv").status_code == 403


def test_a_question_without_a_call_is_answered_by_the_exercise(sitting: Sitting) -> None:
    desk = at(sitting.teacher.post(f"{sitting.lab}/polls", data={"task": "split:2"}))
    poll = desk.removesuffix("/desk")
    for state in ("vote1", "reveal"):
        assert sitting.teacher.post(f"{poll}/state", data={"state": state}).status_code == 303
        assert "poll-calls" not in sitting.teacher.get(f"{poll}/projector").text
    words = text_of(sitting.teacher.get(f"{poll}/projector"))
    assert "The machine’s answer" in words
    assert "To the machine" not in words
    assert "The machine’s answer ✓" in text_of(sitting.members["Kim"].get(poll))
    sitting.teacher.post(f"{poll}/state", data={"state": "done"})

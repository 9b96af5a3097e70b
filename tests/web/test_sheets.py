"""Sheets of a lab without script: what members see and do, and what the instructor makes."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from tests.support import two_labs
from tests.support.served import ORIGIN, protected
from tests.support.two_labs import TwoLabs, serving
from tests.web.test_demos import attribute, text_of

OWN = Path(__file__).parent / "exercises"
ANYTHING = {f"f2.{order}": "1" for order in range(11)}


class Browser:
    """Somebody's browser, in Seoul."""

    def __init__(self, client: TestClient, world: TwoLabs, role: str) -> None:
        self.client = client
        self.headers = {
            "cookie": f"kmemlab={world.tokens[role]}; zone=Asia%2FSeoul",
            "sec-fetch-site": "same-origin",
            "origin": ORIGIN,
        }

    def get(self, path: str) -> "Shown":
        answer = self.client.get(path, headers=self.headers)
        self.client.cookies.clear()
        return self.shown(answer)

    def post(self, path: str, status: int = 303, **data: Any) -> "Shown":
        answer = self.client.post(path, data=data, headers=self.headers)
        self.client.cookies.clear()
        assert answer.status_code == status, answer.text
        return self.shown(answer)

    def shown(self, answer: Response) -> "Shown":
        if answer.status_code == 303:
            return self.get(str(answer.headers["location"]))
        protected(answer)
        return Shown(self, answer)


class Shown:
    """A page."""

    def __init__(self, browser: Browser, answer: Response) -> None:
        self.browser, self.status, self.html = browser, answer.status_code, answer.text
        panel = re.search(r'<aside class="demo exercise".*?</aside>', self.html, re.DOTALL)
        main = re.search(r"<main.*?</main>", self.html, re.DOTALL)
        part = panel or main
        self.part = self.html if part is None else part[0]
        self.text = text_of(self.part)

    def press(self, what: str, status: int = 303, **data: Any) -> "Shown":
        """Send a form of the panel."""
        action = attribute(self.part, rf'action="(/variants/[^"]*/{what})"')
        view = unescape(attribute(self.part, r'name="view" value="([^"]*)"'))
        return self.browser.post(action, status, view=view, **data)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> TwoLabs:
    return two_labs.make(tmp_path_factory.mktemp("two_labs"))


@pytest.fixture
def client(world: TwoLabs, tmp_path: Path) -> Iterator[TestClient]:
    with serving(world, tmp_path / "served", exercises=OWN) as client:
        yield client


@pytest.fixture
def teacher(client: TestClient, world: TwoLabs) -> Browser:
    return Browser(client, world, "instructor")


@pytest.fixture
def student(client: TestClient, world: TwoLabs) -> Browser:
    return Browser(client, world, "owner")


@pytest.fixture
def lab(world: TwoLabs) -> str:
    return f"/labs/{world.ids['lab']}"


@pytest.fixture
def sheet(world: TwoLabs, lab: str) -> str:
    return f"{lab}/sheets/{world.ids['sheet']}"


def made(teacher: Browser, lab: str, **more: str) -> str:
    """A sheet with the exercise of every form; its address."""
    data = {"title": "Forms", "items": "on", "item.every-form": "on", "points.every-form": "10", **more}
    page = teacher.post(f"{lab}/sheets", **data)
    return attribute(page.html, rf'action="({lab}/sheets/\w+)/released"')


# -- what there is to do ------------------------------------------------------------------------------------


def test_times_have_the_zone_of_the_reader(student: Browser, lab: str, sheet: str) -> None:
    for page in (student.get(f"{lab}/sheets"), student.get(sheet)):
        assert (
            "Sheet 1 open graded · due 2099-01-01 09:00 Asia/Seoul · 2 exercises · 0 of 9 points" in page.text
        )


def test_a_member_begins_and_goes_on(client: TestClient, world: TwoLabs, sheet: str) -> None:
    member = Browser(client, world, "member")
    page = member.get(sheet)
    assert "Task 1.1, Predict: open, 0 of 4 points, 0 attempts" in page.text
    opened = member.post(attribute(page.html, rf'action="({sheet}/items/\w+)"'))
    assert "0 of 4 points · 3 attempts left · Due 2099-01-01 09:00 Asia/Seoul" in opened.text
    again = member.get(sheet)
    assert "Go on" in again.text
    assert member.get(attribute(again.html, r'href="(/variants/\w+)"')).text == opened.text


def test_attempts_are_counted_and_told(student: Browser, world: TwoLabs) -> None:
    page = student.get(f"/variants/{world.ids['variant']}")
    bad = page.press("answers", 422, f1="0x40-0x41", **ANYTHING)
    assert "3 attempts left" in bad.text
    wrong = page.press("answers", f1="0x1", **ANYTHING)
    assert "2 attempts left, worth 60 %" in wrong.text
    assert "My attempts" in wrong.text
    assert "the machine:" not in wrong.text
    assert "all attempts are used up, or the sheet is released" in wrong.text
    hinted = wrong.press("hints")
    assert "costs 30 % of the points" in hinted.text
    for _ in range(2):
        wrong = wrong.press("answers", f1="0x1", **ANYTHING)
    assert "Shown" not in wrong.text
    assert "the machine:" in wrong.text
    assert "Make the calls" in wrong.text
    shown = wrong.press("reveal", give_up="on")
    assert "What to notice" in shown.text
    assert "Explain #" in shown.text


def test_who_gives_up_is_told_what_it_means(student: Browser, world: TwoLabs) -> None:
    page = student.get(f"/variants/{world.ids['variant']}")
    assert "No answer to this task counts after that" in page.text
    shown = page.press("reveal", give_up="on")
    assert "Shown: no answer to it counts any more." in shown.text
    assert "attempt" not in shown.text


def test_a_goal_is_checked_for_nothing_and_submitted_as_it_is(student: Browser, world: TwoLabs) -> None:
    page = student.get(f"/variants/{world.ids['goal']}")
    checked = page.press("check", 200)
    assert "Condition 2 holds." in checked.text
    assert "3 attempts left" in checked.text
    submitted = page.press("answers")
    assert "2 attempts left" in submitted.text
    assert "Not yet: 25 % right." in submitted.text


def test_others_see_no_variant_and_the_instructor_reads_it(
    client: TestClient, world: TwoLabs, teacher: Browser
) -> None:
    variant = world.ids["variant"]
    other = Browser(client, world, "member")
    assert other.get(f"/variants/{variant}").status == 404
    assert "Only the member whose variant it is works on it." in teacher.get(f"/variants/{variant}").text
    other.post(f"/variants/{variant}/answers", 404)
    teacher.post(f"/variants/{variant}/answers", 409, view="task=1", f1="0x1", **ANYTHING)


def test_a_machine_is_only_that_of_its_own_variant(student: Browser, world: TwoLabs) -> None:
    page = student.get(f"/sessions/{world.sessions['copy']}?graded={world.ids['variant']}")
    assert "This machine is not that of the exercise" in text_of(page.html)


def test_what_is_of_a_sheet_is_not_practised(student: Browser, world: TwoLabs) -> None:
    """Practice would say what is right before it is answered: neither a page nor a form does."""
    page = student.get(f"/variants/{world.ids['goal']}")
    session = attribute(page.html, r'data-session="([^"]*)"')
    practised = "exercise=half-free-and-still-null&variant=1&task=1&given=0"
    looked = student.get(f"/sessions/{session}?{practised}")
    assert "work on it there" in text_of(looked.html)
    assert "Condition" not in looked.text
    for what in ("answers", "check", "hints", "reveal"):
        student.post(f"/sessions/{session}/exercise/{what}", 409, view=practised)


# -- made and changed ---------------------------------------------------------------------------------------


def test_a_sheet_is_made_changed_and_deleted(teacher: Browser, lab: str) -> None:
    at = made(teacher, lab, due="2099-02-01T12:00", late_until="2099-02-02T12:00", late_factor="50")
    page = teacher.get(at)
    assert "due 2099-02-01 12:00 Asia/Seoul · 1 exercise · 10 points" in page.text
    assert 'value="2099-02-01T12:00"' in page.html
    page = teacher.post(at, title="Other", due="", late_until="", late_factor="50", mode="practice")
    assert "Other open practice · 1 exercise" in page.text
    assert "answers shown" in teacher.post(f"{at}/released", released="on").text
    assert "answers shown" not in teacher.post(f"{at}/released", released="off").text
    assert "are gone for good" in teacher.get(f"{at}/delete").text
    assert "Other" not in teacher.post(f"{at}/delete").text


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"title": ""}, "Title:"),
        ({"title": "x", "due": "tomorrow"}, "Due: a date and a time"),
        ({"title": "x", "late_factor": "200"}, "What late answers earn: a whole number up to 100"),
        ({"title": "x"}, "Exercises: 1 to"),
        (
            {"title": "x", "opens": "2099-01-02T00:00", "due": "2099-01-01T00:00", "item.every-form": "on"},
            "Due:",
        ),
    ],
)
def test_what_cannot_be_is_said_at_its_field(
    teacher: Browser, lab: str, form: dict[str, str], said: str
) -> None:
    page = teacher.post(f"{lab}/sheets", 422, items="on", **form)
    assert said in page.text
    assert "No sheet was made" in page.text
    if form["title"]:
        assert 'name="title" type="text" value="x"' in page.html


def test_a_member_has_another_time(teacher: Browser, student: Browser, sheet: str) -> None:
    page = teacher.post(f"{sheet}/extensions", number="1", due="2099-01-05T12:00", reason="ill")
    assert "m1 owner 2099-01-05 12:00 Asia/Seoul ill" in page.text
    mine = student.get(sheet)
    assert "due 2099-01-05 12:00 Asia/Seoul" in mine.text
    assert "You have another time than the others: ill" in mine.text
    teacher.post(f"{sheet}/extensions", 422, number="1", due="", reason="ill")
    assert "2099-01-05" not in teacher.post(f"{sheet}/extensions/1/remove").text


def test_before_it_opens_members_know_nothing_of_it(teacher: Browser, student: Browser, lab: str) -> None:
    at = made(teacher, lab, opens="2099-01-01T00:00")
    assert "not open yet" in teacher.get(at).text
    assert student.get(at).status == 404
    assert "Forms" not in student.get(f"{lab}/sheets").text


def test_after_its_time_nothing_is_taken(
    teacher: Browser, student: Browser, world: TwoLabs, sheet: str
) -> None:
    teacher.post(sheet, title="Sheet 1", due="2020-01-01T12:00", mode="graded")
    page = student.get(f"/variants/{world.ids['variant']}")
    assert "It takes no answers since 2020-01-01 12:00 Asia/Seoul." in page.text
    assert ">Predict</button>" not in page.part
    assert "over graded · was due 2020-01-01 12:00 Asia/Seoul" in student.get(sheet).text


def test_nothing_of_what_is_right_is_on_a_page_before_it_may_be(
    teacher: Browser, student: Browser, lab: str
) -> None:
    """The file's sentinels are in what is right, in hints, and in what is said afterwards."""
    at = made(teacher, lab, mode="graded")
    page = student.get(at)
    opened = student.post(attribute(page.html, rf'action="({at}/items/\w+)"'))
    seen = [page.html, opened.html, student.get(at).html, student.get(f"{lab}/sheets").html]
    session = attribute(opened.html, r'data-session="([^"]*)"')
    variant = attribute(opened.part, r'action="/variants/(\w+)/answers"')
    seen += [
        student.get(f"/sessions/{session}?graded={variant}&task={number}").html for number in range(1, 11)
    ]
    assert [html for html in seen if "SENTINEL" in html] == []
    # Wrong in a way that is none that the file knows: nothing more is said.
    assert "SENTINEL" not in opened.press("answers", f1="0x1").html

"""A lab's pages, as its instructor and as its members have them, through forms that need no script."""

import csv
import html
import io
import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from app.labs.wording import TEXT_LENGTH
from app.web import markdown, wording
from tests.support.browsers import Class, at, class_of, run
from tests.support.exported import changed, exported, imported, lines_of
from tests.support.pseudo import bracketed, known
from tests.support.served import protected

# What would act where it is not shown as it is: in HTML, in an attribute, in a formula, in Markdown.
HOSTILE = '"><script>alert(1)</script>{{7*7}}'
FORMULA = '=HYPERLINK("x")'


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Class]:
    with class_of(tmp_path_factory.mktemp("labs"), rate_per_second=1e6, rate_burst=1_000_000) as room:
        yield room


class Shared:
    """A lab with a machine to copy, one to operate, one to watch; and two members."""

    def __init__(self, room: Class) -> None:
        self.room = room
        self.teacher = room.first
        self.lab = room.lab("Week 4", "Look at the **buddies**.")
        self.prepared = room.session("\n".join(["alloc_page(GFP_KERNEL)"] * 5), "buddies")
        self.operated, self.watched = room.session(name="lock"), room.session(name="show")
        self.machine = room.machine(self.lab, self.prepared, seq="1")
        room.machine(self.lab, self.operated, "operate")
        room.machine(self.lab, self.watched, "watch")
        for seq, title in ((2, "one page"), (4, "three pages")):
            form = {"seq": str(seq), "title": title}
            at(self.teacher.post(f"{self.lab}/machines/{self.machine}/checkpoints", data=form))
        self.kim, self.bo = room.student(self.lab, "Kim"), room.student(self.lab, "Bo")

    def copy(self, browser: TestClient) -> str:
        return at(browser.post(f"{self.lab}/machines/{self.machine}/copy"))


@pytest.fixture
def shared(room: Class) -> Shared:
    return Shared(room)


def text_of(answer: Response) -> str:
    main = answer.text[answer.text.index("<main") : answer.text.index("</main>")]
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", main)))


def seq_of(browser: TestClient, path: str) -> int:
    return int(browser.get(f"/api/v1{path}").json()["seq"])


# -- members -----------------------------------------------------------------------------------------------


def test_a_lab_as_a_member_has_it(shared: Shared) -> None:
    page = shared.kim.get(shared.lab)
    assert page.status_code == 200
    protected(page)
    words = text_of(page)
    assert "<strong>buddies</strong>" in page.text
    assert "Everybody calls this one machine. You are the task m1." in words
    assert "The instructor calls it; you can look." in words
    assert "only you and the instructor can call it" in words
    for hidden in ("Code", "Freeze", "Delete", shared.prepared, shared.room.code(shared.lab)):
        assert hidden not in words + page.text


def test_copy_call_and_catch_up(shared: Shared) -> None:
    first, second = shared.copy(shared.kim), shared.copy(shared.kim)
    assert first != second
    assert at(shared.kim.post(f"{first}/line", data={"line": "alloc_pages(GFP_KERNEL, 4)"}))
    page = shared.kim.get(first)
    assert "Your machine: only you and the instructor can call it" in text_of(page)
    assert "Catch up to “one page”" in text_of(page)
    assert at(shared.kim.post(f"{shared.lab}{first}/catch-up")).startswith(f"{first}?outcome=")
    assert "Catch up to “three pages”" in text_of(shared.kim.get(first))
    assert "one page · caught up" in text_of(shared.kim.get(shared.lab))
    assert at(shared.kim.post(f"{shared.lab}{first}/catch-up")).startswith(f"{first}?outcome=")
    assert seq_of(shared.kim, first) == 8  # own call; back and one call; back and three calls
    assert "Catch up" not in text_of(shared.kim.get(first))
    answer = shared.kim.post(f"{shared.lab}{first}/catch-up")
    assert answer.status_code == 409
    assert "no further checkpoint" in text_of(answer)
    # The instructor's calls stand under their name.
    assert 'title="i1">Ada</span>' in shared.kim.get(first).text


def test_who_presses_catch_up_twice_comes_to_one_checkpoint(shared: Shared) -> None:
    copy = shared.copy(shared.kim)
    for page in (shared.lab, copy):
        form = re.search(rf'action="{shared.lab}{copy}/catch-up">.*?</form>', shared.kim.get(page).text)
        assert form is not None
        assert "Catch up to “one page”" in form[0]
    body = {"checkpoint": re.findall(r'name="checkpoint" value="(\w+)"', form[0])[0]}
    for _ in range(2):
        assert at(shared.kim.post(f"{shared.lab}{copy}/catch-up", data=body)).startswith(f"{copy}?outcome=")
    assert "Catch up to “three pages”" in text_of(shared.kim.get(copy))
    answer = shared.kim.post(f"{shared.lab}{copy}/catch-up", data={"checkpoint": "none"})
    assert answer.status_code == 404


def test_a_member_ticks_a_checkpoint_off(shared: Shared) -> None:
    done = re.findall(r'action="([^"]+/done)"', shared.bo.get(shared.lab).text)
    assert len(done) == 2
    assert at(shared.bo.post(done[0])).startswith(f"{shared.lab}#checkpoint-")
    assert "one page · you say so" in text_of(shared.bo.get(shared.lab))
    assert "1 of 2" in text_of(shared.teacher.get(shared.lab))
    assert "(1 said)" in text_of(shared.teacher.get(shared.lab))
    # Who has made the calls has done it, whatever they said before.
    copy = shared.copy(shared.bo)
    run(shared.bo, copy.removeprefix("/sessions/"), "page_count(0x400)\nalloc_page(GFP_KERNEL)")
    assert "Check again: one page" in text_of(shared.bo.get(shared.lab))
    assert at(shared.bo.post(done[0])).startswith(f"{shared.lab}#checkpoint-")
    assert "one page ✓ done" in text_of(shared.bo.get(shared.lab))
    assert at(shared.bo.post(done[1]))  # of which the rest of the calls is missing
    wall = shared.teacher.get(f"{shared.lab}/wall").text
    assert 'title="1 done · 1 said">✓1 ·1/2<' in wall
    assert "1 done" in text_of(shared.teacher.get(f"{shared.lab}/wall"))
    assert "three pages" in text_of(shared.teacher.get(f"{shared.lab}/activity"))


def test_two_meet_on_a_lock_under_their_names(shared: Shared) -> None:
    at_machine = f"/sessions/{shared.operated}"
    assert "you are the task m1" in text_of(shared.kim.get(at_machine))
    form = shared.kim.get(f"{at_machine}?call=lock_page").text
    assert 'name="task"' not in form
    assert "the server sets it" in form
    for browser in (shared.kim, shared.bo):
        assert at(browser.post(f"{at_machine}/call/lock_page", data={"page": "0x400"}))
    page = shared.bo.get(f"{at_machine}?panel=tasks")
    assert "You sleep there: your task waits for 0x00400 since #3" in text_of(page)
    assert "Kim (m1) holds the lock of 0x00400. Bo (m2) waits" in text_of(page)
    assert "kill_task(m2)" in text_of(page)
    assert 'title="m2">Bo</span>' in page.text
    assert "Release" not in text_of(shared.kim.get(f"{at_machine}?panel=tasks"))
    assert "Bo (m2) waits for 0x00400" in text_of(shared.teacher.get(shared.lab))
    assert "You sleep" in text_of(shared.bo.get(shared.lab))
    # While the lab is frozen they can only wait: what would be refused is not offered.
    assert at(shared.teacher.post(f"{shared.lab}/freeze", data={"frozen": "on"})) == shared.lab
    assert "Release" not in text_of(shared.bo.get(shared.lab))
    assert "Release" in text_of(shared.teacher.get(shared.lab))
    assert at(shared.teacher.post(f"{shared.lab}/freeze", data={"frozen": "off"})) == shared.lab
    # A task that sleeps makes no other call, and is told so where it tried.
    asleep = shared.bo.post(f"{at_machine}/call/alloc_page", data={"gfp": "GFP_ATOMIC"})
    assert asleep.status_code == 409
    assert 'value="GFP_ATOMIC"' in asleep.text
    # Nobody ends another's waiting, but oneself, or the instructor.
    assert shared.kim.post(f"{at_machine}/call/kill_task", data={"task": "m2"}).status_code == 422
    assert at(shared.bo.post(f"{at_machine}/call/kill_task", data={"task": "m2", "view": "panel=tasks"}))
    assert "You sleep" not in text_of(shared.bo.get(shared.lab))
    assert at(shared.bo.post(f"{at_machine}/call/lock_page", data={"page": "0x400"}))
    assert at(shared.teacher.post(f"{at_machine}/call/kill_task", data={"task": "m2"}))
    assert "waits for" not in text_of(shared.teacher.get(shared.lab))


def test_what_everybody_made_is_taken_back_by_the_instructor_alone(shared: Shared) -> None:
    at_machine = f"/sessions/{shared.operated}"
    for view in ("", "?at=0"):
        page = shared.kim.get(at_machine + view).text
        assert f"{at_machine}/undo" not in page
        assert f"{at_machine}/rewind" not in page
        assert f"{at_machine}/fork" in page
    assert f"{at_machine}/undo" in shared.teacher.get(at_machine).text
    assert shared.kim.post(f"{at_machine}/undo").status_code == 403


def test_a_watcher_has_no_forms_of_calls_and_is_told_why(shared: Shared) -> None:
    at_machine = f"/sessions/{shared.watched}"
    for view in ("", "?pfn=0x400", "?obj=0xffff888000400000"):
        page = shared.kim.get(at_machine + view)
        assert f"{at_machine}/call/" not in page.text
        assert "Only the instructor calls this machine" in text_of(page)
        assert re.search(r'<input id="line"[^>]* disabled>', page.text)
    assert shared.kim.post(f"{at_machine}/line", data={"line": "alloc_page(GFP_KERNEL)"}).status_code == 403
    assert f"{at_machine}/call/" in shared.teacher.get(at_machine).text


# -- held --------------------------------------------------------------------------------------------------


def test_frozen_is_a_state_of_every_page(shared: Shared) -> None:
    copy = shared.copy(shared.kim)
    assert at(shared.teacher.post(f"{shared.lab}/freeze", data={"frozen": "on"})) == shared.lab
    assert "Frozen." in text_of(shared.kim.get(shared.lab))
    for path in (copy, f"/sessions/{shared.operated}"):
        page = shared.kim.get(path)
        assert "The lab is frozen: the instructor has stopped all calls for now." in text_of(page)
        assert re.search(r'<button class="primary" disabled>Call alloc_pages', page.text)
    refused = shared.kim.post(f"{copy}/call/alloc_pages", data={"gfp": "GFP_ATOMIC", "order": "7"})
    assert refused.status_code == 409
    assert 'value="GFP_ATOMIC"' in refused.text
    assert 'value="7"' in refused.text
    line = shared.kim.post(f"{copy}/line", data={"line": "p = alloc_page(GFP_KERNEL)"})
    assert 'value="p = alloc_page(GFP_KERNEL)"' in line.text
    assert shared.kim.post(f"{copy}/undo").status_code == 409
    page = shared.teacher.get(copy)
    assert "Members cannot call it now; you can." in text_of(page)
    assert not re.search(r'<button class="primary" disabled>', page.text)
    assert at(shared.teacher.post(f"{shared.lab}/freeze", data={"frozen": "off"})) == shared.lab
    assert at(shared.kim.post(f"{copy}/call/alloc_pages", data={"gfp": "GFP_KERNEL", "order": "0"}))


def test_locked_and_reset(shared: Shared) -> None:
    copy = shared.copy(shared.kim)
    assert at(shared.kim.post(f"{copy}/line", data={"line": "alloc_page(GFP_KERNEL)"}))
    assert "Catch up to" in text_of(shared.kim.get(shared.lab))
    assert at(shared.teacher.post(f"{shared.lab}{copy}/lock", data={"locked": "on"})).startswith(
        f"{shared.lab}/members?machine="
    )
    assert "The instructor has locked this machine" in text_of(shared.kim.get(copy))
    assert "Catch up to" not in text_of(shared.kim.get(shared.lab))
    assert "locked" in text_of(shared.teacher.get(f"{shared.lab}/members"))
    assert shared.kim.post(f"{copy}/line", data={"line": "alloc_page(GFP_KERNEL)"}).status_code == 409
    assert "of Kim?" in text_of(shared.teacher.get(f"{shared.lab}{copy}/reset"))
    assert at(shared.teacher.post(f"{shared.lab}{copy}/reset"))
    assert seq_of(shared.kim, copy) == 3
    assert at(shared.teacher.post(f"{shared.lab}{copy}/lock", data={"locked": "off"}))
    assert at(shared.kim.post(f"{copy}/line", data={"line": "alloc_page(GFP_KERNEL)"}))


def test_a_copy_is_overseen_from_its_own_page(shared: Shared) -> None:
    copy = shared.copy(shared.kim)
    for line in ("p = alloc_page(GFP_KERNEL)", "ann: lock_page(p)", "lock_page(p)"):
        at(shared.kim.post(f"{copy}/line", data={"line": line}))

    def bar(browser: TestClient, path: str) -> str:
        page = browser.get(path).text
        start = page.index('id="belonging"')
        return page[start : page.index("</section>", start)]

    lock = f"{shared.lab}{copy}/lock?to=machine"
    assert lock in bar(shared.teacher, copy)
    assert ">Lock<" in bar(shared.teacher, copy)
    release = f'action="{copy}/call/kill_task"'
    assert release in bar(shared.teacher, copy)
    for browser, path in (
        (shared.kim, copy),
        (shared.teacher, f"/sessions/{shared.operated}"),
        (shared.teacher, f"/sessions/{shared.prepared}"),
    ):
        assert "/lock" not in bar(browser, path)
        assert "/reset" not in bar(browser, path)
        assert release not in bar(browser, path)
    back = at(shared.teacher.post(lock, data={"locked": "on", "view": "panel=tasks&nonsense=1"}))
    assert back == f"{copy}?panel=tasks"
    assert ">Unlock<" in bar(shared.teacher, back)
    asked = re.search(r'href="([^"]*/reset[^"]*)"', bar(shared.teacher, back))
    assert asked
    confirm = shared.teacher.get(asked[1]).text
    assert f'href="{copy}"' in confirm
    assert f'action="{asked[1]}"' in confirm
    assert at(shared.teacher.post(asked[1])) == copy
    assert release not in bar(shared.teacher, copy)
    assert at(shared.teacher.post(lock, data={"locked": "off", "view": ""})) == copy
    at(shared.teacher.post(f"{shared.lab}/close"))
    assert "/lock" not in bar(shared.teacher, copy)


def test_closed_for_good(shared: Shared) -> None:
    copy = shared.copy(shared.kim)
    assert "Nobody joins" in text_of(shared.teacher.get(f"{shared.lab}/close"))
    assert at(shared.teacher.post(f"{shared.lab}/close")) == shared.lab
    for path in (shared.lab, copy, f"/sessions/{shared.operated}"):
        assert "closed" in text_of(shared.kim.get(path)).lower()
    assert "My copy" not in text_of(shared.kim.get(shared.lab))
    assert "You have no copy of it." in text_of(shared.bo.get(shared.lab))
    assert "Everybody calls this one machine" not in text_of(shared.bo.get(shared.lab))
    assert shared.kim.post(f"{copy}/line", data={"line": "alloc_page(GFP_KERNEL)"}).status_code == 409
    assert shared.kim.post(f"{shared.lab}/machines/{shared.machine}/copy").status_code == 409
    answer = shared.teacher.post(f"{shared.lab}/freeze", data={"frozen": "on"})
    assert answer.status_code == 409
    assert "this lab is closed" in text_of(answer)
    page = shared.teacher.get(shared.lab)
    assert "For the projector" not in page.text
    assert f"{shared.lab}/machines" not in page.text


# -- the instructor ----------------------------------------------------------------------------------------


def test_the_way_in_is_shown_large_as_a_link_and_as_a_picture(shared: Shared) -> None:
    code = shared.room.code(shared.lab)
    for path in (shared.lab, f"{shared.lab}/board"):
        page = shared.teacher.get(path)
        assert f"http://127.0.0.1:8000/join/{code}" in page.text
        assert f'src="{shared.lab}/join.svg?code={code}"' in page.text
    picture = shared.teacher.get(f"{shared.lab}/join.svg")
    assert picture.headers["content-type"] == "image/svg+xml"
    protected(picture)
    assert ET.fromstring(picture.content).tag.endswith("svg")
    assert at(shared.teacher.post(f"{shared.lab}/code")) == shared.lab
    assert shared.room.code(shared.lab) != code
    assert shared.room.browser().get(f"/join/{code}").status_code == 404
    assert at(shared.teacher.post(f"{shared.lab}/code/close")) == shared.lab
    assert "Nobody is let in" in text_of(shared.teacher.get(shared.lab))
    assert "Nobody is let in" in text_of(shared.teacher.get(f"{shared.lab}/board"))
    assert shared.teacher.get(f"{shared.lab}/join.svg").status_code == 404
    assert shared.kim.get(shared.lab).status_code == 200


def test_a_machine_is_shared_otherwise_and_taken_out(shared: Shared) -> None:
    kinds = re.findall(r'id="machine-(\w+)"', shared.teacher.get(shared.lab).text)
    form = {"title": "Locks", "kind": "watch"}
    assert at(shared.teacher.post(f"{shared.lab}/machines/{kinds[0]}", data=form))
    assert "you can look" in text_of(shared.kim.get(f"/sessions/{shared.operated}"))
    assert "Locks" in text_of(shared.kim.get(shared.lab))
    assert at(shared.teacher.post(f"{shared.lab}/machines/{kinds[0]}/remove"))
    assert shared.kim.get(f"/sessions/{shared.operated}").status_code == 404
    assert shared.teacher.get(f"/sessions/{shared.operated}").status_code == 200


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("part", "form", "words"),
    [
        ("machines", {"session": "none", "kind": "prepared"}, "one of your own sessions"),
        ("machines", {"session": "{prepared}", "kind": "x"}, "one of prepared, operate, watch"),
        ("machines", {"session": "{prepared}", "kind": "prepared", "seq": "x"}, "the number of a row"),
        ("machines", {"session": "{prepared}", "kind": "prepared", "seq": "99"}, "Row: a row from 0 to 5"),
        ("machines", {"session": "{operated}", "kind": "operate"}, "shared already"),
        ("machines/{machine}", {"title": "x" * 101, "kind": "prepared"}, "1 to 100 characters"),
        ("machines/{machine}/checkpoints", {"seq": "", "title": "x"}, "the number of a row"),
        ("machines/{machine}/checkpoints", {"seq": "1", "title": "x"}, "Row: a row after 1"),
        ("machines/{machine}/checkpoints", {"seq": "99", "title": "x"}, "Row: a row from 2 to 5"),
        ("machines/{machine}/checkpoints", {"seq": "2", "title": "x"}, "a checkpoint at 2 already"),
        ("machines/{machine}/checkpoints", {"seq": "3", "title": ""}, "1 to 100 characters"),
        ("describe", {"title": "", "text": "kept"}, "1 to 100 characters"),
        ("describe", {"title": "x", "text": "\x1b[31m"}, "no control characters"),
    ],
)
def test_a_refused_form_says_why_and_keeps_what_was_typed(
    shared: Shared, part: str, form: dict[str, str], words: str
) -> None:
    given = {"machine": shared.machine, "prepared": shared.prepared, "operated": shared.operated}
    filled = {name: value.format_map(given) for name, value in form.items()}
    answer = shared.teacher.post(f"{shared.lab}/{part.format_map(given)}", data=filled)
    assert answer.status_code in (409, 422)
    assert words in text_of(answer)
    for value in filled.values():
        if value not in ("", "x", "none") and value.isprintable():
            assert value in answer.text
    protected(answer)


def test_members_activity_and_the_audit_log(shared: Shared) -> None:
    copy = shared.copy(shared.kim)
    run(shared.kim, copy.removeprefix("/sessions/"), "alloc_page(GFP_KERNEL)\nalloc_page(GFP_KERNEL)")
    words = text_of(shared.teacher.get(f"{shared.lab}/members"))
    assert re.search(r"m1 Kim \S+ \S+ 2 ", words)
    assert "buddies #3" in words
    assert "2 have joined, 1 have made calls: 2 in all." in text_of(
        shared.teacher.get(f"{shared.lab}/activity")
    )
    answer = shared.teacher.get(f"{shared.lab}/activity.csv")
    assert answer.headers["content-disposition"].startswith("attachment")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [(row["nickname"], row["calls"]) for row in rows] == [("Kim", "2"), ("Bo", "0")]
    audit = text_of(shared.teacher.get("/audit"))
    for act in ("create a lab", "add a machine: prepared", "mark a checkpoint"):
        assert act in audit
    assert "Kim" not in audit


@pytest.mark.slow
def test_the_audit_log_is_read_in_parts(shared: Shared) -> None:
    for _ in range(60):
        for frozen in ("on", "off"):
            at(shared.teacher.post(f"{shared.lab}/freeze", data={"frozen": frozen}))
    page = shared.teacher.get("/audit")
    (older,) = re.findall(r'href="(/audit\?before=\d+)"', page.text)
    assert text_of(page).count("you") >= 100
    assert shared.teacher.get(older).status_code == 200
    assert text_of(shared.teacher.get("/audit?before=x")) == text_of(page)


def test_a_member_is_deleted_with_all_that_is_theirs(shared: Shared) -> None:
    copy = shared.copy(shared.kim)
    at(shared.kim.post(f"/sessions/{shared.operated}/call/lock_page", data={"page": "0x400"}))
    page = shared.teacher.get(f"{shared.lab}/members/1/delete")
    assert "Delete Kim?" in text_of(page)
    (export,) = re.findall(r'href="([^"]+/export)"', page.text)
    assert "Kim" in shared.teacher.get(export).text
    assert at(shared.teacher.post(f"{shared.lab}/members/1/delete")) == f"{shared.lab}/members"
    assert "Kim" not in text_of(shared.teacher.get(f"{shared.lab}/members"))
    assert shared.kim.get(shared.lab).headers["location"].startswith("/join")
    assert shared.teacher.get(copy).status_code == 404
    assert '<span class="soft">m1</span>' in shared.teacher.get(f"/sessions/{shared.operated}").text
    for number in ("1", "99", "x", "٣", "9" * 40):
        assert shared.teacher.get(f"{shared.lab}/members/{number}/delete").status_code == 404


def test_who_deletes_a_machine_of_a_lab_is_told_what_goes_with_it(shared: Shared) -> None:
    path = f"/sessions/{shared.prepared}/delete"
    assert "has it as one of its machines" in text_of(shared.teacher.get(path))
    copy = shared.copy(shared.kim)
    assert "has it as" not in text_of(shared.kim.get(f"{copy}/delete"))
    assert at(shared.teacher.post(path)) == "/"
    assert shared.kim.get(copy).status_code == 200
    assert "Catch up" not in text_of(shared.kim.get(copy))


def test_a_lab_is_deleted_and_says_before_what_is_lost(shared: Shared) -> None:
    shared.copy(shared.kim)
    assert "2 members and 1 machine of theirs are gone for good" in text_of(
        shared.teacher.get(f"{shared.lab}/delete")
    )
    assert at(shared.teacher.post(f"{shared.lab}/delete")) == "/labs"
    assert shared.teacher.get(shared.lab).status_code == 404
    assert shared.teacher.get(f"/sessions/{shared.prepared}").status_code == 200
    assert shared.kim.get(shared.lab).status_code == 303


# -- what people write -------------------------------------------------------------------------------------


def test_what_people_write_does_nothing_anywhere(room: Class) -> None:
    lab = room.lab(HOSTILE, f"{HOSTILE}\n\n[x](javascript:alert(1)) ![i](http://evil.example/x.png)")
    session = room.session(name=HOSTILE)
    machine = room.machine(lab, session, seq="0", title=HOSTILE)
    operated = room.session(name="operated")
    room.machine(lab, operated, "operate", title=HOSTILE)
    form = {"seq": "1", "title": HOSTILE}
    at(room.first.post(f"{lab}/machines/{machine}/checkpoints", data=form))
    eve, kim = room.student(lab, HOSTILE), room.student(lab, FORMULA)
    copy = at(eve.post(f"{lab}/machines/{machine}/copy"))
    for browser in (eve, kim):
        at(browser.post(f"/sessions/{operated}/call/lock_page", data={"page": "0x400"}))
    link = re.findall(r"/enter/kml_[\w-]+", eve.post("/me/link").text)[0]
    pages = {
        room.first: [lab, f"{lab}/board", f"{lab}/members", f"{lab}/activity", "/labs", "/", "/audit", copy,
                     f"{lab}/close", f"{lab}/delete", f"{lab}/members/1/delete", f"{lab}{copy}/reset",
                     f"/sessions/{operated}?panel=tasks"],
        eve: [lab, copy, "/me", "/", "/signout", f"/sessions/{operated}?panel=tasks", link],
        room.browser(): [f"/join/{room.code(lab)}", link],
    }  # fmt: skip
    for browser, paths in pages.items():
        for path in paths:
            page = browser.get(path)
            assert page.status_code == 200, path
            assert "<script>" not in page.text, path
            assert "{{7*7}}" in html.unescape(page.text) or path in ("/me", "/audit", "/signout"), path
            assert "javascript:" not in re.sub(r">[^<]*<", "><", page.text), path
            assert 'src="http' not in page.text, path
    refused = room.browser().post("/join", data={"code": HOSTILE, "nickname": HOSTILE})
    assert "<script>" not in refused.text
    table = room.first.get(f"{lab}/activity.csv").text
    assert [row[1] for row in csv.reader(io.StringIO(table))][1:] == [HOSTILE, "'" + FORMULA]


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("# One", "<h2>One</h2>"),
        ("*a* `b`", "<p><em>a</em> <code>b</code></p>"),
        ("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>"),
        ("[x](https://a.example/)", '<a href="https://a.example/" rel="noopener nofollow">x</a>'),
        ("[x](/calls)", '<a href="/calls" rel="noopener nofollow">x</a>'),
        ("3. three", '<ol start="3">'),
        (
            "![a picture](https://a.example/x.png)",
            '!<a href="https://a.example/x.png" rel="noopener nofollow">a',
        ),
        ("|a|b|\n|-|-|\n" + "|c|d|\n" * 500, "<td>d</td>"),
    ],
)
def test_markdown(text: str, made: str) -> None:
    assert made in markdown.made(text)


def test_a_small_text_is_no_huge_table() -> None:
    huge = "|a" * 1500 + "|\n" + "|-" * 1500 + "|\n" + "b\n" * 5500
    assert len(huge) <= TEXT_LENGTH
    assert len(markdown.made(huge)) < 3 * TEXT_LENGTH
    assert "<table>" not in markdown.made(huge)


def test_a_text_is_made_beside_the_event_loop(room: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = set()

    def clean(html: str, **_: Any) -> str:
        threads.add(threading.get_ident())
        return html

    monkeypatch.setattr(markdown.nh3, "clean", clean)
    lab = room.lab("Week 5", "Not said *before*.")
    student = room.student(lab)
    assert "Not said <em>before</em>." in student.get(lab).text
    assert room.first.portal is not None
    assert threads
    assert room.first.portal.call(threading.get_ident) not in threads


@pytest.mark.parametrize(
    "text",
    [
        "[x](javascript:alert(1))", "[x](data:text/html,x)", "![x](http://evil.example/)",
        "<img src=x onerror=alert(1)>", "<style>*{}</style>", "<iframe src=//evil.example>",
        '[x](http://a "\\" onclick=alert(1)")', "<javascript:alert(1)>", "[x]: javascript:alert(1)\n\n[x]",
    ],
)  # fmt: skip
def test_markdown_makes_nothing_that_acts(text: str) -> None:
    made = ET.fromstring(f"<div>{markdown.made(text)}</div>")
    for element in made.iter():
        assert element.tag in {"div"} | markdown.TAGS
        assert set(element.attrib) <= {"href", "title", "rel", "start"}
        assert not element.attrib.get("href", "").lower().startswith(("javascript", "data"))


def test_a_text_that_is_long_or_deep_is_answered(room: Class) -> None:
    for text in ("> " * 5_000, "[" * 10_000, "*" * 20_000, "- " * 8_000, "`" * 19_999):
        page: Any = room.first.get(room.lab("Deep", text))
        assert page.status_code == 200


# -- lines for a terminal ----------------------------------------------------------------------------------


def test_what_is_copied_from_a_machine_brings_a_token(shared: Shared) -> None:
    page = shared.kim.get(shared.copy(shared.kim), params={"panel": "proc"})
    words = html.unescape(page.text)
    assert page.text.count("stand for the token of") == 2
    assert re.search(r"/calls -H \"Authorization: Bearer \$KMEMLAB_TOKEN\" -H 'Content-Type", words)
    assert re.search(r"curl -s '\S+/proc/\w+' -H \"Authorization: Bearer \$KMEMLAB_TOKEN\"", words)
    assert 'headers={"Content-Type": "text/plain", "Authorization": f"Bearer {token}"}).json()' in words
    made = html.unescape(shared.teacher.get(f"/sessions/{shared.prepared}").text)
    assert ', headers={"Authorization": f"Bearer {token}"}).json()' in made
    assert made.count("stand for the token of") == 2
    lines = re.findall(r"curl -s \S+(.*)", html.unescape(shared.kim.get("/calls").text))
    assert lines
    assert all(line.startswith(' -H "Authorization: Bearer $KMEMLAB_TOKEN" ') for line in lines)


def test_what_is_copied_for_python_says_what_it_needs(shared: Shared) -> None:
    for path, times in ((f"/sessions/{shared.prepared}", 2), ("/calls", 1)):
        words = text_of(shared.teacher.get(path))
        assert words.count("From Python, after pip install httpx and import httpx") == times
    made = shared.kim.post("/me/token")
    assert "From Python, after pip install httpx" in text_of(made)
    script = re.search(r'aria-label="Python lines"><code>(.*?)</code>', made.text, re.DOTALL)
    assert script is not None
    assert html.unescape(script[1]).startswith("import httpx\n")
    compile(html.unescape(script[1]), "copied", "exec")


# -- catching up -------------------------------------------------------------------------------------------


def test_catching_up_says_what_becomes_of_ones_own_calls(shared: Shared) -> None:
    copy = shared.copy(shared.kim)
    warning = "The machine starts over and makes the instructor’s calls; yours stay in the journal."
    for path in (copy, shared.lab):
        assert warning not in text_of(shared.kim.get(path))
    run(shared.kim, copy.removeprefix("/sessions/"), "alloc_page(GFP_KERNEL)\nalloc_page(GFP_KERNEL)")
    for path in (copy, shared.lab):
        assert warning in text_of(shared.kim.get(path))
    brought = at(shared.kim.post(f"{shared.lab}{copy}/catch-up"))
    page = shared.kim.get(brought)
    said = (
        "Brought to “one page”; your own calls up to #3 stand in the journal: go back to #3 brings them back."
    )
    assert said in text_of(page)
    assert f'<a href="{copy}?at=3">go back to #3</a>' in page.text
    assert "Rewind to here" in text_of(shared.kim.get(f"{copy}?at=3"))
    assert "Brought to" not in text_of(shared.kim.get(copy))
    run(shared.kim, copy.removeprefix("/sessions/"), "alloc_page(GFP_KERNEL)")
    assert "Brought to" not in text_of(shared.kim.get(brought))
    forged = {"outcome": "6", "brought": "<b>x</b>", "own": "9" * 40}
    assert "Brought to" not in text_of(shared.kim.get(copy, params=forged))


def test_a_copy_without_calls_is_brought_without_a_word_of_them(shared: Shared) -> None:
    copy = shared.copy(shared.bo)
    words = text_of(shared.bo.get(at(shared.bo.post(f"{shared.lab}{copy}/catch-up"))))
    assert "Brought to “one page”." in words
    assert "your own calls" not in words


# -- what came in with a file --------------------------------------------------------------------------------


def forged(file: bytes, by: str, time: str) -> bytes:
    """An exported session whose rows say that somebody else has made them, at another time."""

    def change(lines: list[dict[str, Any]]) -> None:
        for line in lines:
            if "outcome" in line:
                line["outcome"] |= {"by": by, "time": time}

    return changed(file, change)


@pytest.mark.parametrize("by", ["m1", "i1"])
@pytest.mark.parametrize("ahead", [timedelta(minutes=1), timedelta(days=400)])
def test_the_rows_of_a_file_are_nobodys(shared: Shared, by: str, ahead: timedelta) -> None:
    file = exported(shared.teacher, shared.room.session("p = alloc_page(GFP_KERNEL)\n__free_page(p)"))
    soon = (datetime.now(UTC) + ahead).isoformat(timespec="milliseconds")[:-6] + "Z"
    answer = imported(shared.kim, forged(file, by, soon))
    assert answer.status_code == 201, answer.text
    sid = answer.json()["id"]
    rows = [line["outcome"]["by"] for line in lines_of(exported(shared.kim, sid)) if "outcome" in line]
    assert rows == [by] * 2  # the answers are what they were
    page = shared.kim.get(f"/sessions/{sid}")
    assert f'<span class="soft">{by}</span>' in page.text
    assert 'title="i1"' not in page.text
    table = shared.teacher.get(f"{shared.lab}/activity.csv").content.decode("utf-8-sig")
    (kim, _) = list(csv.DictReader(io.StringIO(table)))
    assert (kim["calls"], kim["last_call"]) == ("0", "")
    for there in ("members", "activity", "wall"):
        assert soon[:10] + " " + soon[11:16] not in text_of(shared.teacher.get(f"{shared.lab}/{there}"))
    (tile, _) = shared.teacher.get(f"/api/v1{shared.lab}/wall").json()["tiles"]
    assert (tile["session"], tile["seq"], tile.get("call"), tile.get("time")) == (sid, 2, None, None)


def test_a_file_of_no_time_is_refused_and_one_that_is_there_breaks_no_page(shared: Shared) -> None:
    file = exported(shared.teacher, shared.prepared)
    for time in ("9999-99-99T99:99:99.999Z", "9999-01-01T00:00:00.000Z"):
        assert imported(shared.kim, forged(file, "m1", time)).status_code == 422
    assert wording.date("9999-99-99T99:99:99.999Z") == "9999-99-99T99:99:99.999Z"


# -- addresses -----------------------------------------------------------------------------------------------


@pytest.mark.sampled(4)
@pytest.mark.parametrize("number", ["٣", "³", "1_0", "+1", "-1", "1" * 40, "x"])
def test_a_members_number_has_ascii_digits(shared: Shared, number: str) -> None:
    shared.room.student(shared.lab, "Noor")  # the third, whom ٣ would be
    path = f"{shared.lab}/members/{number}/delete"
    assert shared.teacher.get(path).status_code == 404
    assert shared.teacher.post(path).status_code == 404


def test_a_call_that_is_held_was_a_kernel_call_all_the_same(shared: Shared) -> None:
    copy = shared.copy(shared.kim)
    at(shared.teacher.post(f"{shared.lab}{copy}/lock", data={"locked": "on"}))
    answer = shared.kim.post(f"{copy}/line", data={"line": "alloc_page(GFP_KERNEL)"})
    assert answer.status_code == 409
    assert "The machine takes no calls now: nothing happened" in text_of(answer)
    assert "Not sent to the kernel" not in text_of(answer)


def test_a_machine_that_goes_on_from_another_says_whose_calls_made_it(shared: Shared) -> None:
    said = "Nothing has been called here yet. This machine starts from row #1 of another machine"
    copy = shared.copy(shared.kim)
    page = shared.kim.get(copy)
    assert said in text_of(page)
    assert f'row <a href="/sessions/{shared.prepared}' not in page.text
    assert f'row <a href="/sessions/{shared.prepared}?at=1">#1</a>' in shared.teacher.get(copy).text
    run(shared.kim, copy.removeprefix("/sessions/"), "alloc_page(GFP_KERNEL)")
    assert said not in text_of(shared.kim.get(copy))


# -- a full lab --------------------------------------------------------------------------------------------


@pytest.fixture
def full(room: Class) -> tuple[str, TestClient, TestClient]:
    """A lab that expects one: its path, who is in, and who waits under a hostile name."""
    lab = at(room.first.post("/labs", data={"title": "Full", "expected": "1"}))
    return lab, room.student(lab, "Kim"), room.student(lab, HOSTILE)


def chosen(page: Response) -> list[str]:
    """The numbers of those who wait, as the form has them."""
    return re.findall(r'type="checkbox" name="number" value="(\d+)"', page.text)


def test_who_waits_sees_the_title_and_nothing_else(
    room: Class, full: tuple[str, TestClient, TestClient]
) -> None:
    lab, _, waiting = full
    page = waiting.get(lab)
    assert page.status_code == 200
    protected(page)
    words = text_of(page)
    assert "The lab has as many members as its instructor expects." in words
    assert "Ask for your place: Ada sees your name" in words
    assert HOSTILE not in page.text
    assert HOSTILE in html.unescape(page.text)
    for path in ("/", "/me", f"{lab}/members", f"{lab}/wall", "/labs/elsewhere", "/sessions/none", "/audit"):
        assert at(waiting.get(path)) == lab
    for path in ("/sessions", "/me/token", f"{lab}/waiting/admit", f"{lab}/members/remove-idle"):
        assert at(waiting.post(path, data={"all": "on", "profile": "tiny-16m"})) == lab
    assert waiting.get("/api/v1/me").json()["waiting"] is True
    assert waiting.get("/api/v1/sessions").status_code == 403
    assert at(waiting.post("/join", data={"code": room.code(lab), "nickname": "Again"})) == lab
    assert text_of(room.first.get(lab)).count("waits to be admitted") == 1


def test_an_instructor_admits_who_is_chosen(room: Class, full: tuple[str, TestClient, TestClient]) -> None:
    lab, _, waiting = full
    other = room.student(lab, "Lee")
    page = room.first.get(lab)
    assert "2 wait to be admitted" in text_of(page)
    assert HOSTILE not in page.text
    assert chosen(page) == ["3", "2"]  # the last first
    refused = room.first.post(f"{lab}/waiting/admit", data={})
    assert refused.status_code == 422
    assert "choose somebody who waits" in text_of(refused)
    assert at(room.first.post(f"{lab}/waiting/admit", data={"number": ["3", "77"]})) == lab
    assert "There is no machine here yet" in text_of(other.get(lab))
    assert chosen(room.first.get(lab)) == ["2"]
    assert at(room.first.post(f"{lab}/waiting/turn-away", data={"number": "2"})) == lab
    assert at(waiting.get(lab)).startswith("/join")
    assert "admitted" not in text_of(room.first.get(lab))


@pytest.mark.sampled(4)
@pytest.mark.parametrize("typed", ["", "x", "0", "501", "-1", "1e3", "9" * 30])
def test_how_many_are_expected(room: Class, full: tuple[str, TestClient, TestClient], typed: str) -> None:
    lab, _, waiting = full
    page = room.first.post(f"{lab}/expected", data={"expected": typed})
    assert page.status_code == 422
    assert "The lab stays as it was" in text_of(page)
    assert chosen(room.first.get(lab)) == ["2"]
    assert at(room.first.post(f"{lab}/expected", data={"expected": "2"})) == lab
    assert "There is no machine here yet" in text_of(waiting.get(lab))
    if typed:
        refused = room.first.post("/labs", data={"title": "X", "expected": typed})
        assert refused.status_code == 422
        assert f'value="{typed}"' in refused.text


def test_members_who_have_done_nothing_are_removed(shared: Shared) -> None:
    shared.copy(shared.kim)
    page = shared.teacher.get(f"{shared.lab}/members/remove-idle")
    assert "1 member has no machine, has made no call and has reached no checkpoint. Bo" in text_of(page)
    assert at(shared.teacher.post(f"{shared.lab}/members/remove-idle")) == f"{shared.lab}/members"
    assert "Bo" not in text_of(shared.teacher.get(f"{shared.lab}/members"))
    assert at(shared.bo.get(shared.lab)).startswith("/join")
    assert shared.kim.get(shared.lab).status_code == 200
    words = text_of(shared.teacher.get(f"{shared.lab}/members/remove-idle"))
    assert "0 members have no machine" in words


# -- from the machine's own page ---------------------------------------------------------------------------


def test_a_machine_is_put_into_a_lab_from_its_own_page(room: Class) -> None:
    sid = room.session("\n".join(["alloc_page(GFP_KERNEL)"] * 3), "to share")
    page = room.first.get(f"/sessions/{sid}?at=2")
    assert "shared in no lab" in text_of(page)
    form = room.first.get(re.findall(r'href="(/sessions/\w+/lab\?at=2)"', page.text)[0])
    assert 'value="2"' in form.text
    assert "a new lab" in text_of(form)
    typed = {
        "lab": "new",
        "lab_title": "From the machine",
        "kind": "prepared",
        "seq": "9",
        "title": "Two pages",
    }
    refused = room.first.post(f"/sessions/{sid}/lab", data=typed)
    assert refused.status_code == 422
    assert "a row from 0 to 3" in text_of(refused)
    # The lab that was made for it is chosen now: a second try makes no second one.
    chosen = re.findall(r'<option value="(\w+)" selected>From the machine', refused.text)[0]
    there = at(room.first.post(f"/sessions/{sid}/lab", data={**typed, "lab": chosen, "seq": "2"}))
    lab = there.partition("#")[0]
    assert lab == f"/labs/{chosen}"
    assert "Two pages copies start at #2" in text_of(room.first.get(lab))
    assert f'<a href="{lab}">From the machine</a>' in room.first.get(f"/sessions/{sid}").text
    shared = room.session(name="together")
    there = at(room.first.post(f"/sessions/{shared}/lab", data={"lab": chosen, "kind": "operate"}))
    assert "Put into a lab" not in text_of(room.first.get(f"/sessions/{shared}"))
    # It is a draft: whoever has the code already waits for it to be opened.
    code = {"code": room.code(lab), "nickname": "Kim"}
    early = room.browser()
    answer = early.post("/join", data=code)
    assert answer.status_code == 409
    assert "not open yet" in text_of(answer)
    for other in (answer.text, early.get(f"/join/{code['code']}").text):
        assert "From the machine" not in other
    assert "draft" in text_of(room.first.get("/labs"))
    assert at(room.first.post(f"{lab}/open")) == lab
    assert "draft" not in text_of(room.first.get(lab))
    assert at(early.post("/join", data=code)) == lab
    assert early.get(f"/sessions/{sid}/lab").status_code == 403


def test_a_copy_of_a_demo_opens_beside_its_steps(room: Class) -> None:
    lab = room.lab("A demo for all")
    there = at(room.first.post(f"{lab}/demos", data={"demo": "split-and-merge"}))
    machine = there.partition("#machine-")[2]
    kim = room.student(lab, "Kim")
    copy = at(kim.post(f"{lab}/machines/{machine}/copy"))
    assert "demo=split-and-merge" in copy
    assert "step=0" in copy
    page = kim.get(copy)
    assert 'id="demo"' in page.text
    path = copy.partition("?")[0]
    first = html.unescape(re.findall(r"Catch up to “([^”]+)”", text_of(page))[0])
    brought = at(kim.post(f"{lab}{path}/catch-up"))
    after = kim.get(brought)
    assert f"Brought to “{first}”" in text_of(after)
    assert 'id="demo"' in after.text
    assert "step=0" not in brought  # but the one behind the checkpoint
    assert room.first.post(f"{lab}/demos", data={"demo": "none"}).status_code == 404


def test_a_tile_says_what_was_wrong_with_the_last_call(room: Class) -> None:
    lab = room.lab("Sentences")
    kim, bo = room.student(lab, "Kim"), room.student(lab, "Bo")
    for browser, lines in (
        (kim, "k = kmalloc(64, GFP_KERNEL)\nkfree(k)\nkfree(k)"),
        (bo, "\n".join(["alloc_pages(GFP_NOWAIT, 10)"] * 4)),
    ):
        made = browser.post("/api/v1/sessions", json={"machine": {"profile": "tiny-16m"}}).json()
        run(browser, made["id"], lines)
    page = room.first.get(f"{lab}/wall").text
    said = [html.unescape(one) for one in re.findall(r'data-part="sentence">([^<]*)<', page)]
    tiles = room.first.get(f"/api/v1{lab}/wall").json()["tiles"]
    assert "is free already" in tiles[0]["cause"]
    assert said[:2] == [tiles[0]["cause"], "The kernel’s answer is NULL."]
    assert "cause" not in tiles[1]
    # The script says the same where there is no cause.
    known = json.loads(html.unescape(re.findall(r'data-sentences="([^"]+)"', page)[0]))
    assert known["null"] == said[1]
    # And makes the sentence of a mistake of the same facts, in the page's language.
    phrases = json.loads(html.unescape(re.findall(r'data-mistakes="([^"]+)"', page)[0]))
    assert phrases[tiles[0]["mistake"]] % tiles[0]["facts"] == tiles[0]["cause"]


def test_a_tile_says_it_in_the_language_of_who_reads(tmp_path: Path) -> None:
    with known(bracketed(tmp_path)), class_of(tmp_path) as room:
        lab = room.lab("Sätze")
        kim = room.student(lab, "Kim")
        made = kim.post("/api/v1/sessions", json={"machine": {"profile": "tiny-16m"}}).json()
        run(kim, made["id"], "k = kmalloc(64, GFP_KERNEL)\nkfree(k)\nkfree(k)")
        page = room.first.get(f"{lab}/wall", headers={"Accept-Language": "de"}).text
    (said,) = (html.unescape(one) for one in re.findall(r'data-part="sentence">([^<]+)<', page))
    assert re.fullmatch(r"⟦The object 0x\w+ of kmalloc-64 is free already: .*⟧", said)
    phrases = json.loads(html.unescape(re.findall(r'data-mistakes="([^"]+)"', page)[0]))
    assert all(phrase[0] + phrase[-1] == "⟦⟧" for phrase in phrases.values())

"""The past on the machine page without script: any moment, the way back, and branches."""

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from app.web import rowpages
from tests.support.factories import raw, settings_for
from tests.support.served import BASE, build, client_of, protected
from tests.web.test_pages import make, page, text_of

LINES = """
p = alloc_pages(GFP_KERNEL, 3)
q = alloc_pages(GFP_KERNEL, 2)
vmalloc(16K)
__free_pages(p, 3)
kmalloc(100, GFP_KERNEL)
"""
HEAD = 5


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_of(build(tmp_path_factory.mktemp("history"))) as client:
        yield client


@pytest.fixture
def machine(client: TestClient) -> str:
    """The path of a machine with five rows."""
    return lived(client)


def lived(client: TestClient, lines: str = LINES) -> str:
    machine = make(client, profile="tiny-16m", lecture="on", name="then")
    answer = client.post(
        f"{BASE}{machine}/calls", content=lines.strip(), headers={"Content-Type": "text/plain"}
    )
    assert answer.status_code == 201, answer.text
    return machine


def shown(client: TestClient, path: str) -> str:
    """A page's source; it is a page."""
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    return str(answer.text)


def one(pattern: str, source: str) -> str:
    """What a page has in one place, at least."""
    found = re.search(pattern, source)
    assert found, pattern
    return unescape(found[1])


def sent(client: TestClient, path: str, **form: str) -> Response:
    """What a form is answered with."""
    answer = client.post(path, data=form)
    protected(answer)
    return answer


def refused(answer: Response, status: int) -> str:
    """The page that refuses, in words."""
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert 'id="machine"' in answer.text
    return text_of(answer)


def head(client: TestClient, machine: str) -> int:
    return int(client.get(f"{BASE}{machine}").json()["seq"])


def links(source: str, machine: str) -> set[str]:
    """Where a page leads within its machine, as a view."""
    return {
        unescape(found)
        for found in re.findall(r'<a [^>]*href="([^"]+)"', source)
        if found.startswith(f"{machine}?") and "explain" not in found
    }


# -- looking back ------------------------------------------------------------------------------------------


def test_the_past_is_unmistakable_and_takes_no_calls(client: TestClient, machine: str) -> None:
    source = shown(client, f"{machine}?at=2&pfn=0x400")
    text = page(client, f"{machine}?at=2&pfn=0x400")
    assert "You are at #2 of 5" in text
    assert re.search(r'<body class="[^"]*\bpast\b', source)
    assert "This is the past: calls are made at the head." in text
    assert re.search(r'id="line"[^>]* disabled', source)
    assert "calls are made at the head: back to live first" in source
    buttons = re.findall(r"<form[^>]* data-call=.*?</form>", source, flags=re.DOTALL)
    assert len(buttons) > 1
    assert all(re.search(r"<button[^>]* disabled>", form) for form in buttons)
    assert f'href="{machine}?pfn=0x400" id="to-live"' in source
    assert 'action="' + machine + '/rewind"' in source
    assert 'action="' + machine + '/undo"' not in source


def test_the_present_is_not_the_past(client: TestClient, machine: str) -> None:
    source = shown(client, machine)
    assert "past-bar" not in source
    assert 'class="why-not"' not in source
    assert not re.search(r"<(button|input)[^>]* disabled", source)
    assert 'action="' + machine + '/undo"' in source


@pytest.mark.parametrize("at", ["5", "6", "99999999999999999999", "-1", "two", "", "0x", "2.5", "2\n;"])
def test_an_address_is_never_an_error(client: TestClient, machine: str, at: str) -> None:
    source = client.get(machine, params={"at": at})
    assert source.status_code == 200
    assert "past-bar" not in source.text
    assert "at=" not in "".join(links(source.text, machine) - links_of_history(source.text))


def links_of_history(source: str) -> set[str]:
    """The links that lead to other moments: a step, and the journal's rows."""
    return {
        unescape(found)
        for found in re.findall(r'<a [^>]*(?:row-seq|class="step")[^>]*href="([^"]+)"', source)
    }


def test_links_stay_in_the_past(client: TestClient, machine: str) -> None:
    source = shown(client, f"{machine}?at=2&pfn=0x400&panel=slab")
    away = {href for href in links(source, machine) if "at=2" not in href} - links_of_history(source)
    assert away == set()
    explain = one(r'href="([^"]+/explain/2[^"]*)"', source)
    back = shown(client, explain)
    assert "at=2" in one(r"<a href=\"([^\"]*)\" data-back>", back)


def test_the_journal_has_the_moment_in_it(client: TestClient, machine: str) -> None:
    source = shown(client, f"{machine}?at=2")
    current = re.findall(r'<li class="row current".*?row-seq" href="([^"]+)"', source, flags=re.DOTALL)
    assert [unescape(href) for href in current] == [f"{machine}?at=2"]
    assert f'href="{machine}"' in source  # of the last row: the live one
    assert seqs(source) == [5, 4, 3, 2, 1]


def test_a_moment_far_back_is_in_the_journal_too(client: TestClient) -> None:
    machine = lived(client, "alloc_pages(GFP_KERNEL, 0)\n" * 120)
    source = shown(client, f"{machine}?at=10")
    assert len(re.findall('<li class="row current"', source)) == 1
    newest = one(r'<a href="([^"]+)#journal"[^>]*>Newest', source)
    assert ">#120</a>" in shown(client, newest)
    assert "You are at #10 of 120" in page(client, newest)
    assert len(re.findall('<li class="row current"', shown(client, f"{machine}?at=100"))) == 1
    assert ">#120</a>" in shown(client, f"{machine}?at=100")


def seqs(source: str) -> list[int]:
    return [int(seq) for seq in re.findall(r">#(\d+)</a>\s*<code", source)]


def found(client: TestClient, machine: str, **query: Any) -> list[int]:
    return seqs(shown(client, f"{machine}?{urlencode(query)}"))


def test_the_filter_looks_through_the_whole_journal(client: TestClient) -> None:
    machine = lived(client, "p = alloc_pages(GFP_ATOMIC, 3)\n" + "alloc_pages(GFP_KERNEL, 0)\n" * 120)
    assert found(client, machine, find="atomic") == [1]
    assert found(client, machine, find="  ATOMIC alloc 3 ") == [1]
    assert found(client, machine, find="atomic kernel") == []
    assert found(client, machine, find="#1") == [*range(121, 99, -1), *range(19, 9, -1), 1]
    assert found(client, machine, find="kernel") == [*range(121, 71, -1)]
    assert found(client, machine, find="kernel", before=72) == [*range(71, 21, -1)]
    assert found(client, machine, find="kernel", before=22) == [*range(21, 1, -1)]
    source = shown(client, f"{machine}?find=kernel&panel=log")
    older = one(r'<a href="([^"]+)#journal"[^>]*>Older', source)
    assert seqs(shown(client, older)) == [*range(71, 21, -1)]
    newest = one(r'<a href="([^"]+)#journal"[^>]*>Newest', shown(client, older))
    assert seqs(shown(client, newest)) == seqs(source)
    form = source[source.index("data-find") :].partition("</form>")[0]
    assert 'name="panel" value="log"' in form  # the rest of the view goes along
    assert 'name="find" value="kernel"' in form
    assert 'type="hidden" name="find"' not in form
    assert "No match." in page(client, f"{machine}?find=nothing")
    assert "No match." not in page(client, f"{machine}?find=atomic")


def test_a_search_says_how_far_it_has_come(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rowpages, "LOOKED", 50)
    machine = lived(client, "p = alloc_pages(GFP_ATOMIC, 3)\n" + "alloc_pages(GFP_KERNEL, 0)\n" * 120)
    source = shown(client, f"{machine}?find=atomic")
    assert seqs(source) == []
    assert "No match in #72–#121. Search older rows." in source
    for _ in range(2):
        source = shown(client, one(r'<a href="([^"]+)#journal"[^>]*>Older', source))
    assert seqs(source) == [1]
    assert ">Older<" not in source


@pytest.mark.parametrize("at", range(HEAD))
def test_every_part_is_of_that_moment(client: TestClient, machine: str, at: int) -> None:
    file = client.get(f"{BASE}{machine}/proc/buddyinfo?at={at}").text
    assert unescape(file.strip()) in unescape(shown(client, f"{machine}?at={at}&panel=proc&file=buddyinfo"))
    assert ("Nothing is mapped there." in page(client, f"{machine}?at={at}&panel=vmalloc")) == (at < 3)
    assert ("No cache has a slab yet." in page(client, f"{machine}?at={at}&panel=slab")) == (at < 3)
    frame = client.get(f"{BASE}{machine}/pages/1024?at={at}").json()
    inspected = shown(client, f"{machine}?at={at}&pfn=0x400").partition('id="inspector"')[2]
    assert f"cell-{frame['state']}" in inspected
    free = client.get(f"{BASE}{machine}/zones?at={at}").json()["zones"][0]["free"]
    assert f"{free:,}" in page(client, f"{machine}?at={at}")


def test_the_slider_is_a_form(client: TestClient, machine: str) -> None:
    source = shown(client, f"{machine}?at=2&panel=slab&outcome=1")
    form = re.search(r"<form method=\"get\"[^>]*data-time>.*?</form>", source, flags=re.DOTALL)
    assert form
    assert 'name="panel" value="slab"' in form[0]
    assert 'min="0" max="5" value="2"' in form[0]
    assert 'name="outcome"' not in form[0]
    assert form[0].count('name="at"') == 1


# -- going back --------------------------------------------------------------------------------------------


def test_undo(client: TestClient, machine: str) -> None:
    answer = sent(client, f"{machine}/undo", view="panel=slab&shift=0")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{machine}?shift=0&panel=slab&outcome=6"
    text = page(client, answer.headers["location"])
    assert "undo to #4" in text
    assert client.get(f"{BASE}{machine}/dump").json() == client.get(f"{BASE}{machine}/dump?at=4").json()


def test_nothing_to_undo(client: TestClient) -> None:
    machine = make(client, profile="tiny-16m", name="young")
    assert re.search(r'id="undo" disabled', shown(client, machine))
    text = refused(sent(client, f"{machine}/undo"), 409)
    assert "Nothing was taken back. nothing to undo: the session is at its start" in text
    assert head(client, machine) == 0


def test_rewind(client: TestClient, machine: str) -> None:
    source = shown(client, f"{machine}?at=2&panel=slab")
    view = one(r'name="view" value="([^"]*)"', source)
    answer = sent(client, f"{machine}/rewind", to="2", view=view)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{machine}?panel=slab&outcome=6"
    assert "rewind to #2" in page(client, answer.headers["location"])
    assert head(client, machine) == 6
    assert client.get(f"{BASE}{machine}/dump").json() == client.get(f"{BASE}{machine}/dump?at=2").json()


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"to": "6"}, "to: a seq from 0 to 5"),
        ({"to": "123456789012"}, "to: a seq from 0 to 5"),
        ({"to": "9" * 30}, "to: the number of a row"),
        ({"to": "-1"}, "to: the number of a row"),
        ({"to": "there"}, "to: the number of a row"),
        ({"to": ""}, "to: the number of a row"),
        ({}, "to: the number of a row"),
    ],
)
def test_nowhere_to_rewind_to(client: TestClient, machine: str, form: dict[str, str], words: str) -> None:
    text = refused(sent(client, f"{machine}/rewind", view="at=2", **form), 422)
    assert f"Nothing was restored. {words}" in text
    assert "You are at #2 of 5" in text
    assert head(client, machine) == HEAD


def test_a_call_from_the_past_is_made_at_the_head(client: TestClient, machine: str) -> None:
    """A page that was opened while it was the present."""
    for path, form in (
        ("/line", {"line": "alloc_page(GFP_KERNEL)"}),
        ("/call/alloc_page", {"gfp": "GFP_KERNEL"}),
    ):
        answer = sent(client, machine + path, view="at=2", **form)
        assert answer.status_code == 303
        assert "at=" not in answer.headers["location"]
    text = refused(sent(client, f"{machine}/line", view="at=2", line="alloc_page("), 422)
    assert "You are at" not in text


@pytest.mark.parametrize("form", ["undo", "rewind", "fork"])
def test_no_such_session(client: TestClient, form: str) -> None:
    answer = sent(client, f"/sessions/gone/{form}", to="1")
    assert answer.status_code == 404
    assert "A session that was deleted is gone for good." in text_of(answer)


# -- branching off -----------------------------------------------------------------------------------------


def test_fork(client: TestClient, machine: str) -> None:
    answer = sent(client, f"{machine}/fork", at="2", view="at=2&panel=slab&outcome=2&shift=0")
    assert answer.status_code == 303
    path, _, view = answer.headers["location"].partition("?")
    assert path != machine
    assert view == "shift=0&panel=slab"
    source = shown(client, path)
    assert f'<a href="{machine}?at=2"' in source
    assert ">from #2</a>" in source
    assert "past-bar" not in source
    assert 'min="2" max="2" value="2"' in source
    assert client.get(f"{BASE}{path}/dump").json() == client.get(f"{BASE}{machine}/dump?at=2").json()
    assert "You are at #2 of 5" in page(client, f"{machine}?at=2")
    assert head(client, machine) == HEAD


def test_the_head_is_forked_where_no_row_is_named(client: TestClient, machine: str) -> None:
    path = sent(client, f"{machine}/fork").headers["location"]
    assert head(client, path) == HEAD


@pytest.mark.parametrize(("at", "words"), [("6", "at: a seq from 0 to 5"), ("x", "at: the number of a row")])
def test_nothing_to_fork(client: TestClient, machine: str, at: str, words: str) -> None:
    assert f"Nothing was branched off. {words}" in refused(sent(client, f"{machine}/fork", at=at), 422)


def test_before_a_branch_there_is_nothing(client: TestClient, machine: str) -> None:
    path = sent(client, f"{machine}/fork", at="3").headers["location"]
    for _ in range(2):
        sent(client, f"{path}/line", line="alloc_page(GFP_KERNEL)")
    source = shown(client, f"{path}?at=1")
    assert "You are at #3 of 5" in text_of(client.get(f"{path}?at=1"))
    assert 'id="time-before"' not in source
    assert 'id="time-after"' in source
    assert ">Older</a>" not in source
    assert "at=1" not in source


def test_the_origin_may_be_gone(client: TestClient, machine: str) -> None:
    path = sent(client, f"{machine}/fork", at="3").headers["location"]
    assert client.delete(f"{BASE}{machine}").status_code == 204
    origin = one(r'<a href="([^"]+)"[^>]*>from #3', shown(client, path))
    assert "A session that was deleted is gone for good." in page(client, origin, 404)


# -- a journal that cannot be followed ---------------------------------------------------------------------


def doctor(folder: Path, machine: str, seq: int) -> None:
    """Let a row say that its call had another result: as if another engine had written it."""
    sid = machine.rpartition("/")[2]
    with raw(settings_for(folder)) as db:
        ((body,),) = db.execute("SELECT outcome FROM journal WHERE session_id = ? AND seq = ?", (sid, seq))
        other = json.dumps({**json.loads(body), "ret": "0xdead"}, separators=(",", ":"))
        db.execute(
            "UPDATE journal SET outcome = ? WHERE session_id = ? AND seq = ?", (other.encode(), sid, seq)
        )


def test_a_session_that_another_engine_wrote(tmp_path: Path) -> None:
    with client_of(build(tmp_path)) as client:
        machine = lived(client)
        client.post(f"{BASE}{machine}/rewind", json={"to": 2})
        untouched = client.get(f"{BASE}{machine}/dump?at=2").json()
    doctor(tmp_path, machine, 4)
    with client_of(build(tmp_path)) as client:
        # The moments that cannot be rebuilt are not among those that made the present.
        text = page(client, f"{machine}?at=5")
        assert "That moment cannot be shown. diverged at seq 4" in text
        assert "You are at" not in text
        assert "You are at #3 of 6" in page(client, f"{machine}?at=3")
        assert "Nothing was restored. diverged at seq 4" in refused(
            sent(client, f"{machine}/rewind", to="5"), 409
        )
        assert "Nothing was branched off" in refused(sent(client, f"{machine}/fork", at="5"), 409)
    doctor(tmp_path, machine, 2)
    with client_of(build(tmp_path)) as client:
        source = shown(client, machine)
        assert "This session is read-only. diverged at seq 2" in page(client, machine)
        way = one(r'<a href="([^"]+)"[^>]*>Go there', source)
        assert "You are at #1 of 6" in page(client, way)
        for form in ("undo", "line"):
            answer = sent(client, f"{machine}/{form}", line="alloc_page(GFP_KERNEL)")
            assert "diverged at seq 2" in refused(answer, 409)
        fork = sent(client, f"{machine}/fork", at="1").headers["location"]
        assert client.get(f"{BASE}{fork}/dump").json() != untouched
        assert sent(client, f"{fork}/line", line="alloc_page(GFP_KERNEL)").status_code == 303


@pytest.mark.parametrize(("act", "to"), [("undo", 4), ("rewind", 0)])
def test_going_back_says_what_the_machine_is_again_and_nothing_of_runs(
    client: TestClient, act: str, to: int
) -> None:
    session = lived(client)
    answer = client.post(f"{BASE}{session}/{act}", json={"to": to} if act == "rewind" else {})
    assert answer.status_code == 201
    assert answer.json()["changed"] is None
    words = text_of(client.get(session))
    assert f"the machine has the state of row #{to} again" in words
    assert "more than 256 runs" not in words

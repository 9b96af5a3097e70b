"""What a mistake's page says, and what can be pressed there."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.machine.mistakes import MISTAKES
from app.web.mistakes import PRESSES
from tests.machine.test_mistakes import LINES
from tests.support.served import build, client_of

BASE = "/api/v1"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_of(build(tmp_path_factory.mktemp("mistakes"))) as client:
        yield client


def session(client: TestClient, **machine: Any) -> str:
    made = client.post(f"{BASE}/sessions", json={"name": "x", "machine": {"profile": "x86_64-1g"} | machine})
    return f"/sessions/{made.json()['id']}"


def called(client: TestClient, path: str, way: str) -> dict[str, Any]:
    """The calls of one line of the table, as a batch; the last outcome."""
    calls = [
        {"call": function, **args} | ({"as": "it"} if function.startswith(("k", "v", "a", "__g")) else {})
        for function, args in LINES[way].calls
    ]
    for call in calls:
        if call["call"] in (
            "kfree",
            "vfree",
            "kunmap",
            "kmem_cache_free",
            "kmem_cache_create",
            "kmem_cache_destroy",
        ):
            call.pop("as", None)
    answer = client.post(f"{BASE}{path}/calls", json={"calls": calls})
    assert answer.status_code == 201, answer.text
    outcome: dict[str, Any] = answer.json()["outcomes"][-1]
    return outcome


def banner(html: str) -> str:
    return unescape(html.partition('<div class="cause">')[2].partition("</div>\n</div>")[0])


def test_each_mistake_says_what_to_press() -> None:
    assert set(PRESSES) == set(MISTAKES)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("way", LINES)
def test_the_sentence_is_on_the_machine_s_page_and_on_the_explanation(client: TestClient, way: str) -> None:
    path = session(client, **({"debug": True} | LINES[way].machine))
    outcome = called(client, path, way)
    cause, seq, html = outcome["cause"], outcome["seq"], ""
    for page in (f"{path}?outcome={seq}", f"{path}/explain/{seq}"):
        html = client.get(page).text
        assert cause["text"] in banner(html)
        assert cause["kernel"] in banner(html)
        assert f'action="{path}/undo"' in banner(html)
    explained = client.get(f"{BASE}{path}/events/{seq}/explain").json()
    assert explained["cause"]["mistake"] == cause["mistake"]
    assert explained["conclusion"].startswith(cause["text"])
    assert explained["deciding"] in range(1, len(explained["steps"]) + 1)
    for href in re.findall(r'<a href="([^"]+)"', banner(html)):
        assert client.get(href).status_code == 200


def test_what_can_be_pressed_does_it(client: TestClient) -> None:
    path = session(client)
    called(client, path, "sleeping_allocation")
    html = banner(client.get(path, params={"outcome": 1}).text)
    lines = re.findall(r'name="line" value="([^"]+)"', html)
    assert lines == ["/hardirq: kmalloc(100, GFP_ATOMIC)", "kmalloc(100, GFP_KERNEL)"]
    for line in lines:
        answer = client.post(f"{path}/line", data={"line": line}, follow_redirects=False)
        assert answer.status_code == 303
    rows = client.get(f"{BASE}{path}/events").json()["items"]
    assert [row["verdict"] for row in rows] == ["bug", "ok", "ok"]


def test_who_waits_for_itself_can_be_freed(client: TestClient) -> None:
    path = session(client)
    outcome = called(client, path, "lock_twice")
    html = banner(client.get(path, params={"outcome": outcome["seq"]}).text)
    for words in ("Undo", "Call as another task", "kill_task(init)"):
        assert words in html
    (other, kill) = re.findall(r'name="line" value="([^"]+)"', html)
    assert client.post(f"{path}/line", data={"line": other}, follow_redirects=False).status_code == 303
    assert client.get(f"{BASE}{path}/events/4").json()["woken"] == ["init"]
    assert client.post(f"{path}/line", data={"line": kill}, follow_redirects=False).status_code == 303


def test_undo_is_offered_for_the_last_call_alone(client: TestClient) -> None:
    path = session(client)
    called(client, path, "lost_frames")
    called(client, path, "lost_frames:put")
    assert "Undo" in banner(client.get(path, params={"outcome": 4}).text)
    assert "Undo" not in banner(client.get(path, params={"outcome": 2}).text)


@pytest.mark.parametrize(
    ("way", "call"),
    [("object_freed_twice", "kfree"), ("page_freed_twice", "__free_page"), ("vfree_nothing", "vfree")],
)
def test_what_is_freed_twice_names_who_freed_it_first(client: TestClient, way: str, call: str) -> None:
    path = session(client)
    outcome = called(client, path, way)
    explained = client.get(f"{BASE}{path}/events/{outcome['seq']}/explain").json()
    assert explained["cause"]["freed"] == {"seq": 2, "call": call, "task": "init"}
    assert explained["steps"][-1]["what"].endswith(f"It is free since #2: {call} by init.")
    assert "Row #2, which freed it" in client.get(f"{path}/explain/{outcome['seq']}").text


def test_a_free_that_was_undone_is_not_named(client: TestClient) -> None:
    path = session(client)
    for line in ("a = kmalloc(100, GFP_KERNEL)", "b = kmalloc(100, GFP_KERNEL)", "alice: kfree(a)"):
        client.post(f"{BASE}{path}/calls", content=line, headers={"Content-Type": "text/plain"})
    client.post(f"{BASE}{path}/undo")
    for line in ("bob: kfree(a)", "kfree(a)"):
        client.post(f"{BASE}{path}/calls", content=line, headers={"Content-Type": "text/plain"})
    explained = client.get(f"{BASE}{path}/events/6/explain").json()
    assert explained["cause"]["freed"] == {"seq": 5, "call": "kfree", "task": "bob"}


def test_lost_frames_have_a_colour_of_their_own(client: TestClient) -> None:
    path = session(client)
    called(client, path, "lost_frames")
    html = client.get(path, params={"outcome": 2}).text
    assert 'class="answer answer-lost"' in html
    assert html.count("24 frames have no owner now") >= 2
    assert 'class="answer answer-lost"' in client.get(f"{path}/explain/2").text


def test_the_outcome_says_which_row_freed_before_what_is_freed_again(client: TestClient) -> None:
    made = client.post(f"{BASE}/sessions", json={"machine": {"profile": "tiny-16m"}}).json()
    path = f"/sessions/{made['id']}"
    text = "a = kmalloc(64, GFP_KERNEL)\nbob: kfree(a)\nkmalloc(8, GFP_KERNEL)\nkfree(a)\n"
    done = client.post(f"{BASE}{path}/calls", content=text, headers={"content-type": "text/plain"}).json()
    assert done["outcomes"][3]["written"] == {"addr": "a"}
    page = client.get(path).text
    assert "It is free since #2: kfree by bob." in page
    assert "Row #2, which freed it" in page
    assert "kfree(a)" in page

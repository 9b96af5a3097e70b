"""The page that compares page replacement policies: its answers, its addresses, and what it refuses."""

import html
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from starlette.testclient import TestClient

from tests.support.served import BASE

pytest_plugins = ("tests.support.clients",)

DINOSAUR = "7 0 1 2 0 3 0 4 2 3 0 3 2 1 2 0 1 7 0 1"
BELADY = "1 2 3 4 1 2 5 1 2 3 4 5"
LINES = """\
a: execve()
a: p = mmap(NULL, 64K, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS)
a: store(p) * 3
a: load(p+4100)
"""


@pytest.fixture(scope="module")
def session(client: TestClient) -> str:
    made = client.post(f"{BASE}/sessions", json={"machine": {"profile": "x86_64-1g"}}).json()["id"]
    text = {"content-type": "text/plain"}
    assert client.post(f"{BASE}/sessions/{made}/calls", content=LINES, headers=text).status_code == 201
    return str(made)


def shown(client: TestClient, status: int = 200, **asked: Any) -> str:
    """What the page says, without tags."""
    answer = client.get("/replacement", params={"of": "list"} | asked)
    assert answer.status_code == status, answer.text
    return plain(answer.text)


def plain(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def test_a_list_is_compared_step_by_step(client: TestClient) -> None:
    page = shown(client, string=DINOSAUR, policy="lru")
    assert "LRU with 3 frames" in page
    assert "12 faults · 9 replacements" in page
    assert "FFFFHFHFFFFHHFHFHFHH" in page
    assert "4 2 fault 2 0 1 7 not used for longest: since reference 1" in page
    assert "Belady" not in page.replace("Belady’s anomaly </a>", "")
    assert "3 15 12 14 9" in page.replace(" ▲", "")  # the table beside the curve
    assert "after a replacement stands behind the replaced frame" in page  # conventions are always there


def test_beladys_anomaly_is_named(client: TestClient) -> None:
    page = client.get("/replacement", params={"of": "list", "string": BELADY, "policy": "fifo"}).text
    assert "Belady’s anomaly: FIFO has 9 faults with 3 frames, and 10 with 4." in plain(page)
    assert 'class="dots line-fifo"' in page
    assert 'class="dots line-lru"' not in page


def test_what_is_asked_stands_in_the_address(client: TestClient) -> None:
    form = {"of": "list", "string": "1 2 3", "frames": "2", "load_bit": "0", "with": ["fifo", "opt"]}
    sent = client.post("/replacement", data=form)
    assert sent.status_code == 303
    fields = parse_qsl(urlsplit(sent.headers["location"]).query)
    assert fields == [
        ("of", "list"), ("string", "1 2 3"), ("frames", "2"), ("policy", "lru"),
        ("with", "fifo"), ("with", "opt"), ("load_bit", "0"),
    ]  # fmt: skip
    long = client.post("/replacement", data=form | {"string": "1 2 3 " * 2000})
    assert long.status_code == 200
    assert "references 6,000" in plain(long.text)
    assert "1 to 100 of 6,000" in plain(long.text)
    later = shown(client, string="1 2 3 " * 100, row="250")
    assert "201 to 300 of 300" in later


def test_a_trace_says_what_was_dropped(client: TestClient) -> None:
    trace = "==9== Lackey\nnonsense\n" + "I  04001000,3\n S 1fff000540,8\n" * 3
    sent = client.post("/replacement", data={"of": "trace"}, files={"trace": ("t.txt", trace.encode())})
    page = plain(sent.text)
    assert sent.status_code == 200
    assert "references 6 pages 2 writes 3 form valgrind’s lackey" in page
    assert "dropped 1: valgrind’s own words dropped 1: lines that are no reference" in page
    pasted = client.post("/replacement", data={"of": "trace", "trace_text": "0 41f7a0\n1 13f5e2c0\n"})
    assert "form dinero’s din" in plain(pasted.text)
    # A short one can be asked about further: it is a list then.
    assert "of=list&amp;string=16385+33550336W" in sent.text


def test_a_session_is_compared_with_what_its_machine_did(client: TestClient, session: str) -> None:
    machine = client.get(f"/sessions/{session}?view=vm").text
    link = re.search(r'href="(/replacement\?[^"]*)"', machine)
    assert link is not None
    page = plain(client.get(html.unescape(link[1])).text)
    assert "The machine itself had 3 page faults at these references." in page
    assert "references 4 pages 3 writes 3" in page
    assert "Back to the machine" in page
    assert re.search(r"0x7ffff7\w+ hit .* H ", page)  # the last column
    chosen = shown(client, of="session", session=session)
    assert "Choose a process of the session." in chosen
    assert "a 2 calls" in chosen


def test_a_page_that_had_left_is_told_of(client: TestClient) -> None:
    made = client.post(f"{BASE}/sessions", json={"machine": {"profile": "x86_64-1g"}}).json()["id"]
    lines = """a: execve()
a: f = open("/data/a", 0)
a: q = mmap(NULL, 16K, PROT_READ, MAP_SHARED, f, 0)
a: load(q) * 2
a: madvise(q, 16K, MADV_DONTNEED)
sysctl("drop_caches", 1)
a: load(q) * 2"""
    text = {"content-type": "text/plain"}
    sent = client.post(f"{BASE}/sessions/{made}/calls", content=lines, headers=text)
    assert sent.status_code == 201, sent.text
    page = shown(client, of="session", session=made, task="a", policy="fifo")
    assert "The machine itself had 2 page faults at these references. 1 of them read a page again" in page


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("FFFFHFHFFFFHHFHFHFHH", "All 20 steps are the same."),
        ("12", "The number of faults is the same."),
        ("9", "It would be the same if faults that fill an empty frame are not counted."),
        ("FFFFHFFFFFFHHFFHHFFF", "It would be the same if it is another policy: FIFO."),
        ("7 F\n0 F\n1 H", "The first step that differs is reference 3. yours a hit here a fault"),
        ("FFFH", "4. yours a hit here 7 goes: not used for longest: since reference 1"),
        ("7 F\n0 F\n1 F\n2 F 0", "yours 0 goes here 7 goes: not used for longest"),
        ("7 F\n9 F", "Reference 2 is to another page"),
        ("FFFF", "All steps are the same, as far as both go. yours 4 steps here 20 steps"),
        ("# mine\n7 F", "1 line is no step and was left out."),
    ],
)
def test_a_second_opinion_is_given(client: TestClient, said: str, words: str) -> None:
    assert words in shown(client, string=DINOSAUR, policy="lru", opinion=said)


def test_the_bit_at_load_explains_a_clock(client: TestClient) -> None:
    page = shown(client, string=DINOSAUR, policy="clock", opinion="11")
    assert "if the referenced bit of a page is 0 when it is loaded, and only a hit sets it" in page


@pytest.mark.parametrize(
    ("asked", "field", "words"),
    [
        ({"string": ""}, "string", "pages, as 7 0 1"),
        ({"string": "7 x"}, "string", "word 2, 'x', is no page"),
        ({"string": "7", "frames": "0"}, "frames", "from 1 to 1,048,576"),
        ({"string": "7", "frames": "three"}, "frames", "a number of frames"),
        ({"string": "7", "to": "100000"}, "to", "at most 4096 results"),
        ({"string": "7", "policy": "mru"}, "policy", "one of fifo"),
        ({"string": "7", "with": "mru"}, "with", "some of fifo"),
        ({"string": "7", "load_bit": "2"}, "load_bit", "0 or 1"),
        ({"string": "7", "opinion": "?"}, "opinion", "a line for each reference"),
        ({"of": "web"}, "of", "list, session or trace"),
        ({"of": "session"}, "session", "choose one of your sessions"),
        ({"of": "trace"}, "trace", "choose a file"),
        ({"of": "trace", "trace_text": "nothing"}, "trace", "lackey"),
    ],
)
def test_a_field_that_cannot_be_is_named(
    client: TestClient, asked: dict[str, str], field: str, words: str
) -> None:
    page = shown(client, 422, **asked)
    assert re.search(rf"Nothing was compared .*{field} : [^<]*{re.escape(words)}", page), page
    if "string" in asked:
        assert f">\n{asked['string']}</textarea>" in client.get("/replacement", params=asked).text


def test_another_one_s_session_is_not_there(client: TestClient, session: str) -> None:
    assert client.get("/replacement", params={"of": "session", "session": "nowhere"}).status_code == 404
    shown(client, 404, of="session", session=session, task="nobody")


def test_without_anything_there_are_strings_to_begin_with(client: TestClient) -> None:
    page = client.get("/replacement").text
    assert "Nothing compared yet" in page
    examples = re.findall(r'<li><a href="(/replacement\?[^"]*)"', page)
    assert len(examples) == 4
    for example in examples:
        assert client.get(html.unescape(example)).status_code == 200
    assert 'href="/replacement"' in client.get("/").text

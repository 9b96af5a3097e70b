"""The list of sessions with its pictures, and machines from files: dumps and exported sessions."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from app.machine import boot, parsing
from app.machine.machine import Machine
from app.web import thumbnail
from tests.ftrace.test_logs import alloc, free
from tests.support.reports import REPORTS
from tests.support.served import BASE, build, client_of, protected

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_of(build(tmp_path_factory.mktemp("home"))) as client:
        yield client


def session(client: TestClient, lines: str = "", **shape: Any) -> str:
    """A session's path."""
    shape = {"profile": "tiny-16m"} | shape
    made = client.post(f"{BASE}/sessions", json={"name": "one", "machine": shape}).json()
    path = f"/sessions/{made['id']}"
    if lines:
        client.post(f"{BASE}{path}/calls", content=lines, headers={"Content-Type": "text/plain"})
    return path


def upload(client: TestClient, content: bytes, name: str = "") -> Response:
    return client.post("/sessions", data={"name": name}, files={"file": ("a.ndjson", content)})


# -- pictures -----------------------------------------------------------------------------------------------


def test_every_session_has_a_picture_that_is_fetched_when_it_is_seen(client: TestClient) -> None:
    path = session(client, "alloc_pages(GFP_KERNEL, 3)")
    page = client.get("/").text
    picture = re.search(
        rf'<img src="({path}/thumbnail\.svg\?seq=1)"[^>]*loading="lazy"[^>]*alt="([^"]*)"', page
    )
    assert picture
    assert picture[2] == "The memory of one: at #1"
    answer = client.get(picture[1])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    protected(answer)
    svg = ET.fromstring(answer.text)
    assert svg.tag == f"{SVG}svg"
    assert {child.tag for child in svg} == {f"{SVG}path"}
    assert "style" not in answer.text
    # What has been drawn is told in words from then on.
    assert svg.attrib["aria-label"] in client.get("/").text


def test_a_picture_is_of_its_row(client: TestClient) -> None:
    path = session(client, "alloc_pages(GFP_HIGHUSER_MOVABLE, 10)")
    before, after = (client.get(f"{path}/thumbnail.svg?seq={seq}").text for seq in (0, 1))
    assert "movable" not in before
    assert "movable" in after
    now = client.get(f"{path}/thumbnail.svg")
    assert now.text == after
    assert now.headers["cache-control"] == "no-store"


def test_there_is_no_picture_of_what_is_not_there(client: TestClient) -> None:
    path = session(client)
    assert client.get(f"{path}/thumbnail.svg?seq=0").status_code == 200
    assert client.get(f"{path}/thumbnail.svg?seq=9").status_code == 422
    assert client.get(f"{path}/thumbnail.svg?seq=x").status_code == 200
    assert client.post(f"{path}/delete").status_code == 303
    # Though it has been drawn before.
    assert client.get(f"{path}/thumbnail.svg?seq=0").status_code == 404
    assert client.get("/sessions/nobodys/thumbnail.svg?seq=0").status_code == 404


def covered(machine: Machine) -> dict[str, float]:
    """Cells under each colour of a machine's picture."""
    svg = ET.fromstring(thumbnail.drawn(machine).svg)
    areas: dict[str, float] = {}
    for path in svg:
        boxes = re.findall(r"M[\d.]+ [\d.]+h(\d+)v([\d.]+)h-\d+z", path.attrib["d"])
        areas[path.attrib["fill"]] = areas.get(path.attrib["fill"], 0) + sum(
            int(width) * float(height) for width, height in boxes
        )
    return areas


@pytest.mark.parametrize("profile", [profile["name"] for profile in boot.profiles()])
def test_a_picture_is_small_and_leaves_out_holes(profile: str) -> None:
    m = boot.boot({"profile": profile})
    assert len(thumbnail.drawn(m).svg) < 2000
    doc = thumbnail.show.zonemap(m, cells=thumbnail.CELLS)
    cells = thumbnail.states(doc, thumbnail.show.zones(m)["zones"])
    areas = covered(m)
    areas.pop(thumbnail.COLOURS[thumbnail.USED], None)
    assert sum(areas.values()) == len(cells) - cells.count(thumbnail.OUTSIDE)
    assert 256 <= len(cells) <= 512


def test_a_few_frames_of_a_large_cell_are_seen() -> None:
    m = boot.boot({"profile": "x86_64-8g"})
    before = covered(m).get(thumbnail.COLOURS[thumbnail.USED], 0)
    m.apply(parsing.parse("alloc_pages", {"gfp": "GFP_KERNEL", "order": 9}, m.model), 1)
    assert covered(m)[thumbnail.COLOURS[thumbnail.USED]] > before


def test_every_state_has_a_colour() -> None:
    assert set(thumbnail.COLOURS) >= set(thumbnail.show.zonemap(boot.boot({"profile": "tiny-16m"}))["states"])


def test_only_so_many_pictures_are_kept(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnail, "CACHED", 2)
    path = session(client, "alloc_pages(GFP_KERNEL, 3)\nalloc_pages(GFP_KERNEL, 3)")
    for seq in (0, 1, 2, 0):
        assert client.get(f"{path}/thumbnail.svg?seq={seq}").status_code == 200
    kept = client.app.state.thumbnails  # type: ignore[attr-defined]
    sid = path.rpartition("/")[2]
    assert [kept.words(sid, seq) is not None for seq in (0, 1, 2)] == [True, False, True]


# -- files --------------------------------------------------------------------------------------------------


def test_a_session_goes_out_and_comes_in_again(client: TestClient) -> None:
    path = session(client, "p = alloc_pages(GFP_KERNEL, 3)\nalice: kmalloc(100, GFP_KERNEL)")
    page = client.get("/").text
    for file in ("export", "dump"):
        assert f'href="{BASE}{path}/{file}"' in page
    exported = client.get(f"{BASE}{path}/export")
    for name, expected in (("", "one"), ("again", "again")):
        answer = upload(client, exported.content, name)
        assert answer.status_code == 303, answer.text
        made = client.get(f"{BASE}{answer.headers['location']}").json()
        assert (made["name"], made["seq"]) == (expected, 2)
    dump = client.get(f"{BASE}{path}/dump")
    answer = upload(client, dump.content, "of a dump")
    assert answer.status_code == 303
    assert client.get(f"{BASE}{answer.headers['location']}/dump").json() == dump.json()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: lines[:-1], "the file ends here, before its last line"),
        (lambda lines: [lines[0], b"{"], "<code>line 2</code>"),
        (lambda lines: [lines[0], lines[1].replace(b'"order":3', b'"order":2'), *lines[2:]], "<code>line"),
    ],
)
def test_what_is_wrong_with_an_exported_session_is_told_by_its_line(
    client: TestClient, change: Any, words: str
) -> None:
    path = session(client, "alloc_pages(GFP_KERNEL, 3)")
    lines = client.get(f"{BASE}{path}/export").content.splitlines(keepends=True)
    before = len(client.get(f"{BASE}/sessions").json()["items"])
    answer = upload(client, b"".join(change(lines)), "mine")
    assert answer.status_code == 422
    assert "No machine was created" in answer.text
    assert words in answer.text
    assert 'id="file-name" name="name" type="text" value="mine"' in answer.text
    assert len(client.get(f"{BASE}/sessions").json()["items"]) == before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "this file is empty"),
        (b'{\n"kernel": 1,\n oops}', "<code>line 3</code>: this file is not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'"kmemlab"', "one JSON object"),
        (b'{"a": 1}', "this is neither a dump of a machine nor an exported session"),
    ],
)
def test_what_is_no_file_of_ours(client: TestClient, content: bytes, words: str) -> None:
    answer = upload(client, content)
    assert answer.status_code == 422
    assert words in answer.text


def test_a_form_without_a_file(client: TestClient) -> None:
    for files in ({"other": ("a", b"{}")}, {"file": ("", b"")}):
        answer = client.post("/sessions", data={"name": "x"}, files=files)
        assert answer.status_code == 422
        assert 'id="refusal-file"' in answer.text


def test_a_file_may_be_as_long_as_an_import_and_a_dump_only_as_a_dump(tmp_path: Path) -> None:
    with client_of(build(tmp_path, dump_limit=2_000, import_limit=50_000)) as client:
        path = session(client, "alloc_pages(GFP_KERNEL, 0)\n" * 20)
        exported = client.get(f"{BASE}{path}/export").content
        assert 4_000 < len(exported) < 50_000
        assert upload(client, exported).status_code == 303
        answer = upload(client, b'{"a":"' + b"x" * 3_000 + b'"}')
        assert answer.status_code == 422
        assert "a dump has at most 2,000 bytes" in answer.text
        assert upload(client, b"x" * 60_000).status_code == 413
        plain = client.post("/sessions", data={"name": "x" * 60_000})
        assert plain.status_code == 413


def test_a_name_that_cannot_be_is_refused_before_the_file_is_told_again(client: TestClient) -> None:
    path = session(client, "alloc_pages(GFP_KERNEL, 3)")
    answer = upload(client, client.get(f"{BASE}{path}/export").content, "x" * 200)
    assert answer.status_code == 422
    assert "<code>name</code>" in answer.text


def test_calls_are_those_of_a_machine_s_own(client: TestClient) -> None:
    """A fork begins at a row of another machine, and has none itself."""
    made = client.post(f"{BASE}/sessions", json={"name": "first", "machine": {"profile": "tiny-16m"}}).json()
    lines, text = "alloc_page(GFP_KERNEL)\n" * 2, {"Content-Type": "text/plain"}
    client.post(f"{BASE}/sessions/{made['id']}/calls", content=lines, headers=text)
    fork = client.post(f"{BASE}/sessions/{made['id']}/fork", json={"name": "second"}).json()
    assert fork["seq"] == 2
    rows = {
        sid: client.get("/").text.partition(f'id="session-{sid}"')[2].partition("</tr>")[0]
        for sid in (made["id"], fork["id"])
    }
    assert '">2</td>' in rows[made["id"]]
    assert '">0</td>' in rows[fork["id"]]
    assert "its 0 journalled calls" in client.get(f"/sessions/{fork['id']}/delete").text
    assert "its 2 journalled calls" in client.get(f"/sessions/{made['id']}/delete").text


BUDDYINFO = (
    "Node 0, zone      DMA      0      0      0      0      0      1      1      1      0      1      3 \n"
    "Node 0, zone    DMA32     53     21      8      4      1      1      7      5      3      2      4 \n"
)


def counts_of(client: TestClient, path: str) -> list[str]:
    text: str = client.get(f"{BASE}{path}/proc/buddyinfo").text
    return text.split()


def test_a_machine_from_the_text_of_a_real_one_pasted_or_as_a_file(client: TestClient) -> None:
    pasted = client.post("/sessions", data={"proc": BUDDYINFO, "name": "his"}, follow_redirects=False)
    filed = client.post(
        "/sessions", data={"name": ""}, files={"file": ("buddyinfo.txt", BUDDYINFO)}, follow_redirects=False
    )
    for answer in (pasted, filed):
        assert answer.status_code == 303
        path = answer.headers["location"]
        assert counts_of(client, path) == BUDDYINFO.split()
        assert client.get(path).status_code == 200


def test_a_pasted_text_at_fault_stands_in_its_form_again_with_the_line(client: TestClient) -> None:
    text = BUDDYINFO + "Node 0, zone Normal 1 2 3\n"
    answer = client.post("/sessions", data={"proc": text, "name": "his"})
    assert answer.status_code == 422
    assert 'id="refusal-proc"' in answer.text
    assert "line 3" in answer.text
    assert "zone Normal 1 2 3" in answer.text
    assert 'id="proc-name" name="name" type="text" value="his"' in answer.text
    answer = client.post("/sessions", data={"name": ""}, files={"file": ("a.txt", text)})
    assert (answer.status_code, 'id="refusal-file"' in answer.text, "line 3" in answer.text) == (
        422,
        True,
        True,
    )


def test_a_report_says_what_is_assumed_and_its_request_can_be_made_again(client: TestClient) -> None:
    text, _, line = REPORTS["5.4"]
    pasted = client.post("/sessions", data={"proc": text}, follow_redirects=False)
    path = pasted.headers["location"]
    page = client.get(path).text
    assert "From a report of a failed allocation" in page
    assert "5.4.19-100.fc30.x86_64" in page
    assert "The per-CPU lists are empty." in page
    assert f'id="line" name="line" class="mono" value="{line}"' in page
    again = client.post(f"{path}/line", data={"line": line}, follow_redirects=True).text
    assert '<details class="from-report">' in again
    assert "NULL" in again
    assert f'value="{line}" placeholder' not in again


def test_a_pasted_log_of_a_kernel(client: TestClient) -> None:
    log = alloc(0x400, 1) + free(0x400, 1)
    made = client.post("/sessions", data={"proc": log, "name": "theirs"}, follow_redirects=False)
    assert made.status_code == 303
    assert client.get(f"{BASE}{made.headers['location']}").json()["seq"] == 2
    file = {"file": ("log.txt", log.encode(), "text/plain")}
    uploaded = client.post("/sessions", files=file, data={"name": "again"}, follow_redirects=False)
    assert client.get(f"{BASE}{uploaded.headers['location']}").json()["seq"] == 2
    refused = client.post("/sessions", data={"proc": "# tracer: nop\n", "name": "theirs"})
    assert refused.status_code == 422
    assert "tells of no pages" in refused.text

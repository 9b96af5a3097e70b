"""A session as a file: an equal session elsewhere, or a refusal that says where."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.machine import machine as mm_machine
from app.machine import ruleset
from app.machine.outcome import Outcome
from app.sessions import exporting, importing, snapshots
from app.sessions.errors import Busy, NotFound
from app.sessions.exported import Limits
from app.store import Store, imports, sessions
from tests.support.exported import NDJSON, Lines, changed, exported, file_of, filled, imported, lines_of
from tests.support.factories import raw, settings_for
from tests.support.served import BASE, build, client_of, problem

pytest_plugins = ("tests.support.clients",)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Another server with a database of its own."""
    with client_of(build(tmp_path_factory.mktemp("elsewhere"))) as client:
        yield client


@pytest.fixture(scope="module")
def original(client: TestClient) -> str:
    return filled(client)


@pytest.fixture(scope="module")
def file(client: TestClient, original: str) -> bytes:
    return exported(client, original)


def sessions_of(client: TestClient) -> list[str]:
    return [session["id"] for session in client.get(f"{BASE}/sessions?limit=1000").json()["items"]]


def dump(client: TestClient, sid: str, at: int | None = None) -> Any:
    answer = client.get(f"{BASE}/sessions/{sid}/dump", params={} if at is None else {"at": at})
    assert answer.status_code == 200, answer.text
    return answer.json()


def equal(here: TestClient, sid: str, there: TestClient, copy: str) -> None:
    """Everything but id, owner, origin and creation is the same."""
    mine, other = (c.get(f"{BASE}/sessions/{s}").json() for c, s in ((here, sid), (there, copy)))
    own = ("id", "origin", "created")
    assert {k: v for k, v in mine.items() if k not in own} == {k: v for k, v in other.items() if k not in own}
    assert other["origin"] is None
    assert copy != sid
    files = [exported(client, of).splitlines() for client, of in ((here, sid), (there, copy))]
    assert files[0][1:-1] == files[1][1:-1]
    start, head = json.loads(files[0][0])["start"], mine["seq"]
    for seq in range(start, head + 1):
        assert dump(here, sid, seq) == dump(there, copy, seq), seq
    assert dump(here, sid) == dump(there, copy)


def test_the_file(client: TestClient, original: str, file: bytes) -> None:
    answer = client.get(f"{BASE}/sessions/{original}/export")
    assert answer.headers["content-type"] == NDJSON["content-type"]
    assert answer.headers["content-disposition"] == f'attachment; filename="{original}.ndjson"'
    seq = client.get(f"{BASE}/sessions/{original}").json()["seq"]
    assert answer.headers["etag"] == f'"{seq}"'
    lines = lines_of(file)
    assert (lines[0]["kmemlab"], lines[0]["kind"], lines[0]["seq"]) == (1, "session", seq)
    rows = [line for line in lines if "outcome" in line]
    assert [row["seq"] for row in rows] == list(range(1, seq + 1))
    assert file_of(lines) == file  # so it is signed as `file_of` signs
    journal = client.get(
        f"{BASE}/sessions/{original}/events", headers={"accept": NDJSON["content-type"]}
    ).content.splitlines()
    assert [json.loads(line) for line in journal] == [row["outcome"] for row in rows]
    assert any(row["effective"] != row["seq"] for row in rows)
    assert {line["name"] for line in lines if "name" in line and "named" in line} >= {"p", "fill", "objects"}


@pytest.mark.slow
def test_an_equal_session_elsewhere(
    client: TestClient, elsewhere: TestClient, original: str, file: bytes
) -> None:
    answer = imported(elsewhere, file)
    assert answer.status_code == 201, answer.text
    copy = answer.json()["id"]
    assert answer.headers["location"] == f"{BASE}/sessions/{copy}"
    assert copy in sessions_of(elsewhere)
    equal(client, original, elsewhere, copy)
    # It goes on as the original would: same names, same answers.
    for text in ("p2 = alloc_pages(GFP_KERNEL, 1)", "__free_pages(fill[1::2], 0)", "kfree(big)"):
        rows = []
        for there, sid in ((client, original), (elsewhere, copy)):
            calls = f"{BASE}/sessions/{sid}/calls"
            made = there.post(calls, content=text, headers={"content-type": "text/plain"})
            assert made.status_code == 201, made.text
            rows.append({**made.json()["outcomes"][0], "time": None})
        assert rows[0] == rows[1]
    assert elsewhere.post(f"{BASE}/sessions/{copy}/undo", json={}).status_code == 201


@pytest.mark.sampled(5)
@pytest.mark.parametrize(
    "at", [0, 1, 7, None, -5], ids=["start", "first", "later", "head", "back at the start"]
)
def test_a_fork(client: TestClient, elsewhere: TestClient, at: int | None) -> None:
    sid = filled(client)
    if at == -5:  # a state that has a boot document, though its seq is not 0
        at = client.post(f"{BASE}/sessions/{sid}/rewind", json={"to": 0}).json()["seq"]
    made = client.post(f"{BASE}/sessions/{sid}/fork", json={} if at is None else {"at": at})
    assert made.status_code == 201, made.text
    fork = made.json()["id"]
    one = f"{BASE}/sessions/{fork}"
    for _ in range(2):
        assert client.post(f"{one}/alloc_page", json={"gfp": "GFP_KERNEL"}).status_code == 201
    assert client.post(f"{one}/undo", json={}).status_code == 201
    copy = imported(elsewhere, exported(client, fork))
    assert copy.status_code == 201, copy.text
    equal(client, fork, elsewhere, copy.json()["id"])
    first = lines_of(exported(client, fork))[0]
    assert (first["start"], first["origin"]) == (made.json()["seq"], {"id": sid, "seq": made.json()["seq"]})


@pytest.mark.parametrize("machine", [{"profile": "i386-4g", "cpus": 2}, {"profile": "x86_64-8g", "nodes": 2}])
def test_other_machines(client: TestClient, elsewhere: TestClient, machine: dict[str, Any]) -> None:
    sid = filled(client, machine)
    answer = imported(elsewhere, exported(client, sid))
    assert answer.status_code == 201, answer.text
    copy = answer.json()["id"]
    assert dump(client, sid) == dump(elsewhere, copy)
    assert dump(client, sid, 9) == dump(elsewhere, copy, 9)


def test_from_a_dump_and_without_a_row(client: TestClient, elsewhere: TestClient, original: str) -> None:
    for machine in ({"dump": dump(client, original)}, {"profile": "tiny-16m"}):
        sid = client.post(f"{BASE}/sessions", json={"machine": machine}).json()["id"]
        answer = imported(elsewhere, exported(client, sid))
        assert answer.status_code == 201, answer.text
        equal(client, sid, elsewhere, answer.json()["id"])


def test_a_session_with_many_states_is_opened_from_them(
    client: TestClient, elsewhere: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "LEAST_ROWS", 1_000)
    monkeypatch.setattr(snapshots, "ROWS_WORTH", 100)
    monkeypatch.setattr(Outcome, "work", 1)
    sid = client.post(f"{BASE}/sessions", json={"machine": {"profile": "tiny-16m"}}).json()["id"]
    calls = [{"call": "alloc_page", "gfp": "GFP_KERNEL"}, {"call": "drain_all_pages"}] * 1300
    assert client.post(f"{BASE}/sessions/{sid}/calls", json={"calls": calls}).status_code == 201
    copy = imported(elsewhere, exported(client, sid)).json()["id"]
    assert dump(client, sid, 1234) == dump(elsewhere, copy, 1234)
    app: Any = elsewhere.app
    with raw(app.state.settings) as db:
        kept = db.execute("SELECT seq FROM snapshots WHERE session_id = ? ORDER BY seq", (copy,)).fetchall()
    assert kept == [(1000,), (2000,), (2600,)]


# -- what is refused -----------------------------------------------------------------------------------------


def refused(client: TestClient, file: bytes, status: int, *loc: str | int) -> str:
    """It is, and nothing is left of it: no session, no row, no state."""
    app: Any = client.app

    def everything() -> list[Any]:
        with raw(app.state.settings) as db:
            return [
                db.execute(f"SELECT count(*) FROM {table}").fetchone()
                for table in ("sessions", "journal", "names", "snapshots", "states")
            ]

    before = everything()
    detail = problem(imported(client, file), status, *loc)["detail"]
    assert everything() == before
    return str(detail)


CUT = {
    "in the header": (lambda lines: lines[0][:50], 400, 1),
    "after the header": (lambda lines: lines[0], 422, 1),
    "in a row": (lambda lines: b"".join(lines[:4]) + lines[4][:60], 400, 5),
    "after a row": (lambda lines: b"".join(lines[:5]), 422, 5),
    "before the end": (lambda lines: b"".join(lines[:-1]), 422, None),
    "nothing": (lambda _: b"", 400, 1),
}


@pytest.mark.parametrize("how", CUT)
def test_cut_off(elsewhere: TestClient, file: bytes, how: str) -> None:
    cut, status, line = CUT[how]
    lines = file.splitlines(keepends=True)
    refused(elsewhere, cut(lines), status, "line", line or len(lines) - 1)


BROKEN = {
    "not JSON": (b"{", 400),
    "not an object": (b"[1]", 400),
    "a number": (b"12", 400),
    "not UTF-8": (b'{"seq":"\xff"}', 400),
    "half a surrogate pair": (b'{"seq":"\\ud800"}', 400),
    "NaN": (b'{"seq":NaN}', 400),
    "too deep": (b"[" * 100_000, 400),
    "a long number": (b'{"seq":' + b"9" * 100_000 + b"}", 400),
    "a blank line": (b"", 400),
    "another object": (b"{}", 422),
}


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize("line", [1, 3])
def test_a_broken_line(elsewhere: TestClient, file: bytes, what: str, line: int) -> None:
    broken, status = BROKEN[what]
    lines = file.split(b"\n")
    lines[line - 1] = broken
    refused(elsewhere, b"\n".join(lines), status, "line", line)


def put(line: int, *path: str | int, value: Any) -> Callable[[Lines], None]:
    """A change of one member."""

    def change(lines: Lines) -> None:
        document: Any = lines[line - 1 if line > 0 else line]
        *way, last = path
        for step in way:
            document = document[step]
        document[last] = value

    return change


def swapped(lines: Lines) -> None:
    lines[3], lines[4] = lines[4], lines[3]


FORGED: dict[str, tuple[Callable[[Lines], object], int]] = {
    "a row is missing": (lambda lines: lines.pop(4), 5),
    "a row twice": (lambda lines: lines.insert(4, lines[3]), 5),
    "rows in another order": (swapped, 4),
    "another format": (put(1, "kmemlab", value=2), 1),
    "another kind": (put(1, "kind", value="lab"), 1),
    "no name": (put(1, "name", value=7), 1),
    "a name of control characters": (put(1, "name", value="a\x00b"), 1),
    "another member": (put(1, "more", value=1), 1),
    "an engine of nothing": (put(1, "engine", value=None), 1),
    "a head too early": (put(1, "seq", value=3), 5),
    "a head too late": (put(1, "seq", value=1_000_000), 0),
    "a head before the start": (put(1, "seq", value=-1), 1),
    "a start": (put(1, "start", value=1), 2),
    "a huge start": (put(1, "start", value=1 << 60), 1),
    "a boot of an unknown profile": (put(1, "boot", "profile", value="vax"), 1),
    "a boot from a dump": (put(1, "boot", value={"dump": {}}), 1),
    "a boot from texts": (put(1, "boot", value={"proc": "Node 0, zone DMA 0 0 0 0 0 0 0 0 0 0 1"}), 1),
    "no boot": (put(1, "boot", value=None), 1),
    "boot and state": (put(1, "state", value={}), 1),
    "a state of nothing": (lambda lines: lines[0].update(state=lines[0].pop("boot")), 1),
    "another machine": (put(1, "boot", value={"profile": "x86_64-1g", "rules": ruleset.TODAY}), 2),
    "another seq": (put(3, "seq", value=7), 3),
    "another seq in the outcome": (put(3, "outcome", "seq", value=7), 3),
    "true for a seq": (put(2, "seq", value=True), 2),
    "an effective seq": (put(3, "effective", value=1), 3),
    "no effective seq": (put(3, "effective", value=None), 3),
    "another return": (put(2, "outcome", "ret", value="0xffffea0000000000"), 2),
    "another verdict": (put(2, "outcome", "verdict", value="null"), 2),
    "a log line": (put(2, "outcome", "log", value=["<b>"]), 2),
    "another change": (put(2, "outcome", "changed", value=None), 2),
    "one more member": (put(2, "outcome", "html", value="<b>"), 2),
    "no name that was written": (put(3, "outcome", "written", value={"page": "<b>"}), 3),
    "a name for no argument": (put(3, "outcome", "written", value={"verdict": "p"}), 3),
    "names that are a list": (put(3, "outcome", "written", value=["p"]), 3),
    "another call": (put(2, "outcome", "call", value="get_zeroed_page"), 2),
    "no such call": (put(2, "outcome", "call", value="rm -rf"), 2),
    "a call that is a list": (put(2, "outcome", "call", value=[]), 2),
    "an order": (put(2, "outcome", "args", "order", value=2), 2),
    "an order that is true": (put(2, "outcome", "args", "order", value=True), 2),
    "a huge order": (put(2, "outcome", "args", "order", value=1 << 40), 2),
    "a reference": (put(3, "outcome", "args", value={"page": "$p"}), 3),
    "no arguments": (put(2, "outcome", "args", value=None), 2),
    "a time in words": (put(2, "outcome", "time", value="yesterday"), 2),
    "a time of digits of elsewhere": (put(2, "outcome", "time", value="٢٠٢٦-11-22T14:00:00.123Z"), 2),
    "a time on no clock": (put(2, "outcome", "time", value="9999-99-99T99:99:99.999Z"), 2),
    "a time on no calendar": (put(2, "outcome", "time", value="2026-02-30T14:00:00.000Z"), 2),
    "the end of time": (put(2, "outcome", "time", value="9999-01-01T00:00:00.000Z"), 2),
    "a person of a line break": (put(2, "outcome", "by", value="a\nb"), 2),
    "a long person": (put(2, "outcome", "by", value="a" * 101), 2),
    "a name of no form": (put(-2, "name", value="1"), -2),
    "a name of another machine": (put(-2, "named", "addr", value=1 << 70), -2),
    "a name of a kind": (put(-2, "named", "kind", value=[]), -2),
    "a name of nothing": (put(-2, "named", value=None), -2),
    "a name twice": (lambda lines: lines.insert(-1, lines[-2]), -2),
    "one name more": (put(-1, "names", value=1), -1),
    "rows": (put(-1, "rows", value=1), -1),
    "a line behind the last": (lambda lines: lines.append({}), -1),
}


@pytest.mark.sampled(5)
@pytest.mark.parametrize("what", FORGED)
def test_a_forged_file(elsewhere: TestClient, file: bytes, what: str) -> None:
    """Somebody who changes the file makes its hash right again: what it says must still be true."""
    change, line = FORGED[what]
    lines = lines_of(file)
    change(lines)
    place = line if line >= 0 else len(lines) + 1 + line
    refused(elsewhere, file_of(lines), 422, *(("line", place) if place else ()))


def test_a_changed_file(elsewhere: TestClient, file: bytes) -> None:
    assert file.count(b'"by":null') > 20
    for there, instead in ((b'"by":null', b'"by":"m7"'), ("Übung".encode(), b"Uebung"), (b":", b": ")):
        changed_ = file.replace(there, instead, 1)
        assert "sha256" in refused(elsewhere, changed_, 422, "line", len(lines_of(file)))


def test_another_engines_file_is_told_in_this_ones_words(elsewhere: TestClient, file: bytes) -> None:
    def older(lines: Lines) -> None:
        lines[0]["engine"] = mm_machine.ENGINE + 1
        lines[1]["outcome"]["log"] = ["said otherwise"]

    answer = imported(elsewhere, changed(file, older))
    assert answer.status_code == 201, answer.text
    assert answer.json()["engine"] == mm_machine.ENGINE
    copy = exported(elsewhere, answer.json()["id"]).splitlines()
    assert copy[1:-1] == file.splitlines()[1:-1]

    def other(lines: Lines) -> None:
        older(lines)
        lines[2]["outcome"]["verdict"] = "hang"

    refused(elsewhere, changed(file, other), 422, "line", 3)


def test_limits(tmp_path: Path, file: bytes) -> None:
    limits: dict[str, Any] = {
        "import_limit": len(file) + 4000,
        "names_per_person": 3,
        "dump_limit": 2000,
        "sessions_per_owner": 1,
    }
    with client_of(build(tmp_path, **limits)) as client:
        names = [number for number, line in enumerate(lines_of(file), 1) if "named" in line]
        refused(client, file, 422, "line", names[3])
        few = changed(file, lambda lines: [lines.pop(names[1] - 1) for _ in names[1:]] and one_name(lines))
        problem(imported(client, b" " * 5000 + file), 413)
        wide = changed(few, put(1, "machine", value=["x" * 3000]))
        refused(client, wide, 422, "line", 1)
        assert imported(client, few).status_code == 201
        refused(client, few, 507)


def one_name(lines: Lines) -> None:
    lines[-1]["names"] = 1


def test_a_long_import_is_given_up(tmp_path: Path, file: bytes) -> None:
    with client_of(build(tmp_path, import_time=1e-6)) as client:
        assert "kmemlab import" in refused(client, file, 422, "line", 2)


def test_other_types_are_refused(client: TestClient, file: bytes) -> None:
    for kind in ("text/csv", "application/x-ndjson; charset=latin-1"):
        answer = client.post(f"{BASE}/sessions", content=file[:1000], headers={"content-type": kind})
        problem(answer, 415)


def test_a_key_imports_once(elsewhere: TestClient, file: bytes) -> None:
    headers = {**NDJSON, "idempotency-key": "import-1"}
    answers = [elsewhere.post(f"{BASE}/sessions", content=file, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    other = elsewhere.post(f"{BASE}/sessions", content=file[:-1], headers=headers)
    problem(other, 422, "header", "idempotency-key")
    assert sessions_of(elsewhere).count(answers[0].json()["id"]) == 1
    until(lambda: nobodys(elsewhere) == [])


def nobodys(client: TestClient) -> list[Any]:
    app: Any = client.app
    with raw(app.state.settings) as db:
        return db.execute("SELECT id FROM sessions WHERE owner = ''").fetchall()


def until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        threading.Event().wait(0.01)
    raise AssertionError


# -- while it is imported ------------------------------------------------------------------------------------


def test_nobody_sees_it_before_it_is_there(tmp_path: Path, file: bytes) -> None:
    settings = settings_for(tmp_path)
    with client_of(build(tmp_path)) as client:
        store = Store.of(settings)
        with (tmp_path / "file").open("wb+") as copy:
            copy.write(file)
            sid = importing.prepare(store, copy, "local", Limits())
        assert sessions_of(client) == []
        for path in ("", "/dump", "/events", "/export"):
            problem(client.get(f"{BASE}/sessions/{sid}{path}"), 404)
        with store.writing() as db:
            importing.publish(db, sid, "local")
        assert sessions_of(client) == [sid]
        assert client.post(f"{BASE}/sessions/{sid}/drain_all_pages", json={}).status_code == 201
        importing.discard(store, sid)  # somebody's session is not discarded
        assert sessions_of(client) == [sid]
        store.dispose()


def test_an_import_that_is_ended_leaves_nothing(
    elsewhere: TestClient, tmp_path: Path, file: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "PART_ROWS", 5)
    app: Any = elsewhere.app
    store = Store.of(app.state.settings)
    there: list[int] = []

    def go_on() -> None:
        there.append(len(nobodys(elsewhere)))
        if there[-1] and len(there) > 3:
            raise Busy("the server is stopping")

    with (tmp_path / "file").open("wb+") as copy:
        copy.write(file)
        monkeypatch.setattr(importing, "go_on", go_on)
        with pytest.raises(Busy):
            importing.prepare(store, copy, "local", Limits())
    assert there[-1] == 1
    assert nobodys(elsewhere) == []
    store.dispose()


def test_what_a_crash_left_is_swept_away(
    tmp_path: Path, file: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(tmp_path)
    monkeypatch.setattr(importing, "CUT", 5)
    with client_of(build(tmp_path)):
        pass
    store = Store.of(settings)
    sids = []
    for _ in range(2):
        with (tmp_path / "file").open("wb+") as copy:
            copy.write(file)
            sids.append(importing.prepare(store, copy, "local", Limits()))
    with raw(settings) as db:
        db.execute("UPDATE sessions SET created = '2026-01-01T00:00:00.000Z' WHERE id = ?", (sids[0],))
    importing.sweep(store)
    with store.reading() as db:
        assert sessions.get(db, sids[0]) is None
        young = sessions.get(db, sids[1])
    assert young is not None
    assert young.owner == imports.UNOWNED
    with raw(settings) as db:
        assert db.execute("SELECT DISTINCT session_id FROM journal").fetchall() == [(sids[1],)]
    store.dispose()


def test_a_session_deleted_while_it_is_exported_gives_no_whole_file(tmp_path: Path) -> None:
    with client_of(build(tmp_path)) as client:
        sid = filled(client)
        store = Store.of(settings_for(tmp_path))
        with store.reading() as db:
            begun = exporting.begin_as_owner(db, sid)
        parts = exporting.parts(store, begun)
        next(parts)
        assert client.delete(f"{BASE}/sessions/{sid}").status_code == 204
        with pytest.raises(NotFound):
            list(parts)
        store.dispose()

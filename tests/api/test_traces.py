"""Traces of many rows: lines that sort, and a trace.dat that trace-cmd reads with the same events."""

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.api import traces
from app.machine import boot
from app.machine.machine import Machine
from app.machine.trace import Trace, dat
from app.sessions import tracing
from tests.support.random_calls import RandomCalls
from tests.support.served import BASE, problem
from tests.support.tools import tool

pytest_plugins = ("tests.support.clients",)

CALLS = """
p = alloc_pages(GFP_KERNEL, 3)
o = kmalloc(100, GFP_KERNEL) * 20
a: execve()
a: x = mmap(0, 64K, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0)
a: store(x)
__free_pages(p, 3)
kfree(o)
"""
STAMP = re.compile(r"^.*? +(\d+\.\d+): +")


@pytest.fixture(scope="module")
def at(client: TestClient) -> str:
    """A session with seven calls, of which the last was undone and made again."""
    made = client.post(f"{BASE}/sessions", json={"machine": {"profile": "tiny-16m"}}).json()
    here = f"{BASE}/sessions/{made['id']}"
    text = {"content-type": "text/plain"}
    assert client.post(f"{here}/calls", content=CALLS, headers=text).status_code == 201
    assert client.post(f"{here}/undo").status_code == 201
    assert client.post(f"{here}/calls", content="kfree(o)", headers=text).status_code == 201
    return here


def events(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def said(line: str) -> str:
    """An event without who and when."""
    return re.sub(r": +", ": ", STAMP.sub("", line), count=1).rstrip()


def test_all_rows_are_told_in_order(client: TestClient, at: str) -> None:
    answer = client.get(f"{at}/trace")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.startswith("# tracer: nop\n")
    assert "\n# #8: undo to #6\n" in answer.text
    explained = [
        said(point)
        for seq in (*range(1, 8), 9)
        for point in client.get(f"{at}/events/{seq}/explain").json()["tracepoints"]
    ]
    lines = events(answer.text)
    assert [said(line) for line in lines] == explained
    stamps = [float(found[1]) for line in lines if (found := STAMP.match(line))]
    assert stamps == sorted(set(stamps))
    assert int(stamps[0] * 1000) == 1
    assert int(stamps[-1] * 1000 + 0.0005) == 9
    part = events(client.get(f"{at}/trace?from=2&to=5").text)
    assert part == [line for line in lines if 0.002 <= float(STAMP.match(line)[1]) < 0.006]  # type: ignore[index]


def test_what_is_no_row_is_refused(client: TestClient, at: str) -> None:
    problem(client.get(f"{at}/trace?to=10"), 422, "query", "to")
    problem(client.get(f"{at}/trace?from=5&to=4"), 422, "query", "from")
    problem(client.get(f"{at}/trace?format=svg"), 422, "query", "format")
    empty = client.post(f"{BASE}/sessions", json={"machine": {"profile": "tiny-16m"}}).json()["id"]
    assert events(client.get(f"{BASE}/sessions/{empty}/trace").text) == []
    assert client.get(f"{BASE}/sessions/{empty}/trace?format=dat").content[3:11] == b"tracing6"


def test_rows_without_tracepoints_are_passed_over_in_turns(
    client: TestClient, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = client.get(f"{at}/trace").text
    monkeypatch.setattr(tracing, "MOST_ROWS", 2)
    assert client.get(f"{at}/trace").text == whole


def test_a_trace_dat_is_bounded(client: TestClient, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "AT_ONCE", 10)
    monkeypatch.setattr(traces, "MOST_LINES", 20)
    detail = problem(client.get(f"{at}/trace?format=dat"), 422, "query", "to")["detail"]
    assert "at most 20 events" in detail
    assert client.get(f"{at}/trace?format=dat&to=1").status_code == 200
    assert len(events(client.get(f"{at}/trace").text)) > 20


def test_a_call_with_too_many_steps_says_so(client: TestClient) -> None:
    made = client.post(f"{BASE}/sessions", json={"machine": {"profile": "x86_64-1g"}}).json()["id"]
    here = f"{BASE}/sessions/{made}"
    body = {"gfp": "GFP_KERNEL", "repeat": 30_000}
    assert client.post(f"{here}/alloc_page", json=body).status_code == 201
    assert events(client.get(f"{here}/trace").text)[-1] == "CPU:0 [LOST EVENTS]"


def reported(folder: Path, data: bytes, *options: str) -> list[str]:
    """What trace-cmd reads in a file."""
    (folder / "trace.dat").write_bytes(data)
    command = [tool("trace-cmd", "trace-cmd"), "report", *options, str(folder / "trace.dat")]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert found.stderr.strip() in ("", "trace-cmd: No such file or directory"), found.stderr
    return [said(line) for line in found.stdout.splitlines() if STAMP.match(line)]


def test_trace_cmd_reads_the_same_events(client: TestClient, at: str, tmp_path: Path) -> None:
    text = [said(line) for line in events(client.get(f"{at}/trace").text)]
    data = client.get(f"{at}/trace?format=dat").content
    assert reported(tmp_path, data) == text
    some = reported(tmp_path, data, "-F", "kmalloc: bytes_alloc == 128")
    assert some == [line for line in text if line.startswith("kmalloc:") and "bytes_alloc=128 " in line]
    assert some


def test_trace_cmd_reads_whatever_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    make = Machine.apply

    def traced(m: Machine, call: object, seq: int) -> object:
        trace = m.trace = Trace(m)
        made = make(m, call, seq)  # type: ignore[arg-type]
        m.trace = None
        lines.extend(trace.points)
        return made

    monkeypatch.setattr(Machine, "apply", traced)
    for profile in ({"profile": "tiny-16m", "cpus": 2}, {"profile": "i386-1g"}):
        lines.clear()
        for _ in RandomCalls(boot.boot(profile), 5).outcomes(300):
            pass
        assert len({line.split(": ")[1] for line in lines}) > 8
        # As many formats as there are ways to print an event, however many frames were looked at.
        read = [line for line in map(dat.parsed, lines) if line is not None]
        kinds = Counter(name for name, _, _ in dat.kinds(read))
        assert max(kinds.values()) <= 4, kinds
        assert reported(tmp_path, dat.encode(lines)) == [said(line) for line in lines]

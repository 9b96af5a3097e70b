"""The command line: what it says, what it refuses, how it ends."""

import re
import signal
import threading
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app import __version__
from app.__main__ import in_its_mode
from app.listening import is_loopback
from app.settings import Settings
from tests.support.patience import PATIENCE, SOON
from tests.support.served_process import Served, kmemlab, served


def test_version(tmp_path: Path) -> None:
    said = kmemlab(tmp_path, "--version")
    assert (said.returncode, said.stdout) == (0, f"kmemlab {__version__}\n")


def test_help_names_the_commands(tmp_path: Path) -> None:
    said = kmemlab(tmp_path, "--help")
    assert said.returncode == 0
    assert "serve" in said.stdout
    assert "migrate" in said.stdout


def test_migrate(tmp_path: Path) -> None:
    for _ in range(2):
        said = kmemlab(tmp_path, "migrate")
        assert (said.returncode, said.stderr) == (0, "")
        assert "up to date" in said.stdout
    assert (tmp_path / "kmemlab.db").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])
def test_where_other_computers_reach_it_everybody_says_who_they_are(host: str) -> None:
    assert in_its_mode(Settings(host=host)).lab
    assert not in_its_mode(Settings()).lab
    assert in_its_mode(Settings(lab=True)).lab


@pytest.mark.slow
def test_the_first_instructors_link_is_printed_while_there_is_none(tmp_path: Path) -> None:
    links = []
    for _ in range(2):
        with served(tmp_path, "--lab") as server:
            found = re.fullmatch(rf"no instructor yet: .* at {server.address}(/setup/\S+)\n", server.line())
            assert found is not None
            links.append(found[1])
            assert httpx2.get(f"{server.base}/sessions").status_code == 401
    with served(tmp_path, "--lab") as server:
        newest = re.search(r"/setup/\S+", server.line())
        assert newest is not None
        form = {"name": "Kim", "password": "correct horse battery"}
        for link, status in ((links[0], 404), (links[1], 404), (newest[0], 303), (newest[0], 404)):
            assert httpx2.post(f"{server.address}{link}", data=form).status_code == status
    with served(tmp_path, "--lab") as server:
        server.process.terminate()
        assert server.process.communicate(timeout=PATIENCE)[0] == ""  # nothing else was said


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("localhost.evil", False),
        ("", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"KMEMLAB_PORT": "http"}, "KMEMLAB_PORT: "),
        ({"KMEMLAB_DATABASE_URL": "sqlite://"}, "SQLite needs a file"),
        ({"KMEMLAB_DATABASE_URL": "sqlite:///nowhere/k.db"}, "nowhere/k.db: cannot be opened"),
        ({"KMEMLAB_DATABASE_URL": "kmemlab.db"}, "no such kind of database"),
    ],
)
def test_wrong_settings_are_named(environ: dict[str, str], said: str, tmp_path: Path) -> None:
    for command in ("serve", "migrate"):
        done = kmemlab(tmp_path, command, **environ)
        assert done.returncode == 1
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kmemlab.db").write_bytes(b"this is not a database, it is text\n" * 50)
    done = kmemlab(tmp_path, "serve", "--port", "0")
    assert done.returncode == 1
    assert "is damaged" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["kmemlab.db"]
    assert (tmp_path / "kmemlab.db").read_bytes().startswith(b"this is not")


def test_serve_says_where_and_ends_soon(tmp_path: Path) -> None:
    with served(tmp_path) as process:
        session = process.create()
        base = process.base + session
        made = httpx2.post(f"{base}/alloc_page", json={"gfp": "GFP_KERNEL"}).json()
        httpx2.post(f"{base}/lock_page", json={"pfn": made["page"]["pfn"]})
        # A request that would wait for half a minute does not hold up the end.
        waits: list[Any] = []

        def wait() -> None:
            body = {"pfn": made["page"]["pfn"], "task": "t"}
            waits.append(httpx2.post(f"{base}/lock_page?wait=30", json=body))

        waiting = threading.Thread(target=wait)
        waiting.start()
        while httpx2.get(base).json()["seq"] < 3:
            time.sleep(0.01)
        began = time.monotonic()
        errors = process.end()
        assert time.monotonic() - began < SOON
        waiting.join()
        assert errors == ""
        assert process.process.returncode == -signal.SIGTERM
        assert (waits[0].status_code, waits[0].json()["woken_at"]) == (201, None)
    with served(tmp_path) as process:
        assert httpx2.get(process.base + session).json()["seq"] == 3


@pytest.mark.slow
def test_two_servers_start_at_once_and_share_the_file(tmp_path: Path) -> None:
    processes: list[Served] = []
    starters = [threading.Thread(target=lambda: processes.append(Served(tmp_path))) for _ in range(2)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    try:
        first, second = processes
        session = first.create()
        for seq, process in enumerate([first, second] * 5, 1):
            made = httpx2.post(f"{process.base}{session}/alloc_page", json={"gfp": "GFP_KERNEL"})
            assert (made.status_code, made.json()["seq"]) == (201, seq)
        dumps = [httpx2.get(f"{process.base}{session}/dump").json() for process in processes]
        assert dumps[0] == dumps[1]
    finally:
        for process in processes:
            process.end(signal.SIGKILL)

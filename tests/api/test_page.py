"""app/api/README.md, the reference for people: it names every path and call, and its examples work."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.machine.calltext import parse_line, parse_text
from app.machine.outcome import VERDICTS
from tests.support.call_tables import tables
from tests.support.patience import PATIENCE
from tests.support.served import BASE, build, listening
from tests.support.two_labs import TwoLabs, make

pytest_plugins = ("tests.support.clients",)

CURL = shutil.which("curl")

PAGE = (Path(__file__).parents[2] / "app" / "api" / "README.md").read_text()


def fenced(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("group", list(tables()), ids=lambda group: group.split()[1])
def test_every_call_is_in_its_table(group: str) -> None:
    assert group in PAGE


def test_every_path_is_named(client: TestClient) -> None:
    for path in client.get(f"{BASE}/openapi.json").json()["paths"]:
        tail = path.removeprefix(f"{BASE}/sessions/{{id}}").removeprefix(BASE) or "/sessions/{id}"
        assert any(form in PAGE for form in (f"{tail}`", f"{tail}?", f"`{tail[1:]}`")), path


def test_every_verdict_is_explained() -> None:
    assert all(f"| `{verdict}` |" in PAGE for verdict in VERDICTS)


def test_lines_of_text_are_calls() -> None:
    own, c = fenced("text")
    lines = own.splitlines()
    assert len(lines) > 8
    assert all(parse_line(line).name for line in lines)
    # One call over two lines, two calls in one line, and a declaration that is none.
    assert len(parse_text(c)) == len(c.splitlines()) - 1


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> TwoLabs:
    return make(tmp_path_factory.mktemp("page"))


@pytest.fixture
def address(world: TwoLabs) -> Iterator[str]:
    with listening(build(world.folder, lab=True)) as address:
        yield address


def test_the_script_of_a_student_works(world: TwoLabs, address: str) -> None:
    (script,) = fenced("python")
    command = [sys.executable, "-c", script, address, world.ids["code"]]
    run = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert re.fullmatch(r"prepared 2 0x[0-9a-f]{16}\n", run.stdout), run.stderr


@pytest.mark.skipif(CURL is None, reason="no curl")
def test_the_lines_of_an_instructor_work(world: TwoLabs, address: str, tmp_path: Path) -> None:
    (lines,) = (block for block in fenced("sh") if "$LAB" in block)
    place = {"SERVER": address, "LAB": world.ids["lab"], "PATH": "/usr/bin:/bin"}
    run = subprocess.run(
        ["bash", "-e", "-c", lines],
        cwd=tmp_path,
        env=place,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert '"title":"Buddies"' in run.stdout, run.stderr
    assert '"nickname":"owner"' in run.stdout
    assert (tmp_path / "activity.csv").read_text("utf-8-sig").startswith("number,nickname,joined,calls,")

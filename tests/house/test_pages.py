"""README, CONTRIBUTING and docs: every link leads somewhere, every example works, and the README is short."""

import ast
import doctest
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app import fidelity
from tests.bench import figures
from tests.support.pages import PAGES, PLACE, ROOT, anchors, fenced, links, prose
from tests.support.patience import PATIENCE
from tests.support.served import build, listening

CURL = shutil.which("curl")
README = ROOT / "README.md"
SESSION = ROOT / "docs" / "first-session.md"
HERE = "http://127.0.0.1:8000"


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_are_relative_and_lead_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, fragment = link.partition("#")
        assert not re.match(r"[a-z]+:|/", path), link
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not fragment or fragment in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_named_places_exist(page: Path) -> None:
    assert [place for place in PLACE.findall(prose(page)) if not (ROOT / place).exists()] == []


@pytest.mark.parametrize("page", PAGES[2:], ids=name_of)
def test_a_page_says_first_for_whom_it_is(page: Path) -> None:
    assert re.match(r"# .+\n\nFor [a-z]", page.read_text("utf-8"))


def test_every_page_is_linked() -> None:
    linked = {(page.parent / link.partition("#")[0]).resolve() for page in PAGES for link in links(page)}
    assert [name_of(page) for page in PAGES[1:] if page not in linked] == []


def test_the_first_pages_are_short() -> None:
    assert README.stat().st_size <= 7_168
    assert (ROOT / "CONTRIBUTING.md").stat().st_size <= 8_192


def test_named_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {target for page in PAGES for target in re.findall(r"`make ([a-z-]+)", page.read_text("utf-8"))}
    assert named <= targets


def test_the_python_prompt_works() -> None:
    (example,) = fenced(README, "pycon")
    test = doctest.DocTestParser().get_doctest(example, {}, "README", str(README), 0)
    assert test.examples
    assert doctest.DocTestRunner().run(test).failed == 0


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with listening(build(tmp_path)) as address:
        yield address


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=2 * PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(CURL is None, reason="no curl")
def test_the_first_call_works(address: str, tmp_path: Path) -> None:
    lines = fenced(README, "sh")[1].replace(HERE, address)
    said = run(["bash", "-e", "-c", lines], tmp_path)
    assert '"seq":1,"call":"alloc_pages"' in said
    assert "zone      DMA " + "     1 " * 10 + "     2 " in said
    assert '"fn":"expand"' in said
    assert '"seq":2,"call":"undo"' in said


@pytest.mark.skipif(CURL is None, reason="no curl")
def test_the_first_session_works_with_curl(address: str, tmp_path: Path) -> None:
    (lines,) = fenced(SESSION, "sh")
    create, _, rest = lines.replace(HERE, address).partition("\ns=$api/sessions/ID ")
    said = run(["bash", "-e", "-c", create], tmp_path)
    found = re.match(r'\{"id":"([^"]+)"', said)
    assert found is not None, said
    # The stream goes on until it is ended; a script has no job control, so $! stands for %1.
    script = f"api={address}/api/v1\ns=$api/sessions/{found[1]} {rest}kill $!\n"
    said = run(["bash", "-e", "-c", script], tmp_path)
    assert '"call":"undo"' in said
    assert '"verdict":"null"' in said[said.rindex('"call":"alloc_pages"') :]


def test_the_first_session_works_with_python(address: str, tmp_path: Path) -> None:
    (script,) = fenced(SESSION, "python")
    said = run([sys.executable, "-c", script.replace(HERE, address)], tmp_path)
    assert re.match(r"\d+ Normal \[\[\d+, ", said), said
    assert os.linesep in said


@pytest.mark.parametrize("package", ["mm", "machine"])
def test_the_tour_of_a_package_names_its_modules(package: str) -> None:
    folder = ROOT / "app" / package
    tour = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8")))
    assert tour is not None
    first = re.findall(r"^  ((?:\w+, )*\w+)  ", tour, re.MULTILINE)
    also = re.findall(r"; also ((?:\w+, )*\w+)", tour)
    named = {name for names in (*first, *also) for name in names.split(", ")}
    there = {
        path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert named == there - {"__init__"}


@pytest.mark.parametrize(
    ("page", "put_into"), [("fidelity.md", fidelity.put_into), ("performance.md", figures.put_into)]
)
def test_a_generated_table_has_its_place(page: str, put_into: Callable[[str, str], str]) -> None:
    text = (ROOT / "docs" / page).read_text("utf-8")
    written = put_into(text, "| a table |")
    assert "-->\n| a table |\n<!--" in written
    assert put_into(written, "| a table |") == written
    assert written.splitlines()[:3] == text.splitlines()[:3]

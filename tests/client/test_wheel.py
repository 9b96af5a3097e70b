"""The client as it is installed: by itself, and beside the server."""

import ast
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.served_process import ROOT, environment

PACKAGE = ROOT / "client" / "kmemlab_client"
SOURCES = sorted(PACKAGE.glob("*.py"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT / "client", check=True, capture_output=True)
    (wheel,) = folder.glob("kmemlab_client-*-py3-none-any.whl")
    return wheel


def test_the_wheel_has_the_package_and_asks_for_nothing(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        names = {name for name in files.namelist() if ".dist-info/" not in name}
        (metadata,) = (name for name in files.namelist() if name.endswith("/METADATA"))
        said = files.read(metadata).decode().splitlines()
        (license_,) = (name for name in files.namelist() if name.endswith("/LICENSE"))
        assert files.read(license_) == (ROOT / "LICENSE").read_bytes()
    assert names == {f"kmemlab_client/{path.name}" for path in [*SOURCES, PACKAGE / "py.typed"]}
    assert "Requires-Python: >=3.9" in said
    assert not any(line.startswith("Requires-Dist") for line in said)


SAYING = """
import sys
{before}
import kmemlab_client
from kmemlab_client import Machine, Outcome
assert Outcome({{"ret": "0x10", "verdict": "ok", "seq": 1, "call": "x"}}) == 16
print(sorted({{name.partition(".")[0] for name in sys.modules}} & {{"app", "kmemlab_client", "typer"}}))
"""


def test_it_is_imported_without_the_server(wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own, where nothing of the server's can be imported."""
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    (packages,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    zipfile.ZipFile(wheel).extractall(packages)
    before = "try:\n    import app\nexcept ImportError:\n    print('alone')"
    assert said(str(python), "-I", "-c", SAYING.format(before=before)) == "alone\n['kmemlab_client']\n"


def test_it_is_imported_beside_the_server(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    script = SAYING.format(before=f"sys.path.append({str(tmp_path)!r})")
    assert said(sys.executable, "-c", script) == "['kmemlab_client']\n"
    both = script + "import app.__main__\nprint(kmemlab_client.__file__)"
    assert said(sys.executable, "-c", both).endswith(f"\n{tmp_path}/kmemlab_client/__init__.py\n")


def said(*command: str) -> str:
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_only_the_standard_library_of_python_3_9(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"), feature_version=(3, 9))
    assert {*imported(tree)} <= {*sys.stdlib_module_names, "kmemlab_client"} - {"tomllib"}
    assert ast.unparse(tree.body[1]) == "from __future__ import annotations"


def test_the_server_takes_nothing_of_the_client() -> None:
    assert not [path for path in (ROOT / "app").rglob("*.py") if PACKAGE.name in path.read_text("utf-8")]


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield str(node.module).partition(".")[0]

"""The house rules: which package may import which, what a wheel carries, what the locks hold.

The contracts of the imports are in pyproject.toml; what they cannot say is here.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Collection, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from app import paths

ROOT = Path(__file__).parents[2]
APP = ROOT / "app"

# Same calls, same machine: nothing in app.mm depends on the hour, on chance or on the world outside.
WORLD = {
    *(
        "asyncio",
        "concurrent",
        "datetime",
        "io",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "random",
        "secrets",
    ),
    *(
        "shutil",
        "signal",
        "socket",
        "sqlite3",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "urllib",
        "uuid",
    ),
}


def modules(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (APP / package).rglob("*.py"))


def imports(source: str, package: str) -> Iterator[str]:
    """Every module that the source of a module in `package` imports, anywhere in it, by full name."""
    parts = package.split(".")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parts[: len(parts) - node.level + 1] if node.level else []
            yield from (".".join([*base, *filter(None, [node.module]), alias.name]) for alias in node.names)


def imports_of(path: Path) -> set[str]:
    return set(imports(path.read_text(), ".".join(path.relative_to(ROOT).parts[:-1])))


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter import cli; cli.lint_imports_command()", "--no-cache"]
    environ = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True, check=False)


def test_contracts() -> None:
    run = lint_imports(ROOT)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("module", "statement"),
    [
        ("mm/buddy", "import app.sessions"),
        ("mm/buddy", "import app.machine"),
        ("machine/machine", "import app.store"),
        ("store/journal", "import app.sessions"),
        ("sessions/live", "import app.api"),
        ("exercises/reading", "import app.labs"),
        ("exercises/reading", "import app.demos.playing"),
        ("labs/rooms", "import app.main"),
        ("api/routes", "import app.web"),
        ("api/routes", "from app.store import journal"),
        ("web/pages", "import app.api"),
        ("web/pages", "from sqlalchemy import select"),
    ],
)
def test_contracts_bite(module: str, statement: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    names = (
        "main",
        "mm/buddy",
        "machine/machine",
        "store/journal",
        "sessions/live",
        "demos/playing",
        "exercises/reading",
        "labs/rooms",
        "api/routes",
        "web/pages",
    )
    for name in names:
        path = tmp_path / "app" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.touch()
    (tmp_path / "app" / "demos" / "playing.py").write_text("import app.sessions\n")
    assert lint_imports(tmp_path).returncode == 0
    (tmp_path / "app" / f"{module}.py").write_text(f"{statement}\n")
    assert lint_imports(tmp_path).returncode == 1


def strangers(path: Path, *known: str) -> set[str]:
    """What a module imports besides the standard library and what is known, type annotations included."""
    return {
        name
        for name in imports_of(path)
        if name.partition(".")[0] not in sys.stdlib_module_names
        and not any(within(name, package) for package in known)
    }


@pytest.mark.parametrize("path", modules("mm"), ids=name_of)
def test_the_kernel_imports_itself_and_the_standard_library(path: Path) -> None:
    assert not strangers(path, "app.mm")


@pytest.mark.parametrize("path", modules("machine"), ids=name_of)
def test_the_machine_imports_the_kernel_and_the_standard_library(path: Path) -> None:
    assert not strangers(path, "app.machine", "app.mm", "app.errors", "app.numerals")


@pytest.mark.parametrize("package", ["mm", "machine"])
def test_no_modules_import_each_other_at_run_time(package: str) -> None:
    """An import inside a function counts; one for type annotations alone does not."""
    files = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in modules(package)}
    files = {name.removesuffix(".__init__"): path for name, path in files.items()}
    graph = {name: run_time_imports(path, name, files.keys()) for name, path in files.items()}
    order = TopologicalSorter(graph)
    order.prepare()


def run_time_imports(path: Path, name: str, known: Collection[str]) -> set[str]:
    """The known modules that a module imports when the program runs."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = [ast.Pass()]
    found = set(imports(ast.unparse(tree), name.rpartition(".")[0]))
    modules_of = {one if one in known else one.rpartition(".")[0] for one in found}
    return {one for one in modules_of if one in known and one != name}


@pytest.mark.parametrize("path", modules("mm", "machine"), ids=name_of)
def test_a_machine_knows_no_clock_no_chance_and_no_world(path: Path) -> None:
    assert not {name for name in imports_of(path) if name.partition(".")[0] in WORLD}


def test_only_store_names_sqlalchemy() -> None:
    named = {path for path in modules("") if any(within(name, "sqlalchemy") for name in imports_of(path))}
    assert {path for path in named if (APP / "store") not in path.parents} == set()


def test_imports_are_read_in_every_form() -> None:
    source = "import a.b as c\nfrom d import e\ndef f():\n    from . import g\n    from ..h import i\n"
    assert list(imports(source, "app.mm")) == ["a.b", "d.e", "app.mm.g", "app.h.i"]


def test_the_wheel_carries_what_stands_beside_app(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("kmemlab-*.whl")
    beside = {
        f"app/_resources/{name_of(path)}"
        for folder in ("templates", "static", "migrations")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in names if name.startswith("app/_resources/")} == beside
    assert {name_of(path) for path in modules("")} <= names
    assert "app/web/locale/kmemlab.pot" in names


def test_paths_are_those_of_the_tree() -> None:
    assert [paths.TEMPLATES, paths.STATIC, paths.MIGRATIONS] == [
        ROOT / "templates",
        ROOT / "static",
        ROOT / "migrations",
    ]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-test.lock"])
def test_locks_pin_and_hash_and_name_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    entries = [entry for entry in re.split(r"\n(?=\S)", text) if not entry.startswith("#")]
    assert entries
    assert all(re.match(r"[a-z0-9.-]+==\S+( ;.*)? \\\n    --hash=sha256:", entry) for entry in entries)
    assert not re.search(r"://|--(extra-)?index|--find-links|@", text)


def test_locks_hold_the_pins_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    runs = [*project["project"]["dependencies"], *groups["build"]]
    for lock, pins in {"requirements.lock": runs, "requirements-test.lock": [*runs, *groups["test"]]}.items():
        locked = set(re.findall(r"^\S+==\S+", (ROOT / lock).read_text(), re.MULTILINE))
        assert {re.sub(r"\[.*\]", "", pin) for pin in pins} <= locked
    assert project["build-system"]["requires"] == groups["build"]

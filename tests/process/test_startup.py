"""What each command does not import: imports are most of the time that a short command takes."""

import subprocess
import sys
from pathlib import Path

import pytest

from app import fidelity
from app.__main__ import cli
from tests.support.served_process import environment, told

RECORDINGS = Path(__file__).parents[1] / "recordings"

WEB = ("fastapi", "starlette", "uvicorn", "jinja2", "app.api", "app.web", "app.main")
DATABASE = ("sqlalchemy", "alembic", "app.store", "app.sessions", "app.labs")
EVERYTHING = (*WEB, *DATABASE, "pydantic", "asyncio", "app.settings", "app.mm", "app.demos")
MODEL = ("app.mm", "app.sessions", "app.labs", "app.demos")

# A command with its arguments, and what it must not import. Each gets as far as its work.
DOES_WITHOUT = {
    "--version": EVERYTHING,
    "--help": EVERYTHING,
    "serve --port 70000": (*WEB, *DATABASE),
    "migrate": (*WEB, *MODEL),
    "replay {recording}": (*WEB, *DATABASE),
    "export unknown": (*WEB, "alembic"),
    "import broken": WEB,
    "backup copy.db": (*WEB, *MODEL, "alembic"),
    "verify": (*WEB, "alembic"),
    "demos .": WEB,
    "exercises . --seeds 1": (*WEB, *DATABASE),
    "exercises check broken": (*WEB, *DATABASE),
    "proc session directory --server nowhere": (*WEB, *DATABASE),
    "import-trace broken --server nowhere": (*WEB, *DATABASE),
    "mount session directory --server nowhere": (*WEB, *DATABASE),
    "shell session --server nowhere": (*WEB, *DATABASE),
    "password Kim": (*WEB, "alembic"),
    "clock": (*WEB, "alembic"),
    "doctor": (*WEB, "alembic"),
}

# Says at the end what has been imported.
SAYING = """
import atexit, pathlib, sys
atexit.register(lambda: pathlib.Path("imported").write_text(" ".join(sys.modules)))
from app.__main__ import main
main()
"""


def imported(folder: Path, *args: str) -> set[str]:
    """Every module, and every package of one, that a process of this command has imported by its end."""
    command = [sys.executable, "-c", SAYING, *args]
    typed = "a password\n" * 2
    done = subprocess.run(
        command, cwd=folder, env=environment(), input=typed, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    return set((folder / "imported").read_text().split())


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("command", "packages"), DOES_WITHOUT.items(), ids=DOES_WITHOUT)
def test_a_command_imports_only_what_it_needs(
    command: str, packages: tuple[str, ...], tmp_path: Path
) -> None:
    assert told(tmp_path, "migrate").returncode == 0
    (tmp_path / "broken").write_text("{}")
    recording = min(fidelity.recordings([RECORDINGS]), key=lambda path: path.stat().st_size)
    found = imported(tmp_path, *command.format(recording=recording).split())
    assert found & set(packages) == set()


def test_every_command_stands_here() -> None:
    group = {info.name or info.callback.__name__ for info in cli.registered_commands if info.callback}
    assert group <= {command.split()[0] for command in DOES_WITHOUT}

"""`kmemlab serve` as a process of its own, and the other commands, as processes or within this one."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
from typer.testing import CliRunner

from app.__main__ import cli
from tests.support import postgresql
from tests.support.factories import empty_database, migrated, settings_for, url_of
from tests.support.patience import PATIENCE

ROOT = Path(__file__).parents[2]


def kmemlab(folder: Path, *args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end, in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "app", *args],
        cwd=folder,
        env=environment(**database_of(folder) | environ),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def told(folder: Path, *args: str, typed: str | None = None) -> subprocess.CompletedProcess[str]:
    """As `kmemlab`, within this process: for what is no matter of starting one, which takes seconds.

    typed: what a person answers. A mistake of ours is raised here, where a process would end with its
    traceback.
    """
    unset: dict[str, str | None] = {key: None for key in os.environ if key.startswith("KMEMLAB_")}
    runner = CliRunner(env=unset | database_of(folder))
    with contextlib.chdir(folder):
        said = runner.invoke(cli, args, typed, prog_name="kmemlab", catch_exceptions=False)
    return subprocess.CompletedProcess(args, said.exit_code, said.stdout, said.stderr)


def environment(**more: str) -> dict[str, str]:
    ours = {key: value for key, value in os.environ.items() if not key.startswith("KMEMLAB_")}
    return {**ours, "PYTHONPATH": str(ROOT), **more}


def database_of(folder: Path) -> dict[str, str]:
    """What names a folder's database, where it is not the file that a command takes by itself."""
    if not postgresql.ON:
        return {}
    migrated(settings_for(folder))
    return {"KMEMLAB_DATABASE_URL": url_of(folder)}


def with_files(most: int | None) -> list[str]:
    """What goes before a command that may have only so many files open."""
    return [] if most is None else ["sh", "-c", f'ulimit -n {most}; exec "$@"', "sh"]


class Served:
    """A serving process. base: its API's address. files: how many it may have open."""

    def __init__(self, folder: Path, *args: str, files: int | None = None, **environ: str) -> None:
        self.process = subprocess.Popen(
            [*with_files(files), sys.executable, "-m", "app", "serve", "--port", "0", *args],
            cwd=folder,
            env=environment(**database_of(folder) | environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline()
        found = re.fullmatch(r"kmemlab serving on (http://127\.0\.0\.1:\d+)\n", self.said)
        if found is None:
            self.process.kill()
            raise AssertionError(self.said + self.process.communicate()[1])
        self.address = found[1]
        self.base = f"{self.address}/api/v1"

    def line(self) -> str:
        """The next line that it says."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def create(self, profile: str = "tiny-16m") -> str:
        """A new session, by its address."""
        made = httpx2.post(f"{self.base}/sessions", json={"machine": {"profile": profile}})
        assert made.status_code == 201, made.text
        return f"/sessions/{made.json()['id']}"

    def end(self, signum: int = signal.SIGTERM) -> str:
        """Send a signal and wait; what was said on stderr."""
        self.process.send_signal(signum)
        return self.process.communicate(timeout=PATIENCE)[1]


@contextmanager
def served(folder: Path, *args: str, files: int | None = None, **environ: str) -> Iterator[Served]:
    """A new database is a copy of an empty one: making it is a seventh of a start."""
    file = folder / "kmemlab.db"
    if not postgresql.ON and not file.exists() and "KMEMLAB_DATABASE_URL" not in environ:
        file.write_bytes(empty_database())
    process = Served(folder, *args, files=files, **environ)
    try:
        yield process
    finally:
        if process.process.poll() is None:
            process.end(signal.SIGKILL)


@contextmanager
def on_socket(folder: Path, *args: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """A serving process that listens at `s` in a folder."""
    command = [sys.executable, "-m", "app", "serve", "--uds", str(folder / "s"), *args]
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment(**environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == f"kmemlab serving on unix:{folder / 's'}\n"
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)

"""A private PostgreSQL for the tests: started in each test process that needs one, and gone with it.

`KMEMLAB_TESTS_ON=postgresql` has every test that takes its settings from tests.support run on it. As root the
server runs as the user `postgres`, which Debian's package makes; PostgreSQL itself refuses root.
"""

import atexit
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psycopg
import pytest

from app.store import Store
from app.store.postgresql import WRITING
from tests.support.tools import installed

ON = os.environ.get("KMEMLAB_TESTS_ON") == "postgresql"
OLDEST = 15
TMP = Path("/tmp")  # a socket's path has room for 107 bytes

# Tests ask for few bytes and many databases, and lose nothing that anybody needs.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "32MB"}
SAFE = {"fsync": "on", "synchronous_commit": "on"}


def binaries() -> Path:
    """Where PostgreSQL's programs are. In CI they are installed; else the test says that there are none."""
    found = newest()
    if found is None and installed("postgresql"):
        found = newest()
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"PostgreSQL {OLDEST} or newer is needed: install Debian's postgresql")
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    return found


def newest() -> Path | None:
    """The programs of the newest version that is here."""
    debians = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    other = shutil.which("initdb")
    places = [path for path in reversed(debians) if int(path.parent.name) >= OLDEST]
    return next(iter(places), None if other is None else Path(other).resolve().parent)


@dataclass
class Cluster:
    """One server with its data. It listens on a socket in its own folder, and on no port."""

    folder: Path
    bin: Path

    def run(self, program: str, *args: str | Path) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs as the user whose cluster it is."""
        user = (
            ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if os.geteuid() == 0 else []
        )
        command = [*user, str(self.bin / program), *map(str, args)]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"
        return done

    def make(self) -> None:
        self.run(
            "initdb",
            "-D",
            self.folder / "data",
            "-A",
            "trust",
            "-U",
            "kmemlab",
            "-E",
            "UTF8",
            "--no-sync",
            "--locale=C",
        )

    def start(self, **settings: str) -> None:
        options = {"listen_addresses": "''", "unix_socket_directories": f"'{self.folder}'", **settings}
        given = " ".join(f"-c {name}={value}" for name, value in options.items())
        self.run("pg_ctl", "start", "-w", "-D", self.folder / "data", "-l", self.folder / "log", "-o", given)

    def stop(self, mode: str = "fast") -> None:
        """mode: `fast`, or `immediate`, which is as a crash."""
        self.run("pg_ctl", "stop", "-w", "-m", mode, "-D", self.folder / "data")

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://kmemlab@/{database}?host={self.folder}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        return psycopg.connect(host=str(self.folder), user="kmemlab", dbname=database, autocommit=True)

    def execute(self, statement: str, database: str = "postgres") -> None:
        with self.connect(database) as connection:
            connection.execute(statement)  # type: ignore[call-overload]


@contextmanager
def cluster(at: Path = TMP, **settings: str) -> Iterator[Cluster]:
    """A server of one's own, with its data in a new folder somewhere."""
    made = begun(at, **settings)
    try:
        yield made
    finally:
        ended(made)


def begun(at: Path = TMP, **settings: str) -> Cluster:
    programs = binaries()
    folder = Path(mkdtemp(prefix="kmemlab-pg-", dir=at))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    made = Cluster(folder, programs)
    made.make()
    made.start(**settings)
    return made


def ended(made: Cluster) -> None:
    if (made.folder / "data" / "postmaster.pid").exists():
        made.stop("immediate")
    shutil.rmtree(made.folder, ignore_errors=True)


# -- databases of tests that run on either -------------------------------------------------------------------

TEMPLATE = "kmemlab_template"
made_here: list[str] = []


@cache
def shared() -> Cluster:
    """The server of this test process, with a migrated database that others are copied from."""
    found = begun(**FAST, max_connections="200")
    atexit.register(ended, found)
    found.execute(f"CREATE DATABASE {TEMPLATE}")
    store = Store(found.url(TEMPLATE))
    store.migrate()
    store.dispose()
    return found


def name_of(folder: Path) -> str:
    return f"t_{hashlib.sha256(str(folder).encode()).hexdigest()[:24]}"


def url_of(folder: Path) -> str:
    """The URL of the database that stands for one in a folder."""
    return shared().url(name_of(folder))


def migrated(folder: Path) -> None:
    """See that it is there, at this program's revision."""
    name = name_of(folder)
    if name not in made_here:
        shared().execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        made_here.append(name)


def copied(before: Path, folder: Path) -> None:
    """See that a folder's database is a copy of another one, to which nobody is connected now."""
    name = name_of(folder)
    dropped_one(name)
    shared().execute(f"CREATE DATABASE {name} TEMPLATE {name_of(before)}")
    made_here.append(name)


def dropped_one(name: str) -> None:
    if name in made_here:
        made_here.remove(name)
        shared().execute(f"DROP DATABASE {name} WITH (FORCE)")


def dropped(after: int) -> None:
    """Drop all but the first so many databases that were made."""
    while len(made_here) > after:
        shared().execute(f"DROP DATABASE {made_here.pop()} WITH (FORCE)")


class Raw:
    """The database as another program sees it, with parameters as SQLite's driver writes them."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection

    def execute(self, statement: str, parameters: Any = ()) -> psycopg.Cursor[Any]:
        if statement == "BEGIN IMMEDIATE":
            statement = f"BEGIN; LOCK TABLE sessions IN EXCLUSIVE MODE; {WRITING}"
        given = [*parameters] or None  # without any a % is a %
        return self.connection.execute(statement.replace("?", "%s"), given)  # type: ignore[call-overload]

    def commit(self) -> None:
        """Each statement is committed at once."""

    def iterdump(self) -> Iterator[str]:
        """Every row of every table, as text."""
        tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        for (table,) in self.execute(tables).fetchall():
            yield from map(repr, self.execute(f'SELECT * FROM "{table}"').fetchall())

    def close(self) -> None:
        self.connection.close()


def raw(folder: Path) -> Raw:
    return Raw(shared().connect(name_of(folder)))

"""What a database's errors mean: by SQLite's codes and by SQLSTATE, and what messages say of its URL."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, exc

from app.errors import BadArgument
from app.store import Busy, StorageFull, Store, engine
from app.store.errors import Overtaken, ReadOnly, Unreachable, translated
from app.store.url import without_secrets
from tests.support.served_process import kmemlab


class DriverError(Exception):
    """An error as PostgreSQL's drivers raise it: psycopg has `sqlstate`, psycopg2 has `pgcode`."""

    def __init__(self, state: str | None, name: str = "sqlstate") -> None:
        super().__init__("as the server says it")
        setattr(self, name, state)


def raised(error: BaseException) -> BaseException:
    with pytest.raises(BaseException) as found, translated():  # noqa: PT011 - whichever it is
        raise error
    return found.value


def postgresql(
    state: str | None, kind: type[exc.DBAPIError] = exc.OperationalError, **more: Any
) -> BaseException:
    return raised(kind("SELECT 1", None, DriverError(state, **more)))


@pytest.mark.parametrize("name", ["sqlstate", "pgcode"])
@pytest.mark.parametrize(
    ("state", "kind", "words"),
    [
        ("08006", Unreachable, "cannot be reached"),
        ("08001", Unreachable, "cannot be reached"),
        ("57P01", Unreachable, "cannot be reached"),
        ("57P03", Unreachable, "cannot be reached"),
        ("57014", Busy, "takes too long"),
        ("25P03", Unreachable, "cannot be reached"),
        ("53300", Busy, "no more resources"),
        ("53100", StorageFull, "no room left"),
        ("25006", ReadOnly, "read-only"),
        ("40001", Overtaken, "same moment"),
        ("40P01", Overtaken, "same moment"),
        ("55P03", Busy, "held"),
        ("58030", StorageFull, "cannot be written"),
        ("XX001", StorageFull, "damaged"),
        ("XX000", Unreachable, "cannot be reached"),
        (None, Unreachable, "cannot be reached"),
    ],
)
def test_sqlstate(state: str | None, kind: type[Exception], words: str, name: str) -> None:
    for of_sqlalchemy in (exc.OperationalError, exc.InterfaceError):
        error = postgresql(state, of_sqlalchemy, name=name)
        assert type(error) is kind
        assert words in str(error)
        assert isinstance(error.__cause__, of_sqlalchemy)


@pytest.mark.parametrize("state", ["25006", "40001", "53100"])
def test_a_known_state_counts_whatever_the_driver_calls_it(state: str) -> None:
    assert isinstance(postgresql(state, exc.InternalError), Busy | StorageFull)


@pytest.mark.parametrize("state", ["42601", "42P01", "22003", "23505"])
def test_mistakes_of_ours_stay_mistakes(state: str) -> None:
    for kind in (exc.ProgrammingError, exc.IntegrityError):
        assert type(postgresql(state, kind)) is kind


def test_a_value_without_a_place_is_its_senders_mistake() -> None:
    error = postgresql(None, exc.DataError)
    assert isinstance(error, BadArgument)
    assert "U+0000" in str(error)


def sqlite(code: int | None) -> BaseException:
    cause = sqlite3.OperationalError("as SQLite says it")
    if code is not None:
        cause.sqlite_errorcode = code
    return raised(exc.OperationalError("SELECT 1", None, cause))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_BUSY, Busy),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, Busy),
        (sqlite3.SQLITE_LOCKED, Busy),
        (sqlite3.SQLITE_READONLY_DBMOVED, ReadOnly),
        (sqlite3.SQLITE_FULL, StorageFull),
        (sqlite3.SQLITE_IOERR_FSYNC, StorageFull),
        (sqlite3.SQLITE_CANTOPEN, StorageFull),
        (sqlite3.SQLITE_NOTADB, StorageFull),
        (sqlite3.SQLITE_CORRUPT, StorageFull),
        (sqlite3.SQLITE_NOMEM, Unreachable),
        (sqlite3.SQLITE_PROTOCOL, Unreachable),
        (sqlite3.SQLITE_INTERRUPT, Unreachable),
        (sqlite3.SQLITE_ERROR, exc.OperationalError),
        (sqlite3.SQLITE_MISUSE, exc.OperationalError),
        (None, exc.OperationalError),
    ],
)
def test_codes_of_sqlite(code: int | None, kind: type[Exception]) -> None:
    assert type(sqlite(code)) is kind


def test_no_connection_left_in_the_pool_is_busy(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/kmemlab.db")
    store.migrate()
    store._engine.pool._timeout = 0.01  # type: ignore[attr-defined]
    with pytest.raises(Busy, match="many are reading"):
        hold(store, 40)
    store.dispose()


def hold(store: Store, connections: int) -> None:
    if connections:
        with store.reading():
            hold(store, connections - 1)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://ada:secret@db/kmemlab", "postgresql+psycopg://ada:***@db/kmemlab"),
        (
            "postgresql://db/kmemlab?user=ada&password=secret",
            "postgresql://db/kmemlab?password=%2A%2A%2A&user=ada",
        ),
        ("sqlite:////var/lib/kmemlab.db", "sqlite:////var/lib/kmemlab.db"),
    ],
)
def test_a_url_without_its_secrets(url: str, shown: str) -> None:
    assert without_secrets(url) == shown


def test_connections_of_a_distant_database_are_tried_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert not engine.connect(f"sqlite:///{tmp_path}/a.db", 1).pool._pre_ping
    given: dict[str, Any] = {}

    def create_engine(url: str, **options: Any) -> Engine:
        given.update(options)
        return real(f"sqlite:///{tmp_path}/a.db")

    real = engine.create_engine
    monkeypatch.setattr(engine, "create_engine", create_engine)
    engine.connect("postgresql+psycopg://ada:secret@db/kmemlab", 1)
    assert given["pool_pre_ping"] is True


@pytest.mark.slow
def test_no_command_says_a_password(tmp_path: Path) -> None:
    url = "postgresql+psycopg://ada:topsecret@127.0.0.1:1/kmemlab?password=topsecret"
    for command in (["migrate"], ["verify"], ["export", "x", "y"]):
        done = kmemlab(tmp_path, *command, KMEMLAB_DATABASE_URL=url)
        assert done.returncode == 1
        assert "topsecret" not in done.stdout + done.stderr
    done = kmemlab(tmp_path, "migrate", KMEMLAB_DATABASE_URL="no url:topsecret@")
    assert "topsecret" not in done.stdout + done.stderr

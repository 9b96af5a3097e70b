"""The database as one object: migrated, checked, read from and written to."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError

from app.settings import Settings
from app.store import postgresql, schema
from app.store.backup import OnProgress, backup
from app.store.engine import connect, taking, wait_at_most
from app.store.errors import ReadOnly, StorageFull, Uncertain, Unreachable, meaning, translated
from app.store.takes import Takes

log = logging.getLogger(__name__)


class Store:
    """Where sessions and their journals are kept.

    url: an SQLAlchemy URL. busy_timeout: seconds to wait for another process's lock. Raises StoreUnusable
    for a URL that names no kind of database that can be used here.
    """

    def __init__(self, url: str, busy_timeout: float = 5.0) -> None:
        self._url = url
        self._engine = connect(url, busy_timeout)
        # PostgreSQL's connections are set up for the one or the other when they open.
        distant = self._engine.dialect.name == postgresql.NAME
        self._reads = connect(url, busy_timeout, reads=True) if distant else self._engine
        self._writes = self._engine.execution_options(**taking(Takes.ALL))

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The store that the settings name."""
        return cls(settings.database_url, settings.busy_timeout)

    def migrate(self, revision: str = "head") -> None:
        """Create the database, or bring it to this program's schema. Raises StoreUnusable."""
        engine = connect(self._url, schema.LOCK_SECONDS, create=True)
        try:
            schema.migrate(engine, revision)
        finally:
            engine.dispose()

    def check(self) -> None:
        """Raise StoreUnusable unless the database has this program's schema."""
        schema.check(self._reads)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one moment. Raises Busy and StorageFull."""
        with translated(), self._reads.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that holds the lock from its start; committed at the end, undone by an exception.

        Raises Busy and StorageFull, also for the commit itself.
        """
        with translated(), self._writes.connect() as connection, _transaction(connection):
            yield connection

    @contextmanager
    def changing_rows(self) -> Iterator[Connection]:
        """As `writing`, where all that is read is locked row by row: others may write at the same time."""
        options = taking(Takes.ROWS)
        with (
            translated(),
            self._engine.connect().execution_options(**options) as connection,
            _transaction(connection),
        ):
            yield connection

    @property
    def is_shared(self) -> bool:
        """Whether servers on several hosts may use the database."""
        return self._engine.dialect.name == postgresql.NAME

    def writer_connection(self, patience: float) -> WriterConnection:
        """A connection for one thread that writes all the time. patience: as `busy_timeout`, for it alone."""
        return WriterConnection(self._engine, patience)

    def backup(self, to: Path, *, force: bool, on_progress: OnProgress) -> None:
        """Copy the database to a file, while it is served. As `app.store.backup.backup`."""
        backup(self._engine, to, force=force, on_progress=on_progress)

    def cut_log(self) -> None:
        """Bring what was written into the file itself, so that what was deleted stands in no log beside it.

        While another transaction reads it is done as far as it goes, and the rest a little later.
        """
        if self._engine.dialect.name != "sqlite":
            return
        connection = self._engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute("PRAGMA busy_timeout = 50")  # who writes is not to wait for who reads
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.close()
        finally:
            connection.invalidate()  # with its patience

    def dispose(self) -> None:
        """Close every connection; one that a thread still has, when it gives it back."""
        for engine in (self._engine, self._reads):
            event.listen(engine, "checkin", _close)
            engine.dispose()


def _close(_connection: Any, record: Any) -> None:
    """Close what comes back to a pool that nobody asks any more."""
    record.invalidate()


@contextmanager
def _transaction(connection: Connection) -> Iterator[None]:
    """Committed at the end, undone by an exception.

    Raises Uncertain where the database, on another host, is lost before it has confirmed the commit.
    """
    committing = False
    try:
        with connection.begin():
            yield
            committing = True
    except DBAPIError as error:
        if committing and isinstance(meaning(error), Unreachable) and connection.dialect.name != "sqlite":
            raise Uncertain from error
        raise


class WriterConnection:
    """One connection for many transactions; after an error, a new one. Used by one thread."""

    def __init__(self, engine: Engine, patience: float) -> None:
        self._engine = engine
        self._patience = patience
        self._connection: Connection | None = None
        self._failed: StorageFull | None = None

    @contextmanager
    def transaction(self, takes: Takes) -> Iterator[Connection]:
        """As `Store.writing`, or where nothing will be written as `Store.reading`."""
        writes = takes is not Takes.NOTHING
        if writes and isinstance(self._failed, ReadOnly):
            # Nor before: while another process has the file open, it can be read without any room on the
            # disk.
            self.close()
            self._engine.dispose()
        try:
            with translated():
                connection = self._connection = self._connection or self._connect()
                connection.execution_options(**taking(takes))
                with _transaction(connection):
                    yield connection
        except BaseException as error:
            self.close()
            if isinstance(error, StorageFull):
                self._note(error)
            raise
        if writes and self._failed is not None:
            self._failed = None
            log.warning("the database can be written again")

    def _connect(self) -> Connection:
        connection = self._engine.connect()
        wait_at_most(connection, self._patience)
        return connection

    def _note(self, error: StorageFull) -> None:
        """Log it once for the operator, with SQLite's own word for it."""
        if self._failed is None:
            log.error("nothing can be written: %s", error.__cause__ or error)
        self._failed = error

    def close(self) -> None:
        """Give the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

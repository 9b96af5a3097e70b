"""Apply revisions, with Alembic. Importing it takes a quarter of a second, which most starts do without."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from app.paths import MIGRATIONS


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, in code: it works the same from the tree and from an installed wheel."""
    configured = Config()
    configured.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    configured.attributes["connection"] = connection
    return configured


def upgrade(connection: Connection, revision: str) -> None:
    """Apply what is missing up to a revision, in the transaction that the caller has begun."""
    command.upgrade(config(connection), revision)

"""The database: rows and SQL statements. The only package that imports SQLAlchemy."""

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.exc import DBAPIError as DatabaseError

from app.store.errors import Busy, Overtaken, StorageFull, StoreUnusable, Unreachable
from app.store.store import Store, WriterConnection
from app.store.takes import Takes
from app.store.url import without_secrets

__all__ = [
    "Busy",
    "Connection",
    "DataError",
    "DatabaseError",
    "IntegrityError",
    "Overtaken",
    "StorageFull",
    "Store",
    "StoreUnusable",
    "Takes",
    "Unreachable",
    "WriterConnection",
    "without_secrets",
]

"""Rows and statements: the only package that names sqlalchemy."""

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError as DatabaseError

from app.store.errors import Busy, StorageFull, StoreUnusable
from app.store.store import Kept, Store

__all__ = ["Busy", "Connection", "DatabaseError", "Kept", "StorageFull", "Store", "StoreUnusable"]

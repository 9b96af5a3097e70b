"""Rows and statements: the only package that names sqlalchemy."""

from sqlalchemy import Connection

from app.store.errors import Busy, StorageFull, StoreUnusable
from app.store.store import Kept, Store

__all__ = ["Busy", "Connection", "Kept", "StorageFull", "Store", "StoreUnusable"]

"""Rows and statements: the only package that names sqlalchemy."""

from app.store.errors import Busy, StorageFull, StoreUnusable
from app.store.store import Store

__all__ = ["Busy", "StorageFull", "Store", "StoreUnusable"]

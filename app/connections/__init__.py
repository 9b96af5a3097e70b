"""Connections: what one may cost, and how many there may be, before a request reaches the application.

- `connection.py`: one connection: the size of a request's head, pipelining, and how long each state may last
- `table.py`: all of them: how many there may be, and which is closed to make room for a new one
- `refusals.py`: the answers to what never becomes a request
"""

from app.connections.connection import Connection
from app.connections.table import Connections

__all__ = ["Connection", "Connections"]

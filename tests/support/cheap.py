"""A pytest plugin (`-p` in pyproject.toml): what costs time on purpose, or for nothing, is cheap in tests.

Passwords are hashed as they are, but cheaply: what a hash costs on purpose is time and memory, and tests hash
hundreds. Servers that tests start as processes of their own hash as everybody's do.

A client of httpx2 reads every certificate of this computer, 30 ms each time, though no test speaks TLS: one
context does for all.
"""

from functools import cache, partial

from argon2 import PasswordHasher
from httpx2._transports import default as transports

from app.labs import passwords

passwords.PasswordHasher = partial(PasswordHasher, time_cost=1, memory_cost=8, parallelism=1)  # type: ignore[assignment,misc]
transports.create_ssl_context = cache(transports.create_ssl_context)

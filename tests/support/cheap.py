"""A pytest plugin (`-p` in pyproject.toml): passwords are hashed as they are, but cheaply.

What a hash costs on purpose is time and memory; tests hash hundreds. Servers that tests start as processes of
their own hash as everybody's do.
"""

from functools import partial

from argon2 import PasswordHasher

from app.labs import passwords

passwords.PasswordHasher = partial(PasswordHasher, time_cost=1, memory_cost=8, parallelism=1)  # type: ignore[assignment,misc]

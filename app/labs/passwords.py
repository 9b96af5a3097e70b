"""Instructors' passwords: hashed with argon2, one at a time.

A hash takes tens of milliseconds and 64 MiB on purpose. One thread does it, which lets go of the interpreter
meanwhile, so that a class can go on calling while many sign in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from app.errors import BadArgument
from app.sessions import TooMany

T = TypeVar("T")

SHORTEST_PASSWORD: Final = 10
LONGEST_PASSWORD: Final = 200
MOST_WAITING: Final = 16  # in each line; more than that are sent away


def checked(password: str) -> str:
    """Check the length of a new password. Raises BadArgument at `password`."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise BadArgument.at("password", f"{SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    if not password.isprintable():
        raise BadArgument.at("password", "no control characters")
    return password


class Passwords:
    """Hashes and checks. To be closed."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._thread = ThreadPoolExecutor(1, "passwords")
        # Those who have signed in before wait in a line of their own: strangers cannot fill it.
        self._waiting = {False: 0, True: 0}
        self._nobody = ""

    def prepare(self) -> None:
        """Make what is checked where there is no such account, so that it takes as long. Not waited for."""
        self._thread.submit(self._prepare)

    def _prepare(self) -> None:
        self._nobody = self._hasher.hash("nobody has this password")

    async def hash(self, password: str) -> str:
        """Hash a password. Raises BadArgument at `password`, and TooMany."""
        return await self._run(self._hasher.hash, checked(password))

    async def fits(self, kept: str | None, password: str, *, known: bool = False) -> bool:
        """Whether a password is the one that is kept; never where none is, though it takes as long.

        known: it comes from where that account has signed in before. Raises TooMany.
        """
        right = await self._run(self._fits, kept, password[: LONGEST_PASSWORD + 1], known=known)
        return right and kept is not None

    def _fits(self, kept: str | None, password: str) -> bool:
        try:
            return self._hasher.verify(kept or self._nobody, password.encode("utf-8", "surrogatepass"))
        except (Argon2Error, InvalidHashError):
            return False

    async def _run(self, do: Callable[..., T], *args: object, known: bool = False) -> T:
        if self._waiting[known] >= MOST_WAITING:
            raise TooMany("many are signing in at this moment: try again in some seconds")
        self._waiting[known] += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, do, *args)
        finally:
            self._waiting[known] -= 1

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

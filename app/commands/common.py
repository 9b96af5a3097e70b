"""Shared by the commands: settings, the database, error messages, and progress."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import typer

if TYPE_CHECKING:
    from app.settings import Settings
    from app.store import Store

# A person sees it move; a log is not filled.
OFTEN: Final = 0.1
SELDOM: Final = 10.0


def settings_from(**given: Any) -> Settings:
    """The settings, of which the environment may set others; refused where one cannot be."""
    from pydantic import ValidationError

    from app.settings import Settings

    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        refuse(f"{f'KMEMLAB_{name.upper()}: ' if name else ''}{first['msg'].removeprefix('Value error, ')}")


def refuse(why: str) -> NoReturn:
    """End with a sentence on stderr."""
    typer.echo(f"kmemlab: {why}", err=True)
    raise typer.Exit(1)


@contextmanager
def opened() -> Iterator[Store]:
    """The database that the settings name, which must be there with this program's schema."""
    from app.store import Busy, StorageFull, Store, StoreUnusable

    settings = settings_from()
    file = settings.database_url.removeprefix("sqlite:///")
    if file != settings.database_url and not Path(file).exists():
        refuse(f"there is no database {file}: `kmemlab migrate` makes one")
    try:
        store = Store.of(settings)
        try:
            store.check()
            yield store
        finally:
            store.dispose()
    except (StoreUnusable, Busy, StorageFull) as error:
        refuse(str(error))


class Counter:
    """How far something is, on stderr: in one line for a person, now and then in a log."""

    def __init__(self, what: str, unit: str = "rows") -> None:
        self.what = what
        self.unit = unit
        self.in_place = sys.stderr.isatty()
        self.next = time.monotonic() + (OFTEN if self.in_place else SELDOM)
        self.shown = 0

    def __call__(self, done: int, of: int) -> None:
        """So many of so many are done."""
        now = time.monotonic()
        if now < self.next:
            return
        self.next = now + (OFTEN if self.in_place else SELDOM)
        line = f"{self.what}: {done:,} of {of:,} {self.unit}"
        typer.echo(f"\r{line.ljust(self.shown)}" if self.in_place else line, nl=not self.in_place, err=True)
        self.shown = len(line)

    def end(self) -> None:
        """Take the line away."""
        if self.in_place and self.shown:
            typer.echo(f"\r{' ' * self.shown}\r", nl=False, err=True)
            self.shown = 0

"""`kmemlab export` and `kmemlab import`: a session as a file, between databases."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Annotated

import typer

from app.commands.common import Counter, opened, refuse


def export(
    session: Annotated[str, typer.Argument(help="The session's id, as its address has it.")],
    file: Annotated[Path | None, typer.Argument(help="Where to; standard output without one.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Write a session, with every row of its journal, to a file that `kmemlab import` takes."""
    from app.sessions import exporting
    from app.sessions.errors import NotFound

    with opened() as store:
        try:
            with store.reading() as db:
                exported = exporting.begin_as_owner(db, session)
            with written(file, force=force) as out:
                for part in exporting.parts(store, exported):
                    out.write(part)
        except NotFound as error:
            refuse(str(error))
        except OSError as error:
            refuse(f"{file or 'standard output'}: {error.strerror or error}")


@contextmanager
def written(file: Path | None, *, force: bool) -> Iterator[IO[bytes]]:
    """Somewhere to write to. A file appears when all of it is there."""
    if file is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if file.exists() and not force:
        refuse(f"{file} is there already; --force replaces it")
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("wb") as out:
            yield out
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def import_(
    file: Annotated[Path, typer.Argument(help="What `kmemlab export` has written; - for standard input.")],
) -> None:
    """Make a session from an exported file, checking every answer in it, and print its id."""
    from app.errors import BadArgument
    from app.sessions import LOCAL, exported, importing
    from app.sessions.errors import LimitReached

    with opened() as store, TemporaryFile() as copy:
        counter = Counter("making the calls again")
        try:
            if str(file) == "-":
                shutil.copyfileobj(sys.stdin.buffer, copy)
            else:
                with file.open("rb") as given:
                    shutil.copyfileobj(given, copy)
            importing.sweep(store)
            sid = importing.prepare(store, copy, LOCAL.id, exported.Limits(on_progress=counter))
            with store.writing() as db:
                importing.publish(db, sid, LOCAL.id)
        except (BadArgument, LimitReached) as error:
            counter.end()
            refuse(f"{file}: {error}")
        except OSError as error:
            refuse(f"{file}: {error.strerror or error}")
        counter.end()
    typer.echo(sid)

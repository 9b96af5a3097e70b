"""`kmemlab proc`: a session as a directory, for tools that read /proc and /sys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.commands.common import refuse


def proc(
    session: Annotated[str, typer.Argument(help="The session's id, as its address has it.")],
    directory: Annotated[Path, typer.Argument(help="Where to: proc/ and sys/ are made in it.")],
    at: Annotated[int | None, typer.Option(help="As it was after the row with this seq.")] = None,
    frames: Annotated[bool, typer.Option("--frames", help="With kpageflags and kpagecount.")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Write again after every row.")] = False,
    server: Annotated[str, typer.Option(help="The server.")] = "http://127.0.0.1:8000",
) -> None:
    """Write a session as the files that Linux's own tools read. KMEMLAB_TOKEN says who you are."""
    from urllib.error import HTTPError

    from app import procdirectory, serverclient

    if follow and at is not None:
        refuse("--follow shows what comes, --at what was: give one of the two")
    try:
        source = procdirectory.Source(server, session)
        seq = procdirectory.write(source, directory, at, frames=frames)
        typer.echo(f"#{seq} is in {directory}")
        if follow:
            for _ in procdirectory.follow(source, directory, seq, frames=frames):
                pass
    except HTTPError as error:
        refuse(serverclient.said(error))
    except (OSError, ValueError) as error:
        refuse(str(error))
    except KeyboardInterrupt:
        raise typer.Exit from None

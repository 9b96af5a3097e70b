"""`kmemlab mount`: a session as a file system, for tools that read /proc and /sys."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Annotated, Final

import typer

from app.commands.common import refuse

DEVICE: Final = Path("/dev/fuse")


def mount(
    session: Annotated[str, typer.Argument(help="The session's id, as its address has it.")],
    directory: Annotated[Path, typer.Argument(help="Where to: proc/ and sys/ are in it.")],
    at: Annotated[int | None, typer.Option(help="As it was after the row with this seq.")] = None,
    server: Annotated[str, typer.Option(help="The server.")] = "http://127.0.0.1:8000",
) -> None:
    """Mount a session, read-only, until `umount DIRECTORY` or Ctrl-C. KMEMLAB_TOKEN says who you are."""
    from urllib.error import HTTPError

    from app import procdirectory, procmount, serverclient

    fuse = the_program()
    try:
        tree = procmount.Tree(procdirectory.Source(server, session), at)
        directory.mkdir(parents=True, exist_ok=True)
        typer.echo(f"#{tree.moment.seq} is in {directory}" + (", and what follows" if at is None else ""))
        fuse.mount(tree, directory)
    except HTTPError as error:
        refuse(serverclient.said(error))
    except (OSError, ValueError) as error:
        refuse(str(error))
    except RuntimeError as error:
        refuse(f"{directory} cannot be mounted: libfuse ends with {error}")


def the_program() -> ModuleType:
    """What serves a file system, if this computer has all that it needs."""
    if not DEVICE.exists():
        refuse(f"there is no {DEVICE}: this computer, or its container, has no FUSE")
    try:
        from app import fuse
    except ImportError:
        refuse("mounting needs the extra: pip install 'kmemlab[mount]'")
    except OSError as error:
        refuse(f"mounting needs libfuse (Debian: apt-get install fuse3): {error}")
    return fuse

"""`kmemlab shell`: a session at a prompt."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Final

import typer

from app.commands.common import refuse

HISTORY: Final = 1000  # entries that are kept
DELIMITERS: Final = " \t\n()=,|*;:/@&+-[]"


def shell(
    session: Annotated[str, typer.Argument(help="The session's id, as its address has it.")],
    server: Annotated[str, typer.Option(help="The server.")] = "http://127.0.0.1:8000",
) -> None:
    """Make calls in a session by lines of C, typed or from a file. KMEMLAB_TOKEN says who you are."""
    from urllib.error import HTTPError

    from app import serverclient
    from app.shell import RefusedError, Shell

    interactive = sys.stdin.isatty()
    try:
        asking = Shell(serverclient.Source(server, session), input if interactive else piped, typer.echo)
        with with_readline(asking.complete) if interactive else contextlib.nullcontext():
            asking.run(interactive=interactive)
    except HTTPError as error:
        refuse(serverclient.said(error))
    except (OSError, ValueError) as error:
        refuse(str(error))
    except RefusedError:
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if interactive:
        typer.echo()


def piped(_: str) -> str:
    """A line of a file. Raises EOFError."""
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\n")


@contextlib.contextmanager
def with_readline(complete: Callable[[str, int], str | None]) -> Iterator[None]:
    """Lines are edited, words completed, and entries of earlier days at hand, where Python has readline."""
    try:
        import readline
    except ImportError:
        yield
        return
    readline.set_completer(complete)
    readline.set_completer_delims(DELIMITERS)
    libedit = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if libedit else "tab: complete")
    readline.set_history_length(HISTORY)
    file = history()
    with contextlib.suppress(OSError):
        readline.read_history_file(file)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            readline.write_history_file(file)


def history() -> Path:
    """Where entries are kept."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "kmemlab" / "history"

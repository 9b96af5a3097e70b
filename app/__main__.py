"""The command line: `kmemlab serve`, `migrate`, `replay`, and what app.commands has.

A command imports what it needs when it runs. What stands at the top of this module, and of those in
app.commands, is paid for by every command; tests/process/test_startup.py has what each command must not
import.
"""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app import __version__
from app.collector import gc_paused
from app.commands import (
    clock,
    demos,
    doctor,
    exercises,
    importtrace,
    maintenance,
    mount,
    people,
    proc,
    shell,
    transfer,
)
from app.commands.common import refuse, settings_from
from app.listening import is_loopback

if TYPE_CHECKING:
    from app.settings import Settings

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A laboratory for the memory allocators of Linux 6.1.",
)


def main() -> None:
    """Run the command line."""
    cli(prog_name="kmemlab")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"kmemlab {__version__}")
        raise typer.Exit


@cli.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    uds: Annotated[
        Path | None, typer.Option(help="A socket in the file system to listen on, for a proxy here.")
    ] = None,
    lab: Annotated[
        bool,
        typer.Option("--lab", help="Lab mode: for a class. Always so where other computers can reach it."),
    ] = False,
) -> None:
    """Serve the dashboard and the API, bringing the database up to date first."""
    given = {"host": host, "port": port, "uds": uds, "lab": lab or None}
    settings = settings_from(**{name: value for name, value in given.items() if value is not None})
    settings = in_its_mode(settings)
    _migrate(settings)
    # The program's modules are objects that stay: without the pause each would be looked at many times.
    with gc_paused():
        from app import serving
        from app.listening import CannotListen

        server = serving.server_of(settings)
    gc.freeze()
    try:
        serving.run(server, settings)
    except CannotListen as error:
        refuse(str(error))


@cli.command()
def migrate() -> None:
    """Create the database, or bring it to this program's schema."""
    from app.store import without_secrets

    settings = settings_from()
    _migrate(settings)
    typer.echo(f"{without_secrets(settings.database_url)} is up to date")


@cli.command()
def replay(
    recordings: Annotated[list[Path], typer.Argument(exists=True, help="Recordings, or folders of them.")],
    into: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Put the table into this file.")
    ] = None,
) -> None:
    """Replay recordings of a real kernel and compare every answer."""
    from app import fidelity

    reports = list(fidelity.replay_all(recordings))
    table = fidelity.tables(reports)
    typer.echo(table)
    for report in reports:
        for line in fidelity.explain_misses(report):
            typer.echo(line, err=True)
    if into is not None:
        into.write_text(fidelity.put_into(into.read_text("utf-8"), table), "utf-8")


cli.command()(transfer.export)
cli.command("import")(transfer.import_)
cli.command("import-trace")(importtrace.import_trace)
cli.command()(maintenance.backup)
cli.command()(maintenance.verify)
cli.command()(proc.proc)
cli.command()(mount.mount)
cli.command()(shell.shell)
cli.command()(demos.demos)
cli.add_typer(exercises.exercises, name="exercises")
cli.command()(people.password)
cli.command()(clock.clock)
cli.command()(doctor.doctor)


def in_its_mode(settings: Settings) -> Settings:
    """Lab mode wherever other computers can reach the server: there every request is authenticated."""
    return settings if is_loopback(settings.host) else settings.model_copy(update={"lab": True})


def _migrate(settings: Settings) -> None:
    from app.store import Busy, StorageFull, Store, StoreUnusable

    try:
        store = Store.of(settings)
        store.migrate()
    except (StoreUnusable, Busy, StorageFull) as error:
        refuse(str(error))
    store.dispose()


if __name__ == "__main__":
    main()

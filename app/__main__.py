"""The command line: `kmemlab serve`, `migrate`, `replay`, and what app.commands has."""

from __future__ import annotations

import gc
import ipaddress
import resource
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from fastapi import FastAPI

from app import __version__, fidelity
from app.commands import clock, demos, keeping, moving, people
from app.commands.common import refuse, settings_from
from app.connections import Connection, Connections
from app.labs import Labs
from app.settings import Settings
from app.store import Busy, StorageFull, Store, StoreUnusable, without_secrets

# Seconds for requests that still run when SIGTERM comes; the rest of its five is the writer's.
GRACE = 1

# Seconds for which a thread that computes keeps the interpreter while others want it. Writing a group of
# calls lets go of it some dozen times: with Python's 5 ms each of these would wait for a read of the past.
SWITCH = 0.0005

# Each follower is an open file, and a shell gives 1,024 of them where many more may be had.
FILES = 16_384

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
    lab: Annotated[
        bool,
        typer.Option("--lab", help="Lab mode: for a class. Always so where other computers can reach it."),
    ] = False,
) -> None:
    """Serve the dashboard and the API, bringing the database up to date first."""
    given = {"host": host, "port": port, "lab": lab or None}
    settings = settings_from(**{name: value for name, value in given.items() if value is not None})
    settings = in_its_mode(settings)
    _migrate(settings)
    _take_files()
    from app.main import create_app  # noqa: PLC0415 - what is refused above need not wait for all of it

    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=partial(Connection, Connections(settings)),  # type: ignore[arg-type]  # makes a protocol
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
    )
    Server(config).run()


@cli.command()
def migrate() -> None:
    """Create the database, or bring it to this program's schema."""
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
    reports = list(fidelity.replay_all(recordings))
    table = fidelity.table(reports)
    typer.echo(table)
    for report in reports:
        for line in fidelity.explain_misses(report):
            typer.echo(line, err=True)
    if into is not None:
        into.write_text(fidelity.put_into(into.read_text("utf-8"), table), "utf-8")


cli.command()(moving.export)
cli.command("import")(moving.import_)
cli.command()(keeping.backup)
cli.command()(keeping.verify)
cli.command()(demos.demos)
cli.command()(people.password)
cli.command()(clock.clock)


class Server(uvicorn.Server):
    """uvicorn, saying where it listens, and ending at once what only waits."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        # What there is by now stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        # Calls make many objects and no cycles to speak of: looking for some after every 700 objects takes a
        # third of a batch's time. A full search stops everything for a third of a second where large machines
        # are open, so those are rare.
        gc.set_threshold(20_000, 10, 100)
        sys.setswitchinterval(SWITCH)
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        typer.echo(f"kmemlab serving on {address}")
        app = self.config.app
        assert isinstance(app, FastAPI)
        if app.state.labs.enabled:
            here = f"http://127.0.0.1:{port}" if ipaddress.ip_address(host).is_unspecified else address
            await _invite(app.state.labs, app.state.settings.public_url or here)
        sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the waiting requests, then the others, then the application."""
        app = self.config.app
        assert isinstance(app, FastAPI)
        app.state.sessions.release()
        await super().shutdown(sockets)


async def _invite(labs: Labs, address: str) -> None:
    """Print the link for the first instructor, while there is none. Whoever reads it owns the server."""
    invitation = await labs.entrance.first_invitation()
    if invitation is not None:
        typer.echo(f"no instructor yet: set one up, once, at {address.rstrip('/')}/setup/{invitation}")


def in_its_mode(settings: Settings) -> Settings:
    """Lab mode wherever other computers can reach the server: there everybody has to say who they are."""
    return settings if is_loopback(settings.host) else settings.model_copy(update={"lab": True})


def _take_files() -> None:
    """Allow this process as many open files as it will need, as far as it may."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def is_loopback(host: str) -> bool:
    """Whether an address reaches this computer alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _migrate(settings: Settings) -> None:
    try:
        store = Store.of(settings)
        store.migrate()
    except (StoreUnusable, Busy, StorageFull) as error:
        refuse(str(error))
    store.dispose()


if __name__ == "__main__":
    main()

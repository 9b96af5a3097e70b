"""The serving process: uvicorn with kmemlab's limits, its announcement, and an end that waits for nothing."""

from __future__ import annotations

import ipaddress
import resource
import socket
import sys
from functools import partial

import typer
import uvicorn
from fastapi import FastAPI
from uvicorn.config import LOGGING_CONFIG

from app import collector, logs
from app.connections import Connection, Connections
from app.labs import Labs
from app.listening import listen
from app.main import create_app
from app.settings import Settings

# Seconds for requests that still run when SIGTERM comes; the rest of its five is the writer's.
GRACE = 1

# Seconds for which a thread that computes keeps the interpreter while others want it. Writing a group of
# calls lets go of it some dozen times: with Python's 5 ms each of these would wait for a read of the past.
SWITCH = 0.0005

# Each follower is an open file, and a shell gives 1,024 of them where many more may be had.
FILES = 16_384


def run(server: Server, settings: Settings) -> None:
    """Serve until a signal comes. Raises CannotListen."""
    server.run(None if settings.uds is None else [listen(settings.uds)])


def server_of(settings: Settings) -> Server:
    """A server that is ready to run, and a process that may open as many files as it needs."""
    _take_files()
    if settings.log == "json":
        logs.write_json()
    app = create_app(settings)
    app.state.connections = Connections(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=partial(Connection, app.state.connections),  # type: ignore[arg-type]  # makes a protocol
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None if settings.log == "json" else LOGGING_CONFIG,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
    )
    return Server(config)


class Server(uvicorn.Server):
    """uvicorn, saying where it listens, and ending at once what only waits."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        collector.settle()
        sys.setswitchinterval(SWITCH)
        app = self.config.app
        assert isinstance(app, FastAPI)
        address, here = self._addresses(app.state.settings)
        typer.echo(f"kmemlab serving on {address}")
        if app.state.labs.enabled:
            await _invite(app.state.labs, app.state.settings.public_url or here)
        sys.stdout.flush()

    def _addresses(self, settings: Settings) -> tuple[str, str]:
        """Where it listens, and the beginning of an address that a browser on this computer reaches."""
        if settings.uds is not None:
            return f"unix:{settings.uds}", "http://localhost"
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        return address, f"http://127.0.0.1:{port}" if ipaddress.ip_address(host).is_unspecified else address

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the waiting requests, then the others, then the application."""
        app = self.config.app
        assert isinstance(app, FastAPI)
        app.state.sessions.release()
        await super().shutdown(sockets)
        if app.state.settings.uds is not None:  # after this the signal ends the process
            app.state.settings.uds.unlink(missing_ok=True)


async def _invite(labs: Labs, address: str) -> None:
    """Print the link for the first instructor, while there is none. Its reader owns the server."""
    invitation = await labs.authentication.first_invitation()
    if invitation is not None:
        typer.echo(f"no instructor yet: set one up, once, at {address.rstrip('/')}/setup/{invitation}")


def _take_files() -> None:
    """Allow this process as many open files as it will need, as far as it may."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))

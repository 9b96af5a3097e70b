"""Checks a server's settings and surroundings before a class comes: `kmemlab doctor`.

Each check says what it has found, and where something is wrong what to change. Nothing is changed here.
"""

from __future__ import annotations

import difflib
import os
import resource
import shutil
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, NamedTuple

from pydantic import ValidationError

from app.clock import utc
from app.listening import is_loopback
from app.sessions import clock_check
from app.sessions.clock_check import ClockStatus
from app.settings import Settings
from app.store import Busy, StorageFull, Store, StoreUnusable, condition, integrity, schema
from app.store.condition import Condition

PREFIX: Final = "KMEMLAB_"
# Bytes that should be free on the disk, and that must be.
ROOM: Final = 2 << 30
LEAST_ROOM: Final = 200 << 20
# Seconds that this computer's clock and the database's may differ.
APART: Final = 2.0
# Seconds that this computer's clock may be behind the latest time that the database knows.
BEHIND: Final = 60.0
# Open files that a class of some hundred with their streams needs.
FILES: Final = 4_096
# Connections that one server may open to a database.
CONNECTIONS: Final = 64

Grade = Literal["ok", "look", "wrong"]


class Finding(NamedTuple):
    """What one check has found."""

    about: str
    grade: Grade
    found: str
    # What to do; empty where nothing is to be done.
    advice: str = ""


def examine(settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Every check, in the order in which one would make them by hand."""
    yield from of_names(environment)
    yield from of_address(settings)
    yield from of_proxies(settings)
    yield from of_files()
    yield from of_database(settings)


def of_names(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Settings that are none: a name that is mistyped sets nothing, and nobody is told."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    given = sorted(name for name in environment if name.startswith(PREFIX))
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            advice = f"did you mean {near[0]}?" if near else "take it away"
            yield Finding("settings", "wrong", f"{name} is no setting, and changes nothing", advice)
    right = [name for name in given if name in known]
    yield Finding("settings", "ok", f"set: {', '.join(right) or 'none; all have their defaults'}")


def of_values(error: ValidationError) -> Iterator[Finding]:
    """Settings that cannot be: no server would start, and nothing else can be checked."""
    for one in error.errors():
        name = f"{PREFIX}{'.'.join(map(str, one['loc'])).upper()}: " if one["loc"] else ""
        yield Finding(
            "settings", "wrong", f"{name}{one['msg'].removeprefix('Value error, ')}",
            "correct it; no server starts, and what depends on it was not checked",
        )  # fmt: skip


def of_address(settings: Settings) -> Iterator[Finding]:
    """Where people reach the server, and whether others can read what they send."""
    public = settings.public_url
    if public is not None:
        if public.startswith("https://"):
            yield Finding("address", "ok", f"people come to {public}, over TLS")
        else:
            yield Finding(
                "address", "wrong", f"people come to {public}, without TLS: passwords can be read on the way",
                "put a proxy with a certificate in front (deploy/), and set an https:// address",
            )  # fmt: skip
        return
    if settings.uds is not None:
        yield Finding(
            "address", "wrong", "the server listens on a socket, and KMEMLAB_PUBLIC_URL is not set",
            "set it to the address that people type: links and cookies are made from it",
        )  # fmt: skip
    elif is_loopback(settings.host):
        yield Finding("address", "ok", f"only this computer reaches {settings.host}")
    else:
        yield Finding(
            "address", "look", f"others reach {settings.host}:{settings.port} without TLS, by its address",
            "for more than a lesson in one room: a proxy with a certificate, and KMEMLAB_PUBLIC_URL",
        )  # fmt: skip


def of_proxies(settings: Settings) -> Iterator[Finding]:
    """Who may say where a request came from."""
    behind = settings.public_url is not None
    proxies = settings.proxies
    if not behind and not proxies:
        return
    if not settings.lab and is_loopback(settings.host):
        yield Finding(
            "proxy", "look", "KMEMLAB_LAB is not set: outside lab mode, a proxy's requests are refused",
            "KMEMLAB_LAB=true, unless the server is started by `kmemlab serve --lab`",
        )  # fmt: skip
    if not proxies:
        yield Finding(
            "proxy", "look", "no proxy is trusted, so all who try passwords through it count as one address",
            "set KMEMLAB_TRUSTED_PROXIES to the proxy's address (127.0.0.1), or to `unix` with --uds",
        )  # fmt: skip
        return
    wide = [str(network) for network in proxies.networks if network.num_addresses > 1 << 16]
    if wide:
        yield Finding(
            "proxy", "wrong", f"everybody in {', '.join(wide)} may say who they are",
            "name the proxies' own addresses alone",
        )  # fmt: skip
    elif settings.uds is not None and not proxies.unix:
        yield Finding(
            "proxy", "wrong", "the server listens on a socket, and its proxy is not trusted",
            "add `unix` to KMEMLAB_TRUSTED_PROXIES",
        )  # fmt: skip
    elif settings.uds is None and not is_loopback(settings.host):
        yield Finding(
            "proxy",
            "look",
            f"{settings.host} can be reached past the proxy",
            "listen on 127.0.0.1, or use --uds",
        )
    else:
        yield Finding("proxy", "ok", f"trusted: {settings.trusted_proxies}")


def of_files() -> Iterator[Finding]:
    """Each follower is an open file."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < FILES:
        yield Finding(
            "files", "look", f"this user may open {most} files: about {max(0, most - 256)} connections",
            f"raise the limit to {FILES} or more (`LimitNOFILE=` in the unit)",
        )  # fmt: skip
    else:
        yield Finding("files", "ok", "as many open files as a large class needs")


def of_database(settings: Settings) -> Iterator[Finding]:
    """Whether it can be reached, read, written and believed."""
    file = settings.database_url.removeprefix("sqlite:///")
    if file != settings.database_url and not Path(file).exists():
        advice = "`kmemlab migrate` makes it, and so does the first `kmemlab serve`"
        yield Finding("database", "look", f"{file} is not there yet", advice)
        return
    try:
        store = Store.of(settings)
    except StoreUnusable as error:
        yield Finding("database", "wrong", str(error), "see docs/postgresql.md, or take SQLite")
        return
    try:
        yield from _of_store(store)
    except (StoreUnusable, Busy, StorageFull) as error:
        yield Finding("database", "wrong", str(error), "nothing can be served before that is mended")
    finally:
        store.dispose()


def _of_store(store: Store) -> Iterator[Finding]:
    store.check()
    with store.reading() as db:
        found = condition.of(db)
        faults = integrity.faults(db)
        clock = clock_check.status(db, utc())
    yield Finding("database", "ok", f"{found.kind}, with this program's schema")
    with store.writing() as db:
        schema.touch(db)
    yield Finding("database", "ok", "it can be written")
    for fault in faults:
        yield Finding(
            "database", "wrong", fault, "restore a backup; `kmemlab verify` tells what else differs"
        )
    yield from of_condition(found)
    if seconds_behind(clock) > BEHIND:
        yield Finding(
            "clock", "wrong", f"it shows {clock.now}, before the latest time known, {clock.trusted}",
            "set it, and keep it by NTP: new rows would be older than earlier ones, and deadlines come late",
        )  # fmt: skip
    elif clock.held:
        yield Finding(
            "clock", "wrong", f"it shows {clock.now}, and the latest time known is {clock.trusted}",
            "set it; or, where it is right, `kmemlab clock --trust`: until then nothing old is deleted",
        )  # fmt: skip
    else:
        yield Finding("clock", "ok", f"it shows {clock.now}, and is believed")


def seconds_behind(clock: ClockStatus) -> float:
    """How far a clock has gone back, as far as the database can know."""
    return (datetime.fromisoformat(clock.trusted) - datetime.fromisoformat(clock.now)).total_seconds()


def of_condition(found: Condition) -> Iterator[Finding]:
    """What the database says of itself."""
    if not found.supported:
        yield Finding("database", "wrong", f"{found.kind} is too old", "PostgreSQL 15 or newer")
    if found.durable is False:
        yield Finding(
            "database", "wrong", "it confirms commits before they are on the disk",
            "fsync = on, and synchronous_commit = on (or remote_apply): answered calls could be lost",
        )  # fmt: skip
    if found.connections is not None and found.connections < CONNECTIONS:
        yield Finding(
            "database", "look", f"it takes {found.connections} connections; a server may open {CONNECTIONS}",
            f"max_connections = {CONNECTIONS} for each server, and some more",
        )  # fmt: skip
    if found.clock is not None:
        apart = abs((utc() - found.clock).total_seconds())
        if apart > APART:
            yield Finding(
                "clock", "wrong", f"this computer's clock and the database's differ by {apart:.0f} seconds",
                "keep the time of both by NTP: deadlines of sheets are judged by the servers' clocks",
            )  # fmt: skip
    if found.file is not None:
        yield of_disk(found.file)


def of_disk(file: Path) -> Finding:
    """How much room there is where the database lies."""
    free = shutil.disk_usage(file.absolute().parent).free
    size = sum(part.stat().st_size for part in file.absolute().parent.glob(f"{file.name}*"))
    words = f"{free / 1e9:.1f} GB are free beside the database, which takes {size / 1e6:,.0f} MB"
    if free < LEAST_ROOM:
        return Finding("disk", "wrong", words, "make room now: calls are refused when there is none")
    if free < ROOM:
        return Finding(
            "disk", "look", words, "make room before the next lessons, or set KMEMLAB_RETENTION_DAYS"
        )
    return Finding("disk", "ok", words)


def of_here() -> list[Finding]:
    """Every check of this process's settings and surroundings."""
    try:
        settings = Settings()
    except ValidationError as error:
        return [*of_names(os.environ), *of_values(error)]
    return list(examine(settings, os.environ))

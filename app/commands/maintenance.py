"""`kmemlab backup` and `kmemlab verify`: copy the database, and verify every session."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.common import Counter, opened, refuse

if TYPE_CHECKING:
    from app.sessions.verifying import Verified
    from app.store import Store


def backup(
    file: Annotated[Path, typer.Argument(help="Where to; it appears when it is complete and checked.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Copy the database to a file, as it is at one moment, also while it is served."""
    with opened() as store:
        counter = Counter("copying", "pages")
        store.backup(file, force=force, on_progress=counter)
        counter.end()
    typer.echo(f"{file}: {file.stat().st_size:,} bytes, checked")


def verify(
    session: Annotated[str | None, typer.Argument(help="One session's id; all sessions without one.")] = None,
) -> None:
    """Make every call of every journal again and compare every answer and state, also while it is served."""
    from app.sessions import verifying

    with opened() as store:
        faults = [] if session is not None else verifying.database(store)
        for fault in faults:
            typer.echo(f"database: {fault}")
        found = len(faults)
        rows = count = 0
        for sid in verifying.all_sessions(store) if session is None else [session]:
            verified = _verified(store, sid, asked_for=session is not None)
            if verified is not None:
                count += 1
                rows += verified.rows
                found += len(verified.faults)
    if found:
        refuse(f"{found} thing{'s' if found > 1 else ''} not as {'they' if found > 1 else 'it'} should be")
    sessions = f"{count:,} session{'' if count == 1 else 's'}"
    typer.echo(f"{sessions}, {rows:,} rows: every answer and every state is what it was")


def _verified(store: Store, sid: str, *, asked_for: bool) -> Verified | None:
    """One session, said in a line; None for one that was deleted meanwhile."""
    from app.sessions import verifying
    from app.sessions.errors import NotFound

    counter = Counter(sid)
    try:
        verified = verifying.verify(store, sid, counter)
    except NotFound as error:
        if asked_for:
            refuse(str(error))
        return None
    finally:
        counter.end()
    said = f"{verified.id}  {verified.rows:,} rows, {verified.states:,} states, {verified.name!r}"
    typer.echo(f"{said}: {'ok' if not verified.faults else 'DIFFERS'}")
    for fault in verified.faults:
        typer.echo(f"  {fault}")
    return verified

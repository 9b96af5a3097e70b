"""`kmemlab demos`: plays guided demos and says where one does not do what its file says."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from app.demos import Demo


def demos(
    folder: Annotated[
        Path | None, typer.Argument(help="A folder of one's own demos; else those here.")
    ] = None,
) -> None:
    """Play the guided demos of a folder, and compare what their steps do with what they must do."""
    import asyncio

    from app.demos import Library

    library = Library(folder)
    faults = [*library.faults()]
    chosen = [
        demo for name, demo in library.demos().items() if folder is None or library.shipped.get(name) != demo
    ]
    with tempfile.TemporaryDirectory() as place:
        faults += asyncio.run(play_all(chosen, Path(place)))
    for fault in faults:
        typer.echo(fault, err=True)
    if faults:
        raise typer.Exit(1)


async def play_all(chosen: list[Demo], place: Path) -> list[str]:
    """Each demo on machines of a database that is thrown away."""
    from app.demos.playing import play
    from app.sessions import LOCAL, Sessions
    from app.settings import Settings
    from app.store import Store

    settings = Settings(database_url=f"sqlite:///{place}/demos.db")
    store = Store.of(settings)
    store.migrate()
    sessions = Sessions(settings, store)
    await sessions.start()
    faults: list[str] = []
    try:
        for demo in chosen:
            found = await play(sessions, LOCAL, demo)
            faults += [f"{demo.name}: {fault}" for fault in found]
            expected = sum(len(step.expect) for step in demo.steps)
            typer.echo(f"{demo.name}: {expected - len(found)} of {expected} expectations met")
    finally:
        await sessions.stop()
    return faults

"""`kmemlab clock`: shows whether the clock is trusted, and trusts it."""

from __future__ import annotations

from typing import Annotated

import typer

from app.commands.common import opened


def clock(
    confirm: Annotated[bool, typer.Option("--trust", help="Say that the clock is right.")] = False,
) -> None:
    """Show whether the clock is believed: else nothing is deleted because of its age."""
    from app.clock import utc
    from app.sessions import clock_check

    with opened() as store:
        if confirm:
            with store.writing() as db:
                clock_check.trust_now(db, utc())
        with store.reading() as db:
            found = clock_check.status(db, utc())
    typer.echo(f"the clock shows {found.now}; the latest time known is {found.trusted}")
    if found.held:
        typer.echo(
            "nothing is deleted because of its age: the clock has jumped ahead. It is believed when servers "
            f"have run for {found.left / 3_600:.0f} more hours, or after `kmemlab clock --trust`"
        )

"""`kmemlab password`: for an instructor who has forgotten theirs."""

from __future__ import annotations

from typing import Annotated

import typer

from app.commands.common import opened, refuse


def password(name: Annotated[str, typer.Argument(help="As the instructor signs in.")]) -> None:
    """Set another password for an instructor, who is signed out everywhere; also while it is served."""
    from app.errors import BadArgument
    from app.labs import recovering
    from app.sessions.errors import NotFound

    with opened() as store:
        chosen = typer.prompt("New password", hide_input=True, confirmation_prompt=True)
        try:
            known_as = recovering.set_password(store, name, chosen)
        except (NotFound, BadArgument) as error:
            refuse(str(error))
    typer.echo(f"{known_as} signs in with the new password from now on")

"""`kmemlab doctor`: checks the settings and surroundings of a server, and says what to change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from app.doctor import Finding

MARKS: Final = {"ok": "✓", "look": "?", "wrong": "✗"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Each finding as an object in a list.")] = False,
) -> None:
    """Check settings, address, proxy, files, database, clock and disk. Exits with 1 where one is wrong."""
    from app import doctor as checks

    found = checks.of_here()
    if as_json:
        typer.echo(json.dumps([one._asdict() for one in found], indent=2, ensure_ascii=False))
    else:
        for one in found:
            typer.echo(line(one))
    if any(one.grade == "wrong" for one in found):
        raise typer.Exit(1)


def line(one: Finding) -> str:
    """A finding as a person reads it."""
    advice = f"\n    → {one.advice}" if one.advice else ""
    return f"{MARKS[one.grade]} {one.about}: {one.found}{advice}"

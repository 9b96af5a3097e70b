"""`kmemlab exercises`: plays exercises for many seeds and says which of them would be wrong or unfair."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from app.commands.common import refuse

if TYPE_CHECKING:
    from app.exercises.proving import Report

# Variants that `check` shows.
SHOWN = 20


class PlaysByDefault(TyperGroup):
    """`kmemlab exercises my-folder` is `kmemlab exercises play my-folder`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command before arguments that begin with none."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["play", *args]
        return super().parse_args(ctx, args)


exercises = typer.Typer(
    cls=PlaysByDefault,
    help="Play the exercises of a folder for many seeds, or check one file.",
    epilog="Without a command: play.",
)


@exercises.command()
def play(
    folder: Annotated[
        Path | None, typer.Argument(help="A folder of one's own exercises; else those here.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=100_000, help="For how many seeds.")] = 300,
) -> None:
    """Play every exercise for every seed, and say which are not valid, not solvable or too much alike."""
    from app import paths
    from app.exercises import proving
    from app.exercises.library import OTHERS
    from app.exercises.reading import read
    from app.tomlfiles import Folder

    began = perf_counter()
    try:
        found, faults = Folder(folder or paths.EXERCISES, read, OTHERS).look()
    except OSError as error:
        refuse(f"{folder}: {error.strerror}")
    reports = proving.prove_all(list(found.values()), seeds)
    for line in proving.table(reports):
        typer.echo(line)
    variants = seeds * len(reports)
    typer.echo(f"{variants:,} variants of {len(reports)} exercises in {perf_counter() - began:.1f} s")
    tell(reports, faults)


@exercises.command()
def check(
    file: Annotated[Path, typer.Argument(help="The file of one exercise.")],
    seeds: Annotated[int, typer.Option(min=1, max=10_000, help="For how many seeds.")] = SHOWN,
) -> None:
    """Read one file, and show the variants of it and what is right in them."""
    from app.exercises import proving
    from app.exercises.reading import BadExercise, read

    try:
        exercise = read(file)
    except BadExercise as error:
        typer.echo(error, err=True)
        raise typer.Exit(1) from None
    report = proving.prove(exercise, seeds, keep=True)
    for number, one in enumerate(report.variants[:SHOWN], 1):
        drawn = ", ".join(f"{name} = {told(value)}" for name, value in one.values.by_name.items())
        answers = " | ".join("; ".join(texts) or "a goal" for texts in proving.answers_of(one))
        typer.echo(f"{number:3}  {drawn or 'nothing varies'}  →  {answers}")
    for line in proving.table([report]):
        typer.echo(line)
    tell([report], [])


def told(value: Any) -> str:
    """A value for a person."""
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def tell(reports: list[Report], faults: list[str]) -> None:
    """Notes and faults; ends with 1 where there are faults."""
    for report in reports:
        for note in report.notes:
            typer.echo(f"note: {report.name}: {note}")
        for why, often in report.rejected.most_common(3):
            typer.echo(f"drawn again: {report.name}: {why} ({often} times)")
        faults += [f"{report.name}: {fault}" for fault in report.faults]
    for fault in faults:
        typer.echo(fault, err=True)
    if faults:
        raise typer.Exit(1)

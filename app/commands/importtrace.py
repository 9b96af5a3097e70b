"""`kmemlab import-trace`: the log of a real kernel as a session, and how far it agrees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from app.commands.common import refuse


def import_trace(
    log: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="As ftrace or trace-cmd prints it; or .gz.")
    ],
    dump: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="The machine at its beginning, as JSON."),
    ] = None,
    first: Annotated[str | None, typer.Option("--from", help="The mark behind which the log counts.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="The mark at which it ends.")] = None,
    name: Annotated[str | None, typer.Option(help="The session's name.")] = None,
    server: Annotated[str, typer.Option(help="The server.")] = "http://127.0.0.1:8000",
) -> None:
    """Make every page allocation of a kernel's log again, and compare. KMEMLAB_TOKEN says who you are."""
    from urllib.error import HTTPError

    from app import serverclient

    document: dict[str, Any] = {"trace": {"log": text_of(log), "from": first, "to": last}}
    if name is not None:
        document["name"] = name
    if dump is not None:
        document["machine"] = {"dump": dump_of(dump)}
    try:
        made = serverclient.post(server, "/sessions", document)
    except HTTPError as error:
        refuse(serverclient.said(error))
    except (OSError, ValueError) as error:
        refuse(str(error))
    for line in told(made["trace"]):
        typer.echo(line)
    typer.echo(f"{server.rstrip('/')}/sessions/{made['id']}")


def text_of(file: Path) -> str:
    """A file's text, unpacked."""
    import gzip

    body = file.read_bytes()
    try:
        return (gzip.decompress(body) if file.suffix == ".gz" else body).decode("utf-8", "replace")
    except (OSError, EOFError) as error:
        refuse(f"{file}: {error}")


def dump_of(file: Path) -> Any:
    """A dump."""
    try:
        return json.loads(text_of(file))
    except ValueError as error:
        refuse(f"{file}: not JSON: {error}")


def told(trace: dict[str, Any]) -> list[str]:
    """The table of a log, in lines."""
    agreeing, all_ = trace["agreeing"], trace["allocations"]
    lines = [
        f"{trace['lines']:,} lines, {trace['events']:,} events: {trace['calls']:,} calls",
        f"{agreeing:,} of {all_:,} allocations got the kernel's own frame"
        + (f"; {trace['adopted']:,} frames were in use before" if trace["adopted"] else ""),
    ]
    for one in trace["different"]:
        ours = "none" if one["ours"] is None else f"{one['ours']:#x}"
        lines.append(f"  line {one['line']:,} (#{one['seq']:,}): {one['kernel']:#x} there, {ours} here")
    if all_ - agreeing > len(trace["different"]):
        lines.append(f"  and {all_ - agreeing - len(trace['different']):,} more")
    for reason, count in trace["unused"].items():
        first = trace["unused_lines"][reason]
        shown = ", ".join(map(str, first)) + (", …" if count > len(first) else "")
        lines.append(f"not used: {count:,} × {reason} ({'line' if count == 1 else 'lines'} {shown})")
    if trace["unread"]:
        runs = ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in trace["unread"])
        lines.append(f"lines that are no events: {runs}")
    return lines

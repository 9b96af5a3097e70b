"""The fidelity table: how many recorded operations of real kernels a machine answers exactly."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from app.reclaim_recording.recorded import is_of_reclaim
from app.reclaim_recording.replay import ReclaimReplay
from app.recording import Replay, Report
from app.vm_recording.replay import VmReplay, is_of_processes
from app.vm_recording.report import TOPICS, VmReport

BEGIN: Final = "<!-- fidelity: begin -->"
END: Final = "<!-- fidelity: end -->"
ABOUT_PROCESSES: Final = """\
Processes. *Exact* is an operation in which nothing differs; the columns after it count those without a
difference of their own kind: what was returned or signalled, faults with their entries before and after,
counters, areas with their anon_vmas, entries and tables, page records and files, LRU batches in order.
*Frames* are those of pages and tables that an operation was given, in order. *End states* have the
allocator's lists in order, and the texts of `/proc/PID`."""


def recordings(paths: Iterable[Path]) -> Iterator[Path]:
    """The recordings with operations below the given files and folders, in a stable order."""
    for path in paths:
        found = sorted(path.glob("**/*.jsonl.gz")) if path.is_dir() else [path]
        yield from (file for file in found if not path.is_dir() or has_operations(file))


def has_operations(path: Path) -> bool:
    """Boot states and traces of real work have no operations to make again; other collections no scenario."""
    if path.name.startswith(("boot.", "trace_")):
        return False
    with gzip.open(path, "rt", encoding="ascii") as file:
        return "scenario" in json.loads(next(file, "{}"))


def replay_all(paths: Iterable[Path], most_misses: int = 1_000_000) -> Iterator[Report]:
    """Replay each recording."""
    for path in recordings(paths):
        yield replay(path, most_misses)


def replay(path: Path, most_misses: int = 1_000_000) -> Report:
    """Replay one: of the allocators, of processes, or of page reclaim."""
    beginning = list(islice(lines_of(path), 20))
    if is_of_processes(beginning):
        return VmReplay(list(lines_of(path))).run(most_misses)
    if is_of_reclaim(beginning):
        return ReclaimReplay(list(lines_of(path))).run(most_misses)
    return Replay(path).run(most_misses)


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a recording."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="ascii") as file:
        yield from (json.loads(line) for line in file if line.strip())


def tables(reports: Sequence[Report]) -> str:
    """The tables of all reports as Markdown, and what differs of processes."""
    processes = [report for report in reports if isinstance(report, VmReport)]
    others = [report for report in reports if not isinstance(report, VmReport)]
    parts = [table(others)] if others else []
    if processes:
        misses = [f"- {line}" for report in processes for line in explain_misses(report)]
        nothing = "Of processes no operation and no state differs."
        parts += [ABOUT_PROCESSES, table_of_processes(processes), "\n".join(misses) or nothing]
    return "\n\n".join(parts)


def table(reports: Iterable[Report]) -> str:
    """The reports as a Markdown table, with a last row of sums."""
    lines = [
        "| machine | scenario | operations | exact | end states |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    operations = exact = states = states_exact = 0
    for report in reports:
        lines.append(
            row(
                report.machine,
                report.scenario,
                report.operations,
                report.exact,
                report.states_exact,
                len(report.end_states),
            )
        )
        operations += report.operations
        exact += report.exact
        states += len(report.end_states)
        states_exact += report.states_exact
    lines.append(row("**all**", "", operations, exact, states_exact, states))
    return "\n".join(lines)


def table_of_processes(reports: Sequence[VmReport]) -> str:
    """The same of processes: each operation is compared in several things, and its frames are counted."""
    head = ["machine", "scenario", "operations", "exact", *TOPICS, "frames", "end states"]
    lines = [f"| {' | '.join(head)} |", f"| --- | --- |{' ---: |' * (len(head) - 2)}"]
    rows = [(report.machine, report.scenario, [report]) for report in reports]
    for machine, scenario, some in [*rows, ("**all**", "", list(reports))]:
        cells = [
            f"{sum(one.operations for one in some):,}",
            f"{sum(one.exact for one in some):,}",
            *(f"{sum(one.exact_of[name] for one in some):,}" for name in TOPICS),
            f"{sum(one.frames_exact for one in some):,} of {sum(one.frames for one in some):,}",
            f"{sum(one.states_exact for one in some)} of {sum(len(one.end_states) for one in some)}",
        ]
        lines.append(f"| {machine} | {scenario} | {' | '.join(cells)} |")
    return "\n".join(lines)


def row(machine: str, scenario: str, operations: int, exact: int, states_exact: int, states: int) -> str:
    """One line of the table."""
    return f"| {machine} | {scenario} | {operations:,} | {exact:,} | {states_exact} of {states} |"


def explain_misses(report: Report, most: int = 3) -> list[str]:
    """The first differences of a report, one line each."""
    where = f"{report.machine} {report.scenario}"
    lines = [f"{where}: {miss}" for miss in report.misses[:most]]
    lines += [
        f"{where}: state {tag!r}: {', '.join(parts)}" for tag, parts in report.end_states.items() if parts
    ]
    return lines


def put_into(page: str, markdown: str) -> str:
    """The text with the table between its two markers replaced."""
    before, rest = page.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    return f"{before}{BEGIN}\n{markdown}\n{END}{after}"

"""`python -m tests.bench [--quick] [--rounds 3] [--seconds 3] [--into docs/performance.md]`"""

import argparse
import tempfile
from pathlib import Path

import tests.bench
from tests.bench import (
    browser,
    classroom,
    databases,
    figures,
    history,
    lab,
    machine,
    pictures,
    processes,
    replacement,
    service,
    sheets,
    wall,
)
from tests.bench.figures import Figure
from tests.bench.load import generator


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=tests.bench.__doc__)
    parser.add_argument("--quick", action="store_true", help="short rounds on small histories, no class")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--into", type=Path, help="put the table into this file")
    chosen = parser.parse_args()
    rounds, seconds = (1, 1) if chosen.quick else (chosen.rounds, chosen.seconds)
    print(f"Calls beside a FastAPI echo on the same core. Load: {generator()}\n")
    found: list[Figure] = []
    with tempfile.TemporaryDirectory(dir=".") as folder:  # on this disk: /tmp may be memory
        found += service.compare(Path(folder).resolve(), rounds, seconds)
        print("\nThe same calls on SQLite and on PostgreSQL\n")
        found += databases.compare(Path(folder).resolve(), rounds, seconds)
        print("\nLong histories\n")
        found += history.compare(Path(folder).resolve(), rounds, quick=chosen.quick)
    if not chosen.quick:
        print("\nA class of 300 for a minute\n")
        found += in_class()
        print("\nA class of 300 in lab mode: a minute of joining, a minute of calling\n")
        found += lab.compare()
        print("\nA class of 300 with a sheet: a minute of opening, five of answering\n")
        found += sheets.compare()
        print("\nThe wall of a class of 300\n")
        found += wall.compare()
    print("\nThe machine beside a toy\n")
    found += machine.compare(rounds)
    print("\nProcesses\n")
    found += processes.compare(rounds)
    found += replacement.compare(rounds)
    print("\nPictures of a large machine\n")
    found += pictures.compare(rounds)
    print("\nThe page in a browser\n")
    found += browser.compare(rounds)
    table = figures.table(found)
    print(f"\n{table}")
    if chosen.into is not None:
        chosen.into.write_text(figures.put_into(chosen.into.read_text("utf-8"), table), "utf-8")


def in_class() -> list[Figure]:
    """What `make load` shows, as figures."""
    seen, cost = classroom.measure(300, 300, 60)
    kept = f"{seen.errors} errors, {seen.missing} events missing"
    grown = f"memory {cost.rss[0]:.0f} → {cost.rss[-1]:.0f} MiB"
    return [
        Figure("300 students calling, p99", seen.call_p99, 250, 100, " ms", kept, more=False),
        Figure("300 watchers, event lag p99", seen.lag_p99, 1000, 250, " ms", grown, more=False),
    ]


if __name__ == "__main__":
    main()

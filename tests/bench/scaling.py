"""What servers and one PostgreSQL carry: a model, and a simulation of an hour, from a bench run's figures.

`python -m tests.bench.scaling [--students 300] [--calls 6] [--into docs/scaling.md]` reads the table in
docs/performance.md, as `make bench` has written it. Without `--students` it prints the table of
docs/scaling.md.
"""

import argparse
import random
import re
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from tests.bench import figures

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "performance.md"

HOUR = 3600.0
# A class does not call at random: every so often the instructor says "now", and all call within some seconds.
TOGETHER_EVERY = 300.0
TOGETHER_WITHIN = 10.0
# How soon 99 of 100 calls of the hour are answered.
ANSWERED = 0.25
SERVER_MEMORY = 250e6  # bytes of a server with 300 students beside their machines
LESSONS_A_WEEK = 2
WEEKS = 15


@dataclass(frozen=True)
class Costs:
    """What one thing costs, as measured."""

    # Seconds of a server's core: of a call by API, of one on the page with all that is drawn anew.
    api_call: float
    page_call: float
    # Seconds of the database's core for a call, and how long a commit takes there.
    database: float
    commit: float
    # Bytes of a row of the journal on each database, and of memory that an open machine takes.
    row_sqlite: float
    row_postgresql: float
    machine: float


def read(page: str) -> Costs:
    """The costs, from the table of a bench run."""
    rows = dict(line.strip("| ").split(" | ", 1) for line in page.splitlines() if line.startswith("| "))

    def measured(what: str) -> float:
        return float(rows[what].split()[0].replace(",", "").rstrip("×"))

    def calls_a_second(what: str) -> float:
        (found,) = re.findall(r"([\d,]+)(?: and [\d,]+)? calls/s", rows[what])
        return float(found.replace(",", ""))

    part = "PostgreSQL's part of a core while one server is busy"
    one = rows["calls on PostgreSQL of those on SQLite, 1 connection"]
    (alone,) = re.findall(r"and ([\d,]+) calls/s", one)
    return Costs(
        api_call=1 / calls_a_second("calls on PostgreSQL of those on SQLite, 64 connections"),
        page_call=measured("the server's CPU for a call made on the page") / 1e3,
        database=measured(part) / 100 / calls_a_second(part),
        commit=1 / float(alone.replace(",", "")),
        row_sqlite=measured("a row of the journal on SQLite"),
        row_postgresql=measured("a row of the journal on PostgreSQL"),
        machine=measured("memory of an open machine of a lesson") * 1e3,
    )


@dataclass(frozen=True)
class Class:
    """Who works at one time. calls: of each in a minute, on the page."""

    students: int
    calls: float = 6.0

    @property
    def rate(self) -> float:
        """Calls a second of all."""
        return self.students * self.calls / 60


def arrivals(group: Class, chance: random.Random) -> list[float]:
    """When the class calls in an hour, in order: at random, and all together now and then."""
    starts = range(int(TOGETHER_EVERY), int(HOUR), int(TOGETHER_EVERY))
    together = [start + chance.uniform(0, TOGETHER_WITHIN) for start in starts for _ in range(group.students)]
    alone = max(0, round(group.rate * HOUR) - len(together))
    return sorted([*together, *(chance.uniform(0, HOUR) for _ in range(alone))])


def waits(costs: Costs, group: Class, seed: int = 1) -> list[float]:
    """Seconds from each call of an hour to its answer, sorted, where one server serves all of them.

    The server is one core, and does one thing after the other: a call is answered when it is committed, and
    what pages draw anew after it is work that the next ones wait behind. In truth a call passes by drawing.
    """
    chance = random.Random(seed)
    free, found = 0.0, []
    for time in arrivals(group, chance):
        begun = max(free, time)
        free = begun + costs.page_call * chance.uniform(0.5, 1.5)
        found.append(begun - time + costs.api_call + costs.commit)
    return sorted(found)


def late(costs: Costs, group: Class) -> float:
    """Seconds within which 99 of 100 calls are answered."""
    times = waits(costs, group)
    return times[len(times) * 99 // 100]


def carried(costs: Costs, calls: float) -> int:
    """How many students one server carries."""
    least, most = 1, 2
    while late(costs, Class(most, calls)) <= ANSWERED:
        least, most = most, 2 * most
    while most - least > 1:
        middle = (least + most) // 2
        if late(costs, Class(middle, calls)) <= ANSWERED:
            least = middle
        else:
            most = middle
    return least


@dataclass(frozen=True)
class Need:
    """What a class takes."""

    servers: int
    # Seconds within which 99 of 100 calls are answered.
    late: float
    # Cores of the database.
    database: float
    # Bytes of all servers together, of a lesson's rows, and of those of a year on PostgreSQL.
    memory: float
    rows: float
    year: float


def need(costs: Costs, group: Class, of_one: int) -> Need:
    """What it takes. of_one: how many students one server carries."""
    servers = ceil(group.students / of_one)
    rows = group.rate * HOUR
    lessons = LESSONS_A_WEEK * WEEKS * 2
    return Need(
        servers,
        late(costs, Class(ceil(group.students / servers), group.calls)),
        group.rate * costs.database,
        servers * SERVER_MEMORY + group.students * costs.machine * min(2, servers),
        rows,
        rows * lessons * (costs.row_sqlite if servers == 1 else costs.row_postgresql),
    )


def line(costs: Costs, group: Class, of_one: int) -> str:
    """A row of the table."""
    found = need(costs, group, of_one)
    return (
        f"| {group.students:,} | {found.servers} | {found.late * 1e3:,.0f} ms | {100 * found.database:.1f} % "
        f"| {found.memory / 1e9:.1f} GB | {found.rows:,.0f} | {found.year / 1e9:.1f} GB |"
    )


HEAD = (
    "| students at once | servers, each one core | answered, p99 | of a core of PostgreSQL "
    "| memory of all servers | rows of a lesson | a year of lessons |\n"
    "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
)
SIZES = (30, 100, 300, 1_000, 3_000, 10_000)
CALLS = 6.0  # of one student in a minute


def table(costs: Costs) -> str:
    """The table of docs/scaling.md."""
    of_one = carried(costs, CALLS)
    return "\n".join([HEAD, *(line(costs, Class(students), of_one) for students in SIZES)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--students", type=int)
    parser.add_argument("--calls", type=float, default=CALLS, help="of one student in a minute")
    parser.add_argument("--bench", type=Path, default=PAGE, help="a page with the table of a bench run")
    parser.add_argument("--into", type=Path, help="put the table into this file")
    chosen = parser.parse_args()
    costs = read(chosen.bench.read_text("utf-8"))
    if chosen.students:
        of_one = carried(costs, chosen.calls)
        print(f"one server carries {of_one} students\n\n{HEAD}")
        print(line(costs, Class(chosen.students, chosen.calls), of_one))
        return
    print(table(costs))
    if chosen.into is not None:
        chosen.into.write_text(figures.put_into(chosen.into.read_text("utf-8"), table(costs)), "utf-8")


if __name__ == "__main__":
    main()

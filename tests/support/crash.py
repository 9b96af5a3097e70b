"""`make crash`: a server is killed while eight clients call it, again and again; what is left of their calls.

`python -m tests.support.crash [--rounds 30] [--seed 1]`. Each round starts the server on the same file, lets
eight clients call four sessions, kills it (SIGKILL) at a random moment, and looks at the file: whether
every call that was answered is there with the same bytes, each journal without a gap, the file sound, and
whether the machines that a new server opens are those that the journal, called again from its start, makes.
"""

import argparse
import json
import random
import signal
import sqlite3
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from app.sessions import blocklists
from app.sessions.live import Live
from app.sessions.opening import build
from app.store import Store, journal
from tests.support.served_process import served

SESSIONS = 4
CALLERS = 8
# A journal is called again from its start in every so many rounds: it takes longer each time.
REPLAYED = 5


class Caller(threading.Thread):
    """Calls one session as fast as it can, and writes down what was answered."""

    def __init__(self, base: str, seed: int) -> None:
        super().__init__()
        self.base = base
        self.draw = random.Random(seed)
        self.answers: dict[int, bytes] = {}

    def run(self) -> None:
        held: list[int] = []
        with httpx2.Client() as client:
            while True:
                free = len(held) > 1 and self.draw.random() < 0.45
                call = "__free_pages" if free else "alloc_pages"
                body = (
                    {"pfn": held.pop(self.draw.randrange(len(held))), "order": 0}
                    if free
                    else {"gfp": "GFP_KERNEL", "order": 0}
                )
                try:
                    answer = client.post(f"{self.base}/{call}", json=body)
                except httpx2.TransportError:
                    return
                if answer.status_code == 201:
                    made = answer.json()
                    self.answers[made["seq"]] = answer.content
                    if not free and made.get("page"):
                        held.append(made["page"]["pfn"])


@dataclass
class Crash:
    """One line of the table."""

    # acknowledged, lost: calls of all rounds so far.
    acknowledged: int = 0
    lost: int = 0
    dense: bool = True
    sound: bool = True
    equal: bool | None = None
    rows: int = 0
    # In seconds.
    restart: float = 0.0

    @property
    def good(self) -> bool:
        return self.lost == 0 and self.dense and self.sound and self.equal is not False

    def row(self, number: int) -> str:
        said = {True: "yes", False: "NO", None: "–"}
        return (
            f"| {number} | {self.acknowledged:,} | {self.lost} | {said[self.dense]} | {said[self.sound]} "
            f"| {said[self.equal]} | {self.rows:,} | {self.restart:.2f} s |"
        )


HEAD = (
    "| round | acknowledged | lost | dense | integrity | replay = snapshot | rows | restart |\n"
    "| ---: | ---: | ---: | --- | --- | --- | ---: | ---: |"
)


@dataclass
class Crashes:
    """Rounds on one file."""

    folder: Path
    seed: int
    sessions: list[str] = field(default_factory=list)
    answered: dict[str, dict[int, bytes]] = field(default_factory=dict)

    @property
    def database(self) -> Path:
        return self.folder / "kmemlab.db"

    def round(self, number: int, *, replayed: bool, signum: int = signal.SIGKILL) -> Crash:
        """Serve, call, kill, look."""
        draw = random.Random(self.seed * 1000 + number)
        crash = Crash()
        begun = time.monotonic()
        with served(self.folder) as server:
            crash.restart = time.monotonic() - begun
            while len(self.sessions) < SESSIONS:
                self.sessions.append(server.create("x86_64-1g").rpartition("/")[2])
            callers = [
                Caller(f"{server.base}/sessions/{self.sessions[n % SESSIONS]}", draw.randrange(1 << 30))
                for n in range(CALLERS)
            ]
            for caller in callers:
                caller.start()
            enough = draw.randrange(1, 400)
            while sum(len(caller.answers) for caller in callers) < enough:
                time.sleep(0.001)
            time.sleep(draw.random() * 0.05)
            server.end(signum)
            for caller in callers:
                caller.join()
        for caller in callers:
            self.answered.setdefault(caller.base.rpartition("/")[2], {}).update(caller.answers)
        self.look(crash)
        if replayed:
            crash.equal = self.equal()
        return crash

    def look(self, crash: Crash) -> None:
        """At the file as it was left."""
        db = sqlite3.connect(self.database)
        crash.sound = db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        for sid in self.sessions:
            rows = dict(db.execute("SELECT seq, outcome FROM journal WHERE session_id = ?", (sid,)))
            head = db.execute("SELECT seq FROM sessions WHERE id = ?", (sid,)).fetchone()[0]
            answered = self.answered.get(sid, {})
            crash.acknowledged += len(answered)
            crash.lost += sum(rows.get(seq) != body for seq, body in answered.items())
            crash.dense &= sorted(rows) == list(range(1, head + 1))
            crash.rows += len(rows)
        db.close()

    def equal(self) -> bool:
        """Whether a server's machines, opened from kept states, are those of their whole journals."""
        with served(self.folder) as server:
            dumps = [httpx2.get(f"{server.base}/sessions/{sid}/dump").json() for sid in self.sessions]
            server.end()
        return dumps == [from_the_start(self.database, sid) for sid in self.sessions]


def from_the_start(database: Path, sid: str) -> object:
    """The dump of a session's machine, made by calling its journal without any kept state."""
    store = Store(f"sqlite:///{database}")
    with store.reading() as db:
        boot, owner, head = db.exec_driver_sql(
            "SELECT boot, owner, seq FROM sessions WHERE id = ?", (sid,)
        ).one()
        live = Live(sid, owner, build(json.loads(boot)), 0, 0, head)
        live.replay(journal.tail(db, sid, 0, head), blocklists.in_transaction(db, sid))
    store.dispose()
    return json.loads(json.dumps(live.machine.dump()))


def main() -> None:
    parser = argparse.ArgumentParser(prog="make crash", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    print(HEAD)
    good = True
    with tempfile.TemporaryDirectory(dir=".") as folder:  # on this disk: /tmp may be memory
        crashes = Crashes(Path(folder).resolve(), chosen.seed)
        for number in range(1, chosen.rounds + 1):
            replayed = number % REPLAYED == 0 or number == chosen.rounds
            crash = crashes.round(number, replayed=replayed)
            print(crash.row(number), flush=True)
            good &= crash.good
    if not good:
        raise SystemExit("something was lost")


if __name__ == "__main__":
    main()

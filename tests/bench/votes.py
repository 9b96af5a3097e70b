"""A class that votes: `python -m tests.bench.votes [--members 300] [--seconds 10] [--kill]`.

Each member has a phone with the lab's stream open. All vote within some seconds, some of them twice, discuss,
and vote again; then the call is made, and everybody hears what is right. Every vote that was answered must be
counted, and no other. `--kill`: the server is killed (SIGKILL) in the middle of the first round and started
again; phones send what was not answered once more, as the page does.
"""

import argparse
import asyncio
import json
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from app.labs.polls import items_of
from tests.bench.classroom import Connection, OnPart, middle_and_end
from tests.bench.figures import Figure
from tests.bench.service import Server, free_port, process
from tests.support.classroom import first_instructor, labs_of
from tests.support.factories import settings_for
from tests.support.served import BASE

FULL = ("f = alloc_page(GFP_ATOMIC|__GFP_MEMALLOC) until NULL", "__free_pages(f[::2], 0)")
CONFIDENCES = ("sure", "rather", "guess")
AGAIN = 0.5  # seconds until a phone that was not answered tries again
TRIES = 120

C = TypeVar("C", bound=Connection)


@dataclass
class Figures:
    """What the load saw. Times in milliseconds; of a round that was killed none."""

    votes: int = 0
    # Requests that were not answered and were sent again.
    again: int = 0
    # Members whose last answered vote is not the one that is counted.
    wrong: int = 0
    vote_p50: float = 0
    vote_p99: float = 0
    # From the request that reveals to the phone that hears it last.
    reveal: float = 0
    # Phones that did not hear it, and those that were told how votes fall.
    deaf: int = 0
    leaks: int = 0
    # Counts that the instructor was told.
    tallies: int = 0
    # The server's share of a core.
    cpu: float = 0
    fault: str = ""


class Stream(Connection):
    """A connection that says when it is over."""

    def __init__(self, on_part: OnPart) -> None:
        super().__init__(on_part)
        self.over = asyncio.Event()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.over.set()


@dataclass
class Phone:
    """A member's device: one connection for votes, one for the stream."""

    token: str
    number: int
    connection: Connection | None = None
    stream: Stream | None = None
    # Whether the stream has begun to tell.
    listens: asyncio.Event = field(default_factory=asyncio.Event)
    # When each state of the poll was heard.
    heard: dict[str, float] = field(default_factory=dict)
    leaks: int = 0
    tallies: int = 0
    rest: bytes = b""
    # What was answered last, by round.
    counted: dict[int, tuple[str, str]] = field(default_factory=dict)

    def part(self, data: bytes) -> None:
        """Of the stream."""
        now = time.perf_counter()
        *events, self.rest = (self.rest + data).split(b"\n\n")
        for event in events:
            self.listens.set()
            if b"event: tally" in event:
                self.tallies += 1
            if b"event: poll" in event:
                poll = json.loads(event.partition(b"data: ")[2])["poll"]
                if poll is not None:
                    self.heard.setdefault(poll["state"], now)
                    self.leaks += "right" in poll and poll["state"] != "reveal"


class Room:
    """The load."""

    def __init__(self, port: int, given: dict[str, Any]) -> None:
        self.port = port
        self.given = given
        self.figures = Figures()
        self.phones = [Phone(token, number) for number, token in enumerate(given["tokens"], 1)]
        self.teacher = Phone(given["token"], 0)
        self.draw = random.Random(1)
        self.stopping = False
        self.times: list[float] = []

    async def connect(self, make: Callable[[], C]) -> C:
        loop = asyncio.get_running_loop()
        for _ in range(TRIES):
            try:
                _, protocol = await loop.create_connection(make, "127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(AGAIN * self.draw.random())
            else:
                return protocol
        raise SystemExit("the server does not come back")

    async def ask(self, who: Phone, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """One request; status 0 where the connection was lost."""
        if who.connection is None or who.connection.lost:
            who.connection = await self.connect(Connection)
        sent = b"" if body is None else json.dumps(body).encode()
        more = f"Authorization: Bearer {who.token}\r\n"
        status, answer = await who.connection.ask(
            method, path, f"127.0.0.1:{self.port}", sent, "application/json", more
        )
        return status, json.loads(answer) if 200 <= status < 300 and answer else answer

    async def listen(self, who: Phone) -> None:
        """Follow the lab, and again where the stream ends."""
        path = f"{BASE}/labs/{self.given['lab']}/events/stream"
        while not self.stopping:
            who.stream = stream = await self.connect(lambda: Stream(who.part))
            who.rest = b""
            host = f"127.0.0.1:{self.port}"
            await stream.ask("GET", path, host, more=f"Authorization: Bearer {who.token}\r\n")
            await stream.over.wait()

    async def vote(self, phone: Phone, number: int, seconds: float) -> None:
        """Vote once or twice, until it is answered."""
        await asyncio.sleep(self.draw.random() * seconds)
        for _ in range(1 + (self.draw.random() < 0.25)):
            choice = self.draw.choice("ABCD"), self.draw.choice(CONFIDENCES)
            body = {"choice": choice[0], "confidence": choice[1], "round": number}
            path = f"{BASE}/labs/{self.given['lab']}/polls/{self.given['poll']}/vote"
            for _ in range(TRIES):
                begun = time.perf_counter()
                status, answer = await self.ask(phone, "PUT", path, body)
                if status == 200:
                    self.times.append(time.perf_counter() - begun)
                    phone.counted[number] = choice
                    self.figures.votes += 1
                    break
                if status not in (0, 503):
                    self.figures.fault = self.figures.fault or f"{status} {answer[:200]!r}"
                    return
                self.figures.again += 1
                await asyncio.sleep(AGAIN * self.draw.random())

    async def to(self, state: str) -> Any:
        path = f"{BASE}/labs/{self.given['lab']}/polls/{self.given['poll']}"
        status, answer = await self.ask(self.teacher, "PUT", f"{path}/state", {"state": state})
        if status != 200:
            raise SystemExit(f"{state}: {status} {answer!r}")
        return answer

    def compare(self, answer: Any, number: int) -> None:
        """What is counted, beside what was answered: each member's vote, and the bars."""
        known = {phone.number: phone.counted[number] for phone in self.phones if number in phone.counted}
        there = {
            vote["number"]: (vote["choice"], vote["confidence"])
            for vote in answer["votes"]
            if vote["round"] == number
        }
        self.figures.wrong += sum(there.get(who) != choice for who, choice in known.items())
        self.figures.wrong += len(there.keys() - known.keys())
        bars = {bar["choice"]: bar["votes"] for bar in answer["tally"]["rounds"][number - 1]["choices"]}
        counts = Counter(choice for choice, _ in known.values())
        self.figures.wrong += sum(abs(bars[choice] - counts[choice]) for choice in "ABCD")
        self.figures.wrong += abs(answer["tally"]["rounds"][number - 1]["voted"] - len(known))

    async def run(self, seconds: float, meanwhile: Any = None) -> Figures:
        """Both rounds and the reveal. meanwhile: what happens in the middle of the first."""
        everybody = [*self.phones, self.teacher]
        listening = [asyncio.create_task(self.listen(phone)) for phone in everybody]
        await asyncio.gather(*(phone.listens.wait() for phone in everybody))
        for number in (1, 2):
            await self.to(f"vote{number}")
            voting = [asyncio.create_task(self.vote(phone, number, seconds)) for phone in self.phones]
            if number == 1 and meanwhile is not None:
                await asyncio.sleep(seconds / 2)
                await asyncio.to_thread(meanwhile)
            await asyncio.gather(*voting)
            self.compare(await self.to(f"closed{number}"), number)
            if number == 1 and meanwhile is not None:
                self.times = []  # who waited for a server to start measures that
        self.figures.vote_p50, self.figures.vote_p99 = middle_and_end(self.times)
        begun = time.perf_counter()
        await self.to("reveal")
        for _ in range(60):
            await asyncio.sleep(0.05)
            if all("reveal" in phone.heard for phone in self.phones):
                break
        heard = [phone.heard["reveal"] - begun for phone in self.phones if "reveal" in phone.heard]
        self.figures.deaf = len(self.phones) - len(heard)
        self.figures.reveal = round(max(heard, default=0.0) * 1e3, 1)
        self.figures.leaks = sum(phone.leaks + phone.tallies for phone in self.phones)
        self.figures.tallies = self.teacher.tallies
        self.stopping = True
        for phone in everybody:
            if phone.stream is not None:
                phone.stream.transport.close()
        await asyncio.gather(*listening)
        return self.figures


async def prepare(folder: Path, members: int) -> dict[str, Any]:
    """A database with a class, a machine of which every second frame is in use, and a question about it."""
    settings = settings_for(folder, lab=True)
    async with labs_of(settings) as (sessions, labs):
        who = await first_instructor(labs)
        lab = await labs.rooms.create(who, "A class", expected=members)
        machine = {"profile": "tiny-16m", "lecture": True, "reclaim": False}
        made = await sessions.create(who.principal, "half free", machine)
        await sessions.batch(who.principal, made.id, items_of(FULL))
        line = "alloc_pages(GFP_NOWAIT, 1)"
        view = await labs.polls.create(who, lab.id, made.id, line, "verdict", named=True)
        joined = [await labs.authentication.join(str(lab.code), f"m {number}") for number in range(members)]
        return {
            "lab": lab.id,
            "poll": view.poll.id,
            "token": await labs.authentication.renew(who, "script"),
            "tokens": [await labs.authentication.renew(one.person, "script") for one, _ in joined],
        }


def measure(members: int, seconds: float, *, kill: bool = False) -> Figures:
    """Serve, and put the load on it."""
    port = free_port()
    with tempfile.TemporaryDirectory(dir=".") as folder:  # on this disk: /tmp may be memory
        given = asyncio.run(prepare(Path(folder).resolve(), members))
        environ = {
            "KMEMLAB_DATABASE_URL": f"sqlite:///{Path(folder).resolve()}/kmemlab.db",
            "KMEMLAB_LAB": "true",
        }
        command = ["app", "serve", "--port", str(port)]
        with ExitStack() as servers:
            started = servers.enter_context(process(command, port, **environ))

            def killed() -> None:
                started.send_signal(signal.SIGKILL)
                started.wait()
                servers.enter_context(process(command, port, **environ))

            begun = time.perf_counter()
            found = uvloop.run(Room(port, given).run(seconds, killed if kill else None))
            if not kill:
                found.cpu = round(Server(started, port, "").cpu() / (time.perf_counter() - begun), 2)
            return found


def compare(members: int = 300, seconds: float = 10) -> Sequence[Figure]:
    """As figures for the table."""
    seen = measure(members, seconds)
    print(f"{asdict(seen)}\n")
    counts = f"{seen.votes} votes, {seen.wrong} counted wrong, {seen.leaks} leaks"
    return [
        Figure("300 phones vote in 10 s, twice, p99", seen.vote_p99, 250, 50, " ms", counts, more=False),
        Figure(
            "the answer at the last of 300 phones", seen.reveal, 1000, 500, " ms", f"{seen.deaf} deaf",
            more=False,
        ),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.votes", description=__doc__)
    parser.add_argument("--members", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--kill", action="store_true", help="the server, in the middle of the first round")
    parser.add_argument("--json", action="store_true", help="only what was seen")
    chosen = parser.parse_args()
    if chosen.kill or chosen.json:
        print(json.dumps(asdict(measure(chosen.members, chosen.seconds, kill=chosen.kill))))
        return
    for figure in compare(chosen.members, chosen.seconds):
        print(figure.row())


if __name__ == "__main__":
    main()

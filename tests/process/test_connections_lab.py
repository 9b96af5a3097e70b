"""Lab mode: who holds connections, bodies and requests keeps nobody else out."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.connections.table import Connections, group_of
from app.running_requests import RunningRequests
from app.sending import UnreadAnswers
from app.settings import Settings
from tests.support.classroom import first_instructor, labs_of
from tests.support.factories import settings_for
from tests.support.raw import Raw
from tests.support.served_process import Served, served


async def prepare(folder: Path) -> str:
    """An instructor's token."""
    async with labs_of(settings_for(folder, lab=True)) as (_, labs):
        return await labs.authentication.renew(await first_instructor(labs), "script")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def token(folder: Path) -> str:
    return asyncio.run(prepare(folder))


@pytest.fixture(scope="module")
def server(folder: Path, token: str) -> Iterator[Served]:
    limits = {
        "KMEMLAB_DATABASE_URL": settings_for(folder).database_url,
        "KMEMLAB_CONNECTIONS_PER_ADDRESS": "5",
        "KMEMLAB_REQUESTS_PER_PRINCIPAL": "3",
        "KMEMLAB_WAITS_PER_PRINCIPAL": "2",
        "KMEMLAB_RATE_PER_SECOND": "10000",
        "KMEMLAB_RATE_BURST": "10000",
        "KMEMLAB_BODIES_MEMORY": "400000",
        "KMEMLAB_BODIES_PER_PRINCIPAL": "200000",
    }
    with served(folder, "--lab", **limits) as process:
        yield process
        said = process.end()
        assert "Traceback" not in said, said[-3000:]


@pytest.fixture
def bearer(token: str) -> str:
    return f"Authorization: Bearer {token}"


JSON = "Content-Type: application/json"
BODY = '{"code": "abcdef", "nickname": "Kim"}'


@pytest.mark.slow
def test_a_stranger_only_pushes_out_their_own_connections(server: Served, bearer: str) -> None:
    with ExitStack() as stack:
        known = []
        for _ in range(12):
            raw = stack.enter_context(Raw(server.address))
            raw.ask("GET", "/api/v1/me", bearer)
            assert raw.answer()[0] == 200
            known.append(raw)
        begun = raw.head("POST", "/api/v1/join", JSON, "Content-Length: 100")
        for kind in (b"", b"GET / HT", begun, begun + b"{"):
            for _ in range(10):
                stack.enter_context(Raw(server.address)).send(kind)
            with Raw(server.address) as honest:  # has not signed in yet, and comes from the same address
                honest.ask(
                    "POST", "/api/v1/join", "Content-Type: application/json", f"Content-Length: {len(BODY)}"
                )
                honest.send(BODY.encode())
                assert honest.answer()[0] == 404
        for raw in known:
            raw.ask("GET", "/api/v1/me", bearer)
            assert raw.answer()[0] == 200


@pytest.mark.parametrize(
    "path", ["/join", "/signin", "/setup/x", "/preferences", "/api/v1/join", "/api/v1/signin"]
)
def test_a_stranger_sends_little(server: Served, path: str) -> None:
    for more in ({"content": b"x" * 17_000}, {"content": iter([b"x" * 9000] * 2)}):
        kind = "application/json" if path.startswith("/api") else "application/x-www-form-urlencoded"
        answer = httpx2.post(server.address + path, headers={"content-type": kind}, **more)  # type: ignore[arg-type]
        assert answer.status_code == 413, answer.text


def test_requests_of_one_person_at_a_time(server: Served, bearer: str) -> None:
    for most, wait in ((3, ""), (2, "?wait=1")):
        path = f"/api/v1/sessions/x/alloc_pages{wait}"
        # Where one more comes before all of the others have, one of those is refused instead.
        for _ in range(20):
            with ExitStack() as stack:
                begun = [stack.enter_context(Raw(server.address)) for _ in range(most)]
                one_more = stack.enter_context(Raw(server.address))
                whole = one_more.head("POST", path, bearer, JSON, "Content-Length: 2") + b"{}"
                for raw in begun:
                    raw.ask("POST", path, bearer, JSON, "Content-Length: 2")
                    raw.send(b"{")
                for _ in range(20):
                    one_more.send(whole)
                    status, headers, _ = one_more.answer()
                    if status == 429:
                        break
                if status != 429:
                    continue
                assert headers["retry-after"] == "1"
                for raw in begun:
                    raw.send(b"}")
                    assert raw.answer()[0] == 404
                one_more.send(whole)
                assert one_more.answer()[0] == 404
            break
        assert status == 429


def test_bodies_of_one_person_in_memory(server: Served, bearer: str) -> None:
    """A call passes all the while."""
    with Raw(server.address) as two, Raw(server.address) as call:
        # Where the second body comes first, the first is refused instead.
        for _ in range(20):
            one = Raw(server.address)
            one.ask("POST", "/api/v1/sessions", bearer, JSON, "Content-Length: 200000")
            one.send(b" " * 190_000)
            for _ in range(10):
                two.ask("POST", "/api/v1/sessions", bearer, JSON, "Content-Length: 150000")
                two.send(b" " * 150_000)
                status, headers, _ = two.answer()
                if status == 429:
                    break
            if status == 429:
                break
            one.socket.close()
        assert status == 429
        assert "retry-after" in headers
        call.ask("POST", "/api/v1/sessions/x/alloc_pages", bearer, JSON, "Content-Length: 2")
        call.send(b"{}")
        assert call.answer()[0] == 404
        with one:
            one.send(b" " * 10_000)
            assert one.answer()[0] == 400
        two.ask("POST", "/api/v1/sessions", bearer, JSON, "Content-Length: 150000")
        two.send(b" " * 150_000)
        assert two.answer()[0] == 400


# -- the table by itself -------------------------------------------------------------------------------------


class Placed:
    """A connection as the table sees it."""

    group: str | None = None

    def __init__(self, table: Connections, *, waits: bool) -> None:
        self.table = table
        self.waits = waits
        self.dropped = False
        self.loop = asyncio.get_running_loop()

    def look(self, now: float) -> None:
        """Time is no matter here."""

    def drop(self) -> None:
        self.dropped = True
        self.table.remove(self)  # type: ignore[arg-type]

    def come(self, address: str) -> bool:
        return self.table.admit(self, address) is None  # type: ignore[arg-type]


def table_of(**settings: Any) -> Connections:
    return Connections(Settings(lab=True, **settings))


async def test_the_oldest_that_waits_gives_way() -> None:
    table = table_of(connections=100, connections_per_address=3)
    busy, old, young = (Placed(table, waits=waits) for waits in (False, True, True))
    assert all(placed.come("10.0.0.1") for placed in (busy, old, young))
    assert Placed(table, waits=False).come("10.0.0.1")
    assert [placed.dropped for placed in (busy, old, young)] == [False, True, False]
    assert Placed(table, waits=False).come("10.0.0.1")
    assert not Placed(table, waits=False).come("10.0.0.1")
    assert Placed(table, waits=True).come("10.0.0.2")
    table.identify(busy, "ann")  # type: ignore[arg-type]
    assert Placed(table, waits=False).come("10.0.0.1")


async def test_where_all_are_taken_whoever_has_most_gives_way() -> None:
    table = table_of(connections=10)
    greedy = [Placed(table, waits=True) for _ in range(8)]
    others = [Placed(table, waits=True) for _ in range(2)]
    assert all(placed.come(f"10.0.0.{n}") for n, placed in enumerate(greedy))
    for placed in greedy:
        table.identify(placed, "eve")  # type: ignore[arg-type]
    assert all(placed.come("10.0.1.1") for placed in others)
    for _ in range(3):
        assert Placed(table, waits=False).come("10.0.2.1")
    assert [placed.dropped for placed in greedy] == [True] * 3 + [False] * 5
    assert not any(placed.dropped for placed in others)
    assert table.count == 10


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("10.0.0.1", "::ffff:10.0.0.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("", "", True),
    ],
)
def test_what_counts_as_one_address(one: str, other: str, same: bool) -> None:
    assert (group_of(one) == group_of(other)) is same


def test_open_mode_is_one_person_with_many_clients() -> None:
    running = RunningRequests(Settings())
    assert all(running.begin("local", waits=False) for _ in range(512))
    assert not running.begin("local", waits=False)
    assert running.begin("local", waits=True)
    running.end("local", waits=False)
    assert running.begin("local", waits=False)


def test_the_answer_that_waits_longest_of_who_holds_most_is_cut_off() -> None:
    answers = UnreadAnswers(100)
    cut: list[str] = []
    with ExitStack() as stack:
        for name in ("eve 1", "eve 2", "ann 1"):
            unread = stack.enter_context(
                answers.holding(name.split()[0], 30, lambda name=name: cut.append(name))  # type: ignore[misc]
            )
            if name == "eve 1":
                first = unread
        answers.moved(first)
        stack.enter_context(answers.holding("ann", 30, lambda: cut.append("ann 2")))
        assert cut == ["eve 2"]
        answers.moved(first)
    assert answers.shares.all == 0
    assert answers.unread == {}

"""The rows behind a machine page: one transaction, whatever the page shows."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.store import Connection, Store
from app.web.panels import PANELS
from tests.support import two_labs
from tests.support.served import build, client_of
from tests.support.two_labs import by_token


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Store]:
    """One entry for each transaction that reads."""
    found: list[Store] = []
    reading = Store.reading

    def counted(self: Store) -> AbstractContextManager[Connection]:
        found.append(self)
        return reading(self)

    monkeypatch.setattr(Store, "reading", counted)
    return found


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_of(build(tmp_path_factory.mktemp("rows"))) as client:
        yield client


@pytest.fixture(scope="module")
def machine(client: TestClient) -> str:
    made = client.post("/sessions", data={"profile": "tiny-16m"}).headers["location"]
    for _ in range(3):
        client.post(f"{made}/line", data={"line": "p = alloc_pages(GFP_KERNEL, 2)"})
    return str(made)


VIEWS = [
    *("", "?outcome=1", "?before=2", "?pfn=0x400", "?zone=DMA", "?demo=split-and-merge&step=0&ran=1"),
    *(f"?panel={name}" for name, panel in PANELS.items() if panel.over_time is None),
]


@pytest.mark.parametrize("view", VIEWS)
def test_a_page_reads_its_rows_in_one_transaction(
    client: TestClient, machine: str, view: str, reads: list[Store]
) -> None:
    assert client.get(machine + view).status_code == 200
    assert len(reads) == 1


def test_a_moment_of_the_past_takes_one_more(client: TestClient, machine: str, reads: list[Store]) -> None:
    assert client.get(f"{machine}?at=1").status_code == 200
    assert len(reads) == 2


def test_a_place_in_a_lab_is_read_with_the_rows(tmp_path: Path, reads: list[Store]) -> None:
    folder = tmp_path / "world"
    folder.mkdir()
    world = two_labs.make(folder)
    with two_labs.serving(world, tmp_path / "served") as client:
        page = world.at("owner", "/sessions/{session}")
        who = by_token(world.tokens["owner"])
        assert client.get(page, headers=who).status_code == 200
        reads.clear()
        assert "Your machine" in client.get(page, headers=who).text
        assert len(reads) <= 2  # one of them is the guard's, for the token

"""A pytest plugin (`pytest_plugins = ("tests.support.clients",)`): one application for all tests of a module.

`client` speaks to it as a script on this computer would. `sid` is a fresh small session, `at(path)` an
address below it.
"""

from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.support.served import BASE, build, client_of


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return build(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def client(application: FastAPI) -> Iterator[TestClient]:
    with client_of(application) as client:
        yield client


@pytest.fixture
def sid(client: TestClient) -> str:
    """A session with one zone, 4,096 frames, and none of the lecture's simplifications."""
    created = client.post(f"{BASE}/sessions", json={"name": "t", "machine": {"profile": "tiny-16m"}})
    assert created.status_code == 201, created.text
    return str(created.json()["id"])


@pytest.fixture
def at(sid: str) -> Callable[[str], str]:
    return lambda path: f"{BASE}/sessions/{sid}{path}"

"""Fixtures that tests of several folders ask for; a test file that needs others defines its own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.sessions.sessions import Sessions
from tests.support import postgresql
from tests.support.factories import serving, settings_for


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True, scope="module")
def databases_of_the_module() -> Iterator[None]:
    """Databases of PostgreSQL that the fixtures of a module have made go with it."""
    before = len(postgresql.made_here)
    yield
    postgresql.dropped(before)


@pytest.fixture(autouse=True)
def databases_of_the_test(databases_of_the_module: None) -> Iterator[None]:
    """Those of a test go with the test."""
    before = len(postgresql.made_here)
    yield
    postgresql.dropped(before)


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    """The use cases over a fresh database, for as long as a test runs."""
    async with serving(settings_for(tmp_path)) as sessions:
        yield sessions

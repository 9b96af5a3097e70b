"""Fixtures that tests of several folders ask for; a test file that needs others defines its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.sessions.sessions import Sessions
from tests.support.factories import serving, settings_for


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def sessions(tmp_path: Path) -> AsyncIterator[Sessions]:
    """The use cases over a fresh database, for as long as a test runs."""
    async with serving(settings_for(tmp_path)) as sessions:
        yield sessions

"""Schemathesis reads the description and tries to prove the service wrong.

Whatever it sends: no 5xx, no status, type or shape that is not described, and nothing accepted that the
description forbids. Not asked is that everything which fits the description is accepted: whether a page
frame, a cache or a flag exists depends on the machine.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.served import BASE, build, listening

FEW = 4
MANY = 300

QUIET = settings(deadline=None, suppress_health_check=list(HealthCheck), database=None)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over real HTTP: between schemathesis and the application stands what stands there in life."""
    folder: Path = tmp_path_factory.mktemp("schemathesis")
    with listening(build(folder, sessions_per_owner=100_000)) as address:
        yield address


@pytest.fixture(scope="module")
def sid(address: str) -> str:
    """One session for all cases, so that they meet each other's pages, caches, names and tasks."""
    created = httpx2.post(f"{address}{BASE}/sessions", json={"machine": {"profile": "tiny-16m"}})
    return str(created.json()["id"])


@pytest.fixture(scope="module")
def described(address: str) -> Any:
    return schemathesis.openapi.from_url(f"{address}{BASE}/openapi.json")


schema = schemathesis.pytest.from_fixture("described")


def try_to_break(case: Case, sid: str) -> None:
    """Sends one case: to the session that exists, more often than chance would have it."""
    if case.method != "DELETE" and len(str(case.path_parameters.get("id", ""))) % 4:
        case.path_parameters["id"] = sid
    case.call_and_validate(excluded_checks=[positive_data_acceptance], timeout=30)


@schema.parametrize()
@settings(QUIET, max_examples=FEW)
def test_a_few_cases(case: Case, sid: str) -> None:
    try_to_break(case, sid)


@pytest.mark.soak
@schema.parametrize()
@settings(QUIET, max_examples=MANY)
def test_many_cases(case: Case, sid: str) -> None:
    try_to_break(case, sid)

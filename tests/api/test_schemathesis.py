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
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tests.support.patience import PATIENCE
from tests.support.rings import cases
from tests.support.roles import API
from tests.support.served import BASE, build, listening

FEW = cases(5, quick=2)
MANY = 100  # for each of some 140 operations: well over 10,000 in all


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


# These take nothing that could be wrong.
BARE = {
    f"{BASE}/profiles",
    f"{BASE}/calls",
    f"{BASE}/exercises",
    f"{BASE}/exercises/{{name}}",
    "/healthz",
    "/readyz",
    "/metrics",
    f"{BASE}/calls.http",
}

# An answer without end; tests/api/test_stream.py has its parameters.
ENDLESS = f"{BASE}/sessions/{{id}}/events/stream"

OPERATIONS = [
    pytest.param(method, path, mode, id=f"{method} {path} {mode.value}")
    for method, path in API
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if not path.endswith(("openapi.json", ENDLESS)) and not (path in BARE and mode is GenerationMode.NEGATIVE)
]


def try_to_break(operation: Any, mode: GenerationMode, sid: str, cases: int) -> None:
    """Sends that many cases: to the session that exists, more often than chance would have it."""

    @settings(max_examples=cases, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode))
    def send(case: Case) -> None:
        if case.method != "DELETE" and len(str(case.path_parameters.get("id", ""))) % 4:
            case.path_parameters["id"] = sid
        answer = case.call(timeout=PATIENCE)
        # A condition that does not hold is refused before anybody reads the body.
        early = [negative_data_rejection] if answer.status_code in (412, 414) else []
        case.validate_response(answer, excluded_checks=[positive_data_acceptance, *early])

    send()


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("method", "path", "mode"), OPERATIONS)
def test_a_few_cases(described: Any, sid: str, method: str, path: str, mode: GenerationMode) -> None:
    try_to_break(described[path][method], mode, sid, FEW)


@pytest.mark.soak
@pytest.mark.parametrize(("method", "path", "mode"), OPERATIONS)
def test_many_cases(described: Any, sid: str, method: str, path: str, mode: GenerationMode) -> None:
    try_to_break(described[path][method], mode, sid, MANY)

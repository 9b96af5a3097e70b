"""Schemathesis on the routes of labs, in lab mode: as an instructor, in a lab of theirs.

Asked is the same as in tests/api/test_schemathesis.py. Each route has a lab of its own, for some of them
close it.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.support.patience import PATIENCE
from tests.support.rings import cases
from tests.support.roles import LABS
from tests.support.served import BASE, build, listening
from tests.support.two_labs import UNLIMITED, TwoLabs, by_token, make

ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
FITS = defaultdict(lambda: ID, number=re.compile(r"[0-9]{1,15}"), hint=re.compile(r"[0-9]{1,15}"))

FEW = cases(5, quick=2)
MANY = 100


class Served(NamedTuple):
    """A server, and an instructor's token there."""

    address: str
    token: str
    world: TwoLabs


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("schemathesis_labs")
    world = make(folder)
    limits = {"labs_per_instructor": 100_000, "members_per_lab": 100_000, "machines_per_lab": 100_000}
    with listening(build(folder, lab=True, **UNLIMITED, **limits)) as address:
        teacher = by_token(world.tokens["instructor"])
        lab = f"{address}{BASE}/labs/{world.ids['lab']}"
        assert httpx2.patch(lab, json={"expected": 100_000}, headers=teacher).status_code == 200
        yield Served(address, world.tokens["other"], world)


@pytest.fixture(scope="module")
def described(served: Served) -> Any:
    return schemathesis.openapi.from_url(f"{served.address}{BASE}/openapi.json")


@pytest.fixture
def ids(served: Served) -> dict[str, str]:
    """What there is in a lab that was just made."""

    def sent(path: str, body: Any = None, token: str | None = served.token) -> Any:
        url = f"{served.address}{BASE}{path}"
        answer = httpx2.post(url, json=body, headers=by_token(token))
        assert answer.status_code == 201, answer.text
        return answer.json()

    lab = sent("/labs", {"title": "Fuzz"})
    session = sent("/sessions", {"machine": {"profile": "tiny-16m"}})["id"]
    for _ in range(4):
        sent(f"/sessions/{session}/alloc_page", {"gfp": "GFP_KERNEL"})
    here = f"/labs/{lab['id']}"
    machine = sent(f"{here}/machines", {"session": session, "kind": "prepared", "seq": 1})["id"]
    mark = sent(f"{here}/machines/{machine}/checkpoints", {"seq": 2, "title": "x"})["id"]
    member = sent("/join", {"code": lab["code"], "nickname": "Kim"}, None)
    copy = sent(f"{here}/machines/{machine}/copy", None, member["token"])["id"]
    items = [{"exercise": "what-a-split-leaves"}]
    sheet = sent(f"{here}/sheets", {"title": "Fuzz", "items": items, "due": "2099-01-01T00:00:00Z"})
    item = sheet["items"][0]["id"]
    variant = sent(f"{here}/sheets/{sheet['id']}/items/{item}/variants", None, member["token"])["id"]
    ids = {"id": lab["id"], "machine": machine, "checkpoint": mark, "session": copy, "number": "1"}
    return ids | {"sheet": sheet["id"], "item": item, "variant": variant, "hint": "1"}


# A body is not asked for, so there is nothing that could be wrong.
OPERATIONS = [
    pytest.param(method, path, mode, id=f"{method} {path} {mode.value}")
    for (method, path), asked in LABS.items()
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if not asked.endless
    and not (path in (f"{BASE}/me", f"{BASE}/labs") and method == "GET" and mode is GenerationMode.NEGATIVE)
]


def try_to_break(
    operation: Any, mode: GenerationMode, token: Callable[[], str], ids: dict[str, str], cases: int
) -> None:
    """Sends that many cases: at what is there, more often than chance would have it."""

    @settings(max_examples=cases, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode))
    def send(case: Case) -> None:
        if case.method != "DELETE":
            for name, value in case.path_parameters.items():
                # One that is wrong on purpose stays so.
                if name in ids and FITS[name].fullmatch(str(value)) and len(str(value)) % 4:
                    case.path_parameters[name] = ids[name]
        answer = case.call(timeout=PATIENCE, headers=by_token(token()))
        case.validate_response(answer, excluded_checks=[positive_data_acceptance])

    send()


def token_for(served: Served, path: str) -> Callable[[], str]:
    """Who signs out, or takes a new token, comes with another one each time."""
    if not path.endswith(("/signout", "/me/token")):
        return lambda: served.token
    lab = served.world.ids["code"]

    def joined() -> str:
        body = {"code": lab, "nickname": "Kim"}
        answer = httpx2.post(f"{served.address}{BASE}/join", json=body)
        return str(answer.json()["token"])

    return joined


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("method", "path", "mode"), OPERATIONS)
def test_a_few_cases(
    described: Any, served: Served, ids: dict[str, str], method: str, path: str, mode: GenerationMode
) -> None:
    try_to_break(described[path][method], mode, token_for(served, path), ids, FEW)


@pytest.mark.soak
@pytest.mark.parametrize(("method", "path", "mode"), OPERATIONS)
def test_many_cases(
    described: Any, served: Served, ids: dict[str, str], method: str, path: str, mode: GenerationMode
) -> None:
    try_to_break(described[path][method], mode, token_for(served, path), ids, MANY)

"""The description of the API: complete, true, and of use to a generator of clients."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from starlette.testclient import TestClient

from app.api.docs import STATUSES
from app.machine.entry import CALLS
from tests.support.served import BASE

pytest_plugins = ("tests.support.clients",)

DRAFT = "https://json-schema.org/draft/2020-12/schema"


@pytest.fixture(scope="module")
def document(client: TestClient) -> dict[str, Any]:
    answer = client.get(f"{BASE}/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    described: dict[str, Any] = answer.json()
    return described


@pytest.fixture
def session(client: TestClient) -> str:
    machine = {"profile": "x86_64-1g"}
    return str(client.post(f"{BASE}/sessions", json={"machine": machine}).json()["id"])


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield method, path, operation


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with everything that it may refer to."""
    return {"$schema": DRAFT, **schema, "components": document["components"]}


def test_version(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["title"] == "kmemlab"


def test_every_call_is_an_operation_of_its_own(document: dict[str, Any]) -> None:
    for name, spec in CALLS.items():
        operation = document["paths"][f"{BASE}/sessions/{{id}}/{name}"]["post"]
        assert operation["operationId"] == name
        assert operation["summary"] == spec.doc
        assert spec.prototype in operation["description"]
        assert spec.source in operation["description"]


def test_operations_have_one_name_each(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[A-Za-z_0-9]+", name) for name in names)


def test_every_problem_is_declared_everywhere(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        for status in STATUSES:
            content = operation["responses"][str(status)]["content"]
            assert list(content) == ["application/problem+json"], path
    assert {400, 404, 409, 413, 415, 422, 429, 503} <= set(STATUSES)


def test_every_path_parameter_is_described(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        parameters = [*document["paths"][path].get("parameters", ()), *operation.get("parameters", ())]
        described = {parameter["name"] for parameter in parameters if parameter["in"] == "path"}
        assert described == set(re.findall(r"\{(\w+)\}", path)), path


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = set(document["components"]["schemas"])
    assert set(re.findall(r"'#/components/schemas/(\w+)'", str(document))) == schemas


def test_every_schema_is_one(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        assert jsonschema_rs.meta.is_valid({"$schema": DRAFT, **schema}), name
    for _, path, operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert jsonschema_rs.meta.is_valid({"$schema": DRAFT, **content["schema"]}), path


def test_every_body_has_an_example_that_fits(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schema = resolved(document, content["schema"])
            assert jsonschema_rs.is_valid(schema, content["example"]), path


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", CALLS)
def test_an_example_can_be_sent_as_it_is(
    client: TestClient, document: dict[str, Any], session: str, name: str
) -> None:
    path = f"{BASE}/sessions/{{id}}/{name}"
    operation = document["paths"][path]["post"]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    answer = client.post(path.format(id=session), json=example)
    assert answer.status_code == 201, answer.text
    schema = operation["responses"]["201"]["content"]["application/json"]["schema"]
    jsonschema_rs.validate(resolved(document, schema), answer.json())


def test_the_example_of_an_exported_session_can_be_imported(
    client: TestClient, document: dict[str, Any]
) -> None:
    content = document["paths"][f"{BASE}/sessions"]["post"]["requestBody"]["content"]
    body = content["application/x-ndjson"]["example"]
    headers = {"content-type": "application/x-ndjson"}
    answer = client.post(f"{BASE}/sessions", content=body, headers=headers)
    assert (answer.status_code, answer.json()["name"]) == (201, "tiny"), answer.text


@pytest.mark.parametrize("form", ["application/json", "application/x-ndjson", "text/plain"])
def test_examples_of_a_batch(client: TestClient, document: dict[str, Any], session: str, form: str) -> None:
    path = f"{BASE}/sessions/{{id}}/calls"
    example = document["paths"][path]["post"]["requestBody"]["content"][form]["example"]
    if form == "application/json":
        answer = client.post(path.format(id=session), json=example)
    else:
        answer = client.post(path.format(id=session), content=example, headers={"content-type": form})
    assert answer.status_code == 201, answer.text

"""OpenAPI 3.1: FastAPI's description of the routes, and one operation for each kernel function.

All calls are served by one parametrised route; described are the paths as a client writes them, each with the
arguments of its own call. Everything here comes from the vocabulary.
"""

from __future__ import annotations

import json
from typing import Final

from fastapi.openapi.utils import get_openapi
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.routing import BaseRoute

from app import __version__
from app.api.bodies import JSON
from app.api.docs import IF_MATCH, KEY, PROBLEMS, Doc
from app.api.models import Problem
from app.api.requests import BASE
from app.machine.calls import MAX_REPEAT
from app.machine.entry import CALLS
from app.machine.kinds import KINDS, ONE
from app.machine.parsing import CONTEXT, CPU, REPEAT, SLICE, TASK, UNTIL
from app.machine.vocabulary import Arg, CallSpec

ID: Final[Doc] = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "the session's id",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
}

LAB_ID: Final[Doc] = {**ID, "description": "the lab's id"}

WAIT: Final[Doc] = {
    "name": "wait",
    "in": "query",
    "description": "seconds that a blocked call waits to be woken before it is answered",
    "schema": {"type": "number", "minimum": 0, "maximum": 30, "default": 0},
}


LIST: Final[Doc] = {
    "type": "array",
    "maxItems": MAX_REPEAT,
    "items": {"type": "array", "minItems": 2, "maxItems": 3},
}
ONE_OR_LIST: Final[Doc] = {"anyOf": [*ONE["anyOf"], LIST]}

# How the fields are described of which exactly one gives a page.
FORMS: Final = {"pfn": "page frame number", "page": "struct page *, or $name", "addr": "address, or $name"}

COUNTERS: Final[Doc] = {
    "type": "boolean",
    "default": False,
    "description": "answer with the zones' counters too",
}


def describe(routes: list[BaseRoute]) -> bytes:
    """The description of these routes and of all calls, as JSON."""
    document = get_openapi(
        title="kmemlab",
        version=__version__,
        summary="The memory allocators of Linux 6.1 behind HTTP",
        description="Every call that is answered 201 stands in a journal; nothing else does.",
        routes=routes,
        tags=[{"name": group, "description": f"kernel functions: {group}"} for group in groups()],
    )
    paths = document["paths"]
    for path, operations in paths.items():
        if "{id}" in path:
            operations["parameters"] = [LAB_ID if path.startswith(f"{BASE}/labs/") else ID]
    for route in iter_route_contexts(routes):
        put_examples(paths, route)
    for spec in CALLS.values():
        path = f"{BASE}/sessions/{{id}}/{spec.name}"
        other = paths.get(path, {}).get("post")
        made = operation(spec)
        paths[path] = {"parameters": [ID], "post": made if other is None else either(made, other)}
    document["components"]["schemas"].update(problem_schemas())
    return json.dumps(document).encode()


def put_examples(paths: Doc, route: RouteContext) -> None:
    """Give answers their examples as they are: FastAPI leaves out every null."""
    assert route.path_format is not None
    for status, described in route.responses.items():
        for kind, content in described.get("content", {}).items():
            if "example" in content:
                for method in route.methods or ():
                    answer = paths[route.path_format][method.lower()]["responses"][str(status)]
                    answer["content"][kind]["example"] = content["example"]


def groups() -> list[str]:
    """The groups of calls, in the order of the table."""
    return list(dict.fromkeys(spec.group for spec in CALLS.values()))


def problem_schemas() -> Doc:
    """The schema that every problem response refers to."""
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), "Problem": schema}


def operation(spec: CallSpec) -> Doc:
    """One call."""
    lecture = f" The lecture calls it `{spec.lecture}`." if spec.lecture else ""
    outcome = {"schema": {"$ref": "#/components/schemas/Outcome"}}
    return {
        "operationId": spec.name,
        "tags": [spec.group],
        "summary": spec.doc,
        "description": f"`{spec.prototype}`\n\nKernel: {spec.source}.{lecture}",
        "parameters": [WAIT, IF_MATCH, KEY],
        "requestBody": {
            "required": any(arg.required for arg in spec.args),
            "content": {JSON: {"schema": arguments(spec), "example": example(spec)}},
        },
        "responses": {
            "201": {"description": "the row of the journal", "content": {JSON: outcome}},
            **{str(status): response for status, response in PROBLEMS.items()},
        },
    }


def either(call: Doc, other: Doc) -> Doc:
    """A call and another operation under one path, told apart by their arguments: the two kinds of fork."""
    bodies = [found["requestBody"]["content"][JSON] for found in (call, other)]
    answers = [found["responses"]["201"]["content"][JSON] for found in (call, other)]
    call["description"] += (
        f"\n\nWithout its required arguments: {other['summary']}. {other.get('description', '')}"
    )
    call["requestBody"] = {
        "required": False,
        "content": {JSON: bodies[0] | {"schema": {"anyOf": [body["schema"] for body in bodies]}}},
    }
    call["responses"]["201"]["content"] = {JSON: {"schema": {"anyOf": [one["schema"] for one in answers]}}}
    return call


def arguments(spec: CallSpec) -> Doc:
    """The JSON Schema of a call's arguments."""
    properties: Doc = {arg.name: beside(arg) for arg in (TASK, CPU, CONTEXT)}
    properties["counters"] = COUNTERS
    properties |= {arg.name: beside(arg) for arg in (REPEAT, UNTIL) if spec.repeats}
    properties |= {arg.name: beside(arg) for arg in SLICE if spec.frees}
    required = []
    schema: Doc = {"type": "object"}
    for arg in spec.args:
        forms = KINDS[arg.kind].forms
        if forms:
            properties |= {form: freeable(spec, page_form(form)) for form in forms}
            schema["oneOf"] = [{"required": [form]} for form in forms]
            continue
        properties[arg.name] = freeable(spec, argument(arg))
        if arg.required:
            required.append(arg.name)
    schema["properties"] = properties
    if required:
        schema["required"] = required
    return schema | {"additionalProperties": False}


def freeable(spec: CallSpec, schema: Doc) -> Doc:
    """Where a call frees what it is given, a pointer may also be the list that a repeated call returned."""
    return {**schema, **ONE_OR_LIST} if spec.frees and schema.get("anyOf") == ONE["anyOf"] else schema


def page_form(form: str) -> Doc:
    """One of the fields that give a page; each is also the name of its kind."""
    return {**KINDS[form].schema, "description": FORMS[form]}


def argument(arg: Arg) -> Doc:
    """The schema of one argument."""
    described = {**KINDS[arg.kind].schema, "description": f"{arg.c_type}: {arg.doc}"}
    return described if arg.required else {**described, "default": arg.default}


def beside(arg: Arg) -> Doc:
    """The schema of what stands beside a call's own arguments."""
    described = {**KINDS[arg.kind].schema, "description": arg.doc}
    return described if arg.default is None else {**described, "default": arg.default}


def example(spec: CallSpec) -> Doc:
    """Arguments that can be sent as they are."""
    return {
        "pfn" if KINDS[arg.kind].forms else arg.name: arg.example
        for arg in spec.args
        if arg.example is not None
    }

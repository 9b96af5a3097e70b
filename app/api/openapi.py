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
from app.machine.calls import JSON_INT_MAX, MAX_REPEAT, OBJECT_NAME, TASK_NAME, UINT_MAX
from app.machine.gfp_text import GFP_MAX
from app.machine.vocabulary import CALLS, CONTEXTS, SYSCTLS, Arg, CallSpec

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


def integer(low: int, high: int) -> Doc:
    return {"type": "integer", "minimum": low, "maximum": high}


def exactly(pattern: str) -> Doc:
    return {"type": "string", "pattern": f"^(?:{pattern})$"}


POINTER: Final[Doc] = exactly(r"0x[0-9a-fA-F]{1,16}|\$[A-Za-z_][A-Za-z0-9_]{0,31}(?:\+[0-9]{1,7})?")
LIST: Final[Doc] = {
    "type": "array",
    "maxItems": MAX_REPEAT,
    "items": {"type": "array", "minItems": 2, "maxItems": 3},
}
ONE: Final[Doc] = {"anyOf": [POINTER, {"type": "null"}]}
ONE_OR_LIST: Final[Doc] = {"anyOf": [POINTER, {"type": "null"}, LIST]}
MASK: Final[Doc] = {"anyOf": [{"type": "string"}, integer(0, GFP_MAX)]}
SIZE: Final[Doc] = integer(0, JSON_INT_MAX)
PFN: Final[Doc] = integer(0, JSON_INT_MAX)
TASK: Final[Doc] = exactly(TASK_NAME.pattern)
INDEX: Final[Doc] = integer(0, MAX_REPEAT)

KINDS: Final[dict[str, Doc]] = {
    "uint": integer(0, UINT_MAX),
    "size": SIZE,
    "gfp": MASK,
    "node": integer(-1, 1023),
    "task": TASK,
    "object_name": exactly(OBJECT_NAME.pattern),
    "slab_flags": MASK,
    "sysctl": {"type": "string", "enum": list(SYSCTLS)},
    "sysctl_value": {"anyOf": [{"type": "string"}, integer(-(1 << 31), (1 << 31) - 1)]},
    "cache": exactly(OBJECT_NAME.pattern),
    "addr": ONE,
}

# A page is given in exactly one of these fields.
FORMS: Final = {"page": ("pfn", "page"), "page_or_addr": ("pfn", "page", "addr")}

PAGE_FORMS: Final[Doc] = {
    "pfn": {**PFN, "description": "page frame number"},
    "page": {**ONE, "description": "struct page *, or $name"},
    "addr": {**ONE, "description": "address, or $name"},
}

BESIDE: Final[Doc] = {
    "task": {**TASK, "default": "init", "description": "who calls"},
    "cpu": {**integer(0, 1023), "default": 0, "description": "on which CPU"},
    "context": {
        "type": "string",
        "enum": list(CONTEXTS),
        "default": "process",
        "description": "from which context",
    },
    "counters": {"type": "boolean", "default": False, "description": "answer with the zones' counters too"},
}

LOOP: Final[Doc] = {
    "repeat": {**integer(1, MAX_REPEAT), "description": "how many times"},
    "until": {
        "description": "when to stop early",
        "anyOf": [
            {"const": "null"},
            {
                "type": "object",
                "properties": {"free_below": integer(0, JSON_INT_MAX)},
                "required": ["free_below"],
                "additionalProperties": False,
            },
        ],
    },
}

SLICE: Final[Doc] = {
    "start": {**INDEX, "default": 0, "description": "first block of the list"},
    "step": {**integer(1, MAX_REPEAT), "default": 1, "description": "every how many-th block"},
    "count": {**INDEX, "description": "how many blocks at most"},
}

EXAMPLES: Final[Doc] = {
    "gfp": "GFP_KERNEL", "flags": "GFP_KERNEL", "order": 3, "node": 0, "size": 4096, "pfn": 18944,
    "addr": "0xffff888004a00000", "cache": "kmalloc-64", "task": "alice",
}  # fmt: skip

EXAMPLES_OF: Final[dict[str, Doc]] = {
    "kmem_cache_create": {"name": "inode_cache", "size": 600, "align": 8, "flags": "SLAB_HWCACHE_ALIGN"},
    "insmod": {"name": "e1000", "size": 155_648},
    "rmmod": {"name": "e1000"},
    "sysctl": {"name": "min_free_kbytes", "value": 16_384},
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
        paths[f"{BASE}/sessions/{{id}}/{spec.name}"] = {"parameters": [ID], "post": operation(spec)}
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


def arguments(spec: CallSpec) -> Doc:
    """The JSON Schema of a call's arguments."""
    properties: Doc = {}
    required = []
    schema: Doc = {"type": "object"}
    for arg in spec.args:
        if arg.kind in FORMS:
            properties |= {form: freeable(spec, PAGE_FORMS[form]) for form in FORMS[arg.kind]}
            schema["oneOf"] = [{"required": [form]} for form in FORMS[arg.kind]]
            continue
        properties[arg.name] = freeable(spec, argument(arg))
        if arg.required:
            required.append(arg.name)
    beside = BESIDE | (LOOP if spec.allocates else {}) | (SLICE if spec.frees else {})
    schema["properties"] = beside | properties
    if required:
        schema["required"] = required
    return schema | {"additionalProperties": False}


def freeable(spec: CallSpec, schema: Doc) -> Doc:
    """Where a call frees what it is given, a pointer may also be the list that a repeated call returned."""
    return {**schema, **ONE_OR_LIST} if spec.frees and schema.get("anyOf") == ONE["anyOf"] else schema


def argument(arg: Arg) -> Doc:
    """The schema of one argument."""
    described = {**KINDS[arg.kind], "description": f"{arg.c_type}: {arg.doc}"}
    return described if arg.required else {**described, "default": arg.default}


def example(spec: CallSpec) -> Doc:
    """Arguments that can be sent as they are."""
    if spec.name in EXAMPLES_OF:
        return EXAMPLES_OF[spec.name]
    names = ("pfn" if arg.kind in FORMS else arg.name for arg in spec.args if arg.required)
    return {name: EXAMPLES[name] for name in names}

"""How a route describes itself: its name in the API, what it takes, and every status it may answer with."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from app.api import models
from app.api.bodies import JSON, NDJSON, TEXT
from app.api.problems import PROBLEM_TYPE

Doc = dict[str, Any]

PROBLEM: Final[Doc] = {"$ref": "#/components/schemas/Problem"}

# Any route may answer these: a broken or foreign request, a path of nobody's, and our own bad days.
STATUSES: Final = {
    400: "broken JSON or text, or a request that this server does not take from there",
    401: "say who you are: only in lab mode",
    403: "a page of another site sent this, or the role does not go so far",
    404: "no such session, row, cache or path",
    408: "an upload that does not come",
    409: "a call by a task that sleeps, or a session that takes no calls",
    412: "the session is not at the seq that If-Match names; its ETag is in the answer",
    413: "the body is over the limit",
    414: "a path and query of more than 8192 characters",
    415: "another content type is needed",
    422: "fields at fault",
    429: "too many requests",
    503: "busy: nothing was recorded; try again after Retry-After seconds",
    507: "no room: nothing was recorded",
}


def problem(what: str) -> Doc:
    """An answer that is a problem document."""
    return {"description": what, "content": {PROBLEM_TYPE: {"schema": PROBLEM}}}


PROBLEMS: Final[dict[int | str, Doc]] = {status: problem(what) for status, what in STATUSES.items()}


IF_MATCH: Final[Doc] = {
    "name": "If-Match",
    "in": "header",
    "description": "do this only while the session is at this seq, given as in its ETag; else 412",
    "schema": {"type": "string", "pattern": r'^("[0-9]{1,15}"|\*)$'},
    "example": '"41"',
}

KEY: Final[Doc] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": (
        "do this once, however often it is sent: for 24 hours, the same request under the same key is "
        "answered as the first was. Refusals are not kept"
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]*$"},
}


def operation(name: str, summary: str, more: Doc, *preconditions: Doc) -> Doc:
    """The keywords of a route.

    name: its operationId. more: its successful answers, and its body if any. preconditions: the headers it
    takes.
    """
    responses = {**PROBLEMS, **more["responses"]}
    (status,) = more["responses"]
    extra = (
        {**more.get("extra", {}), "parameters": list(preconditions)} if preconditions else more.get("extra")
    )
    return {
        "operation_id": name,
        "summary": summary,
        "status_code": status,
        "response_class": Response,
        "response_model": None,
        "responses": responses,
        "openapi_extra": extra,
    }


def ok(model: Any) -> Doc:
    """200 with a JSON document."""
    return {"responses": {200: {"model": model, "description": "as asked"}}}


def shows(model: Any, example: Any, status: int = 200, *, created: bool = False) -> Doc:
    """A successful answer with an example of it. created: it says in `Location` where the new thing is."""
    answer: Doc = {
        "model": model,
        "description": "as asked" if status == 200 else "created",
        "content": {JSON: {"example": example}},
    }
    if created:
        answer["headers"] = {"Location": {"schema": {"type": "string"}}}
    return {"responses": {status: answer}}


WORK: Final = shows(
    models.WorkUnderway,
    {"work": {"call": "alloc_pages", "done": 41024, "of": 100000, "seconds": 2.1, "stopping": False}},
)

SERIES: Final = shows(
    models.SeriesOverTime,
    {
        "from": 0,
        "to": 3,
        "width": 2,
        "seqs": [0, 2],
        "series": [
            {
                "name": "node0.DMA.free",
                "unit": "pages",
                "min": [3832, 3808],
                "max": [3840, 3816],
                "last": [3832, 3808],
            },
            {"name": "slab", "unit": "pages", "min": [61, 61], "max": [61, 62], "last": [61, 62]},
        ],
    },
)


def json_body(schema: Doc, example: Any, required: bool = True) -> Doc:
    """A request body in JSON."""
    return {"requestBody": {"required": required, "content": {JSON: {"schema": schema, "example": example}}}}


NAME: Final[Doc] = {"type": "string", "minLength": 1, "maxLength": 100}

MACHINE: Final[Doc] = {
    "type": "object",
    "description": "a profile with overrides (GET /profiles lists them), a dump, or /proc texts",
    "properties": {
        "profile": {"type": "string"},
        "memory": {"type": ["string", "integer"], "examples": ["4G"]},
        "cpus": {"type": "integer", "minimum": 1},
        "nodes": {"type": "integer", "minimum": 1},
        "movablecore": {"type": ["string", "integer"], "examples": ["256M"]},
        "lecture": {"type": "boolean"},
        "pcp": {"type": "boolean"},
        "mobility": {"type": "boolean"},
        "debug": {"type": "boolean"},
        "process_caches": {"type": "boolean"},
        "boot_caches": {"type": "boolean"},
        "transparent_hugepage": {"type": "string"},
        "hugepages": {"type": "integer", "minimum": 0},
        "swap": {"type": "integer", "minimum": 0, "description": "pages of swap from boot on"},
        "reclaim": {"type": "boolean", "description": "pages are taken back where memory is short"},
        "sysctl": {"type": "object"},
        "rules": {"type": "integer", "minimum": 1},
        "dump": {"type": "object"},
        "proc": {
            "type": ["string", "object"],
            "properties": {name: {"type": "string"} for name in ("buddyinfo", "pagetypeinfo", "zoneinfo")},
            "required": ["buddyinfo"],
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}

# A session without a row: its first line, and the last one with the hash of those before it.
EXPORTED: Final = (
    '{"kmemlab":1,"kind":"session","engine":1,"name":"tiny","machine":{"profile":"tiny-16m"},'
    '"created":"2026-11-24T23:57:35.154Z","origin":null,"start":0,"seq":0,"boot":{"profile":"tiny-16m"}}\n'
    '{"rows":0,"names":0,"sha256":"94d17ece38ea705f4c1a5dc5a53143dd826bdfa88701dceee1244ee40878055b"}\n'
)

BUDDYINFO: Final = """\
Node 0, zone      DMA      0      0      0      0      0      0      0      0      1      1      2
Node 0, zone    DMA32     27     31     20     18     11      9      8      3      2      3    201
"""

FTRACE: Final = "text/x-ftrace"
KERNEL_LOG: Final = (
    "bash-711 [000] ..... 2.000001: mm_page_alloc: page=00000000f2e4b0c1 pfn=0x61ee order=1 migratetype=0 "
    "gfp_flags=GFP_KERNEL\n"
    "bash-711 [000] ..... 2.000009: mm_page_free: page=00000000f2e4b0c1 pfn=0x61ee order=1\n"
)
OF_A_LOG: Final[Doc] = {
    "type": "object",
    "description": "a kernel's log, made on the machine; without one on the smallest profile that fits",
    "required": ["log"],
    "properties": {
        "log": {"type": "string", "description": "as ftrace or trace-cmd prints it"},
        "from": {"type": ["string", "null"], "description": "the mark behind which it counts"},
        "to": {"type": ["string", "null"], "description": "the mark at which it ends"},
    },
    "additionalProperties": False,
}

CREATE: Final[Doc] = {
    "responses": {
        201: {
            "model": models.Session,
            "description": "created",
            "headers": {"Location": {"schema": {"type": "string"}}},
        }
    },
    "extra": {
        "requestBody": {
            "required": True,
            "content": {
                JSON: {
                    "schema": {
                        "type": "object",
                        "properties": {"name": NAME, "machine": MACHINE, "trace": OF_A_LOG},
                        "additionalProperties": False,
                    },
                    "example": {"name": "demo", "machine": {"profile": "x86_64-1g"}},
                },
                NDJSON: {
                    "schema": {"type": "string", "description": "what `export` gave"},
                    "example": EXPORTED,
                },
                TEXT: {
                    "schema": {"type": "string", "description": "/proc/buddyinfo, or a report of the log"},
                    "example": BUDDYINFO,
                },
                FTRACE: {
                    "schema": {"type": "string", "description": "a kernel's log of page allocations"},
                    "example": KERNEL_LOG,
                },
            },
        }
    },
}

EXPORT: Final[Doc] = {
    "responses": {
        200: {
            "description": "a line for the session, one for each row, one for each name, one with a hash",
            "content": {NDJSON: {"schema": {"type": "string"}}},
            "headers": {"Content-Disposition": {"schema": {"type": "string"}}},
        }
    }
}

RENAME: Final[Doc] = {
    **ok(models.Session),
    "extra": json_body(
        {"type": "object", "properties": {"name": NAME}, "required": ["name"], "additionalProperties": False},
        {"name": "fragmentation demo"},
    ),
}

SEQ: Final[Doc] = {"type": "integer", "minimum": 0}

REWOUND: Final[dict[int | str, Doc]] = {
    201: {"model": models.Outcome, "description": "the new row; its `changed` is null: read the map again"}
}

REWIND: Final[Doc] = {
    "responses": REWOUND,
    "extra": json_body(
        {"type": "object", "properties": {"to": SEQ}, "required": ["to"], "additionalProperties": False},
        {"to": 41},
    ),
}

UNDO: Final[Doc] = {
    "responses": REWOUND,
    "extra": json_body({"type": "object", "additionalProperties": False}, {}, required=False),
}

FORK: Final[Doc] = {
    "responses": CREATE["responses"],
    "extra": json_body(
        {
            "type": "object",
            "properties": {
                "at": {**SEQ, "description": "the seq whose state it starts from; the last by default"},
                "name": NAME,
            },
            "additionalProperties": False,
        },
        {"at": 41, "name": "another way"},
        required=False,
    ),
}

PROC: Final[Doc] = {
    "responses": {
        200: {"description": "text in 6.1's form", "content": {TEXT: {"schema": {"type": "string"}}}}
    }
}

HTTP_FILE: Final[Doc] = {
    "responses": {
        200: {
            "description": "a file from which editors send requests",
            "content": {
                TEXT: {
                    "schema": {"type": "string"},
                    "example": "@api = http://127.0.0.1:8000/api/v1\n\n### a new session\n# @name made\n"
                    'POST {{api}}/sessions\ncontent-type: application/json\n\n{"name": "from an editor"}\n',
                }
            },
        }
    }
}

TRACE: Final[Doc] = {
    "responses": {
        200: {
            "description": "lines of the kernel's trace file, a row for each millisecond; or a trace.dat",
            "content": {
                TEXT: {"schema": {"type": "string"}},
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            },
        }
    }
}
TREE: Final[Doc] = {
    "responses": {
        200: {
            "description": "a tar of `proc/` and `sys/`, without links",
            "content": {"application/x-tar": {"schema": {"type": "string", "format": "binary"}}},
        }
    }
}
LEAKS: Final[Doc] = {
    "responses": {
        200: {
            "model": models.Leaks,
            "description": "by row and by task; with `format=page_owner` text",
            "content": {TEXT: {"schema": {"type": "string"}}},
            "headers": {
                "Link": {
                    "schema": {"type": "string"},
                    "description": "of the text: its next part, where there is one",
                }
            },
        }
    }
}
GONE: Final[Doc] = {"responses": {204: {"description": "deleted"}}}
DONE: Final[Doc] = {"responses": {204: {"description": "done"}}}

EVENTS: Final[Doc] = {
    "responses": {
        200: {
            "model": models.OutcomeList,
            "description": "a part of the journal; with `Accept: application/x-ndjson` all of it",
            "content": {NDJSON: {"schema": {"type": "string"}}},
        }
    }
}

LAST_EVENT_ID: Final[Doc] = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "the seq of the last row that came, as a browser sends it when it connects again",
    "schema": {"type": "string", "pattern": "^[0-9]{1,16}$"},
}

METRICS: Final[Doc] = {
    "responses": {
        200: {
            "description": "the server's numbers, as Prometheus reads them; without names and ids",
            "content": {
                "text/plain": {
                    "schema": {"type": "string"},
                    "example": "# HELP kmemlab_rows_total Rows of journals that were committed.\n"
                    "# TYPE kmemlab_rows_total counter\nkmemlab_rows_total 4711.0\n",
                }
            },
        }
    }
}

STREAM: Final[Doc] = {
    "responses": {
        200: {
            "description": (
                "server-sent events without end: `id` is a seq, `data` its outcome; `event: resync` when "
                "rows are left out, after which the machine has to be read anew"
            ),
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
    "extra": {"parameters": [LAST_EVENT_ID]},
}

BATCH_ITEM: Final[Doc] = {
    "type": "object",
    "description": "a call's arguments, with its name under `call` and a name for its result under `as`",
    "properties": {"call": {"type": "string"}, "as": {"type": ["string", "null"]}},
    "required": ["call"],
}

BATCH_JSON: Final[Doc] = {
    "type": "object",
    "properties": {
        "calls": {"type": "array", "items": BATCH_ITEM, "minItems": 1, "maxItems": 10_000},
        "counters": {"type": "boolean", "default": False},
    },
    "required": ["calls"],
    "additionalProperties": False,
}

BATCH_EXAMPLE: Final[Doc] = {
    "calls": [
        {"call": "alloc_pages", "as": "p", "gfp": "GFP_KERNEL", "order": 3},
        {"call": "__free_pages", "page": "$p", "order": 3},
    ]
}

BATCH_LINES: Final = """\
{"call": "alloc_page", "as": "p", "gfp": "GFP_KERNEL"}
{"call": "put_page", "page": "$p"}
"""

BATCH_TEXT: Final = """\
p = alloc_pages(GFP_KERNEL, 3)  # a comment
__free_pages(p, 3)
"""

BATCH: Final[Doc] = {
    "responses": {
        201: {
            "model": models.Outcomes,
            "description": "every call stands in the journal; NDJSON is answered with NDJSON",
            "content": {NDJSON: {"schema": {"type": "string"}}},
        }
    },
    "extra": {
        "requestBody": {
            "required": True,
            "content": {
                JSON: {"schema": BATCH_JSON, "example": BATCH_EXAMPLE},
                NDJSON: {"schema": {"type": "string"}, "example": BATCH_LINES},
                TEXT: {"schema": {"type": "string"}, "example": BATCH_TEXT},
            },
        }
    },
}

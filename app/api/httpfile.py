"""`GET /calls.http`: every call and what is read most, as a file from which editors send requests.

Requests stand in an order in which each can be done: a call that takes what another returned stands behind
it, and refers to its answer (`{{alloc_pages.response.body.$.ret}}`), as VS Code's REST Client reads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, NamedTuple

from app.api.openapi import example
from app.machine.entry import CALLS
from app.machine.vocabulary import CallSpec

MACHINE: Final = {"name": "from an editor", "machine": {"profile": "tiny-16m"}}


class Answered(NamedTuple):
    """A member of another request's answer."""

    request: str
    member: str = "ret"

    def reference(self) -> str:
        """As it stands in a request."""
        return f"{{{{{self.request}.response.body.$.{self.member}}}}}"


class Filled(NamedTuple):
    """Arguments of a call instead of those of its example, and which calls stand before it besides."""

    arguments: dict[str, Any]
    behind: tuple[str, ...] = ()


PAGE: Final = {"page": Answered("alloc_page")}
AREA: Final = {"addr": Answered("mmap"), "length": 32768}
TOUCHED: Final = {"addr": Answered("mmap")}
FILE: Final = Answered("open")
IN_CACHE: Final = {"cache": "inode_cache"}

FILLED: Final[dict[str, Filled]] = {
    "__free_pages": Filled({"page": Answered("alloc_pages"), "order": 3}),
    "__free_page": Filled({"addr": Answered("get_zeroed_page")}),
    "free_pages": Filled({"addr": Answered("__get_free_pages"), "order": 3}),
    "free_page": Filled({"addr": Answered("__get_free_page")}),
    "free_pages_exact": Filled({"addr": Answered("alloc_pages_exact"), "size": 4096}),
    "split_page": Filled({"page": Answered("alloc_pages_node"), "order": 3}),
    **{
        name: Filled(PAGE)
        for name in (
            *("page_address", "page_to_pfn", "get_page", "get_page_unless_zero", "put_page"),
            *("SetPageDirty", "ClearPageDirty", "SetPageReserved", "ClearPageReserved", "page_mapcount"),
            *("lock_page", "kmap", "kunmap"),
        )
    },
    # Nobody has the lock when it is waited for, or tried; alice is there to be killed.
    "unlock_page": Filled(PAGE, ("lock_page",)),
    "wait_on_page_locked": Filled(PAGE, ("unlock_page",)),
    "trylock_page": Filled(PAGE, ("wait_on_page_locked",)),
    "page_count": Filled({**PAGE, "task": "alice"}),
    # More than a machine of 16 MiB has room for is in the example.
    "sysctl": Filled({"name": "swappiness", "value": 10}),
    "kill_task": Filled({"task": "alice"}, ("page_count",)),
    "virt_to_page": Filled({"addr": Answered("__get_dma_pages")}),
    "virt_to_phys": Filled({"addr": Answered("__get_dma_pages")}),
    "phys_to_virt": Filled({"address": Answered("virt_to_phys")}),
    "vmalloc_to_page": Filled({"addr": Answered("vmalloc")}),
    "vfree": Filled({"addr": Answered("vmalloc")}, ("vmalloc_to_page",)),
    "krealloc": Filled({"addr": Answered("kmalloc"), "size": 8192, "flags": "GFP_KERNEL"}),
    "ksize": Filled({"addr": Answered("kzalloc")}),
    "kfree": Filled({"addr": Answered("kzalloc")}, ("ksize",)),
    "kvfree": Filled({"addr": Answered("kvmalloc")}),
    "kmem_cache_alloc": Filled({**IN_CACHE, "flags": "GFP_KERNEL"}, ("kmem_cache_create",)),
    "kmem_cache_free": Filled({**IN_CACHE, "addr": Answered("kmem_cache_alloc")}),
    "kmem_cache_alloc_bulk": Filled({**IN_CACHE, "flags": "GFP_KERNEL", "size": 16}, ("kmem_cache_create",)),
    "kmem_cache_free_bulk": Filled(
        {**IN_CACHE, "size": 16, "addr": {"seq": Answered("kmem_cache_alloc_bulk", "seq")}}
    ),
    "kmem_cache_shrink": Filled(IN_CACHE, ("kmem_cache_create",)),
    "kmem_cache_destroy": Filled(IN_CACHE, ("kmem_cache_free", "kmem_cache_free_bulk", "kmem_cache_shrink")),
    "exit": Filled({"task": "b"}, ("fork",)),
    "mmap": Filled(example(CALLS["mmap"]), ("execve",)),
    "mprotect": Filled({**AREA, "prot": "PROT_READ|PROT_WRITE"}),
    "madvise": Filled({**AREA, "advice": "MADV_DONTNEED"}),
    **{name: Filled(AREA) for name in ("mlock", "munlock", "msync")},
    **{name: Filled(TOUCHED) for name in ("load", "store", "copy_from_user", "copy_to_user")},
    "mremap": Filled(
        {"addr": Answered("mmap"), "old_length": 32768, "new_length": 16384},
        (
            "mprotect",
            "madvise",
            "mlock",
            "munlock",
            "load",
            "store",
            "copy_from_user",
            "copy_to_user",
            "msync",
        ),
    ),
    "munmap": Filled({"addr": Answered("mremap"), "length": 16384}),
    "open": Filled({"path": "/data/a", "flags": "O_RDWR"}),
    "read": Filled({"fd": FILE, "count": 4096}),
    "write": Filled({"fd": FILE, "count": 4096}),
    "ftruncate": Filled({"fd": FILE, "length": 0}),
    "fsync": Filled({"fd": FILE}),
    "posix_fadvise": Filled({"fd": FILE, "advice": "POSIX_FADV_DONTNEED"}),
    "close": Filled({"fd": FILE}, ("read", "write", "ftruncate", "fsync", "posix_fadvise")),
}

# What is read of a session, with what it shows.
READS: Final = {
    "": "the session",
    "/events?limit=100": "the journal",
    "/events/1/explain": "why row 1 came out as it did",
    "/zones": "zones: marks, free blocks, per-CPU lists",
    "/zones?at=1": "the same as it was after row 1",
    "/zonemap": "the map of a zone's page frames",
    "/pages/1024": "a struct page and what is known of it",
    "/caches": "slab caches",
    "/vmap_areas": "areas of vmalloc",
    "/tasks": "tasks",
    "/tasks/init/maps": "the areas of a process",
    "/lru": "LRU lists",
    "/files": "files and their cached pages",
    "/swaps": "swap areas",
    "/names": "names of results",
    "/log": "the kernel's log",
    "/leaks": "what was taken and not given back",
    "/trace?from=1&to=3": "tracepoints of the first rows",
    "/series?points=100": "numbers after each row",
    "/dump": "the whole state",
    **{
        f"/proc/{file}": f"/proc/{file}"
        for file in ("buddyinfo", "pagetypeinfo", "zoneinfo", "slabinfo", "vmallocinfo", "meminfo", "vmstat")
    },
}

LINES: Final = "p = alloc_pages(GFP_KERNEL, 2)\n__free_pages(p, 2)"

ANYBODY: Final = {
    "/profiles": "machines that can be created",
    "/calls": "every call with its arguments",
    "/gfp?mask=GFP_KERNEL": "what a mask means",
}


def http_file(server: str, *, lab: bool) -> str:
    """The file for a server at an address. lab: everybody says who they are."""
    head = (
        "# kmemlab: every call, and what is read most. Send the first request, then any other;",
        "# some need the answer of one that stands before them.",
        f"@api = {server}/api/v1",
        "# What the first request has made; or write the id of a session that is there.",
        "@session = {{made.response.body.$.id}}",
        *(["# What POST /me/token has given you.", "@token = kml_"] if lab else []),
    )
    return "\n".join([*head, "", body(lab=lab)])


@cache
def body(*, lab: bool) -> str:
    """All but the address."""
    return "\n".join("\n".join([*each, ""]) for each in requests(lab=lab))


def requests(*, lab: bool) -> Iterator[list[str]]:
    """All requests, each as its lines."""
    who = ["authorization: Bearer {{token}}"] if lab else []
    yield sent("a new session", "POST", "/sessions", who, json_of(MACHINE), name="made")
    here = "/sessions/{{session}}"
    for spec in in_order():
        given = json_of(arguments(spec))
        yield sent(f"{spec.name}: {spec.doc}", "POST", f"{here}/{spec.name}", who, given, spec.name)
    yield sent("lines of C, all or none", "POST", f"{here}/calls", who, LINES, form="text/plain")
    for path, what in READS.items():
        yield sent(what, "GET", f"{here}{path}", who)
    yield sent("take the last call back", "POST", f"{here}/undo", who)
    yield sent("go back to a row", "POST", f"{here}/rewind", who, json_of({"to": 1}))
    yield sent("go on from a row in another session", "POST", f"{here}/fork", who, json_of({"at": 1}))
    for path, what in ANYBODY.items():
        yield sent(what, "GET", path, [])


def sent(
    what: str,
    method: str,
    path: str,
    headers: list[str],
    body: str | None = None,
    name: str | None = None,
    form: str = "application/json",
) -> list[str]:
    """One request. name: by which others refer to its answer."""
    lines = [
        f"### {what}",
        *([] if name is None else [f"# @name {name}"]),
        f"{method} {{{{api}}}}{path}",
        *headers,
    ]
    return lines if body is None else [*lines, f"content-type: {form}", "", body]


def in_order() -> Iterator[CallSpec]:
    """The calls, each behind those that it needs."""
    done: set[str] = set()

    def with_needed(name: str) -> Iterator[CallSpec]:
        if name in done:
            return
        done.add(name)
        for other in needed(name):
            yield from with_needed(other)
        yield CALLS[name]

    for name in CALLS:
        yield from with_needed(name)


def needed(name: str) -> Iterator[str]:
    """The calls that stand before one."""
    filled = FILLED.get(name, Filled({}))
    yield from (found.request for found in answered(filled.arguments))
    yield from filled.behind


def answered(value: Any) -> Iterator[Answered]:
    """All references in arguments."""
    if isinstance(value, Answered):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from answered(one)


def arguments(spec: CallSpec) -> dict[str, Any]:
    """What a call is sent with."""
    return FILLED[spec.name].arguments if spec.name in FILLED else example(spec)


def json_of(value: Any) -> str:
    """A document, in which a reference stands as what its answer has there: a number bare, else a string."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(name)}: {json_of(one)}' for name, one in value.items())}}}"
    if isinstance(value, Answered):
        bare = value.request == FILE.request or value.member == "seq"
        return value.reference() if bare else f'"{value.reference()}"'
    return json.dumps(value)

"""The binary files of /proc, by `Range`: which page is where, and what each frame is."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from functools import partial
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.api import docs, vm_docs
from app.api.parameters import At, TaskName
from app.api.problems import HttpRefusal
from app.api.reading import or_none, view
from app.api.requests import addressed
from app.api.vm_docs import BINARY
from app.machine import page_words, show_cost
from app.machine.page_words import FRAMES_AT_ONCE, WORD
from app.sessions.errors import NotFound

router = APIRouter(tags=["processes"], prefix="/sessions/{id:id}")

MOST_OF_PAGEMAP: Final = 1 << 20
RANGE: Final = re.compile(r"bytes=(?:([0-9]{1,16})-([0-9]{0,16})|-([0-9]{1,16}))")
RANGES: Final = {"Accept-Ranges": "bytes"}


def asked(request: Request, size: int) -> tuple[int, int]:
    """The first byte that is asked for, and the one behind the last: all without `Range`.

    Raises HttpRefusal (416) where that is no part of the file in whole words.
    """
    given = request.headers.get("range")
    if given is None:
        return 0, size
    found = RANGE.fullmatch(given.strip().lower())
    if found is None:
        raise refusal(size, "one range, as bytes=0-4095")
    first, last, suffix = found.groups()
    if suffix is not None:
        start, end = max(0, size - int(suffix)), size
    else:
        start, end = int(first), min(int(last) + 1 if last else size, size)
    if start >= end:
        raise refusal(size, f"the file has {size} bytes")
    if start % WORD or end % WORD:
        raise refusal(size, f"whole words of {WORD} bytes, as the kernel has it: else EINVAL")
    return start, end


def refusal(size: int, why: str) -> HttpRefusal:
    """416 in words."""
    return HttpRefusal(416, f"Range: {why}", Content_Range=f"bytes */{size}")


def headers(request: Request, start: int, end: int, size: int) -> tuple[int, dict[str, str]]:
    """The status of an answer, and its headers."""
    length = RANGES | {"Content-Length": str(end - start)}
    if "range" not in request.headers:
        return 200, length
    return 206, length | {"Content-Range": f"bytes {start}-{end - 1}/{size}"}


@router.get(
    "/tasks/{task}/proc/pagemap",
    **docs.operation("get_pagemap", "Where each page of a process is", vm_docs.words("a word for each page")),
)
async def pagemap(request: Request, task: TaskName, at: At = None) -> Response:
    """Frame and bits of each page of the addresses; at most 1 MiB at once, which is 512 MiB of addresses."""
    pages = await view(request, at, or_none, page_words.addresses, task)
    if pages is None:
        raise NotFound("task", task)
    start, end = asked(request, size := pages * WORD)
    if end - start > MOST_OF_PAGEMAP:
        most = MOST_OF_PAGEMAP
        raise refusal(size, f"at most {most} bytes at once of the {size}: give one, as bytes=0-{most - 1}")
    first, count = start // WORD, (end - start) // WORD
    cost = partial(show_cost.words, count=count)
    body = await view(request, at, or_none, page_words.of_addresses, task, first, count, cost=cost)
    if body is None:
        raise NotFound("task", task)
    status, more = headers(request, start, end, size)
    return Response(body, status, more, BINARY)


@router.get(
    "/proc/kpageflags",
    **docs.operation("get_kpageflags", "What each frame is", vm_docs.words("a word for each frame")),
)
async def kpageflags(request: Request, at: At = None) -> Response:
    """The flags of each frame, as user mode knows them (include/uapi/linux/kernel-page-flags.h)."""
    return await of_frames(request, at, "kpageflags")


@router.get(
    "/proc/kpagecount",
    **docs.operation("get_kpagecount", "How often each frame is mapped", vm_docs.words("a word for each")),
)
async def kpagecount(request: Request, at: At = None) -> Response:
    """How many page table entries map each frame."""
    return await of_frames(request, at, "kpagecount")


async def of_frames(request: Request, at: int | None, file: str) -> Response:
    """A file with a word for each frame, part by part, all of one moment."""
    sessions, principal, sid = addressed(request)
    size = WORD * await view(request, at, page_words.frames)
    start, end = asked(request, size)
    moment = (await sessions.get(principal, sid)).seq if at is None else at
    parts = words(request, moment, file, start // WORD, end // WORD)
    first = await anext(parts, b"")
    status, more = headers(request, start, end, size)
    return StreamingResponse(chained(first, parts), status, more, BINARY)


async def words(request: Request, moment: int, file: str, first: int, end: int) -> AsyncIterator[bytes]:
    """The words of some frames, some at a time."""
    for start in range(first, end, FRAMES_AT_ONCE):
        count = min(FRAMES_AT_ONCE, end - start)
        yield await view(request, moment, page_words.of_frames, file, start, count)


async def chained(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A part that was made already, and those behind it."""
    yield first
    async for part in rest:
        yield part

"""`/sessions/{id}/tree.tar`: a session as the files that Linux's own tools read, all of one moment."""

from __future__ import annotations

import io
import tarfile
from datetime import datetime
from functools import partial
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import docs
from app.api.parameters import At, Frames
from app.api.reading import view
from app.api.requests import addressed
from app.machine import page_words, proctree, show_cost
from app.machine.machine import Machine
from app.sessions.errors import LimitReached

router = APIRouter(tags=["reading"], prefix="/sessions/{id:id}")

TAR: Final = "application/x-tar"
# A tar is made as a whole. Frames of which it has words: 16 GiB of memory. Bytes of all else, about.
MOST_FRAMES: Final = 1 << 22
MOST_BYTES: Final = 128 << 20


@router.get("/tree.tar", **docs.operation("get_tree", "The files that Linux's tools read", docs.TREE))
async def tree(request: Request, frames: Frames = 0, at: At = None) -> Response:
    """/proc with a directory for each task, /sys/kernel/slab and page_owner: `kmemlab proc` unpacks it."""
    sessions, principal, sid = addressed(request)
    info = await sessions.get(principal, sid)
    if frames and await view(request, at, page_words.frames) > MOST_FRAMES:
        words = f"at most {MOST_FRAMES:,} frames are in a tar; read /proc/kpageflags by ranges"
        raise LimitReached(("query", "frames"), words)
    if await view(request, at, proctree.size_about) > MOST_BYTES:
        raise LimitReached((), "the files of this machine are too long for a tar; read them one by one")
    made = await view(
        request,
        at,
        archive,
        cost=partial(show_cost.tree, frames=bool(frames)),
        frames=bool(frames),
        time=int(datetime.fromisoformat(info.created).timestamp()),
    )
    return Response(
        made, media_type=TAR, headers={"Content-Disposition": f'attachment; filename="{sid}.tar"'}
    )


def archive(m: Machine, *, frames: bool, time: int) -> bytes:
    """All files as a tar. frames: with a word for each frame, too. time: of the files, in seconds."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as made:
        for path, data in proctree.files(m, frames=frames, time=time):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode, entry.mtime = len(data), 0o444, time
            made.addfile(entry, io.BytesIO(data))
    return out.getvalue()

"""`/sessions/{id}/tree.tar`: a session as the files that Linux's own tools read, all of one moment."""

from __future__ import annotations

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
    header = Header(time)
    made: list[bytes] = []
    for path, data in proctree.files(m, frames=frames, time=time):
        made += (header.of(path, len(data)), data, bytes(-len(data) % tarfile.BLOCKSIZE))
    made.append(bytes(2 * tarfile.BLOCKSIZE))
    return b"".join(made)


class Header:
    """Headers of files that differ in name and size only: a tree has thousands.

    tarfile works ten times as long for each. Places are those of the ustar format.
    """

    def __init__(self, time: int) -> None:
        self.entry = tarfile.TarInfo()
        self.entry.mode, self.entry.mtime = 0o444, time
        self.like = self.entry.tobuf(tarfile.USTAR_FORMAT)
        self.between, self.behind = self.like[136:148], self.like[156:]
        # The sum of a header is taken with blanks in its own place.
        self.sum = sum(self.like[100:124] + self.between + b" " * 8 + self.behind)

    def of(self, path: str, size: int) -> bytes:
        """The header of a file."""
        name, length = path.encode(), b"%011o\0" % size
        if len(name) > tarfile.LENGTH_NAME:
            self.entry.name, self.entry.size = path, size
            return self.entry.tobuf(tarfile.USTAR_FORMAT)
        total = b"%06o\0 " % (self.sum + sum(name) + sum(length))
        return name.ljust(100, b"\0") + self.like[100:124] + length + self.between + total + self.behind

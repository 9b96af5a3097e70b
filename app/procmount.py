"""A session of a server as the files of a file system: what is opened is the machine as it is then.

Files have no size, as those of /proc have none, and are read up to their end. What is read between an open
and its close is of one moment. Words of frames and of addresses are asked for where somebody reads them.
"""

from __future__ import annotations

import errno
import re
import stat
import threading
import time
import urllib.error
from itertools import count
from typing import Final, NamedTuple, NoReturn

from app.procdirectory import WORD, Source

# Names, attributes and the thousands of files of caches, which are read one after the other, are those of a
# moment so many seconds ago at most; to open any other file asks for the present one.
FRESH: Final = 0.25
CACHES: Final = "sys/kernel/slab/"
FRAMES: Final = ("proc/kpageflags", "proc/kpagecount")
COMM: Final = re.compile(r"(proc/[0-9]+)/comm")
# What the server's refusals are to a program that reads files.
ERRNO: Final = {401: errno.EACCES, 403: errno.EACCES, 404: errno.ENOENT, 429: errno.EAGAIN}


class Moment(NamedTuple):
    """A session after one of its rows."""

    seq: int
    files: dict[str, bytes]
    words: dict[str, str]
    """by path, where the server has the files that are read by ranges"""
    directories: dict[str, list[str]]


class Opened(NamedTuple):
    """An open file: its text, or where its words are."""

    text: bytes
    words: str | None


class Tree:
    """What the file system asks. at: a row, or None for the present."""

    def __init__(self, source: Source, at: int | None) -> None:
        self.source = source
        self.at = at
        self.lock = threading.Lock()
        self.moment = moment_of(source, source.seq() if at is None else at)
        self.looked = time.monotonic()
        self.handles = count(1)
        self.opened: dict[int, Opened] = {}

    def now(self, fresh: float) -> Moment:
        """The session's present moment, or one that was that some seconds ago. Raises OSError."""
        with self.lock:
            if self.at is None and time.monotonic() - self.looked >= fresh:
                try:
                    seq = self.source.seq()
                    if seq != self.moment.seq:
                        self.moment = moment_of(self.source, seq)
                except (OSError, ValueError) as error:
                    fail(error)
                self.looked = time.monotonic()
            return self.moment

    def attributes(self, path: str) -> dict[str, int]:
        """Mode and links of a file or a directory. Raises OSError."""
        moment, name = self.now(FRESH), path.strip("/")
        if name in moment.directories:
            return {"st_mode": stat.S_IFDIR | 0o555, "st_nlink": 2}
        if name in moment.files or name in moment.words:
            return {"st_mode": stat.S_IFREG | 0o444, "st_nlink": 1, "st_size": 0}
        raise OSError(errno.ENOENT, path)

    def names(self, path: str) -> list[str]:
        """What is in a directory. Raises OSError."""
        moment, name = self.now(FRESH), path.strip("/")
        if name not in moment.directories:
            raise OSError(errno.ENOENT, path)
        return [".", "..", *moment.directories[name]]

    def open_file(self, path: str) -> int:
        """A handle of a file as it is now. Raises OSError."""
        name = path.strip("/")
        moment = self.now(FRESH if name.startswith(CACHES) else 0.0)
        if name not in moment.files and name not in moment.words:
            raise OSError(errno.ENOENT, path)
        words = moment.words.get(name)
        handle = next(self.handles)
        self.opened[handle] = Opened(moment.files.get(name, b""), words and f"{words}?at={moment.seq}")
        return handle

    def part(self, handle: int, size: int, offset: int) -> bytes:
        """Bytes of an open file. Raises OSError."""
        text, words = self.opened[handle]
        if words is None:
            return text[offset : offset + size]
        first, last = offset // WORD, -(-(offset + size) // WORD)
        try:
            got = self.source.range(words, first * WORD, last * WORD)
        except (OSError, ValueError) as error:
            fail(error)
        return got[offset - first * WORD :][:size]

    def close_file(self, handle: int) -> None:
        """Forget an open file."""
        self.opened.pop(handle, None)


def moment_of(source: Source, seq: int) -> Moment:
    """A session after a row. Raises HTTPError, NoServerError."""
    files = source.files(seq, frames=False)
    words = {name: f"/{name}" for name in FRAMES}
    for name, text in files.items():
        if found := COMM.fullmatch(name):
            words[f"{found[1]}/pagemap"] = f"/tasks/{text.decode().strip()}/proc/pagemap"
    directories: dict[str, list[str]] = {"": []}
    for name in (*files, *words):
        folder, last = "", name
        while last:
            part, _, last = last.partition("/")
            inside = f"{folder}/{part}".lstrip("/")
            if inside not in directories:
                directories[folder].append(part)
                if last:
                    directories[inside] = []
            folder = inside
    return Moment(seq, files, words, directories)


def fail(error: OSError | ValueError) -> NoReturn:
    """Say to a program that reads files what a server has refused, or that it is gone."""
    code = error.code if isinstance(error, urllib.error.HTTPError) else 0
    raise OSError(ERRNO.get(code, errno.EIO), str(error)) from error

"""A session of a server as a directory, for tools that read /proc and /sys.

Nothing leads out of the directory: names come from this program alone, no link is followed, and files that
are there are written in place, since one that is mounted over another keeps its inode.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from app.machine.proctree import PATH

AT_MOST_EVERY: Final = 0.25  # seconds between two states that are written
WORD: Final = 8
PAGE_SHIFT: Final = 12
MOST_WORDS: Final = 1 << 17
AREA: Final = re.compile(r"([0-9a-f]+)-([0-9a-f]+) ")
MAPS: Final = re.compile(r"proc/[0-9]+/maps")


class NotPlainError(OSError):
    """Something that is no plain file or directory stands where one is to be written."""


class Source:
    """A session of a server. Raises ValueError for an address that is none."""

    def __init__(self, server: str, session: str) -> None:
        if not server.startswith(("http://", "https://")):
            raise ValueError(f"{server}: an address that begins with http:// or https://")
        self.base = f"{server}/api/v1/sessions/{session}"
        token = os.environ.get("KMEMLAB_TOKEN")
        self.headers = {} if token is None else {"authorization": f"Bearer {token}"}

    def open(self, path: str, **headers: str) -> IO[bytes]:
        """An answer. Raises HTTPError."""
        request = urllib.request.Request(f"{self.base}{path}", headers=self.headers | headers)  # noqa: S310
        answer: IO[bytes] = urllib.request.urlopen(request)  # noqa: S310 - `Source` has looked at the scheme
        return answer

    def seq(self) -> int:
        """The session's last row."""
        with self.open("") as answer:
            found: dict[str, Any] = json.load(answer)
        return int(found["seq"])

    def rows(self, after: int) -> Iterator[int]:
        """The seq of each row as it comes, the last of several that come together."""
        with self.open(f"/events/stream?after={after}") as stream:
            written = time.monotonic()
            for line in stream:
                if line.startswith(b"id: "):
                    time.sleep(max(0.0, written + AT_MOST_EVERY - time.monotonic()))
                    yield int(line[4:])
                    written = time.monotonic()


def said(error: urllib.error.HTTPError) -> str:
    """What a server has refused, in its words."""
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"the server answers {error.code}"


def write(source: Source, directory: Path, at: int | None, *, frames: bool) -> int:
    """Write all files of one moment, and take away what is gone since; its seq.

    Raises HTTPError, and OSError where the directory cannot be written.
    """
    seq = source.seq() if at is None else at
    with source.open(f"/tree.tar?at={seq}&frames={int(frames)}") as answer:
        data = io.BytesIO(answer.read())
    directory.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=data) as tree:
        found = {entry.name: contents(tree, entry.name) for entry in tree if entry.isreg()}
    files = {name: text for name, text in found.items() if PATH.fullmatch(name)}
    for name, text in files.items():
        put(directory, name, [(0, text)])
    pagemaps = [put_pagemap(source, files, directory, name, seq) for name in files if MAPS.fullmatch(name)]
    take_away(directory, {*files, *pagemaps})
    return seq


def contents(tree: tarfile.TarFile, name: str) -> bytes:
    """A file's bytes."""
    file = tree.extractfile(name)
    return b"" if file is None else file.read()


def take_away(directory: Path, kept: set[str]) -> None:
    """Delete files of an earlier moment: those of tasks and caches that are gone."""
    for path in sorted(directory.rglob("*"), reverse=True):
        name = path.relative_to(directory).as_posix()
        if not PATH.fullmatch(name) or path.is_symlink():
            continue
        if path.is_file() and name not in kept:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def put_pagemap(source: Source, files: dict[str, bytes], directory: Path, maps: str, seq: int) -> str:
    """Write a process's pagemap, only words that say something, each at its place; the file's name."""
    folder = maps.removesuffix("/maps")
    task = files[f"{folder}/comm"].decode().strip()
    parts = []
    for start, end in AREA.findall(files[maps].decode()):
        first, last = int(start, 16) >> PAGE_SHIFT, int(end, 16) >> PAGE_SHIFT
        for page in range(first, last, MOST_WORDS):
            words = pagemap(source, task, page, min(page + MOST_WORDS, last), seq)
            if any(words):
                parts.append((page * WORD, words))
    put(directory, f"{folder}/pagemap", parts)
    return f"{folder}/pagemap"


def pagemap(source: Source, task: str, first: int, last: int, seq: int) -> bytes:
    """The words of some pages; none of what lies behind a process's addresses, such as the vsyscall page."""
    span = f"bytes={first * WORD}-{last * WORD - 1}"
    try:
        with source.open(f"/tasks/{task}/proc/pagemap?at={seq}", range=span) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        return b""


def put(directory: Path, name: str, parts: list[tuple[int, bytes]]) -> None:
    """Write a file in place, from one directory to the next, none of them a link. Raises NotPlainError."""
    *folders, last = name.split("/")
    here = os.open(directory, os.O_DIRECTORY | os.O_RDONLY)
    try:
        for folder in folders:
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder, dir_fd=here)
            inner = opened(folder, os.O_DIRECTORY | os.O_RDONLY, here, name)
            os.close(here)
            here = inner
        file = opened(last, os.O_CREAT | os.O_WRONLY, here, name)
    finally:
        os.close(here)
    with os.fdopen(file, "wb") as out:
        for at, data in parts:
            out.seek(at)
            out.write(data)
        out.truncate()


def opened(name: str, flags: int, within: int, path: str) -> int:
    """Open what is no link."""
    try:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=within)
    except OSError as error:
        raise NotPlainError(f"{path}: a link or something else stands there ({error.strerror})") from error

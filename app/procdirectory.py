"""A session of a server as a directory, for tools that read /proc and /sys.

Nothing leads out of the directory: names come from this program alone, no link is followed, and files that
are there are written in place, since one that is mounted over another keeps its inode.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
import tarfile
import time
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from app import serverclient
from app.machine.proctree import PATH
from app.serverclient import NoServerError

AT_MOST_EVERY: Final = 0.25  # seconds between two states that are written
# What was written, so that it can be deleted once it is gone; all else in the directory is somebody's.
LIST: Final = ".kmemlab"
WORD: Final = 8
PAGE_SHIFT: Final = 12
MOST_WORDS: Final = 1 << 17
AREA: Final = re.compile(r"([0-9a-f]+)-([0-9a-f]+) ")
MAPS: Final = re.compile(r"proc/[0-9]+/maps")


class NotPlainError(OSError):
    """Something that is no plain file or directory stands where one is to be written."""


class Source(serverclient.Source):
    """A session of a server, with its files."""

    def files(self, seq: int, *, frames: bool) -> dict[str, bytes]:
        """All files by their path, as they were after a row. Raises HTTPError, NoServerError."""
        with self.open(f"/tree.tar?at={seq}&frames={int(frames)}") as answer:
            data = answer.read()
        try:
            with tarfile.open(fileobj=io.BytesIO(data)) as tree:
                return {
                    entry.name: data[entry.offset_data : entry.offset_data + entry.size]
                    for entry in tree
                    if entry.isreg() and PATH.fullmatch(entry.name)
                }
        except tarfile.TarError:
            raise NoServerError(f"{self.base}: its tree is no tar") from None

    def range(self, path: str, start: int, end: int) -> bytes:
        """Bytes of a file that is read by ranges; none behind its end. Raises HTTPError."""
        try:
            with self.open(path, range=f"bytes={start}-{end - 1}") as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            if error.code != 416:
                raise
            return b""


def follow(source: Source, directory: Path, seq: int, *, frames: bool) -> Iterator[int]:
    """Write again after rows behind one, four times a second at most; the seq that was written, each time."""
    written = time.monotonic()
    standing: dict[str, bytes] = {}
    for newer in source.rows(seq):
        if newer > seq:
            time.sleep(max(0.0, written + AT_MOST_EVERY - time.monotonic()))
            seq = write(source, directory, None, frames=frames, standing=standing)
            written = time.monotonic()
            yield seq


def write(
    source: Source,
    directory: Path,
    at: int | None,
    *,
    frames: bool,
    standing: dict[str, bytes] | None = None,
) -> int:
    """Write all files of one moment, and take away what is gone since; its seq.

    standing: the texts that were written the last time, which are not written again; it is kept up to date.
    Raises HTTPError, NoServerError, and OSError where the directory cannot be written.
    """
    seq = source.seq() if at is None else at
    files = source.files(seq, frames=frames)
    standing = {} if standing is None else standing
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        if standing.get(name) != text:
            put(directory, name, [(0, text)])
    standing.clear()
    standing.update(files)
    pagemaps = [put_pagemap(source, files, directory, name, seq) for name in files if MAPS.fullmatch(name)]
    keep_list(directory, {*files, *pagemaps})
    return seq


def keep_list(directory: Path, names: set[str]) -> None:
    """Write down what was written; what the list had before and is gone now is deleted, and nothing else."""
    path = directory / LIST
    before = path.read_text("utf-8").splitlines() if path.is_file() and not path.is_symlink() else []
    for name in before:
        if PATH.fullmatch(name) and name not in names:
            delete(directory, name)
    put(directory, LIST, [(0, "".join(f"{name}\n" for name in sorted(names)).encode())])


def delete(directory: Path, name: str) -> None:
    """Delete a file, and directories that are empty then. It may be gone already."""
    *folders, last = name.split("/")
    with contextlib.suppress(OSError), within(directory, folders, name) as here:
        os.unlink(last, dir_fd=here)
    while folders:
        *folders, last = folders
        with contextlib.suppress(OSError), within(directory, folders, name) as here:
            os.rmdir(last, dir_fd=here)


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
    return source.range(f"/tasks/{task}/proc/pagemap?at={seq}", first * WORD, last * WORD)


def put(directory: Path, name: str, parts: list[tuple[int, bytes]]) -> None:
    """Write a file in place. Raises NotPlainError.

    A reader sees the text before or the whole one behind; one of several parts is empty for a moment, so that
    nothing of the text before stays between them.
    """
    *folders, last = name.split("/")
    with within(directory, folders, name, make=True) as here:
        file = opened(last, os.O_CREAT | os.O_WRONLY | os.O_NONBLOCK, here, name)
    with os.fdopen(file, "wb") as out:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise NotPlainError(f"{name}: no plain file stands there")
        if len(parts) != 1 or parts[0][0]:
            out.truncate(0)
        for at, data in parts:
            out.seek(at)
            out.write(data)
        out.truncate()


@contextmanager
def within(directory: Path, folders: list[str], path: str, *, make: bool = False) -> Iterator[int]:
    """A directory below another, reached from one to the next, none of them a link. Raises NotPlainError."""
    here = os.open(directory, os.O_DIRECTORY | os.O_RDONLY)
    try:
        for folder in folders:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(folder, dir_fd=here)
            inner = opened(folder, os.O_DIRECTORY | os.O_RDONLY, here, path)
            os.close(here)
            here = inner
        yield here
    finally:
        os.close(here)


def opened(name: str, flags: int, inside: int, path: str) -> int:
    """Open what is no link."""
    try:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644, dir_fd=inside)
    except OSError as error:
        raise NotPlainError(f"{path}: a link or something else stands there ({error.strerror})") from error

"""Serves a session's files through FUSE."""

from __future__ import annotations

from pathlib import Path

import mfusepy  # type: ignore[import-untyped]

from app.procmount import Tree


class Operations(mfusepy.Operations):  # type: ignore[misc]
    """The names that libfuse calls."""

    use_ns = True

    def __init__(self, tree: Tree) -> None:
        self.tree = tree

    def getattr(self, path: str, _fh: int | None = None) -> dict[str, int]:
        """Of a file or a directory."""
        return self.tree.attributes(path)

    def readdir(self, path: str, _fh: int) -> list[str]:
        """The names in a directory."""
        return self.tree.names(path)

    def open(self, path: str, _flags: int) -> int:
        """A handle; the kernel has refused to write already."""
        return self.tree.open_file(path)

    def read(self, _path: str, size: int, offset: int, fh: int) -> bytes:
        """Bytes of an open file."""
        return self.tree.part(fh, size, offset)

    def release(self, _path: str, fh: int) -> int:
        """Nobody has it open any more."""
        self.tree.close_file(fh)
        return 0


def mount(tree: Tree, directory: Path) -> None:
    """Serve a directory until it is unmounted. Raises RuntimeError with what libfuse ends with."""
    mfusepy.FUSE(
        Operations(tree),
        str(directory),
        foreground=True,
        ro=True,
        direct_io=True,
        nosuid=True,
        nodev=True,
        noexec=True,
        fsname="kmemlab",
        attr_timeout=0,
        entry_timeout=0,
    )

"""Python's garbage collector, which looks at every lasting object, and holds the interpreter meanwhile."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_pausing = threading.Lock()
_pauses = 0


@contextmanager
def gc_paused() -> Iterator[None]:
    """No garbage collection while many lasting objects are made: it would look at each of them many times."""
    global _pauses  # noqa: PLW0603 - there is one collector for the process
    with _pausing:
        _pauses += 1
        gc.disable()
    try:
        yield
    finally:
        with _pausing:
            _pauses -= 1
            if not _pauses:
                gc.enable()

"""Pauses Python's garbage collector while many lasting objects are made."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# Seconds after which something is collected all the same, where the pauses of several threads overlap.
LONGEST_PAUSE: Final = 10.0

_pausing = threading.Lock()
_pauses = 0
_paused_since = 0.0


def settle() -> None:
    """Set the collector for serving, once everything is imported.

    What there is by now stays, and need not be looked at again. Calls make many objects and no cycles to
    speak of: looking for some after every 700 objects would take a third of a batch's time. A full search
    stops everything for a third of a second where large machines are open, so those are rare.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 100)


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause the collector: else it looks at each new object many times, and other threads wait meanwhile."""
    global _pauses, _paused_since  # noqa: PLW0603 - there is one collector for the process
    with _pausing:
        if not _pauses:
            _paused_since = time.monotonic()
        _pauses += 1
        gc.disable()
    try:
        yield
    finally:
        with _pausing:
            _pauses -= 1
            if not _pauses:
                gc.enable()
            elif time.monotonic() > _paused_since + LONGEST_PAUSE:
                gc.collect(1)
                _paused_since = time.monotonic()

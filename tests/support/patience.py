"""A pytest plugin (`-p` in pyproject.toml): how long a test waits for what must come.

What works does not make a test wait, and a machine may be slow or busy: no test fails for want of patience.
A request of httpx2 that names no time waits as long, where the library gives up after five seconds.
"""

from inspect import signature
from typing import Final

import httpx2

# Seconds. A request takes some on a machine with eight tests at work for each core.
PATIENCE: Final = 60.0
PATIENCE_MS: Final = int(PATIENCE * 1000)

# What comes at once, or after a limit of its own of at most five seconds, has come by then.
SOON: Final = 15.0

_default = signature(httpx2.request).parameters["timeout"].default
assert isinstance(_default, httpx2.Timeout)
_default.connect = _default.read = _default.write = _default.pool = PATIENCE

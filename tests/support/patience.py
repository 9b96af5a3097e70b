"""A pytest plugin (`-p` in pyproject.toml): how long a test waits for what must come.

What works does not make a test wait, and a machine may be slow or busy: no test fails for want of patience.
A request of httpx2 that names no time waits as long, where the library gives up after five seconds. An
example of Hypothesis may take its time, where the library gives up after a fifth of a second.
"""

from inspect import signature
from typing import Final

import httpx2
from hypothesis import HealthCheck, settings

# Seconds. A request takes some on a machine with eight tests at work for each core.
PATIENCE: Final = 60.0
PATIENCE_MS: Final = int(PATIENCE * 1000)

# What comes at once, or after a limit of its own of at most five seconds, has come by then.
SOON: Final = 15.0

_default = signature(httpx2.request).parameters["timeout"].default
assert isinstance(_default, httpx2.Timeout)
_default.connect = _default.read = _default.write = _default.pool = PATIENCE

settings.register_profile(
    "patient", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")
